"""The search without Ray: what it proposes, what it writes, and what it does after being cut off anywhere."""

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from study.config.make_study import make_study
from study.config.seeds import REPEATS, confirm_seeds
from study.config.space import space_of
from study.files.results import Results
from study.search import sampling
from study.search.sampling import Proposals
from study.search.search import Search, mirror_of, rungs_so_far
from study.workers.in_turn import InTurn
from tests.support.study_helpers import finish, row_of, tiny_study


def search_of(study, results):
    return Search(study, results)


def copied(study, results):
    """A search with its copy for optuna-dashboard."""
    search = Search(study, results)
    source = InTurn([search], [mirror_of(study, search)])
    source.begin()
    return source


def method_of(job):
    return job.config["method"]


def h_of(job):
    """A made-up H with its best in the middle of the space."""
    method = method_of(job)
    return 90 - 10 * abs(method["k"] - 0.4) - abs(method["n"] - 3)


def play(search):
    """All jobs, one after the other; their methods."""
    methods = []
    while (job := search.next()) is not None:
        methods.append(method_of(job))
        finish(search, job, h_of(job))
    return methods


def mirrored(folder):
    storage = JournalStorage(JournalFileBackend(str(folder / "optuna.log")))
    return optuna.load_study(study_name=folder.name, storage=storage).trials


@pytest.mark.parametrize("sampler", ["gp", "tpe", "random"])
def test_two_published_settings_come_first_and_nothing_is_above_the_budget(tmp_path, sampler):
    study, results = tiny_study(tmp_path / "s", sampler=sampler, trials=14)
    methods = play(search_of(study, results))
    assert [(m["k"], m["n"]) for m in methods[:2]] == [(0.2, 1), (0.6, 1)]
    assert len(methods) == 14
    assert all(1 + m["k"] * m["n"] <= 4 + 1e-9 for m in methods)


def test_a_grid_is_tried_once_and_whole(tmp_path):
    study, results = tiny_study(tmp_path / "s", sampler="grid", trials=None, search="n,metric")
    methods = play(search_of(study, results))
    assert len(methods) == study.trials == len({(m["n"], m["metric"]) for m in methods}) == 20


def test_the_same_seed_gives_the_same_study_and_another_seed_another(tmp_path):
    def proposals(name, seed):
        return play(search_of(*tiny_study(tmp_path / name, trials=8, seed=seed)))

    first = proposals("a", 0)
    assert proposals("b", 0) == first
    assert proposals("c", 1)[4:] != first[4:]


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_a_study_cut_off_anywhere_proposes_what_the_unbroken_one_did(tmp_path, sampler):
    whole = play(search_of(*tiny_study(tmp_path / "whole", trials=13, sampler=sampler)))
    study, results = tiny_study(tmp_path / "cut", trials=13, sampler=sampler)
    search = search_of(study, results)
    for _ in range(11):
        finish(search, job := search.next(), h_of(job))
    search.on_result(job := search.next(), row_of(job, 1))  # and here the program was killed
    again = search_of(study, Results(tmp_path / "cut"))
    assert method_of(again.next()) == method_of(job) == whole[11]
    finish(again, job, h_of(job))
    assert play(again) == whole[12:]


def test_going_on_repeats_nothing_and_leaves_no_trial_running(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=3)
    search = copied(study, results)
    finish(search, search.next(), 80.0)
    search.next()  # proposed, and never heard of again
    search = copied(study, Results(tmp_path / "s"))
    assert len(play(search)) == 2
    assert search.finished
    rows = Results(tmp_path / "s").trials
    assert [(row["trial"], row["status"], row["epochs"]) for row in rows] == [(i, "finished", 2) for i in range(3)]
    assert [trial.user_attrs["trial"] for trial in mirrored(tmp_path / "s")] == [0, 1, 2]
    assert {trial.state for trial in mirrored(tmp_path / "s")} == {TrialState.COMPLETE}


