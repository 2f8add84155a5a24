"""Attacks beside other packages, stored and here and now."""

import dataclasses
import sys
import types

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.support.attack_nets import (
    Linear,
    dual_net,
    generator,
    pixels,
    small_images,
    stored_attacks,
    traces,
    trained_digits,
)
from trainables.attacks.in_training import ascend
from trainables.attacks.objectives import input_gradient
from trainables.attacks.robustness import attack_outcome, robust_correct
from trainables.attacks.spec import parse_attack


@pytest.fixture(scope="module")
def digits():
    return trained_digits()


@pytest.fixture(scope="module")
def stored():
    return stored_attacks()


# ---- AutoAttack -----------------------------------------------------------------------------------------------------


def test_autoattack_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    net = dual_net()
    x, y = small_images(net)
    message = r"^AA-8 needs the package pyautoattack; install it with .* -m pip install 'pyautoattack>=0.2'$"
    with pytest.raises(ValueError, match=message):
        robust_correct(net, x, y, parse_attack("AA-8"), generator())


def test_autoattack_is_given_the_right_images_and_judged_by_the_network(monkeypatch):
    asked = {}

    class Suite:
        def __init__(self, _, **settings):
            asked.update(settings)
            self.apgd_targeted, self.fab = types.SimpleNamespace(), types.SimpleNamespace()

        def run_standard_evaluation(self, x, y, *, batch_size):
            torch.manual_seed(0)
            with torch.enable_grad():
                net(x.clone().requires_grad_()).sum().backward()  # as one of its attacks does
            asked.update(images=x, targets=self.apgd_targeted.n_target_classes, batch_size=batch_size)
            return x.index_fill(0, torch.tensor([0]), 0.0), None

    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "pyautoattack", types.SimpleNamespace(AutoAttack=Suite))
    net = Linear(torch.eye(4), [-0.1, 0.0, 0.0, 0.0])
    x, y = pixels([0.9, 0.1, 0.1, 0.1], [0.1, 0.9, 0.1, 0.1], [0.9, 0.1, 0.1, 0.1]), torch.tensor([0, 0, 0])
    state = torch.get_rng_state()
    assert robust_correct(net, x, y, parse_attack("AA-8:norm=l2,seed=4"), generator()).tolist() == [False, False, True]
    assert torch.equal(asked["images"], x[[0, 2]])  # the second one is wrong anyway
    assert (asked["norm"], asked["seed"], asked["targets"], asked["batch_size"]) == ("L2", 4, 3, 2)
    assert asked["eps"] == pytest.approx(8 / 255)
    assert torch.equal(torch.get_rng_state(), state)
    assert net.weight.grad is None
    assert net.weight.requires_grad
    with pytest.raises(ValueError, match="classes must be at least 4 for AA-8, got 3"):
        robust_correct(Linear(torch.eye(3)), x[..., :3], y, parse_attack("AA-8"), generator())


# ---- beside other packages ------------------------------------------------------------------------------------------

OURS = {
    "PGD20-8": "PGD20-8:entprop",
    "PGD20-12": "PGD20-12:entprop",
    "PGD100-8": "PGD100-8:entprop",
    "PGD20-150:l2": "PGD20-150:entprop,norm=l2",
    "PGD20-250:l2": "PGD20-250:entprop,norm=l2",
    "FGSM8": "FGSM8",
}


@pytest.fixture(scope="module")
def right_under(digits):
    """How many images stay right under an attack of ours, by name; each is run once."""
    known = {}

    def count(name):
        if name not in known:
            net, x, y = digits
            known[name] = int(robust_correct(net, x, y, parse_attack(name), generator()).sum())
        return known[name]

    return count


@pytest.mark.parametrize("theirs", OURS)
@pytest.mark.parametrize("package", ["torchattacks", "foolbox"])
def test_stored_results_of_other_packages_are_met_within_one_image(package, theirs, stored, right_under):
    key = f"predicted/{package}/{theirs}"
    if key not in stored.files:
        assert (package, theirs) == ("foolbox", "FGSM8")
        return
    assert abs(right_under(OURS[theirs]) - int((stored[key] == stored["labels"]).sum())) <= 1


def test_our_long_run_is_as_strong_as_adaptive_step_sizes(stored, right_under):
    for package in ("torchattacks/APGD-8", "pyautoattack/apgd-ce-8"):
        theirs = int((stored[f"predicted/{package}"] == stored["labels"]).sum())
        assert abs(right_under("PGD100-8:entprop") - theirs) <= 1


def test_a_targeted_run_agrees_with_a_stored_one(digits, stored):
    net, x, y = digits
    outcome = attack_outcome(net, x, y, parse_attack("PGD20-12:entprop,target=1"), generator())
    reached = torch.from_numpy(stored["predicted/torchattacks/PGD20-12:target=1"]) == 1
    assert abs(int(outcome.robust.sum()) - int((outcome.counts & ~reached).sum())) <= 1


