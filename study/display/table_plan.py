"""The plan of a published table: its rows, what is measured, and what it needs."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from study.config.budget import format_cost
from study.config.study_config import Study
from study.confirm.chosen import Candidate, run_name
from study.display.rows import counted
from study.files.aligned import text_width
from study.papers import GRIDS, demo_twins
from trainables.attacks.spec import parse_attacks


def table_lines(study: Study, chosen: Sequence[Candidate]) -> list[str]:
    """The data sets and networks of a table, its rows as they first appear there, and what is measured."""
    grid = GRIDS[study.table or ""]
    places = list(dict.fromkeys((each.config.dataset, each.config.model) for each in chosen))
    title = f"table {study.table}: {grid.title}" + ("; its printed numbers are missing" if grid.lost else "")
    lines = textwrap.wrap(title, text_width(), subsequent_indent="  ")
    lines += wrapped("on", ", ".join(f"{dataset} with {model}" for dataset, model in places))
    rows: dict[str, str] = {}
    for each in chosen:
        rows.setdefault(each.why, _row(each))
    lines += rows.values()
    measures = dict.fromkeys(_flags(measure) for each in chosen for measure in each.measures)
    return lines + [line for text in measures for line in wrapped("measured", text)]


def _row(each: Candidate) -> str:
    config, count = each.config, len(each.seeds)
    seeds, epochs = counted(count, "seed"), counted(config.epochs, "epoch")
    return f"  {each.why}: {format_cost(config.method.cost)} × {epochs}, {seeds}"


def _flags(measure: Mapping[str, Any]) -> str:
    """A measure as the flags of `python -m trainables.evaluate`, with blanks where a line may end."""
    shown = {**measure, "transfer_from": "a proxy"} if "transfer_from" in measure else measure
    words = [f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}") for name, value in shown.items()]
    return " ".join(words).replace(",", ", ")


def table_notes(study: Study, chosen: Sequence[Candidate]) -> Iterable[str]:
    """What the published scale needs, how long attacks are, and which networks are proxies."""
    if (needs := GRIDS[study.table or ""].needs) and study.scale == "paper":
        yield needs
    if study.scale == "demo" and (twin := demo_twins().get(study.table or "")):
        yield f"the demo scale uses one data set only: it trains the same networks as {twin}"
    if steps := max((gradient_steps(each.measures) for each in chosen), default=0):
        yield f"the time excludes attacks: up to {steps:,} gradient steps per attacked image"
    named = {measure["transfer_from"] for each in chosen for measure in each.measures if "transfer_from" in measure}
    proxies = dict.fromkeys(each.why for each in chosen if run_name(each.config, each.seeds[-1]) in named)
    if proxies:
        yield f"the last seed of {' and '.join(proxies)} is a proxy: its attacks are transferred to the others"


def gradient_steps(measures: Iterable[Mapping[str, Any]]) -> int:
    """The largest number of gradient steps per image of the attacks of these measures."""
    attacks = [attack for measure in measures if "attack" in measure for attack in parse_attacks(measure["attack"])]
    return sum((attack.steps or 0) * attack.restarts for attack in attacks if attack.uses_gradients)


def wrapped(head: str, text: str) -> list[str]:
    """A text with a heading, wrapped to the width of a screen."""
    return textwrap.wrap(text, text_width(), initial_indent=f"{head:<9}", subsequent_indent=" " * 11)
