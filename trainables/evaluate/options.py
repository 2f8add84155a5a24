"""What `python -m trainables.evaluate` is asked for: its flags, checked, as one frozen value."""

import argparse
import dataclasses
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainables.attacks.spec import Attack, growing_radius, growing_steps, parse_attack, parse_attacks, with_radii
from trainables.config import make_method
from trainables.corruptions.severities import SEVERITIES
from trainables.measures import accuracy
from trainables.methods.entprop import EntProp
from trainables.options import OneLineParser, read_flags, unknown


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What the flags ask for."""

    run: Path
    norm: str = "main"
    corruptions: str = "all"
    severities: tuple[int, ...] = ()
    corrupted_images: int | None = None
    cifar_c: Path | None = None
    attacks: tuple[Attack, ...] = ()
    attacked_images: int | None = None
    transfer_from: Path | None = None
    shift: str | None = None
    class_map: Path | None = None
    normaliser: str | None = None
    curve: str = ""  # which of the uncertainty paper's curves the attacks are points of
    then: Attack | None = None
    geometry: int | None = None
    surface: tuple[int, ...] = ()
    cam: tuple[int, ...] = ()
    fid: EntProp | None = None
    legacy: bool = False
    selections: bool = False
    name: str = ""
    precision: str = "fp32"
    data_root: Path | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, known in (
            ("norm", ("main", "aux")),
            ("corruptions", ("all", "none", "validation")),
            ("precision", ("fp32", "bf16")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(unknown(name, getattr(self, name), known))
        if self.curve and self.curve not in CURVES:
            raise ValueError(unknown("curve", self.curve, CURVES))
        for severity in self.severities:
            if severity not in SEVERITIES:
                raise ValueError(f"severities must be whole numbers in [1, 5], got {severity!r}")
        for name in ("corrupted_images", "attacked_images", "geometry"):
            count = getattr(self, name)
            if count is not None and (not isinstance(count, int) or count < 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {count!r}")
        for name in ("surface", "cam"):
            for number in getattr(self, name):
                if not isinstance(number, int) or number < 0:
                    raise ValueError(f"{name} must be numbers of images, from 0 on, got {number!r}")
        if not re.fullmatch(r"[A-Za-z0-9._-]*", self.name):
            raise ValueError(f"name must be of letters, digits, dots, dashes and underscores, got {self.name!r}")
        if self.normaliser and self.corruptions != "all":
            raise ValueError("normaliser must come with corruptions all, whose errors it divides")
        if self.class_map and not self.shift:
            raise ValueError("class_map must come with shift, the pictures whose classes it maps")
        for name, why in (
            ("transfer_from", "the attack that is made against that network"),
            ("curve", "the attack whose curve it asks for"),
            ("then", "the attack that leaves images for it"),
        ):
            if getattr(self, name) and not self.attacks:
                raise ValueError(f"{name} must come with attack, {why}")
        for name in ("curve", "then"):
            if getattr(self, name) and self.transfer_from:
                raise ValueError(f"{name} must come without transfer_from: it is of attacks on this network")

    def file(self, kind: str, ending: str) -> Path:
        """Where a file of that kind goes: none of another norm or name is touched."""
        return self.run / f"{'-'.join(filter(None, (kind, self.norm, self.name)))}.{ending}"


def build_parser() -> OneLineParser:
    """The flags of an evaluation."""
    parser = OneLineParser(
        prog="python -m trainables.evaluate",
        usage="python -m trainables.evaluate RUN [options]",
        description=accuracy.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the folder of a training run")
    add("--norm", metavar="{main,aux}", help="which norms to measure with [main]")
    corruptions = "the 15 reported ones on test images, none, or the four of the search on validation images [all]"
    add("--corruptions", metavar="{all,none,validation}", help=corruptions)
    add("--severities", metavar="S,S", help="severities in [1, 5] [all five; validation: 1,3,5]")
    add("--corrupted-images", metavar="N", help="corrupt the first N images only [all; digits: 300]")
    add("--cifar-c", type=Path, metavar="FOLDER", help="the published CIFAR-10-C or CIFAR-100-C instead of our own")
    add("--attack", metavar="NAMES", help="attacks divided by commas: PGD20-8, FGSM4, CW40-8, PGD20-2:entprop, AA-8 …")
    add("--radii", metavar="E,E", help="each attack at these epsilons (in 1/255): accuracy against epsilon")
    add("--step-counts", metavar="N,N", help="each attack with these many steps: accuracy against steps")
    add("--attacked-images", metavar="N", help="attack the first N images only [all]")
    add("--transfer-from", type=Path, metavar="RUN", help="attack that run's network and show the result to this one")
    add(
        "--curve", metavar="{epsilon,steps}", help="each attack along a curve of the uncertainty paper: within 10 … 150"
    )
    add("--then", metavar="NAME", help="another attack on the images that each attack leaves right: RS10000-8")
    add("--legacy", action="store_true", help="also what the mixture paper's code measures, for its two tables alone")
    add("--shift", metavar="DATA", help="accuracy on other pictures of the same classes, folder:PATH")
    add("--class-map", type=Path, metavar="FILE", help="JSON: class folder of --shift to class of the training data")
    add(
        "--normaliser",
        metavar="{alexnet,RUN}",
        help="add mCE: errors over AlexNet's on ImageNet-C, or over those of a run",
    )
    add("--geometry", metavar="N", help="margin, Jacobian, non-linearity and distortion of the first N images")
    add("--surface", metavar="I,I", help="loss and margin around these images, a file to draw from")
    add("--cam", metavar="I,I", help="class activation maps of these images, clean and corrupted, a file to draw from")
    add("--fid", metavar="k=K,n=N", help="Fréchet distances of transformed training images, as that EntProp makes them")
    add("--selections", action="store_true", help="how often images were selected, a file to draw from")
    add("--name", metavar="NAME", help="write evaluation-NORM-NAME.csv, and leave earlier results alone")
    add("--precision", metavar="{fp32,bf16}", help="bf16 is three times as fast where the processor has it [fp32]")
    add("--data-root", type=Path, metavar="FOLDER", help="where data sets lie")
    add("--device", metavar="D", help="cpu, cuda, cuda:1, mps or auto [auto]")
    return parser


def read_evaluation(values: dict[str, Any]) -> Evaluation:
    """What the flags ask for, checked."""
    attacks = parse_attacks(values.pop("attack")) if "attack" in values else []
    radii, counts = numbers(values.pop("radii", "")), numbers(values.pop("step_counts", ""))
    if (radii or counts) and not attacks:
        raise ValueError("radii and step_counts must come with attack, whose curve they ask for")
    whole("step_counts", counts)
    curve = values.get("curve", "")
    if curve in CURVES:
        attacks = [each for attack in attacks for each in CURVES[curve](attack, radii, counts)]
    else:
        attacks = [each for attack in attacks for each in (with_radii(attack, radii) if radii else [attack])]
        if counts:
            attacks = [dataclasses.replace(attack, steps=int(count)) for attack in attacks for count in counts]
    parsed: dict[str, Any] = {}
    for name, read in (("then", parse_attack), ("fid", read_entprop)):
        if name in values:
            parsed[name] = read(values.pop(name))
    return Evaluation(**{**values, **read_flags(values, Evaluation)}, **parsed, attacks=tuple(attacks))


def along_epsilon(attack: Attack, radii: list[float], counts: list[float]) -> list[Attack]:
    """Points of figure 1 of the uncertainty paper, at its own radii unless others are given."""
    if counts:
        raise ValueError("step_counts must be left out of curve epsilon, whose steps grow with the radius")
    return growing_radius(attack, whole("radii", radii)) if radii else growing_radius(attack)


def along_steps(attack: Attack, radii: list[float], counts: list[float]) -> list[Attack]:
    """Points of figure 2, at its own numbers of steps unless others are given."""
    points = [
        growing_steps(each, whole("step_counts", counts)) if counts else growing_steps(each)
        for each in (with_radii(attack, radii) if radii else [attack])
    ]
    return [each for curve in points for each in curve]


CURVES: dict[str, Callable[[Attack, list[float], list[float]], list[Attack]]] = {
    "epsilon": along_epsilon,
    "steps": along_steps,
}


def whole(name: str, values: list[float]) -> list[int]:
    """The values as whole numbers; ValueError for one that is not."""
    for value in values:
        if value != int(value) or value < 1:
            raise ValueError(f"{name} must be whole numbers of at least 1 for a curve, got {value:g}")
    return [int(value) for value in values]


FRECHET_OPTIONS = ("k", "n", "epsilon", "alpha", "eps_rule", "metric", "beta")  # the others change no picture of it


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


def numbers(text: str) -> list[float]:
    """The numbers that commas divide; ValueError for a word among them."""
    try:
        found = [float(part) for part in text.split(",") if part]
    except ValueError:
        found = [math.nan]
    if not all(map(math.isfinite, found)):
        raise ValueError(f"radii and step_counts must be numbers divided by commas, got {text!r}")
    return found
