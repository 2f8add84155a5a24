"""Margin, Jacobian, non-linearity, distortion and surfaces, against networks whose values can be worked out by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainables.measures.geometry import (
    ADVERSARY,
    STEP,
    ImageGeometry,
    distortion,
    image_geometry,
    jacobian,
    nonlinearity,
    spectral_norm,
    summarise_geometry,
)
from trainables.measures.loss_surface import POINTS, REACH, directions, surface, surface_points


class Linear(nn.Module):
    """Logits linear in the pixels."""

    def __init__(self, *rows, bias=None):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(rows))
        self.bias = nn.Parameter(torch.zeros(len(rows)) if bias is None else torch.tensor(bias))

    def forward(self, x):
        return F.linear(x.flatten(1), self.weight, self.bias)


class Square(nn.Module):
    """Logits (x₁², x₂²)."""

    def forward(self, x):
        return x.flatten(1) ** 2


def pixels(*values):
    return torch.tensor(values).view(len(values), 1, 1, -1)


def geometry(net, x, y):
    return list(image_geometry(net, [(x, y, torch.arange(len(y)))]))


def test_the_jacobian_of_a_linear_network_is_its_weight():
    net = Linear([1.0, 2.0], [3.0, 4.0], [5.0, 6.0])
    found, logits = jacobian(net, pixels([0.5, 0.5], [0.1, 0.2]))
    assert torch.equal(found, net.weight.expand(2, 3, 2))
    assert torch.allclose(logits, torch.tensor([[1.5, 3.5, 5.5], [0.5, 1.1, 1.7]]))


def test_the_spectral_norm_is_the_largest_singular_value():
    assert torch.allclose(spectral_norm(torch.tensor([[[3.0, 0.0], [0.0, -4.0]]])), torch.tensor([4.0]))
    # with one class at zero, it is the norm of the difference of the two weights
    assert torch.allclose(spectral_norm(torch.tensor([[[3.0, 4.0], [0.0, 0.0]]])), torch.tensor([5.0]))
    many = torch.randn(5, 10, 40, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(spectral_norm(many), torch.linalg.matrix_norm(many, ord=2), rtol=1e-5)


def test_a_linear_network_has_no_nonlinearity():
    net, x, moved = Linear([1.0, 2.0], [3.0, -4.0]), pixels([0.5, 0.5]), pixels([0.3, -0.1])
    found, logits = jacobian(net, x)
    assert nonlinearity(found, moved, net(x + moved) - logits).item() == pytest.approx(0, abs=1e-6)


def test_nonlinearity_of_a_square():
    """From 1 to 1.5 the square grows by 1.25, its tangent by 1: a quarter more."""
    net, x, moved = Square(), pixels([1.0, 0.0]), pixels([0.5, 0.0])
    found, logits = jacobian(net, x)
    assert nonlinearity(found, moved, net(x + moved) - logits).item() == pytest.approx(0.25)


def test_nonlinearity_does_not_exist_without_a_slope():
    assert nonlinearity(torch.zeros(1, 2, 3), torch.ones(1, 1, 1, 3), torch.ones(1, 2)).isnan().all()


def test_the_distortion_of_a_linear_classifier_is_the_distance_to_its_boundary():
    net, y = Linear([3.0, 4.0], [0.0, 0.0], bias=[0.0, 3.5]), torch.tensor([0, 0, 1])
    x = pixels([0.6, 0.7], [0.5, 0.8], [0.1, 0.2])
    margins = torch.tensor([1.1, 1.2, 2.4])  # 3a + 4b − 3.5, and its negative
    assert torch.allclose(distortion(net, x, y), margins / 5, atol=STEP / 1000)


def test_distortion_does_not_exist_for_wrong_images_and_for_those_that_stay_right():
    net = Linear([1.0], [-1.0])
    assert distortion(net, pixels([0.5], [0.5]), torch.tensor([1, 0])).isnan().all()  # wrong; at black it is a tie
    reachable = Linear([1.0], [-1.0], bias=[-0.2, 0.2])
    assert distortion(reachable, pixels([0.5]), torch.tensor([0])).item() == pytest.approx(0.3, abs=1e-4)
    assert distortion(reachable, pixels([0.5]), torch.tensor([0]), limit=5).isnan().all()


def test_every_measure_of_an_image():
    net, x, y = Linear([3.0, 4.0], [0.0, 0.0], bias=[0.0, 3.5]), pixels([0.6, 0.7], [0.6, 0.7]), torch.tensor([0, 1])
    right, wrong = geometry(net, x, y)
    assert (right.margin, wrong.margin) == (pytest.approx(1.1), pytest.approx(-1.1))
    assert right.jacobian_norm == pytest.approx(5)
    assert right.normalised_margin == pytest.approx(0.22)
    assert right.nonlinearity == pytest.approx(0, abs=1e-5)
    assert right.distortion == pytest.approx(0.22, abs=1e-4)
    assert (right.right, right.right_attacked) == (True, False)  # 0.5 is farther than the boundary
    assert (wrong.right, wrong.distortion) == (False, None)
    assert ADVERSARY.epsilon / 255 == 0.5


def test_the_table_holds_means_and_the_correlation():
    rows = [
        ImageGeometry(0, 0, 1.0, 2.0, 0.5, True, True, 3.0, 1.0),
        ImageGeometry(1, 0, 3.0, 4.0, 0.75, True, False, None, 2.0),
        ImageGeometry(2, 0, 2.0, 2.0, 1.0, True, False, 1.0, 3.0),
        ImageGeometry(3, 1, -2.0, 4.0, -0.5, False, False, 2.0, None),
    ]
    found = {row.name: (row.value, images) for row, images in summarise_geometry(rows)}
    assert found["margin"] == (1.0, 4)
    assert found["jacobian_norm"] == (3.0, 4)
    assert found["normalised_margin"] == (pytest.approx(0.4375), 4)  # the mean of ratios, not the ratio of means
    assert found["accuracy_pgd20_l2_0.5"] == (25.0, 4)
    assert found["nonlinearity"] == (2.0, 3)
    assert found["distortion"] == (2.0, 3)
    assert found["correlation_margin_distortion"] == (pytest.approx(1.0), 3)
    assert "correlation_margin_distortion" not in {row.name for row, _ in summarise_geometry(rows[:1])}
    assert "distortion" not in {row.name for row, _ in summarise_geometry(rows[3:])}


def test_the_parts_of_a_batch_do_not_matter(monkeypatch):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 3)).requires_grad_(False)
    rng = torch.Generator().manual_seed(0)
    x, y = torch.rand(5, 3, 4, 4, generator=rng), torch.tensor([0, 1, 2, 0, 1])
    whole = geometry(net, x, y)
    monkeypatch.setattr("trainables.measures.geometry.JACOBIAN_VALUES", 1)
    for one, other in zip(whole, geometry(net, x, y), strict=True):
        assert (one.margin, one.jacobian_norm) == pytest.approx((other.margin, other.jacobian_norm), rel=1e-5)


# ---- surfaces -------------------------------------------------------------------------------------------------------


def test_directions_have_max_norm_1_and_are_the_same_for_every_network():
    x, y = pixels([0.5, 0.5, 0.5]), torch.tensor([0])
    first, second = directions(Linear([1.0, -2.0, 0.5], [0.0, 0.0, 0.0]), x, y, seed=3)
    assert first.flatten().tolist() == [-1, 1, -1]  # up the loss is down the own class
    assert second.abs().max() == 1
    other = directions(Linear([0.0, 1.0, 0.0], [0.0, 0.0, 0.0]), x, y, seed=3)
    assert torch.equal(second, other[1])
    assert not torch.equal(second, directions(Linear([0.0, 1.0, 0.0], [0.0, 0.0, 0.0]), x, y, seed=4)[1])


def test_a_linear_networks_margin_is_a_plane_and_its_loss_follows():
    net, x = Linear([2.0, 1.0], [0.0, 0.0]), pixels([0.5, 0.5])
    first, second, grid = pixels([1.0, 0.0]), pixels([0.0, 1.0]), torch.tensor([-0.1, 0.0, 0.1])
    losses, margins = surface(net, x, torch.tensor([0]), first, second, grid)
    plane = 1.5 + torch.tensor([[-0.3, -0.2, -0.1], [-0.1, 0.0, 0.1], [0.1, 0.2, 0.3]])
    assert torch.allclose(margins, plane)
    assert torch.allclose(losses, F.softplus(-plane))


def test_a_surface_has_the_image_in_its_middle():
    net, x, y = Linear([2.0, 1.0], [0.0, 0.0]), pixels([0.5, 0.25], [0.1, 0.9]), torch.tensor([0, 1])
    points = list(surface_points(net, (x, y, torch.tensor([7, 4]))))
    assert len(points) == 2 * POINTS**2
    middle = [point for point in points if point.along_gradient == 0 == point.along_random]
    assert [(point.image, point.label) for point in middle] == [(7, 0), (4, 1)]
    assert [point.margin for point in middle] == pytest.approx([1.25, -1.1])
    assert (points[0].along_gradient, points[-1].along_random) == (-REACH, REACH)
