"""How soon each way of searching finds good settings: recorded runs replayed under many seeds, nothing is trained.

    python -m benchmarks.search        # three minutes of two cores; cut off, the same command goes on
    python -m benchmarks.search --table search-cifar10-instance --limit 1000    # six

The table is `results/search-….csv` of `benchmarks.search_table`. A proposal is answered with the recorded run that lies
nearest to it: a look-up, no fitted surface, so that whatever is found was really measured, noise and all. What a trial
costs is what the recorded run cost. Trials follow one another, as on one worker.

`default` is what `python study/run.py` does: the two cheapest published settings first, then TPE. `all published first`
has the dearer two there as well. `grid` takes the recorded grid in random order. `tpe+asha` stops the worse half at
rungs of spent cost. A figure is the total of N-epochs until the best finished trial reaches a target, cut off at the
end of the replay; the interval is that of the mean over seeds (95 %, bootstrap), the ratio to random pairs seeds. A
target of `gap 90 %` lies at 90 % of the way from the recorded median to the recorded best.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import hashlib
import json
import multiprocessing
import random
import statistics
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.replay import BUDGET, path_of, recorded
from benchmarks.report import write_report
from study.config.make_study import make_study
from study.config.space import PUBLISHED_FIRST, first_proposals, space_of
from study.search.halving import Halving, rung_costs
from study.search.sampling import Proposals

SCHEMES = {  # sampler, how many published settings come first, halving
    "default": ("tpe", PUBLISHED_FIRST, False),
    "all published first": ("tpe", 4, False),
    "tpe": ("tpe", 0, False),
    "tpe+asha": ("tpe", 0, True),
    "gp": ("gp", 0, False),
    "random, published first": ("random", PUBLISHED_FIRST, False),
    "random": ("random", 0, False),
    "random+asha": ("random", 0, True),
    "grid": ("random", 0, False),
}
BUDGETS = (50, 100, 200, 300, 400)


class Replay:
    """One search on a recorded table; `log` holds (N-epochs so far, best H of a finished trial) after each trial."""

    def __init__(self, scheme, seed, table, folder):
        sampler, published, halving = SCHEMES[scheme]
        study = make_study(budget=f"{BUDGET:g}N", trials=1, confirm=0, out=str(folder / "study"))
        self.table = table
        self.proposals = Proposals(space_of(study), sampler, seed)
        self.first = first_proposals(study, published)
        self.last = None  # trial; of a search that goes on for as long as it may
        if scheme == "grid":
            self.first = random.Random(seed).sample(table.settings, len(table.settings))
            self.last = len(self.first)
        self.rungs = rung_costs(BUDGET, table.epochs) if halving else ()
        self.halving = Halving(self.rungs) if halving else None
        self.log, self.spent, self.best = [], 0.0, 0.0

    def run(self, limit):
        number = 0
        while self.spent < limit and number != self.last:
            self.trial(number)
            self.log.append((self.spent, self.best))
            number += 1
        return self.log

    def trial(self, number):
        values = self.proposals.ask(number, self.first[number] if number < len(self.first) else None)
        run = self.table.nearest(values)
        for epoch, h in sorted(run.curve.items()):
            self.proposals.report(number, epoch, h)
            if epoch < self.table.epochs and self.stops(number, run.cost, epoch, h):
                self.spent += epoch * run.cost
                self.proposals.tell(number, "stopped", [h])
                return
        self.spent += self.table.epochs * run.cost
        self.best = max(self.best, self.table.final(run))
        self.proposals.tell(number, "finished", [self.table.final(run)])

    def stops(self, number, cost, epoch, h):
        """Whether halving ends the trial after this epoch."""
        if self.halving is None or not any((epoch - 1) * cost < rung <= epoch * cost for rung in self.rungs):
            return False
        return not self.halving.compare(str(number), epoch * cost, h)


def replay(job):
    """The log of one search, in a process of its own."""
    scheme, seed, name, limit = job
    with tempfile.TemporaryDirectory() as folder:
        return scheme, seed, Replay(scheme, seed, recorded(name), Path(folder)).run(limit)


def replays(name, seeds, limit):
    """The logs of all searches by scheme, seed for seed; those that an earlier call ended are read from runs/."""
    content = hashlib.sha256(path_of(name).read_bytes() + repr(SCHEMES).encode()).hexdigest()[:8]
    kept = Path("runs") / f"{name}-{content}-{limit:g}.jsonl"
    kept.parent.mkdir(exist_ok=True)
    lines = kept.read_text().splitlines() if kept.exists() else []
    found = {(scheme, seed): log for scheme, seed, log in map(json.loads, lines)}
    every = [(scheme, seed) for seed in range(seeds) for scheme in SCHEMES]
    jobs = [(*each, name, limit) for each in every if each not in found]
    with multiprocessing.get_context("spawn").Pool() as pool, open(kept, "a") as file:
        for scheme, seed, log in pool.imap_unordered(replay, jobs):
            found[scheme, seed] = log
            print(json.dumps([scheme, seed, log]), file=file, flush=True)
    return {scheme: [found[scheme, seed] for seed in range(seeds)] for scheme in SCHEMES}


def reached(log, target, limit):
    """The N-epochs after which the best reached the target, at most the limit."""
    return next((min(spent, limit) for spent, best in log if best >= target), limit)


def best_at(log, budget):
    """The best H of the trials that had ended within the budget; None before the first."""
    ended = [best for spent, best in log if spent <= budget]
    return ended[-1] if ended and ended[-1] else None


def interval(values, rng):
    """The 95 % interval of the mean of each row's ratio or value, by resampling seeds."""
    values = np.asarray(values, dtype=float)
    picks = rng.integers(len(values), size=(4000, len(values)))
    means = values[picks].mean(axis=1)
    means = means if values.ndim == 1 else means[:, 0] / means[:, 1]
    return [float(edge) for edge in np.quantile(means, (0.025, 0.975))]


