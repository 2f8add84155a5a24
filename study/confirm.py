"""The result that is quoted: chosen settings trained anew with fresh seeds, measured once on test images.

After a search these are the best by validation H, vanilla, mixup alone and the published settings within the budget; a
published table is confirmed row by row. `python study/confirm.py DIR` does it for a study that was searched before:

    python study/confirm.py runs/DIR --confirm 3 --seeds 6

Each row of `confirm.csv` is written when its run ends. Going on after a kill repeats none of them, and a run that was
cut off goes on after its last epoch.
"""

import argparse
import dataclasses
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from study.command_line import read_options
from study.grids import cells
from study.jobs import Job, Row
from study.options import Study
from study.results import Results, best, config_id, config_row, method_of
from study.space import control_configs, trial_config
from trainables.config import TrialConfig, make_method, method_options
from trainables.data import data_folder
from trainables.options import OneLineParser

PUBLISHED = ((0.2, 1), (0.6, 1), (0.2, 5), (0.6, 5))  # the EntProp paper's k and n
PUBLISHED_ON_DIGITS = ((0.2, 1), (0.6, 5))  # the cheapest and the dearest: all four would take half as long again


IN_CONFIRM = ("sa", "ra", "h", "ece", "entropy")  # of the main norms; entropy is not reported


@dataclass(frozen=True)
class Chosen:
    """A configuration to be confirmed, why, and with which seeds."""

    why: str
    config: TrialConfig
    seeds: tuple[int, ...]
    measures: tuple[Row, ...] = ()  # beside accuracy and corruptions; `transfer_from` holds the name of a run


def choose(study: Study, trials: Iterable[Row]) -> list[Chosen]:
    """What is confirmed after a search; a setting that is there for two reasons is trained once."""
    seeds = fresh_seeds(study)
    wanted = [(f"best-{rank}", of_trial(row)) for rank, row in enumerate(best(trials, study.confirm or 0), 1)]
    wanted += [("vanilla", {"method": "vanilla"}), ("mixup", {"method": "mixup"})]
    wanted += [("published", values) for values in published(study)]
    named = [(why, trial_config(study, values, seeds[0])) for why, values in wanted]
    if study.controls:
        named += control_configs(study)
    found: dict[str, Chosen] = {}
    for why, config in named:
        key = config_id(config)
        if key in found:
            found[key] = dataclasses.replace(found[key], why=f"{found[key].why}, {why}")
        else:
            found[key] = Chosen(why, config, seeds)
    return list(found.values())


def of_trial(row: Row) -> dict[str, Any]:
    """The method of a row and the values of its fields."""
    return {"method": row["method"], **method_options(method_of(row))}


def published(study: Study) -> list[dict[str, Any]]:
    """The EntProp paper's settings within the budget."""
    pairs = PUBLISHED_ON_DIGITS if study.trial.dataset == "digits" else PUBLISHED
    settings = [{"method": "entprop", "k": k, "n": n} for k, n in pairs]
    return [values for values in settings if study.budget and study.budget.allows(cost_of(values))]


def cost_of(values: Mapping[str, Any]) -> float:
    """The nominal cost per epoch of a method with these values, in N."""
    chosen = dict(values)
    return make_method(chosen.pop("method"), chosen).cost


def fresh_seeds(study: Study) -> tuple[int, ...]:
    """Seeds that no trial of the search was trained with."""
    return tuple(study.seed + 1 + i for i in range(study.seeds or 6))


def choose_table(study: Study) -> list[Chosen]:
    """The rows of a published table."""
    assert study.table is not None
    planned = cells(study.table, study.changes, study.scale, study.seeds)
    proxies = {
        (cell.label, cell.config.dataset, cell.config.model): run_name(cell.config, study.seed + cell.seeds - 1)
        for cell in planned
        if cell.proxy
    }
    found = []
    for cell in planned:
        seeds = tuple(study.seed + i for i in range(cell.seeds))
        place = cell.config.dataset, cell.config.model
        several = [
            {**each, "transfer_from": proxies[each["transfer_from"], *place]} if "transfer_from" in each else dict(each)
            for each in cell.measures
        ]
        found.append(Chosen(cell.label, cell.config, seeds, tuple(several)))
    return found


def whys(chosen: Iterable[Chosen]) -> dict[str, str]:
    """Why each configuration is confirmed."""
    return {config_id(each.config): each.why for each in chosen}


def size_of(chosen: Iterable[Chosen]) -> tuple[int, float]:
    """How many runs these are, and what they cost in N-epochs."""
    costs = [each.config.method.cost * each.config.epochs for each in chosen for _ in each.seeds]
    return len(costs), sum(costs)


def run_name(config: TrialConfig, seed: int) -> str:
    """The name of a run, and of its folder."""
    return f"confirm-{config_id(config)}-{seed}"


def check_pictures(study: Study, chosen: Iterable[Chosen]) -> None:
    """ValueError unless the other pictures that a table measures are there."""
    for path in {shift_folder(study, each) for one in chosen for each in one.measures if "shift" in each}:
        if not path.is_dir():
            raise ValueError(f"table {study.table} needs a folder of pictures for each class in {path}, got none")


def shift_folder(study: Study, measure: Row) -> Path:
    """Where other pictures of the same classes lie: beside the data sets."""
    return data_folder(Path(study.data_root) if study.data_root else None) / measure["shift"].removeprefix("folder:")


