"""What is tuned and over which range: one row of `SPACES` for each method, and functions of a trial that draw from it.

`python -m search_spaces` prints the ranges. `values_of` draws the searched values, takes the others from `fixed` and
leaves the rest to the method's defaults. No proposal costs more than the budget B, in N per epoch: the share k is drawn
as a fraction of the largest share that B pays for. Nothing is rejected or clipped, every n is equally likely, and k is
uniform over its feasible range for each n. The drawn ranges never change, as samplers that model the space require.

Epsilon and alpha are in 1/255. Where epsilon is searched and alpha is neither searched nor fixed, the step size follows
epsilon: alpha = max(1, epsilon / (n + 1)). With a step of 1, no perturbation could use an epsilon above n; this rule
makes a larger epsilon a stronger attack, and keeps the EntProp paper's step of 1 for its settings (epsilon = n + 1, or
1 for n = 1). Adversarial training (pat, trades) doubles the step, which gives 2 for the usual epsilon 8 and n 7.

The learning rate can be searched for every method. It is drawn as a multiple of the study's own rate.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol


class Trial(Protocol):
    """The methods of an Optuna trial that a space calls."""

    def suggest_int(self, name: str, low: int, high: int) -> int: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...
    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


Values = dict[str, Any]  # values of a method's fields


class Share(NamedTuple):
    """A part of a batch that is attacked, from 0 to `largest`, or to less where the budget pays for less."""

    largest: float = 1.0


class Iterations(NamedTuple):
    """Attack iterations, from 1 to `largest`, or to fewer where the budget pays for fewer."""

    largest: int = 5


class Range(NamedTuple):
    """A number from `low` to `high`; `grid` holds the values of a grid search, five evenly spaced ones if empty."""

    low: float
    high: float
    log: bool = False
    grid: tuple[float, ...] = ()


Choices = tuple[str, ...]


@dataclass(frozen=True)
class Space:
    """What can be searched of one method, and the settings that its paper reports."""

    searchable: Mapping[str, Share | Iterations | Range | Choices] = field(default_factory=dict)  # in the order drawn
    searched: Choices = ()  # by default
    published: tuple[Values, ...] = ({},)  # from the cheapest to the most expensive
    attack: Literal["share", "batch"] | None = None  # attacks k or p_adv of each batch, at n each, or all of it
    base_cost: float = 1.0  # without the attack, in N per epoch
    default_n: int = 1  # the method's own
    step_factor: int = 1  # alpha = max(1, step_factor · epsilon / (n + 1))

    @property
    def share(self) -> str | None:
        """The name of the share that is attacked; None for a method that attacks no share."""
        return next((name for name, allowed in self.searchable.items() if isinstance(allowed, Share)), None)

    @property
    def largest_share(self) -> float:
        """The largest part of a batch that the method can attack."""
        return next((allowed.largest for allowed in self.searchable.values() if isinstance(allowed, Share)), 1.0)

    @property
    def numbers(self) -> dict[str, Range]:
        """The ranges of the searchable numbers other than the share and n."""
        return {name: allowed for name, allowed in self.searchable.items() if isinstance(allowed, Range)}

    @property
    def choices(self) -> dict[str, Choices]:
        """The choices of the searchable names that are not numbers."""
        numeric = (Share, Iterations, Range)
        return {name: allowed for name, allowed in self.searchable.items() if not isinstance(allowed, numeric)}


METRICS = ("entropy", "cross_entropy", "confidence", "margin")
WEIGHTS = ("instance", "pass_mean", "sum")
AUX_TARGETS = ("mixed", "original")
EPSILON = Range(1.0, 8.0, log=True, grid=(1.0, 2.0, 4.0, 8.0))
ADVERSARIAL_EPSILON = Range(1.0, 16.0, log=True, grid=(1.0, 2.0, 4.0, 8.0))
ADVERSARIAL_N = Iterations(10)  # the papers take 7 and 10
ALPHA = Range(0.5, 4.0, log=True, grid=(0.5, 1.0, 2.0, 4.0))
BETA = Range(0.1, 2.0, log=True, grid=(0.2, 0.5, 1.0, 2.0))
ENTROPY_WEIGHT = Range(0.1, 5.0, log=True)
ALS_SHARE = Range(0.01, 0.3, log=True)
RATE = Range(0.25, 4.0, log=True)  # the learning rate, as a multiple of the study's

MIXING = Space(searchable={"beta": BETA}, published=({"beta": 1.0},))
BOTTLENECK = Space(
    searchable={"rho": Range(-1.0, 6.0)}, searched=("rho",), published=({"rho": 5.0}, {"rho": 2.0}, {"rho": 0.0})
)
_OWN: dict[str, Space] = {
    "vanilla": Space(),
    "deterministic": Space(),
    "mixup": MIXING,
    "cutmix": MIXING,
    "mixprop": replace(MIXING, base_cost=2.0),
    "fast_advprop": Space(
        # at most 0.9, as the main norms need images too
        searchable={
            "p_adv": Share(0.9), "n": Iterations(), "epsilon": EPSILON, "alpha": ALPHA, "beta": BETA, "metric": METRICS
        },
        searched=("p_adv", "n", "epsilon"),
        published=({"p_adv": 0.2, "n": 1, "epsilon": 1.0, "alpha": 1.0, "metric": "entropy"},),
        attack="share",
    ),
    "advprop": Space(
        searchable={"n": Iterations(), "epsilon": EPSILON, "alpha": ALPHA, "als_share": ALS_SHARE},
        searched=("n", "epsilon"),
        published=({"n": 5, "epsilon": 4.0, "alpha": 1.0},),
        attack="batch",
        base_cost=2.0,
        default_n=5,
    ),
    "entprop": Space(
        searchable={
            "k": Share(), "n": Iterations(), "epsilon": EPSILON, "metric": METRICS,
            "alpha": ALPHA, "beta": BETA, "weights": WEIGHTS, "aux_target": AUX_TARGETS,
        },
        searched=("k", "n", "epsilon", "metric"),
        published=tuple(
            {"k": k, "n": n, "epsilon": epsilon, "metric": "entropy", "alpha": 1.0, "beta": 1.0}
            for k, n, epsilon in ((0.2, 1, 1.0), (0.6, 1, 1.0), (0.2, 5, 6.0), (0.6, 5, 6.0))
        ),
        attack="share",
    ),
    "entm": Space(
        searchable={"entropy_weight": ENTROPY_WEIGHT},
        searched=("entropy_weight",),
        published=({"entropy_weight": 2.0},),
    ),
    "label_smoothing": Space(
        searchable={"smoothing": Range(0.05, 0.95)}, searched=("smoothing",), published=({"smoothing": 0.74},)
    ),
    "als": Space(searchable={"als_share": ALS_SHARE}, searched=("als_share",), published=({"als_share": 0.05},)),
    "pat": Space(
        searchable={
            "n": ADVERSARIAL_N, "epsilon": ADVERSARIAL_EPSILON, "alpha": ALPHA, "clean_weight": Range(0.0, 0.9),
            "loss": ("ce", "entm", "ls"), "entropy_weight": ENTROPY_WEIGHT,
        },
        searched=("n", "epsilon"),
        published=({"n": 7, "epsilon": 8.0, "alpha": 2.0},),
        attack="batch",
        base_cost=2.0,
        default_n=7,
        step_factor=2,
    ),
    "trades": Space(
        searchable={
            "n": ADVERSARIAL_N, "epsilon": ADVERSARIAL_EPSILON, "beta": Range(0.5, 10.0, log=True), "alpha": ALPHA,
            "loss": ("ce", "entm"), "entropy_weight": ENTROPY_WEIGHT,
        },
        searched=("n", "epsilon", "beta"),
        published=({"n": 7, "epsilon": 8.0, "alpha": 2.0, "beta": 3.0},),
        attack="batch",
        base_cost=2.0,
        default_n=7,
        step_factor=2,
    ),
    "adp": Space(
        searchable={"entropy_weight": ENTROPY_WEIGHT, "diversity_weight": Range(0.05, 2.0, log=True)},
        published=({"entropy_weight": 2.0, "diversity_weight": 0.5},),
        base_cost=3.0,
    ),
    "ceb": BOTTLENECK,
    "vib": BOTTLENECK,
    "gpaco": Space(
        searchable={
            "k": Share(), "n": Iterations(), "epsilon": EPSILON, "alpha": ALPHA, "metric": METRICS,
            "contrast_weight": Range(0.01, 0.2, log=True),
        },
        searched=("k", "n", "epsilon"),
        published=({"k": 0.5, "n": 5, "epsilon": 6.0, "alpha": 1.0},),
        attack="share",
    ),
}  # fmt: skip


SPACES = {name: replace(space, searchable={**space.searchable, "lr": RATE}) for name, space in _OWN.items()}


def space_for(method: str) -> Space:
    """The method's row of SPACES; of a method without one only the learning rate can be searched."""
    return SPACES.get(method) or Space(searchable={"lr": RATE})


