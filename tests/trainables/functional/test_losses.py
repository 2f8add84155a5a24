"""Losses against the papers' own formulas and hand-made cases."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainables.functional import losses
from trainables.methods.pat import PAT
from trainables.methods.trades import TRADES
from trainables.methods.vanilla import Vanilla
from trainables.models.ensembles import LogMeanSoftmax
from trainables.models.pixel_net import PixelNet
from trainables.models.registry import MODELS
from trainables.models.smooth_relu import SmoothReLU, SmoothReLUs


def sample(classes=10):
    rng = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(50, classes, generator=rng, dtype=torch.float64)
    return logits, torch.randint(classes, (50,), generator=rng)


@pytest.mark.parametrize(("entropy_weight", "classes", "gamma"), [(2, 10, 0.741), (2, 100, 0.841)])
def test_the_smoothing_that_matches_entm_is_the_papers(entropy_weight, classes, gamma):
    assert losses.matching_smoothing(entropy_weight, classes) == pytest.approx(gamma, abs=5e-4)


@pytest.mark.parametrize(("entropy_weight", "classes"), [(0.5, 10), (2, 10), (1, 100), (5, 3)])
def test_that_smoothing_has_its_optimum_where_entm_has_it(entropy_weight, classes):
    """Gradient descent on one sample's logits ends at the same probability of the other classes under both losses."""
    others = []
    gamma = losses.matching_smoothing(entropy_weight, classes)
    for loss in (
        lambda z, y: losses.entropy_maximised(z, y, entropy_weight),
        lambda z, y: losses.smoothed(z, y, gamma),
    ):
        logits, y = torch.zeros(1, classes, dtype=torch.float64, requires_grad=True), torch.tensor([1])
        optimizer = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

        def closure(loss=loss, logits=logits, y=y, optimizer=optimizer):
            optimizer.zero_grad()
            value = loss(logits, y).sum()
            value.backward()
            return value

        optimizer.step(closure)
        others.append(logits.detach().softmax(dim=1)[0, 0])
    assert others[0] == pytest.approx(float(others[1]), rel=1e-4)


def test_no_reward_for_entropy_means_no_smoothing():
    assert losses.matching_smoothing(0.0, 10) == 0


def test_label_smoothing_satisfies_equation_7():
    (logits, y), gamma = sample(), 0.74
    log_p, uniform = F.log_softmax(logits, dim=1), torch.full_like(logits, 0.1)
    divergence = (uniform * (uniform.log() - log_p)).sum(dim=1)  # KL(u ‖ p)
    expected = (1 - gamma) * F.cross_entropy(logits, y, reduction="none") + gamma * divergence + gamma * math.log(10)
    assert torch.allclose(losses.smoothed(logits, y, gamma), expected)


def test_maximal_entropy_satisfies_equation_8():
    (logits, y), weight = sample(), 2.0
    log_p = F.log_softmax(logits, dim=1)
    divergence = (log_p.exp() * (log_p + math.log(10))).sum(dim=1)  # KL(p ‖ u)
    expected = F.cross_entropy(logits, y, reduction="none") + weight * divergence - weight * math.log(10)
    assert torch.allclose(losses.entropy_maximised(logits, y, weight), expected)


def test_adversarial_smoothing_gives_a_share_to_the_least_likely_class():
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, 1.0]], dtype=torch.float64)
    log_p = F.log_softmax(logits, dim=1)
    expected = -0.9 * log_p[0, 0] - 0.1 * log_p[0, 1]
    found = losses.adversarially_smoothed(logits, torch.tensor([0, 0]), 0.1)
    assert found[0] == pytest.approx(float(expected))
    assert found[1] == pytest.approx(float(-log_p[1, 0])), "where it is the own class, the label stays one-hot"


