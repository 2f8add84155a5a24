"""CEB and VIB: gradients against slow steps, the expectation of the loss, the descent of ρ, and the rate."""

import math
import re

import pytest
import torch

from tests.support import reference_bottleneck as reference
from tests.trainables.methods.test_gradients_robust import LABELS, Ran, make_net
from tests.trainables.methods.test_gradients_robust import X as IMAGES
from trainables.__main__ import main as train_main
from trainables.config import with_recipe
from trainables.data.batches import make_batches
from trainables.evaluate.__main__ import main as evaluate_main
from trainables.measures.accuracy import rate
from trainables.methods import Task
from trainables.methods.bottleneck import Marginal, RhoSchedule, head_of
from trainables.methods.ceb import CEB
from trainables.methods.vanilla import Vanilla
from trainables.models.deploy import DeployedNet
from trainables.training.loop import load_splits, train
from trainables.training.state import TrainState

DIM = 6


def noise_of(seed):
    shape = (len(LABELS), DIM)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("marginal", ["mixture", "single"])
@pytest.mark.parametrize("name", ["ceb", "vib"])
def test_a_step_equals_the_slow_algorithm(name, marginal):
    for seed, rho in enumerate((-1.0, 0.0, 2.0, 100.0)):
        ran = Ran(name, seed, rho=rho, dim=DIM, marginal=marginal, jump_start=False)
        step = {"ceb": reference.ceb, "vib": reference.vib}[name]
        ran.agrees(step(ran.network, IMAGES, LABELS, noise_of(seed), rho))


def test_the_deterministic_baseline_equals_the_slow_algorithm():
    ran = Ran("deterministic", dim=DIM)
    ran.agrees(reference.deterministic(ran.network, IMAGES, LABELS))


def test_a_jump_start_begins_without_a_bottleneck():
    ran = Ran("ceb", 3, rho=0.0, dim=DIM)
    ran.agrees(reference.ceb(ran.network, IMAGES, LABELS, noise_of(3), 100.0))


