"""What the code behind the mixture paper measures. For its tables 1 and 2 alone; every other number here is clean.

The paper says that its attacks work on pixels in [0, 1]. Its code does something else, and the printed numbers are the
code's: images are normalised first, with constants that are written out below; the attack adds its steps to the
normalised image and clamps that to [0, 1], which deletes all that is darker than the mean of its channel or brighter
than one deviation above it; and the network stays in training mode, so that its norms use the statistics of the test
batch. So epsilon 0.1 is about 5/255 of an image, and most of the harm is done by the clamp.

The clean protocol for the same columns is `--attack FGSM25.5,PGD2-25.5:step=2,start=none,FGSM127.5` and
`PGD2-127.5:step=127.5,start=none`.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.attacks.objectives import input_gradient
from trainables.functional.batch import Batch
from trainables.measures.accuracy import Measurement
from trainables.models.deploy import Norm, single_norm
from trainables.models.pixel_net import PixelNet

BATCH = 256  # whose statistics the norms take at test time
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


class LegacyAttack(NamedTuple):
    """Lengths are in units of the normalised image, not of an image in [0, 1]."""

    epsilon: float
    step: float
    steps: int


# the columns of the tables, by the names that the rows get
LEGACY_ATTACKS: dict[str, LegacyAttack | None] = {
    "clean": None,
    "FGSM 0.1": LegacyAttack(0.1, 0.1, 1),
    "PGD 0.1 step 2/255": LegacyAttack(0.1, 2 / 255, 2),
    "FGSM 0.5": LegacyAttack(0.5, 0.5, 1),
    "PGD 0.5 step 0.5": LegacyAttack(0.5, 0.5, 2),  # as printed; the code at its last state would step 2/255 (A51)
}


def legacy_images(net: nn.Module, z: Tensor, y: Tensor, attack: LegacyAttack) -> Tensor:
    """Normalised images after the attack, clamped to [0, 1] although they are normalised."""
    moved = z
    for _ in range(attack.steps):
        gradient = input_gradient(net, moved, lambda logits: F.cross_entropy(logits, y, reduction="none"))
        change = (moved + attack.step * gradient.sign() - z).clamp(-attack.epsilon, attack.epsilon)
        moved = (z + change).clamp(0, 1)
    return moved


def normalised(x: Tensor) -> Tensor:
    """Images as the paper's code shows them to its attacks."""
    mean, deviation = (torch.tensor(values, device=x.device).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    return (x - mean) / deviation


def legacy_net(net: PixelNet, norm: Norm) -> nn.Module:
    """The network as a function of images that were normalised so, with the statistics of the batch in its norms.

    It is a copy, so that the statistics of test images are left in nothing that lives on.
    """
    shown = single_norm(net, norm).eval().requires_grad_(False)
    mean, deviation = (torch.tensor(values, device=net.scale.device).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    # scale·x + shift with x = z·deviation + mean
    shown.register_buffer("shift", net.shift + net.scale * mean)
    shown.register_buffer("scale", net.scale * deviation)
    for module in shown.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    return shown


def measure_legacy(net: PixelNet, batches: Iterable[Batch], norm: Norm = "main") -> Iterator[Measurement]:
    """The accuracy in each column; batches must be of BATCH images, in the order of the test set."""
    shown, total = legacy_net(net, norm), 0
    right = dict.fromkeys(LEGACY_ATTACKS, 0)
    with torch.no_grad():
        for x, y, _ in batches:
            z, total = normalised(x), total + len(y)
            for name, attack in LEGACY_ATTACKS.items():
                images = z if attack is None else legacy_images(shown, z, y, attack)
                right[name] += int((shown(images).argmax(dim=1) == y).sum())
    for name, count in right.items():
        yield Measurement("legacy", name, None, 100 * count / total)
