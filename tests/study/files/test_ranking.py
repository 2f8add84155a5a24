"""Which trials are ranked, in which order, and what a configuration is known by."""

import pytest

from study.config.space import trial_config
from study.files.columns import STATUSES
from study.files.configs import config_id, config_row, method_of
from study.files.ranking import best, finished, front, spent
from tests.support.trial_rows import CONFIG, STUDY, trial
from trainables.config import make_method

FIVE = [
    trial(0, cost=1.0, val_h=90.0, spent=10.0),
    trial(1, cost=2.0, val_h=93.0, spent=20.0),
    trial(2, cost=2.0, val_h=92.0, spent=20.0),
    trial(3, cost=4.0, val_h=93.0, spent=40.0),
    trial(4, cost=3.0, val_h=94.0, spent=30.0),
]


def test_the_best_are_the_highest_and_of_equals_the_cheaper():
    assert [row["trial"] for row in best(FIVE, 3)] == [4, 1, 3]
    assert best([], 3) == []


def test_a_configuration_is_among_the_best_once():
    rows = [trial(0, val_h=90.0, config="a"), trial(1, val_h=91.0, config="a"), trial(2, val_h=89.0, config="b")]
    assert [row["trial"] for row in best(rows, 3)] == [1, 2]


def test_the_front_rises_with_cost():
    assert [row["trial"] for row in front(FIVE)] == [0, 1, 4]


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "finished"])
def test_only_finished_trials_are_ranked(status):
    rows = [*FIVE, trial(5, status=status, val_h=99.0, cost=1.0)]
    assert best(rows, 9) == best(FIVE, 9)
    assert front(rows) == front(FIVE)


def test_trials_of_other_lengths_and_without_a_result_are_not_ranked():
    rows = [*FIVE, trial(5, epochs=4, val_h=99.0), trial(6, val_h=None)]
    assert finished(rows) == FIVE


def test_every_trial_counts_as_spent():
    rows = [*FIVE, trial(5, status="stopped", spent=3.0), trial(6, status="failed", spent=None)]
    assert spent(rows) == 123.0


def test_an_identity_is_of_everything_but_the_seed():
    same = trial_config(STUDY, {"method": "entprop", "k": 0.2, "n": 5, "epsilon": 6.0}, 9)
    other = trial_config(STUDY, {"method": "entprop", "k": 0.2, "n": 5, "epsilon": 5.0}, 3)
    assert config_id(same) == config_id(CONFIG) != config_id(other)
    assert method_of(config_row(same)) == make_method("entprop", {"k": 0.2, "n": 5, "epsilon": 6.0})
