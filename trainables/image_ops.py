"""What the corruptions are made of: repeatable random draws, filters, resamplers and the pictures of frost.

Pictures are (n, height, width, channels) here, in levels 0…255. No result of an image depends on the others in its
batch: sums are taken over integers, or in a fixed order, wherever a last digit could change a truncated level.
"""

import importlib.util
import io
import math
import os
import warnings
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.ndimage
import scipy.sparse
import torch
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

# --- random draws -----------------------------------------------------------------------------------------------------

_STEP = -7046029254386353131  # 2^64 divided by the golden ratio, as a signed number
_MASK31 = 2**31 - 1


def _scramble(z: Tensor) -> Tensor:
    """SplitMix64's finaliser, in place: neighbouring numbers become independent 64-bit patterns."""
    high = torch.empty_like(z)
    for shift, factor in ((30, -4658895280553007687), (27, -7723592293110705685), (31, None)):
        torch.bitwise_right_shift(z, shift, out=high)
        z.bitwise_xor_(high.bitwise_and_(2 ** (64 - shift) - 1))
        if factor is not None:
            z.mul_(factor)
    return z


def _scrambled(z: int) -> int:
    """The same for one Python number; the result is a signed one."""
    z %= 2**64
    for shift, factor in ((30, -4658895280553007687), (27, -7723592293110705685), (31, 1)):
        z = (z ^ (z >> shift)) * factor % 2**64
    return z - 2**64 * (z >= 2**63)


def image_keys(name: str, severity: int, seed: int, first_index: int, count: int, device: torch.device) -> Tensor:
    """What fixes the random stream of each image: the corruption, its severity, the seed and the image's index."""
    key = _scrambled(_scrambled(_scrambled(seed) + zlib.crc32(name.encode())) + severity)
    indices = torch.arange(first_index, first_index + count, device=device)
    return _scramble(indices.mul_(_STEP).add_(key))