class Confirm:
    """A source of the runs that are still to be done; the dearest first, so that all workers end together.

    A run whose network others are shown the attacks on comes before all; the others wait for its end.
    """

    def __init__(self, study: Study, chosen: list[Chosen], results: Results, progress: Any) -> None:
        from study.storage import base_of

        assert study.out is not None
        self.study, self.results, self.progress = study, results, progress
        self.base = base_of(study.out, study.storage)
        self.chosen: dict[str, Chosen] = {}
        self.proxies: set[str] = set()
        self.not_ended: set[str] = set()
        self.waiting: list[tuple[Chosen, int]] = []
        self.seconds: dict[str, dict[int, float]] = {}
        self.add(chosen)

    def add(self, chosen: list[Chosen]) -> None:
        """Take in what was chosen; what is there already may now be there for a further reason."""
        done = {(row["config"], row["seed"]) for row in self.results.confirm if row["h"] is not None}
        new = [each for each in chosen if config_id(each.config) not in self.chosen]
        self.chosen |= {config_id(each.config): each for each in chosen}
        self.proxies |= {each["transfer_from"] for one in new for each in one.measures if "transfer_from" in each}
        runs = [(each, seed) for each in new for seed in each.seeds]
        self.waiting += [run for run in runs if (config_id(run[0].config), run[1]) not in done]
        names = [run_name(each.config, seed) for each, seed in self.waiting]
        self.not_ended |= set(names) & self.proxies
        self.waiting.sort(
            key=lambda run: (run_name(run[0].config, run[1]) not in self.proxies, -run[0].config.method.cost)
        )

    @property
    def finished(self) -> bool:
        return not self.waiting

    def next(self) -> Job | None:
        ready = (run for run in self.waiting if not self._waits(*run))
        if (run := next(ready, None)) is None:
            return None
        self.waiting.remove(run)
        each, seed = run
        name = run_name(each.config, seed)
        self.progress.started(name)
        config = dataclasses.replace(each.config, seed=seed)
        measures = tuple(self._located(measure) for measure in self._measures(each, name))
        return Job(name, f"{self.base}/{name}", config.as_dict(), "test", measures=measures)

    def _waits(self, each: Chosen, seed: int) -> bool:
        """Whether a network that the run needs is not trained yet."""
        several = self._measures(each, run_name(each.config, seed))
        return any(measure.get("transfer_from") in self.not_ended for measure in several)

    def _measures(self, each: Chosen, name: str) -> list[Row]:
        """What is measured of a run; a proxy is not shown what is made against itself."""
        return [measure for measure in each.measures if measure.get("transfer_from") != name]

    def _located(self, measure: Row) -> Row:
        """The measure with folders where it names a run or a data set."""
        if "transfer_from" in measure:
            return {**measure, "transfer_from": f"{self.base}/{measure['transfer_from']}"}
        return {**measure, "shift": f"folder:{shift_folder(self.study, measure)}"} if "shift" in measure else measure

    def on_row(self, job: Job, row: Row) -> None:
        self.seconds.setdefault(job.name, {})[row["epoch"]] = row["seconds"]
        self.progress.epoch(job.name, row)

    def on_end(self, job: Job, row: Row | None, error: str) -> None:
        config = TrialConfig.from_dict(job.config)
        self.not_ended.discard(job.name)
        each, last = self.chosen[config_id(config)], row or {}
        epochs = self.seconds.pop(job.name, {}).values()
        written = {
            **config_row(config),
            "why": each.why,
            "epochs": last.get("epoch"),
            "measured_cost": last.get("measured_cost"),
            **{name: last.get(name) for name in ("sa", "ra", "h", "ece")},
            "epoch_seconds": median(epochs) if epochs else None,
            "seconds": sum(epochs) + last.get("measuring_s", 0.0),
            "error": error or None,
        }
        key = {"config": written["config"], "seed": config.seed}
        self.results.add_measured(measured_files(key, last.get("measured", ())))
        self.results.put_confirm(written)  # last: a row here says that the others are complete
        self.progress.ended(written)


def measured_files(key: Row, rows: Iterable[Row]) -> dict[str, list[Row]]:
    """What was measured of a run, by the table that it belongs in; what stands in confirm.csv is not written again."""
    files: dict[str, list[Row]] = {"corruptions": [], "attacks": [], "measures": []}
    for row in rows:
        kind, name, value, images = row["measure"], row["name"], row["value"], row["images"]
        here = {**key, "norm": row["norm"]}
        if kind == "corruption":
            found = {**here, "corruption": name, "severity": row["severity"], "accuracy": value}
            files["corruptions"].append(found)
        elif row["norm"] == "main" and kind == "attack":
            files["attacks"].append({**key, "attack": name, "accuracy": value, "images": images})
        elif row["norm"] != "main" or kind not in IN_CONFIRM:
            shown = Path(name).name if kind == "shift" else name or "all"
            files["measures"].append({**here, "measure": kind, "name": shown, "value": value, "images": images})
    return files


def main(arguments: list[str] | None = None) -> int:
    """Confirm a study that was searched before."""
    from study.run import confirm_again, told

    parser = OneLineParser(
        prog="python study/confirm.py",
        usage="python study/confirm.py DIR [--confirm C] [--seeds S]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of a study")
    parser.add_argument("--confirm", type=int, metavar="C", help="how many of the best [as the study was told]")
    parser.add_argument("--seeds", type=int, metavar="S", help="fresh seeds of each [as the study was told]")
    parser.add_argument("--quiet", action="store_true", help="print the result alone")
    asked = parser.parse(arguments)

    def again() -> int:
        study = Study.from_dict(read_options(asked.folder))
        changes = {name: value for name in ("confirm", "seeds") if (value := getattr(asked, name)) is not None}
        return confirm_again(
            dataclasses.replace(study, **changes, out=str(asked.folder), quiet=asked.quiet, resume=True)
        )

    return told(again)


if __name__ == "__main__":
    sys.exit(main())
