"""The networks a configuration can name; torch is imported when one is built."""

from __future__ import annotations

import contextlib
import difflib
import io
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from trainables.data.images import SMALL
from trainables.options import unknown

if TYPE_CHECKING:
    from torch import nn


_SCRATCH = "pretrained weights exist for torchvision's networks only"


@dataclass(frozen=True)
class Model:
    """One network of the list: what it is and how it is built from (classes, image size, norms, pretrained).

    With `download=False`, a pretrained network is built without its weights, for those of a checkpoint.
    """

    description: str
    build: Callable[..., nn.Module]
    norms: bool = True  # whether it has norm layers at all


def _torchvision_resnet(
    name: str, classes: int, size: int, norms: bool, pretrained: bool, download: bool = True
) -> nn.Module:
    import torchvision
    from torch import nn

    without = {} if norms else {"norm_layer": lambda channels: nn.Identity()}
    net = torchvision.models.get_model(name, **without)
    if pretrained and download:
        _load_imagenet_weights(net, name)
    if size <= SMALL and not pretrained:  # the CIFAR stem (A20)
        net.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
        net.maxpool = nn.Identity()
    net.fc = nn.Linear(net.fc.in_features, classes)
    return net


def imagenet_weights(name: str) -> Mapping[str, Any]:
    """torchvision's first ImageNet weights, which the papers' fine-tuning starts from; downloaded once."""
    import torchvision
    from torch.hub import get_dir

    if name not in torchvision.models.list_models():
        raise ValueError(f"{_SCRATCH}, got {name}; choose one of them or train from scratch")
    weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)  # seconds; without it a silent network hangs for ever
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # torch announces the download
            return weights.get_state_dict(progress=False, check_hash=True)
    except OSError as error:
        raise OSError(
            f"the pretrained weights of {name} must be downloaded or be in {get_dir()}/checkpoints, got: {error}; "
            f"put the file of {weights.url} there, or set pretrained to false"
        ) from error
    finally:
        socket.setdefaulttimeout(patience)


def _load_imagenet_weights(net: nn.Module, name: str) -> None:
    weights = imagenet_weights(name)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:  # the net was built without its norms
        raise ValueError(f"norms must be true for pretrained weights of {name}, which include norms") from error


def _vit(classes: int, size: int, norms: bool, pretrained: bool, download: bool = True) -> nn.Module:
    import torchvision
    from torch import nn

    if not norms:
        raise ValueError("vit_b_16 cannot be built without norms; choose a residual net for norms false")
    net = torchvision.models.vit_b_16()
    if pretrained and download:
        _load_imagenet_weights(net, "vit_b_16")
    net.heads = nn.Linear(net.hidden_dim, classes)
    if size == 224:
        return net
    # its patches are 16 pixels wide and its positions are those of 224 pixels, so smaller images are enlarged
    return nn.Sequential(nn.Upsample(size=(224, 224), mode="bilinear", align_corners=False), net)


def _mnist_cnn(classes: int, size: int, norms: bool, pretrained: bool, download: bool = True) -> nn.Module:
    from trainables.models.resnets import FourLayerCNN

    if pretrained:
        raise ValueError("mnist_cnn has no pretrained weights; train it from scratch")
    if size not in (28, 32):
        raise ValueError(f"mnist_cnn takes images of 28 pixels or of 32 with a border, got {size}")
    return FourLayerCNN(classes)


def _scratch_only(
    kind: str, settings: dict[str, Any], classes: int, size: int, norms: bool, pretrained: bool, download: bool = True
) -> nn.Module:
    from trainables.models import resnets

    if pretrained:
        raise ValueError(f"{_SCRATCH}; choose one of them or train from scratch")
    if kind == "resnet8":
        return resnets.ResNet8(classes, norms, **settings)
    block = resnets.PreActBottleneck if kind == "bottleneck" else resnets.PreActBasic
    return resnets.PreActResNet(block, classes=classes, norms=norms, **settings)


