"""study.json: what was asked for, on which machine, with which code and data."""

import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """An entry of study.json: the types that it may have beside null, and what it holds."""

    kinds: tuple[type, ...]
    meaning: str


STUDY_ENTRIES: dict[str, Entry] = {
    "command": Entry((list,), "the command line, as a list of words"),
    "options": Entry((dict,), "every option with its value, as `--resume` reads it"),
    "space": Entry((dict,), "the search space within the budget: for each method the names, and for each n the "
                   "largest k"),
    "versions": Entry((dict,), "versions of Python and of the packages that results depend on"),
    "git": Entry((dict,), "commit of the code, and whether there were uncommitted changes; null outside a repository"),
    "host": Entry((dict,), "name, system and number of cores of the machine that led the study"),
    "device": Entry((str,), "device of the trials"),
    "data": Entry((dict,), "where the data came from, and the digest of images, labels and split"),
    "own": Entry((dict,), "classes of a sampler or scheduler passed from Python; otherwise null"),
    "seeds": Entry((dict,), "the seeds of trials, of the race and of the confirmation, or of a table's rows"),
    "start": Entry((str,), "start time"),
    "end": Entry((str,), "end time; null while the study runs and after a kill"),
    "state": Entry((str,), "running, finished, interrupted or failed"),
}  # fmt: skip

# The types of the options that are shown or compared before `Study.from_dict` checks them all.
OPTIONS: dict[str, tuple[type, ...]] = {
    "methods": (list,), "trial": (dict,), "fix": (dict,), "trials": (int,), "confirm": (int,),
    "total_budget": (float, int), "table": (str,), "budget": (str,),
    "given": (list,), "search": (list,), "logger": (list,), "warm_start": (list,),
}  # fmt: skip
KINDS = {list: "a list", dict: "an object", str: "a text", int: "a whole number", float: "a number"}


def study_record(options: Mapping[str, Any], command: list[str], **known: Any) -> dict[str, Any]:
    """The entries of study.json at the start of a study; `known` holds space, device, data and seeds."""
    here = {
        "command": command,
        "options": dict(options),
        "versions": _versions(),
        "git": _git(),
        "host": {"name": platform.node(), "system": platform.platform(), "cpus": os.cpu_count()},
        "start": now(),
        "state": "running",
    }
    return {name: {**here, **known}.get(name) for name in STUDY_ENTRIES}


def read_record(path: Path) -> dict[str, Any]:
    """The content of a study.json; ValueError if it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged (it must hold an object)")
    _check_kinds(path, content, {name: entry.kinds for name, entry in STUDY_ENTRIES.items()})
    options = content.get("options") or {}
    _check_kinds(path, options, OPTIONS)
    if not all(isinstance(word, str) for word in (*(content.get("command") or ()), *(options.get("methods") or ()))):
        raise ValueError(f"{path} is damaged (command and methods must be words)")
    return content


def study_id(record: Mapping[str, Any]) -> str:
    """Twelve letters that stay a study's own when its folder is moved, for the runs of loggers."""
    identity = json.dumps([record.get(name) for name in ("start", "command", "host")], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def _check_kinds(path: Path, values: Mapping[str, Any], kinds: Mapping[str, tuple[type, ...]]) -> None:
    for name, allowed in kinds.items():
        if not isinstance(values.get(name), (*allowed, type(None))):
            raise ValueError(f"{path} is damaged ({name} must be {KINDS[allowed[0]]}, got {values[name]!r:.60})")


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
    try:
        commit = _git_says("rev-parse", "HEAD")
        changes = _git_says("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"hash": commit, "dirty": bool(changes)}


def _git_says(*words: str) -> str:
    here = ["git", "-C", str(Path(__file__).resolve().parent)]
    return subprocess.run([*here, *words], capture_output=True, text=True, check=True, timeout=10).stdout.strip()
