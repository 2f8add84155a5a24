"""The baselines of every comparison, and the learning rates at which they are trained as controls."""

import dataclasses
from collections.abc import Iterator

from trainables.config import TrialConfig

BASELINES = {"vanilla": "vanilla", "mixup": "mixup alone"}  # method and what sentences call it
RATES = {"lr × 1/2": 0.5, "lr × 2": 2.0}


def at_other_rates(config: TrialConfig) -> Iterator[tuple[str, TrialConfig]]:
    """The same training at half and at twice the learning rate, each with its label."""
    for label, factor in RATES.items():
        yield label, dataclasses.replace(config, lr=float(f"{config.lr * factor:.3g}"))
