"""How exact a device computes, and that no step makes the host wait for it."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.support import shared_steps
from trainables.methods import METHODS
from trainables.training.arithmetic import arithmetic

WAITING = (
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "equal",
    "unique",
)  # their results have to be known at once


class Noting(TorchDispatchMode):
    """Notes the operations at which the host would wait for a GPU."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if any(name in func.name() for name in WAITING):
            self.found.append(func.name())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", shared_steps.SETTINGS)
def test_no_step_waits_for_the_device(name):
    kind, values = shared_steps.SETTINGS[name]
    method = METHODS[kind](**values)
    net, (x, y) = shared_steps.make_net(method), shared_steps.make_batch()
    with Noting() as noting:
        method.accumulate(net, x, y, torch.Generator().manual_seed(0))
    assert noting.found == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", shared_steps.SETTINGS)
def test_no_step_waits_for_a_gpu(name):
    kind, values = shared_steps.SETTINGS[name]
    method = METHODS[kind](**values)
    net, (x, y) = shared_steps.make_net(method).cuda(), shared_steps.make_batch()
    x, y = x.cuda(), y.cuda()
    method.accumulate(net, x, y, torch.Generator().manual_seed(0))
    torch.cuda.set_sync_debug_mode("error")
    try:
        method.accumulate(net, x, y, torch.Generator().manual_seed(0))
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(("precision", "wanted"), [("fp32", "ieee"), ("tf32", "tf32"), ("bf16", "ieee")])
def test_convolutions_and_products_have_one_precision_and_what_was_set_before_comes_back(precision, wanted):
    kinds = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
    before = [each.fp32_precision for each in kinds]
    with arithmetic(precision, deterministic=False):
        assert [each.fp32_precision for each in kinds] == [wanted, wanted]
        assert torch.backends.cudnn.benchmark
        with arithmetic(precision, deterministic=True):
            assert not torch.backends.cudnn.benchmark
            assert torch.are_deterministic_algorithms_enabled()
        assert not torch.are_deterministic_algorithms_enabled()
    assert [each.fp32_precision for each in kinds] == before
