"""CEB Improves Model Robustness (2020): its table, ImageNet with each CEB at its best ρ, and its figure of many ρ.

`50` is a ResNet-50 without a bottleneck, `x2` one twice as wide, `-aa` one trained without AutoAugment.
"""

import dataclasses
from typing import Any

from study.papers.grid import REFERENCES, Grid, GridRow, attack

NARROW, WIDE = "resnet50", "wide_resnet50_2"
AUTO = {"augment": "auto_crop_flip"}
PLAIN_ON_DIGITS = {"augment": "none"}  # beside rows whose images are shifted at random


def pair(label: str, rho: float, only: str, **more: Any) -> tuple[GridRow, GridRow]:
    """CEB at that ρ and the deterministic network; `label` is what stands behind the name of either."""
    return (
        GridRow(f"CEB{label}", "ceb", {"rho": rho}, only=(only,), **more),
        GridRow(f"50{label}", "deterministic", only=(only,), **more),
    )


# Figure 2: without norms, as the paper trains its Wide ResNet 28-10. SGD leaves such an encoder below its noise.
NO_NORMS = {"norms": False, "optimizer": "adam", "augment": "auto_crop_flip"}
FALLING = {"schedule": "milestones", "milestones": (500, 1000, 1250), "decay": 0.3}
NO_NORMS_DEMO = {"norms": False, "optimizer": "adam", "lr": 5e-3, "epochs": 20}
RHOS = (5.0, 4.0, 3.0, 2.0, 1.0, 0.0, -1.0)

TABLES: dict[str, Grid] = {
    "ceb/1": Grid(
        "clean accuracy and the 15 corruptions of ImageNet: CEB beside deterministic networks",
        (
            *pair("x2", 3.0, WIDE, recipe=AUTO),
            *pair("", 7.0, NARROW, recipe=AUTO),
            *pair("-aa", 4.0, NARROW, demo=PLAIN_ON_DIGITS),
            *(dataclasses.replace(row, only=(NARROW,)) for row in REFERENCES),
        ),
        datasets=("imagenet",),
        models=(NARROW, WIDE),
        recipe={"epochs": 270, "batch_size": 8192, "lr": 1.6, "milestones": (90, 180, 240)},
        demo_models=("resnet8", "resnet8x2"),
        needs="a ResNet-50 with every layer twice as wide (we use Wide ResNet-50-2); the width of the "
        "encoding is not printed (A40)",
    ),
    "ceb/figure2": Grid(
        "accuracy clean and attacked by ρ, a network without norms",
        (
            *(GridRow(f"CEB ρ={rho:g}", "ceb", {"rho": rho}) for rho in RHOS),
            GridRow("deterministic", "deterministic"),
            *REFERENCES,
        ),
        datasets=("cifar10",),
        models=("wrn_28_10",),
        recipe={**NO_NORMS, "epochs": 1500, "lr": 1e-3, **FALLING},
        measures=(attack("PGD20-2:ceb,PGD20-4:ceb,PGD20-8:ceb,PGD20-30:ceb,norm=l2,PGD20-100:ceb,norm=l2"),),
        demo=NO_NORMS_DEMO,
        demo_images=100,
        needs="epsilon and steps of its attacks are not printed (A41)",
    ),
}
