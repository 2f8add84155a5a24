"""Compare search strategies at equal cost on simulated surfaces, by the true H of the setting that each recommends.

    python -m benchmarks.search                          # the embedded images: 60 surfaces
    python -m benchmarks.search --table search-cifar10

A surface is a simulated true H of all settings, drawn from a Gaussian process over recorded runs
(`benchmarks.surfaces`). Every strategy is tried on the same surfaces. Its `regret` is the true H of the best setting of
the surface minus the true H of the setting that it recommends. Differences to `old pick` are paired by surface.

* published: no search; the four published settings with as many seeds as the cost allows; the highest mean wins
* old pick: two published settings, TPE after five trials; the highest H of a single run wins; the cost of the race is
  spent on search instead
* old pick, 900: the same with 900 N-epochs, as in version 0.1, which spent the rest on confirming its pick
* posterior: searches like `old pick`; the highest posterior mean of a Gaussian process wins
* random, old pick: `old pick` with random proposals
* race of 4: what `python study/run.py` does: TPE after ten trials, then the race; the highest posterior mean over all
  runs wins
* race of 4, one published: the same without the most expensive published setting in the race
* race of 6: six settings of the search race in place of four; three of them reach the second round
* random, race of 4: `race of 4` with random proposals
* oracle: the setting with the highest true H among those that `race of 4` tried

The table compares each strategy with `old pick` twice: at equal cost, and with version 0.1's 900 N-epochs.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import json
import math
import multiprocessing
import tempfile
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from benchmarks.report import RESULTS, write_report
from benchmarks.surfaces import Recorded, Surface, path_of, replayed_study
from study.config.space import first_proposals, published_values, space_of, trial_config
from study.confirm.comparisons import interval
from study.files.configs import config_row
from study.files.ranking import best
from study.papers.baselines import BASELINES
from study.race.contenders import contenders, finalists, ranking, rounds
from study.race.standings import standings
from study.search import sampling
from study.search.sampling import Proposals

SEARCH, AFTER = 900.0, 450.0  # N-epochs of the search, and at most after it
OLD_STARTS = 5
WAYS = (
    "published", "random, old pick", "old pick, 900", "old pick", "posterior", "random, race of 4", "race of 6",
    "race of 4, one published", "race of 4", "oracle",
)  # fmt: skip
BASELINE_COST = 2.0  # vanilla and mixup run in the race too, at 1N an epoch each


class Simulated:
    """One study on one surface: rows as trials.csv and race.csv hold them, and what they cost."""

    def __init__(self, study, surface):
        self.study, self.surface = study, surface
        self.epochs = study.trial.epochs
        self.trials, self.race, self.spent = [], [], 0.0

    def run(self, config, seed, **more):
        row = config_row(config)
        self.spent += row["cost"] * self.epochs
        h = self.surface.run(row, seed)
        return {**row, "seed": seed, "status": "finished", "epochs": self.epochs, "val_h": h, "error": None, **more}

    def search(self, sampler, limit):
        proposals = Proposals(space_of(self.study), sampler, self.study.seed)
        first = first_proposals(self.study)
        while self.spent < limit:
            number = len(self.trials)
            values = proposals.ask(number, first[number] if number < len(first) else None)
            row = self.run(trial_config(self.study, values, self.study.seed), self.study.seed, trial=number)
            self.trials.append(row)
            proposals.tell(number, "finished", [row["val_h"]])

    def race_on(self, dearest=True):
        """The two rounds; the baselines cost what they cost, and have no place on the surface."""
        first, further = rounds(self.study)
        self.spent += BASELINE_COST * self.epochs
        last = max(trial_config(self.study, values, 0).method.cost for values in published_values(self.study))
        for each in contenders(self.study, self.trials):
            left_out = each.why == "published" and each.config.method.cost == last and not dearest
            if each.why not in BASELINES and not left_out:
                self.race += [self.run(each.config, seed, why=each.why, round=1) for seed in first]
        for each in finalists(self.study, self.trials, self.race):
            self.race += [self.run(each.config, seed, why=each.why, round=2) for seed in further]


def recommended(way, study, surface, limit):
    """The row of the setting that a way of searching recommends, what it cost, and the rows that it tried."""
    found = Simulated(study, surface)
    if way == "published":
        rows = [config_row(trial_config(study, values, 0)) for values in published_values(study)]
        seeds = max(1, int((limit + AFTER) / sum(row["cost"] * found.epochs for row in rows)))
        means = [fmean(surface.run(row, seed) for seed in range(seeds)) for row in rows]
        return rows[int(np.argmax(means))], seeds * sum(row["cost"] * found.epochs for row in rows), rows
    old = "old pick" in way or way == "posterior"
    sampling.STARTS = OLD_STARTS if old else NEW_STARTS
    more = AFTER if old and "900" not in way else 0.0
    found.search("random" if way.startswith("random") else "tpe", limit + more)
    if "old pick" in way:
        return best(found.trials)[0], found.spent, found.trials
    if way == "posterior":
        known = standings(study, found.trials)
        return known.rows[known.order()[0]], found.spent, found.trials
    found.race_on(dearest="one published" not in way)
    tried = [*found.trials, *found.race]
    return ranking(study, found.trials, found.race)[0], found.spent, tried


NEW_STARTS = sampling.STARTS


def simulate(job):
    """Regrets of ways on one surface, their costs, and whether they are below the better published setting."""
    name, number, limit, ways = job
    with tempfile.TemporaryDirectory() as folder:
        recorded = Recorded(path_of(name))
        studies = {size: replayed_study(Path(folder) / "study", seed=number, race=size) for size in (4, 6)}
        top = max(surface_of(recorded, studies[6], number).true)
        published = [config_row(trial_config(studies[6], values, 0)) for values in published_values(studies[6])]
        found = {}
        for way in ways:
            surface = surface_of(recorded, studies[6], number)
            played, study = ("race of 4" if way == "oracle" else way), studies[6 if "of 6" in way else 4]
            row, cost, tried = recommended(played, study, surface, limit)
            value = max(map(surface.value, tried)) if way == "oracle" else surface.value(row)
            better = max(map(surface.value, (published[0], published[-1])))
            found[way] = {"regret": float(top - value), "cost": cost, "below": bool(value < better - 1e-9)}
        return found


def surface_of(recorded, study, number):
    """The same surface, seeds and noise each time."""
    return Surface(recorded, study, number)


def text_of(found, surfaces):
    heads = ("strategy", "regret, H", "− old pick", "− old pick, 900", "below the better published setting", "N-epochs")
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " --- |" * (len(heads) - 1)]
    for way in WAYS:
        regrets = [each[way]["regret"] for each in found]
        error = 1.96 * stdev(regrets) / math.sqrt(len(regrets))
        differences = [against(found, way, old) for old in ("old pick", "old pick, 900")]
        below = sum(each[way]["below"] for each in found) / len(found)
        cost = fmean(each[way]["cost"] for each in found)
        cells = (way, f"{fmean(regrets):.2f} ± {error:.2f}", *differences, f"{below:.0%}", f"{cost:,.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"Mean ± 95 % interval over {surfaces} simulated surfaces."])


def against(found, way, old):
    """The mean difference in regret, paired by surface."""
    if way == old:
        return ""
    paired = interval(each[way]["regret"] - each[old]["regret"] for each in found)
    return f"{paired.mean:+.2f} ± {paired.half:.2f}"


def earlier(name, asked):
    """What an earlier call with the same settings found, surface by surface."""
    path = RESULTS / f"{name}.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    if kept.get("settings") == vars(asked):
        return [{way: each[way] for way in WAYS if way in each} for each in kept["surfaces"]]
    return [{} for _ in range(asked.surfaces)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="search-fashion")
    parser.add_argument("--surfaces", type=int, default=60)
    parser.add_argument("--limit", type=float, default=SEARCH, help="cost of the search in N-epochs [900]")
    asked = parser.parse_args()
    name = f"{asked.table}-ways"
    found = earlier(name, asked)
    jobs = [(asked.table, number, asked.limit, [way for way in WAYS if way not in found[number]])
            for number in range(asked.surfaces)]  # fmt: skip
    with multiprocessing.get_context("spawn").Pool() as pool:
        for number, more in enumerate(pool.imap(simulate, jobs)):
            found[number] |= more
    recorded = Recorded(path_of(asked.table))
    text = text_of(found, asked.surfaces)
    fit = recorded.posterior
    noise, shift, signal = (fit.unit * math.sqrt(each) for each in (fit.noise, fit.shift, fit.signal))
    text += (
        f"\n\nThe process over {len(recorded.h)} recorded runs of {len(recorded.settings)} settings: standard "
        f"deviation of the settings {signal:.2f}, of a seed's shift {shift:.2f}, of noise {noise:.2f}."
    )
    print(text)
    write_report(
        name, {"settings": vars(asked), "surfaces": found}, text,
        f"Ways of searching on surfaces simulated from {asked.table}.csv",
    )  # fmt: skip


if __name__ == "__main__":
    main()
