"""A search of the learning rate: its baselines get as many tries, and are confirmed at their own best rates."""

import dataclasses

import pytest

from study.config.make_study import make_study
from study.confirm.chosen import choose
from study.confirm.comparisons import compare_with_baselines, settings_of
from study.files.results import Results
from study.search.search import Search
from tests.support.study_helpers import finish, phases_of, play, tiny_study

SEARCHED = {"search": "k,n,epsilon,metric,lr", "seed": 3}


def searched(folder, trials=9, **options):
    study, results = tiny_study(folder, trials=trials, **{**SEARCHED, **options})
    search, jobs = Search(study, results), []
    while (job := search.next()) is not None:
        jobs.append(job)
        finish(search, job, 60.0 + len(jobs))
    return study, results, jobs


def test_trials_are_dealt_to_the_method_and_both_baselines_in_turn(tmp_path):
    study, results, jobs = searched(tmp_path / "s")
    assert study.methods == ("entprop", "vanilla", "mixup")
    assert [job.config["method"]["name"] for job in jobs] == ["entprop", "vanilla", "mixup"] * 3
    rates = [job.config["lr"] / study.trial.lr for job in jobs]
    assert rates[:3] == [1.0, 1.0, 1.0]  # the published setting and the baselines, at the study's own rate
    assert all(0.25 <= rate <= 4 for rate in rates)
    assert len({round(rate, 6) for rate in rates[3:]}) == 4 + 2  # the second published setting has the study's rate too
    assert [row["lr"] for row in results.trials] == [job.config["lr"] for job in jobs]


def test_each_method_has_as_many_trials_by_default():
    assert make_study(budget="4N", **SEARCHED).trials == 3 * make_study(budget="4N").trials
    assert make_study(budget="4N", methods="mixup", search="beta,lr").methods == ("mixup", "vanilla")


def test_a_resumed_search_proposes_the_same_rates(tmp_path):
    _, _, jobs = searched(tmp_path / "whole")
    study, _, first = searched(tmp_path / "half", trials=5)
    study = dataclasses.replace(study, trials=9, resume=True)
    again, later = Search(study, Results(tmp_path / "half")), []
    while (job := again.next()) is not None:
        later.append(job)
        finish(again, job, 60.0 + len(first) + len(later))
    assert [job.config for job in first + later] == [job.config for job in jobs]


def test_a_baseline_is_confirmed_at_the_rate_that_is_best_in_validation(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=9, confirm=1, seeds=3, race=0, **SEARCHED)
    source, _ = phases_of(study, results)
    tried = {}
    while (job := source.next()) is not None:
        if job.measure == "all":
            play(source, job, 0.0)
            continue
        name = job.config["method"]["name"]
        h = job.config["lr"] + (65.0 if name == "entprop" else 60.0)
        tried.setdefault(name, []).append((h, job.config["lr"]))
        finish(source, job, h)
    for name in ("vanilla", "mixup"):
        rates = {row["lr"] for row in results.confirm if row["method"] == name and row["why"] == name}
        assert rates == {max(tried[name])[1]}
    best = next(each for each in choose(study, results) if each.why.startswith("best-1"))
    assert best.config.lr == max(tried["entprop"])[1]
    assert all(row["lr_searched"] for row in results.confirm)
    found = settings_of(results.confirm)
    assert len({each.place for each in found}) == 1  # compared, though their rates differ
    assert compare_with_baselines(found)


def test_settings_at_different_rates_are_not_compared_where_the_rate_was_not_searched():
    run = {"h": 90.0, "method": "vanilla", "why": "vanilla", "dataset": "d", "model": "m", "epochs": 1, "cost": 1.0}
    rows = [{**run, "config": str(lr), "lr": lr, "seed": seed} for lr in (0.1, 0.2) for seed in range(3)]
    assert len({each.place for each in settings_of(rows)}) == 2


def test_the_rate_cannot_be_searched_on_a_grid():
    with pytest.raises(ValueError, match="methods must be one method with sampler grid"):
        make_study(budget="4N", sampler="grid", search="k,lr")
