"""Folders of one's own images: which recipe they get, how their sizes are unified, and the errors of each."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.data_files import pictures, write_folder, write_npz, write_picture
from trainables.config import with_recipe
from trainables.data import folders as module
from trainables.data.batches import make_batches
from trainables.data.datasets import dataset_entry, load_dataset
from trainables.data.images import Files, Images
from trainables.data.npz_file import side_of
from trainables.methods import Vanilla


def test_small_pictures_of_a_folder_are_held_in_memory(tmp_path):
    base = write_folder(tmp_path)
    expected = write_picture(base / "test" / "bee" / "0.png")
    splits = load_dataset(f"folder:{base}")
    assert isinstance(splits.train, Images)
    assert (splits.classes, splits.size) == (("ant", "bee"), 8)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [10, 2, 12]
    assert np.array_equal(splits.test.pixels[6], expected)
    assert splits.test.labels.tolist() == [0] * 6 + [1] * 6


def test_grey_pictures_of_a_folder_become_three_equal_channels(tmp_path):
    base = write_folder(tmp_path)
    Image.new("L", (8, 8), 77).save(base / "test" / "ant" / "0.png")
    assert (load_dataset(f"folder:{base}").test.pixels[0] == 77).all()


def test_large_pictures_of_a_folder_stay_files(tmp_path):
    splits = load_dataset(f"folder:{write_folder(tmp_path, side=140, test='val')}")
    assert isinstance(splits.train, Files)
    assert splits.size == 224
    assert splits.test.path(0) == str(tmp_path / "val" / "ant" / "0.png")


def test_the_recipe_of_a_folder_depends_on_the_size_of_its_pictures(tmp_path):
    small = dataset_entry(f"folder:{write_folder(tmp_path / 'small')}").recipe
    large = dataset_entry(f"folder:{write_folder(tmp_path / 'large', side=140)}").recipe
    assert (small["model"], large["model"]) == ("resnet8", "resnet50")
    assert (small["augment"], large["augment"]) == ("flip", "resized_crop_flip")

    assert large["pretrained"]


def test_the_recipe_follows_the_median_side_or_the_side_that_is_asked_for_and_says_so(tmp_path):
    base = write_folder(tmp_path, side=140)
    for number in range(3):
        write_picture(base / "train" / "ant" / f"{number}.png", (20, 20))  # three of twelve change no median
    name = f"folder:{base}"
    assert dataset_entry(name).reason.endswith("the median side of the images is 140 pixels, above 128")
    assert dataset_entry(name, 64).reason.endswith("images are resized to 64 pixels")
    assert dataset_entry(name, 64).recipe["model"] == "resnet8"
    assert with_recipe(Vanilla(), name, resize=64).model == "resnet8"
    assert with_recipe(Vanilla(), name).model == "resnet50"


@pytest.mark.parametrize(
    ("side", "resize", "model", "reason"),
    [
        (48, None, "resnet8", "a small network from scratch: the median side of the images is 48 pixels, at most 128"),
        (140, None, "resnet50", "ImageNet weights are fine-tuned at 140 pixels: the median side of the images is 140"),
        (140, 32, "resnet8", "a small network from scratch: images are resized to 32 pixels"),
        (48, 224, "resnet50", "ImageNet weights are fine-tuned at 224 pixels: images are resized to 224 pixels"),
    ],
)
def test_the_recipe_of_an_array_follows_its_side_by_the_same_rule(tmp_path, side, resize, model, reason):
    file = write_npz(tmp_path / "a.npz", train_images=pictures(20, side), test_images=pictures(6, side))
    entry = dataset_entry(f"npz:{file}", resize)
    assert entry.recipe["model"] == model
    assert entry.reason.startswith(reason)
    splits = load_dataset(f"npz:{file}", resize=resize)
    assert splits.size == (resize or side)
    make_batches(splits.train, "cpu", str(entry.recipe["augment"]))  # not one that cuts files


def test_an_array_that_cannot_be_read_has_no_side(tmp_path):
    assert side_of(tmp_path / "none.npz") is None
    (tmp_path / "text.npz").write_text("text")
    assert side_of(tmp_path / "text.npz") is None
    assert side_of(write_npz(tmp_path / "a.npz", train_images=np.zeros(3))) is None


def test_images_of_all_sizes_are_resized_to_squares_in_memory(tmp_path):
    base = write_folder(tmp_path)
    write_picture(base / "train" / "ant" / "0.png", (300, 30))
    Image.new("RGB", (90, 40), (7, 80, 200)).save(base / "test" / "ant" / "0.png")
    splits = load_dataset(f"folder:{base}", resize=16)
    assert (splits.size, splits.test.pixels.shape) == (16, (12, 16, 16, 3))
    assert (splits.test.pixels[0] == (7, 80, 200)).all()
    file = write_npz(tmp_path / "a.npz")
    assert load_dataset(f"npz:{file}", resize=12).train.pixels.shape[1:] == (12, 12, 3)
    assert load_dataset(f"npz:{file}", resize=8).digest == load_dataset(f"npz:{file}").digest
    assert isinstance(load_dataset(f"folder:{base}", resize=224).train, Files)


def test_images_that_are_not_square_or_of_middling_size_are_refused_with_the_option_that_helps(tmp_path):
    for part, name in (("train", "ant"), ("train", "bee"), ("test", "ant"), ("test", "bee")):
        for number in range(4):
            write_picture(tmp_path / "oblong" / part / name / f"{number}.png", (8, 9))
    with pytest.raises(ValueError, match=r"must be square, got 8x9: .*0\.png; add --resize 32"):
        load_dataset(f"folder:{tmp_path / 'oblong'}")
    with pytest.raises(
        ValueError, match="at most 64 a side, got 96; add --resize 32, or 64 for four times the work, or --resize 224"
    ):
        load_dataset(f"folder:{write_folder(tmp_path / 'middling', side=96)}")


def test_one_message_names_every_bad_file_and_every_empty_class(tmp_path):
    base = write_folder(tmp_path / "data")
    for path in ("train/ant/0.png", "train/bee/3.png", "test/bee/5.png"):
        (base / path).write_bytes((base / path).read_bytes()[:100])
    for part in ("train", "test"):
        (base / part / "cat").mkdir()
    with pytest.raises(ValueError, match="must hold images") as caught:
        load_dataset(f"folder:{base}", resize=32)
    text = str(caught.value)
    assert text.count("is not a readable image") == 3
    assert text.count("cat must hold images, got none") == 2
    assert "\n" not in text


def test_a_folder_is_looked_over_some_files_at_a_time(tmp_path, monkeypatch):
    base = write_folder(tmp_path, side=140)
    whole = load_dataset(f"folder:{base}")
    waiting, most, look = [], [], module._look

    class Pool(ThreadPoolExecutor):
        def map(self, work, rows):
            waiting.append(len(rows))
            return super().map(work, rows)

    monkeypatch.setattr(module, "LOOKED_AT", 5)
    monkeypatch.setattr(module, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(module, "_look", lambda path: most.append(path) or look(path))
    assert load_dataset(f"folder:{base}").digest == whole.digest
    assert waiting == [5, 5, 5, 5, 4]
    assert sorted(most) == sorted(str(file) for file in base.rglob("*.png"))
    (base / "test" / "bee" / "5.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"5\.png is not a readable image"):
        load_dataset(f"folder:{base}")


def test_the_digest_changes_with_a_picture_a_label_or_a_split(tmp_path):
    def digest(base: Path) -> str:
        return load_dataset(f"folder:{base}").digest

    base = write_folder(tmp_path / "a", side=140)
    first = digest(base)
    assert digest(base) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert digest(tmp_path / "b") == first  # where the folder lies does not count
    (tmp_path / "b" / "test" / "ant" / "0.png").rename(tmp_path / "b" / "test" / "bee" / "x.png")
    assert digest(tmp_path / "b") != first


def remove(base: Path) -> None:
    for file in sorted(base.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    base.rmdir()


def spoil(path: str):
    return lambda base: (base / path).write_text("no picture")


def cut_off(base: Path) -> None:
    file = base / "train" / "ant" / "0.png"
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove, r"must hold train/ and test/ \(or val/\)"),
        (lambda base: remove(base / "test"), r"must hold train/ and test/"),
        (lambda base: remove(base / "train"), r"must hold train/ and test/"),
        (lambda base: write_folder(base, test="val"), "either test/ or val/, got both"),
        (lambda base: remove(base / "train" / "ant"), "same classes, got 'ant' in one of them only"),
        (lambda base: write_picture(base / "test" / "cat" / "0.png"), "same classes, got 'cat'"),
        (lambda base: [remove(base / "train" / name) for name in ("ant", "bee")], "one folder per class, got none"),
        (lambda base: [remove(base / "train" / "ant"), (base / "train" / "ant").mkdir()], "ant must hold images"),
        (
            lambda base: write_picture(base / "test" / "ant" / "3.png", (9, 9)),
            r"equally large.*\(9, 9\).*3\.png; add --resize 32",
        ),
        (lambda base: write_picture(base / "train" / "ant" / "0.png", (8, 9)), r"equally large.*\(8, 9\)"),
        (spoil("train/ant/0.png"), r"0\.png is not a readable image"),
        (spoil("test/bee/5.png"), r"5\.png is not a readable image"),
        (cut_off, r"0\.png is not a readable image"),
    ],
)
def test_a_wrong_folder_is_refused_in_one_line(tmp_path, change, message):
    base = write_folder(tmp_path / "data")
    change(base)
    name = f"folder:{base}"
    dataset_entry(name)  # naming it is no error: a configuration can be read where its data are not
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        load_dataset(name)
    assert "\n" not in str(caught.value)
