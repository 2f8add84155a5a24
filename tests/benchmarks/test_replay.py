"""Searches replayed on recorded runs: the look-up, what a trial costs, and when a target counts as reached."""

import csv

import pytest

from benchmarks import replay
from benchmarks.search import Replay, best_at, reached, summary, targets_of
from benchmarks.search_table import COLUMNS
from search_spaces.spaces import METRICS

EPOCHS = (2, 4, 8, 10)


@pytest.fixture
def table(tmp_path):
    """Runs of n 1 and 5 at half and the whole of their k, of each metric; H is the better the smaller the cost."""
    with open(tmp_path / "runs.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for metric in METRICS:
            for n, k in ((1, 0.5), (1, 1.0), (5, 0.3), (5, 0.6)):
                cost = 1 + k * n
                for epoch in EPOCHS:
                    writer.writerow([n, k, 2.0, metric, "instance", cost, epoch, epoch * cost, 90 + epoch - cost])
    return replay.Table(tmp_path / "runs.csv")


def run_of(table, n, k, metric="entropy", epsilon=2.0):
    return table.nearest({"n": n, "k": k, "metric": metric, "epsilon": epsilon})


def test_a_recorded_setting_is_answered_with_its_own_run(table):
    assert len(table.runs) == 16
    assert run_of(table, 5, 0.6).cost == pytest.approx(4)
    assert table.final(run_of(table, 5, 0.6)) == pytest.approx(96)
    assert run_of(table, 1, 0.5).curve == {epoch: 88.5 + epoch for epoch in EPOCHS}


def test_another_setting_is_answered_with_the_nearest_run_of_its_metric(table):
    assert run_of(table, 2, 0.55) is run_of(table, 1, 0.5)  # of the k that 4N pays for 0.55, and not 1
    assert run_of(table, 4, 0.7) is run_of(table, 5, 0.6)
    assert run_of(table, 4, 0.7, metric="margin") is run_of(table, 5, 0.6, metric="margin")
    assert run_of(table, 4, 0.7, metric="margin") is not run_of(table, 4, 0.7)


@pytest.mark.parametrize("scheme", ["default", "grid", "random"])
def test_a_replay_pays_for_each_run_what_it_cost_and_keeps_the_best(table, tmp_path, scheme):
    log = Replay(scheme, 0, table, tmp_path).run(limit=120)
    paid = [later - before for (before, _), (later, _) in zip([(0, 0), *log], log, strict=False)]
    assert {round(cost, 6) for cost in paid} <= {15, 20, 25, 40}
    assert [best for _, best in log] == sorted(best for _, best in log)
    assert 120 <= log[-1][0] < 160 or (scheme == "grid" and len(log) == 16)


def test_a_whole_grid_is_replayed_once_without_repeats(table, tmp_path):
    log = Replay("grid", 3, table, tmp_path).run(limit=1e9)
    assert log[-1] == pytest.approx((400.0, 98.5))
    assert len(log) == 16


def test_halving_stops_trials_at_rungs_and_pays_for_what_they_did(table, tmp_path):
    log = Replay("random+asha", 0, table, tmp_path).run(limit=300)
    paid = {round(later - before, 6) for (before, _), (later, _) in zip([(0, 0), *log], log, strict=False)}
    assert paid & {2 * 4.0, 2 * 2.5, 4 * 1.5}  # stopped at the first rung of 4N or 8N
    assert log[-1][1] == 98.5


def test_a_target_is_reached_by_the_first_trial_whose_best_is_as_high_and_never_later_than_the_limit():
    log = [(10.0, 90.0), (30.0, 95.0), (45.0, 95.0)]
    assert [reached(log, target, 40.0) for target in (90.0, 94.0, 96.0)] == [10.0, 30.0, 40.0]
    assert [best_at(log, budget) for budget in (5, 10, 29.9, 100)] == [None, 90.0, 90.0, 95.0]


def test_the_targets_lie_between_the_median_and_the_best(table):
    # finals: 98.5, 98, 97.5, 96, each four times
    assert targets_of(table) == {
        "99 % of the best": pytest.approx(0.99 * 98.5), "gap 50 %": pytest.approx(98.125),
        "gap 75 %": pytest.approx(98.3125), "gap 90 %": pytest.approx(98.425), "gap 100 %": pytest.approx(98.5),
    }  # fmt: skip


def test_ratios_are_of_means_over_seeds():
    logs = {"random": [[(10.0, 99.0)], [(30.0, 99.0)]], "gp": [[(5.0, 99.0)], [(15.0, 99.0)]]}
    found = summary(logs, {"target": 98.0}, limit=100.0)
    assert found["gp"]["target"]["mean"] == 10
    assert found["gp"]["target"]["ratio"] == pytest.approx(0.5)
    assert found["gp"]["target"]["ratio_interval"] == pytest.approx([0.5, 0.5])
