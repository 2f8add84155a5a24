"""The folder of a run keeps the last state and the best one."""

import pytest
import torch

from trainables.config import with_recipe
from trainables.disk import replacing
from trainables.methods.vanilla import Vanilla
from trainables.training.loop import load_splits
from trainables.training.run_folder import Damaged, RunFolder
from trainables.training.state import TrainState


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


def test_opening_a_folder_leaves_nothing_behind(run):
    folder, state, splits = run
    keep(folder, state, 1, 80.0)  # checkpoint.pt and best.pt are one file
    before = sorted(folder.path.iterdir())
    RunFolder(folder.path, state.config, splits)
    assert sorted(folder.path.iterdir()) == before


DAMAGE = {
    "a checkpoint cut short": ("checkpoint.pt", lambda content: content[: len(content) // 2]),
    "a checkpoint with another byte": ("checkpoint.pt", lambda content: content[:5000] + b"\xff\x00" + content[5002:]),
    "rows that lack an epoch": ("epochs.csv", lambda content: content.splitlines()[0] + b"\n"),
    "rows of something else": ("epochs.csv", lambda content: b"a,b\n1,2\n"),
    "a configuration cut short": ("config.json", lambda content: content[:40]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_told_from_one_of_another_run(run, damage):
    folder, state, splits = run
    keep(folder, state, 1, 80.0)
    name, change = DAMAGE[damage]
    (folder.path / name).write_bytes(change((folder.path / name).read_bytes()))
    with pytest.raises(Damaged, match=name):
        RunFolder(folder.path, state.config, splits)
    with pytest.raises(ValueError, match="belongs to another configuration") as refusal:
        RunFolder(make_whole(run), with_recipe(Vanilla(), "digits", train_images=64, lr=0.3), splits)
    assert not isinstance(refusal.value, Damaged)


def make_whole(run):
    folder, state, splits = run
    folder.begin(state.config, splits)
    keep(folder, state, 1, 80.0)
    return folder.path


def test_what_a_kill_left_half_written_is_no_foreign_file(run):
    folder, state, splits = run
    for name in ("config.json", "epochs.csv", "checkpoint.pt"):
        (folder.path / name).unlink(missing_ok=True)
        (folder.path / f"{name}.12ab34cd.part").write_text("half")
    again = RunFolder(folder.path, state.config, splits)
    again.begin(state.config, splits)
    assert not list(folder.path.glob("*.part"))


def test_two_processes_that_write_the_same_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as first:
        with replacing(path) as second:
            second.write(b"second")
        first.write(b"first")
    assert path.read_bytes() == b"first"  # the last to end; neither was cut short
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
