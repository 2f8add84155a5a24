"""A configuration as columns of a row, and its identifier."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from study.files.csv_table import Row
from trainables.config import TrialConfig, make_method, method_options
from trainables.methods import METHODS, Method, method_name
from trainables.options import unknown

# Left out at their defaults, so that identifiers of older studies stay what they were.
YOUNGER = ("resplit", "resize", "processes_per_trial", "sync_norms", "select_from")


def method_row(method: Method) -> Row:
    """A method's name and hyper-parameters as columns; an epsilon that a rule gives is written as a number."""
    values = {"method": method_name(method), **method_options(method)}
    return {**values, "epsilon": radius} if (radius := getattr(method, "radius", None)) is not None else values


def method_of(row: Mapping[str, Any]) -> Method:
    """The method that a row of trials or confirm names."""
    if row["method"] not in METHODS:
        raise ValueError(unknown("method", row["method"], METHODS))
    kind: Any = METHODS[row["method"]]
    names = [field.name for field in dataclasses.fields(kind)]
    return make_method(row["method"], {name: row[name] for name in names if row.get(name) is not None})


def config_id(config: TrialConfig) -> str:
    """Eight hexadecimal letters, the same for configurations that differ only in the seed and in `compile`."""
    values = {**config.as_dict(), "method": method_row(config.method)}
    del values["seed"], values["compile"]
    for name in YOUNGER:
        if values[name] == getattr(TrialConfig, name):
            del values[name]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def config_row(config: TrialConfig) -> Row:
    """The columns of trials and of confirm that a configuration decides."""
    return {
        "config": config_id(config), **method_row(config.method), "dataset": config.dataset, "model": config.model,
        "lr": config.lr, "seed": config.seed, "cost": config.method.cost,
    }  # fmt: skip
