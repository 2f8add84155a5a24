"""Pixel formats: channel order, uint8 levels and floats in [0, 1], and colour spaces."""

import torch
from torch import Tensor

# --- levels -----------------------------------------------------------------------------------------------------------


def to_nchw(images: Tensor) -> Tensor:
    """(n, channels, height, width), where arithmetic that treats channels alike is several times faster."""
    return images.permute(0, 3, 1, 2).contiguous()


def to_float(images: Tensor) -> Tensor:
    """Levels as doubles in [0, 1]."""
    return images.double().div_(255)


def to_uint8(values: Tensor) -> Tensor:
    """Doubles in [0, 1] to truncated levels; overwrites its argument."""
    return values.clamp_(0, 1).mul_(255).to(torch.uint8)


def truncated_share(images: Tensor) -> Tensor:
    """Levels after division by 255, multiplication by 255 and truncation: some lose one."""
    return to_float(images).mul_(255).to(torch.uint8)


def take_pixels(images: Tensor, source: Tensor) -> Tensor:
    """Each pixel replaced by the one at a flat place (n, pixels) of its image. A pixel moves as one 32-bit word."""
    words = torch.nn.functional.pad(images, (0, 1)).view(torch.int32).view(-1)
    start = torch.arange(0, len(words), source.shape[1], device=source.device)[:, None]
    taken = words.index_select(0, (source + start).view(-1))
    return taken.view(torch.uint8).view(*images.shape[:3], 4)[..., :3]


def to_hsv(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue, saturation and value in [0, 1], in the order of operations scikit-image uses."""
    red, green, blue = to_float(images.permute(3, 0, 1, 2).contiguous())
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
