"""Where pixels come from: zooms, box resizes, free sampling, affine maps, copies of neighbours; and plasma fractals."""

import math
import warnings
from functools import lru_cache

import numpy as np
import scipy.ndimage
import scipy.sparse
import torch
from torch import Tensor


@lru_cache(maxsize=256)
def zoom_matrix(side: int, factor: float) -> np.ndarray:
    """Enlarge the middle of a line by a factor and cut it to its old length: linear interpolation, end points kept."""
    kept = math.ceil(side / factor)
    top = (side - kept) // 2
    enlarged = scipy.ndimage.zoom(np.eye(kept), (factor, 1), order=1)
    trim = (len(enlarged) - side) // 2
    matrix = np.zeros((side, side))
    matrix[:, top : top + kept] = enlarged[trim : trim + side]
    return matrix


@lru_cache(maxsize=16)
def zoom_blur_matrix(side: int, stop: float, step: float, device: torch.device) -> Tensor:
    """The mean of an image and all its zooms as one sparse matrix over its pixels, in whole 1/65536ths.

    With whole weights that add up to 65536, sums of levels are exact in single precision, whatever their order.
    """
    factors = np.arange(1, stop, step)
    total = scipy.sparse.identity(side * side, format="csr")
    for factor in factors:
        line = scipy.sparse.csr_matrix(zoom_matrix(side, float(factor)))
        total = total + scipy.sparse.kron(line, line, format="csr")
    total = (total * (65536 / (len(factors) + 1))).tocsr()
    total.data = np.rint(total.data)
    missing = 65536 - np.asarray(total.sum(1)).ravel()
    return _sparse(total + scipy.sparse.diags(missing), torch.float32, device)


@lru_cache(maxsize=64)
def plain_zoom_loss(stop: float, step: float) -> np.ndarray:
    """How much each level (256,) loses, 0 or 1, when copies of it are averaged in single precision and truncated."""
    levels = (np.arange(256) / 255.0).astype(np.float32)
    total = np.zeros_like(levels)
    factors = np.arange(1, stop, step)
    for _ in factors:
        total += levels
    mean = (levels + total) / np.float32(len(factors) + 1)
    return np.arange(256) - (mean.clip(0, 1) * np.float32(255)).astype(np.uint8)


def _sparse(matrix: scipy.sparse.spmatrix, dtype: torch.dtype, device: torch.device) -> Tensor:
    rows = matrix.tocsr()
    with warnings.catch_warnings():  # "Sparse CSR tensor support is in beta state"
        warnings.simplefilter("ignore", UserWarning)
        starts, columns, values = (torch.from_numpy(part).to(device) for part in (rows.indptr, rows.indices, rows.data))
        return torch.sparse_csr_tensor(starts, columns, values, size=rows.shape, dtype=dtype)


def to_columns(images: Tensor, dtype: torch.dtype) -> Tensor:
    """Images as a matrix (pixels, images · channels), which a matrix over pixels can multiply."""
    return images.flatten(1, 2).permute(1, 0, 2).reshape(images.shape[1] * images.shape[2], -1).to(dtype)


def from_columns(columns: Tensor, n: int) -> Tensor:
    """The images of such columns: the reverse of `to_columns`."""
    side = math.isqrt(len(columns))
    return columns.view(side, side, n, -1).permute(2, 0, 1, 3)


@lru_cache(maxsize=64)
def box_matrix(length: int, target: int) -> np.ndarray:
    """Pillow's box resize of a line in its fixed-point weights, 2^22 to the whole."""
    scale = length / target
    support = max(scale, 1.0) / 2
    matrix = np.zeros((target, length), dtype=np.int64)
    for out in range(target):
        centre = (out + 0.5) * scale
        first, last = max(0, int(centre - support + 0.5)), min(length, int(centre + support + 0.5))
        inside = np.array([-0.5 < (i - centre + 0.5) / max(scale, 1.0) <= 0.5 for i in range(first, last)], dtype=float)
        matrix[out, first:last] = (inside / inside.sum() * 2**22 + 0.5).astype(np.int64)
    return matrix