def test_the_volume_of_orthogonal_predictions_is_one_and_of_equal_ones_only_the_ridge():
    """Three predictions, four classes, label 1: without it the rows are unit vectors, or one vector three times."""
    apart = torch.tensor([[[0.4, 0.6, 0, 0], [0, 0.7, 0.3, 0], [0, 0.5, 0, 0.5]]], dtype=torch.float64)
    alike = torch.tensor([[[0.1, 0.7, 0.1, 0.1]] * 3], dtype=torch.float64)
    skew = torch.tensor([[[0.4, 0.2, 0.4, 0], [0.3, 0.7, 0, 0], [0, 0.5, 0, 0.5]]], dtype=torch.float64)
    label = torch.tensor([1])
    assert losses.log_volume(apart, label).item() == pytest.approx(0.0, abs=1e-5)
    assert losses.log_volume(alike, label).item() == pytest.approx(math.log(3 * 1e-12), abs=1e-5)
    assert losses.log_volume(skew, label).item() == pytest.approx(math.log(1 / 2), abs=1e-5)  # 1 − cos² 45°


def test_the_prediction_of_an_ensemble_is_the_mean_of_the_probabilities():
    logits = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(LogMeanSoftmax()(logits).softmax(dim=1), logits.softmax(dim=2).mean(dim=1), atol=1e-6)
    assert torch.allclose(LogMeanSoftmax()(logits).exp().sum(dim=1), torch.ones(5))


def test_a_smooth_relu_is_relu_to_the_bit_with_the_derivative_of_the_softplus():
    x = torch.cat([torch.linspace(-3, 3, 1001), torch.tensor([0.0, -0.0, 1e-30, -1e-30])]).requires_grad_()
    out = SmoothReLU.apply(x)
    assert torch.equal(out, torch.relu(x))
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert torch.allclose(gradient, 1 / (1 + torch.exp(-10 * x)), atol=1e-6)
    assert torch.allclose(gradient, torch.autograd.grad(F.softplus(x, beta=10).sum(), x)[0], atol=1e-6)


@pytest.mark.parametrize("name", ["resnet8", "resnet18", "preact_resnet18", "mnist_cnn"])
def test_every_relu_of_a_network_is_made_smooth_and_none_changes_its_value(name):
    torch.manual_seed(0)
    body = MODELS[name].build(10, 32, True, False)
    calls = []
    original, x = SmoothReLU.forward, torch.rand(4, 3, 32, 32)
    plain = body(x)
    SmoothReLU.forward = staticmethod(lambda ctx, z: calls.append(z.shape) or original(ctx, z))
    try:
        assert torch.equal(SmoothReLUs(body)(x), plain)
    finally:
        SmoothReLU.forward = original
    traced = torch.fx.symbolic_trace(body.eval())
    modules = dict(traced.named_modules())
    relus = [
        node for node in traced.graph.nodes
        if node.target in (F.relu, torch.relu) or isinstance(modules.get(str(node.target)), nn.ReLU)
    ]  # fmt: skip
    assert len(calls) == len(relus) > 0


def test_a_network_without_relus_cannot_be_made_smooth():
    with pytest.raises(ValueError, match="sat must have ReLUs to make smooth, but Flatten has none"):
        SmoothReLUs(nn.Flatten())(torch.rand(1, 3))


def gradients(method, norms):
    torch.manual_seed(0)
    net = PixelNet(MODELS["resnet8"].build(10, 32, norms, False), (0.5,) * 3, (0.25,) * 3, dual=False, bf16=False)
    rng = torch.Generator().manual_seed(1)
    x, y = torch.rand(12, 3, 32, 32, generator=rng), torch.randint(10, (12,), generator=rng)
    method.accumulate(net, x, y, rng)
    return [parameter.grad for parameter in net.parameters()]


@pytest.mark.parametrize("norms", [True, False])
@pytest.mark.parametrize("method", [TRADES(beta=0.0, n=2), PAT(clean_weight=1.0, n=2)])
def test_without_weight_on_the_attack_a_step_is_vanilla(method, norms):
    ours, plain = gradients(method, norms), gradients(Vanilla(), norms)
    assert all(torch.equal(left, right) for left, right in zip(ours, plain, strict=True))
