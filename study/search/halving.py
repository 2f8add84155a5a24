"""The rungs of asynchronous halving; no Ray."""

import math


def rung_costs(budget: float, epochs: int) -> tuple[float, ...]:
    """Spent costs at which trials are compared: one epoch's budget, then double, below the cost of a full trial."""
    return tuple(budget * 2**i for i in range(int(math.log2(epochs)) + 1) if 2**i < epochs)
