"""The training loop: exact resume, seeds, schedules, and a loss that is no number."""

import math

import numpy as np
import pytest
import torch

from trainables.config import TrialConfig, with_recipe
from trainables.methods import METHODS
from trainables.methods.entprop import EntProp
from trainables.methods.vanilla import Vanilla
from trainables.training import loop
from trainables.training.loop import Diverged, learning_rate, load_splits, train
from trainables.training.state import TrainState, derive_seed, read_checkpoint

TIMES = {"seconds", "images_per_s"}
SHORT = {"epochs": 2, "train_images": 160, "batch_size": 20}


@pytest.fixture(scope="module")
def splits():
    return load_splits(with_recipe(Vanilla(), **SHORT))


def values(rows):
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def run(config, splits, state=None):
    state = state or TrainState(config, splits)
    return values(train(state, splits)), state


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_going_on_from_a_checkpoint_equals_never_having_stopped(name, optimizer, splits, tmp_path):
    lr = {"lr": 1e-3} if optimizer == "adam" else {}
    config = with_recipe(METHODS[name](), optimizer=optimizer, **SHORT, **lr)
    unbroken, end = run(config, splits)

    state = TrainState(config, splits)
    training = train(state, splits)
    first = values([next(training)])
    state.save(tmp_path / "checkpoint.pt")
    training.close()
    rest, resumed_end = run(config, splits, TrainState.load(tmp_path / "checkpoint.pt", splits))

    assert first + rest == unbroken
    for key, value in end.net.state_dict().items():
        assert torch.equal(value, resumed_end.net.state_dict()[key]), key


def test_other_random_numbers_in_between_change_nothing(splits):
    config = with_recipe(EntProp(), **SHORT)
    rows = []
    for row in train(TrainState(config, splits), splits):
        rows.append(row)
        torch.rand(7)
        torch.manual_seed(99)
    assert values(rows) == run(config, splits)[0]


def test_training_leaves_the_global_random_state_alone(splits):
    before = torch.get_rng_state()
    run(with_recipe(EntProp(), **SHORT), splits)
    assert torch.equal(torch.get_rng_state(), before)


def test_another_seed_gives_another_run(splits):
    first, second = (run(with_recipe(Vanilla(), seed=seed, **SHORT), splits)[0] for seed in (0, 1))
    assert first[0]["loss"] != second[0]["loss"]


def test_methods_start_from_the_same_weights(splits):
    nets = [TrainState(with_recipe(method, **SHORT), splits).net for method in (Vanilla(), EntProp())]
    assert torch.equal(nets[0].body.stem.weight, nets[1].body.stem.weight)
    assert torch.equal(nets[0].body.head.weight, nets[1].body.head.weight)


def test_a_row_says_what_the_epoch_cost(splits):
    config = with_recipe(EntProp(k=0.6, n=5), **SHORT)
    rows, _ = run(config, splits)
    assert [row["spent"] for row in rows] == [4.0, 8.0]
    assert [row["cost"] for row in rows] == [4.0, 4.0]
    assert rows[0]["images"] == 160
    assert (rows[0]["full_passes"], rows[0]["input_passes"], rows[0]["forward_passes"]) == (256, 384, 640)
    assert rows[0]["measured_cost"] == pytest.approx(3.2)


def test_every_row_of_every_method_has_the_same_keys(splits):
    keys = {name: list(run(with_recipe(METHODS[name](), **SHORT), splits)[0][0]) for name in METHODS}
    assert all(found == keys["vanilla"] for found in keys.values())


def test_vanilla_learns_the_clothes_and_entprop_too():
    """Six epochs of 1,200 real images: far above chance for both, so that nothing is disconnected."""
    config = with_recipe(Vanilla(), epochs=6)
    splits = load_splits(config)
    for method in (Vanilla(), EntProp()):
        rows, _ = run(with_recipe(method, epochs=6), splits)
        assert rows[-1]["val_sa"] > 60


def test_a_diverging_loss_names_step_epoch_and_rate(splits):
    config = with_recipe(Vanilla(), **{**SHORT, "lr": 1e9})
    with pytest.raises(Diverged, match=r"at step \d+ of epoch 1 with a learning rate of \S+; try a lower one"):
        run(config, splits)


def test_a_loss_that_is_nan_is_noticed_within_200_steps(splits, monkeypatch):
    steps, accumulate = [], Vanilla.accumulate

    def spoilt(self, net, x, y, rng):
        steps.append(accumulate(self, net, x, y, rng))
        return steps[-1]._replace(loss=steps[-1].loss * (math.nan if len(steps) == 3 else 1))

    monkeypatch.setattr(Vanilla, "accumulate", spoilt)
    monkeypatch.setattr(loop, "CHECK_EVERY", 4)
    with pytest.raises(Diverged, match=r"at step 3 of epoch 1 with a learning rate of \S+; try a lower one"):
        run(with_recipe(Vanilla(), **SHORT), splits)
    assert len(steps) == 4  # of the 8 of an epoch


