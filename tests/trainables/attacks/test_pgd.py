"""Whole attacks: what they leave behind, and what comes of them."""

import functools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.attack_nets import PIXEL, Linear, dual_net, generator, pixels, small_images, traces, trained_digits
from trainables.attacks.pgd import perturb, pgd_step, random_start
from trainables.attacks.robustness import (
    accuracy_under_attack,
    attack_accuracies,
    attack_outcome,
    residual_attack,
    robust_correct,
    worst_smoothing,
)
from trainables.attacks.spec import (
    Attack,
    growing_radius,
    growing_steps,
    parse_attack,
    parse_attacks,
    smoothings,
    with_radii,
)
from trainables.models.deploy import DeployedNet
from trainables.models.dual_norm import aux_norm
from trainables.training.passes import PassCounter


@pytest.fixture(scope="module")
def digits():
    return trained_digits()


EVERY_KIND = (
    *("FGSM8", "PGD3-8", "PGD3-8:norm=l2", "CW3-8:start=uniform", "TRADES3-8", "PGD3-8:target=2"),
    *("PGD3-8:smoothing=0.5", "RS300-8"),
)


@pytest.mark.parametrize("name", EVERY_KIND)
@pytest.mark.parametrize("transfer", [False, True])
def test_an_attack_leaves_no_trace(name, transfer):
    if transfer and name.startswith("RS"):
        return
    net = dual_net()
    x, y = small_images(net)
    source = dual_net(1) if transfer else None
    before = [traces(each) for each in (net, source) if each is not None]
    images, state = x.clone(), torch.get_rng_state()
    robust_correct(net, x, y, parse_attack(name), generator(), source)
    for (tensors, *rest), each in zip(before, (net, source), strict=False):
        now, *rest_now = traces(each)
        assert rest == rest_now
        assert all(torch.equal(tensors[key], now[key]) for key in tensors)
    assert torch.equal(x, images)
    assert not x.requires_grad
    assert torch.equal(torch.get_rng_state(), state)


def test_modes_come_back_after_an_error():
    net = dual_net()
    x, y = small_images(net)
    before = [module.training for module in net.modules()]
    with pytest.raises(ValueError, match="target must be a class below 4, got 9"):
        robust_correct(net, x, y, parse_attack("PGD3-8:target=9"), generator())
    assert [module.training for module in net.modules()] == before


@functools.cache
def black_and_white():
    net = dual_net().eval()
    x, y = small_images(net)
    x[0], x[1, :, 2:] = 0, 1
    return net, x, y


@settings(max_examples=25)
@given(
    st.sampled_from(["linf", "l2"]),
    st.sampled_from(["none", "uniform", "gaussian"]),
    st.floats(0.1, 255),
    st.floats(0.1, 255),
    st.sampled_from(["pgd", "cw"]),
)
def test_ball_and_range_are_respected(norm, start, epsilon, step, kind):
    attack = Attack(kind, epsilon, 3, norm=norm, start=start, step=step, noise=0.3 if start == "gaussian" else None)
    net, x, y = black_and_white()
    for images in (random_start(x, attack, generator()), perturb(net, x, y, attack, generator())):
        assert images.min() >= 0
        assert images.max() <= 1
        delta = (images - x).flatten(1)
        size = delta.abs().amax(1) if norm == "linf" else delta.norm(dim=1)
        assert size.max() <= epsilon * PIXEL * (1 + 1e-5) + 1e-6


