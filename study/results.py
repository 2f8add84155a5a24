"""The files of a study: plain text, complete after any kill, documented in docs/study-folder.md.

`study.json` is replaced in one piece; for the tables see study/table.py. Standard library only, so that results can be
read where nothing is installed.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from study.columns import COLUMNS, STATUSES
from study.table import Row, Table
from trainables.config import TrialConfig, make_method, method_options
from trainables.files import write_atomically
from trainables.methods import METHODS, Method, method_name
from trainables.options import unknown

NEEDED = {  # what every row holds, beside its keys
    "trials": ("method", "status", "cost"),
    "confirm": ("method", "why", "dataset", "model", "cost"),
}

EARLIER = "earlier best"  # of a configuration that was among the best before there were more trials


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
        return sorted(self._checked("trials"), key=lambda row: row["trial"])

    @property
    def epochs(self) -> list[Row]:
        return sorted(self.table("epochs").rows(), key=lambda row: (row["trial"], row["epoch"]))

    @property
    def confirm(self) -> list[Row]:
        return self._checked("confirm")

    @property
    def corruptions(self) -> list[Row]:
        return self.table("corruptions").rows()

    @property
    def attacks(self) -> list[Row]:
        return self.table("attacks").rows()

    @property
    def measures(self) -> list[Row]:
        return self.table("measures").rows()

    def check(self) -> None:
        """ValueError for a file that is damaged, before anything is written."""
        if (self.folder / "study.json").exists():
            self.read_study()
        for name in COLUMNS:
            self.table(name).rows()
        for name in NEEDED:
            self._checked(name)

    def _checked(self, name: str) -> list[Row]:
        """The rows of a table of configurations; ValueError for one that no study wrote."""
        rows, path = self.table(name).rows(), self.table(name).path
        for row in rows:
            needed = (*NEEDED[name], *(("epochs",) if row.get("h") is not None else ()))
            if missing := [column for column in needed if row[column] is None]:
                raise ValueError(f"{path} must have `{missing[0]}` in each row, got none")
            if row.get("status", "running") not in STATUSES:
                raise ValueError(f"{unknown('status', row['status'], STATUSES)} (in {path})")
            try:
                method_of(row)
            except ValueError as error:
                raise ValueError(f"{path} holds a row that no study wrote: {error}") from error
        return rows

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

    def relabel(self, whys: Mapping[str, str]) -> None:
        """Say anew why each configuration was confirmed: after more trials another may be the best."""
        if rows := self.confirm:
            for row in rows:
                row["why"] = whys.get(row["config"], EARLIER if row["why"].startswith("best-") else row["why"])
            self._put("confirm", rows)

    def add_measured(self, files: Mapping[str, list[Row]]) -> None:
        """Rows of corruptions, attacks and measures by the name of their file; of what there is none, no file."""
        for name, rows in files.items():
            if rows:
                self._put(name, rows)

    def _put(self, name: str, rows: Iterable[Mapping[str, Any]], to_disk: bool = False) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.table(name).put(rows, to_disk)

    def read_study(self) -> dict[str, Any]:
        """The content of study.json; ValueError if it is not there or damaged."""
        path = self.folder / "study.json"
        if not path.is_file():
            raise ValueError(f"no study.json in {self.folder}; python study/run.py --out {self.folder} writes one")
        return read_record(path)

    def write_study(self, content: Mapping[str, Any]) -> None:
        """Replace study.json."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / "study.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def update_study(self, **changes: Any) -> None:
        """Replace some entries of study.json, as happens when a study begins and ends."""
        for table in self._tables.values():
            table.settle()
        self.write_study({**self.read_study(), **changes})


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


# ----------------------------------------------------------------------------------------- rows and configurations


def method_row(method: Method) -> Row:
    """A method's name and hyper-parameters as columns; where a rule gives epsilon, the epsilon that it gives."""
    values = {"method": method_name(method), **method_options(method)}
    return {**values, "epsilon": radius} if (radius := getattr(method, "radius", None)) is not None else values


def method_of(row: Mapping[str, Any]) -> Method:
    """The method that a row of trials or confirm names."""
    if row["method"] not in METHODS:
        raise ValueError(unknown("method", row["method"], METHODS))
    kind: Any = METHODS[row["method"]]
    names = [field.name for field in dataclasses.fields(kind)]
    return make_method(row["method"], {name: row[name] for name in names if row.get(name) is not None})


def config_id(config: TrialConfig) -> str:
    """The same eight letters for configurations that differ in nothing but the seed, and how the passes are run."""
    values = {**config.as_dict(), "method": method_row(config.method)}
    del values["seed"], values["compile"]
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
