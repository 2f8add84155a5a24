"""The robust methods against the slow steps of `reference_robust`, in float64."""

import copy
import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.support import reference_robust as reference
from tests.support.reference_parts import Network
from tests.trainables.methods.test_gradients import ABSOLUTE, BATCH, CLASSES, RELATIVE, SIDE, TinyNet, Y
from trainables.functional.losses import matching_smoothing
from trainables.methods import METHODS, Method, StepOutput, Task, parts_of
from trainables.models.pixel_net import PixelNet

X = 0.1 + 0.8 * torch.rand((BATCH, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
LABELS = Y.tolist()


def make_net(method: Method) -> PixelNet:
    """All weights random, and running statistics that differ from those of the batch."""
    draw = torch.Generator().manual_seed(2)
    body, head = parts_of(method, TinyNet, Task(CLASSES, steps=10))
    net = PixelNet(body, (0.5,) * 3, (0.25,) * 3, dual=method.dual, bf16=False, head=head).double()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            centre, spread = (1.0, 0.4) if "norm" in name and name.endswith("weight") else (0.0, 0.5)
            parameter.copy_(centre + spread * torch.randn(parameter.shape, generator=draw, dtype=torch.float64))
        for name, buffer in net.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=draw, dtype=torch.float64))
            elif name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=draw, dtype=torch.float64))
    return net


def plain(name: str) -> str:
    """A name as the reference has it, where the body is wrapped for smooth derivatives."""
    return name.replace("body.body.", "body.")


class Ran:
    """One step of a method of the package, and the reference's network before it."""

    def __init__(
        self, name: str, seed: int = 0, prepare: Callable[[PixelNet], None] | None = None, **settings: object
    ) -> None:
        self.method = METHODS[name](**settings)
        self.net = make_net(self.method)
        if prepare is not None:
            prepare(self.net)
        before = copy.deepcopy(self.net.state_dict())
        self.network = Network(
            {plain(key): before[key].clone().requires_grad_() for key, _ in self.net.named_parameters()},
            {plain(key): before[key].clone() for key, _ in self.net.named_buffers()},
        )
        self.images: list[Tensor] = []  # what the network was shown, pass by pass
        rng = torch.Generator().manual_seed(seed)
        with self.net.register_forward_pre_hook(lambda _, args: self.images.append(args[0].detach().clone())):
            self.step: StepOutput = self.method.accumulate(self.net, X.clone(), Y.clone(), rng)

    def attack(self) -> dict:
        return {name: getattr(self.method, name) for name in ("n", "epsilon", "alpha", "attack_bn")}

    def agrees(self, expected: reference.Outcome, relative: float = RELATIVE) -> None:
        gradients, loss = expected
        assert float(self.step.loss) == pytest.approx(loss, rel=RELATIVE)
        for name, parameter in self.net.named_parameters():
            wanted = gradients[plain(name)]
            got = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            assert torch.allclose(got, wanted, relative, ABSOLUTE), (self.method, name)
        for name, buffer in self.net.named_buffers():
            wanted = self.network.statistics[plain(name)]
            assert torch.allclose(buffer.double(), wanted.double(), RELATIVE, ABSOLUTE), (self.method, name)


def choices(**options: list) -> list[dict]:
    return [dict(zip(options, values, strict=True)) for values in itertools.product(*options.values())]


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_entm_equals_the_slow_algorithm(weight):
    ran = Ran("entm", entropy_weight=weight)
    ran.agrees(reference.plain(ran.network, X, LABELS, reference.entm(weight)))


@pytest.mark.parametrize("smoothing", [None, 0.0, 0.3, 1.0])
def test_label_smoothing_equals_the_slow_algorithm(smoothing):
    ran = Ran("label_smoothing", smoothing=smoothing, entropy_weight=1.0)
    gamma = matching_smoothing(1.0, CLASSES) if smoothing is None else smoothing
    ran.agrees(reference.plain(ran.network, X, LABELS, reference.label_smoothing(gamma)))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5])
