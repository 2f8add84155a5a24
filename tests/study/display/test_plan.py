"""The plan of a study: what it would run, what that costs, and how long it would take."""

import json

import pytest

from study.config.budget import Budget
from study.config.make_study import make_study
from study.config.space import space_record
from study.config.study_config import Study
from study.display.data_lines import read_data
from study.display.plan import estimated_seconds, mean_cost, parts_of, plan_text
from study.files.timings import Timing, known_timing, remember_timing, timings_file
from tests.support.data_files import write_folder
from trainables.config import TrialConfig, with_recipe
from trainables.methods import Vanilla


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_plan_says_what_is_reachable_what_it_costs_and_writes_nothing(tmp_path):
    text = plan_text(make_study(budget="4N"))
    assert "k ≤           1       1       1    0.75     0.6" in text
    assert "8 runs, about 264, at most 480 N-epochs" in text
    words = " ".join(text.split())
    assert "the best 4 of the search, vanilla, mixup, 2 published with one new seed" in words
    assert "the winner, vanilla, mixup, published; 6 fresh seeds, 3 of published settings" in words
    assert "no such training step was timed" in text
    assert list(tmp_path.iterdir()) == []


def test_passes_that_the_cost_leaves_out_are_said():
    text = " ".join(plan_text(make_study(budget="2N", methods="gpaco,fast_advprop", fix="selection=top")).split())
    assert "fast_advprop makes further forward passes of 0.33N, which the papers' cost formula leaves out" in text
    assert "gpaco makes further forward passes of 0.33N" in text
    assert "forward passes" not in plan_text(make_study(budget="2N", methods="entprop,fast_advprop"))


def test_the_cost_of_the_phases_adds_up():
    search, race, confirm = parts_of(make_study(budget="4N", trials=10, epochs=5, seeds=2, race=4))
    assert (search.runs, search.most) == (10, 10 * 4 * 5)
    # vanilla 1N, mixup 1N, (0.2, 1) 1.2N, (0.6, 5) 4N and four of the search; then two with two more seeds
    assert (race.runs, race.most) == (4 + 4 + 4, pytest.approx(5 * (1 + 1 + 1.2 + 4 + 8 * 4)))
    assert (confirm.runs, confirm.most) == (8, pytest.approx(2 * 5 * (4 + 1 + 1 + 1.2)))
    assert [part.name for part in parts_of(make_study(budget="4N", race=0))] == ["search", "confirm"]


def test_a_total_budget_limits_the_search_alone():
    search, race, confirm = parts_of(make_study(budget="4N", total_budget="100N"))
    assert (search.most, search.runs) == (100, 6)
    assert race.most == pytest.approx(15 * (7.2 + 8 * 4))
    assert confirm.most == pytest.approx(15 * (6 * 6 + 3 * 1.2))


def test_no_confirmation_is_planned_where_none_is_asked_for():
    assert [part.name for part in parts_of(make_study(budget="4N", confirm=0))] == ["search"]


def test_the_plan_says_what_becomes_of_lost_and_stuck_workers():
    text = " ".join(plan_text(make_study(budget="2N")).split())
    assert "no epoch in time (20 times the slowest epoch so far, at least 10 min; --trial-timeout) is killed" in text
    assert "is retried at most 2 times (--max-failures)" in text
    text = " ".join(plan_text(make_study(budget="2N", trial_timeout=90.0, max_failures=0)).split())
    assert "no epoch in time (1 min 30 s; --trial-timeout)" in text
    assert "is not retried" in text


def test_a_budget_of_1n_is_said_to_leave_one_setting():
    assert "1N allows only k = 0" in plan_text(make_study(budget="1N"))
    assert "the budget excludes no setting" in plan_text(make_study(budget="6N"))
    assert "has only one setting; more trials repeat it" in plan_text(make_study(budget="1N", methods="vanilla"))


def test_a_plan_says_where_data_come_from_that_are_not_there(tmp_path):
    assert "note     cifar10 is downloaded if it is missing" in plan_text(make_study(budget="2N", dataset="cifar10"))
    missing = make_study(budget="2N", dataset="npz:mine.npz")
    assert "note     mine.npz does not exist yet, but the study needs it" in plan_text(missing)
    (tmp_path / "mine.npz").touch()
    assert "mine.npz does not exist" not in plan_text(missing)
    assert "note" not in plan_text(make_study(budget="2N"))


def test_a_plan_shows_the_images_their_split_and_the_reason_of_the_recipe(tmp_path):
    study = make_study(budget="2N", dataset=f"folder:{write_folder(tmp_path / 'mine')}", batch_size=4)
    words = " ".join(plan_text(study, splits=read_data(study)).split())
    assert "data 24 images of 2 classes, 8 px: 10 for training, 2 for validation, 12 for test" in words
    assert "recipe a small network from scratch: the median side of the images is 8 pixels, at most 128" in words
    with pytest.raises(ValueError, match="batch_size must be at most the 10 training images"):
        read_data(make_study(budget="2N", dataset=f"folder:{tmp_path / 'mine'}"))


def test_a_plan_downloads_nothing(tmp_path):
    study = make_study(budget="2N", dataset="cifar10", data_root=str(tmp_path))
    assert read_data(study) is None
    assert "data     60,000 images of 10 classes, 32 px; downloaded" in plan_text(study)
    note = "pretrained weights of resnet50 are downloaded from torchvision first"
    assert note in " ".join(plan_text(make_study(budget="2N", dataset="pets")).split())


