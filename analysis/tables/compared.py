"""The tables: a frame of confirmed runs in, a frame out, one row for each row of the published table.

Each row has what we measured (mean over seeds with the half width of its 95 % interval, seeds, epochs, nominal and
measured cost), what is printed, the difference, and whether our protocol was the published one, and if not, why.
Ours on other data than the published stands beside the table's first data set and network, marked as such.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from analysis.comparisons.attacks import nearest_attack, printed_vanilla
from analysis.comparisons.settings import settings
from analysis.inputs.published import Published, path_of, published
from analysis.tables.long_tables import also, further_reasons, images_of
from analysis.tables.rows import COLUMNS, FLAG, PRINTED, against, as_frame, best_of, measured, protocol
from study.confirm.comparisons import Protocol, Setting, by_place, method_key, method_of_setting
from study.papers import GRIDS
from study.papers.expand import cells_at

CALIBRATED = 10.0  # points of accuracy


def measure_of(table: str) -> str:
    """What a table is about: H, or the accuracy under PGD-20 where no other is printed."""
    return "pgd20" if table == "entprop/11" else "h"


# ------------------------------------------------------------------------------------- published rows beside ours


def compared(table: str, runs: pd.DataFrame) -> pd.DataFrame:
    """A published table with our numbers in it."""
    printed = published(table) if path_of(table).is_file() else []
    lines = []
    for place, ours in _groups(table, printed, settings(runs)):
        lines += _group(table, place, [row for row in printed if (row.dataset, row.model) == place], ours)
    return as_frame(lines, COLUMNS)


def _groups(
    table: str, printed: Sequence[Published], found: Sequence[Setting]
) -> list[tuple[tuple[str, str], list[Setting]]]:
    """(published data set and network, our settings) for each block of rows; ours may be none."""
    places = list(dict.fromkeys((row.dataset, row.model) for row in printed)) or [_first(table)]
    ours = by_place(found)
    ours |= _averages(ours, [place[0] for place in places if place[1] == "average"], GRIDS[table].models)
    of: dict[tuple[str, str], list[list[Setting]]] = {place: [] for place in places}
    for place, group in ours.items():
        wanted = {method_key(cell.config.method) for cell in cells_at(table, place)}
        if any(method_key(method_of_setting(each)) in wanted for each in group):
            of[place[:2] if place[:2] in of else _first(table)].append(group)
    return [(place, group) for place, groups in of.items() for group in groups or [[]]]


def _first(table: str) -> tuple[str, str]:
    """The data set and network that ours stands beside where it has no published counterpart."""
    return GRIDS[table].datasets[0], GRIDS[table].models[0]


def _averages(
    ours: dict[Protocol, list[Setting]], datasets: Sequence[str], models: Sequence[str]
) -> dict[Protocol, Any]:
    """Settings averaged over a table's networks, seed by seed, where all networks were trained alike."""
    found: dict[Protocol, list[Setting]] = {}
    for dataset, model, *rest in list(ours):
        several = [ours.get((dataset, each, *rest)) for each in models]
        if dataset not in datasets or model != models[0] or None in several:
            continue
        keyed = [{method_key(method_of_setting(each)): each for each in group or []} for group in several]
        shared = [key for key in keyed[0] if all(key in each for each in keyed)]
        found[dataset, "average", *rest] = [_mean_setting([each[key] for each in keyed]) for key in shared]
    return found


def _mean_setting(several: Sequence[Setting]) -> Setting:
    values = {}
    for name in several[0].values:
        seeds = [seed for seed in several[0].values[name] if all(seed in each.values.get(name, {}) for each in several)]
        values[name] = {seed: fmean(each.values[name][seed] for each in several) for seed in seeds}
    return Setting({**several[0].row, "model": "average"}, values, sum(each.failed for each in several))


def _group(
    table: str, place: tuple[str, str], printed: Sequence[Published], ours: Sequence[Setting]
) -> list[dict[str, Any]]:
    """One block of rows: a data set and network of the published table, and one place of ours."""
    by_label = {row.label: row for row in printed}
    methods = {method_key(method_of_setting(each)): each for each in ours}
    grid = cells_at(table, ours[0].place if ours else place)
    found = {cell.label: methods.get(method_key(cell.config.method)) for cell in grid}
    # An attack under which vanilla is far from its printed accuracy is not the printed one.
    attack = nearest_attack(ours, printed_vanilla(table), CALIBRATED) if printed else None
    measure = attack if measure_of(table) == "pgd20" else "h"
    tests = against(ours, measure) if measure else {}
    bold = best_of([each for each in found.values() if each], attack)
    reference = next((getattr(row, measure_of(table)) for row in printed if "Vanilla" in row.label), None)
    lines = []
    for cell in grid:
        row, mine = by_label.get(cell.label), found[cell.label]
        if row is None and mine is None:
            continue
        line = {
            "label": cell.label,
            "added": cell.added,
            **_places(place),
            **_printed(row, measure_of(table), reference),
            "lost": row is not None and GRIDS[table].lost and row.sa is None,
        }
        if mine is not None:
            reasons = further_reasons(table, place, images_of(mine, attack)) if attack else []
            line |= (
                measured(mine, attack)
                | tests.get(id(mine), {})
                | bold.get(id(mine), {})
                | also(protocol(mine, table, place), reasons)
            )
            line["difference"] = _minus(line[measure_of(table)], line[f"published_{measure_of(table)}"])
        lines.append(line)
    return lines


def _places(place: tuple[str, str]) -> dict[str, Any]:
    return {"published_dataset": place[0], "published_model": place[1]}


def _printed(row: Published | None, measure: str, reference: float | None) -> dict[str, Any]:
    row = row or Published("")
    gain = _minus(getattr(row, measure), reference) if "Vanilla" not in row.label else None
    return {
        **{f"published_{name}": getattr(row, name) for name in PRINTED},
        "published_h_recomputed": row.recomputed_h,
        "published_over_vanilla": gain,
        "flag": row.flag,
        "mark": FLAG if row.flag else "",
        "note": row.note,
    }


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
