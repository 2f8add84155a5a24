"""Dataclass fields that carry their own help text and limits: flag, help and error message have one source."""

import argparse
import dataclasses
import difflib
import functools
import math
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any


def option(
    default: Any,
    help: str,
    *,
    one_of: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    read: Callable[[Any], Any] | None = None,
    metavar: str = "",
    switch: bool = False,
) -> Any:
    """A dataclass field with a help text and limits.

    The choices of a field of type `Literal["a", "b"]` are its annotation; `one_of` is for names that a registry holds.
    `above` is an exclusive lower limit, and the limits of a tuple hold for each of its numbers. `read` turns the text
    of a flag, or a value of another type, into the value. A `switch` is a flag without a value and without `--no-`.
    """
    limits = {"one_of": one_of, "low": low, "high": high, "above": above}
    return dataclasses.field(
        default=default, metadata={"help": help, **limits, "read": read, "metavar": metavar, "switch": switch}
    )


@dataclasses.dataclass(frozen=True)
class Option:
    """One field made by `option`, with its annotation resolved."""

    name: str
    default: Any
    help: str
    types: tuple[type, ...]  # `float | None` gives (float, NoneType), `tuple[int, ...]` gives (tuple,)
    of: type | None  # what a tuple holds
    choices: tuple[str, ...]
    low: float | None
    high: float | None
    above: float | None
    read: Callable[[Any], Any] | None
    metavar: str
    switch: bool


@functools.cache
def options_of(kind: Any) -> Mapping[str, Option]:
    """The options of a dataclass by name; cached, since resolving annotations takes longer than all checks."""
    hints = typing.get_type_hints(kind)
    found = {}
    for field in dataclasses.fields(kind):
        if "help" not in field.metadata:
            continue
        given = dict(field.metadata)
        plain, choices, of = _parts(hints[field.name])
        choices = given.pop("one_of") or choices
        found[field.name] = Option(field.name, field.default, types=plain, of=of, choices=choices, **given)
    return types.MappingProxyType(found)


def _parts(annotation: Any) -> tuple[tuple[type, ...], tuple[str, ...], type | None]:
    """The plain types of an annotation, the choices of its Literal, and what its tuple holds."""
    union = isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
    plain: list[type] = []
    choices: tuple[str, ...] = ()
    of = None
    for part in typing.get_args(annotation) if union else (annotation,):
        origin = typing.get_origin(part)
        if origin is typing.Literal:
            plain.append(str)
            choices = typing.get_args(part)
        elif origin is tuple:
            plain.append(tuple)
            of = typing.get_args(part)[0]
        else:
            plain.append(origin or part)
    return tuple(plain), choices, of


def check_options(instance: Any) -> None:
    """Raise ValueError for the first option whose value is of the wrong type or outside its limits."""
    kind: Any = type(instance)
    for each in options_of(kind).values():
        _check(each, getattr(instance, each.name))


def _check(each: Option, value: Any) -> None:
    if value is None and type(None) in each.types:
        return
    if bool in each.types and not isinstance(value, bool):
        raise ValueError(f"{each.name} must be true or false, got {value!r}")
    if str in each.types and not isinstance(value, str):
        raise ValueError(f"{each.name} must be a word, got {value!r}")
    if each.choices and value not in each.choices:
        raise ValueError(unknown(each.name, value, each.choices))
    bounds = _bounds(each)
    if tuple in each.types and each.of in (int, float) and bounds:
        many = "numbers" if each.of is float else "whole numbers"
        for part in value:
            _check_number(each, part, each.of is float, f"{each.name} must be {many}{bounds}, got {part!r}")
    elif int in each.types or float in each.types:
        one = "a number" if float in each.types else "a whole number"
        _check_number(each, value, float in each.types, f"{each.name} must be {one}{bounds}, got {value!r}")


def _check_number(each: Option, value: Any, fractions: bool, must: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float) if fractions else int):
        raise ValueError(must)
    too_low = (each.low is not None and value < each.low) or (each.above is not None and value <= each.above)
    too_high = each.high is not None and value > each.high
    if not math.isfinite(value) or too_low or too_high:
        raise ValueError(must)


