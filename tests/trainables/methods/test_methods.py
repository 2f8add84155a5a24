"""The contract that every method keeps, and the invariants of the dual-norm ones."""

import copy
import dataclasses

import pytest
import torch
from torch import nn

from trainables.attacks import in_training, objectives
from trainables.functional import mixing, selection
from trainables.methods import METHODS, Task, method_name, parts_of
from trainables.methods.advprop import AdvProp
from trainables.methods.entprop import EntProp
from trainables.methods.fast_advprop import FastAdvProp
from trainables.methods.mixprop import MixProp
from trainables.methods.mixup import Mixup
from trainables.methods.vanilla import Vanilla
from trainables.models.dual_norm import norm_groups
from trainables.models.pixel_net import PixelNet
from trainables.training.passes import PassCounter

BATCH = 20
AUX = EntProp()  # a network with auxiliary norms


def make_body(outputs):
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, outputs),
    )  # fmt: skip


def make_net(method=AUX):
    torch.manual_seed(0)
    body, head = parts_of(method, make_body, Task(classes=4, steps=10))
    return PixelNet(body, (0.5,) * 3, (0.25,) * 3, dual=method.dual, bf16=False, head=head)


def make_batch(seed=1):
    rng = torch.Generator().manual_seed(seed)
    x = torch.rand(BATCH, 8, 8, 3, generator=rng).permute(0, 3, 1, 2)
    return x, torch.randint(4, (BATCH,), generator=rng)


def one_step(method, net=None, seed=2):
    net = net or make_net(method)
    x, y = make_batch()
    return net, method.accumulate(net, x, y, torch.Generator().manual_seed(seed))


# every setting whose cost has a formula of its own; cost is 1 + kn and so on with k·|B| whole for |B| = 20
SETTINGS = [
    (Vanilla(), 1, 0, 0),
    (Mixup(), 1, 0, 0),
    (Mixup(half=True), 1, 0, 0),
    (METHODS["cutmix"](), 1, 0, 0),
    (MixProp(), 2, 0, 0),
    *[(AdvProp(n=n), 2, n, 0) for n in (1, 2, 5)],
    *[(FastAdvProp(p_adv=p, n=n), 1 + n * p, 0, 0) for p in (0, 0.2, 0.5, 0.9) for n in (1, 3)],
    (FastAdvProp(mixing="mixup"), 1.2, 0, 0),
    (FastAdvProp(mixing="mixup", selection="top"), 1.2, 0, 1),
    *[(EntProp(k=k, n=n), 1 + k, k * (n - 1), 0) for k in (0, 0.2, 0.6, 1) for n in (1, 2, 5)],
    *[(EntProp(k=k, n=n, free_first_step=False), 1 + k, k * n, 0) for k in (0.2, 0.6) for n in (1, 5)],
    (EntProp(k=0.6, attack="none"), 1.6, 0, 0),
    (EntProp(k=0.6, n=5, attack="cw"), 1.6, 2.4, 0),
    (EntProp(k=0.6, n=5, attack="trades"), 1.6, 2.4, 0.6),
    (EntProp(k=0.6, n=5, selection="random", mixing="cutmix"), 1.6, 2.4, 0),
    *[(METHODS[name](), 1, 0, 0) for name in ("entm", "label_smoothing", "als", "ceb", "vib", "deterministic")],
    *[(METHODS["pat"](n=n, loss=loss), 2, n, 0) for n in (2, 7) for loss in ("ce", "entm", "ls", "als")],
    (METHODS["pat"](n=2, sat=True, start="none"), 2, 2, 0),
    (METHODS["advprop"](n=2, sat=True, loss="als"), 2, 2, 0),
    *[(METHODS["trades"](n=n, loss=loss), 2, n, 1) for n in (2, 7) for loss in ("ce", "entm")],
    (METHODS["adp"](), 3, 0, 0),
    *[(METHODS["gpaco"](k=k, n=n), 1 + k, k * (n - 1), 1) for k in (0, 0.2, 0.6) for n in (1, 5)],
]


