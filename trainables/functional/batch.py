"""A batch of images, how to take some of its rows, and on which device random numbers are drawn."""

import torch
from torch import Generator, Tensor

Batch = tuple[Tensor, Tensor, Tensor]  # images, labels, positions


def take(x: Tensor, index: Tensor) -> Tensor:
    """x[index] of NCHW images; selecting from the NHWC view keeps channels_last images channels_last."""
    return x.permute(0, 2, 3, 1).index_select(0, index).permute(0, 3, 1, 2)


def generator_on(device: torch.device, rng: Generator) -> Generator:
    """A generator on a device, for noise as large as a batch: `rng` itself if it is there, else one that it seeds.

    A method's `rng` is a CPU generator: mixing weights, permutations and random subsets are drawn from it on the CPU,
    so that a seed means the same on every device. Noise is too large to be copied from there.
    """
    if rng.device.type == device.type:
        return rng
    return Generator(device).manual_seed(int(torch.randint(2**62, (), generator=rng)))
