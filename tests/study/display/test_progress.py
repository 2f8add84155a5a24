"""What a person sees of a study while it runs."""

import io

import pytest

from study.display.progress import Progress, State, live_line
from study.display.rows import ended_line
from tests.support.study_rows import trial


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_live_line_tells_progress_best_cost_and_time():
    state = State(
        "search", total=24, done=7, running=2, failed=1, spent=140.0, planned=500.0, best=trial(3), seconds_left=95
    )
    assert live_line(state) == (
        "search: 7/24 done, 2 running, 1 failed  best H 94.20: entprop k=0.35 n=3 ε=2.5 entropy  "
        "spent 140N of 500N  1 min 35 s left"
    )
    assert len(live_line(state, width=40)) < 40


def progress(stream, **more):
    times = iter(range(0, 1000, 10))
    return Progress(stream=stream, clock=lambda: float(next(times)), **more)


def test_in_a_file_there_are_only_lines_that_stay():
    stream = io.StringIO()
    shown = progress(stream)
    shown.begin("search", 2)
    shown.started("trial-0000")
    shown.epoch("trial-0000", {"spent": 2.0, "cost": 2.0})
    shown.ended(trial(0))
    shown.end()
    assert stream.getvalue() == ended_line(trial(0)) + "\n"


def test_in_a_terminal_one_live_line_is_written_over():
    stream = Terminal()
    shown = progress(stream)
    shown.begin("search", 2)
    shown.started("trial-0000")
    shown.ended(trial(0))
    shown.end()
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\r\033[K")
    assert "1/2 done, 0 running" in text


def test_quiet_says_nothing():
    stream = Terminal()
    shown = progress(stream, quiet=True)
    shown.begin("search", 2)
    shown.ended(trial(0))
    shown.end()
    assert stream.getvalue() == ""


def test_what_was_spent_counts_each_epoch_once_also_after_going_on():
    shown = progress(io.StringIO())
    shown.begin("search", 3, [trial(0, spent=20.0), trial(1, status="running", spent=6.0)])
    assert (shown.state.done, shown.state.spent) == (1, 20.0)
    for spent in (8.0, 10.0, 10.0):  # the last row is handed out again
        shown.epoch("trial-0001", {"spent": spent, "cost": 2.0})
    assert shown.state.spent == 30.0


def test_time_left_is_the_cost_that_is_left_at_the_pace_of_this_call():
    shown = progress(Terminal())
    shown.begin("confirm", 2, planned=40.0)
    shown.epoch("a", {"spent": 10.0, "cost": 10.0})  # the clock says 10 s more each time it is asked
    assert shown.state.seconds_left == pytest.approx(30.0 / 10.0 * 10.0)


def test_the_best_of_the_live_line_is_never_a_stopped_trial():
    shown = progress(io.StringIO())
    shown.begin("search", 3)
    shown.ended(trial(0, val_h=90.0))
    shown.ended(trial(1, val_h=99.0, status="stopped", epochs=3))
    shown.ended(trial(2, val_h=91.0))
    assert shown.state.best["trial"] == 2
    assert (shown.state.done, shown.state.stopped) == (3, 1)
