"""The confirmed settings that figures show."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from analysis.comparisons.settings import settings
from analysis.figures.style import Missing, error_point
from study.confirm.comparisons import Protocol, Setting, baseline, by_place, method_key, method_of_setting
from study.papers import cells


def richest(runs: pd.DataFrame, needed: str) -> tuple[Protocol, list[Setting]]:
    """The place (data set, network, epochs …) with the most settings, which must have a vanilla."""
    places = {place: group for place, group in by_place(settings(runs)).items() if baseline(group, "vanilla")}
    if not places:
        raise Missing(f"needs runs on test images with a vanilla beside them; {needed}")
    place = max(places, key=lambda each: len(places[each]))
    return place, places[place]


def notable(group: Sequence[Setting]) -> list[Setting]:
    """What a comparison of methods shows: the best found, and each method as table 2 has it."""
    wanted = {method_key(cell.config.method) for cell in cells("entprop/2", {"dataset": "cifar100"})}
    return [each for each in group if each.why.startswith("best") or method_key(method_of_setting(each)) in wanted]


def confirmed_points(axis: Axes, found: Sequence[Setting]) -> None:
    """Mean and interval of each setting, one marker a method; the best found by the search has a ring."""
    seen: set[str] = set()
    for each in found:
        mean, method = each.interval(), each.row["method"]
        if mean:
            error_point(axis, each.row["cost"], mean.mean, mean.half, method, None if method in seen else method)
            seen.add(method)
            if each.why.startswith("best-1"):
                axis.plot(
                    each.row["cost"], mean.mean, "o", markersize=11, markerfacecolor="none", color="black",
                    label="recommended", linestyle="none",
                )  # fmt: skip
    # Below all panels: within one, it hides points as soon as there are many methods.
    axis.figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4)
