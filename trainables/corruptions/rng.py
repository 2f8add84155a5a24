"""One random stream per image, independent of batch size."""

import math
import zlib
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from trainables.corruptions.frost import frost_at_scale

_STEP = -7046029254386353131  # 2^64 divided by the golden ratio, as a signed number
_MASK31 = 2**31 - 1


def splitmix64(z: Tensor) -> Tensor:
    """SplitMix64's finaliser, in place: consecutive integers become independent 64-bit patterns."""
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
    """The key of each image's random stream (count,): a hash of the corruption, severity, seed and image index."""
    key = _scrambled(_scrambled(_scrambled(seed) + zlib.crc32(name.encode())) + severity)
    indices = torch.arange(first_index, first_index + count, device=device)
    return splitmix64(indices.mul_(_STEP).add_(key))


class ImageRng:
    """The random numbers of one batch: a stream for each of its `image_keys`."""

    def __init__(self, keys: Tensor) -> None:
        self._keys = keys[:, None]
        self._used = 0

    def _int31(self, shape: tuple[int, ...]) -> Tensor:
        count = math.prod(shape)
        pairs = (count + 1) // 2
        counter = torch.arange(self._used, self._used + pairs, device=self._keys.device)
        self._used += pairs
        halves = splitmix64(self._keys + counter * _STEP).view(torch.int32)
        return halves[:, :count].bitwise_and(_MASK31).view(-1, *shape)

    def uniform(self, *shape: int) -> Tensor:
        """Doubles inside (0, 1)."""
        return self._int31(shape).double().add_(0.5).mul_(2.0**-31)

    def bernoulli(self, probability: float, *shape: int) -> Tensor:
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

    def poisson(self, levels: Tensor, full: int) -> Tensor:
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
        pictures = frost_at_scale(scale, side)
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
    """One row of the table: columns of mean height 1, cut so that each holds its own outcome and at most one other."""
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
