"""Attacks and their names. An `Attack` describes an attack without the network, the images and the random generator.

    FGSM4                    one step of 4/255
    PGD20-8                  20 steps that raise the cross-entropy, at most 8/255 away
    CW40-8                   40 steps that raise the margin of the best other class, on logits
    TRADES20-8               20 steps that raise KL(clean ‖ perturbed)
    RS10000-8                10,000 random perturbations; one that fools the network is enough
    AA-8                     AutoAttack, standard version (needs the package pyautoattack)

A name is a family, the steps, a dash and epsilon in 1/255; options follow a colon, separated by commas:

    PGD20-8:step=2,restarts=1,start=none      PGD50-128:norm=l2      PGD20-8:target=1      FGSM25.5:norm=l2
    PGD20-2:entprop          PGD-20 of the EntProp paper: no random start, steps of 2.5·ε/20, one run (A19)
    PGD20-8:ceb,target=1     as in the CEB paper: no random start, steps of 4/3·ε/n, one run
    PGD20-8:smoothing=0.3    cross-entropy against labels smoothed by γ = 0.3
    PGD20-8:adaptive         the γ of 0, 0.1, … 1 that lowers accuracy most

Without options PGD, CW and TRADES are those of the uncertainty paper: steps of ε/10 in the L∞ ball, a start at the
image plus gaussian noise, and the worst of five runs for each image. The fields of `Attack` from `norm` on are the
options. Families are written in capitals and options are not, so that commas can also separate names
(`parse_attacks`). Numbers such as A19 refer to docs/decisions.md.
"""

import dataclasses
import importlib.util
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from trainables.options import check_options, option, read_flags, unknown


@dataclass(frozen=True)
class Family:
    """The attacks whose names begin with the same capitals."""

    example: str
    meaning: str
    kind: str
    options: tuple[str, ...]  # its options beside epsilon, norm and seed; the others must be left at their defaults
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


_GRADIENT = ("steps", "step", "reach", "start", "noise", "restarts")
_PGD = (*_GRADIENT, "target", "smoothing", "adaptive")
_ONE_STEP = {"steps": 1, "start": "none", "restarts": 1, "reach": 1.0}

# To add an attack, add a row here and the function that runs its kind: to OBJECTIVES (objectives.py) if it takes
# gradient steps, to SEARCHES (robustness.py) otherwise.
FAMILIES: dict[str, Family] = {
    "FGSM": Family("FGSM4", "one step of 4/255", "pgd", _PGD, _ONE_STEP),
    "PGD": Family("PGD20-8", "20 gradient steps within 8/255", "pgd", _PGD),
    "CW": Family("CW20-8", "20 steps on the margin within 8/255", "cw", (*_GRADIENT, "target")),
    "TRADES": Family("TRADES20-8", "20 steps on the divergence within 8/255", "trades", _GRADIENT),
    "RS": Family("RS10000-8", "10,000 random draws within 8/255", "random_search", ("steps", "target")),
    "AA": Family("AA-8", "AutoAttack within 8/255", "autoattack", (), {"steps": None}),
}
KINDS = {family.kind: family for family in FAMILIES.values()}

# The settings in which a paper differs from the defaults.
PROTOCOLS: dict[str, Mapping[str, Any]] = {
    "entprop": {"start": "none", "reach": 2.5, "restarts": 1},
    "ceb": {"start": "none", "reach": 4 / 3, "restarts": 1},
}


