"""Step times measured on this machine, kept so that the next plan can estimate minutes."""

import json
import platform
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from study.files.csv_table import Row
from trainables.config import TrialConfig
from trainables.disk import cache_folder, write_atomically


@dataclass(frozen=True)
class Timing:
    """How long this machine takes: a vanilla step, and what a run needs beside its steps."""

    step_seconds: float
    images: int  # training images, so that an epoch has images // batch_size steps
    validation_seconds: float = 0.0  # measuring a trial on validation images and their corruptions
    test_seconds: float = 0.0  # measuring a confirmed run on test images and the 15 corruptions

    def epoch_seconds(self, batch_size: int) -> float:
        return self.step_seconds * (self.images // batch_size)


def timing_of(trial: TrialConfig, images: int, trials: Iterable[Row], confirm: Iterable[Row]) -> Timing | None:
    """What a study shows of this machine; None unless a trial and a confirmed vanilla run have finished."""
    steps = images // trial.batch_size
    speeds = [
        row["images_per_s"] * row["cost"] for row in trials if row["status"] == "finished" and row["images_per_s"]
    ]
    vanilla = [row["seconds"] for row in confirm if row["method"] == "vanilla" and row["h"] is not None]
    if not speeds or not vanilla or not steps:
        return None
    step = median(trial.batch_size / speed for speed in speeds)  # a step of cost c takes about c vanilla steps
    test = max(0.0, median(vanilla) - step * steps * trial.epochs)
    return Timing(step, images, 0.1 * test, test)


def timings_file() -> Path:
    """Where this machine's timings are kept."""
    return cache_folder() / "timings.json"


def remember_timing(config: TrialConfig, device: str, timing: Timing) -> None:
    """Keep a timing for this machine; a cache that cannot be written is no reason to fail."""
    known = _read_timings()
    known[_timing_key(config, device)] = {**asdict(timing), "when": time.time()}
    try:
        timings_file().parent.mkdir(parents=True, exist_ok=True)
        write_atomically(timings_file(), json.dumps(known, indent=1) + "\n")
    except OSError:
        return


def known_timing(config: TrialConfig, device: str = "auto") -> Timing | None:
    """The timing of this machine; for device auto the last one that was kept on any of its devices."""
    begin = _timing_key(config, "" if device == "auto" else device)
    if not (found := [entry for key, entry in _read_timings().items() if key.startswith(begin)]):
        return None
    last = max(found, key=lambda entry: entry.get("when", 0.0))
    try:
        return Timing(**{name: value for name, value in last.items() if name != "when"})
    except TypeError:
        return None  # written by another version


def _timing_key(config: TrialConfig, device: str) -> str:
    """What decides a step's time; the device is last, so that a key without it is the start of those of all devices."""
    data = f"{config.dataset} at {config.resize} px" if config.resize else config.dataset
    parts = (platform.node(), data, config.model, config.batch_size, config.precision, config.train_images)
    return "|".join([*map(str, parts), device])


def _read_timings() -> dict[str, Any]:
    try:
        known = json.loads(timings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
