"""Seconds per epoch and images per second of whole training runs, vanilla against EntProp, on this machine.

    python -m benchmarks.epoch --data npz:cifar10.npz --model resnet18 --precision bf16 --batch-size 128

The methods are trained one after the other for a few epochs in one process; the first epoch of each is a warm-up and
not counted. Absolute times are meaningful only on a GPU; the report names it. Results: results/epoch-DEVICE.json, .md.
"""

import argparse
import re
import statistics

import torch

from benchmarks.report import write_report
from trainables.config import make_method, with_recipe
from trainables.methods import Method, method_name
from trainables.training.loop import load_splits, train
from trainables.training.state import TrainState, resolve_device

METHODS = [
    ("vanilla", {}),
    *[("entprop", {"k": k, "n": n}) for k, n in ((0.2, 1), (0.6, 1), (0.2, 5), (0.6, 5))],
    ("mixprop", {}),
    ("fast_advprop", {}),
    ("advprop", {}),
]


def measure(method: Method, splits, device: str, chosen: dict) -> dict:
    """Train one method and keep what its epochs cost."""
    config = with_recipe(method, **chosen)
    state = TrainState(config, splits, device)
    rows = list(train(state, splits))
    seconds = [row["images"] / row["images_per_s"] for row in rows[1:]]
    return {
        "method": label(method),
        "cost": method.cost,
        "measured_cost": rows[-1]["measured_cost"],
        "seconds_per_epoch": statistics.median(seconds),
        "images_per_s": statistics.median(row["images_per_s"] for row in rows[1:]),
        "validation_accuracy": rows[-1]["val_sa"],
        "peak_memory_gib": torch.cuda.max_memory_allocated() / 2**30 if device.startswith("cuda") else None,
    }


def label(method: Method) -> str:
    k = getattr(method, "k", None)
    return method_name(method) if k is None else f"EntProp ({k:g}, {getattr(method, 'n', 0)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits (default), cifar10, npz:PATH …")
    parser.add_argument("--model", default="resnet8")
    parser.add_argument("--precision", default="fp32", help="fp32 or bf16 [fp32]")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3, help="epochs of each method, including the warm-up")
    parser.add_argument("--methods", type=int, default=len(METHODS), help="number of methods, in the order of the list")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()

    device = resolve_device(arguments.device)
    chosen = {
        "dataset": arguments.data,
        "model": arguments.model,
        "precision": arguments.precision,
        "batch_size": arguments.batch_size,
        "epochs": arguments.epochs,
        "augment": "crop4_flip",
    }
    splits = load_splits(with_recipe(make_method("vanilla", {}), **chosen))
    rows = []
    for name, values in METHODS[: arguments.methods]:
        rows.append(measure(make_method(name, values), splits, device, chosen))
        print("{method}: {seconds_per_epoch:.3f} s/epoch, {images_per_s:,.0f} images/s".format(**rows[-1]), flush=True)
    base = rows[0]["seconds_per_epoch"]
    lines = [
        "| method | cost | work | s/epoch | ratio to vanilla | images/s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        ratio = row["seconds_per_epoch"] / base
        lines.append(
            "| {method} | {cost:g}N | {measured_cost:.2f}N | {seconds_per_epoch:.3f} |".format(**row)
            + f" {ratio:.2f} | {row['images_per_s']:,.0f} |"
        )
    where = torch.cuda.get_device_name() if device.startswith("cuda") else "cpu"
    settings = f"{arguments.model}, {len(splits.train)} images, batch {arguments.batch_size}, {arguments.precision}"
    name = "epoch-" + re.sub(r"\W+", "-", f"{where} {arguments.model} {arguments.batch_size} {arguments.precision}")
    write_report(name.lower(), {"settings": chosen, "rows": rows}, "\n".join(lines), f"Training on {where}: {settings}")


if __name__ == "__main__":
    main()