@dataclass(frozen=True)
class Attack:
    """One attack. Lengths (epsilon, step) are in 1/255, in the L2 norm too (A44)."""

    kind: str = option(
        "pgd",
        "raise the cross-entropy, the margin or TRADES' divergence, search at random, or run AutoAttack",
        one_of=tuple(KINDS),
    )
    epsilon: float = option(8.0, "radius of the ball around the image", above=0)
    steps: int | None = option(20, "gradient steps, or random draws; unset for autoattack", low=1)
    norm: Literal["linf", "l2"] = option("linf", "norm of the ball")
    step: float | None = option(None, "length of a step; unset: from `reach`", above=0)
    reach: float | None = option(None, "total length of all steps, in ε; unset: each step is ε/10", above=0)
    start: Literal["none", "uniform", "gaussian"] = option(
        "gaussian", "start of a run: the image, a point drawn from the ball, or the image plus noise"
    )
    noise: float | None = option(
        None, "standard deviation of the gaussian start in pixel values of [0, 1]; unset: 0.005, trades 0.001", above=0
    )
    restarts: int = option(5, "runs, of which the worst one counts for each image (A56)", low=1)
    target: int | None = option(None, "class that the image is to be taken for; unset: any wrong class", low=0)
    smoothing: float = option(0.0, "γ of the smoothed labels in the cross-entropy", low=0, high=1)
    adaptive: bool = option(False, "use the smoothing that lowers accuracy most")
    seed: int = option(0, "seed of the random numbers", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        check_options(self)
        if self.norm == "linf" and self.epsilon > 255:
            raise ValueError(f"epsilon must be a number in (0, 255] for norm linf, got {self.epsilon!r}")
        if (self.steps is None) == ("steps" in KINDS[self.kind].options):
            must = "a whole number" if self.steps is None else "unset"
            raise ValueError(f"steps must be {must} for {self.kind}, got {self.steps!r}")
        for name in (name for name in _OPTIONS if name not in ("norm", "seed", *KINDS[self.kind].options)):
            if (value := getattr(self, name)) != _DEFAULTS[name]:
                raise ValueError(f"{name} does not apply to {self.kind}, got {value!r}")
        if self.step is not None and self.reach is not None:
            raise ValueError(f"one of step and reach must be unset, got step {self.step:g} and reach {self.reach:g}")
        if self.adaptive and self.smoothing:
            raise ValueError(f"smoothing must be unset for an adaptive attack, which tries all, got {self.smoothing:g}")
        if self.noise is not None and self.start != "gaussian":
            raise ValueError(f"noise must be unset unless start is gaussian, got noise {self.noise:g} for {self.start}")
        if self.kind == "trades" and self.start == "none":
            raise ValueError("start must not be none for trades, whose gradient is zero at the image")

    @property
    def uses_gradients(self) -> bool:
        """Whether it takes gradient steps on one of OBJECTIVES."""
        return "start" in KINDS[self.kind].options

    @property
    def alpha(self) -> float:
        """The length of a step in 1/255."""
        if self.step is not None:
            return self.step
        return self.epsilon / 10 if self.reach is None else self.reach * self.epsilon / (self.steps or 1)

    @property
    def sigma(self) -> float:
        """The standard deviation of the gaussian start (A55, A64)."""
        return self.noise or (0.001 if self.kind == "trades" else 0.005)

    @property
    def runs(self) -> int:
        """The number of runs; one if all of them would be identical."""
        return self.restarts if self.uses_gradients and self.start != "none" else 1


_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Attack)}
_OPTIONS = [name for name in _DEFAULTS if name not in ("kind", "epsilon", "steps")]


def parse_attack(text: str) -> Attack:
    """The attack with this name; ValueError in one line for a name that has none."""
    head, _, options = text.partition(":")
    family = "".join(itertools.takewhile(str.isupper, head))
    if family not in FAMILIES:
        raise ValueError(_unknown_family(text))
    try:
        given = {**_steps_and_epsilon(family, head.removeprefix(family)), **_given_options(options, ":" in text)}
        if family == "FGSM" and set(given) & {"step", "reach", *PROTOCOLS}:
            raise ValueError(f"the step of FGSM is epsilon; write PGD1-{given['epsilon']} with options for another")
        base = {"kind": FAMILIES[family].kind, **FAMILIES[family].settings, **_protocol(given)}
        if "step" in given and "reach" not in given:
            base["reach"] = None
        return Attack(**{**base, **read_flags(given, Attack)})
    except ValueError as error:
        raise ValueError(f"attack {text!r}: {error}") from None


def _unknown_family(text: str) -> str:
    if text.partition(":")[0].upper().startswith(tuple(FAMILIES)) and not text[:1].isupper():
        return f"attack {text!r}: families are written in capitals: {', '.join(FAMILIES)}"
    return unknown("attack", text, [family.example for family in FAMILIES.values()])


def parse_attacks(text: str) -> list[Attack]:
    """The attacks of several names, separated by commas."""
    return [parse_attack(name) for name in re.split(r",(?=[A-Z])", text)]


def _steps_and_epsilon(family: str, numbers: str) -> dict[str, str]:
    """The numbers after the capitals as texts: epsilon, a dash and epsilon, or steps, a dash and epsilon."""
    example = f"write {FAMILIES[family].example} for {FAMILIES[family].meaning}"
    steps, dash, epsilon = numbers.partition("-")
    if family == "FGSM":
        steps, dash, epsilon = "", "-", numbers
    if not dash or not epsilon:
        raise ValueError(f"epsilon must be named, got none; {example}")
    if "steps" in FAMILIES[family].settings:
        if steps:
            raise ValueError(f"steps cannot be chosen, got {steps!r}; {example}")
        return {"epsilon": epsilon}
    if not re.fullmatch("[0-9]+", steps) or int(steps) == 0:
        raise ValueError(f"steps must be a whole number of at least 1, got {steps!r}; {example}")
    return {"steps": steps, "epsilon": epsilon}


