"""Each method's gradients, loss, shares, choice and running statistics against the slow steps of `reference_steps`."""

import copy
import itertools
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from tests.support import reference_parts as parts
from tests.support import reference_steps as reference
from trainables.attacks.in_training import STARTS
from trainables.functional.mixing import MIXING
from trainables.methods import METHODS, StepOutput
from trainables.models.dual_norm import add_aux_norms

BATCH, CLASSES, SIDE = 10, 4, 6
RELATIVE, ABSOLUTE = 1e-8, 1e-12  # in float64: a value that took a detour through float32 would show


class TinyNet(nn.Module):
    def __init__(self, outputs: int = CLASSES) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 5, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(5)
        self.linear = nn.Linear(5, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm1(self.conv1(x)))
        x = torch.relu(self.norm2(self.conv2(x)))
        return self.linear(x.mean(dim=(2, 3)))


def make_net() -> nn.Module:
    """All weights random, and different in the two norm sets, so that a wrong route changes every number."""
    draw = torch.Generator().manual_seed(2)
    net = TinyNet().double()
    net.route = add_aux_norms(net)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            centre, spread = (1.0, 0.4) if "norm" in name and name.endswith("weight") else (0.0, 0.5)
            parameter.copy_(centre + spread * torch.randn(parameter.shape, generator=draw, dtype=torch.float64))
        net.linear.weight.mul_(4)  # logits far enough apart for the scores to disagree
        for name, buffer in net.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=draw, dtype=torch.float64))
            elif name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=draw, dtype=torch.float64))
    return net


def make_batch() -> tuple[Tensor, Tensor]:
    """Pixels well inside the range, and every sixth at an end of it or within one step of it, where clipping shows."""
    draw = torch.Generator().manual_seed(3)
    shade = 0.25 + 0.5 * torch.rand((BATCH, 3, 1, 1), generator=draw, dtype=torch.float64)
    x = shade + 0.4 * (torch.rand((BATCH, 3, SIDE, SIDE), generator=draw, dtype=torch.float64) - 0.5)
    kind = torch.randint(24, x.shape, generator=draw)
    for index, value in enumerate((0.0, 1.0, 0.4 / 255, 1 - 0.4 / 255)):
        x[kind == index] = value
    return x, torch.arange(BATCH) % CLASSES


NET = make_net()
START = copy.deepcopy(NET.state_dict())
X, Y = make_batch()


@dataclass
class Ran:
    """What a method of the package left behind, and what the network was shown on the way."""

    step: StepOutput
    gradients: dict[str, Tensor]
    statistics: dict[str, Tensor]
    aux_images: list[Tensor]  # of each forward pass through the auxiliary norms

    @property
    def selected(self) -> list[int]:
        return [] if self.step.selected is None else self.step.selected.tolist()


def run(name: str, seed: int, settings: dict, x: Tensor = X) -> Ran:
    NET.load_state_dict(START)
    NET.zero_grad(set_to_none=True)
    aux_images = []

    def note(net: nn.Module, args: tuple[Tensor, ...]) -> None:
        if net.route.aux:
            aux_images.append(args[0].detach().clone())

    shown_x, shown_y = x.clone(), Y.clone()
    with NET.register_forward_pre_hook(note):
        step = METHODS[name](**settings).accumulate(NET, shown_x, shown_y, torch.Generator().manual_seed(seed))
    assert torch.equal(shown_x, x), "the caller's images were changed"
    assert not NET.route.aux, "the route was not put back"
    assert all(norm.training and norm.track_running_stats for norm in NET.modules() if isinstance(norm, nn.BatchNorm2d))
    assert all(torch.equal(parameter, START[name]) for name, parameter in NET.named_parameters())
    gradients = {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in NET.named_parameters()
    }
    return Ran(step, gradients, {name: buffer.clone() for name, buffer in NET.named_buffers()}, aux_images)


