"""Mixtures against plain arithmetic."""

import pytest
import torch

from trainables.functional.batch import generator_on
from trainables.functional.mixing import cutmix, mixup, unmixed


def images(batch=6, size=8, dtype=torch.float64):
    rng = torch.Generator().manual_seed(3)
    x = torch.rand(batch, size, size, 3, generator=rng, dtype=dtype).permute(0, 3, 1, 2)
    return x, torch.arange(batch)


def test_mixup_is_a_weighted_mean_with_a_permutation():
    x, y = images()
    mix = mixup(x, y, 1.0, torch.Generator().manual_seed(0))
    weight = mix.weight.item()
    assert 0 < weight < 1
    assert sorted(mix.y_b.tolist()) == y.tolist()
    assert torch.equal(mix.y_a, y)
    for i, partner in enumerate(mix.y_b.tolist()):
        assert torch.allclose(mix.x[i], weight * x[i] + (1 - weight) * x[partner])


def test_a_mixtures_loss_is_cross_entropy_against_the_soft_label():
    x, y = images()
    mix = mixup(x, y, 1.0, torch.Generator().manual_seed(0))
    logits = torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    soft = (
        mix.weight * torch.eye(6, dtype=torch.float64)[mix.y_a]
        + (1 - mix.weight) * torch.eye(6, dtype=torch.float64)[mix.y_b]
    )
    assert torch.allclose(mix.losses(logits), -(soft * logits.log_softmax(1)).sum(1))
    assert torch.allclose(mix.first_losses(logits), -logits.log_softmax(1)[range(6), y])


@pytest.mark.parametrize("beta", [0.2, 1.0, 4.0])
def test_weights_follow_the_beta_distribution(beta):
    x, y = images(2, 2)
    rng = torch.Generator().manual_seed(0)
    weights = torch.stack([mixup(x, y, beta, rng).weight for _ in range(3000)])
    assert weights.mean().item() == pytest.approx(0.5, abs=0.03)
    assert weights.var().item() == pytest.approx(1 / (4 * (2 * beta + 1)), rel=0.1)


def test_cutmix_pastes_one_rectangle_and_weighs_by_area():
    x, y = images(6, 16)
    rng = torch.Generator().manual_seed(0)
    shares = []
    for _ in range(50):
        mix = cutmix(x, y, 1.0, rng)
        for i, partner in enumerate(mix.y_b.tolist()):
            from_partner = (mix.x[i] != x[i]).any(0)
            if partner != i and from_partner.any():
                rows, columns = from_partner.any(1), from_partner.any(0)
                assert torch.equal(from_partner, rows[:, None] & columns[None, :])
                for line in (rows, columns):  # one interval, not several
                    assert (line.int().diff() == 1).sum() <= 1
                assert torch.equal(mix.x[i][:, from_partner], x[partner][:, from_partner])
                assert mix.weight.item() == pytest.approx(1 - from_partner.double().mean().item())
        shares.append(mix.weight.item())
    assert min(shares) < 0.5 < max(shares)


def test_mixed_images_keep_their_memory_layout():
    x, y = images(dtype=torch.float32)
    assert x.is_contiguous(memory_format=torch.channels_last)
    for mix in (mixup, cutmix, unmixed):
        mixed = mix(x, y, 1.0, torch.Generator().manual_seed(0))
        assert mixed.x.is_contiguous(memory_format=torch.channels_last)
        assert mixed.take(torch.tensor([0, 2])).x.is_contiguous(memory_format=torch.channels_last)


def test_unmixed_images_have_their_own_labels_only():
    x, y = images()
    mix = unmixed(x, y, 1.0, torch.Generator())
    logits = torch.randn(6, 6, dtype=torch.float64)
    assert mix.x is x
    assert torch.allclose(mix.losses(logits), mix.first_losses(logits))


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_a_mixture_on_another_device_takes_the_same_draws_from_a_cpu_generator(mix):
    """The device "meta" holds no values, but a generator of the CPU must serve it and end in the same state."""
    (x, y), here, there = images(), torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    mix(x, y, 1.0, here)
    assert mix(x.to("meta"), y.to("meta"), 1.0, there).x.device.type == "meta"
    assert torch.equal(here.get_state(), there.get_state())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_a_seed_gives_the_same_mixture_on_a_gpu(mix):
    x, y = images()
    here = mix(x, y, 1.0, torch.Generator().manual_seed(0))
    there = mix(x.cuda(), y.cuda(), 1.0, torch.Generator().manual_seed(0))
    assert torch.equal(here.y_b, there.y_b.cpu())
    assert here.weight.item() == pytest.approx(there.weight.item())


def test_noise_comes_from_the_generator_itself_where_it_is_on_the_device():
    rng = torch.Generator()
    assert generator_on(torch.device("cpu"), rng) is rng