@pytest.mark.parametrize("name", ["PGD4-20", "PGD4-200:norm=l2", "CW4-20:start=uniform", "PGD4-20:target=1"])
def test_a_run_is_projected_gradient_ascent(name):
    """Against plain loops over samples, from the same start."""
    attack, net = parse_attack(name), dual_net().eval()
    x, y = small_images(net)
    net, x = net.double(), x.double()
    result = perturb(net, x, y, attack, generator(5))
    starts = random_start(x, attack, generator(5))
    for i in range(len(x)):
        image, start = x[i], starts[i]
        for _ in range(4):
            start = start.detach().requires_grad_()
            logits = net(start[None])[0]
            label = int(y[i])
            if attack.kind == "cw":
                gain = max(logits[c] for c in range(4) if c != label) - logits[label]
            elif attack.target is not None:
                gain = logits.log_softmax(0)[attack.target]
            else:
                gain = -logits.log_softmax(0)[label]
            (gradient,) = torch.autograd.grad(gain, start)
            direction = gradient.sign() if attack.norm == "linf" else gradient / gradient.norm()
            delta = start.detach() + attack.epsilon / 10 / 255 * direction - image
            radius = attack.epsilon / 255
            if attack.norm == "linf":
                delta = delta.clamp(-radius, radius)
            elif delta.norm() > radius:
                delta = delta * radius / delta.norm()
            start = (image + delta).clamp(0, 1)
        assert torch.allclose(result[i], start, atol=1e-9)


def test_only_gradients_of_images_are_computed():
    net = dual_net()
    x, y = small_images(net)
    counter = PassCounter(net)
    for parameter in net.parameters():
        parameter.grad = None
    perturb(net, x, y, parse_attack("PGD5-8:entprop"), generator())
    assert (counter.forward, counter.backward, counter.full) == (60, 60, 0)
    assert all(parameter.grad is None for parameter in net.parameters())


def worst_of_all(net, x, y, attack, rng):
    """Every image of every run of every sample, none left out."""
    robust = net(x).argmax(1) == y
    for _ in range(attack.runs):
        images = random_start(x, attack, rng)
        for step in range(attack.steps + 1):
            images = images.detach().requires_grad_()
            logits = net(images)
            robust &= logits.argmax(1) == y
            if step < attack.steps:
                gradient = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), images)[0]
                images = pgd_step(images, gradient, x, attack)
    return robust


@pytest.mark.parametrize("name", ["PGD5-12:restarts=3,step=3", "PGD5-250:norm=l2,restarts=2,start=uniform,step=100"])
def test_dropping_fooled_samples_changes_nothing_but_the_work(name, digits):
    (net, x, y), attack = digits, parse_attack(name)
    counter = PassCounter(net)
    robust = robust_correct(net, x, y, attack, generator(2))
    counter.remove()
    assert torch.equal(robust, worst_of_all(net, x, y, attack, generator(2)))
    assert 0.1 < robust.float().mean() < 0.9
    assert counter.forward < 0.9 * len(x) * (1 + attack.runs * (attack.steps + 1))


def test_random_numbers_do_not_depend_on_who_dropped_out(digits):
    net, x, y = digits
    for name in ("PGD2-12", "RS10-8"):
        rng, other = generator(), generator()
        robust_correct(net, x[:8], y[:8], parse_attack(name), rng)
        robust_correct(net, x[:8], (y[:8] + 1) % 10, parse_attack(name), other)  # every sample is wrong from the start
        assert torch.equal(rng.get_state(), other.get_state())


def test_more_runs_are_never_weaker(digits):
    net, x, y = digits
    one, five = (
        robust_correct(net, x[:40], y[:40], parse_attack(f"PGD3-12:step=4,restarts={runs},start=uniform"), generator())
        for runs in (1, 5)
    )
    assert not (five & ~one).any()


def test_attacks_go_through_the_norms_that_the_route_names():
    net = dual_net().eval()
    x, _ = small_images(net)
    with torch.no_grad():
        main = net(x).argmax(1)
        with aux_norm(net):
            aux = net(x).argmax(1)
    assert (main != aux).any()
    attack = parse_attack("PGD3-0.001:entprop")  # too weak to change anything: what is left is the clean prediction
    assert robust_correct(net, x, main, attack, generator()).all()
    with aux_norm(net):
        assert robust_correct(net, x, aux, attack, generator()).all()
        assert not robust_correct(net, x, main, attack, generator()).all()