@pytest.mark.parametrize(("method", "full", "input_only", "forward_only"), SETTINGS, ids=lambda value: str(value)[:60])
def test_counted_passes_are_the_cost(method, full, input_only, forward_only):
    net = make_net(method)
    counter = PassCounter(net)
    one_step(method, net)
    assert counter.backward == pytest.approx(method.cost * BATCH)
    assert counter.full == pytest.approx(full * BATCH)
    assert counter.input_only == pytest.approx(input_only * BATCH)
    assert counter.forward == pytest.approx((full + input_only + forward_only) * BATCH)
    assert counter.work == pytest.approx((full + 2 / 3 * input_only + 1 / 3 * forward_only) * BATCH)
    if isinstance(method, (EntProp, FastAdvProp, METHODS["gpaco"])) and not input_only:
        assert counter.work == pytest.approx((method.cost + getattr(method, "uncounted", 0)) * BATCH)


def test_the_passes_of_every_method_are_counted():
    assert {method_name(method) for method, *_ in SETTINGS} == set(METHODS)


def test_the_cost_of_the_papers_settings():
    costs = {(k, n): EntProp(k=k, n=n).cost for k in (0.2, 0.6) for n in (1, 5)}
    assert costs == {(0.2, 1): 1.2, (0.6, 1): 1.6, (0.2, 5): 2.0, (0.6, 5): 4.0}
    assert (AdvProp().cost, FastAdvProp().cost, MixProp().cost) == (7, 1.2, 2)
    assert EntProp(k=0.6, n=5, free_first_step=False).cost == pytest.approx(4.6)  # the paper's AdvProp with selection


@pytest.mark.parametrize("batch", [10, 64, 128])
@pytest.mark.parametrize("k", [0.01, 0.2, 0.33, 0.6])
def test_a_share_of_a_batch_is_rounded_to_the_nearest_image(batch, k):
    count = selection.selected_count(k, batch)
    assert count == max(1, round(k * batch + 1e-9))
    net = make_net()
    x = torch.rand(batch, 3, 8, 8)
    counter = PassCounter(net)
    EntProp(k=k, n=2).accumulate(net, x, torch.randint(4, (batch,)), torch.Generator().manual_seed(0))
    assert counter.backward == batch + 2 * count


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_gradients(name):
    method = METHODS[name]()
    first, second = one_step(method)[0], one_step(method)[0]
    for ours, again in zip(first.parameters(), second.parameters(), strict=True):
        assert (ours.grad is None) == (again.grad is None)
        assert ours.grad is None or torch.equal(ours.grad, again.grad)


@pytest.mark.parametrize("name", METHODS)
def test_a_step_tells_detached_values_of_the_right_shape(name):
    method = METHODS[name]()
    net, step = one_step(method)
    assert step.loss.shape == ()
    assert not step.loss.requires_grad
    assert step.main.shape == (len(step.targets), 4)
    assert not step.main.requires_grad
    assert (step.aux is not None) == method.dual
    assert (net.training, net.route.aux) == (True, False)
    assert all(norm.training and norm.track_running_stats for norm in net.modules() if isinstance(norm, nn.BatchNorm2d))
    assert method_name(method) == name


@pytest.mark.parametrize("name", METHODS)
def test_gradients_are_added_to_what_is_there(name):
    method = METHODS[name]()
    once, _ = one_step(method)
    twice = make_net(method)
    for ours in twice.parameters():
        ours.grad = torch.ones_like(ours)
    one_step(method, twice)
    for ours, other in zip(once.parameters(), twice.parameters(), strict=True):
        expected = torch.ones_like(ours) if ours.grad is None else ours.grad + 1
        assert torch.allclose(other.grad, expected, atol=1e-5)


@pytest.mark.parametrize("mixing_name", ["mixup", "cutmix"])
def test_with_nothing_selected_entprop_is_mixing_alone(mixing_name):
    ours, step = one_step(EntProp(k=0, mixing=mixing_name))
    alone, alone_step = one_step(METHODS[mixing_name](), make_net())
    assert torch.equal(step.loss, alone_step.loss)
    for left, right in zip(ours.parameters(), alone.parameters(), strict=True):
        assert (left.grad is None) == (right.grad is None)
        assert left.grad is None or torch.allclose(left.grad, right.grad, atol=1e-7)


def test_with_nothing_selected_or_mixed_entprop_is_vanilla():
    ours, _ = one_step(EntProp(k=0, mixing="none"))
    plain, _ = one_step(Vanilla(), make_net())
    for left, right in zip(ours.parameters(), plain.parameters(), strict=True):
        assert left.grad is None or torch.allclose(left.grad, right.grad, atol=1e-7)


