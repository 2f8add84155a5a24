"""The folder of a run keeps the last state and the best one."""

import pytest
import torch

from trainables.config import with_recipe
from trainables.disk import replacing
from trainables.methods.vanilla import Vanilla
from trainables.models import registry
from trainables.training import state as state_module
from trainables.training.loop import load_splits
from trainables.training.run_folder import Damaged, RunFolder, read_run
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


NO_MEMORY = {
    "of the GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
    "a failed device": torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    "of the CPU": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    "of Python": MemoryError(),
}
WHERE = {
    "reading the file": (torch, "load"),
    "building the network": (state_module, "build_network"),
    "moving it to the device": (torch.nn.Module, "to"),
    "loading the weights": (torch.nn.Module, "load_state_dict"),
    "loading the optimiser": (torch.optim.Optimizer, "load_state_dict"),
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("what", NO_MEMORY)
def test_memory_that_runs_out_is_not_taken_for_a_damaged_checkpoint(run, where, what, monkeypatch):
    folder, state, splits = run
    keep(folder, state, 1, 80.0)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}

    def full(*args, **options):
        raise NO_MEMORY[what]

    monkeypatch.setattr(*WHERE[where], full)
    with pytest.raises(type(NO_MEMORY[what])) as raised:
        RunFolder(folder.path, state.config, splits)
    assert raised.value is NO_MEMORY[what]
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before
    assert RunFolder(folder.path, state.config, splits).state.epoch == 1


def test_a_fine_tuned_run_is_resumed_and_evaluated_without_its_imagenet_weights(tmp_path, monkeypatch):
    """Also at 32 pixels, where a pretrained network keeps the stem of ImageNet."""
    config = with_recipe(Vanilla(), "digits", train_images=64, model="resnet18", pretrained=True)
    splits = load_splits(config)
    downloads = []
    monkeypatch.setattr(registry, "_load_imagenet_weights", lambda net, name: downloads.append(name))
    folder = RunFolder(tmp_path / "run", config, splits)
    folder.begin(config, splits)
    keep(folder, TrainState(config, splits), 1, 80.0)
    assert downloads == ["resnet18"]
    resumed = RunFolder(folder.path, config, splits).state
    trained = read_run(folder.path, None, "cpu")
    assert downloads == ["resnet18"]
    assert (trained.config, trained.epoch, trained.splits.digest) == (config, 1, splits.digest)
    for name, value in resumed.net.state_dict().items():
        assert torch.equal(value, trained.net.state_dict()[name])


def test_a_network_is_read_once_and_without_an_optimiser(run, monkeypatch):
    folder, state, _ = run
    keep(folder, state, 1, 80.0)
    reads, load = [], torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **options: reads.append(args) or load(*args, **options))
    monkeypatch.setattr(state_module, "build_optimizer", None)
    read_run(folder.path, None, "cpu")
    assert len(reads) == 1
