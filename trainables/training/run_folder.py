"""The folder of one training run: its configuration, a row per epoch, the last checkpoint and the best.

`config.json` says what runs, `epochs.csv` holds the rows, `checkpoint.pt` the state after the last epoch and `best.pt`
that after the epoch of the highest validation accuracy. Each is replaced in one piece. A row is written before its
checkpoint, and rows beyond the checkpoint are dropped when a run goes on, so that a kill at any moment loses at most
the epoch that was running.
"""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from trainables.config import TrialConfig, differences
from trainables.data.images import Splits
from trainables.disk import remove_unfinished, replace_by_link, write_atomically
from trainables.models.pixel_net import PixelNet
from trainables.training import Row
from trainables.training.loop import load_splits
from trainables.training.state import TrainState, load_network, naming_damage, read_checkpoint


class Damaged(ValueError):
    """A file of the folder does not hold what was written; nothing of it can be gone on with."""


class RunFolder:
    """Opened for a configuration; `state` is where an earlier run of the same configuration stopped, if any did."""

    def __init__(self, path: Path, config: TrialConfig, splits: Splits, device: str = "cpu") -> None:
        self.path = path
        self.rows: list[Row] = []
        self.state: TrainState | None = None
        if not (path / "config.json").exists():
            if path.exists() and (not path.is_dir() or any(file.suffix != ".part" for file in path.iterdir())):
                raise ValueError(f"{path} must be a new folder or a run's own, but it holds something else")
        else:
            check_same_run(path, config, splits)
            self._load(config, splits, device)

    def _load(self, config: TrialConfig, splits: Splits, device: str) -> None:
        checkpoint = self.path / "checkpoint.pt"
        if checkpoint.exists():
            try:
                self.state = TrainState.load(checkpoint, splits, device)
                self.rows = whole_rows(self.path / "epochs.csv", self.state.epoch)
            except ValueError as error:
                raise Damaged(str(error)) from error
            if differ := differences(config, self.state.config):
                raise Damaged(f"{checkpoint} belongs to another configuration ({'; '.join(differ)} there); delete it")
            self._keep_best()  # a kill may have come between the two

    def begin(self, config: TrialConfig, splits: Splits) -> None:
        """Make the folder and say in it what will run."""
        self.path.mkdir(parents=True, exist_ok=True)
        remove_unfinished(self.path)
        description = {"config": config.as_dict(), "data": {"source": splits.source, "digest": splits.digest}}
        write_atomically(self.path / "config.json", json.dumps(description, indent=2) + "\n")

    def add(self, row: Row, state: TrainState) -> None:
        """Keep an epoch: first its row, then the state after it."""
        self.rows.append(row)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomically(self.path / "epochs.csv", text.getvalue())
        state.save(self.path / "checkpoint.pt")
        self._keep_best()

    def _keep_best(self) -> None:
        if self.rows[-1]["val_sa"] == max(row["val_sa"] for row in self.rows):
            replace_by_link(self.path / "checkpoint.pt", self.path / "best.pt")


def check_same_run(path: Path, config: TrialConfig, splits: Splits) -> None:
    """ValueError if the folder belongs to another configuration or to other data."""
    try:
        description = json.loads((path / "config.json").read_text())
        theirs, digest = TrialConfig.from_dict(description["config"]), description["data"]["digest"]
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise Damaged(f"{path / 'config.json'} is damaged ({error}); choose another folder") from error
    differ = differences(config, theirs)
    if differ:
        raise ValueError(f"{path} belongs to another configuration ({'; '.join(differ)} there); choose another folder")
    if digest != splits.digest:
        raise ValueError(f"{path} was trained on other data than {config.dataset} holds now; choose another folder")


def whole_rows(path: Path, epochs: int) -> list[Row]:
    """The rows of the first so many epochs; ValueError unless each is there once."""
    try:
        rows = [row for row in read_rows(path) if row["epoch"] <= epochs]
        whole = [row["epoch"] for row in rows] == list(range(1, epochs + 1)) and all(row["val_sa"] >= 0 for row in rows)
    except (KeyError, TypeError, AttributeError, ValueError, csv.Error) as error:
        raise ValueError(f"{path} is damaged ({error or type(error).__name__}); choose another folder") from error
    if not whole:
        raise ValueError(f"{path} must hold a row for each of {epochs} epochs, as checkpoint.pt says; choose another")
    return rows


def read_rows(path: Path) -> list[Row]:
    """The rows of an `epochs.csv`, numbers as numbers and empty cells as None."""
    with open(path, newline="") as file:
        return [{name: _cell(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _cell(text: str) -> Any:
    if text == "":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


class Trained(NamedTuple):
    """A trained network, with the configuration and the data that it was trained on."""

    config: TrialConfig
    splits: Splits
    net: PixelNet
    epoch: int

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.net.scale.device


def read_run(folder: Path, data_root: Path | None, device: str) -> Trained:
    """The network of a run's folder with the data that it was trained on."""
    return _read(folder, device, lambda config: load_splits(config, data_root))


def read_transferred(folder: Path, splits: Splits, device: str) -> Trained:
    """The network of a run's folder, to be shown these images; ValueError if it was trained on another data set."""

    def same(config: TrialConfig) -> Splits:
        if config.dataset != splits.name:
            raise ValueError(f"{folder} must be a run on {splits.name}, got one on {config.dataset}")
        return splits

    return _read(folder, device, same)


def _read(folder: Path, device: str, splits_of: Callable[[TrialConfig], Splits]) -> Trained:
    checkpoint = checkpoint_of(folder)
    content = read_checkpoint(checkpoint)
    with naming_damage(checkpoint):
        epoch, config = int(content["epoch"]), TrialConfig.from_dict(content["config"])
    splits = splits_of(config)
    return Trained(config, splits, load_network(checkpoint, content, splits, device)[1], epoch)


def checkpoint_of(folder: Path) -> Path:
    """The checkpoint in a run's folder; ValueError if there is none."""
    checkpoint = folder / "checkpoint.pt"
    if not checkpoint.is_file():
        raise ValueError(f"{folder} must hold a checkpoint.pt, which python -m trainables --out {folder} writes")
    return checkpoint
