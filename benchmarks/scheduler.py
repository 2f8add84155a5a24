"""Compare early stopping of the worse trials with training all trials to the end: the same study twice, same seeds.

    python -m benchmarks.scheduler        # about a quarter of an hour on two idle cores

Both studies search with TPE under 4N on the embedded digits and start with the same published settings. The benchmark
compares the cost of the search, in N-epochs, and H of the best setting on test images with six fresh seeds. It reads
the rungs from the study's log: the spent cost at each comparison, which is equal within a rung to within an epoch.
"""

import argparse
import csv
import tempfile
from pathlib import Path

import study
from benchmarks.report import write_report
from study.confirm.comparisons import paired_test, settings_of
from study.display.rows import setting
from study.files.ranking import spent
from study.files.results import Results

SCHEDULERS = ("none", "asha")


def run_study(folder, scheduler, trials, seed):
    results = study.run(
        budget="4N", scheduler=scheduler, sampler="tpe", trials=trials, seed=seed, out=str(folder), quiet=True
    ).files
    groups = settings_of(results.confirm)
    best = next(group for group in groups if group.why.startswith("best-1"))
    gap = paired_test(best.h, next(group for group in groups if "vanilla" in group.why).h).difference
    rows = results.trials
    return {
        "spent": spent(rows),
        "finished": sum(row["status"] == "finished" for row in rows),
        "stopped": sum(row["status"] == "stopped" for row in rows),
        "epochs_of_stopped": sorted(row["epochs"] for row in rows if row["status"] == "stopped"),
        "best": setting(best.row),
        "h": best.interval()._asdict(),
        "above_vanilla": gap._asdict(),
        "rungs": rungs(folder / "rungs.csv"),
    }


def rungs(log):
    """For each rung: how many were compared, the least and the most that they had spent by then, how many went on."""
    if not log.exists():
        return []
    with open(log, newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for rung in dict.fromkeys(row["rung"] for row in rows):
        mine = first_of_each_trial([row for row in rows if row["rung"] == rung])
        costs = [float(row["spent"]) for row in mine]
        going_on = sum(row["decision"] == "continue" for row in mine)
        found.append(
            {"rung": float(rung), "trials": len(mine), "least": min(costs), "most": max(costs), "on": going_on}
        )
    return sorted(found, key=lambda each: each["rung"])


def first_of_each_trial(rows):
    """A trial is compared once a rung; further rows of it are later epochs between two rungs."""
    return list({row["trial"]: row for row in reversed(rows)}.values())


def check_never_ranked(folder):
    """A trial that was stopped is neither confirmed nor as long as the others."""
    results = Results(folder)
    length = max(row["epochs"] for row in results.trials)
    stopped = [row for row in results.trials if row["status"] == "stopped"]
    assert all(row["epochs"] < length for row in stopped)
    of_finished = {row["config"] for row in results.trials if row["status"] == "finished"}
    best = {row["config"] for row in results.confirm if row["why"].startswith("best")}
    assert best <= of_finished


def render(figures):
    lines = ["| scheduler | finished | stopped | N-epochs spent | best setting | H on test images | above vanilla |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for name, each in figures.items():
        h, gap = each["h"], each["above_vanilla"]
        lines.append(
            f"| {name} | {each['finished']} | {each['stopped']} | {each['spent']:.1f} | {each['best']} "
            f"| {h['mean']:.2f} ± {h['half']:.2f} | {gap['mean']:+.2f} ± {gap['half']:.2f} |"
        )
    lines += ["", "| rung, N-epochs | trials compared | had spent | went on |", "|---|---|---|---|"]
    for rung in figures["asha"]["rungs"]:
        between = f"{rung['least']:.1f}–{rung['most']:.1f}"
        lines.append(f"| {rung['rung']:g} | {rung['trials']} | {between} | {rung['on']} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in SCHEDULERS:
            figures[name] = run_study(Path(folder) / name, name, asked.trials, asked.seed)
            check_never_ranked(Path(folder) / name)
    title = f"Halving by spent cost: {asked.trials} proposals by TPE under 4N on digits, seed {asked.seed}"
    write_report("scheduler", {"trials": asked.trials, "seed": asked.seed, "studies": figures}, render(figures), title)


if __name__ == "__main__":
    main()
