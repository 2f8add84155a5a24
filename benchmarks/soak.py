"""Check that a long study leaks nothing: 500 short trials with two workers, and the growth per trial.

    python -m benchmarks.soak        # some minutes on two idle cores

A trial is one epoch of 80 small random images, so nearly all of its time is overhead: proposal, start, checkpoint,
files, Optuna's copy, gauges. After every 20 trials, the benchmark measures all processes of the study. Growth is the
slope over the last half of the trials, because the first half fills caches and the workers' heaps. Files may grow by
the checkpoint and the rows of each trial. The exit code is 1 if a bound is exceeded.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks.report import write_report
from study.config.make_study import make_study
from study.files.results import Results
from study.files.study_json import study_record
from study.ray_tune import session, trainable, tuner
from study.ray_tune.gauges import StudyGauges
from study.search.search import Search, mirror_of
from study.workers.in_turn import InTurn
from study.workers.listener import Listener
from study.workers.tally import Tally
from trainables.training.loop import load_splits

EVERY = 20  # trials
# What may be added by a trial; kB of memory are those that a study of 10,000 trials could spare.
BOUNDS = {
    "open files": 0.01,
    "processes": 0.002,
    "threads": 0.02,
    "driver memory, kB": 100.0,
    "worker memory, kB": 100.0,
    "other Ray memory, kB": 200.0,
    "disk, kB": 1500.0,
    "Ray's own disk, kB": 50.0,
    "seconds for a trial, ms": 0.2,
}


class Watch(Listener):
    """Looks over all processes of the study now and then."""

    def __init__(self, folder, session):
        self.folder, self.session = folder, session
        self.samples, self.count, self.began = [], 0, time.perf_counter()

    def on_end(self, phase, job, row):
        assert row["status"] == "finished", row["error"]
        self.count += 1
        if self.count % EVERY == 0:
            self.samples.append({"trials": self.count, **self.look()})

    def look(self):
        since, self.began = time.perf_counter() - self.began, time.perf_counter()
        me = psutil.Process()
        others = {child: name_of(child) for child in me.children(recursive=True)}
        workers = [child for child, name in others.items() if "StudyTrial" in name]
        rest = [child for child in others if child not in workers]
        return {
            "open files": sum(measured(each, "num_fds") for each in [me, *others]),
            "processes": len(others),
            "threads": sum(measured(each, "num_threads") for each in [me, *others]),
            "driver memory, kB": memory([me]),
            "worker memory, kB": memory(workers),
            "other Ray memory, kB": memory(rest),
            "disk, kB": size(self.folder),
            "Ray's own disk, kB": size(self.session),
            "seconds for a trial, ms": 1000 * since / EVERY,
        }


def name_of(process):
    try:
        return " ".join(process.cmdline()[:1])
    except psutil.Error:
        return ""


def measured(process, what):
    """A number of a process; 0 if it has just ended."""
    try:
        return getattr(process, what)()
    except psutil.Error:
        return 0


def memory(processes):
    """What these processes alone hold, in kB; what they share is not counted twice."""
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().uss
        except psutil.Error:
            continue
    return total / 1000


def size(folder):
    """Of all files in a folder, in kB; a second name of the same file counts nothing."""
    seen = {}
    for path in Path(folder).rglob("*"):
        try:
            state = path.lstat()
        except FileNotFoundError:
            continue
        seen[state.st_dev, state.st_ino] = state.st_blocks * 512
    return sum(seen.values()) / 1000


def slopes(samples):
    """Growth by a trial, over the last half."""
    settled = samples[len(samples) // 2 :]
    trials = [sample["trials"] for sample in settled]
    return {name: float(np.polyfit(trials, [sample[name] for sample in settled], 1)[0]) for name in BOUNDS}


def make_pictures(path):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 100), ("test", 20)):
        arrays[f"{part}_images"] = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        arrays[f"{part}_labels"] = np.arange(count) % 2
    np.savez(path, **arrays)


def run(count, folder):
    make_pictures(folder / "pictures.npz")
    study = make_study(
        budget="2N", trials=count, epochs=1, batch_size=40, confirm=0, sampler="random",
        dataset=f"npz:{folder / 'pictures.npz'}", out=str(folder / "study"),
    )  # fmt: skip
    results = Results(folder / "study")
    results.write_study(study_record(study.as_dict(), ["soak"]))
    with session.ray_session(cpus=2):
        import ray

        watch = Watch(folder / "study", ray._private.worker._global_node.get_session_dir_path())
        worker = trainable.worker_for(load_splits(study.trial), "soak")
        tally, search = Tally(), Search(study, results)
        source = InTurn([search], [watch, tally, StudyGauges("soak", tally), mirror_of(study, search)])
        tuner.run_jobs(source, worker, name="soak", folder=folder / "study" / "ray", slots=lambda: 2)
    assert watch.count == count
    return watch.samples


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500)
    count = parser.parse_args().trials
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        samples = run(count, Path(folder))
    grown = slopes(samples)
    lines = ["| what | after 20 trials | at the end | by a trial | bound | |", "|---|---|---|---|---|---|"]
    for name, bound in BOUNDS.items():
        verdict = "kept" if grown[name] <= bound else "BROKEN"
        first, last = samples[0][name], samples[-1][name]
        lines.append(f"| {name} | {first:,.0f} | {last:,.0f} | {grown[name]:+.4g} | {bound:g} | {verdict} |")
    figures = {
        "trials": count, "seconds": time.perf_counter() - began, "growth": grown, "bounds": BOUNDS, "samples": samples,
    }  # fmt: skip
    print("\n".join(lines))
    write_report("soak", figures, "\n".join(lines), f"What grows with each of {count} short trials on two workers")
    return int(any(grown[name] > bound for name, bound in BOUNDS.items()))


if __name__ == "__main__":
    sys.exit(main())
