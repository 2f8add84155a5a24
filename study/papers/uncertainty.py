"""The tables of Rethinking Uncertainty in Deep Learning (2021): EntM and LS, with and without adversarial training.

Every network is attacked five times over, and an image counts as lost if one attack succeeds. Black-box attacks are
made against another network: a Normal one, and a PAT one for what was trained adversarially. Table 5, the settings of
training, is worked out of these rows (computed.py).
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

from study.papers.grid import MIXUP, VANILLA, Grid, GridRow, Measure, attack

# The ResNet-18 and the wide one: 200 epochs, with adversarial training 120.
WITHOUT = {"epochs": 200, "batch_size": 64, "weight_decay": 1e-4, "schedule": "milestones", "milestones": (100, 150)}
WITH = {**WITHOUT, "epochs": 120, "milestones": (60, 84, 100)}
ADVERSARIAL = ("pat", "trades")

NORMAL = dataclasses.replace(VANILLA, label="Normal")
ENTM = GridRow("EntM", "entm")
LS = GridRow("LS", "label_smoothing")
ADP = GridRow("ADP", "adp")
PAT = GridRow("PAT", "pat")
PAT_ENTM = GridRow("PAT-EntM", "pat", {"loss": "entm"})
PAT_LS = GridRow("PAT-LS", "pat", {"loss": "ls"})
TRADES = GridRow("TRADES", "trades")
TRADES_ENTM = GridRow("TRADES-EntM", "trades", {"loss": "entm"})
ADDED = (dataclasses.replace(NORMAL, added=True), MIXUP)  # to tables without a Normal row

EIGHT = (NORMAL, ENTM, LS, ADP, PAT, TRADES, PAT_ENTM, PAT_LS)  # in the order of tables 1 to 3
EIGHT_IN_FULL = (NORMAL, ENTM, ADP, LS, PAT, PAT_ENTM, PAT_LS, TRADES)  # in that of tables 6 to 8
FOUR = (PAT, TRADES, PAT_ENTM, TRADES_ENTM)


def pgd(steps: Iterable[int], radii: Iterable[int], family: str = "PGD") -> str:
    """The names of PGD attacks, step counts first: PGD10-4,PGD10-8."""
    return ",".join(f"{family}{count}-{radius}" for count in steps for radius in radii)


RADII = (4, 8, 16)
SHORT = attack(f"FGSM4,{pgd((10, 40), RADII)}")
IN_FULL = attack(f"FGSM4,{pgd((10, 20, 40), RADII)}")
ON_LOGITS = attack(pgd((40,), RADII, "CW"))
BLACK_BOX, BLACK_BOX_IN_FULL = pgd((10,), (4, 8)), pgd((10, 20), (4, 8))


def trained(rows: Iterable[GridRow], black_box: str = "", cw: bool = False) -> tuple[GridRow, ...]:
    """The rows with the paper's recipe for each, and with attacks that not all of them are measured by."""
    rows = tuple(rows)
    labels = {row.label for row in rows if not row.added}
    return tuple(
        dataclasses.replace(
            row, recipe=WITH if row.method in ADVERSARIAL else WITHOUT, measures=_own(row, labels, black_box, cw)
        )
        for row in rows
    )


def _own(row: GridRow, labels: set[str], black_box: str, cw: bool) -> tuple[Measure, ...]:
    """Attacks on logits, which ADP has none of, and those made against a proxy that the table has."""
    proxy = "PAT" if row.method in ADVERSARIAL else "Normal"
    transfer = (attack(black_box, transfer_from=proxy),) if black_box and proxy in labels else ()
    return ((ON_LOGITS,) if cw and row.method != "adp" else ()) + transfer


def on_mnist(row: GridRow) -> GridRow:
    """The row with the stronger training attack, and the recipe of MNIST, which is this paper's."""
    stronger: dict[str, Any] = {"n": 10, "epsilon": 48.0, "alpha": 6.0} if row.method in ADVERSARIAL else {}
    return dataclasses.replace(row, values={**row.values, **stronger}, recipe={})