def test_deterministic_mode_gives_the_same_rows_and_is_left_again(splits):
    config = with_recipe(EntProp(), deterministic=True, **SHORT)
    assert run(config, splits)[0] == run(config, splits)[0]
    assert not torch.are_deterministic_algorithms_enabled()


def test_bf16_trains_close_to_fp32(splits):
    exact, close = (run(with_recipe(EntProp(), precision=p, **SHORT), splits)[0] for p in ("fp32", "bf16"))
    assert exact[0]["loss"] != close[0]["loss"]
    assert exact[0]["loss"] == pytest.approx(close[0]["loss"], rel=0.05)


@pytest.mark.slow  # compiling takes a minute
@pytest.mark.parametrize("method", [EntProp(n=3), METHODS["advprop"](n=2)], ids=["entprop", "advprop"])
def test_compiled_passes_are_the_same_passes(method, splits):
    plain, fast = (run(with_recipe(method, compile=c, **SHORT), splits) for c in (False, True))
    for name in ("forward_passes", "full_passes", "input_passes"):
        assert [row[name] for row in fast[0]] == [row[name] for row in plain[0]]
    assert fast[0][0]["loss"] == pytest.approx(plain[0][0]["loss"], rel=0.02)
    assert fast[1].net.state_dict().keys() == plain[1].net.state_dict().keys()


def test_norm_gradients_can_be_left_as_global_means(splits):
    by_group, by_all = (
        run(with_recipe(EntProp(), norm_grad=g, **SHORT), splits)[1] for g in ("group_mean", "global_mean")
    )
    assert not torch.equal(by_group.net.body.norm.aux.weight, by_all.net.body.norm.aux.weight)


def test_norm_free_networks_train(splits):
    rows, state = run(with_recipe(Vanilla(), norms=False, lr=0.01, **SHORT), splits)
    assert math.isfinite(rows[-1]["loss"])
    assert not any("running" in name for name in state.net.state_dict())


def test_the_cosine_falls_from_the_peak_to_zero_after_a_linear_warm_up():
    config = TrialConfig(lr=0.4, warmup=0.1, epochs=10)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.04 * (i + 1) for i in range(10)])
    assert rates[10] == pytest.approx(0.4)
    assert rates[55] == pytest.approx(0.2)
    assert 0 < rates[99] < 0.001
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_milestones_multiply_the_rate():
    config = TrialConfig(lr=1.0, schedule="milestones", milestones=(2, 3), decay=0.1, epochs=4)
    rates = [learning_rate(config, step, 40) for step in (0, 19, 20, 29, 30, 39)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_a_constant_rate_stays():
    assert learning_rate(TrialConfig(lr=0.3, schedule="constant"), 77, 100) == 0.3


def test_weight_decay_reaches_norms_and_biases(splits):
    state = TrainState(with_recipe(EntProp(), **SHORT), splits)
    (group,) = state.optimizer.param_groups
    assert group["weight_decay"] == 5e-4
    assert len(group["params"]) == len(list(state.net.parameters()))


def test_a_batch_larger_than_the_data_is_refused(splits):
    config = with_recipe(Vanilla(), **{**SHORT, "batch_size": 161})
    with pytest.raises(ValueError, match="batch_size must be at most the 160 training images of fashion, got 161"):
        run(config, splits)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_a_damaged_checkpoint_is_named(content, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint\.pt is not a readable checkpoint"):
        read_checkpoint(tmp_path / "checkpoint.pt")


def test_no_flipped_byte_of_a_checkpoint_changes_what_is_read(splits, tmp_path):
    state, path = TrainState(with_recipe(Vanilla(), **SHORT), splits), tmp_path / "checkpoint.pt"
    state.save(path)
    whole, refused = path.read_bytes(), 0
    for place in np.linspace(0, len(whole) - 1, 300, dtype=int):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0x10
        path.write_bytes(spoilt)
        try:
            read = read_checkpoint(path)
        except ValueError:
            refused += 1
        else:  # padding between the records, or a date
            assert all(torch.equal(value, read["net"][name]) for name, value in state.net.state_dict().items())
            assert read["config"] == state.config.as_dict()
    assert refused > 150


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    torch.save({"config": Evil()}, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "harm").exists()


def test_seeds_of_different_purposes_differ():
    seeds = {
        derive_seed(seed, purpose, epoch) for seed in range(5) for purpose in ("order", "method") for epoch in range(5)
    }
    assert len(seeds) == 50
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_raw_training_images_are_read_once_and_spread_over_all(splits, monkeypatch):
    seen, raw_entropy = [], loop.raw_entropy

    def spy(net, batches):
        seen.extend(x for x, _, _ in batches)
        return raw_entropy(net, batches)

    monkeypatch.setattr(loop, "raw_entropy", spy)
    list(train(TrainState(with_recipe(Vanilla(), **SHORT), splits), splits))
    first, again = seen
    assert first is again, "the same batch in every epoch"
    rows = np.arange(128) * 160 // 128
    assert torch.equal(first, torch.from_numpy(splits.train.pixels[rows]).permute(0, 3, 1, 2) / 255)
