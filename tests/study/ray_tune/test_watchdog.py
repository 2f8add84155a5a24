"""Workers that are stuck or die: ended and replaced, with a line, in a real Ray."""

import contextlib
import os
import threading
import time
from pathlib import Path

import psutil
import pytest
from ray import tune

from study.workers.jobs import ClusterError, Job
from tests.support.study_helpers import Several

LIMIT = 5.0


class Stuck(tune.Trainable):
    """A worker of two epochs: `once` is stuck before its second epoch the first time, `always` at its start."""

    def setup(self, config):
        self.reset_config(config)

    def reset_config(self, new_config):
        self.job, self.epoch = new_config["job"], 0
        return True

    def step(self):
        marker = Path(self.job.folder)
        if self.job.name == "always" or (self.job.name == "once" and self.epoch == 1 and not marker.exists()):
            marker.touch()
            time.sleep(3600)
        self.epoch += 1
        return {"epoch": self.epoch, "done": self.epoch == 2}


def test_a_stuck_worker_is_ended_and_its_job_handed_out_again_until_it_has_failed_too_often(tmp_path, monkeypatch):
    from study.ray_tune import session, tuner  # not above: the workers would load torch, which they need not

    monkeypatch.setenv("RAY_worker_niceness", "0")
    lines = []
    source = Several([Job(name, str(tmp_path / name), {"epochs": 2}, "veils") for name in ("once", "always", "good")])
    with session.ray_session(cpus=1):
        worker = tune.with_resources(Stuck, {"cpu": 1})
        tuner.run_jobs(
            source, worker, name="s", folder=tmp_path / "ray", max_failures=1, trial_timeout=LIMIT, say=lines.append
        )
    reason = "no finished epoch for 5 s (--trial-timeout)"
    assert {name: error for name, (_, error) in source.ends.items()} == {"once": "", "always": reason, "good": ""}
    assert [row for row in source.rows if row[0] == "once"] == [("once", 1), ("once", 1), ("once", 2)]
    assert lines == [
        f"once  {reason}: worker killed, retrying",
        f"always  {reason}: worker killed, retrying",
        f"always  {reason}: worker killed, no retries left",
    ]


class Dying(tune.Trainable):
    """A worker of four epochs, kept in a file: `often` dies once before each epoch but the first, `always` before the
    second every time."""

    def setup(self, config):
        self.reset_config(config)

    def reset_config(self, new_config):
        self.job = new_config["job"]
        return True

    def step(self):
        kept = Path(self.job.folder)
        epoch = 1 + (int(kept.read_text()) if kept.exists() else 0)
        died = kept.with_name(f"{kept.name}-{epoch}")
        if epoch > 1 and (self.job.name == "always" or not died.exists()):
            died.touch()
            os._exit(1)
        kept.write_text(str(epoch))
        return {"epoch": epoch, "done": epoch == 4}


def test_a_worker_may_die_so_many_times_without_a_new_epoch_in_between(tmp_path, monkeypatch):
    from study.ray_tune import session, tuner

    monkeypatch.setenv("RAY_worker_niceness", "0")
    source = Several([Job(name, str(tmp_path / name), {"epochs": 4}, "veils") for name in ("often", "always")])
    with session.ray_session(cpus=1):
        worker = tune.with_resources(Dying, {"cpu": 1})
        tuner.run_jobs(source, worker, name="s", folder=tmp_path / "ray", max_failures=1)
    assert [row for row in source.rows if row[0] == "often"] == [("often", epoch) for epoch in (1, 2, 3, 4)]
    assert source.ends["often"][1] == ""
    assert "died" in source.ends["always"][1]
    assert [row for row in source.rows if row[0] == "always"] == [("always", 1)]


class Unborn(tune.Trainable):
    """A worker that dies before it has begun, as often as its file says."""

    def setup(self, config):
        left = Path(config["job"].folder)
        if times := int(left.read_text()):
            left.write_text(str(times - 1))
            os._exit(1)
        self.reset_config(config)

    def reset_config(self, new_config):
        return True

    def step(self):
        return {"epoch": 1, "done": True}


@pytest.mark.parametrize("times", [3, 1000])
def test_a_worker_that_never_began_is_no_failure_of_its_job(tmp_path, monkeypatch, times):
    from study.ray_tune import session, tuner

    monkeypatch.setenv("RAY_worker_niceness", "0")
    (tmp_path / "a").write_text(str(times))
    source = Several([Job("a", str(tmp_path / "a"), {"epochs": 1}, "veils")])
    stops = contextlib.nullcontext() if times == 3 else pytest.raises(ClusterError, match="10 workers in a row ended")
    with session.ray_session(cpus=1), stops:
        worker = tune.with_resources(Unborn, {"cpu": 1})
        tuner.run_jobs(source, worker, name="s", folder=tmp_path / "ray", max_failures=1)
    assert [error for _, error in source.ends.values()] == ([""] if times == 3 else [])


def test_a_job_whose_ray_ends_has_not_failed(tmp_path, monkeypatch):
    from study.ray_tune import session, tuner

    monkeypatch.setenv("RAY_worker_niceness", "0")
    source = Several([Job("always", str(tmp_path / "a"), {"epochs": 2}, "veils")])
    with session.ray_session(cpus=1):
        raylet = next(
            child for child in psutil.Process().children(recursive=True) if "raylet/raylet" in child.cmdline()[0]
        )
        threading.Timer(5, raylet.kill).start()
        worker = tune.with_resources(Stuck, {"cpu": 1})
        with pytest.raises(ClusterError, match=r"^Ray was lost: its process on this machine"):
            tuner.run_jobs(source, worker, name="s", folder=tmp_path / "ray", max_failures=0)
    assert source.ends == {}