def wide_entm(dataset: str, weight: float) -> GridRow:
    """PAT-EntM of the wide network, whose λ differs by data set."""
    return dataclasses.replace(PAT_ENTM, values={"loss": "entm", "entropy_weight": weight}, only=(dataset,))


def grid(title: str, rows: tuple[GridRow, ...], dataset: str, measure: Measure, **more: Any) -> Grid:
    """A table on one data set; at demo scale 100 images are attacked."""
    return Grid(title, rows, datasets=(dataset,), measures=(measure,), demo_images=100, **more)


SVHN: dict[str, Any] = {"recipe": {"augment": "none"}}  # crops and mirror images on CIFAR alone

TABLES: dict[str, Grid] = {
    "uncertainty/1": grid("CIFAR-10 under attack", trained((*EIGHT, MIXUP), BLACK_BOX, cw=True), "cifar10", SHORT),
    "uncertainty/2": grid("CIFAR-100 under attack", trained((*EIGHT, MIXUP), BLACK_BOX, cw=True), "cifar100", SHORT),
    "uncertainty/3": grid("SVHN under attack", trained((*EIGHT, MIXUP), BLACK_BOX), "svhn", SHORT, **SVHN),
    "uncertainty/4": grid(
        "margin, Jacobian and non-linearity on CIFAR-10",
        trained((NORMAL, ENTM, PAT, PAT_ENTM, MIXUP)),
        "cifar10",
        {"geometry": 2000},
    ),
    "uncertainty/6": grid(
        "CIFAR-10 under attack, in full", trained((*EIGHT_IN_FULL, MIXUP), BLACK_BOX_IN_FULL), "cifar10", IN_FULL
    ),
    "uncertainty/7": grid(
        "CIFAR-100 under attack, in full", trained((*EIGHT_IN_FULL, MIXUP), BLACK_BOX_IN_FULL), "cifar100", IN_FULL
    ),
    "uncertainty/8": grid(
        "SVHN under attack, in full", trained((*EIGHT_IN_FULL, MIXUP), BLACK_BOX_IN_FULL), "svhn", IN_FULL, **SVHN
    ),
    "uncertainty/9": grid(
        "MNIST under attack, a net of four layers",
        tuple(
            on_mnist(row) for row in trained((NORMAL, ENTM, ADP, PAT, PAT_ENTM, TRADES, MIXUP), pgd((10, 20), (32, 48)))
        ),
        "mnist",
        attack(f"FGSM32,{pgd((10, 20, 40), (32, 48))}"),
        models=("mnist_cnn",),
    ),
    "uncertainty/10": grid(
        "random search on the images that PGD leaves correct, of 1,000 of CIFAR-10",
        trained((ENTM, ADP, LS, PAT, *ADDED)),
        "cifar10",
        attack("PGD10-8", then="RS10000-8", attacked_images=1000),
        needs="the radius is not printed; 8/255 agrees with the printed counts",
    ),
    "uncertainty/11": Grid(
        "a wide residual net on CIFAR-10 and CIFAR-100 under attack",
        trained((PAT, TRADES, wide_entm("cifar10", 1.0), wide_entm("cifar100", 0.5), *ADDED)),
        datasets=("cifar10", "cifar100"),
        models=("wrn_34_10",),
        measures=(attack(f"{pgd((40,), RADII)},{pgd((40,), RADII, 'CW')}"),),
        demo_images=100,
    ),
    "uncertainty/12": grid("TRADES-EntM on CIFAR-10", trained((*FOUR, *ADDED), BLACK_BOX_IN_FULL), "cifar10", IN_FULL),
    "uncertainty/13": grid(
        "TRADES-EntM on CIFAR-100", trained((*FOUR, *ADDED), BLACK_BOX_IN_FULL), "cifar100", IN_FULL
    ),
}
