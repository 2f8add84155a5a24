"""Sensitivity: how H depends on k, n, epsilon and the measure of uncertainty, beside the published series.

Curves show the gain over vanilla of the same seeds, which is what different data sets have in common; the printed
series is drawn on the same axis. Mixup alone is a line of its own: whatever a setting gains, it must gain over that.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.comparisons.settings import data_name
from analysis.figures.confirmed import richest
from analysis.figures.style import Drawing, Missing, legend_below, look, new
from analysis.inputs.published import published
from analysis.inputs.studies import StudyFrames
from study.confirm.comparisons import Setting, baseline, method_key, method_of_setting, paired_test
from trainables.config import make_method

METRICS = ("entropy", "cross_entropy", "confidence", "margin")
SERIES = (
    ("#D55E00", "-", "o"), ("#009E73", "--", "s"), ("#CC79A7", ":", "v"), ("#0072B2", "-.", "^"),
    ("#000000", "--", "D"),
)  # fmt: skip
RUN = "python study/run.py --table {} --scale demo"


def varying(group: Sequence[Setting], name: str, **fixed: Any) -> list[tuple[Any, Setting]]:
    """The EntProp settings that differ from the defaults in `fixed` and `name` alone, by the value of `name`."""
    found = []
    for each in group:
        method = method_of_setting(each)
        if each.row["method"] != "entprop":
            continue
        value = getattr(method, "radius" if name == "epsilon" else name)
        if method_key(method) == method_key(make_method("entprop", {**fixed, name: value})):
            found.append((value, each))
    return sorted(found, key=lambda pair: pair[0])


def k_curve(folder: StudyFrames) -> Drawing:
    """Gain over vanilla against the share k at n = 1, with table 16."""
    return _curve(folder, "k", "entprop/16", {"n": 1}, "share k of each batch (n = 1)")


def n_curve(folder: StudyFrames) -> Drawing:
    """Gain over vanilla against the attack iterations n at k = 0.6, with table 17."""
    return _curve(folder, "n", "entprop/17", {"k": 0.6}, "attack iterations n (k = 0.6)")


def _curve(folder: StudyFrames, name: str, table: str, fixed: dict[str, Any], axis_label: str) -> Drawing:
    place, group = richest(folder.done, RUN.format(table))
    points = varying(group, name, **fixed)
    if len(points) < 2:
        raise Missing(f"needs settings that differ only in {name}; {RUN.format(table)}")
    figure, (axis,) = new(height=3.3)
    seeds = _draw_series(axis, points, group, Look(f"ours: {data_name(place[0])}, {place[1]}"))
    _draw_printed(axis, table, name)
    _mixup_line(axis, group)
    axis.set_xlabel(axis_label)
    if name == "n":
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    _finish(axis)
    return Drawing(
        figure, _curve_caption(seeds, f"table {table.split('/')[1]} of the EntProp paper (CIFAR-100, ResNet-18)")
    )


def epsilon_curve(folder: StudyFrames) -> Drawing:
    """Gain over vanilla against the radius epsilon at k = 0.6, for each n."""
    place, group = richest(folder.done, RUN.format("entprop/epsilon"))
    figure, (axis,) = new(height=3.3)
    seeds, drawn = [0], 0
    for n, (colour, dash, marker) in enumerate(SERIES, 1):
        points = _with_any_step(group, n)
        if len(points) > 1:
            seeds += _draw_series(
                axis, points, group, Look(f"n = {n}: {data_name(place[0])}, {place[1]}", colour, dash, marker)
            )
            drawn += 1
    if not drawn:
        raise Missing(f"needs settings that differ only in epsilon; {RUN.format('entprop/epsilon')}")
    _mixup_line(axis, group)
    axis.set_xlabel("radius ε in 1/255 (k = 0.6)")
    _finish(axis)
    return Drawing(
        figure, _curve_caption(seeds, "") + " The step size α grows with ε where steps of 1/255 would not reach it."
    )


def _with_any_step(group: Sequence[Setting], n: int) -> list[tuple[float, Setting]]:
    """The settings of one n at k = 0.6 that differ in radius and step alone."""
    found = []
    for each in group:
        method: Any = method_of_setting(each)
        if each.row["method"] == "entprop":
            plain_one = dataclasses.replace(method, epsilon=None, alpha=1.0)
            if method_key(plain_one) == method_key(make_method("entprop", {"k": 0.6, "n": n})):
                found.append((method.radius, each))
    return sorted(found, key=lambda pair: pair[0])


class Look(NamedTuple):
    """How a series is told from the others, in grey as well."""

    label: str
    colour: str = look("entprop")[0]
    dash: str = "-"
    marker: str = "o"


def _draw_series(
    axis: Axes, points: Sequence[tuple[float, Setting]], group: Sequence[Setting], style: Look
) -> list[int]:
    """One line of gains with its band; returns the seeds of its points."""
    vanilla = baseline(group, "vanilla")
    gains = [(x, paired) for x, each in points if vanilla and (paired := paired_test(each.h, vanilla.h))]
    xs, middle = [x for x, _ in gains], [paired.difference.mean for _, paired in gains]
    halves = [paired.difference.half or 0.0 for _, paired in gains]
    axis.plot(xs, middle, color=style.colour, linestyle=style.dash, marker=style.marker, label=style.label, zorder=3)
    low, high = ([m + sign * h for m, h in zip(middle, halves, strict=True)] for sign in (-1, 1))
    axis.fill_between(xs, low, high, color=style.colour, alpha=0.14, linewidth=0)
    axis.errorbar(xs, middle, yerr=halves, color=style.colour, linestyle="none", capsize=2, elinewidth=0.8, zorder=3)
    return [paired.difference.seeds for _, paired in gains]


def _draw_printed(axis: Axes, table: str, name: str) -> None:
    """The published series as gains over the published vanilla, which table 17 has from table 16."""
    vanilla = next(row.h for row in published("entprop/16") if "Vanilla" in row.label)
    points = {float(row.label.split("=")[1]): row.h for row in published(table) if "Vanilla" not in row.label}
    gains = [None if h is None or vanilla is None else h - vanilla for h in points.values()]
    style = {"color": "#444444", "linestyle": "--", "marker": "o", "markerfacecolor": "white"}
    axis.plot(list(points), gains, label="printed: CIFAR-100, ResNet-18", **style)  # type: ignore[arg-type]


def _mixup_line(axis: Axes, group: Sequence[Setting]) -> None:
    mixup, vanilla = baseline(group, "mixup"), baseline(group, "vanilla")
    paired = paired_test(mixup.h, vanilla.h) if mixup and vanilla else None
    if paired:
        colour, _ = look("mixup")
        axis.axhline(paired.difference.mean, color=colour, linestyle="-.", label="ours: mixup alone")
        half = paired.difference.half or 0.0
        axis.axhspan(
            paired.difference.mean - half, paired.difference.mean + half, color=colour, alpha=0.10, linewidth=0
        )


def _finish(axis: Axes) -> None:
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_ylabel("gain in H over vanilla, points")
    legend_below(axis)


def _curve_caption(seeds: Sequence[int], source: str) -> str:
    text = (
        f"Mean gain over vanilla, paired by seed, with 95 % confidence intervals; up to {max(seeds, default=0)} seeds."
    )
    return text + (f" Dashed: {source}." if source else " The papers print no such series.")


def selection_curve(folder: StudyFrames) -> Drawing:
    """Highest entropy against random selection over k, without mixing and attack: the paper's figure 4."""
    place, group = richest(folder.done, RUN.format("entprop/figure4"))
    figure, (axis,) = new(height=3.3)
    seeds = [0]
    styles = {
        "top": Look("highest entropy"),
        "random": Look("random", SERIES[1][0], "--", "s"),
    }
    for selection, style in styles.items():
        points = varying(group, "k", n=1, mixing="none", attack="none", selection=selection)
        if not points:
            raise Missing(f"needs settings without mixing and attack; {RUN.format('entprop/figure4')}")
        seeds += _draw_series(axis, points, group, style)
    axis.set_xlabel("share k of each batch (no mixing, no attack)")
    _finish(axis)
    return Drawing(figure, f"{data_name(place[0])}, {place[1]}. {_curve_caption(seeds, '')}")


