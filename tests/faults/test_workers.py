"""Workers are killed, machines lost, memory runs out, a loss turns to NaN: the study goes on without them."""

import dataclasses
import resource
import subprocess
import sys
import time

import psutil
import pytest

from study.files.results import Results
from study.workers.in_turn import InTurn
from study.workers.listener import Listener
from tests.faults.losses import held, lost, recovered, repeated, workers_of
from tests.support.study_helpers import tiny_study
from tests.support.study_process import ROOT, StudyProcess, check_whole, statuses
from trainables.training.loop import load_splits

pytestmark = pytest.mark.faults


def test_ten_workers_are_killed_and_no_trial_is_lost(tmp_path, note):
    """Both at once, five times."""
    out = tmp_path / "s"
    flags = ("--epochs", "3", "--train-images", "64", "--budget", "2N", "--trials", "20", "--confirm", "0",
             "--sampler", "random", "--concurrency", "2", "--max-failures", "5")  # fmt: skip
    with StudyProcess(*flags, "--out", str(out)) as study:
        for kill in range(5):
            study.wait_for(lambda kill=kill: statuses(out).count("finished") > 2 * kill and len(workers_of(study)) == 2)
            before = held(out)
            for worker in workers_of(study):
                worker.kill()
            seconds = recovered(study, out, time.monotonic())
            now = held(out)
            note("kill of a worker", lost(before, now), repeated(before, now), seconds)
            note("kill of a worker", 0, 0, seconds)  # what both lost stands in the line above
        assert study.wait() == 0, study.text()
    check_whole(out, 20)


def test_three_machines_are_lost_and_their_trials_go_on_elsewhere(tmp_path, monkeypatch, note):
    monkeypatch.setenv("RAY_worker_niceness", "0")
    from ray.cluster_utils import Cluster

    from study.ray_tune import session, trainable, tuner
    from study.search.search import Search, mirror_of

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    machines = [cluster.add_node(num_cpus=1)]
    try:
        with session.ray_session(cluster.address):
            study, results = tiny_study(tmp_path / "s", trials=12, epochs=60, max_failures=5)

            def lose(pid):
                """Whether the process was on the second machine, which is then no more."""
                if psutil.Process(pid).ppid() != machines[0].all_processes["raylet"][0].process.pid:
                    return False
                cluster.remove_node(machines.pop(), allow_graceful=False)
                machines.append(cluster.add_node(num_cpus=1))
                return True

            losing, search = Losing(lose, results, note), Search(study, results)
            source = InTurn([search], [losing, mirror_of(study, search)])
            worker = trainable.worker_for(load_splits(study.trial), "s")
            slots = session.Slots(1, 0)
            tuner.run_jobs(source, worker, name="s", folder=tmp_path / "ray", slots=slots, max_failures=5)
            assert losing.lost == 3
    finally:
        cluster.shutdown()
    check_whole(tmp_path / "s", trials=12)


class Losing(Listener):
    """Takes a machine away in the middle of a trial, three times; long ones, so that another comes up."""

    def __init__(self, lose, results, note):
        self.lose, self.results, self.note = lose, results, note
        self.lost = 0
        self.waiting = None  # of the trial whose machine was lost: its name, since when, what was held

    def on_result(self, phase, job, row):
        if self.waiting and job.name == self.waiting[0]:
            _, since, before = self.waiting
            now = held(self.results.folder)
            self.note("loss of a machine", lost(before, now), repeated(before, now), time.monotonic() - since)
            self.waiting = None
        if self.lost < 3 and not self.waiting and 2 <= row["epoch"] <= 50:
            before = held(self.results.folder)
            if self.lose(row["pid"]):
                self.lost += 1
                self.waiting = job.name, time.monotonic(), before


class OneDiverges:
    """A source in which the second job has a learning rate that no training survives."""

    def __init__(self, source):
        self.source, self.count = source, 0

    @property
    def finished(self):
        return self.source.finished

    def next(self):
        job = self.source.next()
        if job is None:
            return None
        self.count += 1
        return dataclasses.replace(job, config={**job.config, "lr": 1e9}) if self.count == 2 else job

    def on_result(self, job, row):
        self.source.on_result(job, row)

    def on_end(self, job, row, error):
        self.source.on_end(job, row, error)


