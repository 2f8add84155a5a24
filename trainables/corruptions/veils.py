"""Three veils for validation images: relatives of fog and contrast that are not among the reported corruptions.

What is lost under the reported fog, frost, snow and contrast is contrast towards a grey level. Blur and noise, the kind
of three of the four validation corruptions of Hendrycks and Dietterich (2019), do not show it; a veil does.
"""

import math

import torch
from torch import Tensor

from trainables.corruptions.levels import to_nchw
from trainables.corruptions.rng import ImageRng


def grey_veil(images: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Every pixel moved towards one grey, drawn for each image."""
    level = _per_image(draws.uniform(1))
    return _to_levels(_planes(images) * (1 - amount) + amount * level)


def colour_cast(images: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Each channel scaled down by a random share, half of which a random level fills up."""
    lost = amount * _per_image(draws.uniform(3))
    return _to_levels(_planes(images) * (1 - lost) + lost * _per_image(draws.uniform(3)) / 2)


def haze(images: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """A light grey that thickens across the image in a random direction."""
    share = amount * _ramp(images.shape[1], draws)
    level = 0.6 + 0.4 * _per_image(draws.uniform(1))
    return _to_levels(_planes(images) * (1 - share) + share * level)


def _ramp(side: int, draws: ImageRng) -> Tensor:
    """From 0 to 1 across each image, in a random direction: (n, 1, side, side)."""
    angle = _per_image(draws.uniform(1) * 2 * math.pi)
    line = torch.linspace(-1, 1, side, device=angle.device)
    along = line * angle.cos() + line[:, None] * angle.sin()
    return (along / along.abs().amax((2, 3), keepdim=True) + 1) / 2


def _per_image(values: Tensor) -> Tensor:
    """(n, c) to (n, c, 1, 1)."""
    return values.float()[:, :, None, None]


def _planes(images: Tensor) -> Tensor:
    return to_nchw(images).float().div_(255)


def _to_levels(planes: Tensor) -> Tensor:
    """Planes in [0, 1] to rounded levels in the layout of images."""
    return planes.clamp_(0, 1).mul_(255).round_().to(torch.uint8).permute(0, 2, 3, 1)