@pytest.mark.parametrize(
    "method", [EntProp(k=0.6, n=5), EntProp(k=0.6, n=5, attack="trades"), AdvProp()], ids=method_name
)
def test_attack_passes_change_no_parameter_and_no_statistic(method, monkeypatch):
    states = []
    original = objectives.input_gradient

    def spying(net, x, objective):
        before = {name: value.clone() for name, value in net.state_dict().items()}
        grads = {name: None if p.grad is None else p.grad.clone() for name, p in net.named_parameters()}
        result = original(net, x, objective)
        states.append((before, grads, net))
        assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
        for name, parameter in net.named_parameters():
            assert (parameter.grad is None) == (grads[name] is None)
            assert grads[name] is None or torch.equal(parameter.grad, grads[name])
        return result

    for module in (objectives, in_training):
        monkeypatch.setattr(module, "input_gradient", spying)
    one_step(method)
    assert len(states) == (4 if isinstance(method, EntProp) else 5)


@pytest.mark.parametrize("method", [EntProp(k=0.6, n=3), AdvProp(n=3), FastAdvProp(), MixProp()], ids=method_name)
def test_the_auxiliary_pass_leaves_the_main_statistics_alone(method):
    net, _ = one_step(method)
    alone = make_net()
    x, y = make_batch()
    rng = torch.Generator().manual_seed(2)
    if isinstance(method, EntProp):
        alone(mixing.mixup(x, y, 1.0, rng).x)
    elif isinstance(method, FastAdvProp):
        chosen = selection.random_subset(BATCH, 4, rng, "cpu")
        kept = torch.ones(BATCH, dtype=torch.bool)
        kept[chosen] = False
        alone(x[kept])
    else:
        alone(x)
    for name, value in net.state_dict().items():
        if ".main.running" in name:
            assert torch.allclose(value, alone.state_dict()[name], atol=1e-6), name
    counts = {n: int(v) for n, v in net.state_dict().items() if n.endswith("aux.num_batches_tracked")}
    assert set(counts.values()) == {2 if isinstance(method, FastAdvProp) else 1}


@pytest.mark.parametrize("rule", ["pgd", "cumulative"])
@pytest.mark.parametrize(("epsilon", "n"), [(None, 1), (None, 5), (2.0, 5), (0.5, 3)])
def test_perturbed_images_stay_in_the_ball_and_in_range(rule, epsilon, n, monkeypatch):
    method = EntProp(k=0.6, n=n, epsilon=epsilon, attack_rule=rule)
    seen = []
    original = in_training.ascend
    monkeypatch.setattr(
        in_training, "ascend", lambda x, *a, **kw: seen.append((x, original(x, *a, **kw))) or seen[-1][1]
    )
    one_step(method)
    (clean, attacked), largest = seen[0], method.radius / 255 * (n * (n + 1) / 2 if rule == "cumulative" else 1)
    distance = (attacked - clean).abs().max().item()
    assert 0 < distance <= largest + 1e-7
    assert attacked.min() >= 0
    assert attacked.max() <= 1


def test_epsilon_follows_the_papers_rule_where_it_is_unset():
    assert [EntProp(n=n).radius for n in (1, 2, 5)] == [1, 3, 6]
    assert [EntProp(n=n, eps_rule="n_minus_1").radius for n in (1, 2, 5)] == [1, 1, 4]
    assert EntProp(n=5, epsilon=2.5).radius == 2.5


def test_the_free_step_follows_the_gradient_of_the_main_pass():
    """With one free step, an attacked image differs from the mixed one by the sign of the main loss's own gradient."""
    net, seen = make_net(), []
    x, y = make_batch()
    hook = net.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().clone()))
    step = EntProp(k=0.6, weights="sum").accumulate(net, x, y, torch.Generator().manual_seed(2))
    hook.remove()
    fresh = make_net()
    mix = mixing.mixup(x, y, 1.0, torch.Generator().manual_seed(2))
    images = mix.x.clone().requires_grad_()
    gradient = torch.autograd.grad(mix.losses(fresh(images)).mean(), images)[0]
    expected = (mix.x + gradient.sign() / 255).clamp(0, 1)[step.selected]
    assert len(seen) == 2
    assert torch.allclose(seen[1], expected, atol=1e-6)


