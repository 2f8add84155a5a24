"""Corrupted sets: made while they are measured and kept while they are small, or read from the published archives."""

from pathlib import Path

import numpy as np
import pytest
import torch

from trainables.corruptions import sets as module
from trainables.corruptions.functions import REPORTED, corrupt
from trainables.corruptions.sets import corrupted_sets, official_sets

TWO = {"types": ("contrast", "gaussian_noise"), "severities": (1, 5)}


@pytest.fixture(autouse=True)
def nothing_kept_yet():
    module._kept.clear()


@pytest.fixture
def images():
    return torch.from_numpy(np.random.RandomState(0).randint(0, 256, (7, 32, 32, 3)).astype(np.uint8))


def blocks(images, size=7):
    labels = torch.arange(len(images))
    return zip(images.split(size), labels.split(size), strict=True)


def sets_of(images, size=7, **options):
    return corrupted_sets(blocks(images, size), len(images), images.shape[1], **{**TWO, **options})


def arrays(sets):
    """The pixels of every set, its blocks joined."""
    found = {}
    for key, pixels, _ in sets.blocks:
        found.setdefault(key, []).append(pixels)
    return {key: torch.cat(parts) for key, parts in found.items()}


def refuse(*arguments, **options):
    raise AssertionError("made again")


@pytest.mark.parametrize("size", [7, 3])
def test_sets_equal_the_corruptions_whatever_the_blocks(images, size):
    sets = sets_of(images, size, seed=3)
    assert (sets.count, sets.source) == (4, "made here with cifar-c constants, seed 3")
    found = arrays(sets)
    assert set(found) == {("contrast", 1), ("contrast", 5), ("gaussian_noise", 1), ("gaussian_noise", 5)}
    for (name, severity), pixels in found.items():
        assert torch.equal(pixels, corrupt(images, name, severity, seed=3))


def test_labels_go_with_their_images(images):
    shown = [labels.tolist() for key, _, labels in sets_of(images, 4).blocks if key == ("contrast", 5)]
    assert shown == [[0, 1, 2, 3], [4, 5, 6]]


def test_a_process_makes_small_sets_once(images, monkeypatch):
    first = arrays(sets_of(images))
    monkeypatch.setattr(module, "corrupt", refuse)
    again = arrays(sets_of(images.clone()))
    assert all(torch.equal(pixels, again[key]) for key, pixels in first.items())
    for other in ({"seed": 1}, {"images": images[:6]}, {"severities": [2]}):
        with pytest.raises(AssertionError, match="made again"):
            arrays(sets_of(**{"images": images, **other}))


def test_sets_are_kept_apart_by_their_frost(images, monkeypatch):
    monkeypatch.setattr(module, "frost_source", lambda: "picture A")
    sets = sets_of(images, types=["frost"])
    assert "frost from picture A" in sets.source
    arrays(sets)
    arrays(sets_of(images, types=["contrast"]))
    monkeypatch.setattr(module, "frost_source", lambda: "picture B")
    monkeypatch.setattr(module, "corrupt", refuse)
    arrays(sets_of(images, types=["contrast"]))  # which no frost picture decides
    with pytest.raises(AssertionError, match="made again"):
        arrays(sets_of(images, types=["frost"]))


def test_what_is_kept_is_bounded_by_bytes(images, monkeypatch):
    size = images.numel()
    monkeypatch.setattr(module, "KEPT_BYTES", 4 * size - 1)
    arrays(sets_of(images))
    assert not module._kept, "four sets do not fit, so that none is kept"
    monkeypatch.setattr(module, "KEPT_BYTES", 4 * size)
    arrays(sets_of(images))
    arrays(sets_of(images, seed=1, severities=[1]))
    assert sum(pixels.nbytes for pixels in module._kept.values()) == 4 * size
    assert [identity[-2:] for identity in module._kept] == [
        ("gaussian_noise", 1), ("gaussian_noise", 5), ("contrast", 1), ("gaussian_noise", 1)
    ]  # fmt: skip


