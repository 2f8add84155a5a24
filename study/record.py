"""What study.json says of a study: what was asked for, on which machine, with which code and data."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def study_record(options: Mapping[str, Any], command: list[str], space: Any = None) -> dict[str, Any]:
    """What study.json says at the start of a study; device and data are filled in by those who know them."""
    return {
        "command": command,
        "options": dict(options),
        "space": space,
        "versions": _versions(),
        "git": _git(),
        "host": {"name": platform.node(), "system": platform.platform(), "cpus": os.cpu_count()},
        "device": None,
        "data": None,
        "seeds": None,
        "start": now(),
        "end": None,
        "state": "running",
    }


STUDY_ENTRIES: dict[str, str] = {
    "command": "the words of the command line",
    "options": "every option with its value, as `--resume` reads them back",
    "space": "what was searched after the budget: for each method the names, and for each n the largest k",
    "versions": "of Python and the packages that results depend on",
    "git": "hash of the code, and whether files differed from it; null outside a repository",
    "host": "name, system and number of cores of the machine that led the study",
    "device": "what the trials computed on",
    "data": "where the data came from, and the digest of pictures, labels and split",
    "seeds": "the seeds of trials and of the confirmation",
    "start": "when it began",
    "end": "when it ended; null while it runs, and after a kill",
    "state": "running, finished, interrupted or failed",
}


def now() -> str:
    """The present time, to the second, with its zone."""
    return datetime.datetime.now(datetime.UTC).astimezone().isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("torch", "torchvision", "numpy", "scipy", "ray", "optuna"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git() -> dict[str, Any] | None:
    """The commit of the code and whether files differ from it."""
    here = ["git", "-C", str(Path(__file__).resolve().parent)]
    try:
        commit = subprocess.run([*here, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        changes = subprocess.run(
            [*here, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return {"hash": commit.stdout.strip(), "dirty": bool(changes.stdout.strip())}
