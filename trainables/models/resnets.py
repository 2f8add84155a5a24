"""Networks that torchvision does not have: a small residual net for CPUs, and the pre-activation family."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _conv(inputs: int, outputs: int, size: int, stride: int, norms: bool) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=not norms)


def _norm(channels: int, norms: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if norms else nn.Identity()


class BasicBlock(nn.Module):
    """conv–norm–ReLU–conv–norm plus a shortcut, then ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int, norms: bool) -> None:
        super().__init__()
        self.conv1, self.norm1 = _conv(inputs, outputs, 3, stride, norms), _norm(outputs, norms)
        self.conv2, self.norm2 = _conv(outputs, outputs, 3, 1, norms), _norm(outputs, norms)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(_conv(inputs, outputs, 1, stride, norms), _norm(outputs, norms))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm1(self.conv1(x)), inplace=True)
        out = self.norm2(self.conv2(out))
        return F.relu(out + self.shortcut(x), inplace=True)


class ResNet8(nn.Module):
    """Three blocks of 16, 32 and 64 channels behind a stem of stride 2: thousands of images a second on one CPU core.

    `width` multiplies the channels. With a `stride` of 1 in the stem it is the ResNet-8 of the CIFAR papers.
    """

    def __init__(self, classes: int, norms: bool = True, width: int = 1, stride: int = 2) -> None:
        super().__init__()
        first, second, third = (width * channels for channels in (16, 32, 64))
        self.stem, self.norm = _conv(3, first, 3, stride, norms), _norm(first, norms)
        self.blocks = nn.Sequential(
            BasicBlock(first, first, 1, norms), BasicBlock(first, second, 2, norms), BasicBlock(second, third, 2, norms)
        )
        self.head = nn.Linear(third, classes)
        initialise(self, norms)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)), inplace=True)
        return self.head(self.blocks(x).mean((2, 3)))


class FourLayerCNN(nn.Module):
    """The uncertainty paper's network for MNIST, 320 features wide before its two linear layers (A61)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)
        self.hidden, self.head = nn.Linear(320, 50), nn.Linear(50, classes)

    def forward(self, x: Tensor) -> Tensor:
        border = (x.shape[2] - 28) // 2  # black, as MNIST's images have it here
        x = F.pad(x, (-border,) * 4).mean(dim=1, keepdim=True)  # the channels of a grey image are equal
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.head(F.relu(self.hidden(x.flatten(1))))


class PreActBasic(nn.Module):
    """norm–ReLU–conv twice plus a shortcut (He et al., 2016)."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, norms: bool) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(inputs, norms), _conv(inputs, width, 3, stride, norms)
        self.norm2, self.conv2 = _norm(width, norms), _conv(width, width, 3, 1, norms)
        changes = stride != 1 or inputs != width
        self.shortcut = _conv(inputs, width, 1, stride, norms) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(out)
        out = self.conv1(out)
        return kept + self.conv2(F.relu(self.norm2(out)))


class PreActBottleneck(nn.Module):
    """norm–ReLU–conv three times (1×1, 3×3, 1×1) plus a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int, norms: bool) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.norm1, self.conv1 = _norm(inputs, norms), _conv(inputs, width, 1, 1, norms)
        self.norm2, self.conv2 = _norm(width, norms), _conv(width, width, 3, stride, norms)
        self.norm3, self.conv3 = _norm(width, norms), _conv(width, outputs, 1, 1, norms)
        changes = stride != 1 or inputs != outputs
        self.shortcut = _conv(inputs, outputs, 1, stride, norms) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(out)
        out = self.conv2(F.relu(self.norm2(self.conv1(out))))
        return kept + self.conv3(F.relu(self.norm3(out)))


class PreActResNet(nn.Module):
    """Pre-activation residual net: PreAct-ResNets and wide ResNets differ only in block, depths and widths."""

    def __init__(
        self,
        block: type[PreActBasic] | type[PreActBottleneck],
        depths: Sequence[int],
        widths: Sequence[int],
        stem: int,
        classes: int,
        norms: bool = True,
    ) -> None:
        super().__init__()
        self.stem = _conv(3, stem, 3, 1, norms)
        channels, layers = stem, []
        for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            for place in range(depth):
                layers.append(block(channels, width, 2 if stage > 0 and place == 0 else 1, norms))
                channels = width * block.expansion
        self.blocks = nn.Sequential(*layers)
        self.norm = _norm(channels, norms)
        self.head = nn.Linear(channels, classes)
        initialise(self, norms)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.blocks(self.stem(x))))
        return self.head(x.mean((2, 3)))


def initialise(net: nn.Module, norms: bool) -> None:
    """Kaiming's initialisation; without norms each block starts small, or the sum over blocks would grow with depth."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if norms:
        return
    blocks = [m for m in net.modules() if isinstance(m, BasicBlock | PreActBasic | PreActBottleneck)]
    for block in blocks:
        last = block.conv3 if isinstance(block, PreActBottleneck) else block.conv2
        with torch.no_grad():
            last.weight.mul_(1 / math.sqrt(len(blocks)))
