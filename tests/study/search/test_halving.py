"""Halving by spent cost, against decisions that Ray's own rule made on the same rows."""

import random

import pytest

from study.search.halving import Halving, rung_costs

# Of Ray 2.60's AsyncHyperBandScheduler with reduction 2: C continue, S stop.
RECORDED = {
    (
        0,
        4.0,
        10,
    ): "CCCCCCSCSCCCCCCSCSCSCSCCCCCCSCCCCCSCCCCCCSCCCCSCCCCCCSSSCSCCCCCCCSCCCSCCCCCCSCCCCCCCCCCCCCCSCSCSCCCCCCCCCCCCCC"
    "CCCCCCCCCC",
    (1, 1.2, 6): "CCCCCCCCCCSCCCCSCCCCSSCCCCCCCCSCCCSCSSCCCCSCCSSSCCCCCCSCCCCSCCSCSCCCSCCC",
    (2, 2.0, 8): "CCCCCCCSSCCSSCCCCSCCSCCCSCCCCSCCCCSCCCCSCCCCCCSCCCSCSSCSCCCCCCCCCCCCCCCCCCCSCSCCCCSCSCCSSCCCCCCC",
}


def rows(seed, budget, epochs, trials=12):
    """(trial, spent, H) of trials of different costs in a random order, as several workers would report them."""
    chance = random.Random(seed)
    running = {f"trial-{number:04d}": (chance.uniform(1, budget), 0) for number in range(trials)}
    while running:
        name = chance.choice(sorted(running))
        cost, epoch = running[name]
        yield name, cost * (epoch + 1), round(chance.uniform(50, 90), 2)
        running[name] = cost, epoch + 1
        if epoch + 1 == epochs:
            del running[name]


@pytest.mark.parametrize("case", RECORDED)
def test_decisions_are_those_of_rays_rule(case):
    _, budget, epochs = case
    halving = Halving(rung_costs(budget, epochs))
    assert "".join("SC"[halving.compare(*row)] for row in rows(*case)) == RECORDED[case]


def test_rungs_lie_an_epochs_budget_apart_and_below_the_end():
    assert rung_costs(4.0, 10) == (4.0, 8.0, 16.0, 32.0)
    assert rung_costs(1.2, 1) == ()
    assert Halving((4.0, 8.0)).rung(7.9) == 4.0
    assert Halving((4.0, 8.0)).rung(3.9) == 0.0


def test_a_trial_is_compared_once_a_rung_at_equal_cost_and_rungs_are_refilled_from_rows():
    fresh = Halving((4.0, 8.0, 16.0))
    assert [fresh.compare("a", 4.2, 80.0), fresh.compare("b", 5.0, 60.0)] == [True, False]
    assert fresh.compare("b", 7.0, 60.0)  # the decision at this rung has been made
    assert fresh.compare("b", 9.0, 60.0)  # the first at its rung
    assert not fresh.compare("c", 4.0, 69.9)  # the median of 80 and 60 is 70
    assert fresh.compare("d", 4.0, 69.9)  # of 80, 69.9 and 60 it is 69.9
    assert fresh.compare("e", 3.0, 0.0)  # below the first rung
    assert not Halving((4.0, 8.0), [("a", 4.2, 80.0)]).compare("b", 5.0, 60.0)
    assert Halving((4.0, 8.0)).compare("b", 5.0, 60.0)