def targets_of(table):
    """What is to be reached, by name."""
    finals = [table.final(run) for run in table.runs.values()]
    best, middle = max(finals), statistics.median(finals)
    gaps = {f"gap {part} %": middle + part / 100 * (best - middle) for part in (50, 75, 90, 100)}
    return {"99 % of the best": 0.99 * best, **gaps}


def summary(logs, targets, limit):
    """For each scheme and target: the mean cost, the share of seeds that got there, and the ratio to random."""
    rng, found = np.random.default_rng(0), {}
    costs = {scheme: {name: [reached(log, target, limit) for log in several] for name, target in targets.items()}
             for scheme, several in logs.items()}  # fmt: skip
    for scheme, by_target in costs.items():
        found[scheme] = {}
        for name, values in by_target.items():
            pairs = list(zip(values, costs["random"][name], strict=True))
            found[scheme][name] = {
                "mean": statistics.mean(values), "interval": interval(values, rng),
                "reached": sum(value < limit for value in values) / len(values),
                "ratio": sum(a for a, _ in pairs) / sum(b for _, b in pairs), "ratio_interval": interval(pairs, rng),
            }  # fmt: skip
    return found


def text_of(found, targets, at_budget, whole_grid):
    lines = [
        f"The whole grid costs {whole_grid:,.0f} N-epochs. Below: N-epochs until a target is reached, mean and 95 %"
    ]
    lines += ["interval over seeds, the share of seeds that reached it, and × the ratio to random.", ""]
    lines += ["| scheme | " + " | ".join(f"{name}: {target:.2f}" for name, target in targets.items()) + " |"]
    lines += ["| --- |" + " --- |" * len(targets)]
    for scheme, by_target in found.items():
        cells = [
            f"{each['mean']:.0f} ({each['interval'][0]:.0f}–{each['interval'][1]:.0f}), {each['reached']:.0%}, "
            f"× {each['ratio']:.2f} ({each['ratio_interval'][0]:.2f}–{each['ratio_interval'][1]:.2f})"
            for each in by_target.values()
        ]
        lines.append(f"| {scheme} | " + " | ".join(cells) + " |")
    lines += ["", "Best H after so many N-epochs, mean over seeds:", ""]
    lines += ["| scheme | " + " | ".join(f"{budget}" for budget in BUDGETS) + " |", "| --- |" + " --- |" * len(BUDGETS)]
    for scheme, means in at_budget.items():
        lines.append(f"| {scheme} | " + " | ".join("–" if mean is None else f"{mean:.2f}" for mean in means) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="search-digits-instance")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--limit", type=float, default=500, help="N-epochs of a replay [500]")
    asked = parser.parse_args()
    table = recorded(asked.table)
    logs = replays(asked.table, asked.seeds, asked.limit)
    targets, whole = targets_of(table), sum(run.cost * table.epochs for run in table.runs.values())
    found = summary(logs, targets, asked.limit)
    at_budget = {}
    for scheme, several in logs.items():
        bests = [[best_at(log, budget) for log in several] for budget in BUDGETS]
        at_budget[scheme] = [None if None in each else statistics.mean(each) for each in bests]
    text = text_of(found, targets, at_budget, whole)
    print(text)
    title = f"Searches replayed on {asked.table}.csv: {len(table.runs)} recorded runs, {asked.seeds} seeds"
    figures = {"settings": vars(asked), "whole_grid": whole, "targets": targets, "cost": found,
               "budgets": BUDGETS, "best_at": at_budget}  # fmt: skip
    write_report(asked.table.replace("search-", "search-replay-"), figures, text, title)


if __name__ == "__main__":
    main()
