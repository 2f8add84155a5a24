"""A row as a line of text."""

import pytest

from study.display.rows import duration, ended_line, setting
from tests.support.study_rows import BEST, VANILLA, row, runs, trial


def test_a_setting_shows_what_was_chosen_and_nothing_else():
    assert setting(row(BEST)) == "entprop k=0.35 n=3 ε=2.5 entropy"
    assert (
        setting(row({**BEST, "weights": "sum", "alpha": 1.5})) == "entprop k=0.35 n=3 ε=2.5 entropy α=1.5 weights=sum"
    )
    assert setting(row(VANILLA)) == "vanilla"
    assert setting(row({"method": "mixup", "beta": 0.2})) == "mixup beta=0.2"


def test_a_trial_that_ended_is_one_line_whatever_became_of_it():
    assert ended_line(trial(3)) == (
        "trial   3  entprop k=0.35 n=3 ε=2.5 entropy  2.05N × 10  8 s  H 94.20 (SA 98.50, RA 90.26)"
    )
    assert ended_line(trial(4, status="stopped", epochs=4)).endswith("stopped after epoch 4 at H 94.20")
    failed = trial(5, status="failed", error="out of memory: 3 GiB\nTraceback …", val_h=None)
    assert ended_line(failed).endswith("failed: out of memory: 3 GiB")
    assert ended_line(runs("best-1", BEST, [94.1])[0]).startswith("confirm  best-1  entprop k=0.35")
    raced = {**runs("search", BEST, [94.1])[0], "round": 1, "val_h": 93.5, "val_sa": 98.0, "val_ra": 89.0}
    assert ended_line(raced).startswith("race  search  entprop k=0.35")
    assert ended_line(raced).endswith("H 93.50 (SA 98.00, RA 89.00)")
    assert ended_line({**raced, "val_h": None, "error": "boom"}).endswith("failed: boom")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds, text):
    assert duration(seconds) == text
