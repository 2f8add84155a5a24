"""What the processes of a trial do together beside the method's own exchange: gradients and running statistics.

Gradients are averaged once a step, after all passes of the method have added to them. A wrapper such as torch's
DistributedDataParallel would do so after every backward pass.
"""

import torch
from torch import nn

from trainables.functional.shares import current, mean
from trainables.models.synced_norm import SyncedBatchNorm2d


@torch.no_grad()
def average_gradients(net: nn.Module) -> None:
    """Replace every gradient by its mean over the processes, if several share the batch."""
    if current() is None:
        return
    gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    _average(gradients)


@torch.no_grad()
def average_statistics(net: nn.Module) -> None:
    """Replace the running statistics of norms by their means, so that all processes go on with the same network."""
    if current() is None:
        return
    norms = [each for each in net.modules() if isinstance(each, nn.BatchNorm2d)]
    apart = [each for each in norms if not isinstance(each, SyncedBatchNorm2d)]
    _average([buffer for norm in apart for buffer in norm.buffers() if buffer.is_floating_point()])


def _average(tensors: list[torch.Tensor]) -> None:
    """Replace tensors by their means over the processes, in one exchange."""
    if not tensors:
        return
    means = mean(torch.cat([each.reshape(-1) for each in tensors]))
    for each, own in zip(tensors, means.split([each.numel() for each in tensors]), strict=True):
        each.copy_(own.view(each.shape))