def test_a_targeted_attack_is_measured_on_right_images_of_other_classes():
    """Four classes by one pixel each; the attack reaches the target where that pixel is nearly as bright."""
    net = Linear(torch.eye(4))
    x = pixels(
        [0.9, 0.8, 0.1, 0.1], [0.9, 0.1, 0.1, 0.1], [0.1, 0.9, 0.1, 0.1], [0.9, 0.1, 0.8, 0.1], [0.2, 0.2, 0.9, 0.8]
    )
    y = torch.tensor([0, 0, 1, 2, 2])  # the third is of the target class, the fourth is wrong from the beginning
    outcome = attack_outcome(net, x, y, parse_attack("PGD5-25.5:target=1,start=none,step=12.75"), generator())
    assert outcome.counts.tolist() == [True, True, False, False, True]
    assert outcome.robust.tolist() == [False, True, False, False, True]
    assert outcome.accuracy == pytest.approx(100 * 2 / 3)
    with pytest.raises(ValueError, match="at least one image must be classified correctly"):
        accuracy_under_attack(net, [(x[2:4], y[2:4], None)], parse_attack("PGD5-25.5:target=1"))


def test_transfer_shows_one_networks_images_to_another():
    source, blind = Linear([[1.0, 0.0], [-1.0, 0.0]]), Linear([[0.0, 1.0], [0.0, -1.0]], [-0.5, 0.5])
    x, y = pixels([0.05, 0.9], [0.6, 0.9]), torch.tensor([0, 0])
    attack = parse_attack("PGD4-51:start=none")
    assert robust_correct(blind, x, y, attack, generator()).all()
    assert robust_correct(blind, x, y, attack, generator(), source=source).all()  # it moves what the other does not see
    weak = Linear([[1.0, 0.0], [-1.0, 0.0]], [-0.03, 0.03])
    assert robust_correct(weak, x, y, attack, generator(), source=source).tolist() == [False, True]


def test_transfer_from_a_network_to_itself_is_the_end_of_each_run(digits):
    (net, x, y), attack = digits, parse_attack("PGD5-12:entprop")
    with torch.no_grad():
        ends = net(perturb(net, x, y, attack, generator())).argmax(1) == y
        expected = ends & (net(x).argmax(1) == y)
    assert torch.equal(robust_correct(net, x, y, attack, generator(), source=net), expected)
    with pytest.raises(ValueError, match="the attack must take gradient steps, got RS10-8"):
        robust_correct(net, x, y, parse_attack("RS10-8"), generator(), source=net)


def test_random_search_finds_what_is_likely_and_stops_there():
    seen = []

    class Counting(Linear):
        def forward(self, x):
            seen.append(len(x))
            return super().forward(x)

    net = Counting([[1.0, 0.0], [0.0, 1.0]])
    x, y = pixels([0.55, 0.5], [0.9, 0.2]), torch.tensor([0, 0])
    assert robust_correct(net, x, y, parse_attack("RS1000-25.5"), generator()).tolist() == [False, True]
    assert seen == [2, 256, 256, 256, 256, 232]  # clean images; the first image's first draws; all draws of the second
    seen.clear()
    alone = robust_correct(net, x[1:], y[1:], parse_attack("RS300-25.5:norm=l2"), generator())
    assert alone.tolist() == [True]


def test_what_one_attack_leaves_is_shown_to_another():
    net = Linear([[1.0, 0.0], [0.0, 1.0]])
    # wrong already; falls to the first attack; leaves its reach but not the second's; out of reach of both
    x = pixels([0.2, 0.5], [0.5, 0.45], [0.5, 0.3], [0.9, 0.1])
    first, second = parse_attack("PGD1-12.75:step=12.75,start=none"), parse_attack("RS1000-51")
    batches = [(x[:3], torch.zeros(3, dtype=torch.long), None), (x[3:], torch.zeros(1, dtype=torch.long), None)]
    assert residual_attack(net, batches, first, second) == (2, 1)
    assert residual_attack(net, batches[:1], first, parse_attack("RS1000-12.75")) == (1, 0)


