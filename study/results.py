"""The files of a study: plain text, complete after any kill, documented in docs/study-folder.md.

`study.json` is replaced in one piece. A table is one physical line per row: a new row is appended, a changed one
replaces the file in one piece. A line that a kill cut short is noticed on loading and dropped, here and by any reader
that asks for whole lines. Standard library only, so that results can be read where nothing is installed.
"""

import csv
import dataclasses
import datetime
import hashlib
import io
import json
import os
import platform
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from trainables.config import TrialConfig, make_method, method_options
from trainables.files import write_atomically
from trainables.methods import METHODS, Method, method_name
from trainables.options import unknown, value_types

Row = dict[str, Any]

LONGEST_TEXT = 50_000  # of a cell: Python's csv reader gives up at 131,072
STATUSES = ("finished", "stopped", "failed", "running")


class Column(NamedTuple):
    """One column: the type of its values, which may be empty, and what they are."""

    name: str
    kind: type
    meaning: str


_FIRST = ("k", "p_adv", "n", "epsilon", "alpha", "metric", "mixing", "attack", "selection")  # what a reader looks for


def _method_columns() -> tuple[Column, ...]:
    """A column for every hyper-parameter of every method; what a method does not have is empty."""
    kinds: dict[str, type] = {}
    texts: dict[str, dict[str, list[str]]] = {}  # name -> help text -> the methods that it belongs to
    for method, kind in METHODS.items():
        types = typing.get_type_hints(kind)
        for field in dataclasses.fields(kind):  # type: ignore[arg-type]
            allowed = value_types(types[field.name])
            kinds[field.name] = next((each for each in (bool, int, float) if each in allowed), str)
            texts.setdefault(field.name, {}).setdefault(field.metadata["help"], []).append(method)
    meanings = {
        name: "; ".join(f"{text} ({', '.join(owners)})" for text, owners in several.items())
        for name, several in texts.items()
    }
    order = [*_FIRST, *(name for name in kinds if name not in _FIRST)]
    return tuple(Column(name, kinds[name], meanings[name]) for name in order)


_METHOD = (Column("method", str, "the training method"), *_method_columns())
_COST = (
    Column("cost", float, "nominal cost of an epoch in N, as the papers count it"),
    Column("measured_cost", float, "work really done per epoch in N: a forward and full backward pass 1, "
           "a backward pass to the input alone 2/3, a forward pass alone 1/3"),
)  # fmt: skip
_CONFIG = Column("config", str, "identity of a configuration, the same for all seeds")
_SEED = Column("seed", int, "seed of initialisation, order and every random choice")
_VALIDATION = (
    Column("val_sa", float, "accuracy on clean validation images, in percent"),
    Column("val_ra", float, "mean accuracy on the four validation corruptions, in percent"),
    Column("val_h", float, "harmonic mean of val_sa and val_ra: what the search raises"),
)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "trials": (
        Column("trial", int, "number of the trial, in the order of proposal, from 0"),
        _CONFIG,
        *_METHOD,
        _SEED,
        Column("status", str, "finished; stopped: early, by the scheduler; failed; running"),
        Column("epochs", int, "epochs done"),
        *_COST,
        Column("spent", float, "nominal cost of the epochs done, in N-epochs"),
        Column("seconds", float, "training and validation, without waiting"),
        Column("images_per_s", float, "training images per second, mean over the epochs"),
        *_VALIDATION,
        Column("error", str, "of a failed trial: the traceback, its lines divided by \\n"),
    ),
    "epochs": (
        Column("trial", int, "number of the trial"),
        Column("epoch", int, "epochs done, from 1"),
        Column("spent", float, "nominal cost so far, in N-epochs"),
        Column("lr", float, "learning rate of the last step"),
        Column("loss", float, "mean loss of the main norms' images"),
        Column("train_accuracy", float, "accuracy on the training images as seen by the main norms, in percent"),
        *_VALIDATION,
        Column("entropy_main", float, "mean entropy of predictions through the main norms, in nats"),
        Column("entropy_main_sd", float, "its standard deviation over images"),
        Column("entropy_aux", float, "mean entropy of predictions through the auxiliary norms, in nats"),
        Column("entropy_aux_sd", float, "its standard deviation over images"),
        _COST[1],
        Column("seconds", float, "of this epoch, with validation"),
    ),
    "confirm": (
        _CONFIG,
        *_METHOD,
        Column("why", str, "best-1 and so on, vanilla, mixup, published, lr × 3, equal cost; or a table's row label"),
        Column("dataset", str, "the data set"),
        Column("model", str, "the network"),
        Column("lr", float, "peak learning rate"),
        _SEED,
        Column("epochs", int, "epochs done"),
        *_COST,
        Column("sa", float, "accuracy on clean test images, in percent"),
        Column("ra", float, "mean accuracy on the 15 corruptions of the test images, in percent"),
        Column("h", float, "harmonic mean of sa and ra"),
        Column("ece", float, "expected calibration error on clean test images, in percent"),
        Column("seconds", float, "training and measuring, without waiting"),
        Column("error", str, "of a run that failed: the traceback, its lines divided by \\n"),
    ),
    "corruptions": (
        _CONFIG,
        _SEED,
        Column("norm", str, "norms that were measured: main or aux"),
        Column("corruption", str, "name of the corruption"),
        Column("severity", int, "1 to 5"),
        Column("accuracy", float, "in percent"),
    ),
    "attacks": (
        _CONFIG,
        _SEED,
        Column("attack", str, "name of the attack, as python -m trainables.evaluate --attack reads it"),
        Column("accuracy", float, "in percent"),
    ),
}  # fmt: skip
KEYS: dict[str, tuple[str, ...]] = {
    "trials": ("trial",),
    "epochs": ("trial", "epoch"),
    "confirm": ("config", "seed"),
    "corruptions": ("config", "seed", "norm", "corruption", "severity"),
    "attacks": ("config", "seed", "attack"),
}


