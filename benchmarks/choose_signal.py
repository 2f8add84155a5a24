"""Choose corruptions, learning rates and loss weights from the rows of `benchmarks.signal`, by its rules.

python -m benchmarks.choose_signal    # reads results/signal-*.csv and confirm-*.csv, writes results/signal.md and .json
"""

import itertools
import math
import statistics
import sys
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks import rows as kept
from benchmarks.candidates import CANDIDATES
from benchmarks.report import RESULTS, write_report
from benchmarks.signal import JOINED, MORE, SETTINGS, STRENGTHS
from trainables.corruptions.functions import IMAGENET_C_VALIDATION, REPORTED
from trainables.measures.metrics import h_score

OLD = tuple(IMAGENET_C_VALIDATION)
OLD_SEVERITIES = (1, 3, 5)  # what a search measures
AT_MOST = 3  # candidates in a set
EQUAL = 0.02  # of Spearman's correlation


class Runs:
    """The runs of a data set: H by setting and seed, on test images and on validation images under any corruptions."""

    def __init__(self, path: Path) -> None:
        rows = [row for row in kept.read(path, ("setting", "method")) if row["setting"] in SETTINGS]
        seeds = {name: {row["seed"] for row in rows if row["setting"] == name} for name in SETTINGS}
        common = set.intersection(*(each for each in seeds.values() if len(each) > 1))
        self.name = path.stem.removeprefix("signal-").replace("confirm-", "new ")
        self.settings = [name for name in SETTINGS if seeds[name] >= common]
        self.seeds = sorted(common)
        by_key = {(row["setting"], row["seed"]): row for row in rows}
        self.rows = [[by_key[name, seed] for seed in self.seeds] for name in self.settings]
        self.test = self.table(
            lambda row: h_score(row["sa"], statistics.fmean(row[f"test {name}"] for name in REPORTED))
        )
        self.entprop = [i for i, name in enumerate(self.settings) if name.startswith("EntProp")]

    def table(self, value) -> np.ndarray:
        """(settings, seeds)."""
        return np.array([[value(row) for row in several] for several in self.rows])

    def accuracy(self, place: int, corruption: str) -> float:
        """Mean test accuracy of a setting on one of the reported corruptions."""
        return statistics.fmean(row[f"test {corruption}"] for row in self.rows[place])

    def validation(self, names: tuple[str, ...]) -> np.ndarray:
        """Validation H (settings, seeds) under these corruptions; clean accuracy for none."""

        def value(row):
            shown = [row[f"{name} {each}"] for name in names for each in (OLD_SEVERITIES if name in OLD else STRENGTHS)]
            return h_score(row["val_sa"], statistics.fmean(shown)) if shown else row["val_sa"]

        return self.table(value)


def correlation(runs: Runs, names: tuple[str, ...], among=slice(None), kind=stats.spearmanr) -> float:
    """Between mean validation H and mean test H over settings."""
    return float(kind(runs.validation(names).mean(1)[among], runs.test.mean(1)[among]).statistic)


def ceiling(runs: Runs, among=slice(None)) -> float:
    """The correlation with mean test H of a signal without noise: the root of the reliability of that mean."""
    test = runs.test[among]
    between = test.mean(1).var(ddof=1)
    within = test.var(axis=1, ddof=1).mean() / test.shape[1]
    return math.sqrt(max(0.0, 1 - within / between))


def regret(runs: Runs, names: tuple[str, ...]) -> tuple[float, float]:
    """H lost by picking the best validation H: of means over seeds, and on average of a single seed."""
    mean, seen = runs.test.mean(1), runs.validation(names)
    one = [mean.max() - mean[seen[:, seed].argmax()] for seed in range(seen.shape[1])]
    return float(mean.max() - mean[seen.mean(1).argmax()]), float(np.mean(one))


def chosen_by(several: list[Runs]) -> tuple[str, ...]:
    """The rule: the highest of the lowest correlations, and among equals the fewest candidates."""
    sets = [names for size in range(1, AT_MOST + 1) for names in itertools.combinations(CANDIDATES, size)]
    worth = {names: min(correlation(runs, names) for runs in several) for names in sets}
    best = max(worth.values())
    near = [names for names in sets if worth[names] >= best - EQUAL]
    fewest = min(map(len, near))
    return max((names for names in near if len(names) == fewest), key=worth.__getitem__)


