"""Corruptions that a search may see, for `benchmarks.signal` to compare: none of them is one of the reported fifteen.

Most have the kind, not the code, of ImageNet-C̄ (Mintun et al., 2021). A function takes images (n, 3, S, S) in [0, 1],
their random streams and a strength, and returns images that are then clamped to [0, 1].
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.corruptions import veils
from trainables.corruptions.resampling import plasma_fractal
from trainables.corruptions.rng import ImageRng, image_keys


def per_image(values: Tensor) -> Tensor:
    """(n, c) to (n, c, 1, 1)."""
    return values.float()[:, :, None, None]


def ramp(x: Tensor, draws: ImageRng) -> Tensor:
    """A gradient from 0 to 1 across each image, in a random direction: (n, 1, S, S)."""
    angle = per_image(draws.uniform(1) * 2 * math.pi)
    line = torch.linspace(-1, 1, x.shape[-1])
    along = line * angle.cos() + line[:, None] * angle.sin()
    return (along / along.abs().amax((2, 3), keepdim=True) + 1) / 2


def coloured_noise(x: Tensor, draws: ImageRng, power: float) -> Tensor:
    """Noise whose amplitude falls with frequency to the `power`, of standard deviation 1: (n, 3, S, S)."""
    side = x.shape[-1]
    spectrum = torch.fft.rfft2(draws.normal(3, side, side))
    frequency = torch.hypot(torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side))
    frequency[0, 0] = math.inf if power > 0 else 0
    noise = torch.fft.irfft2(spectrum * frequency.pow(-power), s=(side, side))
    return noise / noise.std((2, 3), keepdim=True)


def smooth_noise(x: Tensor, draws: ImageRng, cells: int) -> Tensor:
    """Smoothly interpolated values in (-1, 1) of a coarse grid: (n, 1, S, S)."""
    grid = draws.uniform(1, cells, cells).float() * 2 - 1
    return F.interpolate(grid, size=x.shape[-1], mode="bicubic", align_corners=True)


def clouds(x: Tensor, draws: ImageRng, decay: float = 2.0) -> Tensor:
    """Plasma in [0, 1]: (n, 1, S, S)."""
    size = 2 ** (x.shape[-1] - 1).bit_length()
    return plasma_fractal(draws.uniform(size * size - 1), size, decay)[:, None, : x.shape[-1], : x.shape[-1]].float()


def shade(x: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Light that falls off in a random direction."""
    return x * (1 - amount * ramp(x, draws))


