"""What listeners hear of a study, and how it is counted."""

from study.workers.in_turn import InTurn
from study.workers.jobs import Job
from study.workers.listener import Listener
from study.workers.tally import Tally
from tests.support.study_helpers import Several
from tests.support.study_rows import trial


class Written(Several):
    """Jobs whose endings are rows of trials, with an earlier one that had finished."""

    def __init__(self, jobs):
        super().__init__(jobs)
        self.size, self.earlier = (3, None), [trial(0, val_h=90.0, spent=10.0)]

    def on_end(self, job, row, error):
        return trial(int(job.name), status="failed" if error else "finished", val_h=(row or {}).get("val_h"), spent=4.0)


class Notes(Listener):
    def __init__(self):
        self.heard = []

    def on_phase(self, phase):
        self.heard.append((phase.name, phase.total, len(phase.earlier)))

    def on_start(self, phase, job):
        self.heard.append((phase, "start", job.parameters["lr"]))

    def on_end(self, phase, job, row):
        self.heard.append((phase, row["status"], job.name))


def job(name):
    return Job(name, "", {"lr": 0.1, "method": {"name": "entprop", "k": 0.2}}, "veils")


def test_each_epoch_is_counted_once_and_failures_and_the_best_are_known():
    tally, notes = Tally(), Notes()
    source = InTurn([Written([job("1"), job("2")])], [tally, notes])
    first, second = source.next(), source.next()
    counts = tally.phases["search"]
    assert (counts.total, counts.done, counts.running, counts.best_h) == (3, 1, 2, 90.0)
    for each, spent in ((first, 2.0), (second, 3.0), (first, 4.0), (first, 4.0)):  # the last row arrives twice
        source.on_result(each, {"epoch": spent / 2, "spent": spent, "cost": 2.0})
    assert (counts.spent, counts.spent_here) == (17.0, 6.0)  # the second has spent a part in an earlier call
    source.on_end(first, {"val_h": 91.0}, "")
    assert not source.complete
    source.on_end(second, None, "it broke")
    assert (counts.done, counts.finished, counts.failed, counts.running) == (3, 2, 1, 0)
    assert (counts.spent, counts.best_h, counts.best["trial"]) == (17.0, 91.0, 1)
    assert source.complete
    assert notes.heard == [
        ("search", 3, 1), ("search", "start", 0.1), ("search", "start", 0.1), ("search", "finished", "1"),
        ("search", "failed", "2"),
    ]  # fmt: skip


def test_the_settings_of_a_job_are_flat():
    assert job("1").parameters == {"method": "entprop", "k": 0.2, "lr": 0.1}
