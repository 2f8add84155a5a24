"""The tables of MixProp (BMVC 2022).

The paper adds its two losses and mixes half of each batch for its Mixup row; its AdvProp is the better of several
strengths, one for each network. Table 4 is a formula (computed.py).
"""

import dataclasses

from study.papers.grid import MIXUP, VANILLA, Grid, GridRow

AUX = {"norm": "aux", "corruptions": "all"}
STYLIZED = {"shift": "folder:stylized-imagenet100"}
STYLIZED_AUX = {**STYLIZED, "norm": "aux"}
HALF_MIXUP = GridRow("Mixup", "mixup", {"half": True})
MIXPROP = GridRow("MixProp", "mixprop", {"weights": "sum"})
CLASSES = "which 100 classes of ImageNet is not printed: the folder imagenet100 beside the data holds your own choice"


def advprop(n: int, only: str = "") -> GridRow:
    """AdvProp with n steps of 1/255 within n − 1, or within 1 for one step."""
    return GridRow("AdvProp", "advprop", {"n": n, "epsilon": max(1.0, n - 1.0)}, only=(only,) if only else ())


def with_aux(row: GridRow) -> GridRow:
    """The row measured through its auxiliary norms as well."""
    return dataclasses.replace(row, measures=(AUX, STYLIZED_AUX))


# That of ImageNet-100 is printed for no network; what was best for the networks of table 1 is taken (A36).
SHALLOW, DEEP = advprop(1, "resnet18"), advprop(4, "resnet50")

TABLES: dict[str, Grid] = {
    "mixprop/1": Grid(
        "clean accuracy on CIFAR-100",
        (VANILLA, HALF_MIXUP, advprop(1, "preact_resnet18"), advprop(4, "preact_resnet50"), MIXPROP, MIXUP),
        models=("preact_resnet18", "preact_resnet50"),
        recipe={"epochs": 320, "schedule": "milestones", "milestones": (100, 180, 260)},
    ),
    "mixprop/2": Grid(
        "clean accuracy on 100 classes of ImageNet",
        (VANILLA, HALF_MIXUP, SHALLOW, DEEP, MIXPROP, MIXUP),
        datasets=("imagenet100",),
        models=("resnet18", "resnet50"),
        needs=CLASSES,
    ),
    "mixprop/3": Grid(
        "the networks of table 2 on corrupted and stylized images, through main and auxiliary norms",
        (VANILLA, HALF_MIXUP, *(with_aux(row) for row in (SHALLOW, DEEP, MIXPROP)), MIXUP),
        datasets=("imagenet100",),
        models=("resnet18", "resnet50"),
        measures=(STYLIZED,),
        needs=f"{CLASSES}; Stylized-ImageNet of the same classes as class folders stylized-imagenet100",
    ),
    "mixprop/5": Grid(
        "seconds of an epoch",
        (VANILLA, HALF_MIXUP, MIXPROP, advprop(1), MIXUP),
        datasets=("imagenet100",),
        seeds=1,
        recipe={"epochs": 3},
        needs='the printed seconds are those of one "GTX 3090"; three epochs are enough to measure ours',
    ),
}
