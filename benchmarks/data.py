"""Speed of training batches of 32-pixel images: ours against torchvision's per-image transforms in a DataLoader.

    python -m benchmarks.data        # about a minute on one core

All variants do the same to every image: pad by 4 black pixels, crop at random, flip with probability 1/2, convert to
floats in [0, 1]. They run in one process and one thread and take turns in each round; the table has medians of CPU
time over the rounds. Writes results/data.json and results/data.md. Expected for ours: well above 90,000 images per
second on one core, and forty to a hundred times the DataLoader's rate.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.transforms import v2

from benchmarks.report import write_report
from trainables.data.batches import make_batches
from trainables.data.images import Images

BATCH = 128


class PerImage:
    """A map-style data set as torchvision's CIFAR10 is one: a picture from the array, then the transform."""

    def __init__(self, images: Images, transform: Callable[[Image.Image], torch.Tensor]) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.images.pixels[row])), int(self.images.labels[row])


def paths(images: Images) -> dict[str, tuple[int, Callable[[int], Iterator[Any]]]]:
    """Per name: how many images an epoch shows, and the epoch of a seed. The slow ones get fewer images."""
    few = images.take(np.arange(1280))
    classic = transforms.Compose(
        [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    )
    newer = v2.Compose(
        [
            v2.RandomCrop(32, padding=4),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    ours = make_batches(images, "cpu", "crop4_flip")
    plain = make_batches(images, "cpu")

    def loader(transform: Callable[[Image.Image], torch.Tensor]) -> Callable[[int], Iterator[Any]]:
        return lambda seed: iter(DataLoader(PerImage(few, transform), BATCH, shuffle=True, drop_last=True))  # type: ignore[arg-type]

    return {
        "DataLoader, transforms": (len(few), loader(classic)),
        "DataLoader, transforms.v2": (len(few), loader(newer)),
        "ours, crop and flip": (len(images), lambda seed: ours.shuffled(BATCH, seed)),
        "ours, in order and as they are": (len(images), lambda seed: plain.sequential(BATCH)),
    }


def images_per_second(count: int, epoch: Iterator[Any]) -> float:
    start = time.process_time()
    for _ in epoch:
        pass
    return count / (time.process_time() - start)


def measure(rounds: int) -> dict[str, list[float]]:
    random = np.random.RandomState(0)
    images = Images(random.randint(0, 256, (12_800, 32, 32, 3)).astype(np.uint8), random.randint(0, 10, 12_800))
    every = paths(images)
    speeds: dict[str, list[float]] = {name: [] for name in every}
    for turn in range(rounds + 1):
        for name, (count, epoch) in every.items():
            speed = images_per_second(count, epoch(turn))
            if turn:  # the first round warms up
                speeds[name].append(speed)
    return speeds


def table(speeds: dict[str, list[float]], rounds: int) -> str:
    reference = statistics.median(speeds["DataLoader, transforms"])
    rows = [
        f"| {name} | {statistics.median(each):,.0f} | {min(each):,.0f}–{max(each):,.0f} | "
        f"{statistics.median(each) / reference:.1f} |"
        for name, each in speeds.items()
    ]
    return "\n".join(
        [
            f"Batch {BATCH}, one thread, CPU time, {rounds} rounds in turn.",
            "",
            "| path | images/s (median) | range | ratio |",
            "| --- | --- | --- | --- |",
            *rows,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    speeds = measure(rounds)
    rounded = {name: [round(speed) for speed in each] for name, each in speeds.items()}
    print(table(speeds, rounds))
    figures = {"batch": BATCH, "images_per_second": rounded}
    write_report("data", figures, table(speeds, rounds), "Training batches of 32-pixel images")


if __name__ == "__main__":
    main()