def _given_options(text: str, any_given: bool) -> dict[str, Any]:
    """The options as texts; one without a value is a protocol or `adaptive`."""
    given: dict[str, Any] = {}
    words, keys = ["adaptive", *PROTOCOLS], [name for name in _OPTIONS if name != "adaptive"]
    for part in text.split(",") if any_given else ():
        name, sign, value = part.partition("=")
        if name not in (keys if sign else words):
            raise ValueError(unknown("option", part, [*words, *(f"{key}=" for key in keys)]))
        if name in given or (name in PROTOCOLS and set(given) & set(PROTOCOLS)):
            raise ValueError(f"an option must be given once, got {name} again")
        given[name] = value if sign else True
    return given


def _protocol(given: dict[str, Any]) -> Mapping[str, Any]:
    """The settings of the protocol among the options, which is removed from them."""
    return next((PROTOCOLS[name] for name in PROTOCOLS if given.pop(name, False)), {})


def attack_name(attack: Attack) -> str:
    """The shortest name of an attack; `parse_attack` gives the attack back."""
    protocols = [name for name, settings in PROTOCOLS.items() if _agrees(attack, settings)]
    names = [
        _name(attack, family, protocol)
        for family in FAMILIES
        if attack.kind == FAMILIES[family].kind and _agrees(attack, FAMILIES[family].settings, ("steps", "reach"))
        for protocol in ([None] if family == "FGSM" else [None, *protocols])
    ]
    return min(names, key=lambda name: (name.count(","), len(name)))


def _agrees(attack: Attack, settings: Mapping[str, Any], fields: Iterable[str] | None = None) -> bool:
    """Whether the attack has these settings, or those of them that are named."""
    fields = settings if fields is None else set(fields) & set(settings)
    return all(getattr(attack, field) == settings[field] for field in fields)


def _name(attack: Attack, family: str, protocol: str | None) -> str:
    """The attack's name with this family and this protocol, whose settings it has."""
    base = {**_DEFAULTS, **FAMILIES[family].settings, **(PROTOCOLS[protocol] if protocol else {})}
    differing = {name: getattr(attack, name) for name in _OPTIONS if getattr(attack, name) != base[name]}
    words = [protocol] if protocol else []
    words += [name if value is True else f"{name}={_number(value)}" for name, value in differing.items()]
    steps = "" if "steps" in FAMILIES[family].settings else str(attack.steps)
    dash = "" if family == "FGSM" else "-"
    return f"{family}{steps}{dash}{_number(attack.epsilon)}" + (":" + ",".join(words) if words else "")


def _number(value: Any) -> str:
    """The shortest text that reads back as the same number."""
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def check_installed(attack: Attack) -> None:
    """ValueError if the attack needs a package that is not installed."""
    if attack.kind == "autoattack" and importlib.util.find_spec("pyautoattack") is None:
        raise ValueError(
            f"{attack_name(attack)} needs the package pyautoattack; install it with "
            ".venv/bin/python -m pip install 'pyautoattack>=0.2'"
        )


def smoothings(attack: Attack) -> list[Attack]:
    """The attacks among which an adaptive one takes the most harmful: γ from 0 to 1 in steps of 0.1."""
    return [dataclasses.replace(attack, adaptive=False, smoothing=tenths / 10) for tenths in range(11)]


def with_radii(attack: Attack, radii: Iterable[float]) -> list[Attack]:
    """The same attack at several epsilons in 1/255; its step scales with epsilon unless it is fixed."""
    return [dataclasses.replace(attack, epsilon=float(radius)) for radius in radii]


def growing_radius(attack: Attack, radii: Iterable[int] = range(10, 151, 10)) -> list[Attack]:
    """The attacks of the uncertainty paper's perturbation curve: epsilon k/255 in k steps of 2/255."""
    return [dataclasses.replace(attack, epsilon=float(k), steps=k, step=2.0, reach=None) for k in radii]


def growing_steps(attack: Attack, counts: Iterable[int] = (8, 16, 32, 64, 128, 256, 500)) -> list[Attack]:
    """The attacks of the uncertainty paper's curve over steps: k steps of max(1/510, 2ε/k) (A59)."""
    return [dataclasses.replace(attack, steps=k, step=max(0.5, 2 * attack.epsilon / k), reach=None) for k in counts]