def dim(x: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Less light: a random share of it, up to `amount`, is lost."""
    return x * (1 - amount * per_image(draws.uniform(1)))


def plasma(x: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Plasma clouds added, lighter and darker."""
    return x + amount * (2 * clouds(x, draws) - 1)


def plasma_veil(x: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """A veil of random grey whose thickness is a plasma."""
    share = amount * clouds(x, draws)
    return x * (1 - share) + share * per_image(draws.uniform(1))


def brownian_noise(x: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Noise in which low frequencies are strongest."""
    return x + amount * coloured_noise(x, draws, 2)


def blue_noise(x: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Noise in which high frequencies are strongest."""
    return x + amount * coloured_noise(x, draws, -1)


def perlin_noise(x: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Smooth random light and dark."""
    return x + amount * smooth_noise(x, draws, 6)


def low_frequency_light(x: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Brightness multiplied by a smooth random field."""
    return x * (1 + amount * smooth_noise(x, draws, 4))


def checkerboard(x: Tensor, draws: ImageRng, share: float) -> Tensor:
    """Random cells of an 8 by 8 board in mid-grey."""
    cut = F.interpolate((draws.uniform(1, 8, 8) < share).float(), size=x.shape[-1], mode="nearest")
    return torch.where(cut > 0, 0.5, x)


def sine_grating(x: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """A wave of random direction and phase added."""
    waves = 2 + 6 * per_image(draws.uniform(1))
    return x + amount * torch.sin(2 * math.pi * (waves * ramp(x, draws) + per_image(draws.uniform(1))))


def inverse_sparkles(x: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Soft dark spots at random places."""
    line, places = torch.linspace(0, 1, x.shape[-1]), draws.uniform(8, 2).float()
    down, right = places[:, :, 0, None, None] - line[:, None], places[:, :, 1, None, None] - line
    return x * (1 - amount * torch.exp(-(down**2 + right**2) / 0.01)).prod(1, keepdim=True)


def chromatic_aberration(x: Tensor, draws: ImageRng, zoom: float) -> Tensor:
    """Red enlarged and blue reduced about the centre."""
    line = torch.linspace(-1, 1, x.shape[-1])
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).expand(len(x), -1, -1, -1)
    planes = [F.grid_sample(x[:, c : c + 1], grid * scale, align_corners=True)
              for c, scale in enumerate((1 - zoom, 1.0, 1 + zoom))]  # fmt: skip
    return torch.cat(planes, 1)


def circular_motion(x: Tensor, draws: ImageRng, angle: float) -> Tensor:
    """The mean over small rotations about the centre."""
    turned = []
    for turn in torch.linspace(-angle, angle, 9).tolist():
        matrix = x.new_tensor([[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0]])
        grid = F.affine_grid(matrix.expand(len(x), -1, -1), list(x.shape), align_corners=False)
        turned.append(F.grid_sample(x, grid, align_corners=False))
    return torch.stack(turned).mean(0)


def gamma(x: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Levels raised to a random power, lighter or darker."""
    return x ** torch.exp(amount * (2 * per_image(draws.uniform(1)) - 1))


def vignette(x: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Darker towards the corners."""
    line = torch.linspace(-1, 1, x.shape[-1])
    return x * (1 - amount * (line**2 + line[:, None] ** 2) / 2)


def posterise(x: Tensor, draws: ImageRng, levels: float) -> Tensor:
    """Few levels."""
    return (x * (levels - 1)).round() / (levels - 1)


def solarise(x: Tensor, draws: ImageRng, threshold: float) -> Tensor:
    """Levels above a threshold inverted."""
    return torch.where(x > threshold, 1 - x, x)


STRENGTHS = {
    veils.grey_veil: (0.2, 0.4, 0.6),
    veils.colour_cast: (0.4, 0.6, 0.8),
    veils.haze: (0.3, 0.5, 0.7),
    shade: (0.5, 0.7, 0.9),
    dim: (0.5, 0.7, 0.9),
    plasma: (0.15, 0.3, 0.45),
    plasma_veil: (0.4, 0.6, 0.8),
    brownian_noise: (0.08, 0.16, 0.24),
    blue_noise: (0.05, 0.1, 0.15),
    perlin_noise: (0.2, 0.35, 0.5),
    low_frequency_light: (0.4, 0.7, 1.0),
    checkerboard: (0.1, 0.2, 0.35),
    sine_grating: (0.1, 0.2, 0.35),
    inverse_sparkles: (0.4, 0.7, 1.0),
    chromatic_aberration: (0.03, 0.06, 0.1),
    circular_motion: (0.1, 0.2, 0.35),
    gamma: (0.5, 1.0, 1.5),
    vignette: (0.4, 0.6, 0.8),
    posterise: (6, 4, 3),
    solarise: (0.8, 0.65, 0.5),
}
CANDIDATES = {function.__name__: function for function in STRENGTHS}


def apply(name: str, strength: int, pixels: Tensor) -> Tensor:
    """The uint8 images (n, S, S, 3) after a candidate corruption of strength 1, 2 or 3."""
    function = CANDIDATES[name]
    draws = ImageRng(image_keys(name, strength, 0, 0, len(pixels), pixels.device))
    amount = STRENGTHS[function][strength - 1]
    if function.__module__ == veils.__name__:  # those that a search sees take levels
        return function(pixels, draws, amount).contiguous()
    made = function(pixels.permute(0, 3, 1, 2).float() / 255, draws, amount)
    return (made.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous()