def reference_network() -> parts.Network:
    parameters = {name: START[name].clone().requires_grad_() for name, _ in NET.named_parameters()}
    return parts.Network(parameters, {name: START[name].clone() for name, _ in NET.named_buffers()})


def draws_of(mixing: str, seed: int, beta: float = 1.0, size: int = BATCH) -> parts.Draws | None:
    """What a mixing draws from this seed, read off a batch in which pixels and label tell each sample's index."""
    if mixing == "none":
        return None
    index = torch.arange(size)
    probe = (index.double() / size)[:, None, None, None].expand(size, 3, SIDE, SIDE)
    mix = MIXING[mixing](probe.clone(), index, beta, torch.Generator().manual_seed(seed))
    pasted = (mix.x != probe).any(dim=0)[0].nonzero()
    box = (0, 0, 0, 0)
    if mixing == "cutmix" and len(pasted):
        (top, left), (bottom, right) = pasted.amin(dim=0).tolist(), (pasted.amax(dim=0) + 1).tolist()
        box = (top, bottom, left, right)
    return parts.Draws(float(mix.weight), mix.y_b.tolist(), box)


def differences(ran: Ran, network: parts.Network, expected: parts.Outcome) -> list[str]:
    """Everything in which the package and the reference disagree, in words."""
    found = []

    def compare(what: str, got: Tensor | float, wanted: Tensor | float) -> None:
        got, wanted = (torch.as_tensor(value, dtype=torch.float64) for value in (got, wanted))
        if got.shape != wanted.shape or not torch.allclose(got, wanted, RELATIVE, ABSOLUTE):
            found.append(f"{what}: got {got.flatten()[:4].tolist()}, expected {wanted.flatten()[:4].tolist()}")

    step, selected = ran.step, ran.selected
    if sorted(selected) != (expected.selected or []):
        return [f"selected: got {selected}, expected {expected.selected}"]
    if expected.aux_images is None:
        found += ["an auxiliary pass that should not be"] if ran.aux_images or step.aux is not None else []
    else:
        rows = [expected.selected.index(i) for i in selected] if selected else slice(None)
        compare("images of the last auxiliary pass", ran.aux_images[-1], expected.aux_images[rows].detach())
        compare("aux logits", step.aux, expected.aux_logits[rows])
    compare("loss", step.loss, expected.loss)
    compare("main logits", step.main, expected.main_logits)
    seen = [i for i in range(BATCH) if len(step.main) == BATCH or i not in selected]
    compare("labels of the main logits", step.targets, Y[seen])
    for name, wanted in expected.gradients.items():
        compare(f"gradient of {name}", ran.gradients[name], wanted)
    for name, wanted in network.statistics.items():
        compare(name, ran.statistics[name], wanted)
    compare("main weight", step.main_weight, expected.main_weight)
    compare("aux weight", step.aux_weight, expected.aux_weight)
    return found


def agree(settings: dict, ran: Ran, network: parts.Network, expected: parts.Outcome) -> None:
    found = differences(ran, network, expected)
    assert not found, f"{settings}\n" + "\n".join(found)


def check_entprop(seed: int, **settings: object) -> None:
    draws = draws_of(settings.get("mixing", "mixup"), seed, settings.get("beta", 1.0))
    ran, network = run("entprop", seed, settings), reference_network()
    subset = ran.selected if settings.get("selection") == "random" else None
    agree(settings, ran, network, reference.entprop(network, X, Y.tolist(), draws, subset, **settings))


def check_fast_advprop(seed: int, **settings: object) -> None:
    draws = draws_of(settings.get("mixing", "none"), seed, settings.get("beta", 1.0))
    ran, network = run("fast_advprop", seed, settings), reference_network()
    agree(settings, ran, network, reference.fast_advprop(network, X, Y.tolist(), draws, ran.selected, **settings))


def choices(**options: list) -> list[dict]:
    return [dict(zip(options, values, strict=True)) for values in itertools.product(*options.values())]


# ---- the test bed can tell right from wrong -------------------------------------------------------------------------


