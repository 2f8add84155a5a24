"""The images of frost: those of a folder or of an installed package, else a procedural texture."""

import importlib.util
import os
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.ndimage
import torch
from PIL import Image
from torch import Tensor

FROST_FILES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")


def frost_folder() -> Path | None:
    """The folder of the frost images: $ENTPROP_FROST_DIR, else that of an installed package, else None."""
    given = os.environ.get("ENTPROP_FROST_DIR")
    if given:
        missing = [name for name in FROST_FILES if not Path(given, name).is_file()]
        if missing:
            raise ValueError(f"the frost folder must hold {', '.join(FROST_FILES)}, {given} lacks {', '.join(missing)}")
        return Path(given).resolve()
    for package in ("imagecorruptions", "imagenet_c"):
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if all(Path(place, "frost", name).is_file() for name in FROST_FILES):
                return Path(place, "frost")
    return None


def frost_source() -> str:
    """Where frost comes from, for a table's footnote: images with their checksum, or the procedural ice."""
    folder = frost_folder()
    if folder is None:
        return "procedural ice (not the published frost pictures)"
    checksum = 0
    for name in FROST_FILES:
        checksum = zlib.crc32((folder / name).read_bytes(), checksum)
    published = " (the published ones)" if checksum == PUBLISHED_FROST else ""
    return f"five pictures{published}, crc32 {checksum:08x}"


PUBLISHED_FROST = 0xF2A018DA  # crc32 of the five files of the ImageNet-C release, one after the other


@lru_cache(maxsize=2)
def _frost_pictures(folder: Path | None) -> list[np.ndarray]:
    if folder is None:
        return [procedural_frost(number) for number in range(len(FROST_FILES))]
    return [np.asarray(Image.open(folder / name).convert("RGB")) for name in FROST_FILES]


def frost_at_scale(scale: float, side: int) -> list[Tensor]:
    """The five images, uint8, shrunk by a factor but never below what a crop of the side needs."""
    return _frost_at_scale(frost_folder(), scale, side)


@lru_cache(maxsize=8)
def _frost_at_scale(folder: Path | None, scale: float, side: int) -> list[Tensor]:
    return [_shrunk(picture, max(scale, (side + 1) / min(picture.shape[:2]))) for picture in _frost_pictures(folder)]


def _shrunk(picture: np.ndarray, scale: float) -> Tensor:
    """Linear interpolation at pixel centres without smoothing, as OpenCV's default resize in its fixed-point steps."""
    if scale == 1:
        return torch.from_numpy(picture.copy())
    lines = [_between(length, scale) for length in picture.shape[:2]]
    across = torch.einsum("xw,hwc->hxc", lines[1], torch.from_numpy(picture.astype(float)))
    down = lines[0].reshape(*lines[0].shape, 1, 1) * (across / 16).floor()
    return ((down / 65536).floor().sum(1) + 2).div_(4).floor_().clamp_(0, 255).to(torch.uint8)


def _between(length: int, scale: float) -> Tensor:
    """The matrix of linear interpolation of a line at the centres of larger pixels, in OpenCV's whole 1/2048ths."""
    at = ((torch.arange(round(length * scale)).double() + 0.5) / scale - 0.5).clamp_(0, length - 1)
    return ((1 - (at[:, None] - torch.arange(length)).abs()).clamp_min(0) * 2048).round()


def procedural_frost(number: int) -> np.ndarray:
    """An image of ice: ridges of noise at five scales over a bluish ground, about as bright as the published frost."""
    random = np.random.default_rng(20190301 + number)
    height, width = 360, 540
    total, weight = np.zeros((height, width)), 1.0
    for cells in (3, 6, 12, 24, 48):
        lattice = random.random((cells + 3, int(cells * 1.5 * random.uniform(0.5, 2)) + 3))
        field = scipy.ndimage.zoom(lattice, (height / lattice.shape[0], width / lattice.shape[1]), order=3)
        ridges = 1 - np.abs(2 * field[:height, :width] - 1)
        total += weight * ridges**3
        weight *= 0.8
    total += 0.5 * random.random((height, width))
    total = (total - total.mean()) / total.std()
    ground = np.array([(90, 140, 155), (200, 204, 212), (180, 190, 200), (138, 152, 164), (112, 123, 135)][number])
    contrast = (20, 22, 25, 30, 42)[number]
    return (ground + contrast * total[..., None]).clip(0, 255).astype(np.uint8)
