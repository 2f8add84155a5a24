"""The race: who is in it, with which seeds, in which order they come out, and that a kill changes nothing."""

import dataclasses

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from study.config.make_study import make_study
from study.config.seeds import confirm_seeds, race_seeds
from study.files.results import Results
from study.race.contenders import contenders, finalists, known_contenders, ranking, rounds
from study.race.marginal import marginals
from study.race.standings import standings
from tests.support.study_helpers import phases_of, play, tiny_study


def true_h(job):
    """The best settings have k near 0.5; each seed shifts all runs alike."""
    method = job.config["method"]
    base = {"vanilla": 55.0, "mixup": 60.0}.get(method["name"], 66.0 - 8 * abs(method.get("k", 0.0) - 0.5))
    return base + 3.0 * (job.config["seed"] % 7)


def run(source, end=10**6):
    """Play all jobs in turn, or the first so many; their names in order."""
    names = []
    while len(names) < end and (job := source.next()) is not None:
        play(source, job, true_h(job))
        names.append(job.name)
    return names


def whole(folder, **options):
    study, results = tiny_study(folder, **{"trials": 12, "confirm": 1, "seeds": 2, "race": 4, **options})
    source, tally = phases_of(study, results)
    return study, results, run(source), tally, source


def test_all_contenders_run_with_one_new_seed_and_the_better_half_with_two_more(tmp_path):
    study, results, _, tally, source = whole(tmp_path / "s")
    (first,), further = rounds(study)
    assert source.complete
    by_round = {number: [row for row in results.race if row["round"] == number] for number in (1, 2)}
    assert {row["seed"] for row in by_round[1]} == {first}
    reasons = [row["why"] for row in by_round[1]]
    assert {"vanilla", "mixup", "published"} <= set(reasons)
    assert 3 <= reasons.count("search") <= 4  # the published setting may be one of the best
    assert {row["seed"] for row in by_round[2]} == set(further)
    assert len({row["config"] for row in by_round[2]}) == 2
    assert tally.phases["race"].total == len(results.race)


def test_no_seed_is_used_twice():
    study = make_study(budget="4N", seed=2**31 - 1)
    several = [study.seed, *race_seeds(study, 3), *confirm_seeds(study)]
    assert len(set(several)) == len(several)
    assert max(several) < 2**31


def test_the_winner_is_confirmed_beside_the_baselines(tmp_path):
    study, results, *_ = whole(tmp_path / "s")
    ranked = ranking(study, results.trials, results.race)
    assert ranked[0]["mean"] == max(row["mean"] for row in ranked)
    assert abs(ranked[0]["k"] - 0.5) < 0.2
    assert [row["method"] for row in ranked[-2:]] == ["mixup", "vanilla"]
    best = {row["config"] for row in results.confirm if row["why"].startswith("best-1")}
    assert best == {ranked[0]["config"]}
    assert {"vanilla", "mixup"} <= {row["why"] for row in results.confirm}


@pytest.mark.parametrize("cut", range(12, 26, 3))
def test_a_race_that_was_cut_off_goes_on_and_comes_to_the_same_end(tmp_path, cut):
    _, results, names, *_ = whole(tmp_path / "whole")
    study, _ = tiny_study(tmp_path / "half", trials=12, confirm=1, seeds=2, race=4)
    source, _ = phases_of(study, Results(tmp_path / "half"))
    first = run(source, cut)
    source.next()  # handed out, and then the program was killed
    source, _ = phases_of(dataclasses.replace(study, resume=True), Results(tmp_path / "half"))
    later = run(source)
    assert sorted(first + later) == sorted(names)
    again = Results(tmp_path / "half")
    assert sorted(map(str, again.race)) == sorted(map(str, results.race))
    assert sorted(map(str, again.confirm)) == sorted(map(str, results.confirm))