def test_a_loss_that_turns_to_nan_is_one_failed_trial_and_no_score(tmp_path, note):
    from study.ray_tune import session, trainable, tuner
    from study.search.search import Search

    with session.ray_session(cpus=2):
        study, results = tiny_study(tmp_path / "s", trials=4)
        source = OneDiverges(Search(study, results))
        worker = trainable.worker_for(load_splits(study.trial), "s")
        tuner.run_jobs(source, worker, name="s", folder=tmp_path / "ray", slots=lambda: 1)
    rows = Results(tmp_path / "s").trials
    assert [row["status"] for row in rows] == ["finished", "failed", "finished", "finished"]
    assert "the loss is no longer finite" in rows[1]["error"]
    assert rows[1]["val_h"] is None
    note("NaN in one trial", 0, 0)


SHORT_OF_MEMORY = """
import json, resource, sys
from study.workers.jobs import Job
from study.workers.worker import Worker
from trainables.config import make_method, with_recipe
from trainables.training.loop import load_splits

config = with_recipe(make_method("entprop", {"k": 0.2, "n": 1}), epochs=2, train_images=1000, batch_size=1000)
worker = Worker(load_splits(config))
rows = []
for name, room in (("first", 150e6), ("second", None)):
    worker.begin(Job(name, f"{sys.argv[1]}/{name}", config.as_dict(), "veils"))
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    limit = resource.RLIM_INFINITY if room is None else int(used + room)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    rows.append(worker.step())
print(json.dumps([[row.get("error", "").partition("\\n")[0], row.get("epoch")] for row in rows]))
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_AS"), reason="needs limits of memory")
def test_a_trial_that_runs_out_of_memory_fails_by_name_and_the_next_one_runs(tmp_path, note):
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    import json

    (first, _), (second, epoch) = json.loads(done.stdout.splitlines()[-1])
    assert first.startswith("out of memory: ")
    assert first.endswith("use a smaller batch or fewer trials at once")
    assert (second, epoch) == ("", 1)
    note("out of memory in one trial", 0, 0)


def test_clocks_that_jump_change_nothing(tmp_path, shim, note):
    out, clock = tmp_path / "s", tmp_path / "clock"
    clock.write_text("0")
    flags = ("--epochs", "2", "--train-images", "64", "--budget", "2N", "--trials", "8", "--confirm", "0",
             "--sampler", "random")  # fmt: skip
    with StudyProcess(*flags, "--out", str(out), **shim, ENTPROP_CLOCK=str(clock)) as study:
        # Back at the end: only programs see the shim's clock, so a wait until some time of it, as workers wait when
        # they end, would last until the kernel's own clock is there.
        for ended, offset in ((1, 86_400), (3, -86_400), (5, 40_000_000), (6, 0)):
            study.wait_for(lambda ended=ended: statuses(out).count("finished") >= ended)
            before = held(out)
            clock.write_text(str(offset))
            seconds = recovered(study, out, time.monotonic())
            note("a clock that jumps", lost(before, held(out)), repeated(before, held(out)), seconds)
        assert study.wait() == 0, study.text()
    check_whole(out, 8)
    assert all(row["seconds"] < 3600 for row in Results(out).trials)
    shown = subprocess.run(
        [sys.executable, "study/run.py", "show", out], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "8 trials: 8 finished" in shown.stdout


def test_a_process_of_a_trial_of_two_is_killed_and_then_its_leader_and_nothing_is_lost(tmp_path, note):
    out = tmp_path / "s"
    flags = ("--epochs", "6", "--dataset", "digits", "--train-images", "256", "--budget", "2N", "--trials", "4",
             "--confirm", "0", "--sampler", "random", "--processes-per-trial", "2")  # fmt: skip
    with StudyProcess(*flags, "--out", str(out)) as study:
        for count, kind in enumerate(("TrialMember", "StudyTrial")):
            study.wait_for(
                lambda count=count, kind=kind: len(held(out).epochs) > 8 * count + 2 and workers_of(study, kind)
            )
            before = held(out)
            (process,) = workers_of(study, kind)
            process.kill()
            seconds = recovered(study, out, time.monotonic())
            now = held(out)
            note("kill of a process of a trial", lost(before, now), repeated(before, now), seconds)
            assert (lost(before, now), repeated(before, now)) == (0, 0)
        assert study.wait() == 0, study.text()
    check_whole(out, 4)
