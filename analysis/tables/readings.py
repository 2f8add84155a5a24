"""What the rows of a table say, in sentences made from their numbers, and what would settle what they leave open."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.comparisons.settings import counted, records
from analysis.tables.compared import measure_of
from analysis.tables.layout import is_ours
from analysis.tables.registry import TABLES
from study.commands import PROGRAM
from study.confirm.comparisons import LEVEL, seeds_to_settle
from study.display.advice import MANY, MARGIN
from study.papers import cells
from study.papers.baselines import BASELINES

Line = dict[str, Any]
LEAST_RANKED = 4  # rows; an order of fewer says nothing
WORDS = {"h": "H", "pgd20": "accuracy under PGD-20"}
NAMED = 3  # rows; more are counted alone


def reading(table: str, runs: pd.DataFrame) -> list[str]:
    """The best row and what is not shown to be worse, the baselines, and how far the printed order is the same."""
    rows, measure = _rows(table, runs), measure_of(table)
    if len(rows) < 2:
        return []
    against = [_against(rows, name) for name in BASELINES if _tested(rows, name)]
    return [_best(rows, measure), *against, *_order(rows, measure)]


def still_open(table: str, runs: pd.DataFrame) -> list[str]:
    """How many seeds would show a difference from mixup alone, or the command that measures the rows at all."""
    again = f"`{PROGRAM} --table {table} --scale demo"
    rows, labels = _rows(table, runs), _labels(table)
    if not rows:
        return [f"Table {table} is not measured here: {again}`."]
    lines = []
    if len(rows) < len(labels):
        lines.append(
            f"Table {table}: {len(rows)} of {counted(len(labels), 'row')} measured. For all of them: {again}`."
        )
    unsettled = [line for line in _tested(rows, "mixup") if not line["over_mixup_mark"]]
    counts = sorted(seeds_to_settle(_spread(line, "over_mixup"), MARGIN) for line in unsettled)
    if not counts:
        return lines
    seeds = sorted(int(line["over_mixup_seeds"]) for line in unsettled)
    alike = f"no significant difference from mixup alone in {len(unsettled)} of {counted(len(rows), 'row')}"
    wanted = f"To show a true difference of {MARGIN} points with 80 % power takes {_range(counts)} seeds"
    own = next(iter(runs.loc[runs["table"] == table, "study"]), None) if "table" in runs else None
    again = f"`{PROGRAM} confirm {own}" if own else again
    more = f"{again} --seeds {min(counts[-1], MANY)}`"
    return [*lines, f"Table {table}: {alike} ({_range(seeds)} seeds). {wanted}, depending on the row: {more}."]


def _range(values: Sequence[int]) -> str:
    """The smallest to the largest of sorted counts, those above `MANY` as such."""
    shown = [f"{value}" if value <= MANY else f"more than {MANY}" for value in (values[0], values[-1])]
    return " to ".join(dict.fromkeys(shown))


def _rows(table: str, runs: pd.DataFrame) -> list[Line]:
    """Our rows that are no baselines, of the protocol that has most of them."""
    blocks: dict[tuple[Any, ...], dict[str, Line]] = {}
    for line in records(TABLES[table](runs)):
        if is_ours(line) and line[measure_of(table)] is not None:
            where = line["dataset"], line["model"], line["epochs"], line["lr"]
            blocks.setdefault(where, {}).setdefault(line["label"], line)
    return list(max(blocks.values(), key=len, default={}).values())


def _labels(table: str) -> set[str]:
    """The rows of a table that are no baselines."""
    return {cell.label for cell in cells(table, scale="demo") if is_ours({"label": cell.label, "seeds": 1})}


def _best(rows: Sequence[Line], measure: str) -> str:
    top = max(rows, key=lambda line: line[measure])
    half = "" if top[f"{measure}_half"] is None else f" ± {top[f'{measure}_half']:.2f}"
    seeds = counted(int(top["seeds"]), "seed")
    said = f"Highest mean {WORDS[measure]}: {top['label']}, {top[measure]:.2f}{half} ({seeds})."
    best = [line for line in rows if line[f"{measure}_best"]]
    if len(best) in (0, len(rows)):
        return f"{said} No other row is shown to be worse."
    return f"{said} Not shown to be worse: {len(best) - 1} of the other {counted(len(rows) - 1, 'row')}."


def _tested(rows: Sequence[Line], baseline: str) -> list[Line]:
    return [line for line in rows if line[f"over_{baseline}_half"] is not None]


def _against(rows: Sequence[Line], baseline: str) -> str:
    tested, name = _tested(rows, baseline), f"over_{baseline}"
    gains = [line[name] for line in tested]
    above, below = (_named([line for line in tested if line[f"{name}_mark"] and sign * line[name] > 0], tested)
                    for sign in (1, -1))  # fmt: skip
    low, high = (f"{value:+.2f}".replace("-", "−") for value in (min(gains), max(gains)))
    return (
        f"Significantly above {BASELINES[baseline]}: {above}; below: {below}. "
        f"The mean differences lie between {low} and {high} points."
    )


def _named(lines: Sequence[Line], of: Sequence[Line]) -> str:
    """How many rows, and which where that is short."""
    names = f" ({'; '.join(line['label'] for line in lines)})" if len(lines) <= NAMED and len(lines) < len(of) else ""
    return f"{len(lines)} of {counted(len(of), 'row')}{names}" if lines else "none"


def _order(rows: Sequence[Line], measure: str) -> list[str]:
    """Whether the paper's rows stand in the same order."""
    printed = [line for line in rows if line[f"published_{measure}"] is not None]
    if len(printed) < LEAST_RANKED:
        return []
    from scipy.stats import spearmanr

    pairs = [(line[measure], line[f"published_{measure}"]) for line in printed]
    rank = float(spearmanr(*zip(*pairs, strict=True)).statistic)
    signed = f"{rank:+.2f}".replace("-", "−")
    top = max(printed, key=lambda line: line[f"published_{measure}"])
    return [
        f"Rank correlation of our mean with the printed {WORDS[measure]}: {signed} over {len(pairs)} rows. The "
        f"highest printed one is that of {top['label']}."
    ]


def _spread(line: Line, name: str) -> float:
    """The standard deviation of single pairs, from the half width of the interval of their mean."""
    from scipy.special import stdtrit

    seeds = int(line[f"{name}_seeds"])
    return float(line[f"{name}_half"] * math.sqrt(seeds) / stdtrit(seeds - 1, (1 + LEVEL) / 2))
