"""A study is killed, interrupted, or loses a machine, and ends whole all the same."""

import time

import pytest

from study.results import Results
from tests.study_helpers import Silent, tiny_study
from tests.study_process import StudyProcess, check_whole, confirmed, statuses

pytestmark = pytest.mark.faults

TINY = ("--epochs", "3", "--train-images", "256", "--budget", "4N", "--trials", "5", "--seeds", "2")


def test_killed_in_mid_search_in_mid_confirm_and_interrupted_it_ends_whole(tmp_path):
    out = tmp_path / "s"
    with StudyProcess(*TINY, "--out", str(out)) as study:
        study.wait_for(lambda: statuses(out).count("finished") >= 2)
        study.kill()
    finished = [row for row in Results(out).trials if row["status"] == "finished"]
    running = {row["trial"]: row["epochs"] for row in Results(out).trials if row["status"] == "running"}
    with StudyProcess("--resume", str(out)) as study:
        study.wait_for(lambda: len([s for s in statuses(out) if s == "finished"]) > len(finished))
        study.interrupt()
        assert study.wait() == 130
        assert f"--resume {out}" in study.text()
    with StudyProcess("--resume", str(out)) as study:
        study.wait_for(lambda: confirmed(out) >= 3)
        study.kill()
    confirm = Results(out).confirm
    with StudyProcess("--resume", str(out)) as study:
        assert study.wait() == 0, study.text()
    check_whole(out, trials=5)
    results = Results(out)
    assert [row for row in results.trials if row["trial"] in {row["trial"] for row in finished}] == finished
    assert results.confirm[: len(confirm)] == confirm
    assert running
    assert len(results.corruptions) == 75 * len(results.confirm)


@pytest.mark.parametrize("moment", [0.3, 1.1, 2.3, 3.7])
def test_killed_at_any_moment_it_ends_whole(tmp_path, moment):
    out = tmp_path / "s"
    flags = ("--epochs", "1", "--train-images", "64", "--budget", "2N", "--trials", "12", "--confirm", "0")
    with StudyProcess(*flags, "--out", str(out)) as study:
        study.wait_for(lambda: "finished" in statuses(out))
        time.sleep(moment)
        study.kill()
    with StudyProcess("--resume", str(out)) as study:
        assert study.wait() == 0, study.text()
    check_whole(out, trials=12)


def test_one_of_two_machines_is_lost_and_the_study_completes(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_worker_niceness", "0")
    import ray
    from ray.cluster_utils import Cluster

    from study import tuner
    from study.search import Search
    from trainables.train import load_splits

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    try:
        with tuner.ray_session(cluster.address):
            study, results = tiny_study(tmp_path / "s", trials=4, epochs=6)
            source = Watching(
                Search(study, results, Silent()), lambda: cluster.remove_node(second, allow_graceful=False)
            )
            worker = tuner.worker_for(load_splits(study.trial), "s")
            tuner.run_jobs(source, worker, name="s", folder=tmp_path / "ray", slots=tuner.slots_of(1, 0))
            assert len(source.nodes) >= 2
            assert source.removed
            assert len(ray.nodes()) >= 2
    finally:
        cluster.shutdown()
    check_whole(tmp_path / "s", trials=4)


class Watching:
    """A source that notes on which worker processes jobs run, and takes a machine away once two have reported."""

    def __init__(self, source, remove):
        self.source, self.remove = source, remove
        self.nodes, self.removed = set(), False

    @property
    def finished(self):
        return self.source.finished

    def next(self):
        return self.source.next()

    def on_row(self, job, row):
        self.source.on_row(job, row)
        self.nodes.add(row["pid"])
        if len(self.nodes) == 2 and row["epoch"] >= 2 and not self.removed:
            self.removed = True
            self.remove()

    def on_end(self, job, row, error):
        self.source.on_end(job, row, error)
