"""Accuracy, calibration and entropy of a network on clean, corrupted and attacked images, as rows of `Measurement`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from trainables.attacks import robustness
from trainables.attacks.spec import Attack, attack_name
from trainables.functional.batch import Batch
from trainables.measures.metrics import (
    Predictions,
    calibration_error,
    h_score,
    predictions_of,
    robust_accuracy,
    share_right,
)
from trainables.methods.bottleneck import draw_noise, head_of
from trainables.models.modes import evaluating
from trainables.models.pixel_net import PixelNet


def rate(net: PixelNet, batches: Iterable[Batch], rng: Generator) -> float:
    """E[ln p(z|x) − ln q(z)] over images in nats: an upper bound on what encodings tell about images."""
    head, ratios = head_of(net), []
    with evaluating(net):
        for x, _, _ in batches:
            encodings = net.features(x)
            noise = draw_noise(encodings, rng)
            ratios.append(head.log_ratio(encodings + noise, noise))
    return float(torch.cat(ratios).mean())


class Measurement(NamedTuple):
    """One number: what it measures, of which corruption and severity or which attack, and its value."""

    measure: str
    name: str
    severity: int | None
    value: float


def predict(net: nn.Module, batches: Iterable[Batch]) -> Predictions:
    """What is kept of the predictions for all images."""
    with evaluating(net):
        found = [predictions_of(net(x), y) for x, y, _ in batches]
    return Predictions(*map(torch.cat, zip(*found, strict=True)))


def accuracy(net: nn.Module, batches: Iterable[Batch]) -> float:
    """The share of images whose most likely class is their label, in percent."""
    with evaluating(net):
        return share_right(torch.cat([net(x).argmax(dim=1) == y for x, y, _ in batches]))


def measure_clean(net: nn.Module, batches: Iterable[Batch]) -> Iterator[Measurement]:
    """Standard accuracy, calibration error and mean entropy on images as they are."""
    return clean_rows(predict(net, batches))


def clean_rows(found: Predictions) -> Iterator[Measurement]:
    """Standard accuracy, calibration error and mean entropy of predictions."""
    yield Measurement("sa", "", None, share_right(found.right))
    yield Measurement("ece", "", None, calibration_error(found.right, found.confidence))
    yield Measurement("entropy", "", None, float(found.entropy.mean()))


def measure_corruptions(
    net: nn.Module, blocks: Iterable[tuple[tuple[str, int], Tensor, Tensor]], device: torch.device | str
) -> Iterator[Measurement]:
    """The accuracy on each corrupted set in percent; `blocks` are those of `CorruptedSets`, in any order."""
    yield from corruption_rows(corrupted_hits(net, blocks, device))


def corrupted_hits(
    net: nn.Module, blocks: Iterable[tuple[tuple[str, int], Tensor, Tensor]], device: torch.device | str
) -> dict[tuple[str, int], Tensor]:
    """For each corrupted set, whether each image is classified correctly, in the order of the images."""
    hits: dict[tuple[str, int], list[Tensor]] = {}
    with evaluating(net):
        for key, pixels, labels in blocks:
            found = [net(x).argmax(dim=1) == y for x, y, _ in plain_batches(pixels, labels, device)]
            hits.setdefault(key, []).extend(found)
    return {key: torch.cat(several).cpu() for key, several in hits.items()}


def corruption_rows(hits: Mapping[tuple[str, int], Tensor]) -> Iterator[Measurement]:
    """The accuracy on each corrupted set in percent."""
    for (corruption, severity), right in hits.items():
        yield Measurement("corruption", corruption, severity, share_right(right))


def by_image(clean: Tensor, hits: Mapping[tuple[str, int], Tensor]) -> list[dict[str, Any]]:
    """A row for each corrupted image: whether it is classified correctly clean, and how many copies of it are."""
    copies = torch.stack(list(hits.values())).sum(dim=0).tolist()
    right = clean[: len(copies)].int().tolist()
    return [{"image": i, "clean": a, "corrupted": b} for i, (a, b) in enumerate(zip(right, copies, strict=True))]


def measure_attack(
    net: nn.Module, batches: Iterable[Batch], attack: Attack, source: nn.Module | None = None
) -> Measurement:
    """The accuracy under an attack in percent; with a `source`, on examples crafted against that network."""
    kind = "transfer" if source else "attack"
    return Measurement(kind, attack_name(attack), None, robustness.accuracy_under_attack(net, batches, attack, source))


def summarise(rows: Iterable[Measurement]) -> list[Measurement]:
    """RA and H of measured rows that hold SA and corruptions."""
    rows = list(rows)
    accuracies = corruption_accuracies(rows)
    sa = next((row.value for row in rows if row.measure == "sa"), None)
    if sa is None or not accuracies:
        return []
    ra = robust_accuracy(accuracies)
    return [Measurement("ra", "", None, ra), Measurement("h", "", None, h_score(sa, ra))]


def corruption_accuracies(rows: Iterable[Measurement]) -> dict[tuple[str, int], float]:
    """The corrupted sets among measured rows."""
    return {(row.name, row.severity or 0): row.value for row in rows if row.measure == "corruption"}


def plain_batches(pixels: Tensor, labels: Tensor, device: torch.device | str, batch_size: int = 250) -> Iterator[Batch]:
    """All uint8 images (n, side, side, 3) in order, in even batches of at most `batch_size`."""
    size = math.ceil(len(pixels) / max(1, math.ceil(len(pixels) / batch_size))) or 1
    for start in range(0, len(pixels), size):
        part = slice(start, start + size)
        x = pixels[part].to(device).permute(0, 3, 1, 2).float().div_(255)
        y = labels[part].to(device)
        yield x, y, torch.arange(start, start + len(y), device=y.device)
