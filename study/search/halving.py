"""Asynchronous halving by spent cost: the rule alone, without Ray."""

import math
from collections.abc import Iterable
from statistics import median

Measured = tuple[str, float, float]  # trial, spent N-epochs, validation H


def rung_costs(budget: float, epochs: int) -> tuple[float, ...]:
    """Spent costs at which trials are compared: one epoch's budget, then double, below the cost of a full trial."""
    return tuple(budget * 2**i for i in range(int(math.log2(epochs)) + 1) if 2**i < epochs)


class Halving:
    """At each rung, a trial continues if its H is not below the median of those that reached the rung before it.

    A rung lies at least one epoch's budget above the one before, so every trial is measured at every rung.
    """

    def __init__(self, rungs: Iterable[float], earlier: Iterable[Measured] = ()) -> None:
        self.reached: dict[float, dict[str, float]] = {rung: {} for rung in sorted(rungs, reverse=True)}
        for measured in earlier:
            self.compare(*measured)

    def rung(self, spent: float) -> float:
        """The highest rung that this cost reaches; 0 below the first."""
        return next((rung for rung in self.reached if rung <= spent), 0.0)

    def compare(self, trial: str, spent: float, h: float) -> bool:
        """Whether the trial continues; it is compared once at each rung."""
        others = self.reached.get(self.rung(spent), {trial: h})
        if trial in others:
            return True
        better = not others or h >= median(others.values())
        others[trial] = h
        return better
