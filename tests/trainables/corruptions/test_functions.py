"""The corruptions: bytes of the published code for the same draws, and what must hold for any images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_images

from trainables.corruptions import frost
from trainables.corruptions.frost import frost_source
from trainables.corruptions.functions import CORRUPTIONS, REPORTED, VALIDATION, corrupt
from trainables.corruptions.rng import ImageRng, image_keys
from trainables.corruptions.severities import CIFAR_C, CONSTANTS, IMAGENET_C, SEVERITIES, TINY_IMAGENET_C, constants_for

STORED = Path(__file__).parents[2] / "stored"
NAMES = tuple(CORRUPTIONS)


class ReferenceDraws:
    """The draws of the published code: NumPy's legacy generator, seeded for each image, asked in its order."""

    def __init__(self, seeds):
        self.random = [np.random.RandomState(seed) for seed in seeds]

    def _each(self, draw):
        return torch.from_numpy(np.stack([np.asarray(draw(random)) for random in self.random]))

    def normal(self, *shape):
        return self._each(lambda random: random.normal(size=shape))

    def uniform(self, *shape):
        return self._each(lambda random: random.random_sample(shape))

    def integers(self, low, high, *shape):
        return self._each(lambda random: random.randint(low, high, size=shape))

    def bernoulli(self, probability, *shape):
        return self._each(lambda random: random.random_sample(shape) <= probability)

    def poisson(self, levels, full):
        counts = [
            random.poisson(image / 255.0 * full) for random, image in zip(self.random, levels.numpy(), strict=True)
        ]
        return torch.from_numpy(np.stack(counts))

    def frost(self, side, scale):
        pictures = frost.frost_at_scale(scale, side)
        crops = []
        for random in self.random:
            picture = pictures[random.randint(5)]
            top, left = random.randint(0, picture.shape[0] - side), random.randint(0, picture.shape[1] - side)
            crops.append(picture[top : top + side, left : left + side])
        return torch.stack(crops)


@pytest.fixture(scope="session")
def frost_pictures(tmp_path_factory):
    """The five made-up pictures the stored arrays were made with."""
    folder = tmp_path_factory.mktemp("frost")
    for seed, name in enumerate(frost.FROST_FILES):
        random = np.random.RandomState(seed)
        coarse = random.randint(0, 256, (24, 30, 3)).repeat(10, 0).repeat(10, 1)
        picture = (coarse // 2 + random.randint(0, 128, (240, 300, 3))).astype(np.uint8)
        Image.fromarray(picture).save(folder / name, format="PNG")
    return str(folder)


@pytest.fixture(scope="module")
def photographs():
    with np.load(STORED / "corruptions_32.npz") as stored:
        return torch.from_numpy(stored["images"])


def check_close(ours, reference, case):
    levels = np.abs(ours.astype(int) - reference.astype(int))
    assert (levels > 0).mean() <= 0.015, case
    assert levels.max() <= 6, case


@pytest.mark.parametrize("file", ["corruptions_32", "corruptions_64", "corruptions_224"])
def test_the_published_code_makes_the_same_of_the_same_draws(file, frost_pictures, monkeypatch):
    monkeypatch.setenv("ENTPROP_FROST_DIR", frost_pictures)
    with np.load(STORED / f"{file}.npz") as stored:
        images, rows = torch.from_numpy(stored["images"]), int(stored["rows"])
        cases = {key: stored[key] for key in stored.files if "-" in key}
    table = constants_for(images.shape[1])
    assert cases
    for key, reference in cases.items():
        name, severity = key.split("-")
        draws = ReferenceDraws(range(500, 500 + len(images)))
        made = CORRUPTIONS[name](images, draws, *table[name][int(severity) - 1])
        check_close(made.numpy()[:, ::rows], reference, key)
        assert name != "glass_blur" or np.array_equal(made.numpy()[:, ::rows], reference), key


# Its elastic transform has constants of its own: no affine map, another displacement.
IMAGECORRUPTIONS = {"elastic_transform": (0.085 * 250 * 0.005, 0.01, 0)}


def test_imagecorruptions_makes_the_same_of_the_same_draws():
    with np.load(STORED / "corruptions_224.npz") as stored:
        images = torch.from_numpy(stored["images"])
    with np.load(STORED / "corruptions_imagecorruptions.npz") as stored:
        rows, cases = int(stored["rows"]), {key: stored[key] for key in stored.files if "-" in key}
    assert cases
    for key, reference in cases.items():
        name, severity = key.split("-")
        row = IMAGECORRUPTIONS.get(name, IMAGENET_C[name][int(severity) - 1])
        made = CORRUPTIONS[name](images, ReferenceDraws([500]), *row).numpy()[:, ::rows]
        check_close(made, reference, key)


# --- properties -------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    severity=st.sampled_from(SEVERITIES),
    side=st.sampled_from([8, 16, 32, 33, 64]),
    count=st.integers(1, 4),
    seed=st.integers(0, 2**40),
    content=st.integers(0, 2**20),
)
def test_shape_type_and_range_are_kept_and_a_batch_equals_its_images(name, severity, side, count, seed, content):
    images = torch.from_numpy(np.random.RandomState(content).randint(0, 256, (count, side, side, 3)).astype(np.uint8))
    before = images.clone()
    made = corrupt(images, name, severity, seed=seed)
    assert made.dtype == torch.uint8
    assert made.shape == images.shape
    assert torch.equal(images, before)
    assert torch.equal(made, corrupt(images, name, severity, seed=seed))
    singles = [corrupt(images[i : i + 1], name, severity, seed=seed, first_index=i) for i in range(count)]
    assert torch.equal(made, torch.cat(singles))


