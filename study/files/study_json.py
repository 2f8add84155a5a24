"""What study.json says of a study: what was asked for, on which machine, with which code and data."""

import datetime
import importlib.metadata
import json
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


def read_record(path: Path) -> dict[str, Any]:
    """The content of a study.json; ValueError if it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged (it must hold an object)")
    for name, kinds in RECORD.items():
        if not isinstance(content.get(name), (*kinds, type(None))):
            raise ValueError(f"{path} is damaged ({name} must be {KINDS[kinds[0]]}, got {content[name]!r:.60})")
    options = content.get("options") or {}
    for name, kinds in OPTIONS.items():
        if not isinstance(options.get(name), (*kinds, type(None))):
            raise ValueError(f"{path} is damaged ({name} must be {KINDS[kinds[0]]}, got {options[name]!r:.60})")
    if not all(isinstance(word, str) for word in (*(content.get("command") or ()), *(options.get("methods") or ()))):
        raise ValueError(f"{path} is damaged (command and methods must be words)")
    return content


KINDS = {list: "a list", dict: "an object", str: "a text", int: "a whole number", float: "a number"}
RECORD: dict[str, tuple[type, ...]] = {  # what people are shown of study.json
    "command": (list,), "options": (dict,), "versions": (dict,), "git": (dict,), "host": (dict,), "data": (dict,),
    "device": (str,), "start": (str,), "end": (str,), "state": (str,),
}  # fmt: skip
OPTIONS: dict[str, tuple[type, ...]] = {
    "methods": (list,), "trial": (dict,), "fix": (dict,), "trials": (int,), "confirm": (int,),
    "total_budget": (float, int), "table": (str,), "budget": (str,),
    "given": (list,), "search": (list,), "warm_start": (list,),
}  # fmt: skip
