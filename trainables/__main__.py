"""Train one configuration, without Ray: python -m trainables --method entprop --k 0.2 --n 1 --dataset fashion

`--dataset digits` takes a few seconds on a laptop. `--list` shows the methods, data sets and networks. With
`--out FOLDER`, rows and a checkpoint are saved after every epoch, and the same command resumes after the last one.
Defaults are in brackets; docs/decisions.md explains A1 to A64.
"""

import argparse
import contextlib
import sys
import time
from pathlib import Path
from typing import Any

from trainables.config import TrialConfig, make_method, with_recipe
from trainables.data.datasets import DATASETS, EMBEDDED
from trainables.methods import METHODS
from trainables.models.registry import MODELS
from trainables.options import OneLineParser, Option, add_flag, add_flags, options_of, read_flags
from trainables.training import Row


def build_parser() -> OneLineParser:
    """The flags of one training; methods share those of the same name."""
    parser = OneLineParser(
        prog="python -m trainables",
        usage="python -m trainables [--method M] [--dataset D] [--out FOLDER] [options]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="list methods, data sets and networks, and exit")
    parser.add_argument("--method", default="entprop", metavar="M", help="training method [entprop]")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="save rows and checkpoint here; resume if it has a checkpoint"
    )
    parser.add_argument("--selections", action="store_true", help="with --out: save which images each epoch selected")
    parser.add_argument("--data-root", type=Path, metavar="FOLDER", help="folder of the data sets and of downloads")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps or auto: the fastest one here [auto]")
    parser.add_argument("--quiet", action="store_true", help="print only the result")
    add_flags(parser.add_argument_group("the run (defaults: the data set's recipe)"), TrialConfig)
    group = parser.add_argument_group("the method (each has its own defaults)")
    for owners in method_options().values():
        add_flag(group, owners)
    return parser


def method_options() -> dict[str, dict[str, Option]]:
    """Every hyper-parameter's name, with the methods that have it and their fields of that name."""
    options: dict[str, dict[str, Option]] = {}
    for method, kind in METHODS.items():
        for name, each in options_of(kind).items():
            options.setdefault(name, {})[method] = each
    return options


def print_list() -> None:
    """One line for each method, data set and network."""
    own_data = {
        "folder:PATH": "your own images: train/CLASS/*.png and test/CLASS/*.png",
        "npz:PATH": "your own arrays: train_images, train_labels, test_images, test_labels[, classes]",
    }
    lists = {
        "methods": {name: f"{kind.__doc__} Cost by default: {kind().cost:g}N." for name, kind in METHODS.items()},
        "data sets": {name: entry.description for name, entry in DATASETS.items()} | own_data,
        "models": {name: model.description for name, model in MODELS.items()},
    }
    for title, lines in lists.items():
        print(f"{title}:")
        for name, line in lines.items():
            print(f"  {name:16} {line}")


def read_config(arguments: dict[str, Any]) -> TrialConfig:
    """The configuration that the flags name."""
    name = arguments["method"]
    if name in METHODS:
        given = {option: value for option, value in arguments.items() if option in method_options()}
        method = make_method(name, {**given, **read_flags(given, METHODS[name])})
    else:
        method = make_method(name, {})  # raises, and lists the known ones
    chosen = read_flags({key: value for key, value in arguments.items() if key != "method"}, TrialConfig)
    return with_recipe(method, chosen.pop("dataset", EMBEDDED), **chosen)


