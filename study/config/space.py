"""From a study to its trials: the space that it proposes from, and settings that stand in it beside the proposals."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces import spaces
from search_spaces.cheapest import Given
from study.config.budget import LARGEST_N
from study.config.study_config import Study, fields_of
from study.files.configs import method_of
from study.papers.baselines import at_other_rates
from trainables.config import TrialConfig, make_method, method_options


def space_record(study: Study) -> dict[str, Any] | None:
    """The space as study.json keeps it."""
    if study.table is not None:
        return None
    return {
        method: {
            "searched": list(study.searched[method]),
            "fixed": study.fixed[method],
            "largest_share": share_limits(study, method),
        }
        for method in study.methods
    }


def share_limits(study: Study, method: str) -> dict[str, float]:
    """The largest k or p_adv for each n, where one of them is searched."""
    space = spaces.space_for(method)
    if space.share not in study.searched[method]:
        return {}
    fixed = study.fixed[method]
    numbers = range(1, LARGEST_N + 1) if "n" in study.searched[method] else (fixed.get("n", 1),)
    passes = {n: spaces.passes({**fixed, "n": n}) for n in numbers}
    return {
        str(n): round(spaces.largest_share(study.per_epoch, count, space.largest_share), 6)
        for n, count in passes.items()
    }


PUBLISHED_FIRST = 2  # published settings of a method that a search begins with


def trial_config(study: Study, values: Mapping[str, Any], seed: int) -> TrialConfig:
    """The complete configuration of a proposal: `values` holds the method, values of its fields and, if the learning
    rate is searched, `lr` as a multiple of the study's."""
    chosen = dict(values)
    lr = study.trial.lr * chosen.pop("lr", 1.0)
    method = make_method(chosen.pop("method"), chosen)
    return dataclasses.replace(study.trial, method=method, lr=lr, seed=seed)


def values_of(study: Study, row: Mapping[str, Any]) -> dict[str, Any]:
    """The values that `trial_config` makes a row's configuration of."""
    options = {name: value for name, value in method_options(method_of(row)).items() if value is not None}
    lr = {"lr": round(row["lr"] / study.trial.lr, 6)} if "lr" in study.search and row.get("lr") else {}
    return {"method": row["method"], **options, **lr}


@dataclass(frozen=True)
class Space:
    """What a study proposes, as a function of a trial; it can be sent to other processes."""

    methods: tuple[str, ...]
    per_epoch: float
    searched: dict[str, tuple[str, ...]]
    fixed: dict[str, dict[str, Any]]

    def __call__(self, trial: Any) -> dict[str, Any]:
        """The method and the values of its fields; never above the budget."""
        return spaces.propose(trial, self.methods, self.per_epoch, self.searched, self.fixed)

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The parameters under which these values are proposed; None where they are not in the space."""
        chosen = dict(values)
        method = chosen.pop("method")
        if method not in self.methods:
            return None
        standing = {**method_options(make_method(method, {})), **self.fixed[method]}
        known = {name: value for name, value in standing.items() if name not in self.searched[method]} | chosen
        found = spaces.parameters_of(method, known, self.methods, self.per_epoch, self.searched)
        if found is None:
            return None
        proposed = self(Given(found))
        own, asked = ({name: value for name, value in each.items() if name not in ("method", "lr")}
                      for each in (proposed, {**proposed, **chosen}))  # fmt: skip
        return found if _agree(make_method(method, own), make_method(method, asked)) else None


def _agree(one: Any, other: Any) -> bool:
    """Whether two methods are the same but for rounding; a radius that a rule gives is the number that it gives."""
    first, second = (
        {**method_options(method), **({"epsilon": method.radius} if hasattr(method, "radius") else {})}
        for method in (one, other)
    )
    return all(
        math.isclose(value, second[name], rel_tol=1e-5, abs_tol=2e-6)
        if isinstance(value, float)
        else value == second[name]
        for name, value in first.items()
    )


def space_of(study: Study) -> Space:
    """The space of a search."""
    return Space(study.methods, study.per_epoch, study.searched, study.fixed)


def published_values(study: Study, methods: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """The published settings within the budget of the given methods, or else the study's, each with its method.

    `--fix` holds unless a setting says otherwise.
    """
    found = []
    for method in study.methods if methods is None else methods:
        fixed = {name: value for name, value in study.fix if name in fields_of(method)}
        for setting in spaces.space_for(method).published:
            values = {"method": method, **fixed, **setting}
            if study.budget and study.budget.allows(trial_config(study, values, 0).method.cost):
                found.append(values)
    return found


def first_proposals(study: Study, count: int = PUBLISHED_FIRST) -> list[dict[str, Any]]:
    """The parameters of so many published settings of each method, the cheapest that lie in the study's space.

    A search that tries all of them first spends much on the most expensive, which a confirmation trains in any case.
    Trials that are dealt to the methods in turn begin with one setting of each.
    """
    space, published = space_of(study), published_values(study)
    published.sort(key=lambda values: trial_config(study, values, 0).method.cost)
    found: dict[str, list[dict[str, Any]]] = {method: [] for method in study.methods}
    for values in published:
        lr = {"lr": 1.0} if "lr" in study.searched[values["method"]] else {}
        parameters = space.parameters({**values, **lr})
        if parameters is not None:
            found[values["method"]].append(parameters)
    if not study.dealt:
        return [parameters for several in found.values() for parameters in several[:count]]
    turns = [(method, turn) for turn in range(count) for method in study.methods]
    return [found[method][turn] if turn < len(found[method]) else {"method": method} for method, turn in turns]


def control_configs(study: Study) -> list[tuple[str, TrialConfig]]:
    """Vanilla and mixup at half and at twice the learning rate, and vanilla as long as the most expensive trial.

    A gap between two methods can be an artefact of the learning rate, or of the larger cost of one of them.
    """
    baseline, mixup = (trial_config(study, {"method": name}, 0) for name in ("vanilla", "mixup"))
    found = [control for each in (baseline, mixup) for control in at_other_rates(each)]
    longer = round(study.per_epoch * baseline.epochs)
    if longer > baseline.epochs:
        found.append(("equal cost", dataclasses.replace(baseline, epochs=longer)))
    return found
