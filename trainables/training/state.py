"""Everything that training changes, and how it is written to a checkpoint and read back."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainables.config import TrialConfig
from trainables.data.images import Splits
from trainables.disk import replacing
from trainables.methods import Task, parts_of
from trainables.models.pixel_net import PixelNet, compile_training
from trainables.models.registry import model_entry


class TrainState:
    """Everything that training changes: the network, the optimiser and how far they are."""

    def __init__(self, config: TrialConfig, splits: Splits, device: torch.device | str = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        self.net = build_network(config, splits).to(self.device)
        self.optimizer = build_optimizer(config, self.net)
        self.epoch = 0
        self.spent = 0.0  # nominal cost of the epochs done, in N-epochs

    def save(self, path: Path) -> None:
        """Write a checkpoint in one piece: a kill leaves the old file or the new one."""
        content = {
            "config": self.config.as_dict(),
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "spent": self.spent,
        }
        whole = io.BytesIO()  # so that a full disk is an OSError that says so
        torch.save(content, whole)
        with replacing(path) as file:
            file.write(whole.getbuffer())

    @classmethod
    def load(cls, path: Path, splits: Splits, device: torch.device | str = "cpu") -> "TrainState":
        """The state that `save` wrote; ValueError if it is damaged or of other data."""
        content = read_checkpoint(path)
        try:
            state = cls(TrialConfig.from_dict(content["config"]), splits, device)
            state.net.load_state_dict(content["net"])
            state.optimizer.load_state_dict(content["optimizer"])
            state.epoch, state.spent = int(content["epoch"]), float(content["spent"])
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{path} does not fit the run ({reason}); delete it to start afresh") from error
        return state


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint; ValueError if it is damaged or something else."""
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load itself passes over the checksums that torch.save wrote
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(damaged)
        content = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"config", "net", "optimizer", "epoch", "spent"} - set(content)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch.load raises whatever unpickling broken bytes happens to raise
        cause = type(error).__name__
        raise ValueError(f"{path} is not a readable checkpoint ({cause}); delete it to start afresh") from error
    if missing:
        raise ValueError(f"{path} is not a checkpoint of this program: it has no {', '.join(sorted(missing))}")
    return content


def build_network(config: TrialConfig, splits: Splits) -> PixelNet:
    """The method's network with its initial weights, drawn from the seed and from nothing else."""
    model, method = model_entry(config.model), config.method

    def make(outputs: int) -> nn.Module:
        return model.build(outputs, splits.size, config.norms, config.pretrained)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "init", 0))
        body, head = parts_of(method, make, Task(len(splits.classes), len(splits.train) // config.batch_size))
    bf16 = config.precision == "bf16"
    net = PixelNet(body, splits.mean, splits.std, dual=method.dual, bf16=bf16, head=head)
    net = net.to(memory_format=torch.channels_last)
    if config.compile:
        compile_training(net)
    return net


def build_optimizer(config: TrialConfig, net: nn.Module) -> torch.optim.Optimizer:
    """SGD or Adam over all parameters, with the penalty in the gradient (A22)."""
    weights, rate, decay = net.parameters(), config.lr, config.weight_decay
    if config.optimizer == "adam":
        return torch.optim.Adam(weights, rate, weight_decay=decay, fused=True)
    return torch.optim.SGD(weights, rate, config.momentum, weight_decay=decay, nesterov=config.nesterov, fused=True)


def derive_seed(seed: int, purpose: str, epoch: int) -> int:
    """A seed of its own for each purpose and epoch, so that draws for one do not disturb another."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def resolve_device(name: str) -> str:
    """The device of that name, checked; auto is the first of cuda, mps and cpu that is there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.zeros((), device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        must = "device must be auto, cpu, cuda, cuda:N or mps and be there"
        raise ValueError(f"{must}, got {name!r} ({reason})") from error
    return name
