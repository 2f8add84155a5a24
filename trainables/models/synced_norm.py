"""Batch norms whose statistics are those of all processes that share a batch; torch has them for GPUs only."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.functional import shares

PIXELS = (0, 2, 3)  # the dimensions of an NCHW tensor that a batch norm averages over


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """A batch norm that, where processes share a batch, takes the mean and variance of the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        if shares.current() is None or not self.training:
            return super().forward(x)
        out, mean, variance, count = _Normalise.apply(x, self.weight, self.bias, self.eps)
        if self.track_running_stats:
            self._track(mean, variance * (count / (count - 1)))
        return out

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)


class _Normalise(torch.autograd.Function):
    """(x − mean) / √(variance + eps) · weight + bias with the statistics of the whole batch, which it also returns."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
        kind = torch.promote_types(x.dtype, torch.float32)
        mean, variance, count = _statistics(x.detach().to(kind))
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt(), count)
        ctx.mark_non_differentiable(mean, variance, count)
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps), mean, variance, count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale, count = ctx.saved_tensors
        mean, scale = _spread(mean), _spread(scale)
        gradient = gradient.to(mean.dtype)
        normal = (x.to(mean.dtype) - mean) * scale
        of_bias, of_weight = gradient.sum(PIXELS), (gradient * normal).sum(PIXELS)
        by_bias, by_weight = shares.total(torch.stack([of_bias, of_weight])) / count
        of_x = (gradient - _spread(by_bias) - normal * _spread(by_weight)) * (scale * _spread(weight.to(mean.dtype)))
        return of_x.to(x.dtype), of_weight.to(weight.dtype), of_bias.to(weight.dtype), None


def _statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance of each channel over all processes, and the number of values that they are of.

    The processes' sums of squares are about their own means: squares of the values themselves would cancel.
    """
    variance, mean = torch.var_mean(x, PIXELS, correction=0)
    count = torch.full_like(mean, x.numel() // x.shape[1])
    group = shares.current()
    assert group is not None
    counts, means, variances = shares.gathered(torch.stack([count, mean, variance]), group).unbind(dim=1)
    total = counts.sum(dim=0)
    mean = (counts * means).sum(dim=0) / total
    variance = (counts * (variances + (means - mean).square())).sum(dim=0) / total
    return mean, variance, total


def _spread(channels: Tensor) -> Tensor:
    return channels[None, :, None, None]


def sync_norms(net: nn.Module) -> None:
    """Make every batch norm of a network a synchronised one; names and weights stay."""
    for module in net.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SyncedBatchNorm2d
