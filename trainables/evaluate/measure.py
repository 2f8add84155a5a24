"""From a trained network to every number of its evaluation and the tables of its figures."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainables.corruptions.functions import REPORTED, VALIDATION
from trainables.corruptions.sets import CorruptedSets, corrupted_sets, official_sets
from trainables.corruptions.severities import ALEXNET_ERRORS, SEVERITIES
from trainables.data.batches import at_once, pixel_blocks
from trainables.data.images import Split
from trainables.evaluate.diagnostics import diagnose
from trainables.evaluate.options import Evaluation
from trainables.evaluate.report import Found, Source
from trainables.measures import accuracy
from trainables.measures.accuracy import Measurement, rate
from trainables.measures.distribution_shift import measure_shift
from trainables.measures.metrics import corruption_errors, mean_corruption_error
from trainables.methods.bottleneck import Bottleneck
from trainables.models.deploy import DeployedNet
from trainables.training.run_folder import Trained, read_transferred

VALIDATION_SEVERITIES = (1, 3, 5)  # for the search: enough to rank, at a fifth of the work


def measure(asked: Evaluation, trained: Trained, progress: Any) -> Found:
    """Every number that was asked for, with the images behind it and their source, and the tables of the figures."""
    splits, device = trained.splits, trained.device
    net = DeployedNet(trained.net, asked.norm, bf16=asked.precision == "bf16").to(device)
    on_validation = asked.corruptions in VALIDATION
    part, kind = (splits.validation, "validation") if on_validation else (splits.test, "test")
    images = Source(part, f"{kind} images of {splits.source}")

    found = accuracy.predict(net, images.batches(device, at_once(part, 500)))
    clean, tables = list(accuracy.clean_rows(found)), dict[str, Any]()
    if isinstance(trained.net.head, Bottleneck):
        rng = torch.Generator(device).manual_seed(0)
        clean.append(Measurement("rate", "", None, rate(trained.net, images.batches(device, 500), rng)))
    rows = [(row, len(part), images.name) for row in clean]
    if asked.corruptions != "none":
        few = images.first(asked.corrupted_images).part
        sets = find_sets(asked, few, splits.size, device)
        hits = accuracy.corrupted_hits(net, _reported(sets, len(few), progress), device)
        corrupted = list(accuracy.corruption_rows(hits))
        summary = accuracy.summarise([*clean, *corrupted])
        summary += corruption_error(asked, accuracy.corruption_accuracies(corrupted))
        rows += [(row, len(few), sets.source) for row in (*corrupted, *summary)]
        if not on_validation:
            tables["images"] = accuracy.by_image(found.right.cpu(), hits)
    if asked.attack:
        attacked = images.first(asked.attacked_images)
        rows += [(row, len(attacked.part), images.name) for row in under_attack(asked, trained, attacked)]
    if asked.shift:
        rows += measure_shift(net, asked.shift, asked.class_map, splits.classes, splits.size, device)
    more = diagnose(asked, trained, images)
    return Found([*rows, *more.rows], {**tables, **more.tables})


def find_sets(asked: Evaluation, part: Split, side: int, device: torch.device) -> CorruptedSets:
    """The corrupted copies of a part whose images have a side in pixels: made here, or of the published archives."""
    types = VALIDATION.get(asked.corruptions, REPORTED)
    severities = asked.severities or (VALIDATION_SEVERITIES if asked.corruptions in VALIDATION else SEVERITIES)
    if asked.cifar_c is not None:
        return official_sets(asked.cifar_c, part.labels, types=types, severities=severities)
    blocks = pixel_blocks(part, device)
    return corrupted_sets(blocks, len(part), side, types=types, severities=severities, device=device)


def _reported(sets: CorruptedSets, images: int, progress: Any) -> Iterator[tuple[tuple[str, int], Tensor, Tensor]]:
    """The blocks of these sets; `progress` gets the number of images measured so far, of all."""
    done, total = 0, images * sets.count
    for (name, severity), pixels, labels in sets.blocks:
        yield (name, severity), pixels, labels
        done += len(labels)
        progress(done, total, f"{name}-{severity}")


def corruption_error(asked: Evaluation, accuracies: Any) -> list[Measurement]:
    """mCE in percent, over AlexNet's errors on ImageNet-C or over another run's; nothing without a normaliser."""
    if asked.normaliser is None:
        return []
    if asked.normaliser == "alexnet":
        errors = ALEXNET_ERRORS
    else:
        errors = corruption_errors(read_accuracies(Path(asked.normaliser) / "evaluation-main.csv"))
    return [Measurement("mce", asked.normaliser, None, mean_corruption_error(accuracies, errors))]


def read_accuracies(path: Path) -> dict[tuple[str, int], float]:
    """The accuracy in percent on each corrupted set of an earlier evaluation."""
    if not path.is_file():
        raise ValueError(f"{path} must be there; write it with python -m trainables.evaluate {path.parent}")
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["measure"] == "corruption"]
    return {(row["name"], int(row["severity"])): float(row["value"]) for row in rows}


def under_attack(asked: Evaluation, trained: Trained, images: Source) -> Iterator[Measurement]:
    """Accuracy under each attack in percent, through the norms that were asked for."""
    device, source = trained.device, None
    net = DeployedNet(trained.net, asked.norm).to(device)
    if asked.transfer_from:
        source = DeployedNet(read_transferred(asked.transfer_from, trained.splits, str(device)).net).to(device)
    for attack in asked.attacks:
        row = accuracy.measure_attack(net, images.batches(device), attack, source)
        yield row._replace(measure=f"{asked.curve}_curve") if asked.curve else row
