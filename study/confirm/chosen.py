"""Which configurations are confirmed, with which seeds, and why."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.config.seeds import confirm_seeds
from study.config.space import control_configs, trial_config, values_of
from study.config.study_config import Study
from study.files.configs import config_id
from study.files.results import Results
from study.papers import cells_of
from study.papers.baselines import BASELINES
from study.race.contenders import baseline_values, ranking, searched_published
from study.workers.jobs import Row
from trainables.config import TrialConfig
from trainables.data.datasets import EMBEDDED
from trainables.disk import data_folder

LEAST_SEEDS = 3  # of a published setting, so that it can be tested


@dataclass(frozen=True)
class Candidate:
    """A configuration to be confirmed, why, and with which seeds."""

    why: str
    config: TrialConfig
    seeds: tuple[int, ...]
    measures: tuple[Row, ...] = ()  # beside accuracy and corruptions; `transfer_from` holds the name of a run


def choose(study: Study, results: Results | None = None) -> list[Candidate]:
    """What is confirmed after search and race; without results, what is known before them.

    A setting that is there for two reasons is trained once, with the more seeds of the two.
    """
    seeds = confirm_seeds(study)
    trials = results.trials if results else []
    ranked = ranking(study, trials, results.race)[: study.confirm] if results else []
    wanted = [(f"best-{rank}", values_of(study, row)) for rank, row in enumerate(ranked, 1)]
    wanted += [(name, baseline_values(study, trials, name)) for name in BASELINES]
    named = [(why, trial_config(study, values, seeds[0]), seeds) for why, values in wanted]
    fewer = seeds[: published_seeds(study)]
    named += [("published", trial_config(study, values, seeds[0]), fewer) for values in published(study)]
    if study.controls:
        named += [(why, config, seeds) for why, config in control_configs(study)]
    found: dict[str, Candidate] = {}
    for why, config, these in named:
        before = found.setdefault(config_id(config), Candidate(why, config, these))
        if before.why != why:
            found[config_id(config)] = dataclasses.replace(before, why=f"{before.why}, {why}")
    return list(found.values())


def published_seeds(study: Study) -> int:
    """How many of the fresh seeds a published setting has: half, as it is shown and not chosen."""
    seeds = len(confirm_seeds(study))
    return min(seeds, max(LEAST_SEEDS, seeds // 2))


def published(study: Study) -> list[dict[str, Any]]:
    """The published settings of the searched methods within the budget; with the embedded images, the cheapest one."""
    found = searched_published(study)
    return found[:1] if study.trial.dataset == EMBEDDED else found


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


def run_name(config: TrialConfig, seed: int) -> str:
    """The name of a run, and of its folder."""
    return config_run_name(config_id(config), seed)


def config_run_name(config: str, seed: int) -> str:
    """The same of a configuration's identifier."""
    return f"confirm-{config}-{seed}"


def check_images(study: Study, chosen: Iterable[Candidate]) -> None:
    """ValueError unless the other images that a table measures are there."""
    for path in {shift_folder(study, each) for one in chosen for each in one.measures if "shift" in each}:
        if not path.is_dir():
            raise ValueError(f"table {study.table} needs a folder of images for each class in {path}, got none")


def shift_folder(study: Study, measure: Row) -> Path:
    """Where other images of the same classes lie: beside the data sets."""
    root = data_folder(Path(study.data_root) if study.data_root else None).absolute()
    return root / measure["shift"].removeprefix("folder:")
