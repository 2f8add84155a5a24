"""Prometheus scrapes a study on two Ray nodes, and every query of the dashboard for Grafana is answered."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.support.study_process import ROOT, StudyProcess

DASHBOARD = json.loads((ROOT / "study" / "grafana" / "study.json").read_text())
TINY = ("--budget", "2N", "--trials", "4", "--epochs", "4", "--train-images", "256", "--race", "0", "--confirm", "1",
        "--seeds", "1", "--quiet")  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs the program prometheus (Debian has it)"),
]


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def wait_for(condition, seconds=180):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.fixture
def cluster(monkeypatch):
    """Two Ray nodes that report every second, each with room for one trial; nobody has joined them yet."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_metrics_report_interval_ms", "1000")
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": True, "dashboard_port": free_port()},
    )
    made.add_node(num_cpus=1)
    yield made
    made.shutdown()


class Prometheus:
    """A Prometheus with the configuration that Ray writes for it, but that it scrapes every second."""

    def __init__(self, session, folder):
        config = session / "metrics" / "prometheus" / "prometheus.yml"
        wait_for(lambda: config.exists() and (session / "prom_metrics_service_discovery.json").exists())
        (folder / "prometheus.yml").write_text(re.sub(r"\b10s", "1s", config.read_text()))
        self.address = f"127.0.0.1:{free_port()}"
        words = ["--config.file", folder / "prometheus.yml", "--storage.tsdb.path", folder / "data"]
        with open(folder / "prometheus.log", "w") as log:
            self.process = subprocess.Popen(
                ["prometheus", *words, "--web.listen-address", self.address], stdout=log, stderr=log
            )

    def get(self, path, **arguments):
        """What its HTTP API answers."""
        words = urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}?{words}", timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, query):
        """The series of an instant query."""
        return self.get("query", query=query)["result"]

    def ready(self):
        try:
            up = self.values("up == 1")
        except OSError:
            return False
        return len(up) >= 2

    def stop(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def prometheus(cluster, tmp_path):
    folder = tmp_path / "prometheus"
    folder.mkdir()
    running = Prometheus(Path(cluster.head_node.get_session_dir_path()), folder)
    try:
        wait_for(running.ready)
        yield running
    finally:
        running.stop()


def queries(study):
    """The queries of the dashboard's panels, as Grafana sends them for one study."""
    return {
        panel["title"]: target["expr"].replace("$study", study)
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    }


def test_every_query_of_the_dashboard_is_answered_while_a_study_runs_on_two_nodes(tmp_path, cluster, prometheus):
    unanswered = queries("watched")

    def all_answered():
        for title in [title for title, query in unanswered.items() if prometheus.values(query)]:
            del unanswered[title]
        return not unanswered

    with StudyProcess("--address", cluster.address, *TINY, "--out", str(tmp_path / "watched")) as study:
        try:
            study.wait_for(all_answered, often=0.5)
        except AssertionError as error:
            raise AssertionError(f"no data for {sorted(unanswered)}") from error

        # the study's variable offers it
        variable = next(each for each in DASHBOARD["templating"]["list"] if each["name"] == "study")
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]).groups()
        assert prometheus.get(f"label/{label}/values", **{"match[]": metric}) == ["watched"]

        # the search has ended, and Ray would have dropped its numbers
        found = prometheus.values('ray_entprop_study_finished{phase="search"}')
        assert [each["value"][1] for each in found] == ["4"]
        assert study.wait() == 0, study.text()

    series = prometheus.get("series", **{"match[]": "ray_entprop_epoch"})
    assert len({each["instance"] for each in series}) == 2
    assert {each["trial"] for each in series} > {f"trial-{number:04d}" for number in range(4)}
    wait_for(lambda: not prometheus.values('{__name__=~"ray_entprop_.*"}'))  # what has ended is not shown as running
