"""What is confirmed, with which seeds, and that a confirmation goes on where it was cut off."""

import dataclasses

import pytest

from study.config.make_study import make_study
from study.config.seeds import confirm_seeds
from study.config.study_config import Study
from study.confirm.chosen import check_images, choose, choose_table
from study.confirm.confirm import Confirm, image_rows, measured_files
from study.files.configs import config_row
from study.files.results import Results
from study.search.search import Search
from tests.support.study_helpers import finish, row_of, tiny_study

FOG = {"measure": "corruption", "name": "fog", "severity": 3, "value": 80.0, "norm": "main", "images": 300}
MEASURED = {"sa": 97.0, "ra": 90.0, "h": 93.0, "ece": 2.0, "measured": [FOG]}


def searched(folder, **options):
    study, results = tiny_study(folder, trials=6, **{"confirm": 2, "seeds": 2, "race": 0, **options})
    search = Search(study, results)
    while (job := search.next()) is not None:
        method = job.config["method"]
        finish(search, job, 70.0 - abs(method["n"] - 1) - abs(method["k"] - 0.2))  # the published (0.2, 1) is the best
    return study, results


def confirm_of(study, results):
    return Confirm(study, choose(study, results), results)


def end(source, job):
    row = {**row_of(job, 2), **MEASURED}
    source.on_result(job, row)
    source.on_end(job, row, "")


def test_the_best_vanilla_mixup_and_published_settings_are_confirmed_with_fresh_seeds(tmp_path):
    study, results = searched(tmp_path / "s")
    chosen = choose(study, results)
    why = [each.why for each in chosen]
    assert why[:4] == ["best-1, published", "best-2", "vanilla", "mixup"]
    assert {seed for each in chosen for seed in each.seeds} == {1, 2}
    assert study.seed not in confirm_seeds(study)


def test_equals_are_ranked_by_cost(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=14, sampler="random", confirm=2, race=0)
    search = Search(study, results)
    while (job := search.next()) is not None:
        finish(search, job, 70.0)
    costs = sorted(row["cost"] for row in results.trials)
    assert [each.config.method.cost for each in choose(study, results)[:2]] == pytest.approx(costs[:2], abs=1e-5)
    assert costs[1] < results.trials[1]["cost"]  # so that it is not the order of the trials


def test_published_settings_above_the_budget_are_left_out(tmp_path):
    cheap = make_study(budget="1.2N", out=str(tmp_path / "s"))
    assert [each.config.method.cost for each in choose(cheap) if each.why == "published"] == [pytest.approx(1.2)]
    assert [each.why for each in choose(make_study(budget="1N", out=str(tmp_path / "t")))] == ["vanilla", "mixup"]


def test_the_published_settings_of_the_searched_methods_are_confirmed_with_what_is_fixed_and_fewer_seeds(tmp_path):
    study = make_study(budget="9N", methods="trades", fix="loss=entm", out=str(tmp_path / "s"))
    (found,) = [each for each in choose(study) if each.why == "published"]
    method = found.config.method
    assert (method.n, method.epsilon, method.alpha, method.beta, method.loss) == (7, 8.0, 2.0, 3.0, "entm")
    assert [len(each.seeds) for each in choose(study)] == [6, 6, 3]
    several = make_study(budget="4N", dataset="cifar10", out=str(tmp_path / "t"))
    assert [each.why for each in choose(several)].count("published") == 4


def test_trials_stopped_early_are_never_confirmed(tmp_path):
    study, results = tiny_study(tmp_path / "s", confirm=1, race=0)
    search = Search(study, results)
    job = search.next()
    search.on_result(job, row_of(job, 1, 99.0))
    search.on_end(job, row_of(job, 1, 99.0), "")
    finish(search, other := search.next(), 50.0)
    assert choose(study, results)[0].config.method.k == other.config["method"]["k"]


def test_other_data_sets_come_with_controls_of_rate_and_cost(tmp_path):
    study = make_study(budget="4N", dataset="cifar10", out=str(tmp_path / "s"))
    assert {"lr × 1/2", "lr × 2", "equal cost"} <= {each.why for each in choose(study)}


def test_each_run_is_written_as_it_ends_and_none_is_repeated(tmp_path):
    study, results = searched(tmp_path / "s")
    source = confirm_of(study, results)
    total = len(source.waiting)
    for _ in range(3):
        end(source, source.next())
    cut_off = source.next()  # and here the program was killed
    assert len(Results(tmp_path / "s").confirm) == 3
    source = confirm_of(study, Results(tmp_path / "s"))
    assert source.next() == cut_off
    end(source, cut_off)
    while (job := source.next()) is not None:
        end(source, job)
    rows = Results(tmp_path / "s").confirm
    assert len(rows) == total == len({(row["config"], row["seed"]) for row in rows})
    assert len(Results(tmp_path / "s").corruptions) == total
    assert source.finished


def test_a_failed_run_keeps_its_reason_and_is_tried_again_only_when_asked_to(tmp_path):
    study, results = searched(tmp_path / "s")
    source = confirm_of(study, results)
    job = source.next()
    source.on_end(job, None, "out of memory: …\nTraceback")
    (row,) = results.confirm
    assert row["error"].startswith("out of memory")
    assert row["h"] is None
    assert confirm_of(study, Results(tmp_path / "s")).next() != job
    again = make_study(resume=str(tmp_path / "s"), retry_failed=True)
    assert confirm_of(again, Results(tmp_path / "s")).next() == job


