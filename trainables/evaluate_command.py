"""The command line of `python -m trainables.evaluate`: from a run's folder to a table and a CSV."""

import argparse
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
from trainables.attack_names import Attack, parse_attacks, with_radii
from trainables.batches import make_batches
from trainables.bottleneck import Bottleneck, rate
from trainables.config import TrialConfig
from trainables.corrupted_sets import CorruptedSets, corrupted_sets, official_sets
from trainables.corruptions import REPORTED, SEVERITIES, VALIDATION
from trainables.data import Images, Splits, dataset_entry
from trainables.deploy import DeployedNet
from trainables.evaluate import Measurement
from trainables.files import write_atomically
from trainables.metrics import ALEXNET_ERRORS, by_corruption, by_severity, corruption_errors, mean_corruption_error
from trainables.options import OneLineParser, read_flags, unknown
from trainables.shift import measure_shift
from trainables.train import TrainState, load_splits, read_checkpoint, resolve_device

VALIDATION_SEVERITIES = (1, 3, 5)  # what the search looks at: enough to rank, a fifth of the work
UNITS = {"sa": " %", "ra": " %", "h": "", "ece": " %", "entropy": " nats", "rate": " nats"}  # of the first line
COLUMNS = ("norm", "measure", "name", "severity", "value", "images", "source")


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What the flags ask for."""

    run: Path
    norm: str = "main"
    corruptions: str = "all"
    severities: tuple[int, ...] = ()
    corrupted_images: int | None = None
    cifar_c: Path | None = None
    attacks: tuple[Attack, ...] = ()
    attacked_images: int | None = None
    transfer_from: Path | None = None
    shift: str | None = None
    class_map: Path | None = None
    normaliser: str | None = None
    precision: str = "fp32"
    data_root: Path | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, known in (
            ("norm", ("main", "aux")),
            ("corruptions", ("all", "none", "validation")),
            ("precision", ("fp32", "bf16")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(unknown(name, getattr(self, name), known))
        for severity in self.severities:
            if severity not in SEVERITIES:
                raise ValueError(f"severities must be whole numbers in [1, 5], got {severity!r}")
        for name in ("corrupted_images", "attacked_images"):
            count = getattr(self, name)
            if count is not None and (not isinstance(count, int) or count < 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {count!r}")
        if self.normaliser and self.corruptions != "all":
            raise ValueError("normaliser must come with corruptions all, whose errors it divides")
        if self.class_map and not self.shift:
            raise ValueError("class_map must come with shift, the pictures whose classes it maps")
        if self.transfer_from and not self.attacks:
            raise ValueError("transfer_from must come with attack, the attack that is made against that network")


class Trained(NamedTuple):
    """A run read back: what it was trained on, and its network."""

    config: TrialConfig
    splits: Splits
    state: TrainState


def read_run(folder: Path, data_root: Path | None, device: str) -> Trained:
    """The network of a run's folder with the data that it was trained on."""
    checkpoint = folder / "checkpoint.pt"
    if not checkpoint.is_file():
        raise ValueError(f"{folder} must hold a checkpoint.pt, which python -m trainables --out {folder} writes")
    config = TrialConfig.from_dict(read_checkpoint(checkpoint)["config"])
    splits = load_splits(config, data_root)
    return Trained(config, splits, TrainState.load(checkpoint, splits, device))


def measure(asked: Evaluation, trained: Trained, progress: Any) -> Iterator[tuple[Measurement, int, str]]:
    """Every number that was asked for, with the images it stands on and where they come from."""
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


