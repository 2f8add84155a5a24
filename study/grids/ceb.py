"""The table of CEB Improves Model Robustness (2020): clean and corrupted ImageNet, each CEB at its best ρ.

`50` is a ResNet-50 without a bottleneck, `x2` one twice as wide, `-aa` one trained without AutoAugment.
"""

import dataclasses
from typing import Any

from study.grids.grid import REFERENCES, Grid, GridRow

NARROW, WIDE = "resnet50", "wide_resnet50_2"
AUTO = {"augment": "auto_crop_flip"}
PLAIN_ON_DIGITS = {"augment": "none"}  # beside rows whose pictures are shifted at random


def pair(label: str, rho: float, only: str, **more: Any) -> tuple[GridRow, GridRow]:
    """CEB at that ρ and the deterministic network; `label` is what stands behind the name of either."""
    return (
        GridRow(f"CEB{label}", "ceb", {"rho": rho}, only=(only,), **more),
        GridRow(f"50{label}", "deterministic", only=(only,), **more),
    )


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
        needs="a ResNet-50 with every layer twice as wide, for which Wide ResNet-50-2 stands in; the width of the "
        "encoding is not printed (A40)",
    ),
}
