"""Everything that training changes, and how it is written to a checkpoint and read back.

A-numbers: docs/decisions.md
"""

import contextlib
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainables.config import TrialConfig
from trainables.data.images import Splits
from trainables.disk import replacing
from trainables.methods import Task, parts_of
from trainables.models.pixel_net import PixelNet, compile_training
from trainables.models.registry import model_entry
from trainables.models.synced_norm import sync_norms


class TrainState:
    """Everything that training changes: the network, the optimiser and how far they are; at first, the start of a run.

    `net` takes the place of a network with initial weights.
    """

    def __init__(
        self, config: TrialConfig, splits: Splits, device: torch.device | str = "cpu", net: PixelNet | None = None
    ) -> None:
        self.config = config
        self.device = torch.device(device)
        self.net = build_network(config, splits).to(self.device) if net is None else net
        self.optimizer = build_optimizer(config, self.net)
        self.epoch = 0
        self.spent = 0.0  # nominal cost of the epochs done, in N-epochs
        self.selected: Tensor | None = None  # training images that the last epoch selected, where asked for

    def save(self, path: Path) -> None:
        """Write a checkpoint in one piece: a kill leaves the old file or the new one."""
        whole = io.BytesIO()  # so that a full disk is an OSError that says so
        torch.save(self.content(), whole)
        with replacing(path) as file:
            file.write(whole.getbuffer())

    def content(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "config": self.config.as_dict(),
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "spent": self.spent,
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Continue from the content of a checkpoint of the same configuration."""
        self.net.load_state_dict(content["net"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.epoch, self.spent = int(content["epoch"]), float(content["spent"])

    @classmethod
    def load(cls, path: Path, splits: Splits, device: torch.device | str = "cpu") -> "TrainState":
        """The state that `save` wrote; ValueError if it is damaged or of other data."""
        content = read_checkpoint(path)
        config, net = load_network(path, content, splits, device)
        state = cls(config, splits, device, net)
        with naming_damage(path):
            state.restore(content)
        return state


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint; ValueError if it is damaged or something else."""
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load itself ignores the checksums that torch.save wrote
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(damaged)
        content = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"config", "net", "optimizer", "epoch", "spent"} - set(content)
    except Exception as error:  # torch.load raises whatever unpickling broken bytes happens to raise
        if isinstance(error, FileNotFoundError) or of_the_machine(error):
            raise
        cause = type(error).__name__
        raise ValueError(f"{path} is not a readable checkpoint ({cause}); delete it to start again") from error
    if missing:
        raise ValueError(f"{path} is not a checkpoint of this program: it has no {', '.join(sorted(missing))}")
    return content


def load_network(
    path: Path, content: dict[str, Any], splits: Splits, device: torch.device | str
) -> tuple[TrialConfig, PixelNet]:
    """The configuration and the network of a checkpoint's content; ValueError, which names `path`, if it is damaged."""
    with naming_damage(path):
        config = TrialConfig.from_dict(content["config"])
    net = build_network(config, splits, pretrained=False).to(device)
    with naming_damage(path):
        net.load_state_dict(content["net"])
    return config, net


@contextlib.contextmanager
def naming_damage(path: Path) -> Iterator[None]:
    """Turn what damaged content raises inside into a ValueError that names the checkpoint."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        if of_the_machine(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} does not fit the run ({reason}); delete it to start again") from error


def of_the_machine(error: BaseException) -> bool:
    """Whether an error tells of memory that ran out or of a failed device, and nothing of the file that was read."""
    kinds = (MemoryError, torch.OutOfMemoryError, torch.AcceleratorError)
    return isinstance(error, kinds) or (isinstance(error, RuntimeError) and "allocate memory" in str(error))


def build_network(config: TrialConfig, splits: Splits, *, pretrained: bool = True) -> PixelNet:
    """The method's network with its initial weights, drawn from the seed alone.

    Without `pretrained`, a fine-tuned network lacks its ImageNet weights, which a checkpoint is about to replace.
    """
    model, method = model_entry(config.model), config.method

    def make(outputs: int) -> nn.Module:
        download = {"download": False} if config.pretrained and not pretrained else {}
        return model.build(outputs, splits.size, config.norms, config.pretrained, **download)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "init", 0))
        body, head = parts_of(method, make, Task(len(splits.classes), len(splits.train) // config.batch_size))
    bf16 = config.precision == "bf16"
    net = PixelNet(body, splits.mean, splits.std, dual=method.dual, bf16=bf16, head=head)
    net = net.to(memory_format=torch.channels_last)
    if config.sync_norms:
        sync_norms(net)
    if config.compile:
        compile_training(net)
    return net


def build_optimizer(config: TrialConfig, net: nn.Module) -> torch.optim.Optimizer:
    """SGD or Adam over all parameters, with weight decay as an L2 penalty in the gradient (A22)."""
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
        must = "device must be auto, cpu, cuda, cuda:N or mps, and available"
        raise ValueError(f"{must}, got {name!r} ({reason})") from error
    return name
