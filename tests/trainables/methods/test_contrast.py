"""GPaCo: gradients against a slow step, the queue, and the copy that follows."""

import pytest
import torch

from tests.support import reference_contrast as reference
from tests.trainables.methods.test_gradients_robust import LABELS, Ran, choices, make_net
from tests.trainables.methods.test_gradients_robust import X as IMAGES
from trainables.methods.contrast import EMPTY, Contrast, Keys, head_of
from trainables.methods.gpaco import GPaCo
from trainables.methods.vanilla import Vanilla
from trainables.models.deploy import DeployedNet

DIM = 6


def half_full(net):
    """A queue of seven places of which four are taken."""
    draw = torch.Generator().manual_seed(5)
    head = head_of(net)
    head.queue.copy_(torch.nn.functional.normalize(torch.randn(head.queue.shape, generator=draw), dim=1))
    head.labels.copy_(torch.tensor([0, 1, 1, 3, EMPTY, EMPTY, EMPTY]))
    head.place.fill_(4)


@pytest.mark.parametrize("k", [0.0, 0.2, 0.6])
def test_a_step_equals_the_slow_algorithm(k):
    grid = choices(n=[1, 3], metric=["entropy", "margin"], attack_bn=["batch", "running"])
    for settings in grid if k else grid[:1]:
        ran = Ran("gpaco", prepare=half_full, k=k, queue=7, dim=DIM, contrast_weight=0.3, temperature=0.5, **settings)
        wanted = reference.step(ran.network, IMAGES, LABELS, k, weight=0.3, temperature=0.5, **settings)
        ran.agrees(wanted)
        for name, parameter in ran.net.named_parameters():
            assert torch.allclose(parameter, ran.network.parameters[name]), name
        assert (ran.step.main_weight, ran.step.aux_weight) == pytest.approx((1 / (1 + k), k / (1 + k)))


def test_with_an_empty_queue_one_image_and_no_weight_on_images_it_is_cross_entropy_with_one_more_class():
    torch.manual_seed(0)
    head = Contrast(DIM, 4, length=3)
    features, y = torch.randn(1, DIM), torch.tensor([2])
    own = torch.nn.functional.normalize(head.projection(features), dim=1)
    loss = head.losses(features, y, 1, Keys(own.detach(), torch.tensor([1])), weight=0.0, temperature=0.2)
    scores = torch.cat([head(features), torch.tensor([[1 / 0.2]])], dim=1)
    assert torch.allclose(loss, torch.nn.functional.cross_entropy(scores, y), atol=1e-6)


def test_the_queue_forgets_its_oldest_images():
    head = Contrast(DIM, 4, length=5)
    for first in (0, 3):
        labels = torch.arange(first, first + 3)
        head.enqueue(Keys(labels[:, None].expand(3, 128).float(), labels))
    assert head.labels.tolist() == [5, 1, 2, 3, 4]
    assert head.queue[:, 0].tolist() == [5, 1, 2, 3, 4]
    assert int(head.place) == 1


def test_the_copy_takes_no_gradient_and_is_not_deployed():
    net = make_net(GPaCo(dim=DIM, queue=7)).float()
    assert not any(p.requires_grad for p in [*net.body.slow.parameters(), *net.head.slow_projection.parameters()])
    deployed = DeployedNet(net)
    assert not any("slow" in name for name, _ in deployed.body.named_parameters())
    x = IMAGES.float()
    assert torch.allclose(deployed(x), net.eval()(x), atol=1e-4)


def test_another_head_is_refused():
    with pytest.raises(TypeError, match="the head must be a Contrast, got Identity"):
        head_of(make_net(Vanilla()))
