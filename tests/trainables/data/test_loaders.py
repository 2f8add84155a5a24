"""Every loader on files of its own format, and the errors of each."""

import hashlib
import pickle
import socket
import struct
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from tests.support.data_files import labels, pictures, write_folder, write_npz, write_picture
from trainables.data.datasets import DATASETS, load_dataset

# --------------------------------------------------------------------------------------------------------------- npz


def test_an_npz_comes_back_as_it_was_written(tmp_path):
    images = pictures(6)
    file = write_npz(tmp_path / "a.npz", test_images=images, test_labels=np.array([1, 0, 1, 1, 0, 0], dtype=np.uint8))
    splits = load_dataset(f"npz:{file}")
    assert np.array_equal(splits.test.pixels, images)
    assert splits.test.labels.tolist() == [1, 0, 1, 1, 0, 0]
    assert splits.test.labels.dtype == np.int64
    assert (splits.size, splits.classes, len(splits.train), len(splits.validation)) == (8, ("ant", "bee"), 18, 2)
    assert str(file) in splits.source


def test_an_npz_without_class_names_numbers_them(tmp_path):
    assert load_dataset(f"npz:{write_npz(tmp_path / 'a.npz', classes=None)}").classes == ("0", "1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_labels": None}, "test_labels is missing"),
        ({"train_images": pictures(20).astype(np.float32)}, "train_images must be uint8 .* got float32"),
        ({"train_images": pictures(20)[..., 0]}, r"got uint8 \(20, 8, 8\); repeat grey images to three channels"),
        ({"train_images": pictures(20)[..., :1]}, r"got uint8 \(20, 8, 8, 1\); repeat grey"),
        (
            {"train_images": pictures(20).transpose(0, 3, 1, 2)},
            r"got uint8 \(20, 3, 8, 8\); channels come last: .*transpose\(0, 2, 3, 1\)",
        ),
        ({"train_images": pictures(20) / 255.0}, r"got float64 .*; numbers from 0 to 1 become bytes with"),
        ({"train_images": pictures(20)[:, :6]}, r"got uint8 \(20, 6, 8, 3\)"),
        ({"test_images": pictures(0), "test_labels": labels(0)}, r"test_images must be .* got uint8 \(0, 8, 8, 3\)"),
        ({"test_images": pictures(6, 9)}, "equally large, got sides of 8 and 9"),
        ({"train_labels": labels(19)}, "train must have one label per image, got 19 for 20"),
        ({"train_labels": labels(20) / 1.0}, "train_labels must be integers of shape .* got float64"),
        ({"train_labels": labels(20).reshape(20, 1)}, r"train_labels must be integers .* got int64 \(20, 1\)"),
        ({"train_labels": labels(20, 3)}, r"train_labels must be in \[0, 1\], got 0 to 2"),
        ({"train_labels": labels(20) + 1}, "labels must begin at 0, got 1 to 2; subtract 1 from train_labels and test"),
        ({"classes": None, "train_labels": labels(20) + 1}, "labels must begin at 0, got 1 to 2; subtract 1"),
        ({"classes": None, "train_labels": 3 * labels(20)}, "must have a training image, got none of 1, 2$"),
        ({"classes": None, "train_labels": 0 * labels(20), "test_labels": 0 * labels(6)}, "two classes, got '0' alone"),
        ({"test_labels": labels(6) - 1}, r"test_labels must be in \[0, 1\], got -1 to 0"),
        ({"classes": None, "test_labels": labels(6, 3)}, r"test_labels must be in \[0, 1\], got 0 to 2"),
        ({"classes": np.array([1, 2])}, "classes must be a list of strings, got int64"),
        ({"classes": np.array(["ant", None])}, "Object arrays cannot be loaded"),
        ({"train_images": np.full((20, 8, 8, 3), 7, dtype=np.uint8)}, "must vary in each of the three channels"),
    ],
)
def test_a_wrong_npz_is_refused_in_one_line(tmp_path, changes, message):
    file = write_npz(tmp_path / "a.npz", **changes)
    with pytest.raises(ValueError, match=message) as caught:
        load_dataset(f"npz:{file}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_broken_or_no_npz_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_dataset(f"npz:{tmp_path / 'none.npz'}")
    text = tmp_path / "text.npz"
    text.write_text("hello")
    with pytest.raises(ValueError, match="is not an npz file"):
        load_dataset(f"npz:{text}")
    broken = write_npz(tmp_path / "broken.npz")
    content = bytearray(broken.read_bytes())
    content[400:420] = bytes(20)
    broken.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.npz: Bad CRC"):
        load_dataset(f"npz:{broken}")


# ------------------------------------------------------------------------------------------------ folders of known sets


def test_cub_is_read_from_its_lists(tmp_path):
    base = tmp_path / "CUB_200_2011"
    rows = [(number, f"00{number % 2 + 1}.Bird/b{number}.jpg", number % 2 + 1, int(number < 8)) for number in range(12)]
    for _, name, _, _ in rows:
        write_picture(base / "images" / name)
    (base / "images.txt").write_text("".join(f"{i + 1} {name}\n" for i, name, _, _ in rows))
    (base / "image_class_labels.txt").write_text("".join(f"{i + 1} {label}\n" for i, _, label, _ in rows))
    (base / "train_test_split.txt").write_text("".join(f"{i + 1} {train}\n" for i, _, _, train in rows))
    (base / "classes.txt").write_text("1 001.Bird\n2 002.Bird\n")
    splits = load_dataset("cub", tmp_path)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [6, 2, 4]
    assert splits.classes == ("001.Bird", "002.Bird")
    assert splits.test.path(1) == str(base / "images" / "002.Bird" / "b9.jpg")
    assert splits.test.labels.tolist() == [0, 1, 0, 1]


def test_cars_are_read_from_the_devkit(tmp_path):
    from scipy.io import savemat

    base = tmp_path / "stanford_cars"
    (base / "devkit").mkdir(parents=True)
    savemat(base / "devkit" / "cars_meta.mat", {"class_names": np.array(["Audi", "Fiat"], dtype=object)})
    for split, file, count in (
        ("train", "devkit/cars_train_annos.mat", 6),
        ("test", "cars_test_annos_withlabels.mat", 3),
    ):
        rows = np.empty((1, count), dtype=[("bbox_x1", object), ("class", object), ("fname", object)])
        for number in range(count):
            rows[0, number] = (1, number % 2 + 1, f"{number}.jpg")
            write_picture(base / f"cars_{split}" / f"{number}.jpg")
        savemat(base / file, {"annotations": rows})
    splits = load_dataset("cars", tmp_path)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [4, 2, 3]
    assert splits.classes == ("Audi", "Fiat")
    assert splits.test.path(2) == str(base / "cars_test" / "2.jpg")
    assert splits.test.labels.tolist() == [0, 1, 0]


def test_cars_and_imagenet_are_read_from_class_folders(tmp_path):
    write_folder(tmp_path / "stanford_cars", side=140)
    write_folder(tmp_path / "imagenet", side=140, test="val")
    write_folder(tmp_path / "imagenet100", side=140, test="val")
    for name in ("cars", "imagenet", "imagenet100"):
        splits = load_dataset(name, tmp_path)
        assert splits.classes == ("ant", "bee")
        assert len(splits.test) == 12


@pytest.mark.parametrize(
    ("name", "words"),
    [("cars", "Kaggle"), ("cub", "data.caltech.edu"), ("imagenet", "image-net.org"), ("imagenet100", "does not say")],
)
def test_a_data_set_that_must_be_fetched_by_hand_says_where(tmp_path, name, words):
    with pytest.raises(FileNotFoundError, match=words) as caught:
        load_dataset(name, tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------------------------- those of torchvision


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.mark.parametrize(
    "name", [name for name in DATASETS if name not in ("digits", "fashion") and not DATASETS[name].folder_only]
)
def test_a_failed_download_says_in_one_line_what_was_tried_and_what_to_do(no_network, tmp_path, capfd, name):
    with pytest.raises(
        FileNotFoundError, match=r"could not be downloaded \(.*no route to host.*by hand: .*http"
    ) as caught:
        load_dataset(name, tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert socket.getdefaulttimeout() is None
    assert capfd.readouterr() == ("", "")


def test_a_data_folder_that_is_missing_is_not_made(no_network, tmp_path):
    with pytest.raises(FileNotFoundError, match="the data folder must exist"):
        load_dataset("cifar10", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_data_folder_is_that_of_the_environment(no_network, tmp_path, monkeypatch):
    monkeypatch.setenv("ENTPROP_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        load_dataset("cifar10")


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("name", "kind", "key"), [("cifar10", "CIFAR10", "labels"), ("cifar100", "CIFAR100", "fine_labels")]
)
def test_cifar_is_read_from_its_batches(tmp_path, monkeypatch, name, kind, key):
    from torchvision import datasets

    of_torchvision = getattr(datasets, kind)
    base = tmp_path / of_torchvision.base_folder
    base.mkdir()
    images, classes = pictures(12, 32), ["cat", "dog"]

    def write(file: str, rows: slice) -> list[str]:
        planes = images[rows].transpose(0, 3, 1, 2).reshape(-1, 3072)
        (base / file).write_bytes(pickle.dumps({"data": planes, key: labels(len(planes)).tolist()}))
        return [file, md5(base / file)]

    monkeypatch.setattr(of_torchvision, "train_list", [write("first", slice(0, 8))])
    monkeypatch.setattr(of_torchvision, "test_list", [write("second", slice(8, 12))])
    meta = of_torchvision.meta
    (base / meta["filename"]).write_bytes(pickle.dumps({meta["key"]: classes}))
    monkeypatch.setattr(of_torchvision, "meta", {**meta, "md5": md5(base / meta["filename"])})

    splits = load_dataset(name, tmp_path)
    assert (splits.size, splits.classes) == (32, ("cat", "dog"))
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [6, 2, 4]
    assert np.array_equal(splits.test.pixels, images[8:])
    assert splits.test.pixels.flags.c_contiguous
    assert splits.test.labels.tolist() == [0, 1, 0, 1]


def test_svhn_is_read_from_its_mat_files_and_its_class_10_is_the_digit_0(tmp_path, monkeypatch):
    from scipy.io import savemat
    from torchvision.datasets import SVHN

    images = pictures(40, 32)
    files = {}
    for split in ("train", "test"):
        file = tmp_path / f"{split}_32x32.mat"
        savemat(file, {"X": images.transpose(1, 2, 3, 0), "y": np.arange(40).reshape(-1, 1) % 10 + 1})
        files[split] = ["http://nowhere", file.name, md5(file)]
    monkeypatch.setattr(SVHN, "split_list", files)
    splits = load_dataset("svhn", tmp_path)
    assert np.array_equal(splits.test.pixels, images)
    assert splits.test.labels[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


@pytest.mark.parametrize(("name", "kind"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_mnist_is_read_from_its_idx_files_and_brought_to_32_pixels(tmp_path, name, kind):
    base = tmp_path / kind / "raw"
    base.mkdir(parents=True)
    grey = pictures(40, 28)[..., 0]
    for part in ("train", "t10k"):
        (base / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 2051, 40, 28, 28) + grey.tobytes())
        (base / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2i", 2049, 40) + (np.arange(40) % 10).astype(np.uint8).tobytes()
        )
    splits = load_dataset(name, tmp_path)
    assert splits.test.pixels.shape == (40, 32, 32, 3)
    assert (splits.test.pixels[:, 2:-2, 2:-2] == grey[..., None]).all()
    assert splits.test.pixels[:, :2].max() == splits.test.pixels[:, :, -2:].max() == 0
    assert splits.test.labels.tolist() == [*range(10)] * 4
    assert len(splits.classes) == 10


def test_pets_keep_the_official_split(tmp_path):
    base = tmp_path / "oxford-iiit-pet"
    (base / "annotations").mkdir(parents=True)
    for split, count in (("trainval", 8), ("test", 4)):
        rows = [(("Abyssinian", "great_pyrenees")[number % 2], number % 2 + 1, number) for number in range(count)]
        lines = [f"{name}_{split}{number} {label} 1 1\n" for name, label, number in rows]
        (base / "annotations" / f"{split}.txt").write_text("".join(lines))
        for name, _, number in rows:
            write_picture(base / "images" / f"{name}_{split}{number}.jpg")
    splits = load_dataset("pets", tmp_path)
    assert splits.classes == ("Abyssinian", "great_pyrenees")
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [6, 2, 4]
    assert splits.test.path(1) == str(base / "images" / "great_pyrenees_test1.jpg")
    assert splits.test.labels.tolist() == [0, 1, 0, 1]
