"""Every network of the list builds, classifies and can be trained."""

import pytest
import torch
import torchvision
from torch import nn

from trainables.models.pixel_net import PixelNet
from trainables.models.registry import MODELS, model_entry


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_network_gives_a_logit_per_class(name):
    with torch.device("meta"):  # shapes without the work: the larger ones take seconds a forward pass on a CPU
        net = MODELS[name].build(7, 32, True, False)
        assert net(torch.empty(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("resnet8", 0.078),
        ("resnet8s1", 0.078),
        ("resnet18", 11.17),
        ("preact_resnet18", 11.17),
        ("wrn_28_10", 36.48),
        ("wrn_34_10", 46.16),
    ],
)
def test_sizes_are_the_known_ones(name, millions):
    with torch.device("meta"):
        net = MODELS[name].build(10, 32, True, False)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)


def test_small_images_get_the_cifar_stem():
    with torch.device("meta"):
        small, large = MODELS["resnet18"].build(10, 32, True, False), MODELS["resnet18"].build(10, 224, True, False)
    assert (small.conv1.kernel_size, small.conv1.stride, type(small.maxpool)) == ((3, 3), (1, 1), nn.Identity)
    assert (large.conv1.kernel_size, large.conv1.stride, type(large.maxpool)) == ((7, 7), (2, 2), nn.MaxPool2d)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"vit_b_16"}))
def test_norms_can_be_switched_off(name):
    with torch.device("meta"):
        net = MODELS[name].build(10, 32, False, False)
    assert not any(isinstance(module, nn.BatchNorm2d | nn.LayerNorm) for module in net.modules())


@pytest.mark.parametrize("name", ["resnet8", "preact_resnet18"])
def test_a_network_without_norms_starts_with_logits_of_ordinary_size(name):
    torch.manual_seed(0)
    net = MODELS[name].build(10, 32, False, False)
    with torch.no_grad():
        logits = net(torch.randn(16, 3, 32, 32))
    assert 0.01 < logits.std() < 30


def test_a_vision_transformer_needs_its_norms():
    with pytest.raises(ValueError, match="without norms"):
        MODELS["vit_b_16"].build(10, 32, False, False)


def test_own_networks_have_no_pretrained_weights():
    with pytest.raises(ValueError, match="pretrained"):
        MODELS["resnet8"].build(10, 32, True, True)


@pytest.fixture
def weights_file(tmp_path, monkeypatch):
    """The file that torchvision would download, with weights that are told apart from fresh ones."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    url = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url
    net = torchvision.models.resnet18()
    net.bn1.running_mean.fill_(0.25)
    net.bn1.weight.data.fill_(3.0)
    path = tmp_path / "hub" / "checkpoints" / url.rsplit("/", 1)[1]
    path.parent.mkdir(parents=True)
    torch.save(net.state_dict(), path)
    return path


def test_fine_tuning_starts_from_the_weights_with_auxiliary_norms_as_copies(weights_file):
    net = PixelNet(MODELS["resnet18"].build(37, 224, True, True), (0.5,) * 3, (0.25,) * 3, dual=True, bf16=False)
    assert net.body.fc.out_features == 37
    for norm in (net.body.bn1.main, net.body.bn1.aux):
        assert (norm.running_mean == 0.25).all()
        assert (norm.weight == 3.0).all()


def test_weights_with_norms_do_not_fit_a_net_without(weights_file):
    with pytest.raises(ValueError, match="norms must be true for pretrained weights of resnet18"):
        MODELS["resnet18"].build(37, 224, False, True)


def test_weights_that_cannot_be_downloaded_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens there, so no network is asked
    with pytest.raises(OSError, match=r"the pretrained weights of resnet18 must be downloaded or be in .*checkpoints"):
        MODELS["resnet18"].build(37, 224, True, True)


def test_the_network_for_mnist_is_the_papers_on_28_grey_pixels():
    torch.manual_seed(0)
    net = MODELS["mnist_cnn"].build(10, 32, True, False)
    sizes = {name: tuple(parameter.shape) for name, parameter in net.named_parameters() if name.endswith("weight")}
    assert sizes == {
        "conv1.weight": (10, 1, 5, 5), "conv2.weight": (20, 10, 5, 5),
        "hidden.weight": (50, 320), "head.weight": (10, 50),
    }  # fmt: skip
    grey = torch.rand(4, 1, 28, 28)
    bordered = nn.functional.pad(grey, (2, 2, 2, 2)).repeat(1, 3, 1, 1)
    assert torch.allclose(net(bordered), net(grey.repeat(1, 3, 1, 1)), atol=1e-6)
    assert torch.allclose(net(bordered), net(grey), atol=1e-6)
    with pytest.raises(ValueError, match="mnist_cnn takes images of 28 pixels or of 32 with a border, got 64"):
        MODELS["mnist_cnn"].build(10, 64, True, False)


def test_an_unknown_network_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="unknown model 'resnt8'; did you mean 'resnet8'\\? known: mnist_cnn,"):
        model_entry("resnt8")


def test_images_are_normalised_inside():
    net = PixelNet(nn.Flatten(), mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.1), dual=False, bf16=False)
    x = torch.rand(2, 3, 4, 4)
    expected = (x - torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)) / torch.tensor([0.5, 0.25, 0.1]).view(1, 3, 1, 1)
    assert torch.allclose(net(x), expected.flatten(1), atol=1e-6)


def test_bf16_keeps_weights_and_logits_in_fp32():
    torch.manual_seed(0)
    net = PixelNet(MODELS["resnet8"].build(10, 32, True, False), (0.5,) * 3, (0.25,) * 3, dual=True, bf16=True)
    x = torch.rand(4, 3, 32, 32)
    logits = net(x)
    exact = PixelNet(net.body, (0.5,) * 3, (0.25,) * 3, dual=False, bf16=False)
    assert logits.dtype == torch.float32
    assert all(parameter.dtype == torch.float32 for parameter in net.parameters())
    assert not torch.equal(logits, exact(x))
    assert torch.allclose(logits, exact(x), atol=0.1)
