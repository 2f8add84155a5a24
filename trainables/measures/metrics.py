"""Numbers made of predictions: accuracies, their harmonic mean, corruption errors, calibration, entropy."""

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from trainables.functional.losses import entropy

Accuracies = Mapping[tuple[str, int], float]  # (corruption, severity) -> percent


class Predictions(NamedTuple):
    """What is kept of predictions, a value an image: logits of 50,000 images and 1,000 classes would be 200 MB."""

    right: Tensor  # bool: whether the most likely class is the label
    confidence: Tensor  # its probability, float64
    entropy: Tensor  # in nats


def predictions_of(logits: Tensor, y: Tensor) -> Predictions:
    """What is kept of the logits of a batch."""
    confidence = F.softmax(logits.double(), dim=1).amax(dim=1)
    return Predictions(logits.argmax(dim=1) == y, confidence, entropy(logits, y))


def share_right(right: Tensor) -> float:
    """Accuracy in percent."""
    return 100 * int(right.sum()) / len(right)


def h_score(sa: float, ra: float) -> float:
    """The harmonic mean of standard and robust accuracy."""
    return 0.0 if sa + ra == 0 else 2 * sa * ra / (sa + ra)


def robust_accuracy(accuracies: Accuracies) -> float:
    """RA: the plain mean over all corrupted sets."""
    return fmean(accuracies.values())


def by_corruption(accuracies: Accuracies) -> dict[str, float]:
    """The mean over severities of each corruption."""
    return _grouped((name, value) for (name, _), value in accuracies.items())


def by_severity(accuracies: Accuracies) -> dict[int, float]:
    """The mean over corruptions of each severity."""
    return _grouped((severity, value) for (_, severity), value in accuracies.items())


def _grouped(pairs: Iterable[tuple]) -> dict:
    groups: dict = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: fmean(values) for key, values in groups.items()}


def mean_corruption_error(accuracies: Accuracies, normaliser: Mapping[str, float]) -> float:
    """mCE in percent: each corruption's error over the normaliser's, then the mean over corruptions.

    The normaliser is ALEXNET_ERRORS of trainables/corruptions/severities.py, or the errors of our own vanilla run by
    `corruption_errors`; say which beside it.
    """
    errors = corruption_errors(accuracies)
    if set(errors) != set(normaliser):
        odd = sorted(set(errors) ^ set(normaliser))
        raise ValueError(f"the normaliser must hold the same corruptions as the accuracies, they differ in {odd}")
    return 100 * fmean(error / normaliser[name] for name, error in errors.items())


def corruption_errors(accuracies: Accuracies) -> dict[str, float]:
    """The error of each corruption as a share, a mean over its severities."""
    return {name: 1 - value / 100 for name, value in by_corruption(accuracies).items()}


def calibration_error(right: Tensor, confidence: Tensor, bins: int = 15) -> float:
    """ECE in percent: the gap between confidence and accuracy in bins of equal width, weighted by their samples."""
    gap = right.double() - confidence
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1  # intervals closed on the right
    sums = gap.new_zeros(bins).index_add_(0, place, gap)
    return 100 * float(sums.abs().sum()) / len(right)
