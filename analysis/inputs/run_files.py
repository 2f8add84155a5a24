"""Reading what a training run and the evaluator left in its folder; standard library only, and numpy for pictures.

A run on the command line is FOLDER, or LABEL=FOLDER where its figure shall call it something else.
"""

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]


class Run(NamedTuple):
    """A run's folder, which of its evaluations is meant, and what a figure calls it."""

    label: str
    folder: Path
    norm: str = "main"
    name: str = ""

    def file(self, kind: str, ending: str) -> Path:
        """The evaluator's file of that kind."""
        return self.folder / f"{'-'.join(filter(None, (kind, self.norm, self.name)))}.{ending}"


def parse_run(text: str, norm: str = "main", name: str = "") -> Run:
    """The run that a word of the command line means."""
    label, equals, folder = text.partition("=")
    path = Path(folder if equals else label)
    if not path.is_dir():
        raise ValueError(f"a run must be a folder that is there, FOLDER or LABEL=FOLDER, got {text!r}")
    return Run(label if equals else path.name, path, norm, name)


def read_rows(path: Path, how: str) -> list[Row]:
    """The rows of a CSV file, numbers as numbers and empty cells as None; `how` is the command that writes it."""
    if not path.is_file():
        raise ValueError(f"{path} must be there; write it with {how}")
    with open(path, newline="") as file:
        return [{column: _cell(text) for column, text in row.items()} for row in csv.DictReader(file)]


def _cell(text: str) -> Any:
    if text in ("", "True", "False"):
        return {"": None, "True": True, "False": False}[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def read_table(run: Run, kind: str, flag: str) -> list[Row]:
    """The rows of an evaluator's file."""
    return read_rows(run.file(kind, "csv"), _command(run, flag))


def read_epochs(run: Run) -> list[Row]:
    """The rows of a training, one an epoch."""
    return read_rows(run.folder / "epochs.csv", f"python -m trainables --out {run.folder}")


def read_pictures(run: Run) -> dict[str, Any]:
    """The class activation maps of a run with their pictures: arrays by name."""
    import numpy as np

    path = run.file("cam", "npz")
    if not path.is_file():
        raise ValueError(f"{path} must be there; write it with {_command(run, '--cam 0,1')}")
    with np.load(path) as arrays:
        return dict(arrays)


def read_config(run: Run) -> dict[str, Any]:
    """What was trained: the options of the configuration, those of the method under `method`."""
    path = run.folder / "config.json"
    if not path.is_file():
        raise ValueError(f"{path} must be there; write it with python -m trainables --out {run.folder}")
    return json.loads(path.read_text())["config"]


def _command(run: Run, flag: str) -> str:
    extra = (f" --norm {run.norm}" if run.norm != "main" else "") + (f" --name {run.name}" if run.name else "")
    return f"python -m trainables.evaluate {run.folder} --corruptions none {flag}{extra}"
