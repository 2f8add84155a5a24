"""Folders of studies for tests: the stored one, whole or with something taken away or put in."""

import json
import shutil
from pathlib import Path

from study.files.results import Results

STORED = Path(__file__).parents[2] / "results" / "fashion-4N"
RACED = STORED.parent / "fashion-4N-race"
BEST, BEST_COST, BEST_VALIDATION_H = (
    "entprop k=0.527 n=4 ε=5.24 entropy α=1.05",
    "3.106N",
    "79.17",
)  # what its search chose
SEEDS = 6  # of the stored study's, so that what tests expect stays when it is confirmed with more


def stored(folder, *without):
    """A copy of the stored study with its first six seeds, without some of its files."""
    shutil.copytree(STORED, folder)
    change_record(folder, options__seeds=SEEDS)
    for name in {"confirm", "corruptions"} - {file.removesuffix(".csv") for file in without}:
        keep_rows(folder, name, lambda row: row["seed"] <= SEEDS)
    for name in without:
        (folder / name).unlink()
    return folder


def change_record(folder, **changes):
    """Change entries of study.json; a dotted name reaches into one of them."""
    path = folder / "study.json"
    record = json.loads(path.read_text())
    for name, value in changes.items():
        *outer, last = name.split("__")
        entry = record
        for part in outer:
            entry = entry[part]
        entry[last] = value
    path.write_text(json.dumps(record))
    return folder


def keep_rows(folder, name, wanted):
    """Leave only the rows of a result file for which `wanted` holds."""
    rows = [row for row in getattr(Results(folder), name) if wanted(row)]
    (folder / f"{name}.csv").unlink()
    Results(folder)._put(name, rows)
    return folder


def killed(folder):
    """The stored study as a kill in mid-search leaves it: ten trials, of which two run, and a line cut short."""
    stored(folder, "confirm.csv", "corruptions.csv")
    keep_rows(folder, "trials", lambda row: row["trial"] < 10)
    keep_rows(folder, "epochs", lambda row: row["trial"] < 8 or (row["trial"] < 10 and row["epoch"] < 4))
    results = Results(folder)
    for row in results.trials[8:]:
        cut = dict.fromkeys(("val_sa", "val_ra", "val_h"))
        results.put_trial({**row, **cut, "status": "running", "epochs": 3, "spent": 3 * row["cost"]})
    with open(folder / "epochs.csv", "a") as file:
        file.write("9,4,1.2,0.0")
    return change_record(folder, state="running", end=None)
