"""The mixture paper's evaluation as its code does it, against arithmetic done by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainables.measures.mixture_paper import (
    DEVIATION,
    LEGACY_ATTACKS,
    MEAN,
    LegacyAttack,
    legacy_images,
    legacy_net,
    measure_legacy,
    normalised,
)
from trainables.models.dual_norm import DualNorm
from trainables.models.pixel_net import PixelNet

LOGITS = torch.tensor([[1.0, -1.0, 0.5], [-1.0, 1.0, -0.5]])


def linear_net(dual=False):
    """Batch norm, mean over positions, two classes."""
    body = nn.Sequential(nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        body[3].weight.copy_(LOGITS)
    return PixelNet(body, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), dual=dual, bf16=False).eval()


def images(count=8):
    return torch.rand(count, 3, 2, 2, generator=torch.Generator().manual_seed(0))


def test_the_columns_are_those_of_the_tables():
    assert [(a.epsilon, a.step, a.steps) for a in LEGACY_ATTACKS.values() if a] == [
        (0.1, 0.1, 1),
        (0.1, 2 / 255, 2),
        (0.5, 0.5, 1),
        (0.5, 0.5, 2),
    ]


def test_the_clamp_deletes_what_is_darker_than_the_mean():
    """z = −0.8 becomes 0, z = 0.2 moves by epsilon, z = 1.7 becomes 1, whatever epsilon is."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        net[1].weight.copy_(LOGITS)
    z, y = torch.tensor([-0.8, 0.2, 1.7]).view(1, 3, 1, 1), torch.tensor([0])
    moved = legacy_images(net, z, y, LegacyAttack(0.1, 0.1, 1))
    assert moved.flatten().tolist() == pytest.approx([0, 0.3, 1])  # up the loss of class 0 is −, +, −


def test_two_steps_stay_within_epsilon_of_the_normalised_image():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        net[1].weight.copy_(LOGITS)
    z, y = torch.tensor([0.5, 0.5, 0.5]).view(1, 3, 1, 1), torch.tensor([1])
    assert legacy_images(net, z, y, LegacyAttack(0.1, 0.04, 2)).flatten().tolist() == pytest.approx([0.58, 0.42, 0.58])
    assert legacy_images(net, z, y, LegacyAttack(0.1, 0.07, 2)).flatten().tolist() == pytest.approx([0.6, 0.4, 0.6])


def test_the_network_sees_the_same_picture_with_the_statistics_of_its_batch():
    net, x = linear_net(), images()
    shown, z = legacy_net(net, "main"), normalised(x)
    assert torch.allclose(z, (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(DEVIATION).view(1, 3, 1, 1))
    own = (x - torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1)) / torch.tensor([0.2, 0.3, 0.4]).view(1, 3, 1, 1)
    expected = F.batch_norm(own, None, None, training=True).mean((2, 3)) @ LOGITS.T
    assert torch.allclose(shown(z), expected, atol=1e-5)
    assert not torch.allclose(net(x), expected, atol=1e-2)  # as the clean protocol sees it


def test_accuracies_by_hand_and_no_trace_in_the_network():
    net, x = linear_net(), images()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    y = (F.batch_norm(x, None, None, training=True).mean((2, 3)) @ LOGITS.T).argmax(1)
    y[0] = 1 - y[0]
    found = {row.name: row.value for row in measure_legacy(net, [(x[:4], y[:4], None), (x[4:], y[4:], None)])}
    assert list(found) == list(LEGACY_ATTACKS)
    parts = [(x[:4], y[:4]), (x[4:], y[4:])]
    right = sum(
        int(((F.batch_norm(a, None, None, training=True).mean((2, 3)) @ LOGITS.T).argmax(1) == b).sum())
        for a, b in parts
    )
    assert found["clean"] == 100 * right / 8
    shown, fooled = legacy_net(net, "main"), 0
    for a, b in parts:
        z = normalised(a).requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(shown(z), b), z)
        fooled += int((shown((z + 0.5 * gradient.sign()).clamp(0, 1)).argmax(1) != b).sum())
    assert found["FGSM 0.5"] == 100 * (8 - fooled) / 8
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert not net.training


def test_the_norms_that_were_asked_for_are_used():
    net, x = linear_net(dual=True), images()
    assert isinstance(net.body[0], DualNorm)
    with torch.no_grad():
        net.body[0].aux.weight.copy_(torch.tensor([-1.0, -1.0, -1.0]))
    main, aux = legacy_net(net, "main"), legacy_net(net, "aux")
    assert torch.allclose(main(normalised(x)), -aux(normalised(x)), atol=1e-5)
