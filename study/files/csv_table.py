"""One table of a study: a file of rows that is complete after any kill.

A table is one physical line per row: a new row is appended, a changed one replaces the file in one piece. In a long
table, where that would take ever longer, a changed row is appended too and counts instead of the one above; before such
rows are many, and at the end of the study, the file is replaced by one that holds each row once. A line that a kill cut
short is noticed on loading and dropped, here and by any reader that asks for whole lines.
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

LONGEST_TEXT = 50_000  # of a cell: Python's csv reader gives up at 131,072
LARGEST: dict[type, float] = {int: 2**63 - 1, float: sys.float_info.max}  # what every reader of tables can hold
SHORT = 256  # rows of a table that is replaced at every change: some tenths of a millisecond
OUTDATED = 1 / 8  # the share of rows of a longer one that may stand in it a second time


class Table:
    """The rows of one file by their key, and the file itself, which is valid at every moment."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.csv"
        self.columns, self.keys = COLUMNS[name], KEYS[name]
        self.names = [column.name for column in self.columns]
        self.lines: dict[tuple, str] = {}
        self.outdated = 0  # rows of the file that another below takes the place of
        self.clean = self._load() if self.path.exists() else False  # whether the file holds just what `lines` says

    def rows(self) -> list[Row]:
        """All rows, with values of the columns' types and None for what is empty."""
        return [self._row(cells) for cells in csv.reader(self.lines.values())]

    def put(self, rows: Iterable[Mapping[str, Any]], to_disk: bool = False) -> None:
        """Add rows, or replace those of the same key; the file is whole before and after.

        `to_disk` waits until a changed file is on the disk itself, as a loss of power needs it and a kill does not.
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
        append = self.clean and self.outdated <= self._bearable()
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

    def _bearable(self) -> float:
        """How many outdated rows the file may hold."""
        return 0 if len(self.lines) <= SHORT else OUTDATED * len(self.lines)

    def _append(self, lines: list[str], to_disk: bool) -> None:
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            file.write("\n".join([*lines, ""]))
            if to_disk:
                file.flush()
                os.fsync(file.fileno())

    def _replace(self, to_disk: bool) -> None:
        text = "\n".join([self._header(), *self.lines.values(), ""])
        write_atomically(self.path, text, to_disk=to_disk)
        self.outdated = 0

    def _load(self) -> bool:
        text = self.path.read_bytes().decode("utf-8", errors="replace")
        *whole, torn = text.split("\n")
        if not whole:
            return False
        header = self._cells(whole[0], 1)
        if not set(self.keys) <= set(header):
            raise ValueError(f"{self.path} must have the columns {', '.join(self.keys)}, got {whole[0][:100]!r}")
        current = whole[0] == self._header()
        for number, line in enumerate(whole[1:], start=2):
            cells = self._cells(line, number)
            if len(cells) != len(header):
                raise ValueError(f"{self.path} line {number} must have {len(header)} cells, got {len(cells)}")
            row = self._row(cells, header, self.keys if current else None)
            self.lines[self._key(row)] = line if current else self._line(row)
        return not torn and current and len(self.lines) == len(whole) - 1

    def _cells(self, line: str, number: int) -> list[str]:
        """The cells of one line; a quotation that does not end in it would swallow the lines below."""
        try:
            return next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            raise ValueError(f"{self.path} line {number} is damaged ({error})") from error

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
    if isinstance(value, float) and not math.isfinite(value):
        return ""  # nothing was measured
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
