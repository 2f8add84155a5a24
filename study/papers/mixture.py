"""The tables of the course project on mixing AdvProp, adversarial label smoothing and smooth adversarial training.

Attacks are measured as the paper describes them, on pixels in [0, 1], and as its code does it (`legacy`), which is what
the printed numbers are. The strength of label smoothing is not printed (A48).
"""

import dataclasses
from typing import Any

from study.papers.grid import MIXUP, REFERENCES, VANILLA, Grid, GridRow, attack

RECIPE = {"epochs": 100, "batch_size": 256}
CLEAN_PROTOCOL = attack(
    "FGSM25.5,PGD2-25.5:step=2,start=none,FGSM127.5,PGD2-127.5:step=127.5,start=none"
)  # epsilon 0.1 with a step of 2/255, and epsilon 0.5 with a step of 0.5 (A51)
MEASURES = (CLEAN_PROTOCOL, {"legacy": True})


def adversarial(label: str, epsilon: float, alpha: float, **values: Any) -> GridRow:
    """Clean and attacked images through one set of norms; the attack raises the cross-entropy, in two steps."""
    attacked = {"n": 2, "epsilon": epsilon, "alpha": alpha, "start": "none", "attack_loss": "ce"}
    return GridRow(label, "pat", {**attacked, **values})


def advprop(label: str, epsilon: float, alpha: float, **values: Any) -> GridRow:
    """The same with auxiliary norms for the attacked images."""
    return GridRow(label, "advprop", {"n": 2, "epsilon": epsilon, "alpha": alpha, **values})


WEAK, STRONG = (25.5, 2.0), (127.5, 127.5)  # epsilon and step of the training attack in 1/255

TABLES: dict[str, Grid] = {
    "mixture/1": Grid(
        "all combinations, trained against epsilon 0.1",
        (
            dataclasses.replace(VANILLA, label="Traditional"),
            adversarial("Adversarial", *WEAK),
            advprop("AdvProp", *WEAK),
            GridRow("ALS", "als"),
            adversarial("SAT", *WEAK, sat=True),
            adversarial("ALS + SAT", *WEAK, sat=True, loss="als"),
            advprop("SAT + AdvProp", *WEAK, sat=True),
            advprop("ALS + AdvProp", *WEAK, loss="als"),
            advprop("ALS + SAT + AdvProp", *WEAK, sat=True, loss="als"),
            MIXUP,
        ),
        datasets=("cifar10",),
        seeds=1,
        recipe=RECIPE,
        measures=MEASURES,
    ),
    "mixture/2": Grid(
        "SAT, AdvProp and adversarial training against epsilon 0.5",
        (
            adversarial("SAT", *STRONG, sat=True),
            advprop("AdvProp", *STRONG),
            adversarial("Adversarial", *STRONG),
            *REFERENCES,
        ),
        datasets=("cifar10",),
        seeds=1,
        recipe=RECIPE,
        measures=MEASURES,
    ),
}