def _bounds(each: Option) -> str:
    low, high, above = each.low, each.high, each.above
    if low is not None and high is not None:
        return f" in [{low:.10g}, {high:.10g}]"
    if above is not None and high is not None:
        return f" in ({above:g}, {high:g}]"
    if low is not None:
        return f" of at least {low:g}"
    if above is not None:
        return f" above {above:g}"
    return f" of at most {high:g}" if high is not None else ""


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """One line for a name that is not among the known ones, with the nearest of them."""
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    suggestion = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {str(name)!r}; {suggestion}known: {', '.join(known)}"


def add_flags(parser: Any, kind: Any, skip: Iterable[str] = ()) -> None:
    """A command-line flag for every option of a dataclass; `read_flags` turns the texts into values."""
    for each in options_of(kind).values():
        if each.name not in skip:
            add_flag(parser, {"": each})


def add_flag(parser: Any, owners: Mapping[str, Option]) -> None:
    """One flag for the options of one name of several owners; a flag that is not given leaves no value behind."""
    first = next(iter(owners.values()))
    flag = "--" + first.name.replace("_", "-")
    help = "; ".join(_help_lines(owners)).replace("%", "%%")
    if first.switch:
        parser.add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=help)
    elif isinstance(first.default, bool):
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=help)
    else:
        choices = list(dict.fromkeys(choice for each in owners.values() for choice in each.choices))
        metavar = "{" + ",".join(choices) + "}" if choices else first.metavar or first.name[0].upper()
        parser.add_argument(flag, metavar=metavar, default=argparse.SUPPRESS, help=help)


def _help_lines(owners: Mapping[str, Option]) -> list[str]:
    """The help texts of options of one name, each once, with its owners and their defaults."""
    texts: dict[str, list[str]] = {}
    for owner, each in owners.items():
        default = "" if each.switch or each.default in (None, (), "") else str(each.default)
        default = ",".join(map(str, each.default)) if isinstance(each.default, tuple) else default
        texts.setdefault(each.help, []).append(f"{owner} {default}".strip())
    return [text + (f" [{', '.join(names)}]" if any(names) else "") for text, names in texts.items()]


def read_flags(values: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """The given values that are options of a dataclass, texts as values of the options' types.

    A text that is no number where one is wanted stays a text, and the dataclass says what it must be.
    """
    return {name: _value(values[name], each) for name, each in options_of(kind).items() if name in values}


def _value(given: Any, each: Option) -> Any:
    if isinstance(given, list) and tuple in each.types:
        return tuple(given)
    if each.read and (isinstance(given, str) or not isinstance(given, each.types)):
        return each.read(given)
    if not isinstance(given, str):
        return given
    if tuple in each.types:
        return tuple(_plain(part, (each.of or str,)) for part in given.split(",") if part)
    return _plain(given, each.types)


def _plain(text: str, kinds: tuple[type, ...]) -> Any:
    if Path in kinds:
        return Path(text)
    if bool in kinds and text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                return text
    return text


class OneLineParser(argparse.ArgumentParser):
    """A parser whose complaints are one line on stderr and exit code 2, and that suggests the nearest flag."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> typing.NoReturn:
        self.exit(2, f"error: {message}\n")

    def parse(self, arguments: list[str] | None = None) -> argparse.Namespace:
        """Parse all arguments; the first that is unknown or given twice is an error."""
        self._check_once(sys.argv[1:] if arguments is None else arguments)
        values, left = self.parse_known_args(arguments)
        if left:
            flags = [flag for action in self._actions for flag in action.option_strings]
            near = difflib.get_close_matches(left[0].split("=")[0], flags, n=1)
            self.error(f"unknown argument {left[0]!r}; " + (f"did you mean {near[0]}?" if near else "see --help"))
        return values

    def _check_once(self, arguments: Iterable[str]) -> None:
        """Complain of a flag that is given twice, with its opposite or without: argparse would take the last."""
        single = [action for action in self._actions if not isinstance(action, argparse._AppendAction)]
        owners = {flag: action for action in single for flag in action.option_strings}
        seen = set()
        for flag in (word.split("=")[0] for word in arguments):
            if flag in owners and owners[flag].dest in seen:
                self.error(f"{owners[flag].option_strings[0]} must be given once, got it twice")
            if flag in owners:
                seen.add(owners[flag].dest)
