"""What is published of a source of jobs while it runs."""

from study.workers.jobs import Job
from study.workers.watched import Watched


class Two:
    """A source of two jobs that takes whatever is reported."""

    def __init__(self):
        self.waiting = [Job(name, "", {}, "veils") for name in ("a", "b")]

    @property
    def finished(self):
        return not self.waiting

    def next(self):
        return self.waiting.pop(0) if self.waiting else None

    def on_result(self, job, row): ...
    def on_end(self, job, row, error): ...


def test_each_epoch_is_counted_once_and_failures_and_the_best_are_published():
    shown = []
    source = Watched(Two(), "search", lambda phase, values: shown.append((phase, values)), 10.0)
    first, second = source.next(), source.next()
    for job, spent in ((first, 2.0), (second, 3.0), (first, 4.0), (first, 4.0)):  # the last row arrives twice
        source.on_result(job, {"spent": spent})
    assert shown[-1] == ("search", {"spent": 17.0, "finished": 0, "failed": 0, "running": 2})
    source.on_end(first, {"val_h": 91.0}, "")
    assert not source.complete
    source.on_end(second, None, "it broke")
    assert shown[-1] == ("search", {"spent": 17.0, "finished": 2, "failed": 1, "running": 0, "best_h": 91.0})
    assert source.complete
