"""What `python -m trainables.evaluate` is asked for: its flags, checked, as one frozen value."""

import argparse
import dataclasses
import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from trainables.attacks.spec import Attack, growing_radius, growing_steps, parse_attack, parse_attacks, with_radii
from trainables.choices import ValidationCorruptions
from trainables.config import make_method
from trainables.measures import accuracy
from trainables.methods.entprop import EntProp
from trainables.models.deploy import Norm
from trainables.options import OneLineParser, add_flags, check_options, option, read_flags, unknown


def numbers(text: str) -> tuple[float, ...]:
    """The numbers in a text, separated by commas."""
    try:
        found = tuple(float(part) for part in text.split(",") if part)
    except ValueError:
        found = (math.nan,)
    if not all(map(math.isfinite, found)):
        raise ValueError(f"radii and step_counts must be numbers separated by commas, got {text!r}")
    return found


def whole(name: str, values: Sequence[float]) -> list[int]:
    """The values as whole numbers; ValueError for one that is not."""
    for value in values:
        if value != int(value) or value < 1:
            raise ValueError(f"{name} must be whole numbers of at least 1 for a curve, got {value:g}")
    return [int(value) for value in values]


def each_radius_and_count(attack: Attack, radii: Sequence[float], counts: Sequence[float]) -> list[Attack]:
    """The attack at every radius with every number of steps; its own where none are given."""
    points = with_radii(attack, radii) if radii else [attack]
    return [dataclasses.replace(each, steps=int(n)) for each in points for n in counts] if counts else points


def along_epsilon(attack: Attack, radii: Sequence[float], counts: Sequence[float]) -> list[Attack]:
    """Points of figure 1 of the uncertainty paper, at its own radii unless others are given."""
    if counts:
        raise ValueError("step_counts does not apply to curve epsilon, whose steps grow with the radius")
    return growing_radius(attack, whole("radii", radii)) if radii else growing_radius(attack)


def along_steps(attack: Attack, radii: Sequence[float], counts: Sequence[float]) -> list[Attack]:
    """Points of figure 2, at its own numbers of steps unless others are given."""
    points = [
        growing_steps(each, whole("step_counts", counts)) if counts else growing_steps(each)
        for each in (with_radii(attack, radii) if radii else [attack])
    ]
    return [each for curve in points for each in curve]


CURVES: dict[str, Callable[[Attack, Sequence[float], Sequence[float]], list[Attack]]] = {
    "epsilon": along_epsilon,
    "steps": along_steps,
}


FRECHET_OPTIONS = ("k", "n", "epsilon", "alpha", "eps_rule", "metric", "beta")  # the others change none of its images


