"""Overhead of a study per trial: 50 trivial trials, with reused actors and with a new actor for each trial.

    python -m benchmarks.study        # seven to eleven minutes on two idle cores

A trial is one epoch of 64 digits. The overhead is the time of a trial minus its training and evaluation: proposal,
start, checkpoint, result files, Optuna's copy and gauges. Only one worker runs, so no other trial hides the overhead.
Expected: at most 0.1 s per trial with reuse, and some seconds without, since each new actor imports torch and Ray. The
proposal of a Gaussian process takes longer than all the rest together; it does not depend on the length of a trial.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import statistics
import tempfile
import time
from pathlib import Path

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


class Clock(Listener):
    """Notes when trials ended; `work` is what their workers did of use in between."""

    def __init__(self):
        self.ends, self.work = [], []

    def on_start(self, phase, job):
        self.spent = 0.0

    def on_result(self, phase, job, row):
        self.spent += row["seconds"] + row["measuring_s"]

    def on_end(self, phase, job, row):
        self.ends.append(time.perf_counter())
        self.work.append(self.spent)

    def overheads(self):
        """Seconds beside the work of each trial but the first, which waits for the actor's first start."""
        between = [later - earlier for earlier, later in zip(self.ends, self.ends[1:], strict=False)]
        return [gap - work for gap, work in zip(between, self.work[1:], strict=True)]


def run_trials(folder, count, reuse, sampler):
    study = make_study(
        budget="2N", trials=count, epochs=1, train_images=64, confirm=0, sampler=sampler, out=str(folder)
    )
    results = Results(folder)
    results.write_study(study_record(study.as_dict(), ["benchmark"]))
    clock, tally, search = Clock(), Tally(), Search(study, results)
    worker = trainable.worker_for(load_splits(study.trial), folder.name)
    source = InTurn([search], [clock, tally, StudyGauges(folder.name, tally), mirror_of(study, search)])
    tuner.run_jobs(source, worker, name=folder.name, folder=folder / "ray", slots=lambda: 1, reuse=reuse)
    assert len(clock.ends) == count
    return clock.overheads()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    count = parser.parse_args().trials
    variants = {
        **{f"reused actors, {sampler}": (True, sampler) for sampler in ("tpe", "gp", "random")},
        "a new actor each, random": (False, "random"),
    }
    figures, lines = {}, ["| variant | median s/trial | mean s/trial |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder, session.ray_session(cpus=2):
        for name, (reuse, sampler) in variants.items():
            seconds = run_trials(Path(folder) / f"{sampler}-{reuse}", count, reuse, sampler)
            figures[name] = {"median": statistics.median(seconds), "mean": statistics.mean(seconds)}
            lines.append(f"| {name} | {figures[name]['median']:.3f} | {figures[name]['mean']:.3f} |")
            print(lines[-1], flush=True)
    title = f"Seconds beside training of {count} trivial trials, one worker"
    write_report("study", {"trials": count, "seconds_per_trial": figures}, "\n".join(lines), title)


if __name__ == "__main__":
    main()
