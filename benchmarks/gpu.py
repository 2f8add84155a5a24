"""All measurements that need a GPU, in one command: correctness, step ratios, share of peak, packing, a table.

    python -m benchmarks.gpu --minutes 10                                  # on a GPU
    python -m benchmarks.gpu --minutes 60 --data npz:/shared/cifar100.npz  # most of it for tables entprop/16 and /17
    python -m benchmarks.gpu --device cpu --minutes 2                      # all stages, small, without a GPU

It needs only torch: no Ray, no Optuna, no network. Each row is written to results/gpu-DEVICE-DATA.csv as soon as it is
measured (`BENCHMARKS_OUT` names another folder). The same command skips finished rows and resumes the table's runs
after their last epoch. `--stages` runs only some stages. Each stage gets a share of the minutes and measures at least
one row. Without `--data`, it trains on CIFAR-100 if the data folder has it, otherwise on the embedded Fashion-MNIST
images; only on CIFAR-100 is the table the published one.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; a trial has one core here

import argparse
import dataclasses
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import epoch, step
from benchmarks import rows as kept
from benchmarks.report import RESULTS, data_label, write_report
from study.config.make_study import make_study
from study.confirm.chosen import choose_table, run_name
from study.workers import gpu_sharing
from trainables.config import TrialConfig, make_method, with_recipe
from trainables.corruptions.functions import REPORTED, corrupt
from trainables.data.batches import make_batches, pixel_blocks
from trainables.data.datasets import EMBEDDED
from trainables.disk import data_folder
from trainables.evaluate.measure import measure as evaluate
from trainables.evaluate.options import read_evaluation
from trainables.measures.accuracy import accuracy
from trainables.methods import method_name
from trainables.models.deploy import DeployedNet
from trainables.training.arithmetic import arithmetic
from trainables.training.loop import load_splits, train
from trainables.training.run_folder import RunFolder, Trained
from trainables.training.state import TrainState, resolve_device

COLUMNS = ("stage", "what", "value", "unit", "low", "high", "note")
TEXTS = ("stage", "what", "unit", "low", "high", "note")
TOLERANCE = 0.02  # relative difference of an epoch's loss between a CPU and a GPU that sum in another order


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is measured."""

    models: tuple[str, ...]  # whose steps are timed
    batches: tuple[int, ...]
    rounds: int
    model: str  # of epochs and of the table
    images: int | None  # training images; None: all
    check_epochs: int  # of the networks whose accuracies are compared
    seeds: int  # of these
    precisions: tuple[str, ...]  # of steps and epochs
    most: int  # trials at once
    seconds: float  # that each number of trials is tried for
    product: int  # side of the matrices whose product is the peak
    epochs: int | None  # of a run of the table; None: as published
    tested: int | None  # corrupted and attacked test images


ON_GPU = Size(
    models=("resnet18", "resnet8s1"), batches=(128, 512), rounds=5, model="resnet18", images=None, check_epochs=10,
    seeds=3, precisions=("bf16", "tf32"), most=16, seconds=5.0, product=8192, epochs=None, tested=None,
)  # fmt: skip
ON_CPU = Size(
    models=("resnet8",), batches=(16,), rounds=1, model="resnet8", images=512, check_epochs=1,
    seeds=1, precisions=("fp32",), most=2, seconds=1.0, product=512, epochs=1, tested=20,
)  # fmt: skip


class Rows:
    """The rows in the file, and the time that is left for more."""

    def __init__(self, path: Path, minutes: float) -> None:
        self.path, self.begun, self.seconds = path, time.monotonic(), 60 * minutes
        self.fresh: set[str] = set()  # stages that have done something in this call
        self.done = {(row["stage"], row["what"]): row for row in kept.read(path, TEXTS)}

    def left(self, stage: str) -> float:
        """Seconds until the end of a stage."""
        return self.begun + STAGES[stage].until * self.seconds - time.monotonic()

    def wanted(self, stage: str, what: str) -> bool:
        """Whether a row is missing and there is time for it."""
        return (stage, what) not in self.done and (self.left(stage) > 0 or stage not in self.fresh)

    def add(self, stage: str, what: str, value: float, unit: str = "", low="", high="", note: str = "") -> None:
        row = dict(zip(COLUMNS, (stage, what, value, unit, low, high, note), strict=True))
        kept.add(self.path, COLUMNS, [row])
        self.done[stage, what] = row
        self.fresh.add(stage)
        print(f"{stage:9} {what:48} {value:12.5g} {unit} {note}", flush=True)