def test_als_equals_the_slow_algorithm(share):
    ran = Ran("als", als_share=share)
    ran.agrees(reference.plain(ran.network, X, LABELS, reference.als(share)))


PAT_LOSSES = {
    "ce": reference.cross_entropies,
    "entm": reference.entm(1.5),
    "ls": reference.label_smoothing(0.4),
    "als": reference.als(0.2),
}


@pytest.mark.parametrize("loss", PAT_LOSSES)
def test_pat_equals_the_slow_algorithm(loss):
    grid = choices(
        attack_loss=["same", "ce"],
        start=["none", "uniform"],
        attack_bn=["batch", "running"],
        n=[1, 4],
        sat=[False, True],
    )
    for seed, settings in enumerate(grid):
        ran = Ran(
            "pat", seed, loss=loss, entropy_weight=1.5, smoothing=0.4, als_share=0.2, clean_weight=0.3, **settings
        )
        start = ran.images[1] - X
        assert bool(start.any()) == (settings["start"] == "uniform")
        assert start.abs().max() <= 8 / 255 + 1e-12
        raised = PAT_LOSSES[loss if settings["attack_loss"] == "same" else "ce"]
        relu = reference.soft if settings["sat"] else reference.hard
        ran.agrees(reference.pat(ran.network, X, LABELS, PAT_LOSSES[loss], raised, start, ran.attack(), 0.3, relu))


def test_trades_equals_the_slow_algorithm():
    losses = {"ce": reference.cross_entropies, "entm": reference.entm(1.5)}
    grid = choices(loss=["ce", "entm"], attack_bn=["batch", "running"], n=[1, 4], beta=[0.0, 1.0, 3.0])
    for seed, settings in enumerate(grid):
        ran = Ran("trades", seed, entropy_weight=1.5, **settings)
        noise = ran.images[1] - X
        assert 0.0005 < noise.std() < 0.002
        ran.agrees(
            reference.trades(ran.network, X, LABELS, losses[settings["loss"]], noise, ran.attack(), settings["beta"])
        )


def test_adp_equals_the_slow_algorithm():
    for settings in choices(entropy_weight=[0.0, 2.0], diversity_weight=[0.0, 0.5]):
        ran = Ran("adp", **settings)
        # the log-determinant of nearly parallel predictions amplifies rounding, which differs between processors
        ran.agrees(reference.adp(ran.network, X, LABELS, **settings), relative=1e-7)
        probabilities = [member(4 * X - 2).softmax(1) for member in ran.net.eval().body.members]
        assert torch.allclose(ran.net(X).softmax(1), sum(probabilities) / 3)


@pytest.mark.parametrize("loss", ["ce", "als"])
@pytest.mark.parametrize("sat", [False, True])
def test_advprop_with_adversarial_labels_and_smooth_derivatives_equals_the_slow_algorithm(loss, sat):
    for settings in choices(attack_bn=["batch", "running"], n=[1, 3]):
        ran = Ran("advprop", loss=loss, sat=sat, als_share=0.2, **settings)
        relu = reference.soft if sat else reference.hard
        ran.agrees(reference.advprop(ran.network, X, LABELS, PAT_LOSSES[loss], ran.attack(), relu))


def test_smooth_derivatives_are_of_training_alone():
    ran = Ran("pat", sat=True)
    x = X.clone().requires_grad_()
    body: nn.Module = ran.net.body.body
    smooth, sharp = (torch.autograd.grad(net(4 * x - 2).sum(), x)[0] for net in (ran.net.body, body))
    assert not torch.allclose(smooth, sharp)
    ran.net.eval()
    smooth, sharp = (torch.autograd.grad(net(4 * x - 2).sum(), x)[0] for net in (ran.net.body, body))
    assert torch.equal(smooth, sharp)
