"""Methods in somebody's own training loop, on networks of torchvision and timm."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from trainables.config import TrialConfig, make_method, with_recipe
from trainables.data.images import Images, Splits
from trainables.methods import EntProp
from trainables.models import PixelNet
from trainables.models.deploy import DeployedNet
from trainables.models.dual_norm import dual_norms
from trainables.models.registry import model_entry
from trainables.training.state import build_network

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()


def batches(count=2, images=20, side=32, classes=10):
    rng = torch.Generator().manual_seed(1)
    return [(torch.rand(images, 3, side, side, generator=rng), torch.arange(images) % classes) for _ in range(count)]


def test_the_loop_of_the_page_trains():
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "accumulate" in block]
    assert len([line for line in code.splitlines() if line and not line.startswith(("import", "from"))]) <= 10
    found = {"loader": batches()}
    exec(code, found)
    assert found["logits"].shape == (20, 10)
    assert found["logits"].isfinite().all()
    pairs = dual_norms(found["net"])
    assert len(pairs) == 20
    assert any(not torch.equal(pair.main.weight, pair.aux.weight) for pair in pairs)


def test_norms_that_cannot_be_doubled_are_named():
    from torchvision.models import resnet18

    net = resnet18(norm_layer=lambda channels: nn.GroupNorm(2, channels))
    with pytest.raises(ValueError, match=r"must be BatchNorm2d or LayerNorm .*bn1 \(GroupNorm\).* and 15 more$"):
        PixelNet(net)
    assert isinstance(net.bn1, nn.GroupNorm)


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050", "convnext_atto", "efficientnet_b0"])
def test_networks_of_timm_train_and_are_deployed(name):
    timm = pytest.importorskip("timm")
    net = PixelNet(timm.create_model(name, num_classes=4))
    ((x, y),) = batches(1, images=6, classes=4)
    step = EntProp(k=0.5, n=1).accumulate(net, x, y, torch.Generator().manual_seed(0))
    assert len(step.selected) == 3
    assert all(parameter.grad is not None for pair in dual_norms(net) for parameter in pair.aux.parameters())
    assert (DeployedNet(net)(x) - net.eval()(x)).abs().max() < 1e-4


def splits():
    pixels = torch.randint(0, 256, (8, 32, 32, 3), dtype=torch.uint8).numpy()
    part = Images(pixels, (torch.arange(8) % 2).numpy())
    return Splits("own", part, part, part, ("a", "b"), 32, (0.5,) * 3, (0.25,) * 3, "here", "x")


def test_a_model_of_timm_is_built_by_its_name():
    pytest.importorskip("timm")
    config = with_recipe(make_method("entprop", {}), "digits", model="timm:resnet18", batch_size=4)
    net = build_network(config, splits())
    assert net(torch.rand(2, 3, 32, 32)).shape == (2, 2)
    assert len(dual_norms(net)) == 20
    vit = with_recipe(make_method("entprop", {}), "digits", model="timm:vit_tiny_patch16_224", batch_size=4)
    assert build_network(vit, splits())(torch.rand(2, 3, 32, 32)).shape == (2, 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [("resnet81", "unknown timm model 'resnet81'; did you mean 'resnet"), ("resnet50_gn", "must be BatchNorm2d or")],
)
def test_a_model_of_timm_that_cannot_be_trained_is_refused(name, message):
    pytest.importorskip("timm")
    config = with_recipe(make_method("entprop", {}), "digits", model=f"timm:{name}", batch_size=4)
    with pytest.raises(ValueError, match=message):
        build_network(config, splits())


def test_without_timm_its_models_say_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(ValueError, match="needs the package timm; pip install timm"):
        model_entry("timm:resnet18").build(10, 32, True, False)
    with pytest.raises(ValueError, match=r"unknown model 'timm:'.*timm:NAME"):
        TrialConfig(model="timm:")
