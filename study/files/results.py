"""The files of a study: plain text, complete after any kill, documented in docs/study-folder.md.

`study.json` is replaced in one piece; for the tables see study/files/csv_table.py. Standard library only, so that
results can be read where nothing is installed.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from study.commands import command
from study.files.columns import COLUMNS, STATUSES
from study.files.configs import method_of
from study.files.csv_table import Row, Table
from study.files.study_json import read_record
from trainables.disk import write_atomically
from trainables.options import unknown

NEEDED = {  # columns that no row leaves empty, beside its keys
    "trials": ("method", "status", "cost"),
    "race": ("method", "why", "cost"),
    "confirm": ("method", "why", "dataset", "model", "cost"),
}
EARLIER = "earlier best"  # the role of a configuration that was among the best before there were more trials


class Results:
    """A study's folder. Opening it changes nothing; the first write mends what a kill left behind."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._tables: dict[str, Table] = {}  # read on first use

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
    def race(self) -> list[Row]:
        return self._checked("race")

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
    def images(self) -> list[Row]:
        return self.table("images").rows()

    @property
    def measures(self) -> list[Row]:
        return self.table("measures").rows()

    def check(self) -> None:
        """ValueError for a damaged file, before anything is written."""
        if (self.folder / "study.json").exists():
            self.read_study()
        for name in COLUMNS:
            self.table(name).rows()
            self.table(name).check_header()
        self._checked("race")
        self._checked("confirm")
        for row in self.trials:
            if row["status"] == "finished" and row["val_h"] is None:
                raise ValueError(f"{self.table('trials').path} must have `val_h` in each finished row, got none")

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
                raise ValueError(f"{path} holds a row that no study can have written: {error}") from error
        return rows

    def put_trial(self, row: Mapping[str, Any]) -> None:
        """Add a trial, or replace the one of that number."""
        if row.get("status") not in STATUSES:
            raise ValueError(unknown("status", row.get("status"), STATUSES))
        self._put("trials", [row], to_disk=row["status"] != "running")

    def reopen_failed(self) -> None:
        """Let the failed trials go on; Optuna's copy, which cannot take a result back, is made anew."""
        if rows := [row for row in self.trials if row["status"] == "failed"]:
            self._put("trials", [{**row, "status": "running", "error": None} for row in rows], to_disk=True)
            (self.folder / "optuna.log").unlink(missing_ok=True)

    def add_epoch(self, row: Mapping[str, Any]) -> None:
        """Add an epoch of a trial; a repeated one replaces the first."""
        self._put("epochs", [row])

    def put_race(self, row: Mapping[str, Any]) -> None:
        """Add a run of the race, or replace the one of that configuration and seed."""
        self._put("race", [row])

    def put_confirm(self, row: Mapping[str, Any]) -> None:
        """Add a seed of a confirmed configuration, or replace it."""
        self._put("confirm", [row])

    def relabel(self, roles: Mapping[str, str]) -> None:
        """Update the role (column `why`) of each confirmed configuration: more trials may bring another best."""
        if rows := self.confirm:
            for row in rows:
                row["why"] = roles.get(row["config"], EARLIER if row["why"].startswith("best-") else row["why"])
            self._put("confirm", rows)

    def add_measured(self, files: Mapping[str, list[Row]]) -> None:
        """Add rows to corruptions, attacks, images and measures, named by file; without rows no file is made."""
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
            writes = command("--budget", "4N", "--out", self.folder)
            raise ValueError(f"no study.json in {self.folder}; {writes} writes one")
        return read_record(path)

    def write_study(self, content: Mapping[str, Any]) -> None:
        """Replace study.json."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / "study.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def update_study(self, **changes: Any) -> None:
        """Replace some entries of study.json, when a study begins or ends."""
        for table in self._tables.values():
            table.settle()
        self.write_study({**self.read_study(), **changes})
