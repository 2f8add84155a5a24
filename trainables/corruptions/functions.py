"""The 15 common corruptions of Hendrycks and Dietterich (2019), and those that a search may see, in batches.

`corrupt(images, "fog", 3)` is the whole interface. One function is one corruption and its name is its key. It takes
uint8 images (n, side, side, 3), their random draws and the numbers of one severity, and returns uint8 images; with the
same draws, the published code returns the same images. The severities are in `trainables.corruptions.severities`.
"""

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from trainables.corruptions.filters import disk, filter_levels, gaussian_blur_exact, gaussian_matrix, motion_blur_levels
from trainables.corruptions.jpeg import jpeg
from trainables.corruptions.levels import (
    from_hsv,
    gray,
    take_pixels,
    to_float,
    to_hsv,
    to_nchw,
    to_uint8,
    truncated_share,
)
from trainables.corruptions.resampling import (
    affine_places,
    box_resize,
    copied_from,
    from_columns,
    plain_zoom_loss,
    plasma_fractal,
    sample,
    to_columns,
    zoom_blur_matrix,
    zoom_matrix,
)
from trainables.corruptions.rng import ImageRng, image_keys
from trainables.corruptions.severities import SEVERITIES, constants_for
from trainables.corruptions.splashes import splashes
from trainables.corruptions.veils import colour_cast, grey_veil, haze

# --- noise ------------------------------------------------------------------------------------------------------------


def gaussian_noise(images: Tensor, draws: ImageRng, sigma: float) -> Tensor:
    """Gaussian noise on every channel of every pixel."""
    noise = draws.normal(*images.shape[1:]).mul_(255 * sigma)
    return noise.add_(images.to(noise.dtype)).clamp_(0, 255).to(torch.uint8)


def shot_noise(images: Tensor, draws: ImageRng, poisson: int) -> Tensor:
    """Poisson noise: photon counts of each channel, noisier where it is brighter."""
    counts = draws.poisson(images, poisson)
    level = to_uint8(torch.arange(poisson + 1, dtype=torch.float64, device=images.device) / poisson)
    return level.index_select(0, counts.view(-1).clamp_(max=poisson)).view(images.shape)


def impulse_noise(images: Tensor, draws: ImageRng, amount: float) -> Tensor:
    """Salt-and-pepper noise: random channel values become 0 or 255."""
    flipped = draws.bernoulli(amount, *images.shape[1:]).to(torch.uint8).mul_(255)  # all bits of a byte
    salt = draws.bernoulli(0.5, *images.shape[1:]).to(torch.uint8).mul_(255)
    return truncated_share(images).bitwise_and_(~flipped).bitwise_or_(salt.bitwise_and_(flipped))


def speckle_noise(images: Tensor, draws: ImageRng, sigma: float) -> Tensor:
    """Gaussian noise in proportion to the brightness."""
    noise = draws.normal(*images.shape[1:]).mul_(sigma).add_(1)
    return noise.mul_(images.to(noise.dtype)).clamp_(0, 255).to(torch.uint8)


# --- blur -------------------------------------------------------------------------------------------------------------


def gaussian_blur(images: Tensor, draws: ImageRng, sigma: float) -> Tensor:
    """A Gaussian blur."""
    return to_uint8(gaussian_blur_exact(to_float(images), sigma))


def defocus_blur(images: Tensor, draws: ImageRng, radius: float, alias_blur: float) -> Tensor:
    """A mean over a disc, as of a lens out of focus."""
    return to_uint8(filter_levels(images, disk(radius, alias_blur)).div_(255))


def glass_blur(images: Tensor, draws: ImageRng, sigma: float, reach: int, rounds: int) -> Tensor:
    """A blur, random copies of neighbouring pixels, and another blur."""
    levels = to_uint8(gaussian_blur_exact(to_float(images), sigma))
    side = images.shape[1]
    steps = draws.integers(-reach, reach, rounds, side - 2 * reach, side - 2 * reach, 2)
    for turn in range(rounds):
        levels = take_pixels(levels, copied_from(steps[:, turn], side, reach))
    return to_uint8(gaussian_blur_exact(to_float(levels), sigma))


def motion_blur(images: Tensor, draws: ImageRng, radius: int, sigma: float) -> Tensor:
    """A blur along a random direction."""
    return motion_blur_levels(images, draws.uniform(1) * 90 - 45, radius, sigma)


def zoom_blur(images: Tensor, draws: ImageRng, stop: float, step: float) -> Tensor:
    """The mean of the image over many magnifications."""
    matrix = zoom_blur_matrix(images.shape[1], stop, step, images.device)
    mean = (matrix @ to_columns(images, torch.float32)).mul_(1 / 65536)  # exact, so a plain region has a whole level
    whole = mean.floor()
    loss = torch.from_numpy(plain_zoom_loss(stop, step)).to(images.device, torch.float32)
    lost = loss.index_select(0, whole.int().view(-1)).view(whole.shape).mul_(mean == whole)
    return from_columns(whole.sub_(lost).to(torch.uint8), len(images))