class Progress:
    """One live line in a terminal, one line an epoch in a file."""

    def __init__(self, config: TrialConfig) -> None:
        self.config = config
        self.started = time.perf_counter()
        self.first_epoch: int | None = None

    def show(self, row: Row) -> None:
        line = self.line(row)
        if sys.stdout.isatty():
            end = "\n" if row["epoch"] == self.config.epochs else ""
            print(f"\r\033[K{line}", end=end, flush=True)
        else:
            print(line, flush=True)

    def line(self, row: Row) -> str:
        epochs = self.config.epochs
        if self.first_epoch is None:
            self.first_epoch = row["epoch"] - 1
        done = row["epoch"] - self.first_epoch
        left = (time.perf_counter() - self.started) / done * (epochs - row["epoch"])
        total = self.config.method.cost * epochs
        return (
            f"epoch {row['epoch']}/{epochs}  loss {row['loss']:.4f}  train {row['train_accuracy']:.1f} %  "
            f"validation {row['val_sa']:.1f} %  cost {row['spent']:g}N of {total:g}N  {left:.0f} s left"
        )


def run(arguments: argparse.Namespace, config: TrialConfig) -> list[Row]:
    """Train, keep what is to be kept, and print."""
    from trainables.training.crew import local_crew
    from trainables.training.loop import check_batch_size, load_splits, train
    from trainables.training.run_folder import RunFolder
    from trainables.training.selections import Recorder
    from trainables.training.state import TrainState, resolve_device

    if arguments.selections and not arguments.out:
        raise ValueError("selections needs out, the folder that keeps them")
    device = resolve_device(arguments.device)
    splits = load_splits(config, arguments.data_root)
    check_batch_size(config, splits)
    recorder = Recorder(config, len(splits.train)) if arguments.selections else None
    folder = RunFolder(arguments.out, config, splits, device) if arguments.out else None
    state = (folder and folder.state) or TrainState(config, splits, device)
    if recorder:
        recorder.load(arguments.out, state.epoch)
    rows = list(folder.rows) if folder else []
    if folder:
        folder.begin(config, splits)
    if not arguments.quiet:
        print(f"data: {splits.source} ({len(splits.train)} training images); device: {device}", flush=True)
        if state.epoch:
            print(f"resuming {folder.path} after epoch {state.epoch}")  # type: ignore[union-attr]

    progress = Progress(config)
    with contextlib.ExitStack() as stack:
        several = config.processes_per_trial
        train_epochs = stack.enter_context(local_crew(splits, device, several)).train if several > 1 else train
        for row in train_epochs(state, splits, selections=recorder is not None):
            rows.append(row)
            if recorder and state.selected is not None:
                recorder.add(state.selected)
                recorder.save(arguments.out)
            if folder:
                folder.add(row, state)
            if not arguments.quiet:
                progress.show(row)
    print_result(config, rows, state, splits)
    if folder:
        print(f"rows and checkpoint: {folder.path}")
    return rows


def print_result(config: TrialConfig, rows: list[Row], state: Any, splits: Any) -> None:
    """The accuracy on test images, and what it cost in the papers' unit and in passes."""
    from trainables.data.batches import make_batches
    from trainables.measures.accuracy import accuracy

    test = accuracy(state.net, make_batches(splits.test, state.device).sequential(256))
    images, seconds = sum(row["images"] for row in rows), sum(row["seconds"] for row in rows)
    per_image = {kind: sum(row[f"{kind}_passes"] for row in rows) / images for kind in ("full", "input", "forward")}
    forward_only = per_image["forward"] - per_image["full"] - per_image["input"]
    print(f"test accuracy {test:.2f} %, validation {rows[-1]['val_sa']:.2f} %, {seconds:.1f} s")
    print(
        f"cost {config.method.cost:g}N an epoch, {rows[-1]['spent']:g}N in all; measured passes per image: "
        f"{per_image['full']:.3f} full, {per_image['input']:.3f} to the input only, {forward_only:.3f} forward only "
        f"= {rows[-1]['measured_cost']:.3f}N of work"
    )


def main(arguments: list[str] | None = None) -> int:
    """Train one configuration; an exit code."""
    parser = build_parser()
    values = parser.parse(arguments)
    if values.list:
        print_list()
        return 0
    try:
        config = read_config(vars(values))
        run(values, config)
    except (ArithmeticError, ConnectionError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        again = "the same command resumes after the last whole epoch" if values.out else "nothing was kept; give --out"
        print(f"\ninterrupted; {again}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
