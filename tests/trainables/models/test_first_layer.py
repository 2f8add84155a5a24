"""The first layer's way back to some images, beside torch's way back to all."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from trainables.models.first_layer import ImageConv2d, gradient_only_for, use_plain_layers
from trainables.models.pixel_net import PixelNet, normalise
from trainables.models.registry import MODELS

X = torch.rand((12, 3, 32, 32), generator=torch.Generator().manual_seed(1)).to(memory_format=torch.channels_last)
Y = torch.arange(12) % 10
ROWS = torch.tensor([7, 2, 11])
NETWORKS = ("resnet8", "resnet8s1", "resnet18", "preact_resnet18")


def make_net(name: str, *, bf16: bool = False, norms: bool = True) -> PixelNet:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = PixelNet(
            MODELS[name].build(10, 32, norms, False), (0.5,) * 3, (0.2, 0.25, 0.3), dual=norms, bf16=bf16
        )  # fmt: skip
    return net.to(memory_format=torch.channels_last)


def gradients(net: nn.Module, rows: torch.Tensor | None = None) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Of the images and of every parameter."""
    net.zero_grad()
    images = X.clone(memory_format=torch.preserve_format).requires_grad_()
    loss = cross_entropy(net(images), Y)
    if rows is None:
        loss.backward()
    else:
        with gradient_only_for(net, rows):
            loss.backward()
    return images.grad, {name: each.grad for name, each in net.named_parameters() if each.grad is not None}


def torch_gradients(net: PixelNet) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Those of the same network made of torch's layers alone."""
    plain = copy.deepcopy(net)
    use_plain_layers(plain)
    assert not any(isinstance(module, ImageConv2d) for module in plain.modules())
    return gradients(plain)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("norms", [True, False])  # without norms the stem has a bias
def test_the_gradients_are_those_of_torch(name, norms):
    net = make_net(name, norms=norms)
    images, weights = torch_gradients(net)
    all_images, all_weights = gradients(net)
    some_images, some_weights = gradients(net, ROWS)
    torch.testing.assert_close(all_images, images)
    torch.testing.assert_close(some_images[ROWS], images[ROWS])
    for mine in (all_weights, some_weights):
        assert mine.keys() == weights.keys()
        for key, value in weights.items():
            torch.testing.assert_close(mine[key], value)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_way_back_to_other_images_is_left_out(name):
    others = torch.ones(len(X), dtype=torch.bool).index_fill_(0, ROWS, False)
    images, _ = gradients(make_net(name), ROWS)
    assert (images[others] == 0).all()
    assert (images[ROWS].abs().amax((1, 2, 3)) > 0).all()


def test_weights_before_a_convolution_of_three_channels_learn_from_the_whole_batch():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        body = nn.Sequential(
            nn.Conv2d(3, 3, 1), nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 30 * 30, 10)
        )
    net = PixelNet(body, (0.5,) * 3, (0.25,) * 3, dual=False, bf16=False)
    images, weights = torch_gradients(net)
    some_images, some_weights = gradients(net, ROWS)
    torch.testing.assert_close(some_images[ROWS], images[ROWS])
    for key, value in weights.items():
        torch.testing.assert_close(some_weights[key], value)


def test_it_ends_with_its_context():
    net = make_net("resnet8")
    with pytest.raises(KeyError), gradient_only_for(net, ROWS):
        raise KeyError
    images, _ = gradients(net)
    assert (images.abs().amax((1, 2, 3)) > 0).all()


def test_bf16_passes_have_it_too():
    net = make_net("resnet18", bf16=True)
    images, weights = torch_gradients(net)
    some_images, some_weights = gradients(net, ROWS)
    torch.testing.assert_close(some_images[ROWS], images[ROWS], rtol=0.02, atol=1e-4)
    assert all(each.dtype == torch.float32 for each in (some_images, *some_weights.values()))
    torch.testing.assert_close(some_weights["body.conv1.weight"], weights["body.conv1.weight"], rtol=0.02, atol=1e-3)


def test_a_network_without_such_a_layer_gives_the_gradient_of_all():
    net = PixelNet(MODELS["mnist_cnn"].build(10, 32, False, False), (0.5,) * 3, (0.25,) * 3, dual=False, bf16=False)
    assert torch.equal(gradients(net, ROWS)[0], gradients(net)[0])


def test_names_and_weights_stay_what_they_were():
    net = make_net("resnet18")
    assert isinstance(net.body.conv1, ImageConv2d)
    assert isinstance(net.body.conv1.weight, nn.Parameter)
    plain = MODELS["resnet18"].build(10, 32, True, False)
    assert [key for key in net.body.state_dict() if "conv" in key] == [
        key for key in plain.state_dict() if "conv" in key
    ]


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_normalising_is_the_same_in_every_layout(layout):
    scale, shift = torch.rand(2, 1, 3, 1, 1)
    x = X.contiguous(memory_format=layout)
    assert torch.equal(normalise(x, scale, shift), torch.addcmul(shift, x, scale))
    assert normalise(x, scale, shift).is_contiguous(memory_format=layout)
    assert normalise(x[:0], scale, shift).shape == (0, 3, 32, 32)
