"""One frozen dataclass that says everything about one training run, and refuses what makes no sense."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trainables.choices import Precision
from trainables.data.datasets import EMBEDDED, check_dataset, dataset_entry
from trainables.data.images import AUGMENTS, SMALL
from trainables.methods import METHODS, Method, Vanilla, method_name
from trainables.models.registry import model_entry
from trainables.options import check_options, option, unknown


@dataclass(frozen=True)
class TrialConfig:
    """One trial, complete: the method with its hyper-parameters, the data, the network and the optimiser's recipe."""

    method: Method = field(default_factory=Vanilla)
    dataset: str = option(EMBEDDED, "a data set's name, folder:PATH or npz:PATH")
    train_images: int | None = option(None, "train on a stratified subset of this many images; unset: all", low=1)
    resplit: bool = option(
        False,
        "draw each run's validation split from its seed, so that seeds also differ in training images",
    )
    resize: int | None = option(
        None, f"resize images to this many pixels a side: at most {SMALL} (kept in memory), or 224; unset: no resizing",
        low=8, high=224,
    )  # fmt: skip
    model: str = option("resnet8", "network: a name from `python -m trainables --list`, or timm:NAME")
    norms: bool = option(True, "keep the network's norm layers; only single-norm methods can train without them")
    pretrained: bool = option(
        False, "start from torchvision's ImageNet weights; auxiliary norms start as copies of the main ones"
    )
    epochs: int = option(10, "passes through the training images", low=1)
    batch_size: int = option(64, "images per training step", low=2)
    optimizer: Literal["sgd", "adam"] = option("sgd", "the optimiser")
    lr: float = option(0.1, "peak learning rate", above=0)
    momentum: float = option(0.9, "momentum of sgd", low=0, high=1)
    nesterov: bool = option(False, "Nesterov's form of momentum")
    weight_decay: float = option(5e-4, "L2 penalty on every parameter (A22)", low=0)
    schedule: Literal["cosine", "milestones", "constant"] = option("cosine", "schedule of the learning rate")
    milestones: tuple[int, ...] = option(
        (), "epochs at which schedule `milestones` multiplies the learning rate by `decay`"
    )
    decay: float = option(0.1, "factor of the learning rate at each milestone", above=0, high=1)
    warmup: float = option(0.0, "share of all steps in which the learning rate rises from 0", low=0, high=0.99)
    augment: str = option("crop", "augmentation of training images: random crops and flips", one_of=tuple(AUGMENTS))
    norm_grad: Literal["group_mean", "global_mean"] = option(
        "group_mean",
        "gradient of norm parameters, averaged over the samples that passed through them or over all (A10)",
    )
    precision: Precision = option(
        "fp32", "precision of convolutions and matrix products: fp32, bf16 (bfloat16 autocast) or, on GPUs, tf32 "
        "(float32 with 10-bit mantissas)",
    )  # fmt: skip
    compile: bool = option(
        False, "compile the training passes: fewer GPU kernels, but a minute more at the start of each trial"
    )
    deterministic: bool = option(False, "refuse operations that are not bitwise reproducible")
    processes_per_trial: int = option(
        1, "processes that train a trial together; each takes a share of every batch and has its own GPU or cores",
        low=1,
    )  # fmt: skip
    sync_norms: bool = option(
        False, "batch norms use statistics of the whole batch; otherwise each process uses those of its share"
    )
    select_from: Literal["batch", "process"] = option(
        "batch", "mix and select images from the whole batch, or in each process from its share"
    )
    seed: int = option(
        0, "seed of initialisation, order, augmentation and all other random choices", low=0, high=2**31 - 1
    )

    def __post_init__(self) -> None:
        check_options(self)
        check_dataset(self.dataset)
        if self.resize is not None and SMALL < self.resize < 224:
            raise ValueError(f"resize must be at most {SMALL}, or 224, got {self.resize}")
        model_entry(self.model)
        whole = all(isinstance(epoch, int) and epoch >= 1 for epoch in self.milestones)
        if not whole or list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones must be rising epochs of at least 1, got {list(self.milestones)}")
        if self.schedule == "milestones" and not self.milestones:
            raise ValueError("milestones must name at least one epoch for schedule 'milestones', got none")
        if self.nesterov and (self.momentum == 0 or self.optimizer != "sgd"):
            raise ValueError("nesterov needs optimizer sgd with a momentum above 0")
        if self.method.dual and not self.norms:
            raise ValueError(
                f"norms must be true for {method_name(self.method)}, which needs auxiliary norms, got False"
            )
        if self.method.dual and not model_entry(self.model).norms:
            raise ValueError(
                f"model must have norm layers for {method_name(self.method)}, which doubles them, got {self.model}"
            )

        _check_processes(self)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` reads them back."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        method = {"name": method_name(self.method), **method_options(self.method)}
        return {**values, "method": method, "milestones": list(self.milestones)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrialConfig:
        """The configuration that `as_dict` wrote."""
        known = {f.name for f in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise ValueError(unknown("option", name, known))
        chosen = dict(values)
        if "method" in chosen:
            method = dict(chosen["method"])
            chosen["method"] = make_method(method.pop("name"), method)
        return cls(**{**chosen, "milestones": tuple(chosen.get("milestones", ()))})


def _check_processes(config: TrialConfig) -> None:
    processes = config.processes_per_trial
    if processes == 1 and (config.sync_norms or config.select_from == "process"):
        name = "sync_norms" if config.sync_norms else "select_from process"
        raise ValueError(f"{name} needs processes_per_trial of at least 2, got 1")
    if config.batch_size % processes:
        raise ValueError(
            f"batch_size must be a multiple of the {processes} processes_per_trial, got {config.batch_size}"
        )
    if config.sync_norms and config.compile:
        raise ValueError("compile must be false with sync_norms, whose processes wait for each other in every layer")


def method_options(method: Any) -> dict[str, Any]:
    """A method's hyper-parameters by name."""
    return dataclasses.asdict(method)


def make_method(name: str, values: Mapping[str, Any]) -> Method:
    """The method of that name with the given hyper-parameters, its own defaults for the rest."""
    if name not in METHODS:
        raise ValueError(unknown("method", name, METHODS))
    kind: Any = METHODS[name]
    known = [f.name for f in dataclasses.fields(kind)]
    for option_name in values:
        if option_name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ValueError(f"method {name} has no option {option_name!r}; {has}")
    return kind(**values)


def with_recipe(method: Method, dataset: str = EMBEDDED, **chosen: Any) -> TrialConfig:
    """A configuration from the data set's own recipe, changed where a value is given."""
    resize = chosen.get("resize")
    recipe = dict(dataset_entry(dataset, resize if isinstance(resize, int) else None).recipe)
    if "optimizer" in chosen and chosen["optimizer"] != recipe.get("optimizer", "sgd"):
        recipe.pop("nesterov", None)  # it belongs to the recipe's optimiser, as its learning rate does
    return TrialConfig(method=method, dataset=dataset, **{**recipe, **chosen})


def differences(ours: TrialConfig, theirs: TrialConfig) -> list[str]:
    """What two configurations disagree in, as `name: ours, theirs`."""
    mine, other = _flat(ours), _flat(theirs)
    return [
        f"{name}: {mine.get(name, 'absent')} and {other.get(name, 'absent')}"
        for name in {**mine, **other}
        if json.dumps(mine.get(name)) != json.dumps(other.get(name))
    ]


def _flat(config: TrialConfig) -> dict[str, Any]:
    values = config.as_dict()
    method = values.pop("method")
    return {"method": method.pop("name"), **method, **values}
