"""Padding and filters: Gaussian, disc and motion blurs.

Images are (n, height, width, channels) in levels 0…255. The result for an image never depends on the others in its
batch: sums are taken over integers, or in a fixed order, wherever a last digit could change a truncated level.
The same holds for the other files of this folder.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

# --- borders ----------------------------------------------------------------------------------------------------------


def pad_index(length: int, before: int, after: int, mode: str) -> np.ndarray:
    """Where the pixels -before … length + after - 1 of an extended line come from."""
    index = np.arange(-before, length + after)
    if mode == "nearest":
        return index.clip(0, length - 1)
    if mode == "reflect":  # d c b a | a b c d | d c b a
        folded = index % (2 * length)
        return np.minimum(folded, 2 * length - 1 - folded)
    folded = index % max(1, 2 * length - 2)  # mirror: d c b | a b c d | c b a
    return np.minimum(folded, 2 * length - 2 - folded)


def pad(images: Tensor, rows: tuple[int, int], columns: tuple[int, int], mode: str) -> Tensor:
    """The images with extra rows above and below and columns left and right."""
    for dim, (before, after) in ((1, rows), (2, columns)):
        if before or after:
            length = images.shape[dim]
            index = torch.from_numpy(pad_index(length, before, after, mode)).to(images.device)
            images = torch.cat(
                (images.index_select(dim, index[:before]), images, images.index_select(dim, index[before + length :])),
                dim,
            )
    return images


# --- filters ----------------------------------------------------------------------------------------------------------


def gaussian_weights(sigma: float, truncate: float) -> list[float]:
    """Half a normalised Gaussian: the centre, then each further tap. Made in the order of operations scipy uses."""
    radius = int(truncate * sigma + 0.5)
    taps = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 / (sigma * sigma) * taps**2) if radius else np.ones(1)
    weights = weights / weights.sum()
    return [float(weight) for weight in weights[radius:]]


def gaussian_blur_exact(to_float: Tensor, sigma: float) -> Tensor:
    """A Gaussian over height and width with the outermost taps added first: every last digit is as scipy leaves it.

    It matters where a plain region lands on a whole level and is then truncated.
    """
    weights = gaussian_weights(sigma, truncate=4)
    pair = torch.empty_like(to_float)
    for dim in (1, 2) if len(weights) > 1 else ():
        total = to_float * weights[0]
        for far in range(len(weights) - 1, 0, -1):
            _add_neighbours(to_float, far, dim, out=pair)
            total += pair.mul_(weights[far])
        to_float = total
    return to_float


def _add_neighbours(values: Tensor, far: int, dim: int, out: Tensor) -> None:
    """The sum of the two values at a distance along one dimension; beyond the border its last value goes on."""
    length = values.shape[dim]
    far_in = min(far, length)

    def part(tensor: Tensor, start: int, stop: int) -> Tensor:
        return tensor.narrow(dim, start, stop - start)

    first, last = part(values, 0, 1), part(values, length - 1, length)
    if 2 * far < length:
        torch.add(part(values, 0, length - 2 * far), part(values, 2 * far, length), out=part(out, far, length - far))
        torch.add(part(values, far, 2 * far), first, out=part(out, 0, far))
        torch.add(part(values, length - 2 * far, length - far), last, out=part(out, length - far, length))
        return
    line = torch.arange(length, device=values.device)
    before, after = (line - far_in).clamp_min_(0), (line + far_in).clamp_max_(length - 1)
    torch.add(values.index_select(dim, before), values.index_select(dim, after), out=out)


@lru_cache(maxsize=64)
def gaussian_matrix(length: int, sigma: float, truncate: float, mode: str) -> Tensor:
    """The same Gaussian as a matrix, for smooth random fields, where a last digit cannot matter."""
    half = gaussian_weights(sigma, truncate)
    radius = len(half) - 1
    source = pad_index(length, radius, radius, mode)
    matrix = np.zeros((length, length))
    for offset in range(-radius, radius + 1):
        np.add.at(matrix, (np.arange(length), source[radius + offset :][:length]), half[abs(offset)])
    return torch.from_numpy(matrix)


@lru_cache(maxsize=64)
def disk(radius: float, alias_blur: float) -> np.ndarray:
    """A filled circle of total weight one whose edge is softened by a small Gaussian, in single precision."""
    reach, taps = (8, 3) if radius <= 8 else (int(radius), 5)
    line = np.arange(-reach, reach + 1)
    kernel = (line[:, None] ** 2 + line**2 <= radius**2).astype(np.float32)
    kernel /= kernel.sum()
    soft = np.exp(-0.5 * (np.arange(taps) - taps // 2) ** 2 / alias_blur**2)
    soft = (soft / soft.sum()).astype(np.float32)
    index = pad_index(len(line), taps // 2, taps // 2, "mirror")
    for _ in range(2):  # along one axis, transposed, along the other
        wide = kernel[:, index]
        centre = taps // 2
        total = wide[:, centre : centre + len(line)] * soft[centre]
        for far in range(1, centre + 1):
            pair = wide[:, centre - far :][:, : len(line)] + wide[:, centre + far :][:, : len(line)]
            total = total + pair * soft[centre + far]
        kernel = np.ascontiguousarray(total.T)
    return kernel


def filter_levels(images: Tensor, kernel: np.ndarray) -> Tensor:
    """Correlate levels with a kernel whose weights repeat: whole-number sums, then one product for each weight."""
    reach = kernel.shape[0] // 2
    rows, columns = np.nonzero(kernel)
    used = int(max(abs(rows - reach).max(), abs(columns - reach).max()))
    height, width = images.shape[1:3]
    wide = pad(images, (used, used), (used, used), "mirror").to(torch.int32 if len(rows) > 128 else torch.int16)
    total = torch.zeros(images.shape, dtype=torch.float64, device=images.device)
    double = torch.empty_like(total)
    for weight in np.unique(kernel[rows, columns]):
        places = [(r - reach + used, c - reach + used) for r, c in zip(*np.nonzero(kernel == weight), strict=True)]
        slices = [wide[:, r : r + height, c : c + width] for r, c in places]
        part = slices[0].clone() if len(slices) > 1 else slices[0]
        for piece in slices[1:]:
            part += piece
        total += double.copy_(part).mul_(float(weight))
    return total


def motion_blur_levels(images: Tensor, degrees: Tensor, radius: int, sigma: float) -> Tensor:
    """ImageMagick's motion blur: half a Gaussian along a line of whole-pixel steps, the border repeated, truncated.

    Images whose lines pass through the same pixels are blurred together.
    """
    width = 2 * math.ceil(radius) + 1
    steps = np.arange(width)
    weights = np.exp(-(steps**2) / (2.0 * sigma * sigma))
    weights /= weights.sum()
    weights = weights[weights > 1e-5]  # the rest together would move a level by less than 0.01
    weights, steps = weights / weights.sum(), steps[: len(weights)]
    angles = np.deg2rad(degrees.cpu().numpy().reshape(-1, 1))
    points = np.stack((width * np.sin(angles), width * np.cos(angles)), -1)
    length = np.hypot(points[..., :1], points[..., 1:])
    offsets = np.ceil(steps[:, None] * points / length - 0.5).astype(np.int64)
    order = np.argsort(angles[:, 0], kind="stable")  # neighbours in angle share a path
    paths = offsets[order].reshape(len(images), -1, 2)
    starts = np.flatnonzero(np.r_[True, (paths[1:] != paths[:-1]).any((1, 2))])
    sizes = np.diff(np.r_[starts, len(images)]).tolist()
    sorted_images = images.index_select(0, torch.from_numpy(order).to(images.device))
    parts = zip(sorted_images.split(sizes), paths[starts].tolist(), strict=True)
    blurred = torch.cat([_blur_along(part, path, weights.tolist()) for part, path in parts])
    return blurred.index_select(0, torch.from_numpy(np.argsort(order)).to(images.device))


def _blur_along(images: Tensor, path: Sequence[Sequence[int]], weights: list[float]) -> Tensor:
    height, width = images.shape[1:3]
    down, right = zip(*path, strict=True)
    top, left = -min(down), -min(right)
    wide = pad(images, (top, max(down)), (left, max(right)), "nearest").float()
    total = torch.zeros(images.shape, device=images.device)
    for weight, row, column in zip(weights, down, right, strict=True):
        total.add_(wide[:, top + row : top + row + height, left + column : left + column + width], alpha=weight)
    return total.add_(1e-3).to(torch.uint8)