def propose(
    trial: Trial, methods: Choices, budget: float, searched: Mapping[str, Collection[str]], fixed: Mapping[str, Values]
) -> Values:
    """The method that a trial proposes, and the values of its fields; `searched` and `fixed` are keyed by method."""
    fitting = tuple(method for method in methods if cheapest_cost(method) <= budget + 1e-9)
    method = fitting[0] if len(fitting) == 1 else trial.suggest_categorical("method", fitting)
    return {"method": method, **values_of(method, trial, budget, searched[method], fixed[method])}


def values_of(method: str, trial: Trial, budget: float, searched: Collection[str], fixed: Values) -> Values:
    """Values of the method's fields. n is drawn first, as the share and the step size depend on it."""
    space, values = space_for(method), dict(fixed)
    if "n" in searched:
        values["n"] = trial.suggest_int(f"{method}/n", 1, largest_n(method, budget, searched, values))
    if (name := space.share) and name in searched:
        part = trial.suggest_float(f"{method}/{name}_frac", 0.0, 1.0)
        values[name] = share(budget, passes(values), part, space.largest_share)
    values |= _numbers(trial, method, {"epsilon", "alpha"} & set(searched))
    if "epsilon" in searched and "alpha" not in values:
        steps = values.get("n", space.default_n) + 1
        values["alpha"] = max(1.0, round(values["epsilon"] * space.step_factor / steps, 6))
    chosen = {
        name: trial.suggest_categorical(f"{method}/{name}", allowed)
        for name, allowed in space.choices.items()
        if name in searched
    }
    return {**values, **_numbers(trial, method, set(searched) - {"epsilon", "alpha"}), **chosen}


