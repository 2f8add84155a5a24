"""Readers of the options of a study that are more than a word or a number: texts or values of Python to values."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from trainables.methods import METHODS
from trainables.options import options_of, read_flags, unknown


def words(given: str | Iterable[str]) -> tuple[str, ...]:
    """The words of a text with commas."""
    return tuple(part for part in given.split(",") if part) if isinstance(given, str) else tuple(given)


LOGGERS = ("mlflow", "wandb", "tensorboard")


def loggers(given: str | Iterable[str]) -> tuple[str, ...]:
    """Names of loggers, each known."""
    for name in (found := words(given)):
        if name not in LOGGERS:
            raise ValueError(unknown("logger", name, LOGGERS))
    return found


def number_or_auto(given: str) -> int | str | None:
    """A whole number, None for auto; any other text stays one, and is refused with the option's limits."""
    if given == "auto":
        return None
    return int(given) if given.lstrip("-").isdigit() else given


def seconds_or_auto(given: str) -> float | str | None:
    """A number, None for auto; any other text stays one, and is refused with the option's limits."""
    if given == "auto":
        return None
    try:
        return float(given)
    except ValueError:
        return given


def fixed_values(given: str | Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Names of hyper-parameters with their values, of a text like weights=sum,n=1."""
    pairs = list(given.items()) if isinstance(given, Mapping) else [_pair(part) for part in words(given)]
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError(f"fix must name each hyper-parameter once, got {given}")
    return tuple((name, _field_value(name, value)) for name, value in pairs)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not value:
        raise ValueError(f"fix must be NAME=VALUE,NAME=VALUE, got {text!r}")
    return name, value


def _field_value(name: str, value: Any) -> Any:
    """A text as a value of the method field of that name, whichever method has it."""
    kind = next((kind for kind in METHODS.values() if name in options_of(kind)), None)
    return value if kind is None else read_flags({name: value}, kind)[name]


def of_today(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a study that may be older than some of them."""
    older: dict[str, Any] = {
        "validation_corruptions": "imagenet-c",
        "race": None if values.get("table") else 0,
        "logger": [],
    }
    found = {**older, **values}
    if found.pop("tensorboard", False):
        found["logger"] = ["tensorboard"]
    return found


def check_no_secret(storage: str) -> None:
    """ValueError for an address that holds a password: study.json and every log would hold it too."""
    if "://" not in storage:
        return
    parts = urlsplit(storage)
    user = parts.netloc.rpartition("@")[0]
    secrets = [name for name, _ in parse_qsl(parts.query) if _SECRET.search(name)]
    if secrets or user not in ("", "anonymous"):
        got = f"the parameter {secrets[0]}" if secrets else "a name or password before the @"
        raise ValueError(f"storage must hold no password, got {got}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")


_SECRET = re.compile(r"key|secret|token|passw|sig", re.IGNORECASE)
