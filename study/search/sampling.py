"""Proposals of Optuna's samplers over a space. Only this module imports Optuna.

The Optuna study that a sampler learns from is held in memory and rebuilt from the result files on resume; the file for
optuna-dashboard is a copy of its ended trials. Each proposal has a sampler of its own, seeded by the study's seed and
the proposal's number: it depends on nothing but the results so far, so a resumed study proposes what the uninterrupted
one would have proposed.
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

LEARNT_FROM = 200  # trials: a proposal's time grows with their third power for a Gaussian process, linearly for TPE
STARTS = 5  # trials before TPE learns from them; most studies are too short to wait for Optuna's ten

optuna.logging.set_verbosity(optuna.logging.ERROR)  # it recommends packages, on stderr
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


class Proposals:
    """Numbered proposals: each number is asked for once, and its result is told once."""

    def __init__(
        self, space: Space, sampler: str, seed: int, directions: tuple[Direction, ...] = ("maximize",)
    ) -> None:
        self.space, self.sampler, self.seed, self.directions = space, sampler, seed, directions
        self.study = optuna.create_study(directions=list(directions), sampler=RandomSampler(seed))
        self.asked: dict[int, optuna.Trial] = {}
        self.ranked: list[tuple[float, int]] = []  # finished trials of a single objective, the best first

    def ask(self, number: int, parameters: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The values of a proposal and its parameters in Optuna; given parameters are kept, the others are drawn."""
        return self._begin(number, self._draw(number, parameters, self.sampler))

    def ask_again(self, number: int, parameters: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The same for an earlier proposal, whose parameters are all given."""
        return self._begin(number, self._draw(number, parameters, "random"))

    def _begin(self, number: int, drawn: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        self.study.enqueue_trial(drawn)
        trial = self.asked[number] = self.study.ask()
        values = self.space(trial)
        for name, value in {"trial": number, **values}.items():
            trial.set_user_attr(name, value)
        return values, dict(trial.params)

    def _draw(self, number: int, parameters: dict[str, Any] | None, sampler: str) -> dict[str, Any]:
        """The parameters of a draw, after rounding.

        The space rounds values for the files, and on resume the sampler learns from the files. Therefore the draw is
        made in a copy of the study, and the rounded values are enqueued in the study itself.
        """
        seeded = make_sampler(sampler, (self.seed + 7919 * (number + 1)) % 2**32)
        twin = optuna.create_study(directions=list(self.directions), sampler=seeded)
        twin.add_trials(map(_shared, self.learnt_from(LEARNT_FROM if sampler in ("gp", "tpe") else 0)))
        if parameters is not None:
            twin.enqueue_trial(parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of given values outside the space: `replay` sees them
            trial = twin.ask()
            values = self.space(trial)
        return self.space.parameters(values) or trial.params

    def learnt_from(self, limit: int) -> list[FrozenTrial]:
        """The trials that a sampler learns from: all, or the best and the latest of very many."""
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
        """An intermediate value; of two for the same step the first counts."""
        trial = self.asked.get(number)
        if trial is not None and len(self.directions) == 1:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                trial.report(value, step)

    def tell(self, number: int, status: str, values: Iterable[float] | None) -> FrozenTrial:
        """Record how a proposal ended: finished with its values, stopped early or failed; returns Optuna's trial."""
        state = STATES[status]
        # Of a stopped trial the last report counts, of a failed one nothing.
        final = list(values) if values is not None and state is TrialState.COMPLETE else None
        trial = self.study.tell(self.asked.pop(number), final, state=state)
        if final and len(self.directions) == 1:
            bisect.insort(self.ranked, (-final[0], trial.number))
        return trial

    def replay(
        self, number: int, parameters: dict[str, Any], status: str, values: Any, reports: dict[int, float]
    ) -> FrozenTrial | None:
        """Take in an earlier result; None if its parameters are outside this study's space."""
        _, drawn = self.ask_again(number, parameters)
        if any(drawn.get(name) != value for name, value in parameters.items()):
            self.tell(number, "failed", None)
            return None
        for step, value in sorted(reports.items()):
            self.report(number, step, value)
        return self.tell(number, status, values)


class _Shared(FrozenTrial):
    """A trial that `add_trials` does not copy deeply, which would take longer than the draw itself."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Shared":
        return copy.copy(self)  # a study changes only the number of an added trial


def _shared(trial: FrozenTrial) -> _Shared:
    shared = _Shared.__new__(_Shared)
    shared.__dict__.update(trial.__dict__)
    return shared


def make_sampler(name: str, seed: int) -> BaseSampler:
    """Optuna's sampler of that name; random also for a grid, whose points are all given."""
    if name == "gp":
        return GPSampler(seed=seed)
    if name == "tpe":
        return TPESampler(seed=seed, n_startup_trials=STARTS)
    return RandomSampler(seed=seed)


def grid_points(grids: Iterable[dict[str, list[Any]]], seed: int) -> list[dict[str, Any]]:
    """All combinations of each grid, shuffled by the seed, so that any first part of them is an even sample."""
    points = [dict(zip(grid, point, strict=True)) for grid in grids for point in itertools.product(*grid.values())]
    random.Random(seed).shuffle(points)
    return points


class Mirror:
    """A copy of the ended trials on disk: `optuna-dashboard optuna.log` shows it while the study runs."""

    def __init__(self, path: Path, name: str, directions: tuple[Direction, ...]) -> None:
        mend(path)
        try:
            self.study = _journal_study(path, name, directions)
        except Exception:  # Optuna replays a damaged line without checking it, and anything may be raised
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


def note(path: Path, name: str, directions: tuple[Direction, ...], ranked: list[dict[str, Any]]) -> None:
    """Write the order of the settings into the copy on disk, unless it is there."""
    study = _journal_study(path, name, directions)
    if study.user_attrs.get("race") != ranked:
        study.set_user_attr("race", ranked)


def _journal_study(path: Path, name: str, directions: tuple[Direction, ...]) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.create_study(storage=storage, study_name=name, directions=list(directions), load_if_exists=True)


def mend(path: Path) -> None:
    """Mend a journal after a kill: a stale lock blocks every writer, and the next line would join a torn one."""
    path.with_name(path.name + ".lock").unlink(missing_ok=True)  # the only writer holds the study's own lock
    text = path.read_bytes() if path.exists() else b""
    if text and not text.endswith(b"\n"):
        os.truncate(path, text.rfind(b"\n") + 1)
