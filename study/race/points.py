"""Settings as the points of a Gaussian process: one axis for each searched name, and one for the method."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from search_spaces import spaces
from study.race.posterior import Points

Values = Mapping[str, Any]


class Axes:
    """The axes on which some settings differ; `points` places settings on them."""

    def __init__(self, names: Iterable[str], rows: Sequence[Values]) -> None:
        """`names` are those that are searched; a setting of a method without one lies in the middle of its axis."""
        self.columns: list[tuple[int, Callable[[Values], float]]] = []
        axis = 0
        for name in ("method", *names):
            several = self._columns_of(name, rows)
            self.columns += [(axis, column) for column in several]
            axis += bool(several)

    def points(self, rows: Sequence[Values]) -> Points:
        """These settings on the axes."""
        values = np.array([[column(row) for _, column in self.columns] for row in rows], dtype=float)
        return Points(values.reshape(len(rows), len(self.columns)), tuple(axis for axis, _ in self.columns))

    def _columns_of(self, name: str, rows: Sequence[Values]) -> list[Callable[[Values], float]]:
        found = {row.get(name) for row in rows}
        if len(found) < 2:
            return []
        if any(isinstance(value, str) for value in found):
            choices = sorted(value for value in found if isinstance(value, str))
            return [_choice(name, choice) for choice in choices]
        return [self._number(name)]

    def _number(self, name: str) -> Callable[[Values], float]:
        return lambda row: part_of_range(name, row)


def part_of_range(name: str, row: Values) -> float:
    """Where a number lies in the range of its method: 0 at its low end, 1 at its high end."""
    value, allowed = row.get(name), spaces.space_for(row["method"]).searchable.get(name)
    if value is None or allowed is None:
        return 0.5
    if isinstance(allowed, spaces.Share):
        return float(value) / allowed.largest
    if isinstance(allowed, spaces.Iterations):
        return float((value - 1) / (allowed.largest - 1))
    assert isinstance(allowed, spaces.Range)
    low, high = allowed.low, allowed.high
    return math.log(value / low) / math.log(high / low) if allowed.log else float((value - low) / (high - low))


def _choice(name: str, choice: str) -> Callable[[Values], float]:
    """A column of its own for each choice: two different ones lie 1 apart."""
    return lambda row: math.sqrt(0.5) * (row.get(name) == choice)