def test_the_dearest_runs_begin_first(tmp_path):
    study, results = searched(tmp_path / "s")
    costs = [each.config.method.cost for each, _ in confirm_of(study, results).waiting]
    assert costs == sorted(costs, reverse=True)


def test_a_table_is_confirmed_row_by_row(tmp_path):
    study = make_study(table="entprop/17", scale="demo", seeds=2, epochs=1, out=str(tmp_path / "s"))
    chosen = choose_table(study)
    assert [each.why for each in chosen] == ["n=1", "n=2", "n=3", "n=4", "n=5", "Vanilla", "Mixup alone"]
    assert all(each.seeds == (0, 1) and each.config.epochs == 1 for each in chosen)


def test_runs_wait_for_the_network_whose_attacks_they_are_shown(tmp_path):
    study = make_study(table="uncertainty/12", scale="demo", seeds=1, out=str(tmp_path / "s"))
    chosen = choose_table(study)
    source = Confirm(study, chosen, Results(tmp_path / "s"))
    proxy = source.next()
    assert (proxy.config["method"]["name"], proxy.config["method"]["loss"], proxy.config["seed"]) == ("pat", "ce", 1)
    assert not any("transfer_from" in measure for measure in proxy.measures)  # it is not shown its own attacks
    free = []
    while (job := source.next()) is not None:
        free.append(job.config["method"]["name"])
    assert sorted(free) == ["mixup", "vanilla"]
    assert not source.finished
    end(source, proxy)
    job = source.next()
    assert {m["transfer_from"] for m in job.measures if "transfer_from" in m} == {proxy.folder}
    again = Confirm(study, chosen, Results(tmp_path / "s"))
    assert len(again.waiting) == len(chosen)  # all but the proxy's run, which is done
    assert again.next() == job


def test_a_proxy_that_failed_holds_nothing_up(tmp_path):
    study = make_study(table="uncertainty/12", scale="demo", seeds=1, out=str(tmp_path / "s"))
    source = Confirm(study, choose_table(study), Results(tmp_path / "s"))
    source.on_end(source.next(), None, "the loss is no longer finite")
    assert source.next().config["method"]["name"] in ("pat", "trades")


def test_what_is_measured_goes_into_the_table_of_its_kind():
    def row(measure, name, norm="main", severity=None):
        return {"measure": measure, "name": name, "severity": severity, "value": 5.0, "norm": norm, "images": 20}

    rows = [
        row("sa", ""), row("h", ""), row("corruption", "fog", severity=3), row("attack", "FGSM4"), row("sa", "", "aux"),
        row("corruption", "fog", "aux", 3), row("transfer", "FGSM4"), row("attack", "FGSM4", "aux"),
        row("shift", "folder:/data/imagenet-a"),
    ]  # fmt: skip
    files = measured_files({"config": "c", "seed": 0}, rows)
    assert [(each["norm"], each["corruption"], each["severity"]) for each in files["corruptions"]] == [
        ("main", "fog", 3), ("aux", "fog", 3),
    ]  # fmt: skip
    assert files["attacks"] == [{"config": "c", "seed": 0, "attack": "FGSM4", "accuracy": 5.0, "images": 20}]
    assert [(each["norm"], each["measure"], each["name"]) for each in files["measures"]] == [
        ("aux", "sa", "all"), ("main", "transfer", "FGSM4"), ("aux", "attack", "FGSM4"),
        ("main", "shift", "imagenet-a"),
    ]  # fmt: skip


def test_what_is_right_of_each_image_is_one_row_of_a_run():
    key = {"config": "c", "seed": 0}
    images = [{"image": 0, "clean": 1, "corrupted": 75}, {"image": 1, "clean": 0, "corrupted": 4}]
    corruptions = [{"norm": norm} for norm in ("main",) * 75 + ("aux",) * 75]
    assert image_rows(key, images, corruptions) == [{**key, "clean": "10", "corrupted": "7504", "copies": 75}]
    assert image_rows(key, [], corruptions) == []


def test_other_pictures_must_be_there_before_anything_is_trained(tmp_path):
    study = make_study(table="entprop/3", data_root=str(tmp_path), out=str(tmp_path / "s"))
    chosen = choose_table(study)
    with pytest.raises(ValueError, match="table entprop/3 needs a folder of images for each class in"):
        check_images(study, chosen)
    for name in ("imagenet-a", "imagenet-r", "stylized-imagenet"):
        (tmp_path / name).mkdir()
    check_images(study, chosen)
    job = Confirm(study, chosen, Results(tmp_path / "s")).next()
    assert job.measures[0] == {"shift": f"folder:{tmp_path}/imagenet-a"}


def test_the_configuration_of_a_row_survives_the_files(tmp_path):
    study, results = searched(tmp_path / "s")
    best = choose(study, Results(tmp_path / "s"))[0].config
    (trial,) = [row for row in results.trials if row["config"] == config_row(best)["config"]]
    assert dataclasses.replace(best, seed=trial["seed"]).method.cost == trial["cost"]
    assert isinstance(Study.from_dict(results.read_study()["options"]), Study)
