"""What a study held before a fault, and what of it is gone or was done again afterwards."""

import os
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from study.files.results import Results

TIMES = ("seconds", "epoch_seconds", "images_per_s")  # of the machine, not of the result


class Held(NamedTuple):
    """The rows of what had ended, and the epochs that were done."""

    trials: dict
    race: dict
    confirm: dict
    epochs: dict


def held(folder):
    """What a study's folder holds now."""
    if not Path(folder).exists():
        return Held({}, {}, {}, {})
    results = Results(folder)
    ended = {row["trial"]: row for row in results.trials if row["status"] != "running"}
    confirm = {(row["config"], row["seed"]): {**row, "why": ""} for row in results.confirm}  # the reason may change
    race = {(row["config"], row["seed"]): row for row in results.race}
    epochs = {(row["trial"], row["epoch"]): row for row in results.epochs}
    return Held(ended, race, confirm, epochs)


def lost(before, after):
    """How many results that were there are not there any more as they were."""
    gone = [key for key, row in before.trials.items() if after.trials.get(key) != row]
    gone += [key for key, row in before.race.items() if after.race.get(key) != row]
    gone += [key for key, row in before.confirm.items() if after.confirm.get(key) != row]
    return len(gone)


def repeated(before, after):
    """How many trials did an epoch again that stood in the files."""
    return len({trial for (trial, epoch), row in before.epochs.items() if after.epochs.get((trial, epoch)) != row})


def same(rows):
    """Rows without what depends on the machine's speed, in an order of their own."""
    kept = [{name: value for name, value in row.items() if name not in TIMES} for row in rows]
    return sorted(kept, key=lambda row: (row.get("trial") or 0, row["config"], row["seed"]))


def size_of(folder):
    """Grows with each row and each ending."""
    names = ("trials.csv", "epochs.csv", "race.csv", "confirm.csv", "corruptions.csv")
    paths = [Path(folder) / name for name in names]
    return sum(path.stat().st_size for path in paths if path.exists())


def recovered(study, folder, since):
    """Seconds from `since` until the study has written something new."""
    before = size_of(folder)
    study.wait_for(lambda: size_of(folder) != before, often=0.02)
    return time.monotonic() - since


def workers_of(study, kind="StudyTrial"):
    """The processes in which the study's trials run; of kind TrialMember, those beside the leader of each trial."""
    found = []
    for child in psutil.Process(study.process.pid).children(recursive=True):
        try:
            if child.cmdline() and kind in child.cmdline()[0]:
                found.append(child)
        except psutil.Error:  # it has just ended
            continue
    return found


def half_written(folder, pattern):
    """Whether a file of that kind is being written at this moment."""
    return any(True for _ in Path(folder).glob(pattern)) if os.path.isdir(folder) else False