def parameters_of(
    method: str, values: Values, methods: Choices, budget: float, searched: Mapping[str, Collection[str]]
) -> Values | None:
    """The parameters for which `propose` returns these values; None where the budget does not allow them.

    Searched names without a value are left to the sampler.
    """
    space, names = space_for(method), searched[method]
    if "n" in names and values.get("n", 1) > largest_n(method, budget, names, values):
        return None
    found: Values = {} if len(methods) == 1 else {"method": method}
    for name in names:
        if name not in values:
            continue
        if name == space.share:
            most = largest_share(budget, passes(values), space.largest_share)
            if values[name] > most + 1e-9:
                return None
            found[f"{method}/{name}_frac"] = min(1.0, values[name] / most) if most > 0 else 0.0
        else:
            found[f"{method}/{name}"] = values[name]
    return found


def cheapest_cost(method: str) -> float:
    """The lowest cost of the method, in N per epoch: a share of 0, or one attack iteration."""
    space = space_for(method)
    return space.base_cost + (space.attack == "batch")


def passes(values: Values) -> int:
    """The passes of an image that is attacked, beyond its first: a share k of a batch adds k times this to 1N."""
    n: int = values.get("n", 1)
    if values.get("attack") == "none":
        return 1
    return n if values.get("free_first_step", True) else n + 1


def largest_share(budget: float, passes: int, most: float = 1.0) -> float:
    """The largest share that the budget pays for."""
    return min(most, (budget - 1) / passes)


def share(budget: float, passes: int, part: float, most: float = 1.0) -> float:
    """A part of the largest share, to six places, never above what the budget pays for in floating point."""
    chosen = round(part * largest_share(budget, passes, most), 6)
    while 1 + chosen * passes > budget:
        chosen = round(chosen - 1e-6, 6)
    return chosen


def largest_n(method: str, budget: float, searched: Collection[str], values: Values) -> int:
    """The most attack iterations that the budget pays for; a searched share shrinks instead and limits none."""
    space = space_for(method)
    allowed = space.searchable.get("n")
    most = allowed.largest if isinstance(allowed, Iterations) else 1
    if space.share in searched:
        return most
    if space.attack == "batch":
        affordable = budget - space.base_cost
    else:
        part: float = values["k"] if "k" in values else values.get("p_adv", 0.2)
        paid_first_step = passes({**values, "n": 1}) - 1
        affordable = (budget - 1) / part - paid_first_step if part > 0 else most
    return max(1, min(most, int(affordable + 1e-9)))


def grid_of(method: str, searched: Collection[str], budget: float, fixed: Values) -> dict[str, list[Any]]:
    """The values of each parameter in a grid search, at most five of a share, a number or a choice."""
    found: dict[str, list[Any]] = {}
    for name, allowed in space_for(method).searchable.items():
        if name not in searched:
            continue
        if isinstance(allowed, Share):
            found[f"{method}/{name}_frac"] = [0.2, 0.4, 0.6, 0.8, 1.0]
        elif isinstance(allowed, Iterations):
            found[f"{method}/{name}"] = list(range(1, largest_n(method, budget, searched, fixed) + 1))
        else:
            found[f"{method}/{name}"] = _spread(allowed) if isinstance(allowed, Range) else list(allowed)
    return found


def _numbers(trial: Trial, method: str, wanted: Collection[str]) -> Values:
    return {
        name: round(trial.suggest_float(f"{method}/{name}", allowed.low, allowed.high, log=allowed.log), 6)
        for name, allowed in space_for(method).numbers.items()
        if name in wanted
    }


def _spread(allowed: Range) -> list[float]:
    """The range's own grid, or its ends and the quarters between them."""
    low, high, log, grid = allowed
    parts = (0.0, 0.25, 0.5, 0.75, 1.0)
    return list(grid) or [round(low * (high / low) ** part if log else low + part * (high - low), 6) for part in parts]
