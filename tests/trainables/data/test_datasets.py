"""The registry of data sets, the digits, and how a validation part is cut."""

import dataclasses
import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.support.data_files import pictures, write_folder, write_npz
from trainables.config import TrialConfig, with_recipe
from trainables.data import loaders
from trainables.data.datasets import DATASETS, dataset_entry, load_dataset
from trainables.data.images import AUGMENTS, Images
from trainables.data.splits import cut_validation, redrawn, stratified, validation_count
from trainables.methods import METHODS

# ----------------------------------------------------------------------------------------------------- the registry


def test_the_list_of_data_sets_needs_neither_torch_nor_numpy():
    code = "import sys, trainables.data; sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'PIL')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", DATASETS)
def test_every_recipe_is_a_complete_configuration(name):
    config = with_recipe(METHODS["vanilla"](), name)
    recipe = dict(DATASETS[name].recipe)
    assert {field: getattr(config, field) for field in recipe} == recipe
    needed = {"model", "epochs", "batch_size", "optimizer", "lr", "schedule", "weight_decay", "augment", "pretrained"}
    assert needed <= set(recipe) <= {field.name for field in dataclasses.fields(TrialConfig)}
    assert recipe["augment"] in AUGMENTS


@pytest.mark.parametrize("name", DATASETS)
def test_every_entry_has_its_loader(name):
    assert callable(getattr(loaders, name))


@pytest.mark.parametrize(
    ("name", "near"), [("cifar", "cifar10"), ("digit", "digits"), ("zebra", None), ("npz:", "npz:PATH")]
)
def test_an_unknown_data_set_lists_the_known_ones_and_the_nearest(name, near):
    with pytest.raises(ValueError, match=r"unknown dataset .*cifar100.*folder:PATH") as caught:
        dataset_entry(name)
    assert ("did you mean" in str(caught.value)) == (near is not None)
    assert near is None or f"did you mean {near!r}" in str(caught.value)
    assert "\n" not in str(caught.value)


# ----------------------------------------------------------------------------------------------- the embedded clothes


def test_the_embedded_clothes_are_1200_400_and_400_of_ten_classes_alike():
    clothes = load_dataset("fashion")
    for part, count in ((clothes.train, 120), (clothes.validation, 40), (clothes.test, 40)):
        assert np.bincount(part.labels).tolist() == [count] * 10
    assert (clothes.size, len(clothes.classes)) == (32, 10)
    border = np.ones((32, 32), dtype=bool)
    border[2:-2, 2:-2] = False
    assert not clothes.train.pixels[:, border].any()
    assert (clothes.train.pixels == clothes.train.pixels[..., :1]).all()
    everything = np.concatenate([part.pixels.reshape(len(part), -1)
                                 for part in (clothes.train, clothes.validation, clothes.test)])  # fmt: skip
    assert len(np.unique(everything, axis=0)) == 2000  # no image stands in two parts
    assert clothes.digest == "c344f20d57fd5c71d9fa74f1b5389e78d79bd8ed48edb7ed8e465e518e54c17f"


def test_its_licence_comes_with_it():
    assert "Zalando SE" in Path(loaders.__file__).with_name("fashion.LICENSE").read_text()


# ------------------------------------------------------------------------------------------------------------ digits


def cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -3/4."""
    d, a = np.abs(distance), -0.75
    near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def test_digits_are_the_published_ones_upscaled_by_a_cubic_whose_every_pixel_is_computed():
    with gzip.open(loaders._digits_file(), "rt") as file:
        published = np.array([[float(value) for value in line.split(",")] for line in file])
    weights = np.zeros((32, 8))
    for out in range(32):
        centre = (out + 0.5) / 4 - 0.5
        for tap in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
            weights[out, min(max(tap, 0), 7)] += cubic(np.array(centre - tap))
    large = np.clip(weights @ (published[:, :64].reshape(-1, 8, 8) / 16) @ weights.T, 0, 1)
    expected = np.round(large * 255).astype(np.uint8)[..., None]

    raw = DATASETS["digits"].load(Path())
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(1)).numpy()
    assert (np.concatenate([raw.train.pixels, raw.test.pixels]) == expected[order]).all()
    assert np.array_equal(np.concatenate([raw.train.labels, raw.test.labels]), published[order, 64])


def test_digits_are_cut_into_1000_200_and_597_and_the_same_on_every_machine():
    digits = load_dataset("digits")
    assert (len(digits.train), len(digits.validation), len(digits.test)) == (1000, 200, 597)
    assert (digits.size, digits.classes) == (32, tuple("0123456789"))
    assert digits.digest == "f80fb7ddae0bcc9c09d417b8986130379ad73268c407fa117c0f25ba8162dd01"
    assert digits.std[0] == pytest.approx(0.356, abs=5e-4)


def test_mean_and_std_are_those_of_the_training_pixels_in_0_1():
    digits = load_dataset("digits")
    values = digits.train.pixels.reshape(-1, 3) / 255
    assert digits.mean == pytest.approx(values.mean(0))
    assert digits.std == pytest.approx(values.std(0))


# --------------------------------------------------------------------------------------------------- the validation cut


@given(st.lists(st.integers(0, 30), min_size=2, max_size=6), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_each_class_has_its_share_of_the_validation_images_to_within_one(sizes, share, seed):
    each = np.repeat(np.arange(len(sizes)), sizes)
    count = int(share * len(each))
    if not len(each):
        return
    rows = stratified(each, count, seed)
    exact = count * np.array(sizes) / len(each)
    assert len(rows) == count == len(set(rows.tolist()))
    assert (np.abs(np.bincount(each[rows], minlength=len(sizes)) - exact) < 1).all()


def keys(part: Images) -> list[bytes]:
    return [pixels.tobytes() for pixels in part.pixels]


def test_train_validation_and_test_share_no_image_and_lose_none(tmp_path):
    file = write_npz(tmp_path / "a.npz")
    raw = dataset_entry(f"npz:{file}").load(tmp_path)
    parts = [keys(part) for part in (*cut_validation(raw, 6, seed=0), raw.test)]
    assert [len(part) for part in parts] == [14, 6, 6]
    assert len(set().union(*parts)) == 26


def test_the_cut_depends_on_its_seed_alone():
    raw = DATASETS["digits"].load(Path())
    first, again, other = (cut_validation(raw, 200, seed) for seed in (0, 0, 1))
    assert keys(first[0]) == keys(again[0])
    assert keys(first[1]) == keys(again[1]) == keys(load_dataset("digits").validation)
    assert keys(first[1]) != keys(other[1])


def test_images_are_redrawn_by_seed_and_none_is_lost(tmp_path):
    splits = load_dataset("fashion", limit=300)
    first, again, other = redrawn(splits, 1), redrawn(splits, 1), redrawn(splits, 2)
    assert first.digest == again.digest != other.digest != splits.digest
    assert (len(first.train), len(first.validation)) == (len(splits.train), len(splits.validation))
    assert first.test is splits.test

    def pool(found):
        return sorted(image.tobytes() for part in (found.train, found.validation) for image in part.pixels)

    assert pool(first) == pool(other) == pool(splits)
    assert first.mean != splits.mean


def test_files_are_redrawn_like_images(tmp_path):
    splits = load_dataset(f"folder:{write_folder(tmp_path / 'big', side=160, count=20)}")
    found = redrawn(splits, 1)

    def paths(part):
        return {part.path(row) for row in range(len(part))}

    assert paths(found.train) | paths(found.validation) == paths(splits.train) | paths(splits.validation)
    assert paths(found.validation) != paths(splits.validation)


def test_a_limit_thins_the_training_images_evenly_and_nothing_else():
    whole, few = load_dataset("digits"), load_dataset("digits", limit=400)
    assert len(few.train) == 400
    assert set(keys(few.train)) <= set(keys(whole.train))
    assert keys(few.validation) == keys(whole.validation)
    assert keys(few.test) == keys(whole.test)
    share = np.bincount(whole.train.labels) * 0.4
    assert (np.abs(np.bincount(few.train.labels) - share) < 1).all()


def test_a_share_stops_at_5000_images_and_at_one_image_per_class():
    assert validation_count(0.1, 50_000, 10) == 5000
    assert validation_count(0.1, 60_000, 10) == 5000
    assert validation_count(0.1, 73_257, 10) == 5000
    assert validation_count(0.1, 3680, 37) == 368
    assert validation_count(0.1, 30, 10) == 10


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (5, "at least one image per class, 10, got 5 of 1200"),
        (0, "got 0 of 1200"),
        (1195, "at least one image per class, 10, got 1195 of 1200"),
        (-1, "got -1 of 1200"),
        (1.5, r"validation must be a share in \(0, 1\) or a whole number of images, got 1.5"),
    ],
)
def test_a_cut_that_cannot_be_made_says_why(validation, message):
    with pytest.raises(ValueError, match=message) as caught:
        validation_count(validation, 1200, 10)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("limit", "message"), [(5, r"limited to 10 \(one per class\) to 1000, got 5"), (1001, "got 1001")]
)
def test_a_limit_that_cannot_be_kept_says_why(limit, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_dataset("digits", limit=limit)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("train_labels", "message"),
    [
        (np.array([0, 1]), "at least one image per class, 2, got 2 of 2"),
        (np.array([0] * 19), "each class must have a training image, got none of bee"),
    ],
)
def test_too_few_images_for_a_validation_part(tmp_path, train_labels, message):
    file = write_npz(tmp_path / "a.npz", train_images=pictures(len(train_labels)), train_labels=train_labels)
    with pytest.raises(ValueError, match=message):
        load_dataset(f"npz:{file}")
