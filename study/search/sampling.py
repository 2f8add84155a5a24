"""Proposals of Optuna's samplers over a space. Only this folder imports Optuna.

The Optuna study that a sampler learns from is held in memory and rebuilt from the result files on resume; the file for
optuna-dashboard is a copy of its ended trials. Each proposal has a sampler of its own, seeded by the study's seed and
the proposal's number: it depends on nothing but the results so far, so a resumed study proposes what the uninterrupted
one would have proposed.
"""

import bisect
import itertools
import random
import warnings
from collections.abc import Iterable
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from study.config.space import Space

Direction = Literal["maximize", "minimize"]
STATES = {"finished": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "failed": TrialState.FAIL}

GP_LEARNS_FROM = 200  # trials: the time of its proposal grows with their third power; TPE learns from all
STARTS = 10  # trials before TPE learns from them
DRAWS = 5  # by the sampler, of one proposal; further ones are random

optuna.logging.set_verbosity(optuna.logging.ERROR)  # it recommends packages, on stderr
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


class Proposals:
    """Numbered proposals: each number is asked for once, and its result is told once."""

    def __init__(
        self, space: Space, sampler: str | BaseSampler, seed: int, directions: tuple[Direction, ...] = ("maximize",)
    ) -> None:
        self.space, self.seed, self.directions = space, seed, directions
        self.own = sampler if isinstance(sampler, BaseSampler) else None
        self.sampler = sampler if isinstance(sampler, str) else "random"
        self.own_trial: tuple[optuna.Trial, dict[str, Any]] | None = None  # that it drew last, with the parameters
        self.study = self._empty()
        if self.own:
            self.study.tell(0, state=TrialState.FAIL)  # a sampler might wait for a trial that runs
            self.study.sampler = self.own
        self.places: dict[int, int] = {}  # in the study, of each proposal; the blank trial is at 0
        self.asked: dict[int, optuna.Trial] = {}
        self.ranked: list[tuple[float, int]] = []  # finished trials of a single objective, the best first
        self.common: dict[str, BaseDistribution] | None = None  # the parameters that all ended trials have

    def _empty(self) -> optuna.Study:
        """A study of one blank trial, for which samplers draw: they write to the trial that they draw for."""
        study = optuna.create_study(directions=list(self.directions), sampler=RandomSampler(self.seed))
        study.ask()
        return study

    def draw(self, number: int, parameters: dict[str, Any] | None = None, again: int = 0) -> dict[str, Any]:
        """The parameters of a proposal: given ones are kept, the others are drawn; `again` numbers further draws."""
        if self.own and again < DRAWS:
            return self._drawn_by_own(parameters)
        return self._drawn(number, parameters, self.sampler if again < DRAWS else "random", again).rounded(self.space)

    def _drawn_by_own(self, parameters: dict[str, Any] | None) -> dict[str, Any]:
        """A draw of the user's sampler for a trial of its own, where it may keep what it needs to know later."""
        self._drop_own()
        if parameters:
            self.study.enqueue_trial(parameters)
        trial = self.study.ask()
        drawn = self.space.parameters(self.space(trial)) or trial.params
        self.own_trial = trial, drawn
        return drawn

    def _drop_own(self) -> None:
        """Of a draw that was not used, nothing is learnt."""
        if self.own_trial:
            self.study.tell(self.own_trial[0], state=TrialState.FAIL)
        self.own_trial = None

    def _drawn(self, number: int, parameters: dict[str, Any] | None, sampler: str, again: int = 0) -> "Draw":
        """One pass through the space, with a sampler of its own."""
        seeded = make_sampler(sampler, (self.seed + 7919 * (number + 1) + 1_000_003 * again) % 2**32)
        study = self._few() if sampler == "gp" else self.study
        drawn = Draw(study, seeded, parameters or {}, self._drawn_together(study, seeded))
        drawn.values = self.space(drawn)
        return drawn

    def _drawn_together(self, study: optuna.Study, sampler: BaseSampler) -> dict[str, BaseDistribution]:
        """The parameters that the sampler draws from a joint distribution.

        For TPE these are kept up to date here: finding them in all trials takes it longer than the draw.
        """
        if not isinstance(sampler, TPESampler):
            return sampler.infer_relative_search_space(study, study.get_trials(deepcopy=False)[0])
        return (self.common or {}) if len(self.directions) == 1 else {}

    def _few(self) -> optuna.Study:
        """A study of as many trials as the Gaussian process can learn from."""
        few = self._empty()
        few.add_trials(self.learnt_from(GP_LEARNS_FROM))
        return few

    def begin(self, number: int, parameters: dict[str, Any]) -> dict[str, Any]:
        """Record that a proposal is being tried; returns its values."""
        if self.own_trial and self.own_trial[1] is parameters:
            trial, self.own_trial = self.own_trial[0], None
        else:
            self._drop_own()
            self.study.enqueue_trial(parameters)
            trial = self.study.ask()
        self.asked[number] = trial
        self.places[number] = trial.number
        values = self.space(trial)
        for name, value in {"trial": number, **values}.items():
            trial.set_user_attr(name, value)
        return values

    def ask(self, number: int, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Draw a new proposal and begin it; returns its values."""
        return self.begin(number, self.draw(number, parameters))

    def ask_again(self, number: int, parameters: dict[str, Any]) -> dict[str, Any]:
        """The values of an earlier proposal, whose parameters are all given."""
        return self.begin(number, self._drawn(number, parameters, "random").rounded(self.space))

    def learnt_from(self, limit: int) -> list[FrozenTrial]:
        """All trials, or the best and the latest of very many."""
        trials = self.study.get_trials(deepcopy=False)
        if len(trials) <= limit + 1:
            return trials[1:]
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

    def tell(self, number: int, status: str, values: Iterable[float] | None) -> None:
        """Record how a proposal ended: finished with its values, stopped early or failed."""
        state = STATES[status]
        # Of a stopped trial the last report counts, of a failed one nothing.
        final = list(values) if values is not None and state is TrialState.COMPLETE else None
        trial = self.study.tell(self.asked.pop(number), final, state=state)
        self._note(trial, trial.number)

    def trial(self, number: int) -> FrozenTrial | None:
        """What Optuna knows of a proposal; None for one that was outside the space."""
        place = self.places.get(number)
        return None if place is None else self.study.get_trials(deepcopy=False)[place]

    def _note(self, trial: FrozenTrial, index: int) -> None:
        """Bring up to date what is known of all trials that ended with a value."""
        if trial.state is TrialState.FAIL:
            return
        if trial.state is TrialState.COMPLETE and len(self.directions) == 1:
            bisect.insort(self.ranked, (-trial.values[0], index))
        common = {name: kind for name, kind in trial.distributions.items() if not kind.single()}
        if self.common is not None and self.common != common:
            common = {name: kind for name, kind in self.common.items() if common.get(name) == kind}
        self.common = dict(sorted(common.items()))

    def replay(
        self, number: int, parameters: dict[str, Any], status: str, values: Any, reports: dict[int, float]
    ) -> None:
        """Take in an earlier result, unless its parameters are outside this study's space."""
        drawn = self._drawn(number, parameters, "random")
        if not drawn.allows(parameters):
            return
        state, single = STATES[status], len(self.directions) == 1
        last = [reports[max(reports)]] if reports and single and state is TrialState.PRUNED else None
        final = list(values) if values is not None and state is TrialState.COMPLETE else last
        trial = create_trial(
            state=state,
            values=final,
            params=drawn.params,
            distributions=drawn.distributions,
            user_attrs={"trial": number, **drawn.values},
            intermediate_values=reports if single else {},
        )
        self.study.add_trial(trial)
        self.places[number] = len(self.places) + 1
        self._note(trial, self.places[number])


class Draw:
    """A trial that a space is asked with: given parameters are kept, the others are drawn from a sampler."""

    def __init__(
        self,
        study: optuna.Study,
        sampler: BaseSampler,
        given: dict[str, Any],
        together: dict[str, BaseDistribution],
    ) -> None:
        self.study, self.sampler, self.given = study, sampler, given
        self.trial = study.get_trials(deepcopy=False)[0]
        self.together = sampler.sample_relative(study, self.trial, together)
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}
        self.values: dict[str, Any] = {}

    def rounded(self, space: Space) -> dict[str, Any]:
        """The parameters of the values in the files, which are rounded: on resume the sampler learns from these."""
        return space.parameters(self.values) or self.params

    def allows(self, parameters: dict[str, Any]) -> bool:
        """Whether the space asked for all of these parameters and allows each of them."""
        return set(parameters) <= set(self.params) and all(
            _holds(kind, self.params[name]) for name, kind in self.distributions.items()
        )

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return self._value(name, IntDistribution(low, high))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return self._value(name, FloatDistribution(low, high, log=log))

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self._value(name, CategoricalDistribution(choices))

    def _value(self, name: str, kind: Any) -> Any:
        self.distributions[name] = kind
        if name in self.given:
            value = self.given[name]
        elif name in self.together:
            value = self.together[name]
        elif kind.single():
            value = kind.choices[0] if isinstance(kind, CategoricalDistribution) else kind.low
        else:
            value = self.sampler.sample_independent(self.study, self.trial, name, kind)
        self.params[name] = value
        return value


def _holds(kind: Any, value: Any) -> bool:
    """Whether a distribution has this value."""
    return value in kind.choices if isinstance(kind, CategoricalDistribution) else kind.low <= value <= kind.high


def check_sampler(sampler: Any) -> None:
    """ValueError unless it is a sampler of Optuna."""
    if not isinstance(sampler, BaseSampler):
        raise ValueError(f"sampler must be a name or an Optuna sampler, got {type(sampler).__name__}")


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
