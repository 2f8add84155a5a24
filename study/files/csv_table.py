"""One table of a study: a file of rows that is complete after any kill.

A row is one physical line: a new row is appended, a changed one replaces the file in one piece. In a long table, where
replacing takes too long, a changed row is appended too and counts instead of the one above; before such rows are many,
and at the end of the study, the file is replaced by one that holds each row once. A line that a kill cut short is
dropped on loading.
"""

import csv
import io
import math
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from study.files.columns import COLUMNS, KEYS
from trainables.disk import write_atomically

Row = dict[str, Any]

LONGEST_TEXT = 50_000  # characters of a cell: Python's csv reader gives up at 131,072
LARGEST: dict[type, float] = {int: 2**63 - 1, float: sys.float_info.max}  # what every reader of tables can hold
SHORT = 256  # rows of a table that is replaced at every change, which takes some tenths of a millisecond
OUTDATED = 1 / 8  # the share of rows of a longer table that may stand in it a second time


class Table:
    """The rows of one file by their key, and the file itself, which is valid at every moment."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.csv"
        self.keys = KEYS[name]
        self.kinds = {column.name: column.kind for column in COLUMNS[name]}
        self.names = list(self.kinds)
        self.header = self.names  # of the file; of another version, it may have other columns
        self.lines: dict[tuple, str] = {}
        self.outdated = 0  # rows of the file that another row below replaces
        self.clean = self._load() if self.path.exists() else False  # whether the file holds exactly `lines`

    def rows(self) -> list[Row]:
        """All rows, with values of the columns' types and None for an empty cell."""
        return [self._row(cells, self.names, self.names) for cells in csv.reader(self.lines.values())]

    def check_header(self) -> None:
        """ValueError for a column that was renamed: reading would take its values for missing ones."""
        unknown = [name for name in self.header if name not in self.names]
        missing = [name for name in self.names if name not in self.header]
        if unknown and missing:
            raise ValueError(f"{self.path} must have the column {missing[0]}, got {unknown[0]}; rename it back")

    def put(self, rows: Iterable[Mapping[str, Any]], to_disk: bool = False) -> None:
        """Add rows, or replace those of the same key; the file is whole before and after.

        `to_disk` waits until a changed file is on the disk itself, which a loss of power requires and a kill does not.
        """
        lines: list[str] = []
        changed = 0
        for row in rows:
            key, line = self._key(row), self._line(row)
            before = self.lines.get(key)
            if line != before:
                lines.append(line)
                changed += before is not None
            self.lines[key] = line
        if not lines and self.clean:
            return
        self.outdated += changed
        append = self.clean and self.outdated <= (OUTDATED * len(self.lines) if len(self.lines) > SHORT else 0)
        self.clean = False  # until the file holds it: a full disk may take half a line
        if append:
            self._append(lines, to_disk and changed > 0)
        else:
            self._replace(to_disk)
        self.clean = True

    def settle(self) -> None:
        """Leave each row in the file once."""
        if self.outdated:
            self.clean = False
            self._replace(to_disk=False)
            self.clean = True

    def _append(self, lines: list[str], to_disk: bool) -> None:
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            file.write("\n".join([*lines, ""]))
            if to_disk:
                file.flush()
                os.fsync(file.fileno())

    def _replace(self, to_disk: bool) -> None:
        write_atomically(self.path, "\n".join([",".join(self.names), *self.lines.values(), ""]), to_disk=to_disk)
        self.outdated, self.header = 0, self.names

    def _load(self) -> bool:
        """Whether the file needs no mending."""
        *whole, torn = self.path.read_bytes().decode("utf-8", errors="replace").split("\n")
        if not whole:
            return False
        self.header = self._cells(whole[0], 1)
        if not set(self.keys) <= set(self.header):
            raise ValueError(f"{self.path} must have the columns {', '.join(self.keys)}, got {whole[0][:100]!r}")
        current = self.header == self.names
        for number, line in enumerate(whole[1:], start=2):
            cells = self._cells(line, number)
            if len(cells) != len(self.header):
                raise ValueError(f"{self.path} line {number} must have {len(self.header)} cells, got {len(cells)}")
            row = self._row(cells, self.header, self.keys if current else self.names)
            self.lines[self._key(row)] = line if current else self._line(row)
        return not torn and current and len(self.lines) == len(whole) - 1

    def _cells(self, line: str, number: int) -> list[str]:
        """The cells of one line; a quotation that does not end in it would swallow the lines below."""
        try:
            return next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            raise ValueError(f"{self.path} line {number} is damaged ({error})") from error

    def _key(self, row: Mapping[str, Any]) -> tuple:
        for name in self.keys:
            if row.get(name) is None:
                raise ValueError(f"a row of {self.path.name} must have {', '.join(self.keys)}, got none of {name}")
        return tuple(row[name] for name in self.keys)

    def _line(self, row: Mapping[str, Any]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow([_written(row.get(name)) for name in self.names])
        return text.getvalue()

    def _row(self, cells: list[str], header: list[str], wanted: Iterable[str]) -> Row:
        given = dict(zip(header, cells, strict=True))
        return {name: _read(given.get(name, ""), self.kinds[name], self.path) for name in wanted}


def _written(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):  # nothing was measured
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
        value = kind(text)
        if not abs(value) <= LARGEST[kind]:  # nan, too
            raise ValueError("out of range")
        return value
    except (ValueError, KeyError):
        raise ValueError(f"{path} must hold values of type {kind.__name__}, got {text!r:.60}") from None
