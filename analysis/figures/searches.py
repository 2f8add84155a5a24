"""A search as pictures: the space under the budget, the front, all trials, and what was had for what was spent."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from analysis.comparisons.settings import records
from analysis.figures.style import DASHES, LIGHT, Drawing, Mark, Missing, legend_below, look, new
from analysis.inputs.studies import StudyFrames
from study.config.budget import LARGEST_N, format_cost
from study.display.rows import setting
from study.files.ranking import best, finished, front
from study.files.results import Row

SEARCH = "python study/run.py --budget 4N"


def ranked(folder: StudyFrames) -> list[Row]:
    """The finished trials of full length; those that were stopped early are in no picture of the best."""
    done = finished(records(folder.trials))
    if not done:
        raise Missing(f"needs finished trials of a search; {SEARCH}")
    return done


def budget_of(folder: StudyFrames) -> float | None:
    """The budget per epoch of a search, in N; None where there was none."""
    return folder.options.per_epoch if folder.options and folder.options.budget else None


def space_map(folder: StudyFrames) -> Drawing:
    """Validation H over k and n, with the border 1 + kn = B."""
    done = [row for row in ranked(folder) if row["method"] == "entprop"]
    if not done:
        raise Missing(f"needs finished trials of EntProp; {SEARCH}")
    figure, (axis,) = new(height=3.4)
    scale = Normalize(min(row["val_h"] for row in done), max(row["val_h"] for row in done))
    _cells(axis, done, scale)
    points = axis.scatter(
        [row["k"] for row in done], [row["n"] for row in done], c=[row["val_h"] for row in done], norm=scale,
        edgecolors=LIGHT, linewidths=0.8, s=24, zorder=3,
    )  # fmt: skip
    best_row = best(done)[0]
    axis.plot(
        best_row["k"], best_row["n"], marker="o", markersize=11, markerfacecolor="none", color="#D55E00",
        markeredgewidth=1.6, linestyle="none", label="best trial", zorder=4,
    )  # fmt: skip
    budget = budget_of(folder)
    if budget is not None:
        _border(axis, budget)
    axis.set(xlim=(-0.03, 1.03), ylim=(0.4, LARGEST_N + 0.6), xlabel="share k", ylabel="attack iterations n")
    axis.set_yticks(range(1, LARGEST_N + 1))
    axis.grid(False)
    figure.colorbar(points, ax=axis, label="validation H, percent")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return Drawing(
        figure,
        "One dot per trial, one seed each; cells are coloured by the mean of their trials. Trials that were stopped "
        "early are not shown.",
        tuple(Mark(axis, row["k"], row["n"], trial_text(row)) for row in done),
    )


def _cells(axis: Axes, rows: Sequence[Row], scale: Normalize) -> None:
    """The mean of the trials in each tenth of k, for each n."""
    edges = np.linspace(0, 1, 11)
    grid = np.full((LARGEST_N, 10), np.nan)
    for n in range(1, LARGEST_N + 1):
        for column in range(10):
            inside = [r["val_h"] for r in rows if r["n"] == n and min(9, int(r["k"] * 10)) == column]
            grid[n - 1, column] = np.mean(inside) if inside else np.nan
    axis.pcolormesh(edges, np.arange(0.5, LARGEST_N + 1), grid, norm=scale, linewidth=0)


def _border(axis: Axes, budget: float) -> None:
    """The line 1 + kn = B, and what lies above it."""
    ns = np.linspace(0.4, LARGEST_N + 0.6, 200)
    ks = (budget - 1) / ns
    axis.plot(ks, ns, color="black", linestyle="--", linewidth=1.2)
    axis.fill_betweenx(
        ns, ks, 1.1, where=ks < 1.1, facecolor="none", edgecolor="#888888", hatch="////", linewidth=0,
        label="over the budget",
    )  # fmt: skip
    at = min(LARGEST_N + 0.3, (budget - 1) / 0.75)
    axis.annotate(
        f"1 + kn = {budget:g}",
        ((budget - 1) / at, at),
        textcoords="offset points",
        xytext=(4, -8),
        fontsize=7.5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )


def pareto(folder: StudyFrames) -> Drawing:
    """Validation H against cost of all trials, and their Pareto front."""
    done = ranked(folder)
    figure, (axis,) = new(height=3.0)
    for method in dict.fromkeys(row["method"] for row in done):
        colour, marker = look(method)
        several = [row for row in done if row["method"] == method]
        axis.scatter(
            [r["cost"] for r in several], [r["val_h"] for r in several], color=colour, marker=marker, s=16,
            label=f"trial of {method}",
        )  # fmt: skip
    steps = front(done)
    axis.step(
        [r["cost"] for r in steps], [r["val_h"] for r in steps], where="post", color="black", linewidth=1,
        label="Pareto front",
    )  # fmt: skip
    budget = budget_of(folder)
    if budget is not None:
        axis.axvline(
            budget, color="#888888", linestyle=(0, (1, 1)), linewidth=1.2, label=f"budget, {format_cost(budget)}"
        )
    axis.set_xlabel("cost per epoch, in N")
    axis.set_ylabel("validation H, percent")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return Drawing(
        figure,
        "One point per trial, one seed each, on validation images. The best of many trials is optimistically biased; "
        "the confirmed H is lower.",
        tuple(Mark(axis, row["cost"], row["val_h"], trial_text(row)) for row in done),
    )


def trial_text(row: Row) -> str:
    """What a page says when a trial is pointed at."""
    return (
        f"trial {row['trial']}: validation H {row['val_h']:.2f}, {format_cost(round(row['cost'], 3))}; {setting(row)}"
    )


def parallel(folder: StudyFrames) -> Drawing:
    """Each finished trial as a line through its hyper-parameters, cost and H."""
    done = sorted(ranked(folder), key=lambda row: row["val_h"])
    names = [
        name
        for name in ("k", "n", "epsilon", "metric", "p_adv", "cost")
        if len({row[name] for row in done} - {None}) > 1
    ]
    names.append("val_h")
    figure, (axis,) = new(height=3.4)
    scales = {name: _axis_scale([row[name] for row in done]) for name in names}
    low, high = done[0]["val_h"], done[-1]["val_h"]
    top = {row["trial"] for row in done[-3:]}
    for row in done:
        shade = 0.15 + 0.75 * (high - row["val_h"]) / max(high - low, 1e-9)
        strong = row["trial"] in top
        ys = [scales[name][1](row[name]) if row[name] is not None else np.nan for name in names]
        axis.plot(
            range(len(names)),
            ys,
            color="#D55E00" if strong else str(shade),
            linewidth=1.8 if strong else 0.8,
            zorder=3 if strong else 2,
        )
    for index, name in enumerate(names):
        axis.axvline(index, color="black", linewidth=0.8)
        for text, y in scales[name][0]:
            axis.annotate(
                text,
                (index, y),
                textcoords="offset points",
                xytext=(3, 2),
                fontsize=7,
                zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.85},
            )
    axis.set_xticks(
        range(len(names)), [{"val_h": "H", "epsilon": "ε", "cost": "cost/N"}.get(name, name) for name in names]
    )
    axis.set_xlim(-0.15, len(names) - 0.3)
    axis.set_yticks([])
    axis.grid(False)
    axis.spines[["left", "bottom"]].set_visible(False)
    return Drawing(figure, "One line per trial, darker for a higher validation H; the three best are thick and orange.")


def _axis_scale(values: Sequence[Any]) -> tuple[list[tuple[str, float]], Any]:
    """Labels with their heights on a vertical axis from 0 to 1, and the function from value to height."""
    given = [value for value in values if value is not None]
    if isinstance(given[0], str):
        kinds = sorted(set(given))
        heights = {kind: index / max(1, len(kinds) - 1) for index, kind in enumerate(kinds)}
        return [(kind.replace("_", " "), heights[kind]) for kind in kinds], heights.__getitem__
    low, high = float(min(given)), float(max(given))
    width = high - low or 1.0
    return [(f"{low:.3g}", 0.0), (f"{high:.4g}", 1.0)], lambda value: (value - low) / width


def anytime(folder: StudyFrames) -> Drawing:
    """The best validation H so far against what all trials had spent, for each study."""
    figure, (axis,) = new(height=3.0)
    for (study, trials), dash in zip(folder.trials.groupby("study", sort=False), DASHES * 5, strict=False):
        rows = records(trials)
        full = {row["trial"] for row in finished(rows)}
        if not full:
            continue
        spent, best_h, points = 0.0, float("-inf"), []
        for row in sorted(rows, key=lambda row: row["trial"]):
            spent += row["spent"] or 0.0
            if row["trial"] in full:
                axis.plot(spent, row["val_h"], marker=".", color="#999999", markersize=4)
                best_h = max(best_h, row["val_h"])
            if best_h > float("-inf"):
                points.append((spent, best_h))
        axis.step(
            *zip(*points, strict=True),
            where="post",
            linestyle=dash,
            label=str(study),
            color="#D55E00" if dash == "-" else "black",
        )
    if not axis.lines:
        raise Missing(f"needs finished trials of a search; {SEARCH}")
    axis.set_xlabel("spent by all trials so far, in N-epochs")
    axis.set_ylabel("best validation H so far")
    legend_below(axis, 1)
    return Drawing(
        figure,
        "Trials in order of proposal; dots are finished trials. Failed and stopped trials add to the cost but are not "
        "ranked. The best of many trials is optimistically biased; quote the confirmed H.",
    )


STATES = {"finished": ("#D55E00", "-", "o"), "stopped": ("#888888", "--", "x")}  # others run still, or failed


def rungs(folder: StudyFrames) -> Drawing:
    """Validation H at each rung against what a trial had spent; stopped trials end where they were stopped."""
    measured = folder.epochs[folder.epochs["val_h"].notna()]
    status = {(row["study"], row["trial"]): row["status"] for row in records(folder.trials)}
    lines = {key: group for key, group in measured.groupby(["study", "trial"]) if len(group) > 1}
    if not lines:
        raise Missing("needs trials measured at rungs; python study/run.py --budget 4N --scheduler asha")
    figure, (axis,) = new(height=3.2)
    seen: set[str] = set()
    for (study, trial), group in measured.groupby(["study", "trial"]):
        state = status.get((study, trial), "running")
        colour, dash, marker = STATES.get(state, ("#0072B2", ":", "^"))
        label = None if state in seen else state
        axis.plot(group["spent"], group["val_h"], color=colour, linestyle=dash, marker=marker, linewidth=1, label=label)
        seen.add(state)
    axis.set_xlabel("spent by the trial, in N-epochs")
    axis.set_ylabel("validation H at the rung")
    legend_below(axis, 3)
    return Drawing(figure, "One line per trial. Stopped trials are never ranked with finished ones.")
