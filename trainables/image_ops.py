"""What the corruptions are made of: levels and colours, borders, filters, and drops of water.

Pictures are (n, height, width, channels) here, in levels 0…255. No result of an image depends on the others in its
batch: sums are taken over integers, or in a fixed order, wherever a last digit could change a truncated level.
The same holds of `jpeg`, `resampling`, `frost` and `draws`, which are used beside it.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

# --- levels -----------------------------------------------------------------------------------------------------------


def planar(images: Tensor) -> Tensor:
    """(n, channels, height, width): arithmetic that treats channels alike is several times faster so."""
    return images.permute(0, 3, 1, 2).contiguous()


def shares(images: Tensor) -> Tensor:
    """Levels as doubles in [0, 1]."""
    return images.double().div_(255)


def to_levels(values: Tensor) -> Tensor:
    """Doubles in [0, 1] to truncated levels; overwrites its argument."""
    return values.clamp_(0, 1).mul_(255).to(torch.uint8)


def truncated_share(images: Tensor) -> Tensor:
    """The level left of each level when it is divided by 255, multiplied again and truncated: some lose one."""
    return shares(images).mul_(255).to(torch.uint8)


def take_pixels(images: Tensor, source: Tensor) -> Tensor:
    """Each pixel replaced by the one at a flat place (n, pixels) of its image. A pixel moves as one 32-bit word."""
    words = torch.nn.functional.pad(images, (0, 1)).view(torch.int32).view(-1)
    start = torch.arange(0, len(words), source.shape[1], device=source.device)[:, None]
    taken = words.index_select(0, (source + start).view(-1))
    return taken.view(torch.uint8).view(*images.shape[:3], 4)[..., :3]


def to_hsv(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue, saturation and value in [0, 1], in the order of operations scikit-image uses."""
    red, green, blue = shares(images.permute(3, 0, 1, 2).contiguous())
    value = red.maximum(green).maximum(blue)
    chroma = value - red.minimum(green).minimum(blue)
    part = chroma.masked_fill(chroma == 0, 1)
    hue = torch.where(red == value, (green - blue) / part, torch.zeros_like(value))
    hue = torch.where(green == value, 2 + (blue - red) / part, hue)
    hue = torch.where(blue == value, 4 + (red - green) / part, hue)
    return (hue / 6).remainder_(1).masked_fill_(chroma == 0, 0), chroma / value.masked_fill(value == 0, 1), value


