"""The cheapest setting of a space, found by answering every question with the lowest value."""

from collections.abc import Mapping
from typing import Any

from search_spaces import spaces


def cheapest(method: str, searched: Any, fixed: Any) -> spaces.Values:
    """The cheapest values that a search over `searched` can propose for a method, with `fixed` held."""
    values = spaces.propose(Given({}), (method,), 1e9, searched, fixed)
    return {name: value for name, value in values.items() if name not in ("method", "lr")}


class Given:
    """A trial that answers with given parameters, else with the lowest value or the first choice."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return self.parameters.get(name, low)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return self.parameters.get(name, low)

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self.parameters.get(name, choices[0])
