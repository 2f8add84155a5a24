"""Trial rate, memory and time profile of a study of thousands of trials with simulated training.

    python -m benchmarks.scale --trials 1000 --nodes 16
    python -m benchmarks.scale --trials 5000 --nodes 2    # six minutes; with --sampler gp, more than an hour

Only the training is simulated: a worker returns a made-up H at once. Proposals, Ray Tune on a local cluster of
`--nodes` nodes with one worker each, all files, Optuna's copy and the gauges are real. The rate is counted from the
moment when the last worker has finished its first trial; with trials this short, one worker may run all of them. The
table has the driver's CPU time beside the wall time, because other programs affect the latter. At the end the study is
resumed, which reads all its trials. Ctrl-C ends the benchmark early and reports the trials that had ended.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import resource
import tempfile
import time
from pathlib import Path

import ray
from ray import tune
from ray.cluster_utils import Cluster

from benchmarks.report import write_report
from study.config.make_study import make_study
from study.files.results import Results
from study.files.study_json import study_record
from study.ray_tune import trainable, tuner
from study.ray_tune.gauges import StudyGauges
from study.search.search import Search, mirror_of
from study.workers.in_turn import InTurn
from study.workers.tally import Tally

PART = 500  # trials at either end whose rates are compared


class Replayed(tune.Trainable):
    """A worker that answers at once with an H that follows from the setting."""

    def setup(self, config):
        self.reset_config(config)

    def reset_config(self, new_config):
        self.job = trainable.job_of(new_config)
        method = self.job.config["method"]
        self.cost, self.done = 1 + method["k"] * method["n"], 0
        self.h = 70 - 10 * abs(method["k"] - 0.4) - abs(method["n"] - 3)
        return True

    def step(self):
        epochs, cost = self.job.config["epochs"], self.cost
        self.done += 1
        h = self.h if self.done == epochs else None
        return {"epoch": self.done, "spent": self.done * cost, "cost": cost, "measured_cost": cost, "lr": 0.1,
                "loss": 1.0, "seconds": 0.0, "measuring_s": 0.0, "done": self.done == epochs, "worker": os.getpid(),
                **({"val_h": h, "val_sa": h, "val_ra": h} if h else {})}  # fmt: skip


class Timed:
    """A source that notes when trials end, the driver's memory then, and the seconds in it."""

    def __init__(self, source):
        self.source = source
        self.seconds = {"proposing": 0.0, "writing down": 0.0}
        self.ends, self.cpu, self.memory, self.workers = [], [], [], set()
        self.whole = {}  # trials that had ended when so many workers had served one

    @property
    def finished(self):
        return self.source.finished

    def timed(self, what, call, *values):
        started = time.perf_counter()
        try:
            return call(*values)
        finally:
            self.seconds[what] += time.perf_counter() - started

    def next(self):
        return self.timed("proposing", self.source.next)

    def on_result(self, job, row):
        self.workers.add(row["worker"])
        self.whole.setdefault(len(self.workers), len(self.ends))
        self.timed("writing down", self.source.on_result, job, row)

    def on_end(self, job, row, error):
        assert not error, error
        self.timed("writing down", self.source.on_end, job, row, error)
        self.ends.append(time.perf_counter())
        self.cpu.append(time.process_time())
        self.memory.append(resident_mb())


def resident_mb():
    """The memory of this process that is in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def run_study(folder, asked):
    study = make_study(budget="4N", trials=asked.trials, epochs=asked.epochs, confirm=0, sampler=asked.sampler,
                       out=str(folder))  # fmt: skip
    results = Results(folder)
    results.write_study(study_record(study.as_dict(), ["benchmark"]))
    tally, search = Tally(), Search(study, results)
    source = Timed(InTurn([search], [tally, StudyGauges(folder.name, tally), mirror_of(study, search)]))
    worker = tune.with_resources(Replayed, {"cpu": 1})
    tuner.run_jobs(source, worker, name=folder.name, folder=folder / "ray", slots=lambda: asked.nodes)
    results.update_study(state="finished")
    ended = [row for row in Results(folder).trials if row["status"] == "finished"]
    assert len(source.ends) == len(ended)
    started = time.process_time()
    Search(study, Results(folder))
    return source, time.process_time() - started


def rates(ends, began):
    """Seconds a trial over the first and over the last trials; a clock of the driver's own work is as good."""
    first, last = ends[began : began + PART], ends[-PART:]
    return [(part[-1] - part[0]) / (len(part) - 1) for part in (first, last)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--sampler", default="tpe", help="search algorithm [tpe, the default of a study]")
    asked = parser.parse_args()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(asked.nodes - 1):
        cluster.add_node(num_cpus=1)
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            source, resumed = run_study(Path(folder) / "study", asked)
            seconds = time.perf_counter() - started
    finally:
        ray.shutdown()
        cluster.shutdown()
    began = source.whole[len(source.workers)]
    first, last = rates(source.ends, began)
    first_cpu, last_cpu = rates(source.cpu, began)
    rest = source.ends[-1] - source.ends[0] - sum(source.seconds.values())
    figures = {
        "trials": len(source.ends),
        "seconds": seconds,
        "workers": len(source.workers),
        "all_workers_after_trial": began,
        "first_s_per_trial": first,
        "last_s_per_trial": last,
        "last_over_first": last / first,
        "first_driver_cpu_s_per_trial": first_cpu,
        "last_driver_cpu_s_per_trial": last_cpu,
        "last_over_first_driver_cpu": last_cpu / first_cpu,
        "resume_cpu_s": resumed,
        "seconds_in": {**source.seconds, "Ray and waiting": rest},
        "driver_mb": {"first": source.memory[0], "last": source.memory[-1]},
        "kb_per_trial": (source.memory[-1] - source.memory[began]) * 1024 / (len(source.ends) - began),
    }
    lines = ["| figure | value |", "| --- | --- |"]
    for name, value in figures.items():
        if isinstance(value, (int, float)):
            lines.append(f"| {name} | {value:{'.3f' if isinstance(value, float) else ''}} |")
    lines += [
        f"| s a trial: {name} | {value / len(source.ends):.4f} |" for name, value in figures["seconds_in"].items()
    ]
    lines += [f"| driver memory, {name} trial | {value:.0f} MB |" for name, value in figures["driver_mb"].items()]
    table = "\n".join(lines)
    print(table)
    title = f"{len(source.ends)} replayed trials on {asked.nodes} local nodes, sampler {asked.sampler}"
    name = f"scale-{asked.sampler}-{asked.trials}-{asked.nodes}"
    write_report(name, {"settings": vars(asked), **figures}, table, title)


if __name__ == "__main__":
    main()