def signal_table(several: list[Runs]) -> list[str]:
    lines = [f"| validation corruptions | {' | '.join(f'{runs.name}: all, EntProp' for runs in several)} |",
             "| --- |" + " --- |" * len(several)]  # fmt: skip
    wanted = {"clean images alone": (), "ImageNet-C's four": OLD, "the four and three veils": JOINED,
              **{name: (name,) for name in CANDIDATES}}  # fmt: skip
    chosen = chosen_by(several)
    wanted[", ".join(chosen)] = chosen
    for label, names in wanted.items():
        cells = [f"{correlation(runs, names):.2f}, {correlation(runs, names, runs.entprop):.2f}" for runs in several]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    lines.append(f"| ceiling | {' | '.join(f'{ceiling(runs):.2f}' for runs in several)} |")
    return lines


HEADS = ("Spearman", "Pearson", "within EntProp", "the four: all, EntProp", "ceiling: all, EntProp",
         "H lost by the pick: all seeds, one seed", "by the four")  # fmt: skip


def cells(runs: Runs, names: tuple[str, ...]) -> str:
    """What a set of corruptions predicts, beside ImageNet-C's four and what noise allows."""
    lost, before = regret(runs, names), regret(runs, OLD)
    shown = (
        f"{correlation(runs, names):.2f}",
        f"{correlation(runs, names, kind=stats.pearsonr):.2f}",
        f"{correlation(runs, names, runs.entprop):.2f}",
        f"{correlation(runs, OLD):.2f}, {correlation(runs, OLD, runs.entprop):.2f}",
        f"{ceiling(runs):.2f}, {ceiling(runs, runs.entprop):.2f}",
        f"{lost[0]:.2f}, {lost[1]:.2f}",
        f"{before[0]:.2f}, {before[1]:.2f}",
    )
    return " | ".join(shown)


def label(runs: Runs) -> str:
    return f"{runs.name}, {len(runs.settings)} settings × {len(runs.seeds)} seeds"


def check_table(several: list[Runs]) -> list[str]:
    """Each data set under the set that the others choose."""
    lines = [f"| data | set chosen on the others | {' | '.join(HEADS)} |", "| --- |" + " --- |" * 8]
    for runs in several:
        names = chosen_by([other for other in several if other is not runs])
        lines.append(f"| {label(runs)} | {', '.join(names)} | {cells(runs, names)} |")
    return lines


def joined_table(several: list[Runs]) -> list[str]:
    """The four and three veils: on the runs on which they were joined, and on new images and seeds."""
    lines = [f"| data | {' | '.join(HEADS)} |", "| --- |" + " --- |" * 7]
    return lines + [f"| {label(runs)} | {cells(runs, JOINED)} |" for runs in several]


def default_table(several: list[Runs]) -> list[str]:
    """What a data set must show to be the default."""
    lines = ["| data | training images that vanilla gets right | Spearman | corruptions that move by two points "
             "| EntProp − mixup, each at its best rate |", "| --- |" + " --- |" * 4]  # fmt: skip
    for runs in several:
        best = best_rates(runs, JOINED)
        vanilla, mixup = best["vanilla"], best["mixup"]
        fitted = statistics.fmean(row["train_accuracy"] for row in runs.rows[vanilla])
        top = max(runs.entprop, key=lambda place: runs.validation(JOINED).mean(1)[place])
        moved = [runs.accuracy(top, name) - runs.accuracy(vanilla, name) for name in REPORTED]
        gain = runs.test[top] - runs.test[mixup]
        lines.append(
            f"| {runs.name} | {fitted:.1f} % | {correlation(runs, JOINED):.2f} "
            f"| {sum(abs(each) >= 2 for each in moved)} "
            f"| {runs.settings[top]}: {gain.mean():+.2f} ± {gain.std(ddof=1) / math.sqrt(len(gain)):.2f} |"
        )
    return lines


def best_rates(runs: Runs, names: tuple[str, ...]) -> dict[str, int]:
    """For each method the setting at the rate with the highest mean validation H, as its place among the settings."""
    seen, best = runs.validation(names).mean(1), dict[str, int]()
    for i, name in enumerate(runs.settings):
        method = name.rpartition(", lr")[0]
        if method not in best or seen[i] > seen[best[method]]:
            best[method] = i
    return best


