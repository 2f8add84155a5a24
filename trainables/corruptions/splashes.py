"""The water and mud of the `spatter` corruption, with the edge filters that it needs."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.corruptions.filters import pad

# --- drops of water ---------------------------------------------------------------------------------------------------


def splashes(drops: Tensor) -> Tensor:
    """The brightness of water (n, height, width) at each pixel, in [0, 1]: highest beside the edges of a drop."""
    distance = chamfer_distance(canny(drops, 50, 150), limit=20)
    rings = equalize_hist(_mean3(distance).floor())
    relief = _correlate3(rings, ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))).clamp_(0, 255)
    shine = _mean3(relief).round() * drops
    return shine / shine.amax((1, 2), keepdim=True).clamp_min(1)


def _correlate3(planes: Tensor, kernel: Sequence[Sequence[float]], mode: str = "mirror") -> Tensor:
    height, width = planes.shape[1:3]
    wide = pad(planes, (1, 1), (1, 1), mode)
    shifted = (
        wide[:, r : r + height, c : c + width] * kernel[r][c] for r in range(3) for c in range(3) if kernel[r][c]
    )
    return torch.stack(tuple(shifted)).sum(0)


def _mean3(planes: Tensor) -> Tensor:
    return _correlate3(planes, ((1, 1, 1),) * 3) / 9


def canny(planes: Tensor, low: int, high: int) -> Tensor:
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


def chamfer_distance(found: Tensor, limit: float) -> Tensor:
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


def equalize_hist(levels: Tensor) -> Tensor:
    """Histogram equalisation of whole levels (n, height, width); a plane of one level stays as it is."""
    flat = levels.flatten(1).long()
    counts = torch.zeros(len(flat), 256, dtype=torch.float64, device=flat.device)
    counts.scatter_add_(1, flat, torch.ones_like(flat, dtype=torch.float64))
    lowest = counts.gather(1, flat.amin(1, keepdim=True))
    curve = ((counts.cumsum(1) - lowest) * 255 / (flat.shape[1] - lowest).clamp_min(1)).round()
    mapped = torch.where(lowest == flat.shape[1], flat.double(), curve.gather(1, flat))
    return mapped.view(levels.shape)
