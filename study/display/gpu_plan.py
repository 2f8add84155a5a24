"""What a study would take of GPUs that are not here: hours, memory of a trial, and how to place trials on them.

The hours come from one published rate, since this project has not run on a GPU: NVIDIA's ResNet-50 on an A100 of 80 GB
in mixed precision, 2,470 images a second, and 16,621 on eight (DeepLearningExamples, ConvNets/resnet50v1.5). Other
networks count by their operations, other GPUs by their memory bandwidth, which bounds convolutional networks. Networks
of few operations reach less than that: their images a second are bounded by the launches of kernels.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trainables.config import TrialConfig

RATE = 2470.0  # training images of 224 pixels a second, ResNet-50 on an A100
SCALING = 16_621 / (8 * 2470)  # of eight GPUs, to eight times one
EVALUATED = 76 / 3  # passes of an image in a test: the 75 corrupted sets and the clean one, forward alone
CONTEXT_GB = 1.5  # of a process on a GPU, before anything is trained
LONG_H, MOST, LEAST_SHARE = 24.0, 8, 32  # a longer run is shared by processes, up to so many with so many images each


@dataclass(frozen=True)
class Gpu:
    """A GPU's memory in GB, and its memory bandwidth in that of an A100 (NVIDIA's data sheets)."""

    memory: float
    speed: float


GPUS = {
    "A100": Gpu(80, 1.0),
    "H100": Gpu(80, 3.35 / 2.04),
    "H200": Gpu(141, 4.8 / 2.04),
    "RTX 4090": Gpu(24, 1.008 / 2.04),
}
PARAMETERS = {
    "resnet8": 0.08e6, "resnet8x2": 0.31e6, "resnet8s1": 0.08e6, "resnet18": 11.2e6, "resnet50": 23.7e6,
    "wide_resnet50_2": 67e6, "resnext50_32x4d": 23.2e6, "preact_resnet18": 11.2e6, "preact_resnet50": 23.7e6,
    "wrn_28_10": 36.5e6, "wrn_34_10": 46.2e6, "mnist_cnn": 0.02e6, "vit_b_16": 85.9e6,
}  # fmt: skip
# Operations of a forward pass of one image in 10⁹, and MB that it keeps for the backward pass in bfloat16: counted by
# torch's FlopCounterMode and saved_tensors_hooks. Of images of 32 pixels, and of 224.
SMALL_NETS = {
    "resnet8": (0.0063, 0.09), "resnet8x2": (0.0246, 0.18), "resnet8s1": (0.025, 0.36), "resnet18": (1.11, 2.42),
    "resnet50": (2.6, 13.1), "wide_resnet50_2": (7.37, 17.2), "resnext50_32x4d": (2.69, 17.2),
    "preact_resnet18": (1.11, 2.42), "preact_resnet50": (2.6, 12.1), "wrn_28_10": (10.5, 9.35),
    "wrn_34_10": (13.3, 11.7), "mnist_cnn": (0.001, 0.05), "vit_b_16": (35.1, 162.0),
}  # fmt: skip
LARGE_NETS = {
    "resnet18": (3.63, 11.2), "resnet50": (8.17, 43.3), "wide_resnet50_2": (22.8, 57.0),
    "resnext50_32x4d": (8.46, 57.0), "vit_b_16": (35.1, 162.0),
}  # fmt: skip
# Images for training, after those for validation were cut off, and for testing.
SMALL_DATA = {
    "cifar10": (45_000, 10_000), "cifar100": (45_000, 10_000), "svhn": (68_257, 26_032), "mnist": (55_000, 10_000),
    "fashion_mnist": (55_000, 10_000),
}  # fmt: skip
LARGE_DATA = {
    "pets": (3_312, 3_669), "cars": (7_330, 8_041), "cub": (5_395, 5_794), "imagenet": (1_276_167, 50_000),
    "imagenet100": (121_689, 5_000),
}  # fmt: skip


@dataclass(frozen=True)
class Work:
    """Runs of one configuration: their number, and what they cost together in N-epochs."""

    config: TrialConfig
    runs: int
    cost: float
    tested: int  # of these runs, how many are measured on test images


def gpu_lines(works: Iterable[Work]) -> list[tuple[str, str]]:
    """Lines of a plan, (heading, text); none for data of unknown size, or less than an hour of an A100."""
    works = list(works)
    known = all(_nets(work.config) and work.config.model in _nets(work.config) for work in works)
    if not works or not known or (hours := sum(map(a100_hours, works))) < 1:
        return []
    each = ", ".join(f"{name} {hours / gpu.speed:,.0f}" for name, gpu in GPUS.items())
    source = (
        "estimated from NVIDIA's 2,470 images/s for resnet50 on an A100, scaled to other networks by operations and to "
        "other GPUs by memory bandwidth; bf16, without attacks and image loading; python -m benchmarks.gpu measures it"
    )
    memory = max(memory_gb(work.config) for work in works)
    longest = max(works, key=lambda work: a100_hours(work) / work.runs)
    return [
        ("gpus", f"GPU-hours on {each}; {source}"),
        ("memory", f"about {memory:.1f} GB for the largest trial; {_placing(longest, memory)}"),
    ]


def a100_hours(work: Work) -> float:
    """Hours of one A100 for these runs."""
    config = work.config
    train, test = {**SMALL_DATA, **LARGE_DATA}[config.dataset]
    images = work.cost * min(train, config.train_images or train) + work.tested * EVALUATED * test
    return images * _nets(config)[config.model][0] / LARGE_NETS["resnet50"][0] / RATE / 3600


def memory_gb(config: TrialConfig, processes: int = 1) -> float:
    """Memory of a training process: weights, gradients and momentum, what a pass keeps, and the process itself."""
    kept = _nets(config)[config.model][1] * config.batch_size / processes / 1e3
    return 16 * PARAMETERS[config.model] / 1e9 + kept * (1 if config.precision == "bf16" else 2) + CONTEXT_GB


def _nets(config: TrialConfig) -> dict[str, tuple[float, float]]:
    """What is known of the networks on images of the size of a configuration's; nothing for other data."""
    if config.dataset in SMALL_DATA:
        return SMALL_NETS
    return LARGE_NETS if config.dataset in LARGE_DATA else {}


def _placing(longest: Work, memory: float) -> str:
    """How trials are to be placed: processes for long ones, several on a GPU for others."""
    hours = a100_hours(longest) / longest.runs
    most = min(MOST, longest.config.batch_size // LEAST_SHARE)
    if hours > LONG_H and most > 1:
        processes = min(2 ** math.ceil(math.log2(hours / LONG_H / SCALING)), most)
        faster, each = hours / processes / SCALING, memory_gb(longest.config, processes)
        return (
            f"the longest run takes {hours:,.0f} hours on one A100; with --processes-per-trial {processes}, about "
            f"{faster:,.0f} hours and {each:.1f} GB on each"
        )
    fit = ", ".join(f"{name} {max(0, int(0.9 * gpu.memory / memory))}" for name, gpu in GPUS.items())
    return f"trials that fit on a GPU: {fit}; --trials-per-gpu auto finds how many are fastest"
