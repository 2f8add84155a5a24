"""Small data sets on disk for tests: pictures, folders of them, and arrays."""

from pathlib import Path

import numpy as np
from PIL import Image

RANDOM = np.random.RandomState(0)


def pictures(count: int, side: int = 8) -> np.ndarray:
    return RANDOM.randint(0, 256, (count, side, side, 3)).astype(np.uint8)


def labels(count: int, classes: int = 2) -> np.ndarray:
    return np.arange(count) % classes


def write_picture(file: Path, side: tuple[int, int] = (8, 8)) -> np.ndarray:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = RANDOM.randint(0, 256, (side[1], side[0], 3)).astype(np.uint8)
    Image.fromarray(pixels).save(file)
    return pixels


def write_folder(base: Path, side: int = 8, test: str = "test", count: int = 6) -> Path:
    for split in ("train", test):
        for name in ("ant", "bee"):
            for number in range(count):
                write_picture(base / split / name / f"{number}.png", (side, side))
    return base


def write_npz(file: Path, **changes: object) -> Path:
    arrays = {
        "train_images": pictures(20),
        "train_labels": labels(20),
        "test_images": pictures(6),
        "test_labels": labels(6),
        "classes": np.array(["ant", "bee"]),
        **changes,
    }
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    return file
