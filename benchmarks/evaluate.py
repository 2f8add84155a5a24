"""Evaluation time of many image sets: ours against `eval()` with `no_grad`, in fp32 and in bfloat16.

    python -m benchmarks.evaluate            # about two minutes on one core
    python -m benchmarks.evaluate --short    # half a minute: without resnet18

The variants run in one thread and take turns in each round; the table has medians of the ratios of CPU time. The
accuracy lost to bfloat16 is measured on digits, with a `resnet8` that the benchmark trains. Expected ratios: at most
0.95 in fp32 and, on a processor with bfloat16 units (AMX), at most 0.35 in bf16. Without them bf16 is slower than fp32.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import statistics
import time

import numpy as np
import torch

from benchmarks.report import write_report
from trainables.config import with_recipe
from trainables.corruptions.sets import corrupted_sets
from trainables.data.batches import make_batches, pixel_blocks
from trainables.measures.accuracy import measure_clean, measure_corruptions, plain_batches, summarise
from trainables.methods.entprop import EntProp
from trainables.models.deploy import DeployedNet
from trainables.models.pixel_net import PixelNet
from trainables.models.registry import MODELS
from trainables.training.loop import load_splits, train
from trainables.training.state import TrainState

ROUNDS = 9


def plain_pass(net, pixels, labels):
    """What a straightforward script does: the trained network itself, in evaluation mode."""
    net.eval()
    with torch.no_grad():
        return sum(int((net(x).argmax(1) == y).sum()) for x, y, _ in plain_batches(pixels, labels, "cpu", 100))


def timed(function, *arguments):
    started = time.process_time()
    function(*arguments)
    return time.process_time() - started


def ratios(name, images):
    """CPU time of our evaluation over that of the plain one, for one network."""
    torch.manual_seed(0)
    net = PixelNet(MODELS[name].build(10, 32, True, False), (0.5,) * 3, (0.25,) * 3, dual=True, bf16=False)
    net = net.to(memory_format=torch.channels_last)
    variants = {"plain": net, "fp32": DeployedNet(net), "bf16": DeployedNet(net, bf16=True)}
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(rng.integers(0, 256, (images, 32, 32, 3), dtype=np.uint8))
    labels = torch.zeros(images, dtype=torch.int64)
    seconds = {variant: [] for variant in variants}
    for count in range(ROUNDS + 1):
        for variant, network in variants.items():
            spent = timed(plain_pass, network, pixels, labels)
            if count > 0:  # the first round warms up
                seconds[variant].append(spent)
    rows = []
    for variant in ("fp32", "bf16"):
        each = [ours / plain for ours, plain in zip(seconds[variant], seconds["plain"], strict=True)]
        rows.append(
            {
                "network": name,
                "precision": variant,
                "ratio": statistics.median(each),
                "low": min(each),
                "high": max(each),
                "images_per_s": images / statistics.median(seconds[variant]),
            }
        )
    return rows


def accuracies():
    """SA, RA and H of one trained network in both precisions."""
    config = with_recipe(EntProp(), "digits")
    splits = load_splits(config)
    state = TrainState(config, splits)
    list(train(state, splits))
    test = splits.test.take(np.arange(300))
    found = {}
    for precision in ("fp32", "bf16"):
        net = DeployedNet(state.net, bf16=precision == "bf16")
        rows = list(measure_clean(net, make_batches(test, "cpu").sequential(250)))
        rows += measure_corruptions(net, corrupted_sets(pixel_blocks(test), len(test), splits.size).blocks, "cpu")
        rows += summarise(rows)
        found[precision] = {row.measure: row.value for row in rows if row.measure in ("sa", "ra", "h")}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="without resnet18")
    short = parser.parse_args().short
    torch.set_num_threads(1)
    rows = [*([] if short else ratios("resnet18", 100)), *ratios("resnet8", 1000)]
    found = accuracies()
    lines = ["| network | precision | time / plain (median, range) | images/s |", "| --- | --- | --- | --- |"]
    for row in rows:
        lines.append(
            "| {network} | {precision} | {ratio:.2f} ({low:.2f}–{high:.2f}) | {images_per_s:,.0f} |".format(**row)
        )
    lines += ["", "| EntProp (0.2, 1) on digits | SA | RA | H |", "| --- | --- | --- | --- |"]
    for precision, values in found.items():
        lines.append(f"| {precision} | {values['sa']:.2f} | {values['ra']:.2f} | {values['h']:.2f} |")
    change = {measure: found["bf16"][measure] - value for measure, value in found["fp32"].items()}
    lines.append("| difference | {sa:+.2f} | {ra:+.2f} | {h:+.2f} |".format(**change))
    table = "\n".join(lines)
    print(table)
    title = "Evaluation beside plain eval() with no_grad, one thread"
    write_report("evaluate", {"ratios": rows, "accuracies": found}, table, title)


if __name__ == "__main__":
    main()
