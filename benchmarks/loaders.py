"""Loaders of image files beside ours, on one folder: torchvision's ImageFolder with a DataLoader, and WebDataset.

A loader is a function from the seed of an epoch to batches on the CPU: a random crop brought to 224 pixels, a mirror
image half of the time, floats in [0, 1], channels last. `benchmarks.large_folder` times them in turn.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from trainables.data.batches import make_batches
from trainables.data.folders import class_folders

CLASSES, SOURCES = 100, 100
Epoch = Callable[[int], Iterator[Any]]
BATCHES, BATCH, WORKERS = 4, 64, 2  # batches of an epoch, images of a batch, processes
TRANSFORM = v2.Compose([v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip(), v2.PILToTensor()])


def make_folder(base: Path, images: int) -> str:
    """Nine tenths for training, each class in its share; the name of the data set."""
    rng, number = np.random.default_rng(0), 0
    (base / "source").mkdir(parents=True)
    for source in range(SOURCES):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).resize((224, 224))
        pixels = np.asarray(coarse) + rng.normal(0, 12, (224, 224, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(base / "source" / f"{source}.jpg", quality=90)
    for part, share in (("train", 0.9), ("test", 0.1)):
        for label in range(CLASSES):
            folder = base / part / f"n{label:08d}"
            folder.mkdir(parents=True)
            for _ in range(round(share * images / CLASSES)):
                os.link(base / "source" / f"{number % SOURCES}.jpg", folder / f"n{label:08d}_{number:08d}.JPEG")
                number += 1
    return f"folder:{base}"


def ours(base: Path) -> Epoch:
    files = class_folders(base / "train")[1]
    batches = make_batches(files, "cpu", "resized_crop_flip", WORKERS)
    of = len(files) // (BATCH * BATCHES)  # a share of an epoch of all images
    return lambda seed: batches.shuffled(BATCH * of, seed, 0, of)


def image_folder(base: Path) -> Epoch:
    data = ImageFolder(base / "train", TRANSFORM)
    few = RandomSampler(data, num_samples=BATCH * BATCHES)
    return floats(DataLoader(data, BATCH, sampler=few, num_workers=WORKERS, persistent_workers=True))


def web_dataset(base: Path) -> Epoch:
    """Shards of the same files, one for each worker."""
    import tarfile

    import webdataset

    files = class_folders(base / "train")[1]
    for shard in range(WORKERS):
        with tarfile.open(base / f"{shard}.tar", "w") as tar:
            for row in range(shard, BATCH * BATCHES, WORKERS):
                tar.add(files.path(row), f"{row}.jpg")
    shards = [str(base / f"{shard}.tar") for shard in range(WORKERS)]
    data = webdataset.WebDataset(shards, resampled=True, shardshuffle=False).shuffle(300).decode("pil")
    data = data.to_tuple("jpg").map_tuple(TRANSFORM).batched(BATCH).with_epoch(BATCHES // WORKERS)
    return floats(DataLoader(data, batch_size=None, num_workers=WORKERS, persistent_workers=True))


def floats(loader: "DataLoader[Any]") -> Epoch:
    def epoch(seed: int) -> Iterator[Tensor]:
        for x, *_ in loader:
            yield x.to(torch.float32, memory_format=torch.channels_last).div_(255)

    return epoch


LOADERS: dict[str, Callable[[Path], Epoch]] = {
    "ours": ours,
    "ImageFolder, DataLoader": image_folder,
    "WebDataset, DataLoader": web_dataset,
}


def compare(base: Path, rounds: int) -> list[dict[str, Any]]:
    """Per loader: medians of images a CPU second and a second, their ratios to ours, and the memory of a worker."""
    epochs, workers, speeds = {}, {}, dict[str, list[tuple[float, float]]]()
    for name, make in LOADERS.items():
        before = set(psutil.Process().children())
        try:
            epochs[name] = make(base)
        except ImportError as error:
            print(f"{name}: left out, {error}")
            continue
        run(epochs[name], 0)  # starts the workers
        workers[name] = set(psutil.Process().children()) - before
    for seed in range(1, rounds + 1):
        for name, epoch in epochs.items():
            speeds.setdefault(name, []).append(run(epoch, seed))
    rows = []
    for name, each in speeds.items():
        row: dict[str, Any] = {"loader": name}
        for place, unit in enumerate(("cpu_s", "s")):
            ratios = [mine[place] / first[place] for mine, first in zip(each, speeds["ours"], strict=True)]
            row[f"images_per_{unit}"] = statistics.median(speed[place] for speed in each)
            row[f"ratio_{unit}"] = [min(ratios), statistics.median(ratios), max(ratios)]
        own = [process.memory_full_info().uss / 1e6 for process in workers[name]]
        rows.append({**row, "worker_own_mb": max(own)})
    return rows


def run(epoch: Epoch, seed: int) -> tuple[float, float]:
    """Images a CPU second of all processes, and a second, of an epoch."""
    cpu, clock, images = cpu_time(), time.perf_counter(), 0
    for batch in epoch(seed):
        images += len(batch[0]) if isinstance(batch, tuple) else len(batch)
    assert images == BATCH * BATCHES, images
    return images / (cpu_time() - cpu), images / (time.perf_counter() - clock)


def cpu_time() -> float:
    total = sum(os.times()[:2])
    for child in psutil.Process().children():
        times = child.cpu_times()
        total += times.user + times.system
    return total


def loader_table(rows: list[dict]) -> list[str]:
    lines = [f"Epochs of {BATCHES * BATCH} images of the large folder, {WORKERS} workers for each loader, in turn.", ""]
    lines += ["| loader | images / CPU s | over ours (median, range) | images / s | over ours | own MB of a worker |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        cpu, clock = (f"{r[1]:.2f} ({r[0]:.2f}–{r[2]:.2f})" for r in (row["ratio_cpu_s"], row["ratio_s"]))
        speeds = f"{row['images_per_cpu_s']:,.0f} | {cpu} | {row['images_per_s']:,.0f} | {clock}"
        lines.append(f"| {row['loader']} | {speeds} | {row['worker_own_mb']:.0f} |")
    return lines
