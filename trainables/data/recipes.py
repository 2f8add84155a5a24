"""How each kind of data is usually trained, and which recipe images of one's own get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from trainables.data.images import SMALL

MEDIUM = 128  # images up to this median side are trained small, in memory; larger ones are fine-tuned at 224 pixels


class Recipe(NamedTuple):
    """Values of TrialConfig fields, and why they are these."""

    values: Mapping[str, object]
    reason: str


_SGD = {"optimizer": "sgd", "momentum": 0.9, "nesterov": False, "weight_decay": 5e-4, "decay": 0.1, "warmup": 0.0,
        "milestones": (), "pretrained": False}  # fmt: skip
# EntProp paper, CIFAR-100. Its augmentation is not stated; crop and flip are what such nets are trained with.
CIFAR = {**_SGD, "model": "resnet18", "epochs": 200, "batch_size": 128, "lr": 0.1, "schedule": "cosine",
         "augment": "crop4_flip"}  # fmt: skip
# EntProp paper, CUB, Pets and Cars: from ImageNet weights; as published, the rate is negligible after 40 epochs.
FINE_TUNE = {**_SGD, "model": "resnet50", "epochs": 100, "batch_size": 64, "optimizer": "adam", "lr": 1e-4,
             "schedule": "milestones", "milestones": tuple(range(10, 100, 10)), "augment": "resized_crop_flip",
             "pretrained": True}  # fmt: skip
IMAGENET = {**_SGD, "model": "resnet50", "epochs": 105, "batch_size": 256, "lr": 0.1, "schedule": "milestones",
            "milestones": (30, 60, 90), "augment": "resized_crop_flip"}  # fmt: skip
# MixProp paper, 100 classes of ImageNet.
IMAGENET100 = {**IMAGENET, "model": "resnet18", "epochs": 270, "batch_size": 128, "milestones": (90, 180, 220)}
# Measured for this study: ends in seconds on one core with the training images learnt by heart, as the effect needs.
DIGITS = {**_SGD, "model": "resnet8", "epochs": 10, "batch_size": 64, "lr": 0.1, "nesterov": True, "warmup": 0.1,
          "schedule": "cosine", "augment": "crop"}  # fmt: skip
# The same for clothes, whose mirror images are clothes; at 0.4 most methods are at their best.
CLOTHES = {**DIGITS, "epochs": 15, "lr": 0.4, "augment": "flip"}
# Uncertainty paper, MNIST; its own net, mnist_cnn, has no norms to double, so the smallest net here stands in for it.
MNIST = {**_SGD, "model": "resnet8", "epochs": 40, "batch_size": 128, "lr": 0.01, "weight_decay": 1e-4,
         "schedule": "milestones", "milestones": (20,), "augment": "none"}  # fmt: skip
# CEB paper: a wide ResNet and nothing else; Adam at 1e-3 and the small net are ours. Mirrored clothes are clothes.
FASHION = {**_SGD, "model": "resnet8", "epochs": 40, "batch_size": 128, "optimizer": "adam", "lr": 1e-3,
           "weight_decay": 0.0, "schedule": "cosine", "augment": "flip"}  # fmt: skip
# Somebody's own small images. Their number is not known, so the net that a laptop can train, and the digits recipe
# lengthened until 1,000 CIFAR-10 images were learnt by heart. Mirror images: right for things, wrong for writing.
OWN_SMALL = {**DIGITS, "epochs": 35, "augment": "flip"}


# The same from an array in memory, which is trained at the size that it has.
FINE_TUNE_ARRAY = {**FINE_TUNE, "augment": "flip"}


def recipe_for(side: float | None, resize: int | None, array: bool = False) -> Recipe:
    """The recipe for images of one's own with this median side in pixels, None where no image could be read.

    An `array` is in memory whatever its size, and is not cut to 224 pixels.
    """
    if resize is not None:
        reason, small = f"images are resized to {resize} pixels", resize <= SMALL
    elif side is None:
        reason, small = "no image could be read to choose by", array
    else:
        small = side <= MEDIUM
        reason = f"the median side of the images is {side:g} pixels, {'at most' if small else 'above'} {MEDIUM}"
    if small:
        return Recipe(OWN_SMALL, f"a small network from scratch: {reason}")
    if array:
        size = resize or side
        at = f" at {size:g} pixels" if size else ""
        return Recipe(FINE_TUNE_ARRAY, f"ImageNet weights are fine-tuned{at}: {reason}")
    return Recipe(FINE_TUNE, f"ImageNet weights are fine-tuned at 224 pixels: {reason}")


def resize_advice(side: float) -> str:
    """The option for images of this median side: 32 or 64 pixels, for which corruptions have published constants."""
    return "add --resize 32" + (f", or {SMALL} for four times the work" if side > 48 else "")