def test_runs_of_the_second_round_do_not_change_who_is_in_it(tmp_path):
    study, results, *_ = whole(tmp_path / "s")
    before = finalists(study, results.trials, results.race)
    for row in results.race:
        if row["round"] == 2:
            results.put_race({**row, "val_h": 0.0})
    assert finalists(study, results.trials, results.race) == before
    source, _ = phases_of(dataclasses.replace(study, resume=True), Results(tmp_path / "s"))
    assert not [name for name in run(source) if name.startswith("race-")]


def test_a_run_of_the_race_that_failed_is_no_result_and_is_tried_again_only_when_asked_to(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=2, confirm=1, seeds=1, race=2)
    source, _ = phases_of(study, results)
    while (job := source.next()) is not None:
        if job.name.startswith("race-") and job.config["method"]["name"] == "mixup":
            source.on_end(job, None, "out of memory")
        else:
            play(source, job, true_h(job))
    assert "mixup" not in {row["why"] for row in ranking(study, results.trials, results.race)}
    source, _ = phases_of(study, Results(tmp_path / "s"))
    assert run(source) == []
    source, _ = phases_of(make_study(resume=str(tmp_path / "s"), retry_failed=True), Results(tmp_path / "s"))
    again = run(source)
    assert any(name.startswith("race-") for name in again)
    assert all(row["val_h"] is not None for row in Results(tmp_path / "s").race)


def test_baselines_can_win(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=3, confirm=1, seeds=3, race=2)
    source, _ = phases_of(study, results)
    while (job := source.next()) is not None:
        play(source, job, 90.0 if job.config["method"]["name"] == "mixup" else true_h(job))
    assert {row["why"] for row in results.confirm if row["method"] == "mixup"} == {"best-1, mixup"}


def test_a_front_sends_points_of_all_costs_into_the_race(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=14, objective="pareto", sampler="random", race=0)
    source, _ = phases_of(study, results)
    while (job := source.next()) is not None:
        play(source, job, 60.0 + 5 * (1 + job.config["method"]["k"] * job.config["method"]["n"]))
    study = dataclasses.replace(study, race=3, confirm=3)
    entered = [each for each in contenders(study, results.trials) if each.why in ("search", "published")]
    costs = [each.config.method.cost for each in entered]
    assert 3 <= len(costs) <= 4
    assert max(costs) - min(costs) > 1
    cheapest = min(row["cost"] for row in results.trials)
    assert min(costs) == pytest.approx(cheapest)


def test_without_trials_there_are_only_those_that_are_known():
    study = make_study(budget="4N")
    assert contenders(study, []) == []
    assert [each.why for each in known_contenders(study)] == ["vanilla", "mixup", "published", "published"]
    assert [each.why for each in known_contenders(make_study(budget="4N", methods="mixup"))] == ["vanilla", "mixup"]
    assert standings(study, []) is None


def test_marginal_curves_follow_the_surface_and_stay_within_the_budget(tmp_path):
    study, results, *_ = whole(tmp_path / "s", trials=24, sampler="random", search="k,n,epsilon")
    known = standings(study, results.trials, results.race)
    curves = marginals(study, known, "entprop")
    assert set(curves) == {"k", "n", "epsilon"}
    assert abs(curves["k"].values[int(curves["k"].mean.argmax())] - 0.5) <= 0.25
    assert curves["n"].values == (1, 2, 3, 4, 5)
    assert (curves["k"].half > 0).all()
    assert tells_apart(curves["k"])
    assert not tells_apart(curves["epsilon"])  # on which H does not depend


def tells_apart(curve):
    return (curve.mean - curve.half).max() > (curve.mean + curve.half).min()


def test_optunas_copy_holds_the_order_of_the_race(tmp_path):
    study, results, *_ = whole(tmp_path / "s")
    path = tmp_path / "s" / "optuna.log"
    (kept,) = optuna.get_all_study_summaries(JournalStorage(JournalFileBackend(str(path))))
    ranked = ranking(study, results.trials, results.race)
    assert [each["config"] for each in kept.user_attrs["race"]] == [row["config"] for row in ranked]
    phases_of(dataclasses.replace(study, resume=True), Results(tmp_path / "s"))
    assert path.read_bytes().count(b'"race"') == 1  # what is there is not written again
