"""A setting from near: entropies while it trains, which images it selects, which corruptions it survives."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.drawing import Drawing, Missing, legend_below, new
from analysis.searches import SEARCH
from analysis.settings import by_place, plain, records, settings
from analysis.studies import Folder
from study.results import Row, best, finished
from study.row_text import setting


def entropies(folder: Folder) -> Drawing:
    """Mean entropy of predictions through the main and the auxiliary norms, epoch by epoch, of up to two trials."""
    dual = folder.epochs[folder.epochs["entropy_aux"].notna()]
    done = [row for row in finished(records(folder.trials)) if not _of_trial(dual, row).empty]
    if not done:
        raise Missing(f"needs finished trials of a method with auxiliary norms; {SEARCH}")
    chosen = _two_trials(done)
    figure, axes = new(len(chosen), height=2.5 * len(chosen) + 0.4, sharex=True)
    for axis, (why, row) in zip(axes, chosen, strict=True):
        group = _of_trial(dual, row)
        for norm, colour, dash, marker in (("main", "#0072B2", "-", "o"), ("aux", "#D55E00", "--", "s")):
            middle, sd = (group[f"entropy_{norm}{end}"].astype(float) for end in ("", "_sd"))
            axis.plot(
                group["epoch"], middle, color=colour, linestyle=dash, marker=marker, markersize=3, label=f"{norm} norms"
            )
            axis.fill_between(
                group["epoch"].astype(int), middle - sd, middle + sd, color=colour, alpha=0.15, linewidth=0
            )
        axis.set_title(f"{why}: {setting(row)}", loc="left", fontsize=8)
        axis.set_ylabel("entropy, nats")
        axis.set_ylim(bottom=0)
    axes[-1].set_xlabel("epoch")
    legend_below(axes[-1])
    return Drawing(
        figure, "Mean over the images of an epoch and one standard deviation, as trained (figures 1 and 5). One seed."
    )


def _of_trial(epochs: pd.DataFrame, row: Row) -> pd.DataFrame:
    return epochs[(epochs["study"] == row["study"]) & (epochs["trial"] == row["trial"])]


def _two_trials(done: Sequence[Row]) -> list[tuple[str, Row]]:
    """The best trial, and the published setting (0.2, 5) or else the dearest."""
    first = best(done)[0]
    second = next((row for row in done if (row["k"], row["n"]) == (0.2, 5)), max(done, key=lambda row: row["cost"]))
    name = "published" if (second["k"], second["n"]) == (0.2, 5) else "dearest"
    return [("best", first)] + ([(name, second)] if second["trial"] != first["trial"] else [])


def corruption_map(folder: Folder) -> Drawing:
    """Accuracy by corruption and severity of the best setting, and its difference to vanilla."""
    place = max(by_place(settings(folder.done)).values(), key=len, default=[])
    vanilla = plain(place, "vanilla")
    others = [each for each in place if each is not vanilla]
    ours = next((each for each in others if each.why.startswith("best")), None)
    ours = ours or max(others, key=lambda each: sum(each.h.values()) / len(each.h), default=None)
    if vanilla is None or ours is None or folder.corruptions.empty:
        raise Missing(f"needs corrupted test images of vanilla and another setting; {SEARCH}")
    mine, theirs = (_grid(folder.corruptions, each.row["config"]) for each in (ours, vanilla))
    if mine.empty or theirs.empty:
        raise Missing(f"needs corrupted test images of vanilla and another setting; {SEARCH}")
    figure, (above, below) = new(2, height=7.6)
    _heat(above, mine, f"accuracy of {ours.name}", "cividis")
    _heat(below, mine - theirs, "minus vanilla, points", "PuOr", symmetric=True)
    below.set_xlabel("severity")
    return Drawing(
        figure, f"Means over {len(ours.h)} seeds (vanilla: {len(vanilla.h)}) of {ours.row['dataset']}, in percent."
    )


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
        colour = "white" if dark else "black"
        axis.text(column, row, text, ha="center", va="center", fontsize=7.5, color=colour)
    axis.set_xticks(range(grid.shape[1]), [str(each) for each in grid.columns])
    axis.set_yticks(range(grid.shape[0]), [name.replace("_", " ") for name in grid.index])
    axis.set_title(title, loc="left")
    axis.grid(False)


def _whole(value: float, signed: bool) -> str:
    """A whole number, with its sign where that means something, and never a signed zero."""
    if np.isnan(value):
        return ""
    whole = round(value)
    return f"{whole:+d}".replace("-", "−") if signed and whole else str(whole)


def selection_histogram(folder: Folder) -> Drawing:
    """How often each training image was selected, for each trial that recorded it: the paper's figure 6."""
    if folder.selections.empty:
        raise Missing("needs selections.csv (trial, image, times), which this study did not record")
    groups = list(folder.selections.groupby("trial"))[:3]
    figure, axes = new(len(groups), height=1.7 * len(groups) + 0.5, sharex=True)
    for axis, (trial, group) in zip(axes, groups, strict=True):
        times = group["times"].astype(int)
        axis.hist(
            times, bins=list(np.arange(-0.5, times.max() + 1.5)), color="#0072B2", edgecolor="white", linewidth=0.4
        )
        axis.axvline(times.mean(), color="black", linestyle="--", linewidth=1)
        axis.set_title(f"trial {trial}: mean {times.mean():.1f}", loc="left")
        axis.set_ylabel("images")
    axes[-1].set_xlabel("times an image was selected")
    return Drawing(
        figure, "Dashed: the mean, k times the epochs. A wide or two-peaked histogram is a biased selection."
    )
