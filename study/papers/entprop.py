"""The tables of EntProp: High Entropy Propagation (UAI 2024).

The recipe of each data set is this paper's. Table 1 is a formula (computed.py).
"""

import dataclasses
from typing import Any

from study.papers.grid import MIXUP, REFERENCES, VANILLA, Grid, GridRow, attack

PGD20 = attack("PGD20-1:entprop,PGD20-2:entprop,PGD20-4:entprop,PGD20-8:entprop")  # its epsilon is not printed (A19)
SHIFTED = tuple({"shift": f"folder:{name}"} for name in ("imagenet-a", "imagenet-r", "stylized-imagenet"))
MIXPROP = GridRow("MixProp", "mixprop")
FAST_ADVPROP = GridRow("Fast AdvProp", "fast_advprop")
ADVPROP = GridRow("AdvProp", "advprop")


def entprop(k: float, n: int, label: str = "", **values: Any) -> GridRow:
    """A row of EntProp; what is not said is the method's default, which is the paper's."""
    return GridRow(label or f"EntProp ({k:g}, {n})", "entprop", {"k": k, "n": n, **values})


FOUR_SETTINGS = tuple(entprop(k, n) for n in (1, 5) for k in (0.2, 0.6))
FOUR_METRICS = ("entropy", "cross_entropy", "confidence", "margin")
COMPONENTS = (
    VANILLA,
    entprop(0.2, 1, "selection", mixing="none", attack="none"),
    entprop(0.2, 1, "selection, MixUp", attack="none"),
    entprop(0.2, 1, "selection, free attack", mixing="none"),
    entprop(0.2, 1, "selection, MixUp, free attack"),
)
# Nothing is printed of the transformer's training: the paper's way of fine-tuning, with a rate that falls smoothly.
VIT = {"pretrained": True, "epochs": 100, "batch_size": 64, "optimizer": "adam", "lr": 1e-4, "warmup": 0.05}
MAE = "ViT-Base weights of masked autoencoding (we use torchvision's supervised ones); the recipe is not printed (A27)"
THREE_NETS = ("resnet18", "wide_resnet50_2", "resnext50_32x4d")
FOUR_NETS = ("resnet18", "resnet50", "wide_resnet50_2", "resnext50_32x4d")
TENTHS = tuple(tenth / 10 for tenth in range(1, 11))


def _selections(k: float) -> tuple[GridRow, ...]:
    """Figure 4's two curves at one k."""
    return tuple(
        entprop(k, 1, f"k={k:g}, {name}", selection=selection, mixing="none", attack="none")
        for selection, name in (("top", "highest entropy"), ("random", "random"))
    )


def _counted(k: float) -> tuple[GridRow, ...]:
    """Figure 6's two panels at one k: how often each training image is selected."""
    return tuple(
        dataclasses.replace(entprop(k, 1, f"k={k:g}, {name}", mixing=mixing), measures=({"selections": True},))
        for mixing, name in (("none", "no MixUp"), ("mixup", "MixUp"))
    )


def _strength(n: int, epsilon: float) -> GridRow:
    """EntProp (0.6, n) with that radius and a step that can reach it."""
    step = max(1.0, round(epsilon / (n + 1), 6))
    return entprop(0.6, n, f"n={n}, epsilon={epsilon:g}, alpha={step:g}", epsilon=epsilon, alpha=step)