# ------------------------------------------------------------------------------------------------------- one table


class Table:
    """The rows of one file by their key, and the file itself, which is valid at every moment."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.csv"
        self.columns, self.keys = COLUMNS[name], KEYS[name]
        self.names = [column.name for column in self.columns]
        self.lines: dict[tuple, str] = {}
        self.clean = self._load() if self.path.exists() else False  # whether the file holds just what `lines` says

    def rows(self) -> list[Row]:
        """All rows, with values of the columns' types and None for what is empty."""
        return [self._row(cells) for cells in csv.reader(self.lines.values())]

    def put(self, rows: Iterable[Mapping[str, Any]], to_disk: bool = False) -> None:
        """Add rows, or replace those of the same key; the file is whole before and after.

        `to_disk` waits until a changed file is on the disk itself, as a loss of power needs it and a kill does not.
        """
        new: list[str] = []
        changed = False
        for row in rows:
            key, line = self._key(row), self._line(row)
            if key not in self.lines:
                new.append(line)
            elif self.lines[key] != line:
                changed = True
            self.lines[key] = line
        if changed or not self.clean:
            text = "\n".join([self._header(), *self.lines.values(), ""])
            write_atomically(self.path, text, to_disk=to_disk)
            self.clean = True
        elif new:
            with open(self.path, "a", encoding="utf-8", newline="") as file:
                file.write("\n".join([*new, ""]))

    def _load(self) -> bool:
        text = self.path.read_bytes().decode("utf-8", errors="replace")
        *whole, torn = text.split("\n")
        if not whole:
            return False
        header = next(csv.reader(whole[:1]))
        if not set(self.keys) <= set(header):
            raise ValueError(f"{self.path} must have the columns {', '.join(self.keys)}, got {whole[0][:100]!r}")
        current = whole[0] == self._header()
        for number, (line, cells) in enumerate(zip(whole[1:], csv.reader(whole[1:]), strict=False), start=2):
            if len(cells) != len(header):
                raise ValueError(f"{self.path} line {number} must have {len(header)} cells, got {len(cells)}")
            row = self._row(cells, header, self.keys if current else None)
            self.lines[self._key(row)] = line if current else self._line(row)
        return not torn and current and len(self.lines) == len(whole) - 1

    def _header(self) -> str:
        return ",".join(self.names)

    def _key(self, row: Mapping[str, Any]) -> tuple:
        for name in self.keys:
            if row.get(name) is None:
                raise ValueError(f"a row of {self.path.name} must have {', '.join(self.keys)}, got none of {name}")
        return tuple(row[name] for name in self.keys)

    def _line(self, row: Mapping[str, Any]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow([_written(row.get(column.name)) for column in self.columns])
        return text.getvalue()

    def _row(self, cells: list[str], header: list[str] | None = None, wanted: tuple[str, ...] | None = None) -> Row:
        given = dict(zip(header or self.names, cells, strict=True))
        return {
            column.name: _read(given.get(column.name, ""), column.kind, self.path)
            for column in self.columns
            if wanted is None or column.name in wanted
        }


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        value = value[:LONGEST_TEXT]
        return value.replace("\\", "\\\\").replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    return repr(value)


def _read(text: str, kind: type, path: Path) -> Any:
    if text == "":
        return None
    try:
        if kind is bool:
            return {"true": True, "false": False}[text]
        if kind is str:
            return "\\".join(part.replace("\\n", "\n") for part in text.split("\\\\"))
        return kind(text)
    except (ValueError, KeyError):
        raise ValueError(f"{path} must hold values of type {kind.__name__}, got {text!r}") from None


# ------------------------------------------------------------------------------------------------------ all of them


class Results:
    """A study's folder; opening it changes nothing, and what is written first mends what a kill left behind."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._tables: dict[str, Table] = {}  # read when they are wanted

    def table(self, name: str) -> Table:
        """The table of that name."""
        if name not in self._tables:
            self._tables[name] = Table(self.folder, name)
        return self._tables[name]

    @property
    def trials(self) -> list[Row]:
        return sorted(self.table("trials").rows(), key=lambda row: row["trial"])

    @property
    def epochs(self) -> list[Row]:
        return sorted(self.table("epochs").rows(), key=lambda row: (row["trial"], row["epoch"]))

    @property
    def confirm(self) -> list[Row]:
        return self.table("confirm").rows()

    @property
    def corruptions(self) -> list[Row]:
        return self.table("corruptions").rows()

    @property
    def attacks(self) -> list[Row]:
        return self.table("attacks").rows()

    def put_trial(self, row: Mapping[str, Any]) -> None:
        """Add a trial, or replace the one of that number."""
        if row.get("status") not in STATUSES:
            raise ValueError(unknown("status", row.get("status"), STATUSES))
        self._put("trials", [row], to_disk=row["status"] != "running")

    def add_epoch(self, row: Mapping[str, Any]) -> None:
        """Add an epoch of a trial; one that is done again replaces the first."""
        self._put("epochs", [row])

    def put_confirm(self, row: Mapping[str, Any]) -> None:
        """Add a seed of a confirmed configuration, or replace it."""
        self._put("confirm", [row])

    def add_corruptions(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._put("corruptions", rows)

    def add_attacks(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._put("attacks", rows)

    def _put(self, name: str, rows: Iterable[Mapping[str, Any]], to_disk: bool = False) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.table(name).put(rows, to_disk)

    def read_study(self) -> dict[str, Any]:
        """The content of study.json; ValueError if it is not there or damaged."""
        path = self.folder / "study.json"
        if not path.is_file():
            raise ValueError(f"no study.json in {self.folder}; python study/run.py --out {self.folder} writes one")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is damaged ({error})") from error
        if not isinstance(content, dict):
            raise ValueError(f"{path} is damaged (it must hold an object)")
        return content

    def write_study(self, content: Mapping[str, Any]) -> None:
        """Replace study.json."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / "study.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def update_study(self, **changes: Any) -> None:
        """Replace some entries of study.json."""
        self.write_study({**self.read_study(), **changes})


# ----------------------------------------------------------------------------------------- rows and configurations


def method_row(method: Method) -> Row:
    """A method's name and hyper-parameters as columns; where a rule gives epsilon, the epsilon that it gives."""
    values = {"method": method_name(method), **method_options(method)}
    return {**values, "epsilon": radius} if (radius := getattr(method, "radius", None)) is not None else values


def method_of(row: Mapping[str, Any]) -> Method:
    """The method that a row of trials or confirm names."""
    kind: Any = METHODS[row["method"]]
    names = [field.name for field in dataclasses.fields(kind)]
    return make_method(row["method"], {name: row[name] for name in names if row.get(name) is not None})


def config_id(config: TrialConfig) -> str:
    """The same eight letters for configurations that differ in nothing but the seed."""
    values = {**config.as_dict(), "method": method_row(config.method)}
    del values["seed"]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def config_row(config: TrialConfig) -> Row:
    """The columns that a configuration decides, of trials and of confirm."""
    return {
        "config": config_id(config), **method_row(config.method), "dataset": config.dataset, "model": config.model,
        "lr": config.lr, "seed": config.seed, "cost": config.method.cost,
    }  # fmt: skip


def finished(rows: Iterable[Row]) -> list[Row]:
    """Trials that came to their end at full length and have a result: the only ones that are ranked."""
    done = [row for row in rows if row["status"] == "finished" and row["val_h"] is not None and row["epochs"]]
    longest = max((row["epochs"] for row in done), default=0)
    return [row for row in done if row["epochs"] == longest]


def best(rows: Iterable[Row], count: int = 1) -> list[Row]:
    """The best trials by validation H, one for each configuration; of equals the cheaper, then the earlier."""
    ranked = sorted(finished(rows), key=lambda row: (-row["val_h"], row["cost"], row["trial"]))
    return list({row["config"] or row["trial"]: row for row in reversed(ranked)}.values())[::-1][:count]


def front(rows: Iterable[Row]) -> list[Row]:
    """The trials that no other beats in both H and cost, the cheapest first."""
    chosen: list[Row] = []
    for row in sorted(finished(rows), key=lambda row: (row["cost"], -row["val_h"], row["trial"])):
        if not chosen or row["val_h"] > chosen[-1]["val_h"]:
            chosen.append(row)
    return chosen


def spent(rows: Iterable[Row]) -> float:
    """What all trials have cost so far, in N-epochs: also those that were stopped or failed."""
    return sum(row["spent"] or 0.0 for row in rows)


# ------------------------------------------------------------------------------------------------------ study.json


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
    import importlib.metadata

    found = {"python": platform.python_version()}
    for name in ("torch", "torchvision", "numpy", "scipy", "ray", "optuna"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git() -> dict[str, Any] | None:
    """The commit of the code and whether files differ from it."""
    import subprocess

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
