"""Fields that carry their own help text and limits, so that a flag, its help and its error message have one source."""

import argparse
import dataclasses
import difflib
import functools
import math
import types
import typing
from collections.abc import Iterable
from typing import Any


def option(
    default: Any,
    help: str,
    *,
    one_of: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
) -> Any:
    """A dataclass field with a help text and the values it may take (`above` is an exclusive lower limit)."""
    limits = {"one_of": one_of, "low": low, "high": high, "above": above}
    return dataclasses.field(default=default, metadata={"help": help, **limits})


def check_options(instance: Any) -> None:
    """Raise ValueError for the first field whose value is of the wrong type or outside its limits."""
    kind: Any = type(instance)
    types_of = field_types(kind)
    for field in dataclasses.fields(instance):
        if "help" in field.metadata:
            _check(field.name, getattr(instance, field.name), types_of[field.name], field.metadata)


@functools.cache
def field_types(kind: type) -> dict[str, Any]:
    """The annotations of a dataclass; reading them takes longer than all checks together, and they do not change."""
    return typing.get_type_hints(kind)


def value_types(annotation: Any) -> tuple[type, ...]:
    """The plain types of an annotation: `float | None` gives (float, NoneType), `tuple[int, ...]` gives (tuple,)."""
    parts = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return tuple(typing.get_origin(part) or part for part in parts)


def _check(name: str, value: Any, annotation: Any, limits: Any) -> None:
    allowed = value_types(annotation)
    if value is None and type(None) in allowed:
        return
    if bool in allowed and not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {value!r}")
    if str in allowed and not isinstance(value, str):
        raise ValueError(f"{name} must be a word, got {value!r}")
    if limits["one_of"] and value not in limits["one_of"]:
        raise ValueError(unknown(name, value, limits["one_of"]))
    if int in allowed or float in allowed:
        _check_number(name, value, float in allowed, limits)


def _check_number(name: str, value: Any, fractions: bool, limits: Any) -> None:
    kind = "a number" if fractions else "a whole number"
    bounds = _bounds(limits)
    must = f"{name} must be {kind}{bounds}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, (int, float) if fractions else int):
        raise ValueError(must)
    too_low = (limits["low"] is not None and value < limits["low"]) or (
        limits["above"] is not None and value <= limits["above"]
    )
    too_high = limits["high"] is not None and value > limits["high"]
    if not math.isfinite(value) or too_low or too_high:
        raise ValueError(must)


def _bounds(limits: Any) -> str:
    low, high, above = limits["low"], limits["high"], limits["above"]
    if low is not None and high is not None:
        return f" in [{low:.10g}, {high:.10g}]"
    if above is not None and high is not None:
        return f" in ({above:g}, {high:g}]"
    if low is not None:
        return f" of at least {low:g}"
    if above is not None:
        return f" above {above:g}"
    return ""


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """One line for a name that is not among the known ones, with the nearest of them."""
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    suggestion = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {str(name)!r}; {suggestion}known: {', '.join(known)}"


def add_flags(parser: Any, kind: Any, skip: Iterable[str] = ()) -> None:
    """A command-line flag for every field of a dataclass; texts become values in `read_flags`."""
    for field in dataclasses.fields(kind):
        if "help" in field.metadata and field.name not in skip:
            add_flag(parser, {"": field})


def add_flag(parser: Any, fields: dict[str, Any]) -> None:
    """One flag for the fields of one name of several owners; a flag that is not given leaves no value behind."""
    first = next(iter(fields.values()))
    flag = "--" + first.name.replace("_", "-")
    help = "; ".join(_help_lines(fields)).replace("%", "%%")
    if isinstance(first.default, bool):
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=help)
    else:
        choices = list(dict.fromkeys(choice for field in fields.values() for choice in field.metadata["one_of"]))
        metavar = "{" + ",".join(choices) + "}" if choices else first.name[0].upper()
        parser.add_argument(flag, metavar=metavar, default=argparse.SUPPRESS, help=help)


def _help_lines(fields: dict[str, Any]) -> list[str]:
    """The help texts of fields of one name, each once, with its owners and their defaults."""
    owners: dict[str, list[str]] = {}
    for owner, field in fields.items():
        default = "" if field.default is None or field.default == () else f"{field.default}"
        owners.setdefault(field.metadata["help"], []).append(f"{owner} {default}".strip())
    return [text + (f" [{', '.join(names)}]" if any(names) else "") for text, names in owners.items()]


def read_flags(values: dict[str, Any], kind: Any) -> dict[str, Any]:
    """The given flags that are fields of a dataclass, as values of the fields' types.

    A text that is no number where one is wanted stays a text, and the dataclass says what it must be.
    """
    types_of = field_types(kind)
    return {
        field.name: _value(values[field.name], value_types(types_of[field.name]))
        for field in dataclasses.fields(kind)
        if field.name in values
    }


def _value(text: Any, allowed: tuple[type, ...]) -> Any:
    if not isinstance(text, str):
        return text
    if tuple in allowed:
        parts = [_number(part, int) for part in text.split(",") if part]
        return tuple(parts)
    for kind in (int, float):
        if kind in allowed:
            return _number(text, kind)
    return text


def _number(text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError:
        return text


class OneLineParser(argparse.ArgumentParser):
    """A parser whose complaints are one line on stderr and exit code 2, and that suggests the nearest flag."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> typing.NoReturn:
        self.exit(2, f"error: {message}\n")

    def parse(self, arguments: list[str] | None = None) -> argparse.Namespace:
        """Parse all arguments; the first unknown one is an error."""
        values, left = self.parse_known_args(arguments)
        if left:
            flags = [flag for action in self._actions for flag in action.option_strings]
            near = difflib.get_close_matches(left[0].split("=")[0], flags, n=1)
            self.error(f"unknown argument {left[0]!r}; " + (f"did you mean {near[0]}?" if near else "see --help"))
        return values
