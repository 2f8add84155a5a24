"""The folder of a run keeps the last state and the best one."""

import pytest
import torch

from trainables.config import with_recipe
from trainables.methods.vanilla import Vanilla
from trainables.run_folder import RunFolder
from trainables.train import TrainState, load_splits


@pytest.fixture
def run(tmp_path):
    config = with_recipe(Vanilla(), "digits", train_images=64)
    splits = load_splits(config)
    folder = RunFolder(tmp_path / "run", config, splits)
    folder.begin(config, splits)
    return folder, TrainState(config, splits), splits


def keep(folder, state, epoch, val_sa):
    state.epoch = epoch
    folder.add({"epoch": epoch, "val_sa": val_sa}, state)


def epoch_of(path):
    return torch.load(path, weights_only=True)["epoch"]


def test_the_last_state_and_that_of_the_best_epoch_are_kept(run):
    folder, state, _ = run
    for epoch, val_sa in enumerate((70.0, 90.0, 80.0), start=1):
        keep(folder, state, epoch, val_sa)
    assert epoch_of(folder.path / "checkpoint.pt") == 3
    assert epoch_of(folder.path / "best.pt") == 2
    assert not list(folder.path.glob("*.part"))


def test_of_equal_epochs_the_later_is_the_best(run):
    folder, state, _ = run
    keep(folder, state, 1, 90.0)
    keep(folder, state, 2, 90.0)
    assert epoch_of(folder.path / "best.pt") == 2


def test_a_best_state_that_a_kill_kept_from_being_named_is_named_on_opening(run):
    folder, state, splits = run
    keep(folder, state, 1, 80.0)
    keep(folder, state, 2, 90.0)
    (folder.path / "best.pt").unlink()
    RunFolder(folder.path, state.config, splits)
    assert epoch_of(folder.path / "best.pt") == 2
