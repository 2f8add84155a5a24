"""Attacks, margins, distances and other measures of a table, as text."""

from collections.abc import Iterable, Sequence

from study.confirm.comparisons import interval
from study.display.summary import with_interval
from study.files.aligned import aligned, text_width
from study.files.columns import SELECTED
from study.files.results import Row

Values = dict[str, dict[str, dict[int, float]]]  # what was measured -> configuration -> seed -> value


def measured_text(confirm: Sequence[Row], attacks: Iterable[Row], measures: Iterable[Row]) -> str:
    """Mean ± 95 % confidence interval over seeds, a row for each setting; empty where nothing else was measured."""
    values: Values = {}
    for row in attacks:
        values.setdefault(row["attack"], {}).setdefault(row["config"], {})[row["seed"]] = row["accuracy"]
    for row in (row for row in measures if row["measure"] != SELECTED):
        values.setdefault(column_name(row), {}).setdefault(row["config"], {})[row["seed"]] = row["value"]
    labels = _labels(confirm)
    columns = [(name, *(_cell(values[name].get(config, {})) for config in labels)) for name in values]
    return "\n\n".join(_blocks(("", *labels.values()), columns))


def column_name(row: Row) -> str:
    """The column of a row of measures.csv: transfer PGD10-8, aux sa."""
    parts = ["aux"] if row["norm"] == "aux" else []
    return " ".join([*parts, row["measure"], *([] if row["name"] == "all" else [row["name"]])])


def _labels(confirm: Sequence[Row]) -> dict[str, str]:
    """The label of each configuration, with data set and network where there are several."""
    several = len({(row["dataset"], row["model"]) for row in confirm}) > 1
    return {row["config"]: row["why"] + (f" ({row['dataset']}, {row['model']})" if several else "") for row in confirm}


def _cell(by_seed: dict[int, float]) -> str:
    return with_interval(interval(list(by_seed.values()))) if by_seed else ""


def _blocks(first: tuple[str, ...], columns: Sequence[tuple[str, ...]]) -> Iterable[str]:
    """The columns in tables no wider than a line, each with the labels first."""
    room = text_width() - max(map(len, first))
    block: list[tuple[str, ...]] = []
    for column in columns:
        if block and sum(2 + max(map(len, each)) for each in [*block, column]) > room:
            yield aligned(list(zip(first, *block, strict=True)), numbers=True)
            block = []
        block.append(column)
    if block:
        yield aligned(list(zip(first, *block, strict=True)), numbers=True)