# ------------------------------------------------------------------------------------------------------------ checks


def check(rows: Rows, size: Size, device: str, data: str) -> None:
    """Whether the device computes what a CPU does: an epoch's rows, corrupted bytes, accuracy in bfloat16."""
    if rows.wanted("checks", "loss of an epoch, relative difference to a CPU"):
        for name, difference in epoch_differences(device).items():
            ok = "" if "loss" not in name else "ok" if difference <= TOLERANCE else f"NOT within {TOLERANCE}"
            rows.add("checks", f"{name} of an epoch, relative difference to a CPU", difference, note=ok)
    images = torch.cat([block for block, _ in pixel_blocks(load_splits(digits()).test.take(range(40)))])
    for name in REPORTED:
        if rows.wanted("checks", f"{name}: bytes unlike a CPU's"):
            ours, theirs = (corrupt(images.to(where), name, 3).cpu().int() for where in (device, "cpu"))
            apart = (ours - theirs).abs()
            note = f"by at most {int(apart.max())} of 255"
            rows.add("checks", f"{name}: bytes unlike a CPU's", 100 * float((apart > 0).float().mean()), "%", note=note)
    for precision in ("fp32", "tf32", "bf16"):
        if rows.wanted("checks", f"test accuracy, trained in {precision}"):
            configs = [digits(precision=precision, seed=seed, epochs=size.check_epochs) for seed in range(size.seeds)]
            full, halved = zip(*(trained_accuracy(config, device) for config in configs), strict=True)
            note = f"seeds: {', '.join(f'{each:.2f}' for each in full)}"
            rows.add("checks", f"test accuracy, trained in {precision}", statistics.mean(full), "%", note=note)
            rows.add("checks", f"{precision}, evaluated in bf16", statistics.mean(halved), "%")


def digits(**changes) -> TrialConfig:
    return with_recipe(make_method("entprop", {"k": 0.6, "n": 2}), "digits", **changes)


def epoch_differences(device: str) -> dict[str, float]:
    """What two devices say of the first epoch of one run, relative to the CPU."""
    config = digits(epochs=1, deterministic=True)
    splits = load_splits(config)
    ours, theirs = (next(train(TrainState(config, splits, where), splits)) for where in (device, "cpu"))
    names = ("loss", "train_accuracy", "entropy_main", "entropy_aux", "measured_cost")
    return {name: abs(ours[name] / theirs[name] - 1) for name in names}


def trained_accuracy(config: TrialConfig, device: str) -> tuple[float, float]:
    """Test accuracy of a trained network, and of its bfloat16 copy."""
    splits = load_splits(config)
    state = TrainState(config, splits, device)
    for _ in train(state, splits):
        pass
    nets = (DeployedNet(state.net, bf16=bf16).to(device) for bf16 in (False, True))
    first, second = (accuracy(net, make_batches(splits.test, device).sequential(250)) for net in nets)
    return first, second


# ------------------------------------------------------------------------------------------------- steps and epochs


def time_steps(rows: Rows, size: Size, device: str, data: str) -> None:
    """The step of every method in vanilla steps of the same rounds, and the vanilla step in seconds."""
    splits = load_splits(digits())
    settings = [(model, batch, precision) for precision in size.precisions for model in size.models
                for batch in size.batches]  # fmt: skip
    for model, count, precision in settings:
        name = f"{model}, batch {count}, {precision}"
        if not rows.wanted("steps", f"{name}: vanilla step"):
            continue
        x = torch.rand(count, 3, 32, 32).to(device, memory_format=torch.channels_last)
        asked = SimpleNamespace(model=model, precision=precision, methods="all", compile=False)
        with arithmetic(precision, deterministic=False):
            steppers = step.steppers_of(asked, splits, (x, torch.arange(count, device=device) % 10), device)
            step.measure(steppers, 1)
            ratios = step.measure(steppers, size.rounds)
            seconds = steppers["vanilla"]()
        for method, found in ratios.items():
            low, middle, high = statistics.quantiles(found, n=4) if len(found) > 1 else found * 3
            work = f"work {steppers[method].work:.2f}N"
            rows.add("steps", f"{name}: {method}", middle, "vanilla steps", f"{low:.3f}", f"{high:.3f}", work)
        rows.add("steps", f"{name}: vanilla step", 1000 * seconds, "ms")