def metric_comparison(folder: StudyFrames) -> Drawing:
    """Each measure of uncertainty against entropy at (0.2, 1), with the four networks of table 8."""
    need = RUN.format("entprop/8")
    place, group = richest(folder.done, need)
    found = dict(varying(group, "metric", k=0.2, n=1))
    if "entropy" not in found or len(found) < 2:
        raise Missing(f"needs settings that differ only in the measure of uncertainty; {need}")
    figure, (axis,) = new(height=3.0)
    printed = {(row.label, row.model): row.h for row in published("entprop/8")}
    networks = [model for model in dict.fromkeys(model for _, model in printed) if model != "average"]
    for row, metric in enumerate(METRICS[1:]):
        if metric in found and (paired := paired_test(found[metric].h, found["entropy"].h)):
            half = paired.difference.half
            axis.errorbar(
                [paired.difference.mean],
                [row - 0.12],
                xerr=None if half is None else [half],
                color=look("entprop")[0],
                marker="o",
                capsize=3,
                label=f"ours: {data_name(place[0])}, {place[1]}" if row == 0 else None,
            )
        values = [(printed[metric, model] or 0.0) - (printed["entropy", model] or 0.0) for model in networks]
        axis.plot(
            values,
            [row + 0.18] * len(values),
            linestyle="none",
            marker="d",
            markerfacecolor="white",
            color="#444444",
            label="printed: one mark per network" if row == 0 else None,
        )
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(3), [metric.replace("_", " ") for metric in METRICS[1:]])
    axis.set_ylim(2.5, -0.5)
    axis.set_xlabel("H − H with entropy, points (k = 0.2, n = 1)")
    legend_below(axis)
    return Drawing(figure, "Differences paired by seed, with 95 % confidence intervals; the paper prints no spread.")