def test_large_images_are_asked_for_block_by_block():
    asked = []

    def one_by_one():
        for number in range(3):
            asked.append(number)
            yield torch.zeros(1, 32, 32, 3, dtype=torch.uint8), torch.tensor([number])

    sets = corrupted_sets(one_by_one(), 3, 32, types=["contrast"], severities=[1, 2])
    for count, (_, _, labels) in enumerate(sets.blocks, 1):
        assert len(asked) == labels.item() + 1 == (count + 1) // 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"types": ["rain"]}, "unknown corruption 'rain'; known:"),
        ({"severities": [0]}, "severity must be one of 1, 2, 3, 4, 5, got 0"),
    ],
)
def test_bad_input_is_refused_in_one_line(change, message, images):
    with pytest.raises(ValueError, match=message) as caught:
        sets_of(images, **change)
    assert "\n" not in str(caught.value)


# --- published archives -----------------------------------------------------------------------------------------------

LABELS = np.arange(10)


@pytest.fixture
def archive(tmp_path):
    random = np.random.RandomState(0)
    for name in REPORTED:
        np.save(tmp_path / f"{name}.npy", random.randint(0, 256, (50, 32, 32, 3)).astype(np.uint8))
    np.save(tmp_path / "labels.npy", np.tile(np.arange(10, dtype=np.uint8), 5))
    return tmp_path


@pytest.mark.parametrize("count", [10, 4])
def test_published_archives_are_cut_into_severities(archive, count, monkeypatch):
    monkeypatch.setattr(module, "ARCHIVE_BLOCK", 3)
    sets = official_sets(archive, LABELS[:count])
    assert (sets.count, sets.source) == (75, f"published archives, {archive}")
    found = arrays(sets)
    assert len(found) == 75
    assert np.array_equal(found["fog", 2].numpy(), np.load(archive / "fog.npy")[10 : 10 + count])


def test_labels_go_with_the_images_of_an_archive(archive, monkeypatch):
    monkeypatch.setattr(module, "ARCHIVE_BLOCK", 4)
    blocks = official_sets(archive, LABELS).blocks
    assert [labels.tolist() for key, _, labels in blocks if key == ("fog", 2)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_archives_are_mapped_and_not_read_whole(archive, monkeypatch):
    opened, load = [], np.load
    monkeypatch.setattr(module.np, "load", lambda *args, **options: opened.append(load(*args, **options)) or opened[-1])
    official_sets(archive, LABELS)
    assert len(opened) == len(REPORTED) + 1
    assert all(isinstance(each, np.memmap) and not each.flags.writeable for each in opened)


def objects(path):
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("fog", Path.unlink, "must hold the published archives, it lacks fog.npy"),
        ("labels", Path.unlink, "it lacks labels.npy"),
        (
            "fog",
            lambda path: np.save(path, np.zeros((49, 32, 32, 3), np.uint8)),
            r"\(50, side, side, 3\), got uint8 \(49, 32, 32, 3\)",
        ),
        ("fog", lambda path: np.save(path, np.zeros((50, 32, 32, 3))), "got float64"),
        ("fog", lambda path: np.save(path, np.zeros(50, np.uint8)), r"got uint8 \(50,\)"),
        ("fog", objects, "must be a whole .npy file of numbers"),
        ("fog", lambda path: path.write_bytes(path.read_bytes()[:500]), "must be a whole .npy file"),
        ("fog", lambda path: path.write_bytes(b""), "must be a whole .npy file"),
        ("labels", lambda path: np.save(path, np.arange(50)), "must hold the labels of the images five times"),
        ("labels", lambda path: np.save(path, np.tile(np.arange(10)[::-1], 5)), "but its labels differ"),
    ],
)
def test_bad_archives_are_refused_in_one_line(name, damage, message, archive):
    damage(archive / f"{name}.npy")
    with pytest.raises(ValueError, match=message) as caught:
        official_sets(archive, LABELS)
    assert "\n" not in str(caught.value)
