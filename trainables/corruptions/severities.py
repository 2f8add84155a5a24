"""The numbers behind each severity, as published for three image sizes; and AlexNet's errors, which normalise mCE."""

from collections.abc import Mapping

# Errors of AlexNet on ImageNet-C as shares, each a mean over the five severities.
ALEXNET_ERRORS: dict[str, float] = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}

Row = tuple[float, ...]
Table = Mapping[str, tuple[Row, ...]]

SEVERITIES = (1, 2, 3, 4, 5)


def _rows(*values: float) -> tuple[Row, ...]:
    return tuple((value,) for value in values)


# Ours, for all sizes: severities 1, 3 and 5 are the strengths whose validation accuracy was measured to predict.
VEILS: Table = {
    "grey_veil": _rows(0.2, 0.3, 0.4, 0.5, 0.6),  # share of the grey
    "colour_cast": _rows(0.4, 0.5, 0.6, 0.7, 0.8),  # the most that a channel loses
    "haze": _rows(0.3, 0.4, 0.5, 0.6, 0.7),  # share of the grey where it is thickest
}

CIFAR_C: Table = {  # 32 pixels
    **VEILS,
    "gaussian_noise": _rows(0.04, 0.06, 0.08, 0.09, 0.10),  # standard deviation
    "shot_noise": _rows(500, 250, 100, 75, 50),  # photons of a white pixel
    "impulse_noise": _rows(0.01, 0.02, 0.03, 0.05, 0.07),  # share of values
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),  # radius, sigma of its edge
    "glass_blur": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),  # sigma, reach, rounds
    "motion_blur": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),  # radius, sigma
    "zoom_blur": ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),  # end, step
    "snow": (  # mean, deviation, zoom, threshold, radius, sigma, share of the clean image
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    "frost": (
        (1, 0.2, 0.2),
        (1, 0.3, 0.2),
        (0.9, 0.4, 0.2),
        (0.85, 0.4, 0.2),
        (0.75, 0.45, 0.2),
    ),  # image, frost, its scale
    "fog": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),  # amount, decay of its detail
    "brightness": _rows(0.05, 0.1, 0.15, 0.2, 0.3),  # added to the value of HSV
    "contrast": _rows(0.75, 0.5, 0.4, 0.3, 0.15),  # factor
    "elastic_transform": (  # displacement, its smoothing, affine jitter; all in image sides
        (0, 0, 0.08),
        (0.05, 0.2, 0.07),
        (0.08, 0.06, 0.06),
        (0.1, 0.04, 0.05),
        (0.1, 0.03, 0.03),
    ),
    "pixelate": _rows(0.95, 0.9, 0.85, 0.75, 0.65),  # scale
    "jpeg_compression": _rows(80, 65, 58, 50, 40),  # quality
    "speckle_noise": _rows(0.06, 0.1, 0.12, 0.16, 0.2),  # standard deviation, relative
    "gaussian_blur": _rows(0.4, 0.6, 0.7, 0.8, 1),  # sigma
    "spatter": (  # mean, deviation, smoothing, threshold, strength or sigma, mud instead of water
        (0.62, 0.1, 0.7, 0.7, 0.5, 0),
        (0.65, 0.1, 0.8, 0.7, 0.5, 0),
        (0.65, 0.3, 1, 0.69, 0.5, 0),
        (0.65, 0.1, 0.7, 0.69, 0.6, 1),
        (0.65, 0.1, 0.5, 0.68, 0.6, 1),
    ),
    "saturate": ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),  # factor, offset of the saturation of HSV
}