def test_a_batch_of_photographs_equals_its_images_beyond_one_part(photographs):
    images = photographs.repeat(20, 1, 1, 1)
    for name in NAMES:
        made = corrupt(images, name, 5, seed=3)
        for index in (0, 21, 41, 42, 59):
            alone = corrupt(images[index : index + 1], name, 5, seed=3, first_index=index)
            assert torch.equal(made[index : index + 1], alone), f"{name}, image {index}"


def test_images_of_one_level_can_be_corrupted():
    for name in NAMES:
        for level in (0, 128, 255):
            images = torch.full((2, 32, 32, 3), level, dtype=torch.uint8)
            made = corrupt(images, name, 4)
            assert made.shape == images.shape, f"{name}, level {level}"
            assert name not in {"motion_blur", "pixelate"} or torch.equal(made, images), f"{name}, level {level}"


RANDOM = {"gaussian_noise", "shot_noise", "impulse_noise", "glass_blur", "motion_blur", "snow", "frost", "fog"}
RANDOM |= {"elastic_transform", "speckle_noise", "spatter"}


def test_seed_and_index_change_the_draws(photographs):
    one = photographs[:1].expand(2, -1, -1, -1).contiguous()
    for name in sorted(RANDOM):
        first, second = corrupt(one, name, 5, seed=1)
        assert not torch.equal(first, second), name
        assert not torch.equal(first, corrupt(one, name, 5, seed=2)[0]), name


# Where the constants themselves do not grow stronger from one severity to the next:
NOT_GROWING = {
    "glass_blur": "a smaller sigma with a second round at CIFAR-C 4 and Tiny 4",
    "elastic_transform": "less affine jitter for more displacement, in every table",
    "frost": "the image fades as the frost grows, in CIFAR-C",
    "saturate": "1 and 2 fade colours, 3 to 5 strengthen them",
    "spatter": "1 to 3 are water, 4 and 5 mud",
}


@pytest.fixture(scope="module")
def patches():
    """Thirty pieces of two photographs, 32 pixels each."""
    halves = []
    for picture in load_sample_images().images:
        small = picture[:424, :640].reshape(106, 4, 160, 4, 3).mean((1, 3))
        halves.append(small[:96].reshape(3, 32, 5, 32, 3).swapaxes(1, 2).reshape(15, 32, 32, 3))
    return torch.from_numpy(np.concatenate(halves).astype(np.uint8))


@pytest.mark.parametrize("constants", ["cifar-c", "tiny-imagenet-c"])
def test_distortion_grows_with_severity(constants, patches):
    larger = constants == "tiny-imagenet-c"
    if larger:
        patches = patches.repeat_interleave(2, 1).repeat_interleave(2, 2)
    for name in (name for name in NAMES if name not in NOT_GROWING):
        if name == "pixelate" and larger:
            continue  # half the size divides 64 evenly and loses less than 0.6 of it
        images = patches.repeat(8, 1, 1, 1) if name in RANDOM else patches
        made = [corrupt(images, name, severity) for severity in SEVERITIES]
        distortion = [(images.double() - other.double()).pow(2).mean().sqrt().item() for other in made]
        assert distortion[0] > 0, name
        assert distortion == sorted(distortion), name


# --- draws ------------------------------------------------------------------------------------------------------------


def draws(count=64):
    return ImageRng(image_keys("fog", 1, 0, 0, count, torch.device("cpu")))


