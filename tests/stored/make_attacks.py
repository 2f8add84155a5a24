"""Writes attacks_digits.npz: a small trained network, 100 test images, and what other packages' attacks leave right.

    python -m tests.stored.make_attacks      # about three minutes on one core

It needs torchattacks, foolbox and pyautoattack, which the project does not install. Per attack, the file holds which
images each package's attack did not fool. All start at the image itself, so that nothing depends on random numbers,
but for APGD and AutoAttack, whose seed is 0.
"""

import warnings
from pathlib import Path

import foolbox
import numpy as np
import torch
import torchattacks
from pyautoattack import AutoAttack

from trainables.config import with_recipe
from trainables.data.batches import make_batches
from trainables.methods.vanilla import Vanilla
from trainables.training.loop import load_splits, train
from trainables.training.state import TrainState

IMAGES = 100
STANDARD = 16  # images for the whole of AutoAttack, which takes long


def trained():
    """The network of `python -m trainables --method vanilla`, in evaluation mode, and its test images."""
    config = with_recipe(Vanilla(), "digits", seed=0)
    splits = load_splits(config)
    state = TrainState(config, splits)
    for _ in train(state, splits):
        pass
    x, y, _ = next(iter(make_batches(splits.test, "cpu").sequential(IMAGES)))
    # torchattacks takes views of gradients that channels_last does not allow
    return state.net.eval().to(memory_format=torch.contiguous_format), x.contiguous(), y


def attacked(net, x, y):
    """(name, adversarial images) of every package's attacks; steps of 2.5·ε/n."""
    model = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
    for epsilon, n in ((8, 20), (8, 100), (12, 20)):
        ball = {"eps": epsilon / 255, "alpha": 2.5 * epsilon / 255 / n, "steps": n}
        yield f"torchattacks/PGD{n}-{epsilon}", torchattacks.PGD(net, **ball, random_start=False)(x, y)
        attack = foolbox.attacks.LinfPGD(abs_stepsize=ball["alpha"], steps=n, random_start=False)
        yield f"foolbox/PGD{n}-{epsilon}", attack(model, x, y, epsilons=ball["eps"])[1]
    for epsilon in (150, 250):
        ball = {"eps": epsilon / 255, "alpha": 2.5 * epsilon / 255 / 20, "steps": 20}
        yield f"torchattacks/PGD20-{epsilon}:l2", torchattacks.PGDL2(net, **ball, random_start=False)(x, y)
        attack = foolbox.attacks.L2PGD(abs_stepsize=ball["alpha"], steps=20, random_start=False)
        yield f"foolbox/PGD20-{epsilon}:l2", attack(model, x, y, epsilons=ball["eps"])[1]
    yield "torchattacks/FGSM8", torchattacks.FGSM(net, eps=8 / 255)(x, y)
    targeted = torchattacks.PGD(net, eps=12 / 255, alpha=2.5 * 12 / 255 / 20, steps=20, random_start=False)
    targeted.set_mode_targeted_by_label(quiet=True)
    yield "torchattacks/PGD20-12:target=1", targeted(x, torch.full_like(y, 1))
    yield "torchattacks/APGD-8", torchattacks.APGD(net, eps=8 / 255, steps=100, loss="ce", seed=0)(x, y)
    for name in ("apgd-ce", "apgd-t"):
        suite = AutoAttack(net, eps=8 / 255, seed=0, version="custom", attacks=[name])
        yield f"pyautoattack/{name}-8", suite.run_standard_evaluation(x, y, batch_size=IMAGES)[0]
    suite = AutoAttack(net, eps=8 / 255, seed=0)
    yield "pyautoattack/standard-8", suite.run_standard_evaluation(x[:STANDARD], y[:STANDARD])[0]


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    net, x, y = trained()
    assert torch.equal(x[:, :1].expand_as(x), x), "the digits are grey"
    arrays = {f"net/{name}": value.numpy() for name, value in net.state_dict().items()}
    arrays |= {"pixels": (x[:, 0] * 255).round().byte().numpy(), "labels": y.numpy()}
    arrays |= {
        "mean": net.shift.div(net.scale).neg().flatten().numpy(),
        "std": net.scale.reciprocal().flatten().numpy(),
    }
    for name, images in attacked(net, x, y):
        with torch.no_grad():
            arrays[f"predicted/{name}"] = net(images).argmax(1).numpy().astype(np.uint8)
        print(f"{name:36} {np.mean(arrays[f'predicted/{name}'] == y.numpy()[: len(images)]):.2f}", flush=True)
    np.savez_compressed(Path(__file__).parent / "attacks_digits.npz", **arrays)


if __name__ == "__main__":
    main()