def weights_table(several: list[Runs], names: tuple[str, ...]) -> list[str]:
    """Test H of each loss weighting at its best rates, the mean of (0.2, 1) and (0.6, 1), less that of mixup."""
    lines = [f"| loss weights, less mixup at its best rate | {' | '.join(runs.name for runs in several)} | mean |",
             "| --- |" + " --- |" * (len(several) + 1)]  # fmt: skip
    for weights in ("instance", "pass_mean", "sum"):
        gains = []
        for runs in several:
            best = best_rates(runs, names)
            ours = (
                runs.test[best[f"EntProp (0.2, 1), {weights}"]] + runs.test[best[f"EntProp (0.6, 1), {weights}"]]
            ) / 2
            gains.append(ours - runs.test[best["mixup"]])
        cells = [f"{gain.mean():+.2f} ± {gain.std(ddof=1) / math.sqrt(len(gain)):.2f}" for gain in gains]
        lines.append(f"| {weights} | {' | '.join(cells)} | {np.mean([gain.mean() for gain in gains]):+.2f} |")
    return [*lines, "", "± is the standard error over seeds."]


def rate_table(runs: Runs, names: tuple[str, ...]) -> list[str]:
    """Test H by method and learning rate; bold at the rate that validation H picks."""
    rates = sorted({rate for _, _, rate in SETTINGS.values()})
    lines = [f"| {runs.name} | {' | '.join(f'lr {rate}' for rate in rates)} |", "| --- |" + " --- |" * len(rates)]
    for method, best in best_rates(runs, names).items():
        cells = []
        for rate in rates:
            place = runs.settings.index(name) if (name := f"{method}, lr {rate}") in runs.settings else None
            values = runs.test[place] if place is not None else None
            text = "–" if values is None else f"{values.mean():.2f} ± {values.std(ddof=1):.2f}"
            cells.append(f"**{text}**" if place == best else text)
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return lines


CALLED = {"cifar10b": "CIFAR-10, 1,500 images", "digits_anew": "digits"}  # on pages


def more_table() -> list[str]:
    """Test H of the settings that decided nothing, and its difference to mixup at 0.4, paired by the common seeds."""
    names: dict[str, None] = {}
    columns: dict[str, dict[str, str]] = {}
    for path in sorted(RESULTS.glob("more-*.csv")):
        confirmed = path.with_name(path.name.replace("more-", "confirm-"))
        mixup = by_seed(confirmed, "mixup, lr 0.4")
        for name in MORE:
            ours = by_seed(path, name)
            gains = [ours[seed] - mixup[seed] for seed in ours if seed in mixup]
            if len(gains) > 1:
                names[name] = None
                error = statistics.stdev(gains) / math.sqrt(len(gains))
                columns.setdefault(path.stem.removeprefix("more-"), {})[name] = (
                    f"{statistics.fmean(ours.values()):.2f}, {statistics.fmean(gains):+.2f} ± {error:.2f}"
                )
    data = [CALLED.get(name, name) for name in columns]
    lines = [f"| H, and less mixup at 0.4 | {' | '.join(data)} |", "| --- |" + " --- |" * len(columns)]
    return lines + [
        f"| {name} | {' | '.join(column.get(name, '–') for column in columns.values())} |" for name in names
    ]


def by_seed(path: Path, setting: str) -> dict[float, float]:
    """Test H of a setting's runs."""
    rows = [row for row in kept.read(path, ("setting", "method")) if row["setting"] == setting]
    return {row["seed"]: h_score(row["sa"], statistics.fmean(row[f"test {name}"] for name in REPORTED)) for row in rows}


def main() -> int:
    chose, new = ([Runs(path) for path in sorted(RESULTS.glob(f"{kind}-*.csv"))] for kind in ("signal", "confirm"))
    tables = [joined_table([*new, *chose]), default_table(new), weights_table([*new, *chose], JOINED),
              signal_table(chose), check_table(chose), more_table()]  # fmt: skip
    text = "\n\n".join("\n".join(lines) for lines in (*tables, *(rate_table(runs, JOINED) for runs in (*new, *chose))))
    print(text)
    write_report(
        "signal", {"chosen by the first rule": chosen_by(chose)}, text, "Validation signals and learning rates"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