def test_a_lost_copy_for_optuna_dashboard_is_made_again(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=3)
    play(copied(study, results))
    (tmp_path / "s" / "optuna.log").unlink()
    copied(study, Results(tmp_path / "s"))
    trials = mirrored(tmp_path / "s")
    assert [trial.value for trial in trials] == [row["val_h"] for row in results.trials]
    assert [trial.intermediate_values for trial in trials] == [{2: trial.value} for trial in trials]


def test_a_spoilt_copy_for_optuna_dashboard_is_mended_or_made_again(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=3)
    search = copied(study, results)
    for _ in range(2):
        finish(search, search.next(), 90.0)
    path = tmp_path / "s" / "optuna.log"
    whole = path.read_text()
    for spoilt in (whole[:-20], whole.replace('"op_code"', "", 1), "hello\n" + whole):
        path.write_text(spoilt)
        path.with_name("optuna.log.lock").symlink_to(path)  # of a writer that was killed
        copied(study, Results(tmp_path / "s"))
        assert sorted(trial.user_attrs["trial"] for trial in mirrored(tmp_path / "s")) == [0, 1]


def test_a_trial_whose_row_is_gone_is_proposed_again_and_overwrites_none(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=3)
    search = Search(study, results)
    for number in range(3):
        finish(search, search.next(), 90.0 + number)
    path = tmp_path / "s" / "trials.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *(line for line in lines[1:] if not line.startswith("1,")), ""]))
    again = Search(study, Results(tmp_path / "s"))
    finish(again, again.next(), 80.0)
    assert [(row["trial"], row["val_h"]) for row in Results(tmp_path / "s").trials] == [(0, 90.0), (1, 80.0), (2, 92.0)]
    assert again.finished


def test_stopped_and_failed_trials_are_told_as_such_and_keep_their_reason(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=3)
    search = copied(study, results)
    search.on_result(stopped := search.next(), row_of(stopped, 1, 40.0))
    search.on_end(stopped, row_of(stopped, 1, 40.0), "")
    search.on_result(failed := search.next(), row_of(failed, 1))
    search.on_end(failed, row_of(failed, 1), "the loss is no longer finite\nTraceback …")
    finish(search, search.next(), 80.0)
    rows = Results(tmp_path / "s").trials
    assert [row["status"] for row in rows] == ["stopped", "failed", "finished"]
    assert rows[1]["error"].startswith("the loss is no longer finite\nTraceback")
    assert rows[1]["spent"] == pytest.approx(rows[1]["cost"])
    states = [trial.state for trial in mirrored(tmp_path / "s")]
    assert states == [TrialState.PRUNED, TrialState.FAIL, TrialState.COMPLETE]


def test_the_total_budget_is_never_exceeded_and_counts_earlier_calls(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=None, total_budget="20N", sampler="random")
    search = search_of(study, results)
    finish(search, search.next(), 80.0)
    search = search_of(study, Results(tmp_path / "s"))
    play(search)
    spent = sum(row["spent"] for row in Results(tmp_path / "s").trials)
    assert search.finished
    assert 12 < spent <= 20


def test_with_halving_a_trial_waits_for_what_others_may_give_back(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=None, total_budget="6N", scheduler="asha")
    search = search_of(study, results)
    first, second = search.next(), search.next()  # 2.4N, 3.2N
    assert search.next() is None
    assert not search.finished
    search.on_result(first, row_of(first, 1, 10.0))
    search.on_end(first, row_of(first, 1, 10.0), "")
    finish(search, second, 50.0)
    assert search.next() is None
    assert search.finished


def test_pareto_tells_h_and_cost(tmp_path):
    study, results = tiny_study(tmp_path / "s", objective="pareto", trials=12, sampler="tpe")
    play(copied(study, results))
    trials, rows = mirrored(tmp_path / "s"), results.trials
    assert [trial.values for trial in trials] == [[row["val_h"], row["cost"]] for row in rows]


def test_extended_it_goes_on_where_it_ended(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=5)
    play(search_of(study, results))
    longer = make_study(resume=str(tmp_path / "s"), extend=3)
    methods = play(search_of(longer, Results(tmp_path / "s")))
    assert len(methods) == 3
    assert [row["trial"] for row in Results(tmp_path / "s").trials] == list(range(8))


