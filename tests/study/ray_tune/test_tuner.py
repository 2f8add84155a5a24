"""Ray Tune around workers: real actors, real halving, real failures, in one short session."""

import socket
import time
import urllib.request

import pytest

from study.files.results import Results
from study.ray_tune import session, trainable, tuner
from study.ray_tune.cost_rungs import CostRungs
from study.ray_tune.gauges import StudyGauges
from study.search.halving import Halving, rung_costs
from study.search.search import Search
from study.workers.in_turn import InTurn
from study.workers.jobs import Job
from study.workers.tally import Tally
from tests.support.study_helpers import Several, tiny_study
from trainables.config import TrialConfig, make_method, with_recipe
from trainables.training.loop import load_splits


def job_in(folder, name, method="vanilla", **recipe):
    config = with_recipe(make_method(method, {}), **{"epochs": 2, "train_images": 128, **recipe})
    return Job(name, str(folder / name), config.as_dict(), "veils")


def test_an_actor_opens_a_jobs_folder_when_it_works_there_and_not_before(tmp_path):
    """Tune starts actors whose job then goes to one that has become free; two would spoil each other's files."""
    job = job_in(tmp_path, "a")
    actor = object.__new__(trainable.StudyTrial)
    actor.setup({"job": job}, load_splits(TrialConfig.from_dict(job.config)), "study", 0)
    assert not (tmp_path / "a").exists()
    assert [actor.step()["epoch"] for _ in range(2)] == [1, 2]
    actor.reset_config({"job": job_in(tmp_path, "b")})
    assert not (tmp_path / "b").exists()
    assert actor.step()["epoch"] == 1


def gauges():
    """What Prometheus would read from the nodes of this session."""
    import ray

    text = ""
    for node in ray.nodes():
        address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
        text += urllib.request.urlopen(address, timeout=5).read().decode()
    return text


def wait_for_gauges(*names, seconds=60):
    for _ in range(seconds * 2):
        text = gauges()
        if all(f"\nray_{name}{{" in text for name in names):
            return text
        time.sleep(0.5)
    raise AssertionError(f"not all of {names} in what Prometheus reads:\n{text}")


def test_jobs_run_on_actors_that_outlive_failures_and_rungs_stop_the_worse(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_worker_niceness", "0")  # the suite's other workers would leave nothing for polite ones
    with session.ray_session(cpus=2):
        study, results = tiny_study(tmp_path / "s", scheduler="asha", trials=5, epochs=4)
        splits = load_splits(study.trial)
        worker = trainable.worker_for(splits, "s")

        jobs = [job_in(tmp_path, "good-1"), job_in(tmp_path, "wild", lr=1e20), job_in(tmp_path, "good-2")]
        source = Several(jobs)
        tuner.run_jobs(source, worker, name="several", folder=tmp_path / "ray", slots=lambda: 2)
        assert {name: bool(error) for name, (_, error) in source.ends.items()} == {
            "good-1": False, "wild": True, "good-2": False,
        }  # fmt: skip
        assert source.ends["wild"][1].startswith("the loss is no longer finite")
        assert [row for row in source.rows if row[0] != "wild"].count(("good-1", 2)) == 1
        assert source.ends["good-2"][0]["val_h"] > 0

        rungs = rung_costs(4.0, 4)
        scheduler = CostRungs(Halving(rungs), tmp_path / "rungs.csv")
        tally = Tally()
        search = InTurn([Search(study, results, rungs)], [tally, StudyGauges("s", tally)])
        tuner.run_jobs(search, worker, name="halving", folder=tmp_path / "ray", slots=lambda: 2, scheduler=scheduler)
        assert search.complete
        rows = Results(tmp_path / "s").trials
        assert {row["status"] for row in rows} <= {"finished", "stopped"}
        assert all(row["epochs"] == 4 for row in rows if row["status"] == "finished")
        assert all(row["epochs"] < 4 for row in rows if row["status"] == "stopped")
        assert (tmp_path / "rungs.csv").read_text().startswith("rung,trial,spent,val_h,decision\n4,")

        text = wait_for_gauges("entprop_h", "entprop_study_best_h")
        assert 'study="s"' in text
        assert 'trial="trial-0000"' in text

        with session.ray_session():  # of a program that has started Ray itself
            assert session.Slots(1, 0)() == 2
        assert session.Slots(1, 0)() == 2  # and goes on with it


def test_a_cluster_that_is_not_there_is_named_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "127.0.0.1:none", "nonsense"):
        with pytest.raises(ValueError, match="address must be"):
            session.check_reachable(address)


def test_a_long_temporary_folder_is_not_used_for_sockets(monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", "/tmp/" + 80 * "x")
    assert len(session.short_folder()["_temp_dir"]) < session.LONGEST_FOLDER
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    assert session.short_folder() == {}
