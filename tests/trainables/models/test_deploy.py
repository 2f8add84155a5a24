"""A deployed network computes what the trained one does, through the norms that were asked for."""

import pytest
import torch
from torch import nn

from trainables.models.deploy import DeployedNet
from trainables.models.dual_norm import aux_norm
from trainables.models.ensembles import Ensemble, LogMeanSoftmax
from trainables.models.pixel_net import PixelNet, compile_training
from trainables.models.registry import MODELS
from trainables.training.passes import PassCounter

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def trained(name, dual=True):
    """A network whose norms have seen data, differently on the two routes."""
    torch.manual_seed(0)
    net = PixelNet(MODELS[name].build(10, 32, True, False), MEAN, STD, dual=dual, bf16=False)
    for parameter in net.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    net(torch.rand(8, 3, 32, 32))
    if dual:
        with aux_norm(net):
            net(torch.rand(8, 3, 32, 32) ** 2)
    return net


@pytest.mark.parametrize("name", ["resnet8", "preact_resnet18"])
@torch.no_grad()
def test_it_equals_the_trained_network(name):
    net, x = trained(name), torch.rand(6, 3, 32, 32)
    net.eval()
    expected = {"main": net(x)}
    with aux_norm(net):
        expected["aux"] = net(x)
    assert not torch.allclose(expected["main"], expected["aux"], atol=1e-3)
    for norm, logits in expected.items():
        assert (DeployedNet(net, norm)(x) - logits).abs().max() < 1e-5 * logits.abs().max()


@torch.no_grad()
def test_that_of_a_compiled_network_is_its_own():
    net, x = trained("resnet8"), torch.rand(6, 3, 32, 32)
    expected = DeployedNet(net)(x)
    compile_training(net)
    deployed = DeployedNet(net)
    net.body.stem.weight.zero_()
    assert torch.equal(deployed(x), expected)


def test_norms_behind_convolutions_are_folded_away():
    def left(name):
        return sum(isinstance(m, nn.BatchNorm2d) for m in DeployedNet(trained(name)).modules())

    assert left("resnet8") == 0
    assert left("preact_resnet18") == 9  # those before a convolution stay


@torch.no_grad()
def test_bf16_is_close():
    net, x = trained("resnet8"), torch.rand(32, 3, 32, 32)
    exact, close = DeployedNet(net)(x), DeployedNet(net, bf16=True)(x)
    assert close.dtype == torch.float32
    assert not torch.equal(exact, close)
    assert (exact - close).abs().max() < 0.05 * exact.abs().max()


def test_the_trained_network_stays_as_it_was():
    net = trained("resnet8")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    DeployedNet(net, bf16=True)
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_a_plain_network_has_no_auxiliary_norms():
    with pytest.raises(ValueError, match="norm must be main for a network without auxiliary norms, got aux"):
        DeployedNet(trained("resnet8", dual=False), "aux")


def test_inputs_can_still_be_attacked():
    deployed = DeployedNet(trained("resnet8"))
    x = torch.rand(2, 3, 32, 32, requires_grad=True)
    assert torch.autograd.grad(deployed(x).sum(), x)[0].abs().sum() > 0


def test_a_network_without_batch_norm_is_taken_as_it_is():
    torch.manual_seed(0)
    net = PixelNet(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), MEAN, STD, dual=False, bf16=False)
    x = torch.rand(4, 3, 2, 2)
    assert torch.allclose(DeployedNet(net)(x), net(x), atol=1e-6)


@torch.no_grad()
def test_a_copy_of_a_network_in_training_counts_no_passes():
    members = Ensemble([MODELS["resnet8"].build(10, 32, True, False) for _ in range(2)])
    net = PixelNet(members, MEAN, STD, dual=False, bf16=False, head=LogMeanSoftmax()).eval()
    x, counter = torch.rand(4, 3, 32, 32), PassCounter(net)
    logits = net(x)
    assert counter.forward == 8  # each member saw four images
    assert torch.allclose(DeployedNet(net)(x), logits, atol=1e-5)
    assert counter.forward == 8
