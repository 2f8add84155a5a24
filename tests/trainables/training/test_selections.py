"""Which images were selected in which epoch: the record is true, and the training does not notice it."""

import numpy as np
import pytest
import torch

from trainables.__main__ import main as train_main
from trainables.config import with_recipe
from trainables.methods.entprop import EntProp
from trainables.methods.mixprop import MixProp
from trainables.methods.vanilla import Vanilla
from trainables.training.loop import load_splits, train
from trainables.training.run_folder import RunFolder
from trainables.training.selections import Recorder, read_selected, selection_histogram
from trainables.training.state import TrainState

METHOD = EntProp(k=0.3, n=1, mixing="none")


def config(method=METHOD, epochs=2):
    return with_recipe(method, "digits", epochs=epochs, train_images=110, batch_size=20, augment="none")


def record(config):
    """Train under a recorder and return it."""
    splits = load_splits(config)
    recorder, state = Recorder(config, len(splits.train)), TrainState(config, splits)
    for _ in train(state, splits, selections=True):
        recorder.add(state.selected)
    return recorder


def timeless(rows):
    return [{name: value for name, value in row.items() if name not in ("seconds", "images_per_s")} for row in rows]


def test_recording_changes_neither_rows_nor_weights():
    splits = load_splits(config())
    alone, recorded = TrainState(config(), splits), TrainState(config(), splits)
    assert timeless(train(recorded, splits, selections=True)) == timeless(train(alone, splits))
    assert alone.selected is None
    for ours, theirs in zip(alone.net.state_dict().values(), recorded.net.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_record_names_the_images_that_were_selected(monkeypatch):
    """The images that each step selects, collected while it runs, are those that the record names."""
    seen, accumulate = [], EntProp.accumulate

    def spy(self, net, x, y, rng):
        step = accumulate(self, net, x, y, rng)
        seen.append({image.numpy().tobytes() for image in (x[step.selected] * 255).round().byte()})
        return step

    monkeypatch.setattr(EntProp, "accumulate", spy)
    recorder, pixels = record(config(epochs=2)), load_splits(config()).train.pixels
    assert recorder.epochs.shape == (2, 110)
    assert recorder.epochs.sum(axis=1).tolist() == [30, 30]  # 5 steps of 20 images, 6 of them selected
    for epoch, steps in zip(recorder.epochs, (seen[:5], seen[5:]), strict=True):
        assert {image.tobytes() for image in pixels[epoch].transpose(0, 3, 1, 2)} == set().union(*steps)


def test_nothing_is_selected_with_k_0():
    assert not record(config(EntProp(k=0.0), epochs=1)).epochs.any()


@pytest.mark.parametrize(("method", "got"), [(Vanilla(), "got vanilla"), (MixProp(), "got mixprop, which sends all")])
def test_a_method_that_does_not_choose_is_refused(method, got):
    with pytest.raises(ValueError, match=f"selections need a method that sends selected samples .*, {got}"):
        record(config(method))


def test_the_histogram_counts_images_by_how_often_they_were_selected():
    selected = np.array([[1, 0, 0, 1, 0], [1, 0, 0, 0, 1], [1, 0, 0, 0, 0]], dtype=bool)
    assert selection_histogram(selected) == [(0, 2), (1, 2), (2, 0), (3, 1)]


FLAGS = ["--method", "entprop", "--train-images", "110", "--batch-size", "20", "--selections", "--quiet"]


def test_a_training_that_goes_on_keeps_the_same_record(tmp_path, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert train_main([*FLAGS, "--epochs", "3", "--out", str(whole)]) == 0
    add, calls = RunFolder.add, []

    def stop(self, row, state):
        """Stop like a kill after the record of the second epoch and before its checkpoint."""
        calls.append(row)
        if len(calls) == 2:
            raise KeyboardInterrupt
        add(self, row, state)

    monkeypatch.setattr(RunFolder, "add", stop)
    assert train_main([*FLAGS, "--epochs", "3", "--out", str(broken)]) == 130
    assert len(read_selected(broken, 110)) == 2
    monkeypatch.setattr(RunFolder, "add", add)
    assert train_main([*FLAGS, "--epochs", "3", "--out", str(broken)]) == 0
    np.testing.assert_array_equal(read_selected(broken, 110), read_selected(whole, 110))


def test_a_record_must_begin_with_the_training(tmp_path, capsys):
    flags = [flag for flag in FLAGS if flag != "--selections"]
    assert train_main([*flags, "--epochs", "1", "--out", str(tmp_path)]) == 0
    assert train_main([*FLAGS, "--epochs", "1", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "selected.npy must be there" in error
    assert error.count("\n") == 1


def test_selections_need_a_folder(capsys):
    assert train_main(FLAGS) == 2
    assert capsys.readouterr().err.startswith("error: selections needs out")
