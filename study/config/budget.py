"""What a trial may cost, in N: one N is an epoch of vanilla training, one forward and backward pass per sample."""

import math
import re
from dataclasses import dataclass

TOLERANCE = 1e-9  # of a comparison with a budget: 1 + 0.2 · 1 is a little more than 1.2 in binary fractions
LARGEST_N = 5  # attack iterations that are searched, as in the EntProp paper


@dataclass(frozen=True)
class Budget:
    """The most that a trial may cost per epoch, in N."""

    per_epoch: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.per_epoch) or self.per_epoch < 1:
            raise ValueError(_must_be(self.per_epoch))

    def allows(self, cost: float) -> bool:
        """Whether an epoch of this cost is within the budget."""
        return cost <= self.per_epoch + TOLERANCE

    def largest_k(self, n: int, extra: int = 0) -> float:
        """The largest share k with 1 + k·(n + extra) within the budget; `extra` passes are those not had for free."""
        return min(1.0, (self.per_epoch - 1) / (n + extra))

    def reachable_n(self, largest: int = LARGEST_N) -> tuple[int, ...]:
        """The attack iterations that some k above 0 can pay for."""
        return tuple(n for n in range(1, largest + 1) if self.largest_k(n) > TOLERANCE)

    @property
    def unconstrained(self) -> bool:
        """Whether even k = 1 with the most iterations fits."""
        return self.allows(1 + LARGEST_N)


def parse_budget(text: str | float) -> Budget:
    """The budget of a text like 4N, 1.2N or 2."""
    number = _number(text)
    if number is None:
        raise ValueError(_must_be(text))
    try:
        return Budget(number)
    except ValueError:
        raise ValueError(_must_be(text)) from None


def format_cost(cost: float) -> str:
    """A cost as people write it: 4N, 1.2N."""
    return f"{cost:.6g}N" if cost < 1e6 else f"{cost:,.0f}N"


def format_budget(budget: Budget) -> str:
    """The text that `parse_budget` reads back."""
    return f"{budget.per_epoch!r}N".replace(".0N", "N")


def parse_total(text: str | float) -> float:
    """The N-epochs that a whole study may spend, of a text like 500N."""
    number = _number(text)
    if number is None or not math.isfinite(number) or number <= 0:
        raise ValueError(f"total_budget must be a number above 0 followed by N, as in 500N, got {str(text)!r}")
    return number


def _number(text: str | float) -> float | None:
    """The number before an optional N; no sign, exponent, infinity or thousands separator is taken for one."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text)
    match = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)N?", str(text).strip())
    return float(match.group(1)) if match else None


def _must_be(got: object) -> str:
    return f"budget must be a number of at least 1 followed by N, as in 4N or 1.2N, got {str(got)!r}"
