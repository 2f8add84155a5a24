"""Class activation maps and the distance between feature sets, on networks and gaussians with known answers."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import nn

from trainables.corruptions.functions import corrupt
from trainables.measures.class_activation import activation_maps, class_activation, cut_before_pool, features
from trainables.measures.frechet import frechet_distance, measure_frechet, transformed
from trainables.methods.entprop import EntProp
from trainables.models.deploy import DeployedNet
from trainables.models.pixel_net import PixelNet
from trainables.models.registry import model_entry


class Colours(nn.Module):
    """Three maps, the colours themselves, and a class for each that likes it and dislikes the next."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        self.head = nn.Linear(3, 3)
        with torch.no_grad():
            self.conv.weight.copy_(torch.eye(3).view(3, 3, 1, 1))
            self.head.weight.copy_(torch.eye(3) - torch.eye(3).roll(1, dims=1))
            self.head.bias.copy_(torch.tensor([0.0, 0.1, 0.2]))

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))


def deployed(body):
    return DeployedNet(PixelNet(body, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), dual=False, bf16=False).eval())


def picture(*places):
    """A black picture of 32 pixels with coloured places: (row, column, channel)."""
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    for row, column, channel in places:
        pixels[0, row, column, channel] = 255
    return pixels


# ---- class activation maps ------------------------------------------------------------------------------------------


def test_a_map_weighs_the_features_with_the_row_of_the_class():
    maps = torch.arange(8.0).view(1, 2, 2, 2)
    weight = torch.tensor([[1.0, 0.0], [2.0, -1.0]])
    assert torch.equal(class_activation(maps, weight, torch.tensor([0])), maps[:, 0])
    assert class_activation(maps, weight, torch.tensor([1])).tolist() == [[[-4.0, -3.0], [-2.0, -1.0]]]


def test_the_map_of_a_hand_made_network():
    found = activation_maps(deployed(Colours()), picture((3, 4, 1), (3, 4, 2), (9, 9, 1)), np.array([1]), [17])
    assert found["kind"].tolist() == ["clean", "fog", "glass_blur"]
    assert (found["image"].tolist(), found["label"].tolist()) == ([17] * 3, [1] * 3)
    # classes are red − green, green − blue + 0.1 and blue − red + 0.2, with a pixel being 1/1024
    logits = np.array([-2 / 1024, 1 / 1024 + 0.1, 1 / 1024 + 0.2])
    assert found["predicted"][0] == 2
    assert found["confidence"][0] == pytest.approx(np.exp(logits)[2] / np.exp(logits).sum())
    expected = np.zeros((32, 32))
    expected[3, 4] = 1.0  # blue speaks for it; the green pixel says nothing
    np.testing.assert_allclose(found["map"][0], expected, atol=1e-6)


def test_corrupted_pictures_are_those_of_the_corruptions():
    pixels = picture((3, 4, 1), (20, 20, 0))
    found = activation_maps(deployed(Colours()), pixels, np.array([0]), [0])
    np.testing.assert_array_equal(found["pixels"][:1], pixels)
    np.testing.assert_array_equal(found["pixels"][1:2], corrupt(torch.from_numpy(pixels), "fog", 3).numpy())


@pytest.mark.parametrize("model", ["resnet8", "resnet18", "preact_resnet18"])
def test_the_mean_of_the_maps_is_what_the_network_says(model):
    torch.manual_seed(0)
    net = deployed(model_entry(model).build(5, 32, True, False))
    x, cut = torch.rand(2, 3, 32, 32), cut_before_pool(net)
    with torch.no_grad():
        logits, maps = net(x), cut.maps(x)
        assert maps.ndim == 4
        assert torch.allclose(cut.head(features(cut, x)), logits, atol=1e-5)
        predicted = logits.argmax(1)
        means = class_activation(maps, cut.head.weight, predicted).mean((1, 2)) + cut.head.bias[predicted]
        assert torch.allclose(means, logits.amax(1), atol=1e-5)


@pytest.mark.parametrize(
    ("body", "got"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), "got input before it"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 2)), "got AdaptiveAvgPool2d before it"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2), nn.ReLU()), "got ReLU at its end"),
    ],
)
def test_a_network_of_another_shape_is_refused(body, got):
    with pytest.raises(ValueError, match=f"mean over positions and one linear layer, {got}"):
        cut_before_pool(deployed(body))


def test_a_network_that_goes_on_after_its_linear_layer_has_no_maps():
    class Doubled(DeployedNet):
        def forward(self, x):
            return 2 * super().forward(x)

    net = Doubled(PixelNet(Colours(), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), dual=False, bf16=False).eval())
    with pytest.raises(ValueError, match="one linear layer, got more after it"):
        activation_maps(net, picture((3, 4, 1)), np.array([0]), [0])