# --- weather ----------------------------------------------------------------------------------------------------------


def snow(
    images: Tensor,
    draws: ImageRng,
    mean: float,
    deviation: float,
    zoom: float,
    threshold: float,
    radius: int,
    sigma: float,
    share: float,
) -> Tensor:
    """Snowflakes with motion blur in front of a whitened image."""
    side = images.shape[1]
    layer = draws.normal(side, side).double() * deviation + mean
    if zoom > 1:
        matrix = torch.from_numpy(zoom_matrix(side, zoom)).to(images.device)
        layer = matrix @ layer @ matrix.T
    flakes = to_uint8(layer.masked_fill_(layer < threshold, 0)).unsqueeze(-1)
    flakes = motion_blur_levels(flakes, draws.uniform(1) * 90 - 135, radius, sigma)
    size = max(1, 2**17 // images[0].numel())
    return torch.cat([_snowed(*pair, share) for pair in zip(images.split(size), flakes.split(size), strict=True)])


def _snowed(images: Tensor, flakes: Tensor, share: float) -> Tensor:
    """The flakes and their copy turned by 180 degrees, added to a mix of the image and its brighter gray version."""
    clean = to_nchw(images).float().div_(255)
    white = gray(clean).mul_(1.5).add_(0.5).maximum(clean)
    falling = to_float(flakes).view(-1, 1, *images.shape[1:3])
    snowy = clean.mul_(share).add_(white.mul_(1 - share)).double()
    return to_uint8(snowy.add_(falling).add_(falling.flip(2, 3))).permute(0, 2, 3, 1)


def frost(images: Tensor, draws: ImageRng, keep: float, add: float, scale: float) -> Tensor:
    """A crop of a frost texture blended over the image."""
    crops = draws.frost(images.shape[1], scale)
    return images.double().mul_(keep).add_(crops.double().mul_(add)).clamp_(0, 255).to(torch.uint8)


def fog(images: Tensor, draws: ImageRng, amount: float, decay: float) -> Tensor:
    """A plasma fractal added to the image."""
    side = images.shape[1]
    size = 2 ** (side - 1).bit_length()
    clouds = plasma_fractal(draws.uniform(size * size - 1), size, decay)[:, None, :side, :side]
    clean = to_float(to_nchw(images))
    brightest = clean.amax((1, 2, 3), keepdim=True)
    hazy = clean.add_(clouds * amount).mul_(brightest).div_(brightest + amount)
    return to_uint8(hazy).permute(0, 2, 3, 1)


def spatter(
    images: Tensor,
    draws: ImageRng,
    mean: float,
    deviation: float,
    sigma: float,
    threshold: float,
    strength: float,
    mud: int,
) -> Tensor:
    """Drops of water that brighten towards their rims, or opaque mud."""
    side = images.shape[1]
    smooth = gaussian_matrix(side, sigma, 4, "nearest").to(images.device)
    liquid = smooth @ (draws.normal(side, side).double() * deviation + mean) @ smooth.T
    clean = to_float(images)
    if mud:
        cover = gaussian_blur_exact((liquid > threshold).double().unsqueeze(-1), strength)
        cover.masked_fill_(cover < 0.8, 0)
        return to_uint8(clean * (1 - cover) + cover * clean.new_tensor((63, 42, 20)) / 255)
    drops = (liquid.masked_fill(liquid < threshold, 0) * 255).long().bitwise_and_(255)  # it does wrap around
    return to_uint8(clean + splashes(drops).unsqueeze(-1) * strength * clean.new_tensor((175, 238, 238)) / 255)


# --- digital ----------------------------------------------------------------------------------------------------------


def brightness(images: Tensor, draws: ImageRng, added: float) -> Tensor:
    """The value of HSV increased: all three channels are scaled alike, and black becomes gray."""
    before = torch.arange(256, dtype=torch.float64, device=images.device) / 255
    after = (before + added).clamp_(max=1)
    factor = torch.where(before > 0, after / before, 0) * (1 + 1e-12)
    planes = to_nchw(images)
    value = torch.maximum(torch.maximum(planes[:, 0], planes[:, 1]), planes[:, 2])
    index = value.view(-1).int()
    scaled = (planes * factor.index_select(0, index).view(value.shape).unsqueeze(1)).to(torch.uint8)
    brighter = to_uint8(after).index_select(0, index).view(value.shape)
    return torch.where(planes == value.unsqueeze(1), brighter.unsqueeze(1), scaled).permute(0, 2, 3, 1)


def saturate(images: Tensor, draws: ImageRng, factor: float, offset: float) -> Tensor:
    """The saturation of HSV scaled and shifted."""
    hue, saturation, value = to_hsv(images)
    return to_uint8(from_hsv(hue, (saturation * factor + offset).clamp_(0, 1), value))


def contrast(images: Tensor, draws: ImageRng, factor: float) -> Tensor:
    """Levels moved towards the mean of each channel."""
    levels = images.double().flatten(2)  # (n, side, side · 3)
    side = images.shape[1]
    mean = levels.sum(1).view(-1, side, 3).sum(1) / (255 * side * side)  # a sum of whole numbers, so exact
    row = mean.repeat(1, side).unsqueeze(1)
    return to_uint8(levels.div_(255).sub_(row).mul_(factor).add_(row)).view(images.shape)


def elastic_transform(images: Tensor, draws: ImageRng, displacement: float, smoothing: float, jitter: float) -> Tensor:
    """A random affine map, then a smooth random displacement of each pixel."""
    side = images.shape[1]
    planes = to_nchw(images).float().div_(255)
    if jitter:
        moved = draws.uniform(3, 2) * (2 * jitter * side) - jitter * side
        planes = sample(planes, *affine_places(moved, side), mirror=True)
    if displacement:
        smooth = gaussian_matrix(side, smoothing * side, 3, "reflect").to(images.device)
        shifts = smooth @ (draws.uniform(2, side, side) * 2 - 1) @ smooth.T * (displacement * side)
        line = torch.arange(side, device=images.device)
        planes = sample(planes, line[:, None] + shifts[:, 1], line + shifts[:, 0], mirror=False)
    return planes.clamp_(0, 1).mul_(255).to(torch.uint8).permute(0, 2, 3, 1)


def pixelate(images: Tensor, draws: ImageRng, scale: float) -> Tensor:
    """The image downscaled, and upscaled again by repetition."""
    side = images.shape[1]
    small = box_resize(to_columns(images, torch.float64), int(side * scale))
    return from_columns(box_resize(small, side).to(torch.uint8), len(images))


def jpeg_compression(images: Tensor, draws: ImageRng, quality: int) -> Tensor:
    """The image after JPEG compression."""
    if images.shape[1] % 16 == 0:
        return jpeg(images, quality)
    decoded = []  # libjpeg fills up the last blocks of other sizes in its own way
    for image in images.cpu().numpy():
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        decoded.append(np.asarray(Image.open(file, formats=("JPEG",))))
    return torch.from_numpy(np.stack(decoded)).to(images.device)


# --- the lists --------------------------------------------------------------------------------------------------------

Corruption = Callable[..., Tensor]


def _by_name(*functions: Corruption) -> dict[str, Corruption]:
    return {function.__name__: function for function in functions}


# Measured once, at the end.
REPORTED = _by_name(
    *(gaussian_noise, shot_noise, impulse_noise),
    *(defocus_blur, glass_blur, motion_blur, zoom_blur),
    *(snow, frost, fog, brightness),
    *(contrast, elastic_transform, pixelate, jpeg_compression),
)
# May be used to choose hyper-parameters: those of ImageNet-C for validation, alone or with veils.
IMAGENET_C_VALIDATION = _by_name(speckle_noise, gaussian_blur, spatter, saturate)
VALIDATION = {
    "veils": IMAGENET_C_VALIDATION | _by_name(grey_veil, colour_cast, haze),
    "imagenet-c": IMAGENET_C_VALIDATION,
}
CORRUPTIONS = REPORTED | VALIDATION["veils"]
_BY_DIRECTION = {"motion_blur", "snow"}  # these blur images of one direction together, so they want many at a time


def corrupt(images: Tensor, name: str, severity: int, *, seed: int = 0, first_index: int = 0) -> Tensor:
    """A corrupted copy of uint8 images (n, side, side, 3), on their device.

    The draws of an image depend only on the name, the severity, the seed and the image's index (`first_index` is that
    of the first image), so the bytes do not depend on how the images are divided into batches.
    """
    _check(images, name, severity)
    row = constants_for(images.shape[1])[name][severity - 1]
    if not len(images):
        return images.clone()
    out = torch.empty_like(images)
    size = max(1, _values_at_once(name, images.device) // images[0].numel())
    keys = image_keys(name, severity, seed, first_index, len(images), images.device)
    for part, part_keys, place in zip(images.split(size), keys.split(size), out.split(size), strict=True):
        place.copy_(CORRUPTIONS[name](part, ImageRng(part_keys), *row))
    return out


def _check(images: Tensor, name: str, severity: int) -> None:
    if name not in CORRUPTIONS:
        raise ValueError(f"unknown corruption {name!r}; known: {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise ValueError(f"severity must be one of 1, 2, 3, 4, 5, got {severity!r}")
    if images.dtype != torch.uint8:
        raise ValueError(f"images must be uint8, got {images.dtype}")
    if images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] != 3:
        raise ValueError(f"images must have the shape (n, side, side, 3), got {tuple(images.shape)}")


def _values_at_once(name: str, device: torch.device) -> int:
    """The size of a part: what fits a processor's cache, or what keeps an accelerator busy."""
    return 2**25 if device.type != "cpu" or name in _BY_DIRECTION else 2**17
