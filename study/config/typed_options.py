"""The options of `study.run`, made from those of the command line by `python -m study.config.schema`."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class Options(TypedDict, total=False):
    """Every option of the command line, texts as there or values of Python."""

    methods: str | Sequence[str]
    search: str | Sequence[str]
    fix: str | Mapping[str, Any]
    trials: int | None
    total_budget: str | float | None
    scheduler: Literal["none", "asha", "own"] | Any
    sampler: Literal["tpe", "gp", "random", "grid", "own"] | Any | None
    validation_corruptions: Literal["veils", "imagenet-c"]
    objective: Literal["h", "pareto"]
    race: int | None
    confirm: int | None
    seeds: int | None
    controls: bool | None
    table: str | None
    scale: Literal["paper", "demo"]
    out: str | None
    address: str | None
    storage: str | None
    checkpoint_every: int
    keep: Literal["both", "last", "best", "none"]
    cpus_per_trial: float
    gpus_per_trial: float | None
    trials_per_gpu: int | str | None
    concurrency: int | None
    max_failures: int
    trial_timeout: float | str | None
    device: Literal["auto", "cpu", "cuda"]
    data_root: str | None
    warm_start: str | Sequence[str]
    seed: int
    dashboard: bool
    logger: str | Sequence[str]
    dataset: str
    train_images: int | None
    resplit: bool
    resize: int | None
    model: str
    norms: bool
    pretrained: bool
    epochs: int
    batch_size: int
    optimizer: Literal["sgd", "adam"]
    lr: float
    momentum: float
    nesterov: bool
    weight_decay: float
    schedule: Literal["cosine", "milestones", "constant"]
    milestones: str | Sequence[int]
    decay: float
    warmup: float
    augment: Literal["none", "flip", "crop", "crop4", "crop4_flip", "resized_crop_flip", "auto_crop_flip"]
    norm_grad: Literal["group_mean", "global_mean"]
    precision: Literal["fp32", "tf32", "bf16"]
    compile: bool
    deterministic: bool
    processes_per_trial: int
    sync_norms: bool
    select_from: Literal["batch", "process"]
    quiet: bool
    probe: bool
    resume: str
    extend: int
    retry_failed: bool
    like: str