def corruption_images(part: Any, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The images that are measured corrupted, as an array: small ones as they are, larger ones cut to 224 pixels."""
    if limit is not None:
        part = part.take(np.arange(min(limit, len(part))))
    if isinstance(part, Images):
        return part.pixels, part.labels
    batches = make_batches(part, "cpu").plain(64)
    cut = [(x.permute(0, 2, 3, 1) * 255).round().byte().numpy() for x, _, _ in batches]
    return np.concatenate(cut), part.labels


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
        other = read_run(asked.transfer_from, asked.data_root, str(device))
        source = DeployedNet(other.state.net).to(device)
    for row in evaluate.measure_attacks(net, make_batches(attacked, device).plain(250), list(asked.attacks), source):
        yield row, len(attacked)


def render(rows: list[tuple[Measurement, int, str]]) -> str:
    """The table that is printed."""
    values = {row.measure: row.value for row, _, _ in rows if row.measure in UNITS}
    names = {"ece": "ECE", "entropy": "entropy", "rate": "rate"}
    lines = ["   ".join(f"{names.get(m, m.upper())} {value:.2f}{UNITS[m]}" for m, value in values.items())]
    accuracies = evaluate.corruption_accuracies(row for row, _, _ in rows)
    if accuracies:
        lines += ["", *corruption_lines(accuracies)]
    for row, images, source in rows:
        if row.measure == "mce":
            normaliser = "AlexNet on ImageNet-C" if row.name == "alexnet" else row.name
            lines.append(f"mCE {row.value:.2f} %, normaliser: {normaliser}")
        elif row.measure in ("attack", "transfer", "shift"):
            lines.append(f"{row.measure} {row.name}: {row.value:.2f} % of {images} images ({source})")
    sources = dict.fromkeys(f"{images} images, {source}" for row, images, source in rows if row.measure in ("sa", "ra"))
    return "\n".join([*lines, *sources])


def corruption_lines(accuracies: dict[tuple[str, int], float]) -> list[str]:
    """Accuracy by corruption and severity, with the means at the edges."""
    severities = sorted({severity for _, severity in accuracies})
    lines = [f"{'accuracy %':20}" + "".join(f"{severity:>7}" for severity in severities) + "   mean"]
    for name, mean in by_corruption(accuracies).items():
        cells = "".join(f"{accuracies[name, severity]:7.1f}" for severity in severities)
        lines.append(f"{name:20}{cells}{mean:7.1f}")
    means = by_severity(accuracies)
    overall = sum(accuracies.values()) / len(accuracies)
    return [*lines, f"{'mean':20}" + "".join(f"{means[severity]:7.1f}" for severity in severities) + f"{overall:7.1f}"]


def write_csv(path: Path, norm: str, rows: list[tuple[Measurement, int, str]]) -> None:
    """A row per number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, images, source in rows:
        writer.writerow([norm, row.measure, row.name, row.severity, row.value, images, source])
    write_atomically(path, text.getvalue())


def show_progress(done: int, total: int, what: str) -> None:
    """One live line while corrupted images are made."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r\033[Kmaking corrupted images {done:,} of {total:,}: {what}", end=end, file=sys.stderr, flush=True)


def build_parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m trainables.evaluate",
        usage="python -m trainables.evaluate RUN [options]",
        description=evaluate.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the folder of a training run")
    add("--norm", metavar="{main,aux}", help="which norms to measure with [main]")
    corruptions = "the 15 reported ones on test images, none, or the four of the search on validation images [all]"
    add("--corruptions", metavar="{all,none,validation}", help=corruptions)
    add("--severities", metavar="S,S", help="severities in [1, 5] [all five; validation: 1,3,5]")
    add("--corrupted-images", metavar="N", help="corrupt the first N images only [all; digits: 300]")
    add("--cifar-c", type=Path, metavar="FOLDER", help="the published CIFAR-10-C or CIFAR-100-C instead of our own")
    add("--attack", metavar="NAMES", help="attacks divided by commas: PGD20-8, FGSM4, CW40-8, PGD20-2:entprop, AA-8 …")
    add("--radii", metavar="E,E", help="each attack at these epsilons (in 1/255): accuracy against epsilon")
    add("--step-counts", metavar="N,N", help="each attack with these many steps: accuracy against steps")
    add("--attacked-images", metavar="N", help="attack the first N images only [all]")
    add("--transfer-from", type=Path, metavar="RUN", help="attack that run's network and show the result to this one")
    add("--shift", metavar="DATA", help="accuracy on other pictures of the same classes, folder:PATH")
    add("--class-map", type=Path, metavar="FILE", help="JSON: class folder of --shift to class of the training data")
    add(
        "--normaliser",
        metavar="{alexnet,RUN}",
        help="add mCE: errors over AlexNet's on ImageNet-C, or over those of a run",
    )
    add("--precision", metavar="{fp32,bf16}", help="bf16 is three times as fast where the processor has it [fp32]")
    add("--data-root", type=Path, metavar="FOLDER", help="where data sets lie")
    add("--device", metavar="D", help="cpu, cuda, cuda:1, mps or auto [auto]")
    return parser


def read_evaluation(values: dict[str, Any]) -> Evaluation:
    """What the flags ask for, checked."""
    attacks = parse_attacks(values.pop("attack")) if "attack" in values else []
    radii, counts = numbers(values.pop("radii", "")), numbers(values.pop("step_counts", ""))
    if (radii or counts) and not attacks:
        raise ValueError("radii and step_counts must come with attack, whose curve they ask for")
    if radii:
        attacks = [each for attack in attacks for each in with_radii(attack, radii)]
    if counts:
        attacks = [dataclasses.replace(attack, steps=int(count)) for attack in attacks for count in counts]
    return Evaluation(**{**values, **read_flags(values, Evaluation)}, attacks=tuple(attacks))


def numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part]
    except ValueError:
        raise ValueError(f"radii and step_counts must be numbers divided by commas, got {text!r}") from None


def main(arguments: list[str] | None = None) -> int:
    parser = build_parser()
    values = vars(parser.parse(arguments))
    try:
        asked = read_evaluation(values)
        trained = read_run(asked.run, asked.data_root, resolve_device(asked.device))
        rows = list(measure(asked, trained, show_progress))
        path = asked.run / f"evaluation-{asked.norm}.csv"
        write_csv(path, asked.norm, rows)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written", file=sys.stderr)
        return 130
    method = json.dumps(trained.config.as_dict()["method"]).strip("{}").replace('"', "")
    print(f"{asked.run}: {method}; epoch {trained.state.epoch}; {asked.norm} norms\n")
    print(render(rows))
    print(f"written: {path}")
    return 0