def test_a_plan_says_how_a_confirmation_that_is_most_of_the_cost_becomes_cheaper():
    study = make_study(budget="4N", dataset="cifar10", seeds=6)
    words = " ".join(plan_text(study).split())
    assert "the confirmation is 56% of the cost; --controls false saves 9,600 N-epochs; --seeds 3 saves" in words
    cheaper = parts_of(make_study(budget="4N", dataset="cifar10", seeds=6, controls="false"))
    assert parts_of(study)[-1].likely - cheaper[-1].likely == pytest.approx(9600)
    assert "of the cost" not in plan_text(make_study(budget="4N", dataset="cifar10", trials=100))


def test_a_probe_times_training_and_measuring_here(monkeypatch):
    from study import run as study_run
    from study.workers import probe

    monkeypatch.setattr(probe, "TRAINING_S", 0.1)
    text = study_run(budget="1N", dry_run=True, probe=True, device="cpu")
    timing = known_timing(with_recipe(Vanilla(), "fashion"), "cpu")
    assert timing.images == 1200
    assert 0 < timing.validation_seconds < timing.test_seconds
    assert "from a vanilla step timed on this machine" in text


def test_the_mean_cost_is_that_of_even_draws():
    assert mean_cost(Study(budget=Budget(1.2))) == pytest.approx(1.1)
    assert mean_cost(Study(budget=Budget(6.0))) == pytest.approx(1 + 0.5 * 3)
    assert mean_cost(Study(budget=Budget(5.0), methods=("advprop",))) == pytest.approx(4)
    assert mean_cost(Study(budget=Budget(4.0), search=("metric",))) == pytest.approx(1.2)


@pytest.mark.parametrize(
    "options",
    [
        {"budget": "8N", "methods": "all"},
        {"budget": "2N", "sampler": "grid", "search": "k,n", "fix": "weights=sum"},
        {"budget": "4N", "search": "k,alpha,beta,weights,aux_target", "scheduler": "asha"},
        {"budget": "4N", "dataset": "cifar10", "objective": "pareto"},
        {"table": "entprop/2"},
        {"table": "entprop/16", "scale": "demo"},
    ],
)
def test_every_kind_of_study_has_a_plan_and_a_record_of_its_space(options):
    study = make_study(**options)
    text = plan_text(study, slots=2)
    assert study.out in text
    assert all(len(line) <= 200 for line in text.splitlines())
    assert json.loads(json.dumps(space_record(study))) == space_record(study)


def test_the_recorded_space_holds_the_largest_share_for_each_n():
    record = space_record(make_study(budget="4N", methods="entprop,mixup"))
    assert record["entprop"]["largest_share"] == {"1": 1, "2": 1, "3": 1, "4": 0.75, "5": 0.6}
    assert record["mixup"] == {"searched": [], "fixed": {}, "largest_share": {}}


# -------------------------------------------------------------------------------------------------------- timings

CONFIG = TrialConfig()


def test_a_plan_says_how_many_steps_attacks_take_beside_its_time(tmp_path):
    def text(table):
        return " ".join(plan_text(make_study(table=table, scale="demo", out=str(tmp_path / "s")), slots=2).split())

    # FGSM, then white-box 3·10 + 3·40 and CW 3·40, black-box 2·10, each of these with 5 restarts
    assert f"up to {1 + 5 * (30 + 120 + 120 + 20):,} gradient steps per attacked image" in text("uncertainty/1")
    assert "without attacks" not in text("entprop/17")


def test_time_is_estimated_from_a_step_that_was_timed_here():
    remember_timing(CONFIG, "cpu", Timing(0.02, images=1280, validation_seconds=1.0, test_seconds=3.0))
    study = make_study(budget="1N", methods="mixup", trials=4, seeds=2)
    # an epoch has 20 steps of 0.02 s
    search, race, confirm = parts_of(study)
    likely = search.likely + race.likely + confirm.likely
    expected = likely * 0.4 + (4 + race.runs) * 1.0 + confirm.runs * 3.0
    assert estimated_seconds(study) == pytest.approx(expected)
    assert estimated_seconds(study, slots=2) == pytest.approx(expected / 2)
    assert "from a vanilla step timed on this machine" in plan_text(study)


def test_a_timing_belongs_to_machine_data_network_batch_precision_and_device(monkeypatch):
    timing = Timing(0.02, 1280)
    remember_timing(CONFIG, "cpu", timing)
    assert known_timing(CONFIG, "cpu") == known_timing(CONFIG) == timing
    assert known_timing(CONFIG, "cuda") is None
    for change in ({"model": "resnet18"}, {"batch_size": 32}, {"precision": "bf16"}, {"dataset": "cifar10"}):
        assert known_timing(TrialConfig(**change)) is None
    remember_timing(CONFIG, "cuda", Timing(0.001, 1280))
    assert known_timing(CONFIG) == Timing(0.001, 1280)
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    assert known_timing(CONFIG, "cpu") is None


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}'])
def test_a_damaged_cache_is_as_good_as_none(content):
    timings_file().parent.mkdir(parents=True)
    timings_file().write_text(content)
    assert known_timing(CONFIG) is None
    remember_timing(CONFIG, "cpu", Timing(0.02, 1280))
    assert known_timing(CONFIG) == Timing(0.02, 1280)