@pytest.mark.parametrize("mixing", ["mixup", "cutmix", "none"])
def test_the_scores_choose_different_samples_of_the_test_batch(mixing):
    batch = parts.mixed(X, Y.tolist(), mixing, draws_of(mixing, seed=1))
    logits = parts.logits_of(reference_network(), batch.images, "main", "batch")
    metrics = ("entropy", "cross_entropy", "confidence", "margin")
    assert len({tuple(parts.chosen(logits, batch.labels_a, 0.6, metric)) for metric in metrics}) == len(metrics)


def test_mixtures_are_of_the_images_and_of_one_partner_each():
    for seed in range(10):
        for mixing in ("mixup", "cutmix"):
            got = MIXING[mixing](X, Y, 1.0, torch.Generator().manual_seed(seed))
            draws = draws_of(mixing, seed)
            wanted = parts.mixed(X, Y.tolist(), mixing, draws)
            assert torch.allclose(got.x, wanted.images)
            assert sorted(draws.permutation) == list(range(BATCH))
            assert (got.y_a.tolist(), got.y_b.tolist()) == (wanted.labels_a, wanted.labels_b)
            assert float(got.weight) == pytest.approx(wanted.weight)


# ---- EntProp --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mixing", ["mixup", "cutmix", "none"])
@pytest.mark.parametrize("metric", ["entropy", "cross_entropy", "confidence", "margin"])
def test_entprop_equals_the_slow_algorithm(metric, mixing):
    grid = choices(
        weights=["instance", "pass_mean", "sum"], aux_target=["mixed", "original"], k=[0.2, 0.6, 1.0], n=[1, 2, 5]
    )
    for seed, settings in enumerate(grid):
        check_entprop(seed, metric=metric, mixing=mixing, **settings)


@pytest.mark.parametrize("mixing", ["mixup", "cutmix", "none"])
def test_entprop_that_selects_nothing_is_its_mixing_alone(mixing):
    for seed, settings in enumerate(choices(weights=["instance", "pass_mean", "sum"], n=[1, 2, 5])):
        check_entprop(seed, k=0.0, mixing=mixing, **settings)


@pytest.mark.parametrize("attack", ["pgd", "cw", "trades", "none"])
@pytest.mark.parametrize("free_first_step", [True, False])
def test_every_attack_of_entprop_equals_the_slow_algorithm(attack, free_first_step):
    grid = choices(
        attack_rule=["pgd", "cumulative"],
        attack_bn=["batch", "running"],
        aux_target=["mixed", "original"],
        n=[1, 3],
        mixing=["mixup", "none"],
    )
    for seed, settings in enumerate(grid):
        check_entprop(seed, k=0.6, attack=attack, free_first_step=free_first_step, **settings)


def test_strength_and_step_of_the_attack_follow_their_rules():
    for settings in choices(attack_rule=["pgd", "cumulative"], n=[1, 2, 5], free_first_step=[True, False]):
        check_entprop(1, k=0.6, eps_rule="n_minus_1", **settings)
        check_entprop(2, k=0.6, alpha=2.5, **settings)
        check_entprop(3, k=0.6, epsilon=1.5, **settings)
        check_entprop(4, k=0.6, epsilon=8.0, alpha=3.0, eps_rule="n_minus_1", **settings)


def test_random_selection_changes_nothing_but_the_selection():
    grid = choices(
        mixing=["mixup", "cutmix", "none"], attack=["pgd", "none"], weights=["pass_mean", "sum"], k=[0, 0.2, 0.6, 1.0]
    )
    for seed, settings in enumerate(grid):
        check_entprop(seed, selection="random", n=2, **settings)


def test_the_number_of_selected_samples_is_rounded_and_at_least_one():
    for k in (0.01, 0.14, 0.15, 0.25, 0.34, 0.96):
        for selection in ("top", "random"):
            check_entprop(5, k=k, selection=selection)


def test_the_shape_of_the_mixing_weights_distribution_is_passed_on():
    for mixing in ("mixup", "cutmix"):
        check_entprop(6, k=0.6, mixing=mixing, beta=0.2)