def _preact(kind: str, depths: tuple[int, ...]) -> Callable[..., nn.Module]:
    return partial(_scratch_only, kind, {"depths": depths, "widths": (64, 128, 256, 512), "stem": 64})


def _wide(depth: int, factor: int) -> Callable[..., nn.Module]:
    blocks = (depth - 4) // 6
    widths = tuple(factor * width for width in (16, 32, 64))
    return partial(_scratch_only, "basic", {"depths": (blocks,) * 3, "widths": widths, "stem": 16})


MODELS: dict[str, Model] = {
    "resnet8": Model("0.08 M parameters, stem of stride 2; for CPUs", partial(_scratch_only, "resnet8", {})),
    "resnet8x2": Model("resnet8 twice as wide, 0.3 M parameters", partial(_scratch_only, "resnet8", {"width": 2})),
    "resnet8s1": Model(
        "resnet8 with a stem of stride 1, four times its work", partial(_scratch_only, "resnet8", {"stride": 1})
    ),
    "resnet18": Model("torchvision ResNet-18", partial(_torchvision_resnet, "resnet18")),
    "resnet50": Model("torchvision ResNet-50", partial(_torchvision_resnet, "resnet50")),
    "wide_resnet50_2": Model("torchvision Wide ResNet-50-2", partial(_torchvision_resnet, "wide_resnet50_2")),
    "resnext50_32x4d": Model("torchvision ResNeXt-50 32x4d", partial(_torchvision_resnet, "resnext50_32x4d")),
    "preact_resnet18": Model("pre-activation ResNet-18", _preact("basic", (2, 2, 2, 2))),
    "preact_resnet50": Model("pre-activation ResNet-50", _preact("bottleneck", (3, 4, 6, 3))),
    "wrn_28_10": Model("wide ResNet 28-10", _wide(28, 10)),
    "wrn_34_10": Model("wide ResNet 34-10", _wide(34, 10)),
    "mnist_cnn": Model(
        "the uncertainty paper's four-layer net for MNIST, without norms; sees the middle 28 pixels in grey",
        _mnist_cnn,
        norms=False,
    ),
    "vit_b_16": Model("torchvision ViT-B/16, images enlarged to 224 pixels; layer norms are doubled", _vit),
}


TIMM = "timm:"  # before the name of a network of the package timm


def _timm(name: str, classes: int, size: int, norms: bool, pretrained: bool, download: bool = True) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise ValueError(f"model timm:{name} needs the package timm; pip install timm") from error
    if not timm.is_model(name.partition(".")[0]):
        near = difflib.get_close_matches(name, timm.list_models(), n=1)
        raise ValueError(f"unknown timm model {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    if not norms:
        raise ValueError(f"timm:{name} cannot be built without norms; choose a network of the list for norms false")
    settings = {"num_classes": classes, "pretrained": pretrained and download}
    try:
        return _sized(timm.create_model, name, size, settings)
    except OSError as error:
        reason = " ".join(str(error).split())[:200]
        raise OSError(f"the pretrained weights of timm:{name} could not be downloaded ({reason})") from error


def _sized(create: Callable[..., nn.Module], name: str, size: int, settings: dict[str, Any]) -> nn.Module:
    """The network for images of this size: transformers must know it, convolutions take any and no such option."""
    try:
        return create(name, img_size=size, **settings)
    except TypeError:
        return create(name, **settings)


def model_entry(name: str) -> Model:
    """The network of that name, of the list or `timm:NAME`."""
    if name.startswith(TIMM) and name != TIMM:
        return Model(f"{name.removeprefix(TIMM)} of timm", partial(_timm, name.removeprefix(TIMM)))
    if name not in MODELS:
        raise ValueError(unknown("model", name, [*MODELS, f"{TIMM}NAME"]))
    return MODELS[name]