# ---- Fréchet distance -----------------------------------------------------------------------------------------------


def gaussian(count, dimensions, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimensions)) @ np.diag(np.arange(1.0, dimensions + 1))


def test_equal_sets_are_at_distance_0():
    first = gaussian(50, 6)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(first, first[::-1]) == pytest.approx(0, abs=1e-9)
    few = gaussian(4, 6)  # fewer images than features: the covariance is singular
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)


def test_a_shift_is_its_squared_length_and_a_scale_acts_on_the_deviations():
    first = gaussian(50, 3)
    assert frechet_distance(first, first + np.array([3.0, 0.0, 4.0])) == pytest.approx(25)
    centred = first - first.mean(axis=0)
    variance = np.trace(np.cov(centred, rowvar=False))
    assert frechet_distance(centred, 3 * centred) == pytest.approx(4 * variance)  # (3 − 1)² Σ σ²


def test_the_distance_agrees_with_a_matrix_root():
    first, second = gaussian(80, 5), gaussian(60, 5, seed=1) @ np.linalg.qr(gaussian(5, 5, seed=2))[0]
    covariances = [np.cov(side, rowvar=False) for side in (first, second)]
    gap = first.mean(axis=0) - second.mean(axis=0)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    assert frechet_distance(first, second) == pytest.approx(gap @ gap + np.trace(sum(covariances) - 2 * root))


def test_a_single_image_has_no_covariance():
    with pytest.raises(ValueError, match="at least 2 images"):
        frechet_distance(gaussian(1, 3), gaussian(5, 3))


def test_transformed_sets_are_equally_many_and_what_they_say():
    torch.manual_seed(0)
    net, x, y = deployed(Colours()), torch.rand(10, 3, 4, 4), torch.arange(10) % 3
    how = EntProp(k=0.3, n=2, mixing="mixup")
    sets = transformed(net, x, y, how, torch.Generator().manual_seed(1))
    assert {name: len(images) for name, images in sets.items()} == {
        "original": 10,
        "as many originals": 3,
        "mixup": 3,
        "pgd": 3,
        "entprop": 3,
    }
    originals = [next(i for i in range(10) if torch.equal(x[i], one)) for one in sets["as many originals"]]
    assert len(set(originals)) == 3
    # PGD attacks the images that stand for the originals: each step is 1/255
    moved = (sets["pgd"] - sets["as many originals"]).abs() * 255
    assert moved.max() == pytest.approx(2, abs=1e-3)
    again = transformed(net, x, y, how, torch.Generator().manual_seed(1))
    assert all(torch.equal(sets[name], again[name]) for name in sets)


def test_the_most_uncertain_mixed_images_are_attacked():
    """The chosen ones, put back by at most the attack's radius, are the mixed images of the largest entropy."""
    torch.manual_seed(0)
    net, x, y = deployed(Colours()), torch.rand(10, 3, 4, 4), torch.arange(10) % 3
    everything = transformed(net, x, y, EntProp(k=1.0, n=1), torch.Generator().manual_seed(1))
    mixed, attacked = everything["mixup"], transformed(net, x, y, EntProp(k=0.3, n=1), torch.Generator().manual_seed(1))
    p = net(mixed).softmax(1)
    entropies = -(p * p.log()).sum(1)
    best = mixed[entropies.topk(3).indices]
    for image in attacked["entprop"]:
        assert (image - best).abs().amax((1, 2, 3)).min() * 255 == pytest.approx(1, abs=1e-3)


def test_distances_are_measured_over_all_batches():
    torch.manual_seed(0)
    net, how = deployed(Colours()), EntProp(k=0.5)
    batches = [(torch.rand(10, 3, 4, 4), torch.arange(10) % 3, torch.arange(10)) for _ in range(4)]
    found = list(measure_frechet(net, batches, how, seed=3))
    assert [(name, images) for name, images, _ in found] == [
        (name, 20) for name in ("as many originals", "mixup", "pgd", "entprop")
    ]
    rng = torch.Generator().manual_seed(3)
    parts = [transformed(net, x, y, how, rng) for x, y, _ in batches]
    # the features of this network are the mean colours of a picture
    colours = {name: torch.cat([part[name] for part in parts]).mean((2, 3)).numpy() for name in parts[0]}
    for name, _, value in found:
        assert value == pytest.approx(frechet_distance(colours["original"], colours[name]), rel=1e-3)
