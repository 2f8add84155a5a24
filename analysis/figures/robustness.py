"""A setting from near: entropies while it trains, which images it selects, which corruptions it survives."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.comparisons.settings import counted, data_name, records, settings
from analysis.figures.searches import SEARCH
from analysis.figures.style import DARK, LIGHT, Drawing, Mark, Missing, legend_below, look, new
from analysis.inputs.studies import StudyFrames
from study.confirm.comparisons import Interval, Setting, baseline, by_place, paired_test
from study.display.advice import recommended
from study.display.rows import setting
from study.display.summary import with_interval
from study.files.ranking import best, finished
from study.files.results import Row
from study.papers.baselines import BASELINES

NEEDS = f"needs corrupted test images of vanilla and another setting; {SEARCH}"
COLUMN = "corruption "  # before the name of a corruption in the columns of runs

CURVES = (  # of epochs.csv: column, label, colour, dash, marker
    ("main", "main norms", "#0072B2", "-", "o"),
    ("aux", "auxiliary norms", "#D55E00", "--", "s"),
    ("raw", "main norms, images as they are", "#000000", ":", "^"),
)


def entropies(folder: StudyFrames) -> Drawing:
    """Mean entropy of what the two sets of norms saw and of images as they are, by epoch, of up to two trials."""
    dual = folder.epochs[folder.epochs["entropy_aux"].notna()]
    done = [row for row in finished(records(folder.trials)) if not _of_trial(dual, row).empty]
    if not done:
        raise Missing(f"needs finished trials of a method with auxiliary norms; {SEARCH}")
    chosen = _two_trials(done)
    figure, axes = new(len(chosen), height=2.5 * len(chosen) + 0.4, sharex=True)
    for axis, (why, row) in zip(axes, chosen, strict=True):
        group = _of_trial(dual, row)
        for what, label, colour, dash, marker in CURVES:
            middle, sd = (group[f"entropy_{what}{end}"].astype(float) for end in ("", "_sd"))
            if middle.isna().all():  # of a study that did not keep it yet
                continue
            axis.plot(group["epoch"], middle, color=colour, linestyle=dash, marker=marker, markersize=3, label=label)
            axis.fill_between(
                group["epoch"].astype(int), middle - sd, middle + sd, color=colour, alpha=0.15, linewidth=0
            )
        axis.set_title(f"{why}: {setting(row)}", loc="left", fontsize=8)
        axis.set_ylabel("entropy, nats")
        axis.set_ylim(bottom=0)
    axes[-1].set_xlabel("epoch")
    legend_below(axes[-1])
    return Drawing(
        figure,
        "Mean over the images of an epoch and one standard deviation, as trained (figures 1 and 5); dotted: 128 "
        "training images neither shifted nor mixed. One seed.",
    )


def _of_trial(epochs: pd.DataFrame, row: Row) -> pd.DataFrame:
    return epochs[(epochs["study"] == row["study"]) & (epochs["trial"] == row["trial"])]


def _two_trials(done: Sequence[Row]) -> list[tuple[str, Row]]:
    """The best trial, and the published setting (0.2, 5) or else the most expensive."""
    first = best(done)[0]
    second = next((row for row in done if (row["k"], row["n"]) == (0.2, 5)), max(done, key=lambda row: row["cost"]))
    name = "published" if (second["k"], second["n"]) == (0.2, 5) else "most expensive"
    return [("best", first)] + ([(name, second)] if second["trial"] != first["trial"] else [])


def _compared(folder: StudyFrames) -> tuple[Setting, Setting, list[Setting]]:
    """The setting that the answer is about, vanilla, and all settings beside them."""
    places = by_place(settings(folder.done)).values()
    place = max(places, key=lambda group: (recommended(group) is not None, len(group)), default=[])
    vanilla = baseline(place, "vanilla")
    others = [each for each in place if each is not vanilla]
    ours = recommended(others) or max(others, key=lambda each: sum(each.h.values()) / len(each.h), default=None)
    if vanilla is None or ours is None or folder.corruptions.empty:
        raise Missing(NEEDS)
    return ours, vanilla, place


def corruption_map(folder: StudyFrames) -> Drawing:
    """Accuracy by corruption and severity of the best setting, and its difference to vanilla."""
    ours, vanilla, _ = _compared(folder)
    mine, theirs = (_grid(folder.corruptions, each.row["config"]) for each in (ours, vanilla))
    if mine.empty or theirs.empty:
        raise Missing(NEEDS)
    figure, (left, right) = new(columns=2, height=4.4, sharey=True)
    _heat(left, mine, "accuracy, percent", "cividis")
    _heat(right, mine - theirs, "minus vanilla, points", "PuOr", symmetric=True)
    for axis in (left, right):
        axis.set_xlabel("severity")
    return Drawing(
        figure,
        f"{setting(ours.row)} on {data_name(ours.row['dataset'])}: means over {len(ours.h)} seeds (vanilla: "
        f"{len(vanilla.h)}).",
    )


def deciding(folder: StudyFrames) -> Drawing:
    """For each corruption the paired difference in accuracy to the baselines: which corruptions decide RA."""
    ours, vanilla, place = _compared(folder)
    mixup = baseline(place, "mixup")
    others = [(name, each) for name, each in (("vanilla", vanilla), ("mixup", mixup)) if each and each is not ours]
    gains = {name: _gains(ours, each) for name, each in others}
    order = sorted(gains["vanilla"], key=lambda name: -gains["vanilla"][name].mean)
    if not order:
        raise Missing(NEEDS)
    figure, (axis,) = new(height=0.9 + 0.23 * len(order))
    marks = []
    for index, (method, _) in enumerate(others):
        colour, marker = look(method)
        known = [(row, gains[method][name], name) for row, name in enumerate(order) if name in gains[method]]
        heights = [row + 0.26 * index - 0.13 * (len(others) - 1) for row, _, _ in known]
        axis.errorbar(
            [gain.mean for _, gain, _ in known], heights, xerr=[gain.half or 0.0 for _, gain, _ in known],
            fmt=marker, color=colour, markersize=4, capsize=2, elinewidth=0.9, label=f"minus {BASELINES[method]}",
            markerfacecolor=colour if index == 0 else "white",
        )  # fmt: skip
        marks += [
            Mark(
                axis,
                gain.mean,
                height,
                f"{_spelled(name)}: {with_interval(gain, True)} points against {BASELINES[method]}",
            )
            for (_, gain, name), height in zip(known, heights, strict=True)
        ]
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(order)), [_spelled(name) for name in order])
    axis.set_ylim(len(order) - 0.5, -0.5)
    axis.set_xlabel("difference in accuracy, points")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return Drawing(figure, _deciding_caption(ours, {name: gains["vanilla"][name].mean for name in order}), tuple(marks))


def _gains(ours: Setting, other: Setting) -> dict[str, Interval]:
    """Differences over common seeds by corruption, means over its severities."""
    names = [name for name in ours.values if name.startswith(COLUMN)]
    tested = {name: paired_test(ours.values[name], other.values.get(name, {})) for name in names}
    return {name.removeprefix(COLUMN): test.difference for name, test in tested.items() if test}


def _deciding_caption(ours: Setting, gains: dict[str, float]) -> str:
    total, summed, names = sum(gains.values()), 0.0, []
    for name, gain in sorted(gains.items(), key=lambda pair: -pair[1]):
        if total <= 0 or summed >= total / 2:
            break
        summed += gain
        names.append(_spelled(name))
    text = f"{setting(ours.row)}; paired by seed, with 95 % confidence intervals that are not corrected. "
    if not names:
        return text + "Its mean over all corruptions does not exceed vanilla's."
    return text + (
        f"{', '.join(names).capitalize()} make{'s' if len(names) == 1 else ''} up half of the gain in RA over vanilla, "
        f"which is {total / len(gains):+.2f}."
    )


def _spelled(name: str) -> str:
    return name.replace("_", " ")


def _grid(corruptions: pd.DataFrame, config: str) -> pd.DataFrame:
    chosen = corruptions[(corruptions["config"] == config) & (corruptions["norm"] == "main")]
    order = list(dict.fromkeys(chosen["corruption"]))
    return chosen.pivot_table(index="corruption", columns="severity", values="accuracy", aggfunc="mean").reindex(order)


def _heat(axis: Axes, grid: pd.DataFrame, title: str, colours: str, symmetric: bool = False) -> None:
    values = grid.to_numpy(dtype=float)
    widest = float(np.nanmax(np.abs(values))) if symmetric else 0.0
    low, high = (-widest, widest) if symmetric else (None, None)
    image = axis.imshow(values, aspect="auto", cmap=colours, vmin=low, vmax=high)
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = image.cmap(image.norm(value))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        text = _whole(value, signed=symmetric)
        colour = LIGHT if dark else DARK
        axis.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)
    axis.set_xticks(range(grid.shape[1]), [str(each) for each in grid.columns])
    axis.set_yticks(range(grid.shape[0]), [_spelled(name) for name in grid.index])
    axis.set_title(title, loc="left", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.grid(False)


def _whole(value: float, signed: bool) -> str:
    """A whole number, with its sign where that means something, and never a signed zero."""
    if np.isnan(value):
        return ""
    whole = round(value)
    return f"{whole:+d}".replace("-", "−") if signed and whole else str(whole)


def selection_histogram(folder: StudyFrames) -> Drawing:
    """How often training images were selected, a panel for each row that counted it: the paper's figure 6."""
    if folder.selections.empty:
        raise Missing(
            "needs runs that record their selections; python study/run.py --table entprop/figure6 writes them"
        )
    groups = list(folder.selections.groupby(["why", "config"]))
    columns = min(2, len(groups))
    rows = -(-len(groups) // columns)
    figure, axes = new(rows, columns=columns, height=1.7 * rows + 0.5, sharex=True, sharey=True)
    for spare in axes[len(groups) :]:
        spare.remove()
    for axis, (_, group) in zip(axes, groups, strict=False):
        seeds = group["seed"].nunique()
        images = group.groupby("times")["value"].sum() / seeds
        mean = (images.index * images).sum() / images.sum()
        axis.bar(images.index.astype(int), images, width=1.0, color="#0072B2", edgecolor="white", linewidth=0.4)
        axis.axvline(mean, color="black", linestyle="--", linewidth=1)
        axis.set_title(f"{group['why'].iloc[0]}: mean {mean:.1f}", loc="left")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in axes[len(groups) - columns : len(groups)]:
        axis.set_xlabel(f"times selected in {counted(groups[0][1]['epochs'].iloc[0], 'epoch')}")
    for axis in axes[::columns]:
        axis.set_ylabel("images")
    return Drawing(
        figure,
        f"Training images, mean over {seeds} seeds. Dashed: the mean, k times the epochs. A wide or two-peaked "
        "histogram is a biased selection.",
    )