def time_epochs(rows: Rows, size: Size, device: str, data: str) -> None:
    """Seconds of an epoch, and what share of the device's own rate of matrix products its passes reach."""
    for precision in size.precisions:
        if rows.wanted("epochs", f"peak, {precision}"):
            rows.add("epochs", f"peak, {precision}", peak(size.product, precision, device) / 1e12, "TFLOP/s",
                     note=f"product of matrices of {size.product}")  # fmt: skip
        for method, values in epoch.METHODS[:5]:
            made = make_method(method, values)
            name = f"{epoch.label(made)}, {size.model}, {precision}"
            if not rows.wanted("epochs", name):
                continue
            chosen = {"dataset": data, "model": size.model, "precision": precision, "batch_size": 128, "epochs": 3,
                      "augment": "crop4_flip", "train_images": size.images}  # fmt: skip
            splits = load_splits(with_recipe(made, **chosen))
            found = epoch.measure(made, splits, device, chosen)
            flops = flops_of(size.model, splits) * found["measured_cost"] * found["images_per_s"]
            share = 100 * flops / 1e12 / float(rows.done["epochs", f"peak, {precision}"]["value"])
            memory = f", {found['peak_memory_gib']:.1f} GiB" if found["peak_memory_gib"] else ""
            note = f"{len(splits.train)} images, {share:.1f} % of the peak{memory}"
            rows.add("epochs", name, found["seconds_per_epoch"], "s/epoch", note=note)


def peak(side: int, precision: str, device: str) -> float:
    """Floating-point operations a second of a product of square matrices: the best of ten."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    turn = step.Turn(device)
    turn.clock, turn.once = time.perf_counter, lambda: a @ b
    with arithmetic(precision, deterministic=False):
        return 2 * side**3 / min(turn() for _ in range(10))


def flops_of(model: str, splits) -> float:
    """Floating-point operations of a forward and a full backward pass of one image: products and convolutions alone."""
    config = with_recipe(make_method("vanilla", {}), "digits", model=model, batch_size=2)
    net = TrainState(config, splits).net
    x = torch.rand(2, 3, splits.size, splits.size)
    with FlopCounterMode(display=False) as counter:
        net(x).sum().backward()
    return counter.get_total_flops() / 2


# ---------------------------------------------------------------------------------------------- packing and a table


def pack(rows: Rows, size: Size, device: str, data: str) -> None:
    """Images a second of 1, 2, 4, … trials at once."""
    for model in size.models:
        if not rows.wanted("packing", f"{model}: best number"):
            continue
        chosen = {"batch_size": 128, "precision": size.precisions[0], "train_images": size.images}
        config = with_recipe(make_method("entprop", {}), data, model=model, **chosen)
        with gpu_sharing.sharing_service(device == "cuda") as service:
            tried = gpu_sharing.try_out(config, load_splits(config), device, size.most, size.seconds)
        for each in tried:
            note = f"{each.gigabytes:.1f} GB, {'with' if service else 'without'} the multi-process service"
            rows.add("packing", f"{model}: {each.trials} at once", each.images_per_s, "images/s", note=note)
        rows.add("packing", f"{model}: best number", gpu_sharing.best_number(tried), "trials at once")


@dataclasses.dataclass(frozen=True)
class Run:
    """A seed of a row of a table."""

    name: str
    config: TrialConfig
    device: str
    folder: Path
    until: float  # of the clock that all processes of a machine share
    tested: int | None


def train_table(rows: Rows, size: Size, device: str, data: str) -> None:
    """Runs of entprop/16 and /17, seed after seed, as many at once as packing found best, until the time is over."""
    waiting = [run for run in runs_of(rows, size, device, data) if rows.wanted("table", f"{run.name}: h")]
    best = rows.done.get(("packing", f"{size.model}: best number"))
    with gpu_sharing.sharing_service(device == "cuda"):
        for found in kept.run(train_run, waiting, int(float(best["value"])) if best else 1) if waiting else ():
            for row in found:
                if row["measure"] != "stopped":
                    rows.add("table", f"{row['run']}: {row['measure']}", row["value"], "%", note=row["note"])
            if rows.left("table") <= 0:
                break  # which ends the other processes: their last whole epochs are in their folders


def runs_of(rows: Rows, size: Size, device: str, data: str) -> Iterator[Run]:
    """The seeds of both tables, each setting once, the first seed of all settings before the second."""
    chosen = {"dataset": data, "model": size.model, "precision": size.precisions[0], "train_images": size.images}
    chosen |= {"epochs": size.epochs} if size.epochs else {}
    until = time.time() + rows.left("table")
    several, seen = [], set()
    for table in ("entprop/16", "entprop/17"):
        several += [(table, each) for each in choose_table(make_study(table=table, out="unused", seeds=3))]
    for number in range(3):
        for table, each in several:
            config = dataclasses.replace(each.config, seed=each.seeds[number], **chosen)
            folder = rows.path.parent / f"{rows.path.stem}-runs" / run_name(config, config.seed)
            if folder not in seen:
                seen.add(folder)
                name = f"{table} {each.why} ({method_name(config.method)}), seed {config.seed}"
                yield Run(name, config, device, folder, until, size.tested)


def train_run(run: Run) -> list[dict]:
    """Train to the end or until the time is over, and measure a run that has ended."""
    torch.set_num_threads(1)
    splits = load_splits(run.config)
    folder = RunFolder(run.folder, run.config, splits, run.device)
    state = folder.state or TrainState(run.config, splits, run.device)
    folder.begin(run.config, splits)
    for row in train(state, splits):
        folder.add(row, state)
        if time.time() > run.until:
            break
    if state.epoch < run.config.epochs:
        return [{"run": run.name, "measure": "stopped", "value": state.epoch}]
    asked = read_evaluation({"run": run.folder, "corrupted_images": run.tested})
    found = evaluate(asked, Trained(run.config, splits, state.net, state.epoch), lambda done, total, what: None)
    note = f"{splits.name}, {state.epoch} epochs, {statistics.median(row['seconds'] for row in folder.rows):.3g} s each"
    values = {row.measure: row.value for row, _, _ in found.rows if row.measure in ("sa", "ra", "h")}
    return [{"run": run.name, "measure": name, "value": value, "note": note} for name, value in values.items()]


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of the whole, and the share of the time after which it begins nothing new."""

    run: Callable[[Rows, Size, str, str], None]
    until: float