def test_tpe_learns_from_all_trials_and_the_gaussian_process_from_a_bounded_number(tmp_path, monkeypatch):
    study, _ = tiny_study(tmp_path / "s")
    monkeypatch.setattr(sampling, "GP_LEARNS_FROM", 12)
    known = {}

    def note(kind):
        real = kind.sample_relative

        def sample(self, study, trial, space):
            known[kind] = [each for each in study.get_trials(deepcopy=False) if each.state == TrialState.COMPLETE]
            return real(self, study, trial, space)

        monkeypatch.setattr(kind, "sample_relative", sample)

    for kind in (optuna.samplers.TPESampler, optuna.samplers.GPSampler):
        note(kind)
    for sampler in ("tpe", "gp"):
        proposals = Proposals(space_of(study), sampler, 0)
        for number in range(40):
            proposals.begin(number, proposals._drawn(number, None, "random").params)
            proposals.tell(number, "finished", [100.0 - number])
        proposals.draw(40)
    assert {kind: len(trials) for kind, trials in known.items()} == {
        optuna.samplers.TPESampler: 40, optuna.samplers.GPSampler: 12,
    }  # fmt: skip


@pytest.mark.parametrize("methods", ["entprop", "entprop,fast_advprop"])
def test_a_draw_is_what_optuna_itself_would_propose(tmp_path, methods):
    study, results = tiny_study(tmp_path / "s", sampler="tpe", trials=14, methods=methods)
    search = search_of(study, results)
    while (job := search.next()) is not None:
        method = method_of(job)
        finish(search, job, 90.0 - 10 * abs(method.get("k", method.get("p_adv")) - 0.4))
    optunas = optuna.create_study(direction="maximize", sampler=sampling.make_sampler("tpe", 7919 * 15))
    optunas.add_trials(search.proposals.study.get_trials(deepcopy=False)[1:])
    trial = optunas.ask()
    search.space(trial)
    assert search.proposals._drawn(14, None, "tpe").params == trial.params


def counted(monkeypatch, name, calls):
    """Note each call of a method of Optuna's study."""
    real = getattr(optuna.Study, name)

    def noted(*given, **more):
        calls.append(name)
        return real(*given, **more)

    monkeypatch.setattr(optuna.Study, name, noted)


def test_resuming_asks_a_sampler_for_nothing_but_the_next_proposal(tmp_path, monkeypatch):
    study, results = tiny_study(tmp_path / "s", sampler="tpe", trials=16)
    search = search_of(study, results)
    for _ in range(14):
        finish(search, job := search.next(), h_of(job))
    search.next()  # cut off
    calls = []
    for name in ("ask", "enqueue_trial", "tell"):
        counted(monkeypatch, name, calls)
    again = search_of(study, Results(tmp_path / "s"))
    assert calls == ["ask", "enqueue_trial", "ask"]  # the blank trial, and the one that was cut off
    assert len(again.proposals.study.trials) == 16


def test_a_setting_that_has_a_trial_is_drawn_anew_and_only_an_exhausted_space_repeats_one_with_another_seed(tmp_path):
    study, results = tiny_study(tmp_path / "s", sampler="tpe", trials=26, search="n,metric")
    search = search_of(study, results)
    for _ in range(9):
        job = search.next()
        finish(search, job, 90.0 - abs(method_of(job)["n"] - 3))
    search.next()  # proposed, and cut off
    search = search_of(study, Results(tmp_path / "s"))
    while (job := search.next()) is not None:
        finish(search, job, 90.0 - abs(method_of(job)["n"] - 3))
    rows = Results(tmp_path / "s").trials
    assert len({(row["config"], row["seed"]) for row in rows}) == 26
    assert len({row["config"] for row in rows[:20]}) == len({row["config"] for row in rows}) == 20
    assert {row["seed"] for row in rows[:20]} == {study.seed}
    assert all(row["seed"] >= study.seed + REPEATS for row in rows[20:])
    assert not {row["seed"] for row in rows} & set(confirm_seeds(study))