def read_entprop(text: str) -> EntProp:
    """The EntProp whose transformations are measured, of options as in `k=0.2,n=1`."""
    given = dict(part.partition("=")[::2] for part in text.split(","))
    for name in given:
        if name not in FRECHET_OPTIONS:
            raise ValueError(unknown("option of fid", name, FRECHET_OPTIONS))
    method = make_method("entprop", {**given, **read_flags(given, EntProp)})
    assert isinstance(method, EntProp)
    if method.k == 0:
        raise ValueError("k must be above 0 for fid, which compares what EntProp selects, got 0")
    return method


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What to measure of the run in a folder."""

    run: Path
    norm: Norm = option("main", "norms to evaluate with")
    corruptions: Literal["all", "none", ValidationCorruptions] = option(
        "all", "all: the 15 reported corruptions on test images; veils or imagenet-c: those of a search, on validation "
        "images; none",
    )  # fmt: skip
    severities: tuple[int, ...] = option(
        (),
        "severities from 1 to 5; unset: all five on test images; 1,3,5 on validation images",
        low=1,
        high=5,
        metavar="S,S",
    )
    corrupted_images: int | None = option(None, "corrupt only the first N images; unset: all", low=1, metavar="N")
    cifar_c: Path | None = option(
        None, "folder of the published CIFAR-10-C or CIFAR-100-C, in place of our own", metavar="FOLDER"
    )
    attack: tuple[Attack, ...] = option(
        (), "attacks, separated by commas: PGD20-8, FGSM4, CW40-8, PGD20-2:entprop, AA-8 …",
        read=parse_attacks, metavar="NAMES",
    )  # fmt: skip
    radii: tuple[float, ...] = option((), "run each attack at these epsilons (in 1/255)", read=numbers, metavar="E,E")
    step_counts: tuple[float, ...] = option(
        (), "run each attack with these numbers of steps", read=numbers, metavar="N,N"
    )
    attacked_images: int | None = option(None, "attack only the first N images; unset: all", low=1, metavar="N")
    transfer_from: Path | None = option(
        None, "transfer attack: attack that run's network and evaluate this one", metavar="RUN"
    )
    curve: Literal["epsilon", "steps"] | None = option(
        None, "run each attack along a curve of the uncertainty paper: ε from 10/255 to 150/255, or 8 to 500 steps"
    )
    then: Attack | None = option(
        None, "second attack, on images still correct after each attack, e.g. RS10000-8",
        read=parse_attack, metavar="NAME",
    )  # fmt: skip
    legacy: bool = option(False, "also measure as the mixture paper's code does, for its two tables", switch=True)
    shift: str | None = option(
        None, "also measure accuracy on other images of the same classes, folder:PATH", metavar="DATA"
    )
    class_map: Path | None = option(
        None, "JSON that maps class folders of --shift to classes of the training data", metavar="FILE"
    )
    normaliser: str | None = option(
        None, "add mCE: errors divided by AlexNet's on ImageNet-C, or by those of a run", metavar="{alexnet,RUN}"
    )
    geometry: int | None = option(
        None, "measure margin, Jacobian, non-linearity and distortion at the first N images", low=1, metavar="N"
    )
    surface: tuple[int, ...] = option(
        (), "write loss and margin around these images, for a figure", low=0, metavar="I,I"
    )
    cam: tuple[int, ...] = option(
        (), "write class activation maps of these images, clean and corrupted, for a figure", low=0, metavar="I,I"
    )
    fid: EntProp | None = option(
        None, "measure Fréchet distances from training images to copies that EntProp with these options transformed",
        read=read_entprop,
        metavar="k=K,n=N",
    )  # fmt: skip
    selections: bool = option(False, "write how often training images were selected, for a figure", switch=True)
    name: str = option("", "write to evaluation-NORM-NAME.csv, beside earlier results", metavar="NAME")
    precision: Literal["fp32", "bf16"] = option("fp32", "bf16: three times as fast on processors that support it")
    data_root: Path | None = option(None, "folder of the data sets", metavar="FOLDER")
    device: str = option("auto", "cpu, cuda, cuda:1, mps or auto")

    def __post_init__(self) -> None:
        check_options(self)
        if not re.fullmatch(r"[A-Za-z0-9._-]*", self.name):
            raise ValueError(f"name must be of letters, digits, dots, dashes and underscores, got {self.name!r}")
        if self.normaliser and self.corruptions != "all":
            raise ValueError("normaliser needs corruptions all, whose errors it divides")
        if self.class_map and not self.shift:
            raise ValueError("class_map needs shift, whose classes it maps")
        if (self.radii or self.step_counts) and not self.attack:
            raise ValueError("radii and step_counts need attack, the attack to run")
        for name, why in (
            ("transfer_from", "the attack on that network"),
            ("curve", "the attack to run along it"),
            ("then", "the attack that comes first"),
        ):
            if getattr(self, name) and not self.attack:
                raise ValueError(f"{name} needs attack, {why}")
        for name in ("curve", "then"):
            if getattr(self, name) and self.transfer_from:
                raise ValueError(f"{name} does not apply to transfer_from: it needs attacks on this network")
        _ = self.attacks  # refuses radii and steps that its curve cannot have

    @functools.cached_property
    def attacks(self) -> tuple[Attack, ...]:
        """Every attack to measure: those named, at each radius and with each number of steps."""
        whole("step_counts", self.step_counts)
        along = CURVES[self.curve] if self.curve else each_radius_and_count
        return tuple(point for attack in self.attack for point in along(attack, self.radii, self.step_counts))

    def file(self, kind: str, ending: str) -> Path:
        """The path of a result file of that kind, a different one for each norm and name."""
        return self.run / f"{'-'.join(filter(None, (kind, self.norm, self.name)))}.{ending}"


def build_parser() -> OneLineParser:
    """The flags of an evaluation."""
    parser = OneLineParser(
        prog="python -m trainables.evaluate",
        usage="python -m trainables.evaluate RUN [options]",
        description=accuracy.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a training run")
    add_flags(parser, Evaluation)
    return parser


def read_evaluation(values: Mapping[str, Any]) -> Evaluation:
    """The evaluation that these flags ask for, texts or values by name."""
    return Evaluation(**{**values, **read_flags(values, Evaluation)})