def test_normal_draws_have_the_moments_of_a_normal():
    values = draws().normal(50, 51).double()
    assert abs(values.mean()) < 0.01
    assert abs(values.var() - 1) < 0.01
    assert abs(values.pow(4).mean() - 3) < 0.1
    assert abs((values[:, :-1] * values[:, 1:]).mean()) < 0.01
    assert abs((values[:-1] * values[1:]).mean()) < 0.01


def test_uniform_and_whole_draws_cover_their_range_evenly():
    source = draws()
    values = source.uniform(50, 51)
    assert 0 < values.min() < 1e-4 < 0.9999 < values.max() < 1
    counts = source.integers(-2, 2, 3001).flatten().add(2).bincount()
    assert len(counts) == 4
    assert (counts / counts.sum() - 0.25).abs().max() < 0.005
    assert abs(source.bernoulli(0.07, 3001).double().mean() - 0.07) < 0.005


@pytest.mark.parametrize("full", [3, 60, 500])
def test_photon_counts_have_the_mean_and_variance_of_poisson(full):
    levels = torch.tensor([0, 10, 51, 102]).to(torch.uint8).repeat(2000, 1)[:, None].expand(-1, 8, -1).contiguous()
    counts = draws(2000).poisson(levels, full).double().flatten(0, 1)
    mean = full * torch.tensor([0, 10, 51, 102]) / 255
    if full > 3:  # few photons: counts beyond white are cut
        assert torch.allclose(counts.mean(0), mean.double(), rtol=0.02, atol=0.02)
        assert torch.allclose(counts.var(0), mean.double(), rtol=0.06, atol=0.02)
    assert counts.max() <= full


# --- tables and words -------------------------------------------------------------------------------------------------


def test_every_table_has_five_rows_for_every_corruption():
    for table in CONSTANTS.values():
        assert set(table) == set(NAMES)
        assert all(len(rows) == 5 for rows in table.values())
    assert (len(REPORTED), len(VALIDATION["imagenet-c"]), len(VALIDATION["veils"])) == (15, 4, 7)
    assert not set(REPORTED) & set(VALIDATION["veils"])


def test_constants_follow_the_size_of_the_images():
    nearest = {8: CIFAR_C, 45: CIFAR_C, 46: TINY_IMAGENET_C, 120: TINY_IMAGENET_C, 121: IMAGENET_C, 224: IMAGENET_C}
    for side, table in nearest.items():
        assert constants_for(side) is table, f"{side} pixels"


def test_frost_says_where_it_comes_from(frost_pictures, monkeypatch, photographs):
    monkeypatch.delenv("ENTPROP_FROST_DIR", raising=False)
    monkeypatch.setattr(frost.importlib.util, "find_spec", lambda name: None)
    assert "procedural" in frost_source()
    drawn = corrupt(photographs, "frost", 3)
    monkeypatch.setenv("ENTPROP_FROST_DIR", frost_pictures)
    assert frost_source().startswith("five pictures, crc32")
    assert not torch.equal(drawn, corrupt(photographs, "frost", 3))
    monkeypatch.setenv("ENTPROP_FROST_DIR", "/nowhere")
    with pytest.raises(ValueError, match=r"the frost folder must hold frost1\.png"):
        corrupt(photographs, "frost", 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "rain"}, "unknown corruption 'rain'; known: gaussian_noise"),
        ({"severity": 6}, "severity must be one of 1, 2, 3, 4, 5, got 6"),
        ({"severity": 0}, "severity must be one of 1, 2, 3, 4, 5, got 0"),
        ({"severity": "2"}, "severity must be one of 1, 2, 3, 4, 5, got '2'"),
        ({"images": torch.zeros(1, 32, 32, 3)}, "images must be uint8, got torch.float32"),
        (
            {"images": torch.zeros(1, 3, 32, 32, dtype=torch.uint8)},
            r"images must have the shape \(n, side, side, 3\), got \(1, 3, 32, 32\)",
        ),
        ({"images": torch.zeros(1, 32, 30, 3, dtype=torch.uint8)}, r"images must have the shape"),
    ],
)
def test_bad_input_is_refused_in_one_line(change, message, photographs):
    arguments = {"images": photographs, "name": "fog", "severity": 1} | change
    with pytest.raises(ValueError, match=message) as caught:
        corrupt(arguments.pop("images"), arguments.pop("name"), arguments.pop("severity"), **arguments)
    assert "\n" not in str(caught.value)


def test_no_images_give_no_images():
    assert corrupt(torch.zeros(0, 32, 32, 3, dtype=torch.uint8), "snow", 1).shape == (0, 32, 32, 3)
