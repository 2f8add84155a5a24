"""Confirmed settings from the frame of a study's runs."""

from pathlib import Path
from typing import Any

import pandas as pd

from study.confirm.comparisons import Setting, settings_of
from study.files.results import Row
from study.papers.baselines import BASELINES
from trainables.methods import METHODS
from trainables.options import options_of

SPELLED = {"entprop": "EntProp", "advprop": "AdvProp", "fast_advprop": "Fast AdvProp", "mixprop": "MixProp"}
ATTACK = "PGD20-"  # how the attacks of the sensitivity tables are called


def settings(runs: pd.DataFrame) -> list[Setting]:
    """The configurations of confirmed runs that have a result, in the order of their first rows."""
    return settings_of(map(_typed, records(runs)))


def short(found: Setting) -> str:
    """A setting as a label at its point: a row of a table by its name, all others by method, k and n."""
    row, why = found.row, found.why
    if why.startswith(("lr ×", "equal cost")):
        return f"{BASELINES[row['method']]}, {why}"
    if why and not why.startswith(("best-", "published", "search", "vanilla", "mixup")):
        return why
    if row["method"] in BASELINES:
        return BASELINES[row["method"]]
    values = [f"{name}={row[name]:.3g}" for name in ("k", "p_adv", "n") if row.get(name) is not None]
    return " ".join([SPELLED.get(row["method"], str(row["method"])), *values])


def records(frame: pd.DataFrame) -> list[Row]:
    """A frame's rows as plain Python values, None for what is missing."""
    columns = {
        str(name): [
            None if missing else _plain(value)
            for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True)
        ]
        for name, column in frame.items()
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _typed(row: Row) -> Row:
    """The row with its hyper-parameters in the types of the method's fields: in a frame, a number may be 1.0 for 1."""
    values = {}
    for name, each in options_of(METHODS[row["method"]]).items():
        if row.get(name) is not None:
            kind = each.types[0]
            values[name] = kind(row[name]) if kind in (int, float, bool) else row[name]
    whole = {name: int(row[name]) for name in ("seed", "epochs") if row.get(name) is not None}
    return {**row, **values, **whole}


def counted(count: int, what: str) -> str:
    """1 seed, 3 seeds."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def data_name(dataset: str) -> str:
    """A data set as figures and tables call it: of one's own pictures the last part of their path."""
    return Path(dataset.partition(":")[2]).name.removesuffix(".npz") if ":" in dataset else dataset
