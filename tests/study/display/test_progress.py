"""What a person sees of a study while it runs."""

import io

from study.display.progress import Progress, live_line
from study.display.rows import ended_line
from study.workers.jobs import Job
from study.workers.listener import Phase
from study.workers.tally import Counts, Tally
from tests.support.study_rows import trial


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Shown:
    """A progress with its counts, told of one phase; the clock says 10 s more each time it is asked."""

    def __init__(self, stream, total=2, planned=None, earlier=(), **more):
        times = iter(range(0, 1000, 10))
        self.tally = Tally()
        self.progress = Progress(self.tally, stream, clock=lambda: float(next(times)), **more)
        self.tell("on_phase", Phase("search", total, planned, earlier))

    def tell(self, event, *values):
        for listener in (self.tally, self.progress):
            getattr(listener, event)(*values)

    def start(self, name):
        self.tell("on_start", "search", Job(name, "", {}, "veils"))

    def epoch(self, name, spent, cost=2.0):
        self.tell("on_result", "search", Job(name, "", {}, "veils"), {"spent": spent, "cost": cost})

    def end(self, row):
        self.tell("on_end", "search", Job(f"trial-{row['trial']:04d}", "", {}, "veils"), row)

    @property
    def counts(self):
        return self.tally.phases["search"]


def test_the_live_line_tells_progress_best_cost_and_time():
    counts = Counts(total=24, done=7, running=2, failed=1, spent=140.0, planned=500.0, best=trial(3))
    assert live_line("search", counts, 95) == (
        "search: 7/24 done, 2 running, 1 failed  best H 94.20: entprop k=0.35 n=3 ε=2.5 entropy  "
        "spent 140N of 500N  1 min 35 s left"
    )
    assert len(live_line("search", counts, 95, width=40)) < 40


def test_in_a_file_there_are_only_lines_that_stay():
    stream = io.StringIO()
    shown = Shown(stream)
    shown.start("trial-0000")
    shown.epoch("trial-0000", 2.0)
    shown.end(trial(0))
    shown.progress.end()
    assert stream.getvalue() == ended_line(trial(0)) + "\n"


def test_in_a_terminal_one_live_line_is_written_over():
    stream = Terminal()
    shown = Shown(stream)
    shown.start("trial-0000")
    shown.end(trial(0))
    shown.progress.end()
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\r\033[K")
    assert "1/2 done, 0 running" in text


def test_quiet_says_nothing():
    stream = Terminal()
    Shown(stream, quiet=True).end(trial(0))
    assert stream.getvalue() == ""


def test_what_was_spent_counts_each_epoch_once_also_after_going_on():
    shown = Shown(io.StringIO(), 3, earlier=[trial(0, spent=20.0)])
    assert (shown.counts.done, shown.counts.spent) == (1, 20.0)
    for spent in (8.0, 10.0, 10.0):  # the last row is handed out again
        shown.epoch("trial-0001", spent)
    assert shown.counts.spent == 30.0


def test_time_left_is_the_cost_that_is_left_at_the_pace_of_this_call():
    stream = Terminal()
    shown = Shown(stream, planned=40.0)
    shown.epoch("a", 10.0, cost=10.0)
    assert "30 s left" in stream.getvalue()


def test_the_best_of_the_live_line_is_never_a_stopped_trial():
    shown = Shown(io.StringIO(), 3)
    shown.end(trial(0, val_h=90.0))
    shown.end(trial(1, val_h=99.0, status="stopped", epochs=3))
    shown.end(trial(2, val_h=91.0))
    assert shown.counts.best["trial"] == 2
    assert (shown.counts.done, shown.counts.stopped) == (3, 1)
