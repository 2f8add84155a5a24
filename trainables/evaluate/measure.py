"""The command of `python -m trainables.evaluate`: from a run's folder to a table and the files of figures."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainables.corruptions.functions import REPORTED, VALIDATION
from trainables.corruptions.sets import CorruptedSets, corrupted_sets, official_sets
from trainables.corruptions.severities import ALEXNET_ERRORS, SEVERITIES
from trainables.data.batches import make_batches, pixel_blocks
from trainables.data.datasets import dataset_entry
from trainables.data.images import Split
from trainables.evaluate.diagnostics import diagnose
from trainables.evaluate.options import Evaluation
from trainables.evaluate.report import Tables
from trainables.measures import accuracy
from trainables.measures.accuracy import Measurement, rate
from trainables.measures.distribution_shift import measure_shift
from trainables.measures.metrics import corruption_errors, mean_corruption_error
from trainables.methods.bottleneck import Bottleneck
from trainables.models.deploy import DeployedNet
from trainables.training.run_folder import Trained, read_state

VALIDATION_SEVERITIES = (1, 3, 5)  # what the search looks at: enough to rank, a fifth of the work


def measure(
    asked: Evaluation, trained: Trained, progress: Any, tables: Tables | None = None
) -> Iterator[tuple[Measurement, int, str]]:
    """Every number that was asked for, with the images it stands on and where they come from.

    What figures are drawn from, more than a number, is put into `tables`.
    """
    config, splits, state = trained
    net = DeployedNet(state.net, asked.norm, bf16=asked.precision == "bf16").to(state.device)  # type: ignore[arg-type]
    part = splits.validation if asked.corruptions == "validation" else splits.test
    source = f"{'validation' if part is splits.validation else 'test'} images of {splits.source}"
    rows = list(accuracy.measure_clean(net, make_batches(part, state.device).sequential(500)))
    if isinstance(state.net.head, Bottleneck):
        nats = rate(
            state.net, make_batches(part, state.device).sequential(500), torch.Generator(state.device).manual_seed(0)
        )
        rows.append(Measurement("rate", "", None, nats))
    yield from ((row, len(part), source) for row in rows)

    if asked.corruptions != "none":
        few = _first_images(part, asked.corrupted_images or dataset_entry(config.dataset).corrupted)
        sets = find_sets(asked, few, splits.size, state.device)
        corrupted = list(accuracy.measure_corruptions(net, _reported(sets, len(few), progress), state.device))
        summary = accuracy.summarise([*rows, *corrupted])
        summary += corruption_error(asked, accuracy.corruption_accuracies(corrupted))
        yield from ((row, len(few), sets.source) for row in [*corrupted, *summary])
    if asked.attacks:
        yield from ((row, count, source) for row, count in under_attack(asked, trained, part))
    if asked.shift:
        yield from measure_shift(net, asked.shift, asked.class_map, splits.classes, splits.size, state.device)
    yield from diagnose(asked, trained, part, source, {} if tables is None else tables)


def _first_images(part: Split, limit: int | None) -> Split:
    return part if limit is None else part.take(np.arange(min(limit, len(part))))


def find_sets(asked: Evaluation, part: Split, side: int, device: torch.device) -> CorruptedSets:
    """The corrupted copies of a part whose images have a side in pixels: made here, or of the published archives."""
    on_validation = asked.corruptions == "validation"
    types = VALIDATION if on_validation else REPORTED
    severities = asked.severities or (VALIDATION_SEVERITIES if on_validation else SEVERITIES)
    if asked.cifar_c is not None:
        return official_sets(asked.cifar_c, part.labels, types=types, severities=severities)
    blocks = pixel_blocks(part, device)
    return corrupted_sets(blocks, len(part), side, types=types, severities=severities, device=device)


def _reported(sets: CorruptedSets, images: int, progress: Any) -> Iterator[tuple[tuple[str, int], Tensor, Tensor]]:
    """The blocks of these sets; `progress` is told how many of all their images have been measured."""
    done, total = 0, images * sets.count
    for (name, severity), pixels, labels in sets.blocks:
        yield (name, severity), pixels, labels
        done += len(labels)
        progress(done, total, f"{name}-{severity}")


def corruption_error(asked: Evaluation, accuracies: Any) -> list[Measurement]:
    """mCE against AlexNet on ImageNet-C or against another run's errors, where a normaliser is named."""
    if asked.normaliser is None:
        return []
    if asked.normaliser == "alexnet":
        errors = ALEXNET_ERRORS
    else:
        errors = corruption_errors(read_accuracies(Path(asked.normaliser) / "evaluation-main.csv"))
    return [Measurement("mce", asked.normaliser, None, mean_corruption_error(accuracies, errors))]


def read_accuracies(path: Path) -> dict[tuple[str, int], float]:
    """The corrupted sets of an earlier evaluation."""
    if not path.is_file():
        raise ValueError(f"{path} must be there; write it with python -m trainables.evaluate {path.parent}")
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["measure"] == "corruption"]
    return {(row["name"], int(row["severity"])): float(row["value"]) for row in rows}


def under_attack(asked: Evaluation, trained: Trained, part: Any) -> Iterator[tuple[Measurement, int]]:
    """Accuracy under each attack, through the norms that were asked for."""
    attacked = _first_images(part, asked.attacked_images)
    device = trained.state.device
    net: nn.Module = DeployedNet(trained.state.net, asked.norm).to(device)  # type: ignore[arg-type]
    source = None
    if asked.transfer_from:
        other = read_state(asked.transfer_from, trained.splits, str(device))
        source = DeployedNet(other.net).to(device)
    batches = make_batches(attacked, device)
    for attack in asked.attacks:
        row = accuracy.measure_attack(net, batches.sequential(250), attack, source)
        yield row._replace(measure=f"{asked.curve}_curve") if asked.curve else row, len(attacked)
