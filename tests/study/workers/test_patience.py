"""After how long without a row a worker counts as stuck."""

from study.workers.jobs import Job
from study.workers.patience import FACTOR, LEAST_S, Patience


def job(name="a", epochs=3):
    return Job(name, f"/nowhere/{name}", {"epochs": epochs}, "veils")


class Time:
    def __init__(self, patience):
        self.patience, self.clock = patience, 1000.0
        patience.tick(self.clock)

    def passes(self, seconds, turn=5.0):
        for _ in range(round(seconds / turn)):
            self.clock += turn
            self.patience.tick(self.clock)


def test_a_given_limit_counts_from_the_last_row():
    patience = Patience(20.0)
    time = Time(patience)
    patience.begin(job())
    time.passes(15)
    patience.heard(job(), {"epoch": 1})
    time.passes(20)
    assert patience.overdue() == {}
    time.passes(5)
    assert patience.overdue() == {"a": 20.0}
    patience.forget(job())
    assert patience.overdue() == {}


def test_auto_has_no_limit_before_a_step_of_that_kind_has_ended_and_then_20_times_the_slowest():
    patience = Patience()
    time = Time(patience)
    patience.begin(job())
    time.passes(50_000)
    assert patience.overdue() == {}
    patience.heard(job(), {"epoch": 1})  # 50,000 s for an epoch
    patience.heard(job(), {"epoch": 2})
    time.passes(60_000)  # measuring, which may take much longer than an epoch
    assert patience.overdue() == {}
    patience.heard(job(), {"epoch": 3})
    patience.forget(job())
    patience.begin(job("b"))
    time.passes(FACTOR * 60_000, turn=10.0)
    assert patience.overdue() == {}
    time.passes(10)
    assert patience.overdue() == {"b": FACTOR * 60_000}


def test_auto_is_never_below_ten_minutes():
    patience = Patience()
    time = Time(patience)
    patience.begin(job())
    for epoch in (1, 2, 3):
        time.passes(5)
        patience.heard(job(), {"epoch": epoch})
    patience.begin(job("b"))
    patience.forget(job())
    time.passes(LEAST_S)
    assert patience.overdue() == {}
    time.passes(5)
    assert patience.overdue() == {"b": LEAST_S}


def test_a_driver_that_was_stopped_takes_no_time_from_its_workers():
    patience = Patience(20.0)
    time = Time(patience)
    patience.begin(job())
    time.passes(100_000, turn=100_000)
    assert patience.overdue() == {}
    time.passes(-5_000, turn=-5_000)
    assert patience.overdue() == {}
