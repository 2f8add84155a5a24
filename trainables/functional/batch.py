"""A batch of images, and how to take some of its rows."""

from torch import Tensor

Batch = tuple[Tensor, Tensor, Tensor]  # images, labels, positions


def take(x: Tensor, index: Tensor) -> Tensor:
    """x[index] of NCHW images; selecting from the NHWC view keeps channels_last images channels_last."""
    return x.permute(0, 2, 3, 1).index_select(0, index).permute(0, 3, 1, 2)