def test_of_one_setting_each_trial_has_a_seed_of_its_own_also_after_going_on(tmp_path):
    def seeds(name, cut):
        study, results = tiny_study(tmp_path / name, methods="mixup", trials=4)
        search = search_of(study, results)
        for _ in range(4):
            job = search.next()
            if cut:
                search.on_result(job, row_of(job, 1))
                search = search_of(study, Results(tmp_path / name))
                job = search.next()
            finish(search, job, 80.0)
        return [(row["seed"], row["status"]) for row in Results(tmp_path / name).trials]

    seen = [(seed, "finished") for seed in (0, REPEATS, REPEATS + 1, REPEATS + 2)]
    assert seeds("cut", True) == seeds("whole", False) == seen


def test_a_sampler_learns_from_the_best_and_the_latest_of_very_many_trials(tmp_path):
    study, _ = tiny_study(tmp_path / "s")
    proposals = Proposals(space_of(study), "random", 0)
    for number in range(30):
        proposals.ask(number)
        proposals.tell(number, "failed" if number == 9 else "finished", [100.0 - number])
    assert [trial.user_attrs["trial"] for trial in proposals.learnt_from(30)] == list(range(30))
    assert [trial.user_attrs["trial"] for trial in proposals.learnt_from(12)] == [0, 1, 2, 3, 4, 5, *range(24, 30)]


def test_a_search_remembers_nothing_of_an_ended_trial_but_that_it_was_there(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=3, total_budget="100N")
    search = search_of(study, results)
    play(search)
    assert (search.open, search.epochs, search.running) == ({}, {}, {})
    assert search.spent == pytest.approx(sum(row["spent"] for row in results.trials))


def test_warm_started_it_knows_what_another_study_found_within_its_own_budget(tmp_path):
    study, results = tiny_study(tmp_path / "old", trials=12)
    play(copied(study, results))
    inside = [row for row in results.trials if row["cost"] <= 2]
    study, results = tiny_study(tmp_path / "new", budget="2N", warm_start=str(tmp_path / "old"))
    search = copied(study, results)
    known = [trial for trial in search.phases[0].proposals.study.trials if trial.state == TrialState.COMPLETE]
    assert [trial.value for trial in known] == [row["val_h"] for row in inside]
    assert all(1 + m["k"] * m["n"] <= 2 + 1e-9 for m in play(search))
    assert len(mirrored(tmp_path / "new")) == 4


def test_rungs_are_found_again_in_the_rows(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=2)
    assert rungs_so_far(results, (4.0,)) == []
    search = search_of(study, results)
    search.on_result(job := search.next(), row_of(job, 1))
    search.on_result(job, row_of(job, 4, 60.0))
    assert rungs_so_far(results, (4.0,)) == [("trial-0000", pytest.approx(4.8), 60.0)]


def test_failed_trials_stay_failed_unless_they_are_asked_for_again(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=3)
    search = copied(study, results)
    finish(search, search.next(), 70.0)
    search.on_result(failed := search.next(), row_of(failed, 1))
    search.on_end(failed, row_of(failed, 1), "out of memory")
    finish(search, search.next(), 80.0)
    assert copied(study, Results(tmp_path / "s")).next() is None

    results = Results(tmp_path / "s")
    results.reopen_failed()
    search = copied(make_study(resume=str(tmp_path / "s"), retry_failed=True), results)
    again = search.next()
    assert (again, search.next()) == (failed, None)
    finish(search, again, 90.0)
    rows = Results(tmp_path / "s").trials
    assert [(row["status"], row["val_h"], row["error"]) for row in rows] == [
        ("finished", 70.0, None), ("finished", 90.0, None), ("finished", 80.0, None),
    ]  # fmt: skip
    assert {trial.state for trial in mirrored(tmp_path / "s")} == {TrialState.COMPLETE}
    assert len(mirrored(tmp_path / "s")) == 3
