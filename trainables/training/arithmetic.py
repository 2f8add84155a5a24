"""How exact a device computes while a trial trains, for convolutions and matrix products alike."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch

from trainables.choices import Precision


@contextlib.contextmanager
def arithmetic(precision: Precision, deterministic: bool) -> Iterator[None]:
    """Inside, a GPU rounds the factors of float32 products to TF32 only if that is the precision.

    If `deterministic`, torch refuses operations whose result may differ from run to run; if not, cuDNN tries its
    algorithms out for each new shape and takes the fastest.
    """
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    kinds: tuple[Any, ...] = (cuda.matmul, cudnn.conv, cudnn.rnn)  # type: ignore[attr-defined]
    before = [each.fp32_precision for each in kinds]
    tried, repeatable = torch.backends.cudnn.benchmark, torch.are_deterministic_algorithms_enabled()
    for each in kinds:
        each.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(repeatable)
        torch.backends.cudnn.benchmark = tried
        for each, value in zip(kinds, before, strict=True):
            each.fp32_precision = value