def from_hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Back to (n, height, width, RGB)."""
    sector = (hue * 6).floor()
    along = hue * 6 - sector
    low, falling = value * (1 - saturation), value * (1 - along * saturation)
    rising = value * (1 - (1 - along) * saturation)
    choices = torch.stack((value, low, rising, falling))
    order = [(0, 3, 1, 1, 2, 0), (2, 0, 0, 3, 1, 1), (1, 1, 2, 0, 0, 3)]  # of red, green and blue in the six sectors
    pick = torch.tensor(order, device=hue.device)[:, sector.long() % 6]
    return choices.gather(0, pick).permute(1, 2, 3, 0)


def gray(planes: Tensor) -> Tensor:
    """Luma of RGB planes, one channel, in the units of the input."""
    red, green, blue = planes.split(1, 1)
    return (red * 0.299).add_(green * 0.587).add_(blue * 0.114)


# --- borders ----------------------------------------------------------------------------------------------------------


def border(length: int, before: int, after: int, mode: str) -> np.ndarray:
    """Where the pixels -before … length + after - 1 of an extended line come from."""
    index = np.arange(-before, length + after)
    if mode == "nearest":
        return index.clip(0, length - 1)
    if mode == "reflect":  # d c b a | a b c d | d c b a
        folded = index % (2 * length)
        return np.minimum(folded, 2 * length - 1 - folded)
    folded = index % max(1, 2 * length - 2)  # mirror: d c b | a b c d | c b a
    return np.minimum(folded, 2 * length - 2 - folded)


def extend(images: Tensor, rows: tuple[int, int], columns: tuple[int, int], mode: str) -> Tensor:
    """The images with extra rows above and below and columns left and right."""
    for dim, (before, after) in ((1, rows), (2, columns)):
        if before or after:
            length = images.shape[dim]
            index = torch.from_numpy(border(length, before, after, mode)).to(images.device)
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


def gaussian_blur_exact(shares: Tensor, sigma: float) -> Tensor:
    """A Gaussian over height and width with the outermost taps added first: every last digit is as scipy leaves it.

    It matters where a plain region lands on a whole level and is then truncated.
    """
    weights = gaussian_weights(sigma, truncate=4)
    pair = torch.empty_like(shares)
    for dim in (1, 2) if len(weights) > 1 else ():
        total = shares * weights[0]
        for far in range(len(weights) - 1, 0, -1):
            _add_neighbours(shares, far, dim, out=pair)
            total += pair.mul_(weights[far])
        shares = total
    return shares


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
    source = border(length, radius, radius, mode)
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
    index = border(len(line), taps // 2, taps // 2, "mirror")
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
    wide = extend(images, (used, used), (used, used), "mirror").to(torch.int32 if len(rows) > 128 else torch.int16)
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
    wide = extend(images, (top, max(down)), (left, max(right)), "nearest").float()
    total = torch.zeros(images.shape, device=images.device)
    for weight, row, column in zip(weights, down, right, strict=True):
        total.add_(wide[:, top + row : top + row + height, left + column : left + column + width], alpha=weight)
    return total.add_(1e-3).to(torch.uint8)


# --- drops of water ---------------------------------------------------------------------------------------------------


def splashes(drops: Tensor) -> Tensor:
    """How strongly water (n, height, width) shines at each pixel, in [0, 1]: brightest beside the edges of a drop."""
    distance = edge_distance(edges(drops, 50, 150), limit=20)
    rings = equalized(_mean3(distance).floor())
    relief = _correlate3(rings, ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))).clamp_(0, 255)
    shine = _mean3(relief).round() * drops
    return shine / shine.amax((1, 2), keepdim=True).clamp_min(1)


def _correlate3(planes: Tensor, kernel: Sequence[Sequence[float]], mode: str = "mirror") -> Tensor:
    height, width = planes.shape[1:3]
    wide = extend(planes, (1, 1), (1, 1), mode)
    shifted = (
        wide[:, r : r + height, c : c + width] * kernel[r][c] for r in range(3) for c in range(3) if kernel[r][c]
    )
    return torch.stack(tuple(shifted)).sum(0)


def _mean3(planes: Tensor) -> Tensor:
    return _correlate3(planes, ((1, 1, 1),) * 3) / 9


def edges(planes: Tensor, low: int, high: int) -> Tensor:
    """Canny's edges of levels: Sobel slopes, thinned across the edge, weak ones kept where they touch strong ones."""
    levels = planes.int()
    right = _correlate3(levels, ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), "nearest")
    down = _correlate3(levels, ((-1, -2, -1), (0, 0, 0), (1, 2, 1)), "nearest")
    slope = right.abs() + down.abs()
    wide = torch.nn.functional.pad(slope, (1, 1, 1, 1))
    height, width = slope.shape[1:]

    def neighbour(r: int, c: int) -> Tensor:
        return wide[:, 1 + r : 1 + r + height, 1 + c : 1 + c + width]

    flat = right.abs() * 13573  # tan 22.5 degrees in 1/32768
    steep = flat + (right.abs() << 16)
    along_row = (slope > neighbour(0, -1)) & (slope >= neighbour(0, 1))
    along_column = (slope > neighbour(-1, 0)) & (slope >= neighbour(1, 0))
    falling = (slope > neighbour(-1, -1)) & (slope > neighbour(1, 1))
    rising = (slope > neighbour(-1, 1)) & (slope > neighbour(1, -1))
    diagonal = torch.where((right ^ down) < 0, rising, falling)
    rise = down.abs() << 15
    thin = torch.where(rise < flat, along_row, torch.where(rise > steep, along_column, diagonal)) & (slope > low)
    found = thin & (slope > high)
    while True:
        grown = torch.nn.functional.max_pool2d(found.float().unsqueeze(1), 3, 1, 1).squeeze(1).bool() & thin
        if (grown == found).all():
            return found
        found = grown


def edge_distance(found: Tensor, limit: float) -> Tensor:
    """Shortest path to an edge by steps of 1, 1.4 (diagonal) and 2.1969 (a knight's move), at most the limit."""
    distance = torch.where(found, 0.0, limit).double()
    height, width = found.shape[1:]
    steps = [(r, c) for r in range(-2, 3) for c in range(-2, 3) if math.gcd(r, c) == 1]
    cost = {1: 1.0, 2: 1.4, 5: 2.1969}
    while True:
        wide = torch.nn.functional.pad(distance, (2, 2, 2, 2), value=limit)
        shorter = distance
        for r, c in steps:
            shorter = shorter.minimum(wide[:, 2 + r : 2 + r + height, 2 + c : 2 + c + width] + cost[r * r + c * c])
        if (shorter == distance).all():
            return distance
        distance = shorter


def equalized(levels: Tensor) -> Tensor:
    """Histogram equalisation of whole levels (n, height, width); a plane of one level stays as it is."""
    flat = levels.flatten(1).long()
    counts = torch.zeros(len(flat), 256, dtype=torch.float64, device=flat.device)
    counts.scatter_add_(1, flat, torch.ones_like(flat, dtype=torch.float64))
    lowest = counts.gather(1, flat.amin(1, keepdim=True))
    curve = ((counts.cumsum(1) - lowest) * 255 / (flat.shape[1] - lowest).clamp_min(1)).round()
    mapped = torch.where(lowest == flat.shape[1], flat.double(), curve.gather(1, flat))
    return mapped.view(levels.shape)
