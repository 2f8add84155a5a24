"""One batch shared by several processes: what each of them must know of the others' images.

Process r of P holds the images r, r + P, r + 2P, … of every batch. A position is that of an image in the whole batch,
and each process handles every P-th of a list of positions. Images that a process does not hold are gathered from the
others. Losses are means over a process's own images, so the gradient of the batch is the mean of the processes'
gradients. Where a process trains alone, each function returns what it was given.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from trainables.functional.batch import take


@dataclass(frozen=True)
class Group:
    """The processes of a trial, as torch.distributed knows them, and the number of this one."""

    rank: int
    size: int
    exchange: bool = True  # whether images are mixed and selected over the whole batch, or within each process


_group: Group | None = None


@contextlib.contextmanager
def sharing(group: Group | None) -> Iterator[None]:
    """Inside, every batch is this process's share of a larger one."""
    global _group
    before, _group = _group, group
    try:
        yield
    finally:
        _group = before


def current() -> Group | None:
    """The processes that share the batches of this moment; None where a process trains alone."""
    return _group


def share_of_batch() -> tuple[int, int]:
    """The number of this process and of how many; 0 of 1 for one that trains alone."""
    return (0, 1) if _group is None else (_group.rank, _group.size)


def _exchanging() -> Group | None:
    return _group if _group is not None and _group.exchange else None


# -------------------------------------------------------------------------------------- images of the whole batch


def whole(count: int) -> int:
    """The images of a batch of which every process holds `count`."""
    group = _exchanging()
    return count if group is None else count * group.size


def share(positions: Tensor) -> Tensor:
    """Of a list of positions, or of values for each position, those that this process handles."""
    group = _exchanging()
    return positions if group is None else positions[group.rank :: group.size]


def rows_at(x: Tensor, positions: Tensor) -> Tensor:
    """The rows at these positions of a batch of which every process holds an equal share x; without gradient."""
    group = _exchanging()
    if group is not None:
        positions = positions % group.size * len(x) + positions // group.size
        x = gathered(x, group).flatten(0, 1)
    return take(x, positions) if x.dim() == 4 else x[positions]


def in_order(x: Tensor) -> Tensor:
    """The rows of a whole batch, in its order, of which every process holds an equal share x; without gradient."""
    group = _exchanging()
    return x if group is None else gathered(x, group).transpose(0, 1).flatten(0, 1)


def gathered(x: Tensor, group: Group) -> Tensor:
    """(processes, *x.shape): the x of each process, without gradient; images in channels_last stay so."""
    if x.dim() == 4:
        pixels = x.permute(0, 2, 3, 1)
        return gathered(pixels.flatten(1), group).view(-1, *pixels.shape).permute(0, 1, 4, 2, 3)
    x = x.detach().contiguous()
    out = x.new_empty((group.size * len(x), *x.shape[1:]))
    dist.all_gather_into_tensor(out, x)
    return out.view(group.size, *x.shape)


# ----------------------------------------------------------------------------------------------- random numbers


def drawn(draw: Callable[..., Tensor], x: Tensor, count: int | None = None, **options: Any) -> Tensor:
    """Random numbers of the shape of x: this process's share of those that are drawn for the whole batch.

    `count` is the number of rows that all processes have together where their shares may differ by one.
    """
    if _group is None:
        return draw(x.shape, **options)
    count = count if count is not None and _group.exchange else len(x) * _group.size
    return draw((count, *x.shape[1:]), **options)[_group.rank :: _group.size]


# -------------------------------------------------------------------------------------------- rows with gradients


class _Gather(torch.autograd.Function):
    """The x of all processes one below the other; its gradient is the sum over the processes' losses."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        ctx.first, ctx.length = group.rank * len(x), len(x)
        return gathered(x, group).flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient[ctx.first : ctx.first + ctx.length], None


def beside_others(x: Tensor, labels: Tensor, count: int, no_label: int) -> tuple[Tensor, Tensor, int]:
    """The rows and labels of all processes, with gradient, and the place of this process's first row among them.

    All processes have `count` rows together, one more or less each; a row that is missing gets the label `no_label`.
    """
    group = _exchanging()
    if group is None:
        return x, labels, 0
    length = -(-count // group.size)
    missing = length - len(x)
    x = torch.cat([x, x.new_zeros(missing, *x.shape[1:])])
    labels = torch.cat([labels, labels.new_full((missing,), no_label)])
    return _Gather.apply(x, group), gathered(labels, group).flatten(), group.rank * length


# ------------------------------------------------------------------------------------------ numbers of all processes


def total(x: Tensor) -> Tensor:
    """The sum over all processes."""
    if _group is None:
        return x
    x = x.clone()
    dist.all_reduce(x)
    return x


def mean(x: Tensor) -> Tensor:
    """The mean over all processes."""
    return x if _group is None else total(x) / _group.size


def together(x: Tensor) -> Tensor:
    """The rows of all processes, of which each may have another number; the host waits for the device."""
    if _group is None:
        return x
    lengths = gathered(torch.tensor([len(x)], device=x.device), _group).flatten().tolist()
    padded = torch.cat([x, x.new_zeros(max(lengths) - len(x), *x.shape[1:])])
    each = gathered(padded, _group)
    return torch.cat([part[:length] for part, length in zip(each, lengths, strict=True)])