class Draws:
    """The random numbers of one batch: an own stream for each of its `image_keys`."""

    def __init__(self, keys: Tensor, frost_dir: str | None = None) -> None:
        self._keys = keys[:, None]
        self._used = 0
        self._frost_dir = frost_dir

    def _int31(self, shape: tuple[int, ...]) -> Tensor:
        count = math.prod(shape)
        pairs = (count + 1) // 2
        counter = torch.arange(self._used, self._used + pairs, device=self._keys.device)
        self._used += pairs
        halves = _scramble(self._keys + counter * _STEP).view(torch.int32)
        return halves[:, :count].bitwise_and(_MASK31).view(-1, *shape)

    def uniform(self, *shape: int) -> Tensor:
        """Doubles inside (0, 1)."""
        return self._int31(shape).double().add_(0.5).mul_(2.0**-31)

    def chance(self, probability: float, *shape: int) -> Tensor:
        """True with the given probability."""
        return self._int31(shape) < round(probability * 2**31)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers in [low, high)."""
        return ((self._int31(shape).long() * (high - low)) >> 31) + low

    def normal(self, *shape: int) -> Tensor:
        """Standard normal floats (Box and Muller's pairs)."""
        count = math.prod(shape)
        halves = (count + 1) // 2
        bits = self._int31((2, halves))
        radius = bits[:, 0].float().add_(0.5).mul_(2.0**-31).log_().mul_(-2).sqrt_()
        angle = bits[:, 1].float().mul_(2 * math.pi / 2**31)
        pairs = torch.empty(len(bits), 2, halves, device=bits.device)
        torch.mul(angle.cos(), radius, out=pairs[:, 0])
        torch.mul(angle.sin_(), radius, out=pairs[:, 1])
        return pairs.view(-1, 2 * halves)[:, :count].reshape(-1, *shape)

    def photons(self, levels: Tensor, full: int) -> Tensor:
        """Poisson counts with mean `full · level / 255`; counts above `full` are as white and given as `full`."""
        table, bits = poisson_table(full)
        word = self._int31(tuple(levels.shape[1:]))
        column = word >> (31 - bits)
        place = (levels.int() << bits).add_(column)
        entry = table.to(levels.device).index_select(0, place.view(-1)).view(levels.shape)
        threshold, other = entry >> bits, entry.bitwise_and_(2**bits - 1)
        kept = word.bitwise_and_(2 ** (31 - bits) - 1) < threshold
        return other.add_(column.sub_(other).mul_(kept))

    def frost(self, side: int, scale: float) -> Tensor:
        """A random crop of one of the five frost pictures for each image, in levels."""
        pictures = frost_at_scale(self._frost_dir, scale, side)
        which, place = self.integers(0, len(pictures), 1)[:, 0].tolist(), self.uniform(2).tolist()
        crops = torch.empty(len(place), side, side, 3, dtype=torch.uint8, device=self._keys.device)
        for crop, number, (down, right) in zip(crops, which, place, strict=True):
            height, width = pictures[number].shape[:2]
            top, left = int(down * (height - side)), int(right * (width - side))
            crop.copy_(pictures[number][top : top + side, left : left + side])
        return crops


@lru_cache(maxsize=32)
def poisson_table(full: int) -> tuple[Tensor, int]:
    """Walker's alias table of the Poisson counts 0…full at each level, and the number of bits that pick a column.

    An entry holds the threshold (of 31 - bits bits) in its upper part and the other count in its lowest bits.
    """
    bits = full.bit_length()
    columns = 2**bits
    counts = np.arange(full)
    log_factorial = np.cumsum(np.log(np.maximum(counts, 1)))
    table = np.empty((256, columns), dtype=np.int32)
    for level in range(256):
        mean = full * level / 255
        share = np.exp(counts * np.log(mean) - mean - log_factorial) if level else (counts == 0).astype(float)
        heights = np.zeros(columns)
        heights[:full], heights[full] = share, max(0.0, 1 - share.sum())
        table[level] = _alias_row((heights * columns).tolist(), 31 - bits)
    return torch.from_numpy(table.reshape(-1)), bits


def _alias_row(heights: list[float], bits: int) -> list[int]:
    """Columns of height 1 on average, cut and stacked so that each holds its own outcome and at most one other."""
    entries = [(2**bits - 1) * len(heights) + outcome for outcome in range(len(heights))]
    low = [i for i, height in enumerate(heights) if height < 1]
    high = [i for i, height in enumerate(heights) if height >= 1]
    while low and high:
        short, tall = low.pop(), high[-1]
        entries[short] = min(round(heights[short] * 2**bits), 2**bits - 1) * len(heights) + tall
        heights[tall] -= 1 - heights[short]
        if heights[tall] < 1:
            low.append(high.pop())
    return entries


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


# --- JPEG -------------------------------------------------------------------------------------------------------------

# Half of each row of libjpeg's cosine transform, in 1/8192: even rows go on symmetrically, odd ones negated.
_COSINES = (
    (8192, 8192, 8192, 8192),
    (11363, 9633, 6437, 2260),
    (10703, 4433, -4433, -10703),
    (9633, -2259, -11362, -6436),
    (8192, -8192, -8192, 8192),
    (6437, -11362, 2261, 9633),
    (4433, -10704, 10704, -4433),
    (2260, -6436, 9633, -11363),
)


@lru_cache(maxsize=16)
def jpeg_tables(quality: int) -> tuple[Tensor, Tensor]:
    """The quantisation of luma and of chroma, 8 x 8 each, that Pillow chooses at a quality."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG", quality=quality)
    file.seek(0)
    tables = JpegImageFile(file).quantization
    return torch.tensor(tables[0]).view(8, 8).double(), torch.tensor(tables[1]).view(8, 8).double()


@lru_cache(maxsize=16)
def _cosine_blocks(side: int) -> Tensor:
    half = np.array(_COSINES, dtype=float)
    signs = np.where(np.arange(8) % 2, -1, 1)[:, None]
    return torch.from_numpy(np.kron(np.eye(side // 8), np.concatenate((half, half[:, ::-1] * signs), 1)))


def _shifted(values: Tensor, bits: int) -> Tensor:
    """Whole numbers halved `bits` times and rounded; overwrites its argument."""
    return values.add_(2 ** (bits - 1)).mul_(2.0**-bits).floor_()


def _jpeg_plane(planes: Tensor, table: Tensor) -> Tensor:
    """Levels (…, side, side) after transform, quantisation and the way back."""
    side = planes.shape[-1]
    cosines = _cosine_blocks(side).to(planes.device)
    table = table.to(planes.device).repeat(side // 8, side // 8)
    waves = _shifted(cosines @ _shifted((planes - 128) @ cosines.T, 11), 15)
    size = waves.abs().add_(table * 4).div_(table * 8).floor_()
    waves = size.mul_(table).mul_(waves.sign_())
    return _shifted(_shifted(cosines.T @ waves, 11) @ cosines, 18).add_(128).clamp_(0, 255)


def _doubled(planes: Tensor) -> Tensor:
    """Chroma at twice the size: 3/4 of the nearer and 1/4 of the farther sample each way, as libjpeg rounds it."""
    rows = torch.cat((planes[..., :1, :], planes, planes[..., -1:, :]), -2)
    middle = rows[..., 1:-1, :] * 3
    tall = torch.stack((middle + rows[..., :-2, :], middle + rows[..., 2:, :]), -2).flatten(-3, -2)
    columns = torch.cat((tall[..., :1], tall, tall[..., -1:]), -1)
    middle = columns[..., 1:-1] * 3
    left, right = (middle + columns[..., :-2]).add_(8), (middle + columns[..., 2:]).add_(7)
    return torch.stack((left, right), -1).flatten(-2) >> 4


def jpeg(images: Tensor, quality: int) -> Tensor:
    """What Pillow's JPEG makes of images whose side is a multiple of 16, byte for byte; chroma has half the size."""
    luma_table, chroma_table = jpeg_tables(quality)
    red, green, blue = planar(images).int().unbind(1)
    luma = (red * 19595).add_(green, alpha=38470).add_(blue, alpha=7471).add_(32768) >> 16
    bluish = (blue * 32768).add_(red, alpha=-11059).add_(green, alpha=-21709)
    reddish = (red * 32768).add_(green, alpha=-27439).add_(blue, alpha=-5329)
    chroma = torch.stack((bluish, reddish), 1).add_((128 << 16) + 32767) >> 16
    rows = chroma[..., ::2, :] + chroma[..., 1::2, :]
    alternating = torch.arange(rows.shape[-1] // 2, device=images.device, dtype=torch.int32) % 2 + 1
    small = (rows[..., ::2] + rows[..., 1::2]).add_(alternating) >> 2
    bluish, reddish = _doubled(_jpeg_plane(small.double(), chroma_table).int()).sub_(128).unbind(1)
    luma = _jpeg_plane(luma.double(), luma_table).int()
    out = torch.empty(len(images), 3, *luma.shape[1:], dtype=torch.int32, device=images.device)
    out[:, 0] = (reddish * 91881).add_(32768) >> 16
    out[:, 1] = (bluish * -22554).add_(reddish, alpha=-46802).add_(32768) >> 16
    out[:, 2] = (bluish * 116130).add_(32768) >> 16
    return out.add_(luma.unsqueeze(1)).clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


# --- resampling -------------------------------------------------------------------------------------------------------


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
    """Which plain levels lose one when their copies are added up in single precision, divided again and truncated."""
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
    """One row for each pixel, one column for each channel of each image: what a matrix over pixels multiplies."""
    return images.flatten(1, 2).permute(1, 0, 2).reshape(images.shape[1] * images.shape[2], -1).to(dtype)


def from_columns(columns: Tensor, n: int) -> Tensor:
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


def plasma(uniforms: Tensor, size: int, decay: float) -> Tensor:
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


# --- frost ------------------------------------------------------------------------------------------------------------

FROST_FILES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")


def frost_folder(frost_dir: str | None) -> Path | None:
    """The folder of the frost pictures: the given one, else ENTPROP_FROST_DIR, else that of an installed package."""
    given = frost_dir or os.environ.get("ENTPROP_FROST_DIR")
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


def frost_source(frost_dir: str | None = None) -> str:
    """Where frost comes from, for a table's footnote: pictures and their checksum, or the ice drawn here."""
    folder = frost_folder(frost_dir)
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
        return [ice(number) for number in range(len(FROST_FILES))]
    return [np.asarray(Image.open(folder / name).convert("RGB")) for name in FROST_FILES]


def frost_at_scale(frost_dir: str | None, scale: float, side: int) -> list[Tensor]:
    """The pictures shrunk by a factor, or as little as leaves room for a crop of the side."""
    return _frost_at_scale(frost_folder(frost_dir), scale, side)


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


def ice(number: int) -> np.ndarray:
    """A picture of ice flowers: ridges of noise at five scales over a bluish ground, about as bright as real frost."""
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
