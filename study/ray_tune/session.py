"""A Ray session: started or joined, and how many jobs it can run at once."""

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from ray.job_config import JobConfig

from study.ray_tune.settings import configure
from study.workers.jobs import ClusterError

LONGEST_FOLDER = 40  # letters of Ray's temporary folder: the paths of its sockets must stay below 107 bytes
REACHABLE_S = 5.0  # a cluster that does not answer for so long counts as unreachable


def slots_of(cpus: float, gpus: float) -> int:
    """How many jobs the cluster can run at once; ValueError if not even one."""
    there = ray.cluster_resources()
    counts = [there.get("CPU", 0) / cpus] + ([there.get("GPU", 0) / gpus] if gpus else [])
    slots = int(min(counts) + 1e-9)
    if slots < 1:
        has = f"{there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g} GPUs"
        raise ValueError(f"a trial must fit into the cluster of {has}, got {cpus:g} CPUs and {gpus:g} GPUs a trial")
    return slots


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
    address = address or os.environ.get("RAY_ADDRESS") or "local"
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


def check_reachable(address: str) -> None:
    """ValueError unless the address is local, auto, or a HOST:PORT that answers: Ray itself would try for a minute."""
    if address in ("local", "auto"):
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
