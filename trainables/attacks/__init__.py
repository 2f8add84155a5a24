"""Adversarial attacks, in training and in evaluation."""

from typing import TYPE_CHECKING

from trainables.lazy import lazy_names

if TYPE_CHECKING:
    from trainables.attacks.in_training import STARTS, ascend, attacked_in_training
    from trainables.attacks.objectives import Objective, divergence_objective, input_gradient, margin_objective
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "in_training": "STARTS ascend attacked_in_training",
            "objectives": "Objective divergence_objective input_gradient margin_objective",
        },
    )