TINY_IMAGENET_C: Table = {  # 64 pixels
    **VEILS,
    "gaussian_noise": _rows(0.04, 0.08, 0.12, 0.15, 0.18),
    "shot_noise": _rows(250, 100, 50, 30, 15),
    "impulse_noise": _rows(0.01, 0.02, 0.05, 0.08, 0.14),
    "defocus_blur": ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
    "glass_blur": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    "motion_blur": ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
    "zoom_blur": CIFAR_C["zoom_blur"],
    "snow": tuple((*row[:6], share) for row, share in zip(CIFAR_C["snow"], (0.8, 0.8, 0.7, 0.65, 0.6), strict=True)),
    "frost": ((1, 0.3, 0.3), (0.9, 0.4, 0.3), (0.8, 0.45, 0.3), (0.75, 0.5, 0.3), (0.7, 0.55, 0.3)),
    "fog": ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
    "brightness": _rows(0.1, 0.2, 0.3, 0.4, 0.5),
    "contrast": _rows(0.4, 0.3, 0.2, 0.1, 0.05),
    "elastic_transform": ((0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02)),
    "pixelate": _rows(0.9, 0.8, 0.7, 0.6, 0.5),
    "jpeg_compression": _rows(65, 58, 50, 40, 25),
    "speckle_noise": _rows(0.15, 0.2, 0.25, 0.3, 0.35),
    "gaussian_blur": _rows(0.5, 0.75, 1, 1.25, 1.5),
    "spatter": (
        (0.62, 0.1, 0.7, 0.7, 0.6, 0),
        (0.65, 0.1, 0.8, 0.7, 0.6, 0),
        (0.65, 0.3, 1, 0.69, 0.6, 0),
        (0.65, 0.1, 0.7, 0.68, 0.6, 1),
        (0.65, 0.1, 0.5, 0.67, 0.6, 1),
    ),
    "saturate": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
}

_SLIP = 244 / 224  # the published elastic constants are multiples of 244 pixels, on images of 224

IMAGENET_C: Table = {  # 224 pixels
    **VEILS,
    "gaussian_noise": _rows(0.08, 0.12, 0.18, 0.26, 0.38),
    "shot_noise": _rows(60, 25, 12, 5, 3),
    "impulse_noise": _rows(0.03, 0.06, 0.09, 0.17, 0.27),
    "defocus_blur": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    "glass_blur": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    "motion_blur": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    "zoom_blur": ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    "snow": (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
    "frost": ((1, 0.4, 1), (0.8, 0.6, 1), (0.7, 0.7, 1), (0.65, 0.7, 1), (0.6, 0.75, 1)),
    "fog": ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    "brightness": _rows(0.1, 0.2, 0.3, 0.4, 0.5),
    "contrast": _rows(0.4, 0.3, 0.2, 0.1, 0.05),
    "elastic_transform": (
        (2 * _SLIP, 0.7 * _SLIP, 0.1 * _SLIP),
        (2 * _SLIP, 0.08 * _SLIP, 0.2 * _SLIP),
        (0.05 * _SLIP, 0.01 * _SLIP, 0.02 * _SLIP),
        (0.07 * _SLIP, 0.01 * _SLIP, 0.02 * _SLIP),
        (0.12 * _SLIP, 0.01 * _SLIP, 0.02 * _SLIP),
    ),
    "pixelate": _rows(0.6, 0.5, 0.4, 0.3, 0.25),
    "jpeg_compression": _rows(25, 18, 15, 10, 7),
    "speckle_noise": _rows(0.15, 0.2, 0.35, 0.45, 0.6),
    "gaussian_blur": _rows(1, 2, 3, 4, 6),
    "spatter": (
        (0.65, 0.3, 4, 0.69, 0.6, 0),
        (0.65, 0.3, 3, 0.68, 0.6, 0),
        (0.65, 0.3, 2, 0.68, 0.5, 0),
        (0.65, 0.3, 1, 0.65, 1.5, 1),
        (0.67, 0.4, 1, 0.65, 1.5, 1),
    ),
    "saturate": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
}

CONSTANTS: dict[str, Table] = {"cifar-c": CIFAR_C, "tiny-imagenet-c": TINY_IMAGENET_C, "imagenet-c": IMAGENET_C}


def constants_for(side: int) -> Table:
    """The severities of the published set whose images are nearest in size: their side in pixels, compared by ratio."""
    return CIFAR_C if side <= 45 else TINY_IMAGENET_C if side <= 120 else IMAGENET_C