@pytest.mark.parametrize("metric", selection.SCORES)
def test_entprop_selects_exactly_the_most_uncertain(metric):
    _, step = one_step(EntProp(k=0.2, metric=metric, mixing="none"))
    p = torch.softmax(step.main.double(), dim=1)
    y = step.targets
    uncertainty = {
        "entropy": [-sum(q * q.log() for q in row) for row in p],
        "cross_entropy": [-row[label].log() for row, label in zip(p, y, strict=True)],
        "confidence": [1 - row.max() for row in p],
        "margin": [
            max(q for c, q in enumerate(row) if c != label) - row[label] for row, label in zip(p, y, strict=True)
        ],
    }[metric]
    ranked = sorted(range(BATCH), key=lambda i: -float(uncertainty[i]))
    assert sorted(step.selected.tolist()) == sorted(ranked[:4])


def test_random_selection_is_uniform():
    rng = torch.Generator().manual_seed(0)
    counts = torch.zeros(10)
    draws = 4000
    for _ in range(draws):
        subset = selection.random_subset(10, 3, rng, "cpu")
        assert len(set(subset.tolist())) == 3
        counts[subset] += 1
    expected = draws * 3 / 10
    chi_square = ((counts - expected) ** 2 / expected).sum() / (1 - 3 / 10)
    assert chi_square < 27.9  # 99.9 % of chi-square with 9 degrees of freedom


def test_weights_count_every_sample_once():
    x, y = make_batch()
    for weights, total in (("instance", (0.7, 0.3)), ("pass_mean", (1 / 1.6, 0.6 / 1.6)), ("sum", (1.0, 1.0))):
        step = EntProp(k=0.6, weights=weights).accumulate(make_net(), x, y, torch.Generator().manual_seed(0))
        assert (step.main_weight, step.aux_weight) == pytest.approx(total)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EntProp(k=1.5), "k must be a number in [0, 1], got 1.5"),
        (lambda: EntProp(k=float("nan")), "k must be a number in [0, 1], got nan"),
        (lambda: EntProp(n=0), "n must be a whole number of at least 1, got 0"),
        (lambda: EntProp(n=1.5), "n must be a whole number of at least 1, got 1.5"),
        (lambda: EntProp(n=True), "n must be a whole number of at least 1, got True"),
        (lambda: EntProp(epsilon=0), "epsilon must be a number in (0, 255], got 0"),
        (lambda: EntProp(epsilon=256.0), "epsilon must be a number in (0, 255], got 256.0"),
        (
            lambda: EntProp(metric="entropi"),
            "unknown metric 'entropi'; did you mean 'entropy'? known: confidence, cross",
        ),
        (lambda: AdvProp(n="5"), "n must be a whole number of at least 1, got '5'"),
        (lambda: FastAdvProp(p_adv=-0.1), "p_adv must be a number in [0, 0.9], got -0.1"),
        (lambda: Mixup(beta=0), "beta must be a number above 0, got 0"),
        (lambda: Mixup(half=1), "half must be true or false, got 1"),
    ],
)
def test_values_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=r"must|unknown") as error:
        make()
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_frozen_and_described(name):
    kind = METHODS[name]
    assert kind.__doc__
    assert "(" not in kind.__doc__.split("\n")[0], "a dataclass without a docstring shows its signature"
    assert dataclasses.fields(kind) == () or kind.__dataclass_params__.frozen
    assert all(field.metadata["help"] for field in dataclasses.fields(kind))
    assert copy.deepcopy(kind()) == kind()


def test_group_weights_divide_the_norms_gradients():
    from trainables.training.loop import scale_norm_gradients

    net, step = one_step(EntProp(k=0.6))
    main, aux = norm_groups(net)
    before = [p.grad.clone() for p in [*main, *aux]]
    shared = net.body[0].weight.grad.clone()
    scale_norm_gradients(main, aux, step)
    for parameter, old, weight in zip(
        [*main, *aux], before, [1 / 1.6] * len(main) + [0.6 / 1.6] * len(aux), strict=True
    ):
        assert torch.allclose(parameter.grad, old / weight)
    assert torch.equal(net.body[0].weight.grad, shared)
