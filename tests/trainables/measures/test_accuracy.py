"""Accuracies of streams of images, against counts made by hand."""

import torch
from torch import nn

from trainables.attacks.spec import parse_attack
from trainables.measures.accuracy import Measurement, measure_attack, measure_corruptions


class BrightOrDark(nn.Module):
    """Class 1 for images whose first pixel is bright, class 0 for others."""

    def forward(self, x):
        bright = x[:, 0, 0, 0]
        return torch.stack((0.5 - bright, bright - 0.5), dim=1)


def block(*levels):
    return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 4, 4, 3).contiguous()


def test_corrupted_sets_may_come_in_blocks_of_any_order():
    blocks = [
        (("fog", 1), block(255, 0, 0), torch.tensor([1, 0, 1])),
        (("snow", 2), block(0, 0, 0), torch.tensor([1, 1, 1])),
        (("fog", 1), block(255), torch.tensor([1])),
        (("snow", 2), block(255), torch.tensor([1])),
    ]
    rows = list(measure_corruptions(BrightOrDark(), iter(blocks), "cpu"))
    assert rows == [Measurement("corruption", "fog", 1, 75.0), Measurement("corruption", "snow", 2, 25.0)]


def test_an_attack_goes_once_through_a_stream_of_batches():
    x = torch.tensor([1.0, 0.9, 0.502, 0.0])[:, None, None, None].expand(-1, 3, 4, 4).contiguous()
    y = torch.tensor([1, 1, 1, 1])
    stream = ((x[rows], y[rows], rows) for rows in torch.arange(4).split(2))
    row = measure_attack(BrightOrDark(), stream, parse_attack("FGSM4"))
    assert (row.measure, row.value) == ("attack", 50.0)
