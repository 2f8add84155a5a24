"""The two norm sets: main is plain batch norm, auxiliary is apart from it, and an attack leaves no trace."""

import copy

import pytest
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from trainables.methods import EntProp
from trainables.models.dual_norm import add_aux_norms, attack_statistics, aux_norm, dual_norms, norm_groups
from trainables.models.pixel_net import PixelNet
from trainables.models.registry import MODELS


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5))


def dual(plain):
    net = copy.deepcopy(plain)
    net.route = add_aux_norms(net)
    return net


def batch_norms(net):
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


def statistics(net, which):
    return {
        name: value.clone() for name, value in net.state_dict().items() if f".{which}." in name and "running" in name
    }


def test_the_main_route_equals_plain_batch_norm_to_the_bit():
    plain = small_net()
    net, x = dual(plain), torch.rand(6, 3, 9, 9)
    for _ in range(3):
        assert torch.equal(net(x), plain(x))
    assert torch.equal(net[1].main.running_mean, plain[1].running_mean)
    assert torch.equal(net[4].main.running_var, plain[4].running_var)
    plain.eval(), net.eval()
    assert torch.equal(net(x), plain(x))


def test_the_auxiliary_route_has_its_own_parameters_and_statistics():
    net, x = dual(small_net()), torch.rand(6, 3, 9, 9)
    with torch.no_grad():
        net[1].aux.weight.mul_(2)
    before = statistics(net, "main")
    with aux_norm(net):
        aux_out = net(x)
    assert all(torch.equal(before[name], value) for name, value in statistics(net, "main").items())
    assert not torch.equal(net[1].aux.running_mean, net[1].main.running_mean)
    main_out = net(x)
    assert not torch.allclose(main_out, aux_out)


def test_an_auxiliary_loss_reaches_no_main_norm():
    net, x = dual(small_net()), torch.rand(6, 3, 9, 9)
    main, aux = norm_groups(net)
    with aux_norm(net):
        net(x).square().sum().backward()
    assert all(parameter.grad is None for parameter in main)
    assert all(parameter.grad is not None for parameter in aux)


def test_the_route_comes_back_after_an_exception():
    net = dual(small_net())
    with pytest.raises(ZeroDivisionError), aux_norm(net), attack_statistics(net, "batch"):
        raise ZeroDivisionError
    assert net.route.aux is False
    assert all(norm.training and norm.track_running_stats for norm in batch_norms(net))


def test_aux_norms_start_as_copies_of_trained_main_norms():
    plain = small_net()
    plain(torch.rand(8, 3, 9, 9) + 2)
    net = dual(plain)
    for name, value in net[1].main.state_dict().items():
        assert torch.equal(value, net[1].aux.state_dict()[name])
        assert value.data_ptr() != net[1].aux.state_dict()[name].data_ptr()


def test_batch_statistics_normalise_as_in_training_but_leave_the_running_ones():
    net, x = dual(small_net()), torch.rand(6, 3, 9, 9)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with attack_statistics(net, "batch"):
        quiet = net(x)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert torch.equal(quiet, net(x))


def test_running_statistics_normalise_as_in_evaluation():
    net, x = dual(small_net()), torch.rand(6, 3, 9, 9)
    net(x)
    with attack_statistics(net, "running"):
        attacked = net(x)
    assert torch.allclose(attacked, net.eval()(x), atol=1e-6)


@pytest.mark.parametrize("source", ["batch", "running"])
def test_an_attack_leaves_no_trace_in_a_network_of_one_norm_set_either(source):
    net, x = small_net(), torch.rand(6, 3, 9, 9)
    net(x + 1)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with attack_statistics(net, source):
        quiet = net(x)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert torch.equal(quiet, net.train(source == "batch")(x))


def test_norms_in_evaluation_mode_stay_there_in_an_attack():
    net, x = dual(small_net()).eval(), torch.rand(6, 3, 9, 9)
    with attack_statistics(net, "batch"):
        quiet = net(x)
    assert torch.equal(quiet, net(x))
    assert not any(norm.training for norm in batch_norms(net))


@pytest.mark.parametrize("name", ["resnet8", "resnet18", "preact_resnet18", "vit_b_16"])
def test_every_norm_of_a_network_is_doubled(name):
    torch.manual_seed(0)
    net = MODELS[name].build(10, 32, True, False)
    wanted = sum(isinstance(module, nn.BatchNorm2d | nn.LayerNorm) for module in net.modules())
    parameters = sum(
        p.numel() for m in net.modules() if isinstance(m, nn.BatchNorm2d | nn.LayerNorm) for p in m.parameters()
    )
    add_aux_norms(net)
    main, aux = norm_groups(net)
    assert len(dual_norms(net)) == wanted
    assert len(main) == len(aux) == 2 * wanted > 0
    assert sum(p.numel() for p in aux) == parameters


def test_a_dual_net_compiles_without_a_break():
    net, x = dual(small_net()), torch.rand(6, 3, 9, 9)
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    twin = copy.deepcopy(net)
    assert torch.equal(compiled(x), twin(x))
    with aux_norm(net), aux_norm(twin):
        assert torch.equal(compiled(x), twin(x))
    for name, value in net.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name])


class ScaledNorm(nn.Module):
    """A norm that torch does not have."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))


OTHER_NORMS = {
    "GroupNorm": lambda: nn.GroupNorm(2, 4),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(4, affine=True),
    "BatchNorm1d": lambda: nn.BatchNorm1d(4),
    "BatchNorm3d": lambda: nn.BatchNorm3d(4, affine=False),  # without weights, but with statistics
    "SyncBatchNorm": lambda: nn.SyncBatchNorm(4),
    "FrozenBatchNorm2d": lambda: FrozenBatchNorm2d(4),
    "ScaledNorm": ScaledNorm,
    **({"RMSNorm": lambda: nn.RMSNorm(4)} if hasattr(nn, "RMSNorm") else {}),
}


@pytest.mark.parametrize("kind", OTHER_NORMS)
def test_a_network_with_a_norm_that_cannot_be_doubled_is_refused_and_left_alone(kind):
    net = nn.Sequential(small_net(), OTHER_NORMS[kind](), nn.Sequential(OTHER_NORMS[kind]()))
    names = list(net.state_dict())
    with pytest.raises(ValueError, match=rf"must be BatchNorm2d or LayerNorm .*got 1 \({kind}\), 2\.0 \({kind}\)$"):
        add_aux_norms(net)
    assert list(net.state_dict()) == names


def test_a_network_without_norms_is_refused_and_norms_without_weights_are_no_obstacle():
    layers = [nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4), nn.GroupNorm(2, 4, affine=False), nn.LocalResponseNorm(2)]
    with pytest.raises(ValueError, match="need a BatchNorm2d or LayerNorm to double, Sequential has none"):
        add_aux_norms(nn.Sequential(*layers))
    net = nn.Sequential(*layers, nn.BatchNorm2d(4))
    add_aux_norms(net)
    assert len(dual_norms(net)) == 1


def test_entprop_does_not_train_a_network_of_group_norms_with_shared_norms():
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.LazyLinear(10))
    with pytest.raises(ValueError, match=r"got body\.1 \(GroupNorm\)"):
        PixelNet(body, (0.5,) * 3, (0.25,) * 3, dual=EntProp.dual, bf16=False)
