"""Several processes that share every batch take the step that one process takes, and train as one does."""

import multiprocessing

import pytest
import torch
import torch.multiprocessing as mp

from tests.support import shared_steps
from trainables.config import with_recipe
from trainables.methods.entprop import EntProp
from trainables.training.crew import LostProcess, local_crew
from trainables.training.loop import load_splits, train
from trainables.training.state import TrainState

SIZES = (4, 2)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The steps of all settings by groups of four and of two processes, which are started once."""
    folder = tmp_path_factory.mktemp("shared")
    mp.spawn(shared_steps.in_processes, (str(folder), SIZES, list(shared_steps.SETTINGS)), max(SIZES))
    return {size: torch.load(folder / f"steps-{size}.pt") for size in SIZES}


@pytest.mark.parametrize("name", shared_steps.SETTINGS)
@pytest.mark.parametrize("size", SIZES)
def test_processes_that_share_a_batch_take_the_step_of_one(shared, size, name):
    alone, together = shared_steps.step(name), shared[size][name]
    assert alone.keys() == together.keys()
    for what, value in alone.items():
        torch.testing.assert_close(
            together[what], value, rtol=1e-9, atol=1e-9, msg=lambda text, what=what: f"{what}: {text}"
        )


def config_of(processes, **changes):
    options = {"epochs": 3, "train_images": 256, "batch_size": 32, **changes}
    return with_recipe(EntProp(k=0.4, n=2), "digits", processes_per_trial=processes, **options)


def rows_of(training, config, splits, state=None):
    state = state or TrainState(config, splits)
    times = ("seconds", "images_per_s")
    return [{name: row[name] for name in row if name not in times} for row in training(state, splits, selections=True)]


def test_two_processes_train_count_resume_and_report_a_loss_as_one_does(tmp_path):
    splits = load_splits(config_of(1))
    synced, apart = config_of(2, sync_norms=True), config_of(2, select_from="process")
    one, wanted = rows_of(train, config_of(1), splits), ("measured_cost", "forward_passes", "full_passes", "spent")
    with local_crew(splits, "cpu", 2) as crew:
        two = rows_of(crew.train, synced, splits)
        for name in (*wanted, "input_passes"):
            assert [row[name] for row in two] == [row[name] for row in one]
        assert two[0]["loss"] == pytest.approx(one[0]["loss"], rel=0.01)
        assert two[0]["entropy_aux"] == pytest.approx(one[0]["entropy_aux"], rel=0.05)

        state = TrainState(apart, splits)
        unbroken = rows_of(crew.train, apart, splits, state)
        assert len(state.selected.unique()) == len(state.selected) == 8 * 12  # of each process 6.4 of 16, rounded
        state = TrainState(apart, splits)
        assert next(crew.train(state, splits))["epoch"] == 1
        state.save(tmp_path / "checkpoint.pt")
        assert rows_of(crew.train, apart, splits, TrainState.load(tmp_path / "checkpoint.pt", splits)) == unbroken[1:]

        epochs = crew.train(TrainState(synced, splits), splits)
        next(epochs)
        (child,) = multiprocessing.active_children()
        child.kill()
        with pytest.raises(LostProcess, match="a process of the trial"):
            list(epochs)


def test_processes_that_cannot_share_a_batch_are_refused():
    with pytest.raises(ValueError, match="batch_size must be a multiple of the 3 processes_per_trial, got 32"):
        config_of(3)
    with pytest.raises(ValueError, match="sync_norms needs processes_per_trial of at least 2, got 1"):
        config_of(1, sync_norms=True)
    with pytest.raises(ValueError, match="compile must be false with sync_norms"):
        config_of(2, sync_norms=True, compile=True)
    splits = load_splits(config_of(2))
    with pytest.raises(ValueError, match="processes_per_trial must be 1, the number of processes that train together"):
        next(train(TrainState(config_of(2), splits), splits))
