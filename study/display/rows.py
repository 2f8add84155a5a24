"""A row of a study as a line of text."""

import re
from collections.abc import Mapping
from typing import Any

from study.config.budget import format_cost
from study.files.aligned import screen_width, shortened
from study.files.configs import method_of
from study.files.results import Row
from trainables.config import make_method, method_options

ALWAYS = {
    "entprop": ("k", "n", "epsilon", "metric"),
    "fast_advprop": ("p_adv", "n", "epsilon"),
    "advprop": ("n", "epsilon"),
    "pat": ("n", "epsilon", "loss"),
    "trades": ("n", "epsilon", "beta", "loss"),
    "gpaco": ("k", "n", "epsilon", "metric"),
    "ceb": ("rho",),
    "vib": ("rho",),
}
SYMBOLS = {"epsilon": "ε", "alpha": "α", "rho": "ρ"}


def setting(row: Mapping[str, Any]) -> str:
    """The method of a row with its settings: entprop k=0.2 n=1 ε=1 entropy."""
    name = row["method"]
    values = method_options(method_of(row))
    defaults = method_options(make_method(name, {}))
    shown = [key for key in values if key in ALWAYS.get(name, ())]
    shown += [key for key in values if key not in shown and values[key] != defaults[key]]
    return " ".join([name, *(_option(key, values[key]) for key in shown)])


def _option(name: str, value: Any) -> str:
    if name == "metric":
        return str(value)
    return f"{SYMBOLS.get(name, name)}={f'{value:.3g}' if isinstance(value, float) else value}"


def ended_line(row: Row, indent: int = 0) -> str:
    """One line for a run that ended: a trial, a run of the race, or a confirmed one; no wider than a terminal."""
    if "status" in row:
        line = _trial_line(row)
    else:
        line = _run_line("race", row, "val_") if "round" in row else _run_line("confirm", row, "")
    width = screen_width()
    if width is None or len(line) <= width - indent:
        return line
    return shortened(re.sub(r" \(SA [^)]*\)$", "", line), width - indent)


def counted(count: int, name: str) -> str:
    """A number with its noun: 1 trial, 2 trials."""
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"


def _trial_line(row: Row) -> str:
    cost = f"{format_cost(round(row['cost'], 3))} × {row['epochs'] or 0}"
    head = f"trial {row['trial']:>3}  {setting(row)}  {cost}  {_seconds(row['seconds'])}"
    if row["status"] == "finished":
        return f"{head}  {_measured(row, 'val_')}"
    if row["status"] == "stopped":
        reached = "" if row["val_h"] is None else f" at H {points(row['val_h'])}"
        return f"{head}  stopped after epoch {row['epochs']}{reached}"
    if row["status"] == "failed":
        return f"{head}  failed: {first_line(row['error'])}"
    return f"{head}  running"


def _run_line(phase: str, row: Row, prefix: str) -> str:
    head = f"{phase}  {row['why']}  {setting(row)}  seed {row['seed']}  {_seconds(row['seconds'])}"
    if row[f"{prefix}h"] is None:
        return f"{head}  failed: {first_line(row['error'])}"
    return f"{head}  {_measured(row, prefix)}"


def _measured(row: Row, prefix: str) -> str:
    h, sa, ra = (points(row[f"{prefix}{name}"]) for name in ("h", "sa", "ra"))
    return f"H {h} (SA {sa}, RA {ra})"


def first_line(error: str | None) -> str:
    """The first line of an error's text."""
    return (error or "no reason was given").strip().splitlines()[0]


def points(value: float | None) -> str:
    """A percentage with two decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else duration(value)


def duration(seconds: float) -> str:
    """A time in seconds as text: 8 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    for size, name, smaller, smaller_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {smaller_name}" if rest else "")
    raise AssertionError(seconds)