def test_entprops_defaults_are_one_free_step_on_a_fifth_of_the_batch():
    check_entprop(7)


# ---- its rivals -----------------------------------------------------------------------------------------------------


def test_vanilla_is_the_mean_cross_entropy():
    ran, network = run("vanilla", 0, {}), reference_network()
    agree({}, ran, network, reference.one_route(network, parts.mixed(X, Y.tolist(), "none", None)))


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
@pytest.mark.parametrize("beta", [1.0, 0.2])
def test_a_mixed_batch_is_trained_on_both_labels(name, beta):
    for seed in range(5):
        ran, network = run(name, seed, {"beta": beta}), reference_network()
        batch = parts.mixed(X, Y.tolist(), name, draws_of(name, seed, beta))
        agree({"beta": beta, "seed": seed}, ran, network, reference.one_route(network, batch))


def test_half_mixup_mixes_the_first_half_within_itself():
    for seed in range(5):
        ran, network = run("mixup", seed, {"half": True}), reference_network()
        draws = draws_of("mixup", seed, size=BATCH // 2)
        agree({"seed": seed}, ran, network, reference.half_mixup(network, X, Y.tolist(), draws))


def test_mixprop_equals_the_slow_algorithm():
    for seed, settings in enumerate(choices(weights=["half", "sum"], beta=[1.0, 0.2])):
        ran, network = run("mixprop", seed, settings), reference_network()
        draws = draws_of("mixup", seed, settings["beta"])
        agree(settings, ran, network, reference.mixprop(network, X, Y.tolist(), draws, **settings))


def test_advprop_equals_the_slow_algorithm():
    grid = choices(attack_bn=["batch", "running"], n=[1, 2, 5], epsilon=[1.0, 4.0], alpha=[1.0, 1.7])
    for settings in [{}, *grid]:
        ran, network = run("advprop", 0, settings), reference_network()
        agree(settings, ran, network, reference.advprop(network, X, Y.tolist(), **settings))


def test_fast_advprop_equals_the_slow_algorithm():
    grid = choices(p_adv=[0.0, 0.2, 0.6, 0.9], n=[1, 2], epsilon=[1.0, 3.0], alpha=[1.0, 1.7])
    for seed, settings in enumerate([{}, *grid]):
        check_fast_advprop(seed, **settings)


def test_fast_advprop_on_mixed_images_and_on_the_most_uncertain_ones():
    grid = choices(
        mixing=["none", "mixup", "cutmix"],
        selection=["random", "top"],
        metric=["entropy", "cross_entropy", "confidence", "margin"],
        p_adv=[0.2, 0.6],
        n=[1, 2],
    )
    for seed, settings in enumerate(grid):
        check_fast_advprop(seed, **settings)


@pytest.mark.parametrize("name", ["advprop", "fast_advprop"])
@pytest.mark.parametrize("start", [name for name in STARTS if name != "none"])
def test_an_attack_goes_on_from_its_random_start(name, start):
    x = X.clamp(0.1, 0.9)  # far enough inside for the start to be read off the first attacked images
    started = []
    for seed in range(8):
        settings = {"start": start, "n": 2, "epsilon": 3.0}
        ran, network = run(name, seed, settings, x), reference_network()
        if name == "advprop":
            delta = ran.aux_images[0] - x
            expected = reference.advprop(network, x, Y.tolist(), delta, **settings)
        else:
            chosen = sorted(range(len(ran.step.selected)), key=lambda i: int(ran.step.selected[i]))
            delta = ran.aux_images[0][chosen] - x[ran.step.selected][chosen]
            expected = reference.fast_advprop(
                network, x, Y.tolist(), None, ran.step.selected.tolist(), delta, **settings
            )
        assert delta.abs().max() <= 3.0 / 255 + 1e-12
        started.append(bool(delta.any()))
        agree(settings, ran, network, expected)
    assert any(started)
    assert all(started) == (start == "uniform")
