"""What to try next: Optuna's samplers over a space, told what became of each proposal.

The study that the sampler learns from is held in memory and rebuilt from the result files whenever a study goes on;
what lies on disk for optuna-dashboard is a copy of its finished trials. Each proposal has a sampler of its own, seeded
by the study's seed and the proposal's number: it depends on the results so far and on nothing else, so that a study
that was interrupted proposes what it would have proposed.
"""

import bisect
import copy
import itertools
import os
import random
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from study.config.space import Space

Direction = Literal["maximize", "minimize"]
STATES = {"finished": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "failed": TrialState.FAIL}

# Proposing takes a Gaussian process a time with the third power of what it knows, TPE one that grows with it.
LEARNT_FROM = 200

STARTS = 5  # trials before TPE learns from them; most studies are too short to wait for Optuna's ten

optuna.logging.set_verbosity(optuna.logging.ERROR)  # it advises packages, on stderr
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


class Proposals:
    """Numbered proposals; a number is asked for once and told once."""

    def __init__(
        self, space: Space, sampler: str, seed: int, directions: tuple[Direction, ...] = ("maximize",)
    ) -> None:
        self.space, self.sampler, self.seed, self.directions = space, sampler, seed, directions
        self.study = optuna.create_study(directions=list(directions), sampler=RandomSampler(seed))
        self.asked: dict[int, optuna.Trial] = {}
        self.ranked: list[tuple[float, int]] = []  # finished trials of a single objective, the best first

    def ask(self, number: int, parameters: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The values of a proposal and its parameters; given parameters are kept, open ones are drawn."""
        return self._begin(number, self._draw(number, parameters, self.sampler))

    def ask_again(self, number: int, parameters: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The same for an earlier proposal, of which nothing is left to be drawn."""
        return self._begin(number, self._draw(number, parameters, "random"))

    def _begin(self, number: int, drawn: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        self.study.enqueue_trial(drawn)
        trial = self.asked[number] = self.study.ask()
        values = self.space(trial)
        for name, value in {"trial": number, **values}.items():
            trial.set_user_attr(name, value)
        return values, dict(trial.params)

    def _draw(self, number: int, parameters: dict[str, Any] | None, sampler: str) -> dict[str, Any]:
        """The parameters that stand for the values of a draw.

        Values are rounded, so that files can hold them; the sampler learns from what the files will tell it when the
        study goes on. Hence a draw from a copy of the study, of which only the values are kept.
        """
        seeded = make_sampler(sampler, (self.seed + 7919 * (number + 1)) % 2**32)
        twin = optuna.create_study(directions=list(self.directions), sampler=seeded)
        twin.add_trials(map(_shared, self.learnt_from(LEARNT_FROM if sampler in ("gp", "tpe") else 0)))
        if parameters is not None:
            twin.enqueue_trial(parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of given values that the space does not hold: seen later
            trial = twin.ask()
            values = self.space(trial)
        return self.space.parameters(values) or trial.params

    def learnt_from(self, limit: int) -> list[FrozenTrial]:
        """The trials that a sampler learns from: all, or of very many the best and the latest."""
        trials = self.study.get_trials(deepcopy=False) if limit else []
        if len(trials) <= limit:
            return trials
        if len(self.directions) == 1:
            best = [number for _, number in self.ranked]
        else:
            best = [trial.number for trial in self.study.best_trials]
        latest = range(len(trials) - limit // 2, len(trials))
        return [trials[number] for number in sorted({*best[: limit // 2], *latest})]

    def report(self, number: int, step: int, value: float) -> None:
        """A value on the way; told twice, the first counts."""
        trial = self.asked.get(number)
        if trial is not None and len(self.directions) == 1:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                trial.report(value, step)

    def tell(self, number: int, status: str, values: Iterable[float] | None) -> FrozenTrial:
        """How the proposal ended: finished with its values, stopped early, or failed."""
        state = STATES[status]
        # Of a trial that was stopped the last report counts, and of a failed one nothing.
        report_errors = list(values) if values is not None and state is TrialState.COMPLETE else None
        trial = self.study.tell(self.asked.pop(number), report_errors, state=state)
        if report_errors and len(self.directions) == 1:
            bisect.insort(self.ranked, (-report_errors[0], trial.number))
        return trial

    def replay(
        self, number: int, parameters: dict[str, Any], status: str, values: Any, reports: dict[int, float]
    ) -> FrozenTrial | None:
        """Take in an earlier result; None if the space of this study does not hold its parameters."""
        _, drawn = self.ask_again(number, parameters)
        if any(drawn.get(name) != value for name, value in parameters.items()):
            self.tell(number, "failed", None)
            return None
        for step, value in sorted(reports.items()):
            self.report(number, step, value)
        return self.tell(number, status, values)


class _Shared(FrozenTrial):
    """A trial that a study takes in without a copy of each of its parts, which takes longer than all of a draw."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Shared":
        return copy.copy(self)  # of a trial that was added, a study changes the number alone


def _shared(trial: FrozenTrial) -> _Shared:
    shared = _Shared.__new__(_Shared)
    shared.__dict__.update(trial.__dict__)
    return shared


def make_sampler(name: str, seed: int) -> BaseSampler:
    """Optuna's sampler of that name; the points of a grid are handed out one by one, so nothing is drawn for it."""
    if name == "gp":
        return GPSampler(seed=seed)
    if name == "tpe":
        return TPESampler(seed=seed, n_startup_trials=STARTS)
    return RandomSampler(seed=seed)


def grid_points(grids: Iterable[dict[str, list[Any]]], seed: int) -> list[dict[str, Any]]:
    """All combinations of each grid, in an order that the seed decides, so that a part of them is an even part."""
    points = [dict(zip(grid, point, strict=True)) for grid in grids for point in itertools.product(*grid.values())]
    random.Random(seed).shuffle(points)
    return points


class Mirror:
    """A copy of the finished trials on disk: `optuna-dashboard optuna.log` shows it while the study runs."""

    def __init__(self, path: Path, name: str, directions: tuple[Direction, ...]) -> None:
        mend(path)
        try:
            self.study = _journal_study(path, name, directions)
        except Exception:  # Optuna replays the lines as they come and raises what then happens
            path.replace(path.with_name(path.name + ".damaged"))  # the trials are copied anew
            self.study = _journal_study(path, name, directions)
        self.study.set_metric_names(["validation H", "cost in N"][: len(directions)])
        self.held = {trial.user_attrs.get("trial") for trial in self.study.get_trials(deepcopy=False)}

    def add(self, trial: FrozenTrial) -> None:
        """Copy a trial that has ended, once."""
        number = trial.user_attrs["trial"]
        if number not in self.held:
            self.study.add_trial(trial)
            self.held.add(number)


def _journal_study(path: Path, name: str, directions: tuple[Direction, ...]) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.create_study(storage=storage, study_name=name, directions=list(directions), load_if_exists=True)


def mend(path: Path) -> None:
    """Undo what a kill leaves of a journal: a lock that all would wait for, and a line that the next would join."""
    path.with_name(path.name + ".lock").unlink(missing_ok=True)  # whoever writes here holds the study's own lock
    text = path.read_bytes() if path.exists() else b""
    if text and not text.endswith(b"\n"):
        os.truncate(path, text.rfind(b"\n") + 1)