STAGES = {
    "checks": Stage(check, 0.2),
    "steps": Stage(time_steps, 0.4),
    "epochs": Stage(time_epochs, 0.55),
    "packing": Stage(pack, 0.7),
    "table": Stage(train_table, 1.0),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="start nothing after this time [10]")
    parser.add_argument("--data", help="cifar100, npz:PATH, folder:PATH … [CIFAR-100 if it is there, else fashion]")
    parser.add_argument("--stages", default=",".join(STAGES), help="some of: %(default)s")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu for a small run of all stages [cuda]")
    asked = parser.parse_args()
    unknown = set(asked.stages.split(",")) - set(STAGES)
    try:
        if unknown:
            raise ValueError(f"stages must be some of {', '.join(STAGES)}, got {min(unknown)}")
        device = resolve_device(asked.device)
        data = asked.data or ("cifar100" if (data_folder(None) / "cifar-100-python").is_dir() else EMBEDDED)
        load_splits(with_recipe(make_method("vanilla", {}), data))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    where = torch.cuda.get_device_name() if device.startswith("cuda") else "cpu"
    name = re.sub(r"\W+", "-", f"gpu-{where}-{data_label(data)}").lower()
    folder = Path(os.environ.get("BENCHMARKS_OUT", RESULTS))
    folder.mkdir(parents=True, exist_ok=True)
    rows = Rows(folder / f"{name}.csv", asked.minutes)
    for stage in asked.stages.split(","):
        STAGES[stage].run(rows, ON_GPU if device.startswith("cuda") else ON_CPU, device, data)
    lines = ["| stage | what | value | | note |", "|---|---|---|---|---|"]
    for (stage, what), row in rows.done.items():
        lines.append(f"| {stage} | {what} | {float(row['value']):.4g} | {row['unit']} | {row['note']} |")
    write_report(name, {"settings": vars(asked)}, "\n".join(lines), f"On {where}, trained on {data_label(data)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
