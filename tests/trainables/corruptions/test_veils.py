"""What the veils must do to any image."""

import pytest
import torch

from trainables.corruptions.functions import corrupt

IMAGES = torch.randint(0, 256, (12, 32, 32, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.mark.parametrize("name", ["grey_veil", "colour_cast", "haze"])
def test_a_veil_takes_contrast_away_and_more_with_severity(name):
    spread = [corrupt(IMAGES, name, severity).double().std((1, 2)).mean().item() for severity in (1, 3, 5)]
    assert IMAGES.double().std((1, 2)).mean() > spread[0] > spread[1] > spread[2]


def test_a_grey_veil_moves_every_channel_to_one_level_of_the_image():
    amount = 0.4
    veiled = corrupt(IMAGES, "grey_veil", 3).double() / 255
    level = (veiled - (1 - amount) * IMAGES.double() / 255) / amount
    assert level.std((1, 2, 3)).max() < 0.01  # rounding to levels
    assert level.mean((1, 2, 3)).std() > 0.1  # but another one for each image


def test_a_colour_cast_scales_each_channel_and_adds_to_it():
    cast = corrupt(IMAGES, "colour_cast", 3).double()
    for image, before in zip(cast, IMAGES.double(), strict=True):
        for channel in range(3):
            slope, offset = torch.linalg.lstsq(
                torch.stack([before[..., channel].flatten(), torch.ones(1024, dtype=torch.float64)], 1),
                image[..., channel].flatten(),
            ).solution
            assert 0.4 <= slope <= 1  # at most 0.6 is lost
            assert 0 <= offset <= 255 * 0.3


def test_haze_lightens_black_along_one_direction():
    hazy = corrupt(torch.zeros(12, 32, 32, 3, dtype=torch.uint8), "haze", 5).double()[..., 0]
    assert (hazy.amin((1, 2)) < 2).all()
    assert (hazy.amax((1, 2)) > 255 * 0.7 * 0.55).all()
    second = (hazy[:, 2:] - 2 * hazy[:, 1:-1] + hazy[:, :-2]).abs().max()
    assert second <= 2  # a ramp, but for rounding
