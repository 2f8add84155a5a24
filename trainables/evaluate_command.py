"""The command of `python -m trainables.evaluate`: from a run's folder to a table and the files of figures."""

import csv
import dataclasses
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from trainables import evaluate
from trainables.alexnet import ALEXNET_ERRORS
from trainables.batches import as_pixels, make_batches
from trainables.bottleneck import Bottleneck, rate
from trainables.config import TrialConfig
from trainables.corrupted_sets import CorruptedSets, corrupted_sets, official_sets
from trainables.corruptions import REPORTED, VALIDATION
from trainables.data import Splits, dataset_entry
from trainables.deploy import DeployedNet
from trainables.diagnose import Tables, diagnose, table_file
from trainables.evaluate import Measurement
from trainables.evaluate_options import Evaluation, build_parser, read_evaluation
from trainables.evaluate_report import render
from trainables.files import replacing, write_atomically
from trainables.metrics import corruption_errors, mean_corruption_error
from trainables.severities import SEVERITIES
from trainables.shift import measure_shift
from trainables.train import TrainState, load_splits, read_checkpoint, resolve_device

VALIDATION_SEVERITIES = (1, 3, 5)  # what the search looks at: enough to rank, a fifth of the work
COLUMNS = ("norm", "measure", "name", "severity", "value", "images", "source")


class Trained(NamedTuple):
    """A run read back: what it was trained on, and its network."""

    config: TrialConfig
    splits: Splits
    state: TrainState


def read_run(folder: Path, data_root: Path | None, device: str) -> Trained:
    """The network of a run's folder with the data that it was trained on."""
    checkpoint = checkpoint_of(folder)
    config = TrialConfig.from_dict(read_checkpoint(checkpoint)["config"])
    splits = load_splits(config, data_root)
    return Trained(config, splits, TrainState.load(checkpoint, splits, device))


def read_state(folder: Path, splits: Splits, device: str) -> TrainState:
    """The network of a run's folder that is to see these images."""
    checkpoint = checkpoint_of(folder)
    dataset = read_checkpoint(checkpoint)["config"]["dataset"]
    if dataset != splits.name:
        raise ValueError(f"{folder} must be a run on {splits.name}, got one on {dataset}")
    return TrainState.load(checkpoint, splits, device)


def checkpoint_of(folder: Path) -> Path:
    """The checkpoint in a run's folder; ValueError if there is none."""
    checkpoint = folder / "checkpoint.pt"
    if not checkpoint.is_file():
        raise ValueError(f"{folder} must hold a checkpoint.pt, which python -m trainables --out {folder} writes")
    return checkpoint


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
    rows = list(evaluate.measure_clean(net, make_batches(part, state.device).plain(500)))
    if isinstance(state.net.head, Bottleneck):
        nats = rate(
            state.net, make_batches(part, state.device).plain(500), torch.Generator(state.device).manual_seed(0)
        )
        rows.append(Measurement("rate", "", None, nats))
    yield from ((row, len(part), source) for row in rows)

    if asked.corruptions != "none":
        pixels, labels = corruption_images(part, asked.corrupted_images or dataset_entry(config.dataset).corrupted)
        sets = find_sets(asked, pixels, labels, state, progress)
        corrupted = list(evaluate.measure_corruptions(net, sets, labels, state.device))
        yield from ((row, len(labels), sets.source) for row in corrupted)
        summary = evaluate.summarise([*rows, *corrupted])
        summary += corruption_error(asked, evaluate.corruption_accuracies(corrupted))
        yield from ((row, len(labels), sets.source) for row in summary)
    if asked.attacks:
        yield from ((row, count, source) for row, count in under_attack(asked, trained, part))
    if asked.shift:
        yield from measure_shift(net, asked.shift, asked.class_map, splits.classes, splits.size, state.device)
    yield from diagnose(asked, trained, part, source, {} if tables is None else tables)


def corruption_images(part: Any, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The images that are measured corrupted, as an array: small ones as they are, larger ones cut to 224 pixels."""
    if limit is not None:
        part = part.take(np.arange(min(limit, len(part))))
    return as_pixels(part)


def find_sets(
    asked: Evaluation, pixels: np.ndarray, labels: np.ndarray, state: TrainState, progress: Any
) -> CorruptedSets:
    """The corrupted copies: of the published archives, or made here once and kept."""
    on_validation = asked.corruptions == "validation"
    types = VALIDATION if on_validation else REPORTED
    severities = asked.severities or (VALIDATION_SEVERITIES if on_validation else SEVERITIES)
    if asked.cifar_c is None:
        device = str(state.device) if state.device.type == "cuda" else "cpu"
        return corrupted_sets(pixels, types=types, severities=severities, progress=progress, device=device)
    sets = official_sets(asked.cifar_c, types=types, severities=severities)
    if sets.labels is None or not np.array_equal(sets.labels[: len(labels)], labels):
        raise ValueError(f"{asked.cifar_c} must belong to the test images of this run, but its labels are others")
    return dataclasses.replace(sets, arrays={key: array[: len(labels)] for key, array in sets.arrays.items()})


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
    attacked = part if asked.attacked_images is None else part.take(np.arange(min(asked.attacked_images, len(part))))
    device = trained.state.device
    net: nn.Module = DeployedNet(trained.state.net, asked.norm).to(device)  # type: ignore[arg-type]
    source = None
    if asked.transfer_from:
        other = read_state(asked.transfer_from, trained.splits, str(device))
        source = DeployedNet(other.net).to(device)
    for row in evaluate.measure_attacks(net, make_batches(attacked, device).plain(250), list(asked.attacks), source):
        yield row._replace(measure=f"{asked.curve}_curve") if asked.curve else row, len(attacked)


def write_csv(path: Path, norm: str, rows: list[tuple[Measurement, int, str]]) -> None:
    """A row per number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, images, source in rows:
        writer.writerow([norm, row.measure, row.name, row.severity, row.value, images, source])
    write_atomically(path, text.getvalue())


def write_files(asked: Evaluation, rows: list[tuple[Measurement, int, str]], tables: Tables) -> list[Path]:
    """The table of numbers, and a file for each figure that was asked for."""
    path = asked.file("evaluation", "csv")
    write_csv(path, asked.norm, rows)
    return [path, *write_tables(asked, tables)]


def write_tables(asked: Evaluation, tables: Tables) -> list[Path]:
    """A file for each figure that was asked for."""
    written = []
    for kind, content in tables.items():
        ending, data = table_file(content)
        written.append(asked.file(kind, ending))
        with replacing(written[-1]) as file:
            file.write(data)
    return written


def show_progress(done: int, total: int, what: str) -> None:
    """One live line while corrupted images are made."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r\033[Kmaking corrupted images {done:,} of {total:,}: {what}", end=end, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Measure a trained run; an exit code."""
    parser = build_parser()
    values = vars(parser.parse(arguments))
    try:
        asked = read_evaluation(values)
        trained = read_run(asked.run, asked.data_root, resolve_device(asked.device))
        tables: Tables = {}
        rows = list(measure(asked, trained, show_progress, tables))
        written = write_files(asked, rows, tables)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written", file=sys.stderr)
        return 130
    method = json.dumps(trained.config.as_dict()["method"]).strip("{}").replace('"', "")
    print(f"{asked.run}: {method}; epoch {trained.state.epoch}; {asked.norm} norms\n")
    print(render(rows))
    print(f"written: {', '.join(str(path) for path in written)}")
    return 0