def test_the_stored_suite_leaves_no_more_images_than_one_run(digits, stored):
    """One run overstates robustness a little: the whole of AutoAttack must be at least as strong."""
    net, x, y = digits
    theirs = stored["predicted/pyautoattack/standard-8"] == stored["labels"][:16]
    ours = robust_correct(net, x[:16], y[:16], parse_attack("PGD20-8:entprop"), generator()).numpy()
    assert theirs.sum() <= ours.sum() <= theirs.sum() + 1


class Plain(nn.Module):
    """Gradients in the layout that packages with `view` in them need."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.view(-1).view(x.shape))


@pytest.mark.parametrize("name", ["PGD20-8", "PGD20-250:l2"])
def test_torchattacks_here_and_now(name, digits, right_under):
    torchattacks = pytest.importorskip("torchattacks")
    net, x, y = digits
    attack = parse_attack(OURS[name])
    kind = torchattacks.PGD if attack.norm == "linf" else torchattacks.PGDL2
    theirs = kind(
        Plain(net).eval(), eps=attack.epsilon / 255, alpha=attack.alpha / 255, steps=attack.steps, random_start=False
    )
    images = theirs(x.contiguous(), y)
    with torch.no_grad():
        assert abs(int((net(images).argmax(1) == y).sum()) - right_under(OURS[name])) <= 1


def training_attack(net, x, objective, **strength):
    """The images after a training attack in evaluation mode; its first gradient is given, as EntProp's free step is."""
    first = input_gradient(net, x, objective) if strength.get("start") is None else None
    return ascend(x, lambda images: input_gradient(net, images, objective), first=first, **strength)


@pytest.mark.parametrize(("n", "epsilon", "alpha"), [(5, 4, 1), (5, 6, 1), (7, 8, 2), (10, 48, 6)])
def test_training_attacks_make_the_images_of_torchattacks(n, epsilon, alpha, digits):
    """AdvProp, EntProp after its free step, PAT, and a radius at which black and white pixels matter most."""
    torchattacks = pytest.importorskip("torchattacks")
    net, x, y = digits
    theirs = torchattacks.PGD(Plain(net).eval(), epsilon / 255, alpha / 255, n, random_start=False)(x.contiguous(), y)
    ours = training_attack(
        net.eval(), x, lambda logits: F.cross_entropy(logits, y, reduction="none"), n=n, epsilon=epsilon, alpha=alpha
    )
    assert (ours - theirs).abs().gt(1e-5).float().mean() < 1e-3  # signs of gradients that are zero but for rounding


def test_the_attack_of_trades_makes_the_images_of_torchattacks(digits):
    torchattacks = pytest.importorskip("torchattacks")
    net, x, _ = digits
    torch.manual_seed(3)
    theirs = torchattacks.TPGD(Plain(net).eval(), 8 / 255, 2 / 255, 7)(x.contiguous())
    torch.manual_seed(3)
    start = 0.001 * torch.randn_like(x.contiguous())
    with torch.no_grad():
        clean = net.eval()(x).softmax(1)
    ours = training_attack(
        net, x, lambda logits: -(clean * logits.log_softmax(1)).sum(1), n=7, epsilon=8, alpha=2, start=start
    )
    assert (ours - theirs).abs().gt(1e-5).float().mean() < 1e-3


@pytest.mark.filterwarnings("ignore")
def test_foolbox_here_and_now(digits, right_under):
    foolbox = pytest.importorskip("foolbox")
    net, x, y = digits
    attack = foolbox.attacks.LinfPGD(abs_stepsize=1 / 255, steps=20, random_start=False)
    images = attack(foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu"), x, y, epsilons=8 / 255)[1]
    with torch.no_grad():
        assert abs(int((net(images).argmax(1) == y).sum()) - right_under("PGD20-8:entprop")) <= 1


def test_autoattack_here_and_now():
    pytest.importorskip("pyautoattack")
    net = dual_net().eval()
    x, y = small_images(net, 8)
    before = traces(net)
    attack = parse_attack("AA-2")
    robust = robust_correct(net, x, y, attack, generator())
    assert torch.equal(robust, robust_correct(net, x, y, attack, generator()))
    run = robust_correct(net, x, y, dataclasses.replace(parse_attack("PGD20-8"), epsilon=2), generator())
    assert not (robust & ~run).any()
    assert robust.sum() < 7  # of those that are right
    tensors, *rest = traces(net)
    assert rest == list(before[1:])
    assert all(torch.equal(value, before[0][name]) for name, value in tensors.items())
