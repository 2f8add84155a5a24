"""A folder of 100,000 images of 224 pixels: memory of all processes, speed beside other loaders, and what is left.

    python -m benchmarks.large_folder        # about five minutes on two idle cores

The images are hard links to 100 JPEGs in a temporary folder. The driver reads every file and hands the index to a
worker process, which takes some steps of EntProp and measures some corrupted batches, with two loaders. The same with
1,000 images shows what grows with their number. Then loaders with two workers each are timed in turn, by the
CPU time of all their processes and by the clock; WebDataset takes part where it is installed.
"""

import argparse
import contextlib
import csv
import multiprocessing
import os
import queue
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import psutil
import torch

from benchmarks.loaders import BATCH, WORKERS, compare, loader_table, make_folder
from benchmarks.report import write_report
from trainables.config import TrialConfig
from trainables.corruptions.sets import corrupted_sets
from trainables.data.batches import make_batches
from trainables.data.datasets import load_dataset
from trainables.data.file_batches import FileBatches
from trainables.data.images import Splits
from trainables.measures.accuracy import corrupted_hits, corruption_rows
from trainables.methods.entprop import EntProp
from trainables.models.deploy import DeployedNet
from trainables.training.state import TrainState


class Watch(threading.Thread):
    """Keeps the peak memory of this process, of a worker and of the worker's loaders, in MB, by phase."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.worker, self.phase, self.peaks = 0, "", dict[tuple[str, str], list[float]]()

    def run(self) -> None:
        while True:
            with contextlib.suppress(psutil.Error):  # one has just ended
                self.keep("driver", psutil.Process())
                if self.worker:
                    self.keep("worker", psutil.Process(self.worker))
                    for loader in psutil.Process(self.worker).children():
                        self.keep("a loader", loader)
            time.sleep(0.5)

    def keep(self, name: str, process: psutil.Process) -> None:
        found = process.memory_full_info()
        peak = self.peaks.setdefault((self.phase, name), [0.0, 0.0])
        self.peaks[self.phase, name] = [max(peak[0], found.rss / 1e6), max(peak[1], found.pss / 1e6)]


def work(splits: Splits, out: Path, steps: int, evaluated: int, phase: Queue) -> None:
    """What a study's worker does, cut short: the first steps of two epochs, and all 15 corruptions at one severity."""
    torch.set_num_threads(1)
    phase.put("training")
    config = TrialConfig(EntProp(), splits.name, model="resnet8", batch_size=BATCH, augment="resized_crop_flip")
    state, rng = TrainState(config, splits), torch.Generator().manual_seed(0)
    training = make_batches(splits.train, "cpu", config.augment, WORKERS)
    for epoch in range(2):
        for _, (x, y, _) in zip(range(steps // 2), training.shuffled(BATCH, epoch), strict=False):
            config.method.accumulate(state.net, x, y, rng)
            state.optimizer.step()
            state.optimizer.zero_grad()
    state.save(out / "checkpoint.pt")
    del training  # and its loaders
    phase.put("evaluation")
    blocks = FileBatches(splits.test.take(np.arange(evaluated)), "cpu", "none", WORKERS).pixels(BATCH)  # type: ignore[arg-type]
    sets = corrupted_sets(blocks, evaluated, splits.size, severities=(3,))
    rows = list(corruption_rows(corrupted_hits(DeployedNet(state.net), sets.blocks, "cpu")))
    with open(out / "evaluation.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    phase.put("")


def peaks_of(base: Path, images: int, steps: int, evaluated: int, watch: Watch) -> dict[str, object]:
    """Read, train and evaluate; the time and the index, and the files that are left."""
    dataset, out, spawn = make_folder(base / "data", images), base / "out", multiprocessing.get_context("spawn")
    out.mkdir()
    watch.phase, started = f"{images:,} reading", time.perf_counter()
    splits, seconds = load_dataset(dataset), time.perf_counter() - started
    phase: Queue = spawn.Queue()
    worker = spawn.Process(target=work, args=(splits, out, steps, evaluated, phase))
    worker.start()
    watch.worker = worker.pid or 0
    for found in phases(phase, worker):
        watch.phase = f"{images:,} {found}"
    watch.worker = 0
    worker.join()
    index = sum(part.paths.nbytes + part.labels.nbytes for part in (splits.train, splits.validation, splits.test))  # type: ignore[union-attr]
    left = {path.name: path.stat().st_size for path in out.rglob("*")}
    return {"images": images, "reading_s": seconds, "index_bytes": index, "files_left": left}


def phases(phase: Queue, worker: BaseProcess) -> Iterator[str]:
    """What the worker says that it begins, until it says nothing more."""
    while True:
        try:
            found = phase.get(timeout=1)
        except queue.Empty:
            if not worker.is_alive():
                raise SystemExit("error: the worker has died") from None
            continue
        if not found:
            return
        yield found


def memory_table(found: list[dict], peaks: dict[tuple[str, str], list[float]]) -> list[str]:
    """Peak RSS and PSS by process and phase, for each number of images, and what each image adds."""
    few, many = (f"{each['images']:,}" for each in found)
    added = (found[1]["images"] - found[0]["images"]) / 1e6
    lines = [f"| process, phase | RSS, PSS in MB with {few} images | {many} images | bytes of RSS an image more |"]
    lines += ["| --- | --- | --- | --- |"]
    for phase, name in [(phase.partition(" ")[2], name) for phase, name in peaks if phase.startswith(f"{few} ")]:
        one, other = (peaks.get((f"{images} {phase}", name), [0.0, 0.0]) for images in (few, many))
        cells = " | ".join(f"{rss:,.0f}, {pss:,.0f}" for rss, pss in (one, other))
        lines.append(f"| {name}, {phase} | {cells} | {(other[0] - one[0]) / added:+,.0f} |")
    files = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in found[1]["files_left"].items())
    index = f"The index of {many} images: {found[1]['index_bytes'] / 1e6:.1f} MB"
    return [*lines, "", f"{index}; reading all files: {found[1]['reading_s']:.0f} s. Files left: {files}.", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=4, help="training steps of a batch of 64")
    parser.add_argument("--evaluated", type=int, default=64, help="images that are corrupted")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the loaders")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    few, watch, found = max(1000, asked.images // 100), Watch(), []
    watch.start()
    with tempfile.TemporaryDirectory() as folder:
        for images in (few, asked.images):
            found.append(peaks_of(Path(folder) / str(images), images, asked.steps, asked.evaluated, watch))
            print(found[-1], watch.peaks, flush=True)
        rows = compare(Path(folder) / str(asked.images) / "data", asked.rounds)
    table = "\n".join([*memory_table(found, watch.peaks), *loader_table(rows)])
    print(table)
    peaks = [
        {"phase": phase, "process": name, "rss_mb": p[0], "pss_mb": p[1]} for (phase, name), p in watch.peaks.items()
    ]
    figures = {"runs": found, "peaks": peaks, "loaders": rows}
    write_report("large-folder", figures, table, f"A folder of {asked.images:,} images of 224 pixels")


if __name__ == "__main__":
    main()
