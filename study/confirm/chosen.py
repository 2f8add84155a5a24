"""Which configurations are confirmed, with which seeds, and why."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.config.space import control_configs, published_values, trial_config, values_of
from study.config.study_config import Study
from study.files.configs import config_id, method_of
from study.files.ranking import best
from study.papers import cells_of
from study.papers.baselines import BASELINES
from study.workers.jobs import Row
from trainables.config import TrialConfig, make_method
from trainables.data.datasets import EMBEDDED
from trainables.disk import data_folder


@dataclass(frozen=True)
class Candidate:
    """A configuration to be confirmed, why, and with which seeds."""

    why: str
    config: TrialConfig
    seeds: tuple[int, ...]
    measures: tuple[Row, ...] = ()  # beside accuracy and corruptions; `transfer_from` holds the name of a run


def choose(study: Study, trials: Iterable[Row]) -> list[Candidate]:
    """What is confirmed after a search; a setting that is there for two reasons is trained once."""
    seeds = fresh_seeds(study)
    rows = list(trials)
    wanted = [(f"best-{rank}", values_of(study, row)) for rank, row in enumerate(best(rows, study.confirm or 0), 1)]
    wanted += [(name, baseline_values(study, rows, name)) for name in BASELINES]
    wanted += [("published", values) for values in published(study)]
    named = [(why, trial_config(study, values, seeds[0])) for why, values in wanted]
    if study.controls:
        named += control_configs(study)
    found: dict[str, Candidate] = {}
    for why, config in named:
        key = config_id(config)
        if key in found:
            found[key] = dataclasses.replace(found[key], why=f"{found[key].why}, {why}")
        else:
            found[key] = Candidate(why, config, seeds)
    return list(found.values())


def baseline_values(study: Study, trials: list[Row], name: str) -> dict[str, Any]:
    """A baseline with its defaults, at the learning rate that is best on validation images if rates were searched."""
    tried = [row for row in trials if row["method"] == name and method_of(row) == make_method(name, {})]
    return next((values_of(study, row) for row in best(tried)), {"method": name})


def published(study: Study) -> list[dict[str, Any]]:
    """Published settings of EntProp and the study's methods; with the embedded images at most two of each, for time."""
    methods = [name for name in dict.fromkeys(("entprop", *study.methods)) if name not in ("vanilla", "mixup")]
    return published_values(study, methods, ends_only=study.trial.dataset == EMBEDDED)


def fresh_seeds(study: Study) -> tuple[int, ...]:
    """Seeds that no trial of the search was trained with."""
    return tuple(study.seed + 1 + i for i in range(study.seeds or 6))


def choose_table(study: Study) -> list[Candidate]:
    """The rows of a published table."""
    assert study.table is not None
    planned = cells_of(study)
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
        found.append(Candidate(cell.label, cell.config, seeds, tuple(several)))
    return found


def roles(chosen: Iterable[Candidate]) -> dict[str, str]:
    """Why each configuration is confirmed."""
    return {config_id(each.config): each.why for each in chosen}


def size_of(chosen: Iterable[Candidate]) -> tuple[int, float]:
    """How many runs these are, and what they cost in N-epochs."""
    costs = [each.config.method.cost * each.config.epochs for each in chosen for _ in each.seeds]
    return len(costs), sum(costs)


def ended_of(study: Study, chosen: Iterable[Candidate], rows: Iterable[Row]) -> list[Row]:
    """The rows of these runs that stand: also those that failed, unless they are to be trained again."""
    planned = {(config_id(each.config), seed) for each in chosen for seed in each.seeds}
    standing = [row for row in rows if row["h"] is not None or not study.retry_failed]
    return [row for row in standing if (row["config"], row["seed"]) in planned]


def run_name(config: TrialConfig, seed: int) -> str:
    """The name of a run, and of its folder."""
    return f"confirm-{config_id(config)}-{seed}"


def check_images(study: Study, chosen: Iterable[Candidate]) -> None:
    """ValueError unless the other images that a table measures are there."""
    for path in {shift_folder(study, each) for one in chosen for each in one.measures if "shift" in each}:
        if not path.is_dir():
            raise ValueError(f"table {study.table} needs a folder of images for each class in {path}, got none")


def shift_folder(study: Study, measure: Row) -> Path:
    """Where other images of the same classes lie: beside the data sets."""
    return data_folder(Path(study.data_root) if study.data_root else None) / measure["shift"].removeprefix("folder:")
