"""The arithmetic of one step of an attack."""

import pytest
import torch

from tests.support.attack_nets import generator, pixels
from trainables.attacks.in_training import ascend
from trainables.attacks.objectives import attack_objective, attack_succeeded, input_gradient
from trainables.attacks.pgd import l2_noise, l2_normalize, pgd_step
from trainables.attacks.spec import parse_attack


def test_weights_take_part_again_after_an_input_gradient_even_if_it_fails():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3), torch.nn.Linear(3, 3))
    net[2].requires_grad_(False)
    before = [each.requires_grad for each in net.parameters()]
    within = []

    def objective(logits):
        within.extend(each.requires_grad for each in net.parameters())
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        input_gradient(net, torch.rand(2, 3, 2, 2), objective)
    assert within == [False] * 4
    assert [each.requires_grad for each in net.parameters()] == before


def test_a_step_in_the_largest_norm_moves_every_pixel_by_alpha():
    x = pixels([0.5, 0.5, 0.5])
    moved = pgd_step(x, pixels([3.0, -0.1, 0.0]), x, parse_attack("PGD2-51:step=25.5"))
    assert torch.allclose(moved, pixels([0.6, 0.4, 0.5]))
    again = pgd_step(moved, pixels([1.0, 1.0, -1.0]), x, parse_attack("PGD2-25.5:step=25.5"))
    assert torch.allclose(again, pixels([0.6, 0.5, 0.4]))  # the first pixel is at the edge of the ball


def test_a_step_in_l2_has_length_alpha_and_is_drawn_back_to_the_radius():
    x = pixels([0.5, 0.5])
    moved = pgd_step(x, pixels([3e-30, -4e-30]), x, parse_attack("PGD2-51:step=25.5,norm=l2"))
    assert torch.allclose(moved, pixels([0.56, 0.42]))
    far = pgd_step(moved, pixels([3.0, -4.0]), x, parse_attack("PGD2-25.5:step=127.5,norm=l2"))
    assert torch.allclose(far, pixels([0.56, 0.42]))


def test_a_pixel_at_its_limit_turns_round_at_once():
    """The perturbation is what is left after the clamp: nothing beyond [0, 1] has to be walked back."""
    x, attack = pixels([1.0, 0.0]), parse_attack("PGD2-51:step=25.5")
    up = pgd_step(pgd_step(x, pixels([1.0, -1.0]), x, attack), pixels([1.0, -1.0]), x, attack)
    assert torch.equal(up, x)
    assert torch.allclose(pgd_step(up, pixels([-1.0, 1.0]), x, attack), pixels([0.9, 0.1]))


def test_unit_vectors_of_the_smallest_gradients():
    v = pixels([3e-38, 4e-38], [0.0, 0.0], [3e30, 4e30])
    assert torch.allclose(l2_normalize(v), pixels([0.6, 0.8], [0.0, 0.0], [0.6, 0.8]))


def test_the_ball_is_filled_evenly():
    delta = l2_noise(torch.zeros(4000, 1, 1, 3), 0.5, generator())
    lengths = delta.flatten(1).norm(dim=1) / 0.5
    assert lengths.max() <= 1
    assert (lengths < 0.5).float().mean() == pytest.approx(1 / 8, abs=0.02)  # the share of the volume
    assert delta.mean(0).abs().max() < 0.02


def test_objectives_are_what_they_say():
    logits = torch.randn(5, 4, generator=generator(), dtype=torch.float64)
    y, clean = torch.tensor([0, 1, 2, 3, 0]), torch.randn(5, 4, generator=generator(1), dtype=torch.float64)
    log_p, rows = logits.log_softmax(1), range(5)

    def objective(name):
        return attack_objective(parse_attack(name), y, clean)(logits)

    assert torch.allclose(objective("PGD2-8"), -log_p[rows, y])
    soft = 0.7 * torch.eye(4, dtype=torch.float64)[y] + 0.3 / 4
    assert torch.allclose(objective("PGD2-8:smoothing=0.3"), -(soft * log_p).sum(1))
    assert torch.allclose(objective("PGD2-8:target=2"), log_p[:, 2])
    margins = [max(row[c] for c in range(4) if c != label) - row[label] for row, label in zip(logits, y, strict=True)]
    assert torch.allclose(objective("CW2-8"), torch.stack(margins))
    gains = [row[2] - max(row[c] for c in range(4) if c != 2) for row in logits]
    assert torch.allclose(objective("CW2-8:target=2"), torch.stack(gains))
    divergence = (clean.softmax(1) * (clean.log_softmax(1) - log_p)).sum(1)
    assert torch.allclose(objective("TRADES2-8"), divergence)
    assert attack_objective(parse_attack("CW2-8"), y, None)(100 * logits).max() == 50  # A57


def test_fooled_means_wrong_or_the_target():
    logits, y = torch.eye(3), torch.tensor([0, 0, 2])
    assert attack_succeeded(logits, y, parse_attack("PGD2-8")).tolist() == [False, True, False]
    assert attack_succeeded(logits, y, parse_attack("PGD2-8:target=2")).tolist() == [False, False, True]


def climb(x, signs, **strength):
    """The images after a training attack whose gradients have these signs, step by step."""
    left = [pixels(each) for each in signs]
    return ascend(pixels(x), lambda _: left.pop(0), n=len(signs), **strength)


def test_a_training_attack_does_not_remember_what_black_and_white_cut_off():
    """Three steps of 10/255 down at black and one up: the pixel is at 10/255, not still below zero."""
    moved = climb([0.0, 1.0], [[-1.0, 1.0]] * 3 + [[1.0, -1.0]], alpha=10, epsilon=30)
    assert torch.allclose(moved, pixels([10 / 255, 245 / 255]))


def test_the_cumulative_rule_clips_the_sum_of_steps_only_where_it_is_added():
    """δ = 10, 20, 10, 0 (of 255): the image moves by 10, 10, 10 and 0; a δ that is itself clipped would end 10 away."""
    signs = [[1.0], [1.0], [-1.0], [-1.0]]
    moved = climb([0.5], signs, alpha=1, epsilon=10, rule="cumulative")
    assert torch.allclose(moved, pixels([0.5 + 30 / 255]))