@lru_cache(maxsize=64)
def _box_steps(length: int, target: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The resize along the rows and then along the columns, each as a sparse matrix over pixels."""
    line = scipy.sparse.csr_matrix(box_matrix(length, target).astype(float))
    rows, columns = (
        scipy.sparse.kron(scipy.sparse.identity(length), line),
        scipy.sparse.kron(line, scipy.sparse.identity(target)),
    )
    return _sparse(rows, torch.float64, device), _sparse(columns, torch.float64, device)


def box_resize(columns: Tensor, target: int) -> Tensor:
    """Pillow's box filter on `to_columns(images)`: along the rows, rounded, then along the columns, rounded; exact."""
    for matrix in _box_steps(math.isqrt(len(columns)), target, columns.device):
        columns = (matrix @ columns).mul_(2.0**-22).add_(0.5).floor_().clamp_(0, 255)
    return columns


def sample(planes: Tensor, down: Tensor, right: Tensor, *, mirror: bool) -> Tensor:
    """Bilinear values of (n, channels, side, side) planes at the given rows and columns.

    Beyond the border the plane is reflected about its outermost pixels (`mirror`), or about their outer edges.
    """
    side = planes.shape[-1]
    span = side - 1 if mirror else side
    shift = 0 if mirror else 1
    grid = torch.stack((right, down), -1).mul_(2 / span).add_(shift / span - 1).to(planes.dtype)
    return torch.nn.functional.grid_sample(planes, grid, "bilinear", "reflection", align_corners=mirror)


def plasma_fractal(uniforms: Tensor, size: int, decay: float) -> Tensor:
    """Diamond-square clouds in [0, 1] on a torus of a power of two, from size² - 1 numbers in (0, 1)."""
    total = uniforms.new_zeros((len(uniforms), size, size))
    step, wobble, used = size, 100.0, 0

    def mean_and_wobble(sums: Tensor) -> Tensor:
        nonlocal used
        count = sums[0].numel()
        noise = uniforms[:, used : used + count].view(sums.shape) * 2 - 1
        used += count
        return sums / 4 + wobble * wobble * noise

    while step >= 2:
        half = step // 2
        corners = total[:, ::step, ::step]
        pairs = corners + corners.roll(-1, 1)
        total[:, half::step, half::step] = mean_and_wobble(pairs + pairs.roll(-1, 2))
        centres = total[:, half::step, half::step]
        total[:, ::step, half::step] = mean_and_wobble(centres + centres.roll(1, 1) + corners + corners.roll(-1, 2))
        total[:, half::step, ::step] = mean_and_wobble(centres + centres.roll(1, 2) + corners + corners.roll(-1, 1))
        step, wobble = half, wobble / decay
    total -= total.amin((1, 2), keepdim=True)
    return total / total.amax((1, 2), keepdim=True)


def affine_places(moved: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Rows and columns (n, side, side) that the affine maps read which move three points by `moved` (n, 3, 2).

    They are multiples of 1/32 pixel, as in OpenCV up to version 4, with which the published sets were made.
    """
    centre, arm = side // 2, side // 3
    points = torch.tensor([(1, 1), (1, -1), (-1, -1)], dtype=torch.float64) * arm + centre
    target = (points.to(moved.device).float() + moved.float()).double()  # (n, 3 points, 2)
    basis = torch.linalg.inv(torch.cat((points, torch.ones(3, 1, dtype=torch.float64)), 1)).to(moved)
    forward = sum(basis[:, k, None] * target[:, None, k] for k in range(3))  # (n, 3, 2): x, y, 1 to the new x, y
    (a, d), (b, e), (c, f) = (row.unbind(-1) for row in forward.unbind(1))
    scale = 1 / (a * e - b * d)
    a, b, d, e = e * scale, -b * scale, -d * scale, a * scale
    line = torch.arange(side, dtype=torch.float64, device=moved.device)

    def places(along_x: Tensor, along_y: Tensor, start: Tensor) -> Tensor:
        x = (along_x[:, None] * line * 1024).round()
        y = ((along_y[:, None] * line + start[:, None]) * 1024).round()
        return ((y[:, :, None] + x[:, None, :] + 16) / 32).floor() / 32

    return places(d, e, -d * c - e * f), places(a, b, -a * c - b * f)


def copied_from(steps: Tensor, side: int, reach: int) -> Tensor:
    """Where each pixel comes from (n, pixels) when, from last to first, pixels copy a neighbour (right, down) = steps.

    The published loop means to swap two pixels, but its two views share memory, so it copies one over the other.
    """
    line = torch.arange(side - reach, reach, -1, device=steps.device)
    row, column = line[:, None] + steps[..., 1], line + steps[..., 0]
    source = torch.arange(side * side, device=steps.device).view(side, side).repeat(len(steps), 1, 1)
    source[:, reach + 1 : side - reach + 1, reach + 1 : side - reach + 1] = (row * side + column).flip(1, 2)
    return source.flatten(1) if reach == 1 else _follow(source, reach)


def _follow(source: Tensor, reach: int) -> Tensor:
    """Follow chains of copies to their end, by doubling: a neighbour visited earlier has been replaced already.

    With a reach of one there are none: steps lead back only, to pixels not visited yet.
    """
    side = source.shape[1]
    row, column = source // side, source % side
    visited = (row > reach) & (row <= side - reach) & (column > reach) & (column <= side - reach)
    place = torch.arange(side * side, device=source.device).view(side, side)
    target = torch.where(visited & (source > place), source, source + side * side).flatten(1)
    ends = torch.arange(side * side, 2 * side * side, device=source.device).expand(len(source), -1)
    while (target < side * side).any():
        target = torch.cat((target, ends), 1).gather(1, target)
    return target - side * side
