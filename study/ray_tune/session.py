"""A Ray session: started or joined, and how many jobs it can run at once."""

import contextlib
import math
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from ray.job_config import JobConfig

from study.ray_tune.pulse import head_answers
from study.ray_tune.settings import configure
from study.workers.jobs import ClusterError

LONGEST_FOLDER = 40  # letters of Ray's temporary folder: the paths of its sockets must stay below 107 bytes
ASK_EVERY_S = 1.0
REACHABLE_S = 5.0  # a cluster that does not answer for so long counts as unreachable


class Slots:
    """How many jobs the machines of the cluster can run at once, at most `most`: they may join and leave.

    A job is of so many `processes`, each of which fits on a machine.
    """

    def __init__(self, cpus: float, gpus: float, most: int | None = None, processes: int = 1) -> None:
        self.needs = {"CPU": cpus, "GPU": gpus}
        self.most, self.processes = most or sys.maxsize, processes
        self.asked, self.slots = -math.inf, 0

    def __call__(self) -> int:
        """The present number; the cluster is asked at most once a second."""
        if time.monotonic() > self.asked + ASK_EVERY_S and head_answers():
            alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            self.slots, self.asked = sum(map(self._on, alive)) // self.processes, time.monotonic()
        return min(self.most, self.slots)

    def _on(self, machine: dict[str, float]) -> int:
        return int(min(machine.get(name, 0) / need for name, need in self.needs.items() if need) + 1e-9)

    def check(self) -> None:
        """ValueError if not even one job fits on a machine."""
        if self() < 1:
            there = ray.cluster_resources()
            has = f"{there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g} GPUs"
            wanted = f"{self.needs['CPU']:g} CPUs and {self.needs['GPU']:g} GPUs a trial"
            if self.processes > 1:
                several = f"{self.processes} processes of {wanted.removesuffix(' a trial')}"
                raise ValueError(f"a trial must fit into the cluster, which has {has}, got {several}")
            raise ValueError(f"a trial must fit on a machine of the cluster, which has {has}, got {wanted}")


@contextlib.contextmanager
def ray_session(
    address: str | None = None, name: str = "", *, cpus: int | None = None, gpus: int | None = None
) -> Iterator[str]:
    """A connection to the given cluster, that of RAY_ADDRESS, or a local one; yields the dashboard's URL, if any.

    A Ray that this process has started before is used as it is and left running. A bare `ray.init()` would join
    whatever cluster happens to run on this machine. The job is named after the study.
    """
    configure()
    if ray.is_initialized():
        yield ""
        return
    address = address_of(address)
    check_reachable(address)
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    settings |= {"job_config": JobConfig(metadata={"job_name": name}), "namespace": name} if name else {}
    if address == "local":
        settings |= {"num_cpus": cpus, "num_gpus": gpus, **short_folder()}
    elif not os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR"):  # a submitted job brings its code along
        settings |= {"runtime_env": code_of_the_project()}
    try:
        context = ray.init(address, **settings)
    except Exception as error:  # Ray raises ConnectionError, RuntimeError and plain Exception
        reason = str(error).splitlines()[0]
        if address == "local":
            raise ClusterError(f"Ray did not start on this machine, try again ({reason})") from error
        raise ValueError(unreachable(address, reason)) from error
    try:
        yield getattr(context, "dashboard_url", "") or ""
    finally:
        ray.shutdown()


def address_of(address: str | None) -> str:
    """The address that was asked for, that of RAY_ADDRESS (submitted jobs have it), or a Ray of this machine."""
    return address or os.environ.get("RAY_ADDRESS") or "local"


def check_reachable(address: str) -> None:
    """ValueError unless the address is local, auto, or a HOST:PORT that answers: Ray itself would try for a minute."""
    if address in ("local", "auto") or ray.is_initialized():
        return
    host, _, port = address.rpartition(":")
    if address.startswith("ray://") or not host or not port.isdecimal():
        instead = "; submit the study with ray job submit, so that it runs on the cluster" * address.startswith("ray:")
        raise ValueError(f"address must be auto or HOST:PORT, got {address!r}{instead}")
    try:
        socket.create_connection((host, int(port)), timeout=REACHABLE_S).close()
    except (OSError, OverflowError) as error:  # nothing listens, or a port above 65535
        raise ValueError(unreachable(address, str(error))) from error


def unreachable(address: str, reason: str) -> str:
    """The message for an address at which no cluster answers."""
    return f"address must be that of a running Ray cluster, got {address!r} ({reason})"


def short_folder() -> dict[str, str]:
    """A folder for Ray's sockets, if its own choice would be too long a path for them."""
    usual = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    if os.name != "posix" or len(usual) <= LONGEST_FOLDER:
        return {}
    return {"_temp_dir": f"/tmp/ray-{os.getuid()}"}


def code_of_the_project() -> dict[str, Any]:
    """The packages' folders as a runtime environment, shipped with the job so that a cluster can run them."""
    root = Path(__file__).resolve().parents[2]
    return {"py_modules": [str(root / package) for package in ("trainables", "search_spaces", "study", "analysis")]}