def test_a_targeted_transfer_counts_images_that_turn_into_the_target():
    """Of the source's images those count that the shown network took rightly, and not for the target, before."""
    source, shown = Linear(torch.eye(3)), Linear([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.2]])
    x, y = pixels([0.5, 0.1, 0.45], [0.5, 0.45, 0.1], [0.5, 0.1, 0.9]), torch.tensor([0, 0, 2])
    attack = parse_attack("PGD4-25.5:start=none,target=2")
    own = attack_outcome(source, x, y, attack, generator())
    assert (own.counts.tolist(), own.robust.tolist()) == ([True, True, False], [False, True, False])
    outcome = attack_outcome(shown, x, y, attack, generator(), source=source)
    assert (outcome.counts.tolist(), outcome.robust.tolist()) == ([True, True, False], [True, True, False])


def test_the_adaptive_attack_is_the_worst_smoothing(digits):
    net, x, y = digits
    batches = [(x[:30], y[:30], None)]
    attack = parse_attack("PGD2-12:adaptive,start=none,step=6")
    each = [accuracy_under_attack(net, batches, smoothed) for smoothed in smoothings(attack)]
    gamma, accuracy = worst_smoothing(net, batches, attack)
    assert accuracy == min(each) == accuracy_under_attack(net, batches, attack)
    assert each[round(10 * gamma)] == accuracy
    assert len(set(each)) > 1
    with pytest.raises(ValueError, match="an adaptive attack is the worst of several over a data set"):
        robust_correct(net, x, y, attack, generator())


def test_curves_are_accuracies_of_a_list_of_attacks(digits):
    net, x, y = digits
    attack, batches = parse_attack("PGD3-12:entprop"), [(x[:12], y[:12], None), (x[12:24], y[12:24], None)]
    for curve, names in (
        (with_radii(attack, (1, 8, 40)), [f"PGD3-{epsilon}:entprop" for epsilon in (1, 8, 40)]),
        (growing_radius(attack, (1, 3)), ["PGD1-1:step=2,start=none", "PGD3-3:step=2,start=none"]),
        (growing_steps(attack, (1, 4)), [f"PGD{steps}-12:reach=2,start=none" for steps in (1, 4)]),
    ):
        accuracies = attack_accuracies(net, batches, curve)
        assert accuracies == [accuracy_under_attack(net, batches, parse_attack(name)) for name in names]
    first, second, third = attack_accuracies(net, batches, with_radii(attack, (1, 8, 40)))
    assert first > second > third


def test_the_same_seed_gives_the_same_accuracy_and_several_attacks_do_not_disturb_each_other(digits):
    net, x, y = digits
    batches = [(x[:20], y[:20], None), (x[20:40], y[20:40], None)]
    some = parse_attacks("PGD2-12:step=6,restarts=2,RS20-12")
    assert attack_accuracies(net, batches, some) == [accuracy_under_attack(net, batches, attack) for attack in some]


def test_bfloat16_networks_can_be_attacked(digits):
    net, x, y = digits
    net.bf16 = True
    try:
        images = perturb(net, x[:20], y[:20], parse_attack("PGD5-12:entprop"), generator())
        robust = robust_correct(net, x[:20], y[:20], parse_attack("PGD5-12:entprop"), generator())
    finally:
        net.bf16 = False
    assert images.dtype == torch.float32
    assert (images - x[:20]).abs().max() == pytest.approx(12 / 255, abs=1e-6)
    plain = robust_correct(net, x[:20], y[:20], parse_attack("PGD5-12:entprop"), generator())
    assert abs(int(robust.sum()) - int(plain.sum())) <= 2


def test_a_network_with_folded_norms_is_attacked_alike(digits):
    net, x, y = digits
    attack = parse_attack("PGD5-12:start=none,step=4")
    folded = robust_correct(DeployedNet(net), x[:40], y[:40], attack, generator())
    assert torch.equal(folded, robust_correct(net, x[:40], y[:40], attack, generator()))


def test_images_that_were_normalised_before_are_refused():
    net = dual_net()
    x, y = small_images(net)
    with pytest.raises(ValueError, match=r"images must be in \[0, 1\], got values from -"):
        robust_correct(net, 2 * x - 1, y, parse_attack("PGD3-8"), generator())