TABLES: dict[str, Grid] = {
    "entprop/2": Grid(
        "all methods with ResNet-50 on five data sets",
        (VANILLA, MIXUP, MIXPROP, FAST_ADVPROP, ADVPROP, *FOUR_SETTINGS),
        datasets=("cifar100", "cub", "pets", "cars", "imagenet"),
        models=("resnet50",),
    ),
    "entprop/3": Grid(
        "the networks of table 2 trained on ImageNet, on shifted images of its classes",
        (VANILLA, MIXUP, MIXPROP, FAST_ADVPROP, *FOUR_SETTINGS),
        datasets=("imagenet",),
        models=("resnet50",),
        measures=SHIFTED,
        needs="ImageNet-A, ImageNet-R and Stylized-ImageNet as class folders imagenet-a, imagenet-r and "
        "stylized-imagenet beside the data",
    ),
    "entprop/4": Grid(
        "all methods with three other networks",
        (VANILLA, MIXUP, MIXPROP, FAST_ADVPROP, ADVPROP, *FOUR_SETTINGS),
        models=THREE_NETS,
    ),
    "entprop/5": Grid(
        "a vision transformer with auxiliary layer norms, fine-tuned",
        (VANILLA, entprop(0.5, 5), MIXUP),
        models=("vit_b_16",),
        recipe=VIT,
        needs=MAE,
    ),
    "entprop/6": Grid(
        "Fréchet distance from training images to copies that MixUp, PGD and EntProp transformed",
        (VANILLA,),
        measures=({"fid": "k=0.2,n=1"}, {"fid": "k=0.6,n=5"}),
        lost=True,
        needs="strength and number of images are not printed (A28)",
    ),
    "entprop/7": Grid("the parts of EntProp: selection, MixUp, free attack", (*COMPONENTS, MIXUP), lost=True),
    "entprop/8": Grid(
        "four measures of uncertainty with four networks",
        (*(entprop(0.2, 1, metric, metric=metric) for metric in FOUR_METRICS), *REFERENCES),
        models=FOUR_NETS,
    ),
    "entprop/9": Grid(
        "MixUp or CutMix inside EntProp",
        (entprop(0.2, 1, "MixUp"), entprop(0.2, 1, "CutMix", mixing="cutmix"), *REFERENCES),
    ),
    "entprop/10": Grid(
        "attack objective: PGD, C&W or TRADES",
        (
            entprop(0.6, 5, "PGD"),
            entprop(0.6, 5, "C&W", attack="cw"),
            entprop(0.6, 5, "TRADES", attack="trades"),
            entprop(0.6, 5, "TRADES, paid first step", attack="trades", free_first_step=False),
            *REFERENCES,
        ),
        models=("resnet50",),
        lost=True,
    ),
    "entprop/11": Grid(
        "accuracy under PGD-20 by part and by measure of uncertainty",
        (*COMPONENTS, *(entprop(0.2, 1, f"all, {metric}", metric=metric) for metric in FOUR_METRICS[1:]), MIXUP),
        measures=(PGD20,),
        demo_images=100,
    ),
    "entprop/12": Grid(
        "the transformer of table 5 under GPaCo's loss, with and without EntProp",
        (
            GridRow("GPaCo", "gpaco", {"k": 0.0}),
            GridRow("EntProp with GPaCo", "gpaco", {"k": 0.5, "n": 5}),
            *REFERENCES,
        ),
        models=("vit_b_16",),
        recipe=VIT,
        lost=True,
        needs=MAE,
    ),
    "entprop/13": Grid(
        "Fast AdvProp with MixUp beside EntProp (0.2, 1), three networks",
        (
            GridRow("Fast AdvProp with MixUp", "fast_advprop", {"mixing": "mixup"}),
            entprop(0.2, 1),
            *REFERENCES,
        ),
        models=THREE_NETS,
    ),
    "entprop/14": Grid(
        "Fast AdvProp with EntProp's selection",
        (
            FAST_ADVPROP,
            GridRow("Fast AdvProp with EntProp selection", "fast_advprop", {"mixing": "mixup", "selection": "top"}),
            entprop(0.2, 1),
            *REFERENCES,
        ),
        lost=True,
    ),
    "entprop/15": Grid(
        "AdvProp with EntProp's selection, ResNet-50",
        (
            VANILLA,
            ADVPROP,
            entprop(0.6, 5, "AdvProp with EntProp selection", epsilon=4.0, free_first_step=False),
            MIXUP,
        ),
        models=("resnet50",),
    ),
    "entprop/16": Grid(
        "the share k from 0 to 1 at n = 1, with accuracy under PGD-20",
        (dataclasses.replace(VANILLA, label="k=0 (Vanilla)"), *(entprop(k, 1, f"k={k:g}") for k in TENTHS), MIXUP),
        measures=(PGD20,),
        demo_images=100,
    ),
    "entprop/17": Grid(
        "the attack iterations n from 1 to 5 at k = 0.6",
        (*(entprop(0.6, n, f"n={n}") for n in range(1, 6)), *REFERENCES),
    ),
    "entprop/epsilon": Grid(
        "the radius epsilon at k = 0.6, and two other readings of the paper's attack (A1, A2); not a published table",
        (
            *(_strength(1, epsilon) for epsilon in (1.0, 2.0, 4.0, 8.0)),
            *(_strength(5, epsilon) for epsilon in (1.0, 2.0, 4.0, 6.0, 8.0)),
            entprop(0.6, 5, "n=5, cumulative attack of Algorithm 1", attack_rule="cumulative"),
            *REFERENCES,
        ),
    ),
    "entprop/figure4": Grid(
        "highest entropy or random selection over k, no MixUp and no attack",
        (dataclasses.replace(VANILLA, label="k=0 (Vanilla)"), *(row for k in TENTHS for row in _selections(k)), MIXUP),
    ),
    "entprop/figure6": Grid(
        "how often each training image is selected, for three k with and without MixUp",
        (*(row for k in (0.2, 0.4, 0.6) for row in _counted(k)), *REFERENCES),
    ),
}