def test_the_expectation_of_cebs_second_term_is_half_the_squared_distance():
    """The loss at ρ = 0 less the cross-entropy, over many draws of the noise on one network."""
    method = CEB(rho=0.0, dim=DIM, jump_start=False)
    net = make_net(method).eval()  # running statistics: the encodings are the same in every draw
    head = head_of(net)
    encodings = net.features(IMAGES).detach()
    gap = encodings - head.centres.weight.T[torch.tensor(LABELS)]
    expected = 0.5 * gap.square().sum(dim=1).mean()
    seen = []
    for seed in range(400):
        rng = torch.Generator().manual_seed(seed)
        noise = torch.randn(encodings.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        step = method.accumulate(net, IMAGES, torch.tensor(LABELS), rng)
        entropy = torch.nn.functional.cross_entropy(head.classifier(encodings + noise), torch.tensor(LABELS))
        seen.append(float((step.loss - entropy).detach()))
    mean, error = torch.tensor(seen).mean(), torch.tensor(seen).std() / math.sqrt(len(seen))
    assert abs(mean - expected) < 4 * error
    assert error < 0.05 * expected


def test_cebs_marginal_does_not_touch_the_network():
    plain, other = (Ran("ceb", dim=DIM, rho=0.0, jump_start=False, marginal=kind) for kind in ("mixture", "single"))
    for (name, parameter), (_, second) in zip(
        plain.net.body.named_parameters(), other.net.body.named_parameters(), strict=True
    ):
        assert torch.equal(parameter.grad, second.grad), name
    for name in ("classifier", "centres"):
        left, right = getattr(plain.net.head, name).weight.grad, getattr(other.net.head, name).weight.grad
        assert torch.equal(left, right)


@pytest.mark.parametrize("marginal", ["mixture", "single"])
def test_vibs_marginal_is_a_part_of_its_loss(marginal):
    ran = Ran("vib", dim=DIM, rho=0.0, jump_start=False, marginal=marginal)
    assert ran.net.head.marginal.means.grad.abs().sum() > 0


def rhos(descent, shares):
    found = []
    for share in shares:
        found.append(float(descent.rho()))
        descent.advance(torch.tensor(share))
    return found


def test_rho_falls_to_ten_in_two_epochs_and_on_once_the_network_has_learned():
    found = rhos(RhoSchedule(1.0, Task(classes=10, steps=5), True), [0.0] * 12 + [1.0] * 12)
    assert found[:11] == pytest.approx([100 - 9 * i for i in range(11)])
    assert found[11:15] == pytest.approx([10.0] * 4)  # 0.1 and 0.19 of the running images are right, then 0.27
    assert found[15:20] == pytest.approx([8.2, 6.4, 4.6, 2.8, 1.0])
    assert found[20:] == pytest.approx([1.0] * 4)


def test_rho_does_not_fall_on_before_two_epochs_however_soon_the_network_learns():
    found = rhos(RhoSchedule(-1.0, Task(classes=10, steps=5), True), [1.0] * 18)
    assert found[9] == pytest.approx(19)
    assert found[10] == pytest.approx(10 - 11 / 5)
    assert found[15:] == pytest.approx([-1.0] * 3)


def test_without_a_jump_start_rho_is_its_target_throughout():
    assert rhos(RhoSchedule(1.5, Task(classes=10, steps=5), False), [0.0] * 7) == [1.5] * 7


def test_the_marginal_is_a_density_but_for_the_constant():
    torch.manual_seed(0)
    marginal = Marginal(3, 2).double()
    marginal.scores.data = torch.tensor([0.1, 1.0, -0.5], dtype=torch.float64)
    side = torch.linspace(-9, 9, 400, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)
    mass = (marginal(grid).detach().exp() / (2 * math.pi)).sum() * (side[1] - side[0]) ** 2
    assert float(mass) == pytest.approx(1.0, abs=1e-6)


def test_the_rate_of_two_far_apart_points_is_the_logarithm_of_two():
    """Two encodings, each with a Gaussian of the marginal on it: knowing z is knowing which of the two."""
    net = make_net(CEB(dim=2, marginal="mixture"))
    head = head_of(net)
    with torch.no_grad():
        for parameter in net.body.parameters():
            parameter.zero_()
        head.marginal.means.copy_(torch.tensor([[0.0, 0], [500, 500], [-500, 500], [500, -500]]))
        head.marginal.scores.copy_(torch.tensor([0.0, 0, -1e9, -1e9]))
    batch = (IMAGES.repeat(100, 1, 1, 1), torch.zeros(1000, dtype=torch.long), torch.arange(1000))
    assert rate(net, [batch], torch.Generator().manual_seed(0)) == pytest.approx(math.log(2), abs=1e-6)


def test_a_rate_is_asked_of_bottlenecks_alone():
    with pytest.raises(TypeError, match="the head must be a Bottleneck, got Identity"):
        rate(make_net(Vanilla()), [], torch.Generator())


def test_a_deployed_encoder_classifies_its_mean():
    ran = Ran("ceb", dim=DIM)
    net = ran.net.float().eval()
    x = IMAGES.float()
    with torch.no_grad():
        assert torch.allclose(DeployedNet(net)(x), net(x), atol=1e-4)
        assert torch.equal(net(x), net.head.classifier(net.features(x)))


@pytest.mark.slow
def test_a_bottleneck_learns_the_digits_and_keeps_less_the_lower_rho_is():
    rates = []
    for rho in (5.0, 1.0):
        config = with_recipe(CEB(rho=rho, dim=32), epochs=6)
        splits = load_splits(config)
        state = TrainState(config, splits)
        rows = list(train(state, splits))
        assert rows[-1]["val_sa"] > 70
        batches = make_batches(splits.validation, "cpu").sequential(200)
        rates.append(rate(state.net, batches, torch.Generator().manual_seed(0)))
    assert rates[1] < rates[0]


def test_the_rate_of_a_run_is_measured_with_it(tmp_path, capsys):
    run = str(tmp_path / "run")
    small = ["--epochs", "1", "--train-images", "64", "--batch-size", "32", "--dim", "8", "--quiet"]
    assert train_main(["--method", "ceb", *small, "--out", run]) == 0
    assert evaluate_main([run, "--corruptions", "none"]) == 0
    assert re.search(r"rate \d+\.\d\d nats", capsys.readouterr().out)
    rows = (tmp_path / "run" / "evaluation-main.csv").read_text().splitlines()
    assert sum(row.startswith("main,rate,") for row in rows) == 1
