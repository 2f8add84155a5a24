"""The drawings of `analysis.diagnostics`: functions from rows and arrays to a figure, and a writer of figures."""

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.inputs.run_files import Row

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = list[tuple[float, float]]
Series = dict[tuple[str, str], Points]  # run, and what of it, such as how many steps
Sweep = dict[float | None, list[float]]

STYLE = {
    "font.size": 10,
    "axes.titlesize": 10,
    "legend.fontsize": 9,
    "axes.grid": True,
    "grid.color": "0.88",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.hashsalt": "entprop-study",  # names inside an SVG are made of it, not of chance
}
# Told apart by brightness, line and marker as well as by hue.
COLOURS = ("#000000", "#d55e00", "#0072b2", "#8f8f8f", "#cc79a7", "#009e73")
LINES = ("-", "--", "-.", ":", "-", "--")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", "h", ">", "d")  # from the seventh on, hollow
WIDTH = 6.4  # inches: all text is legible where this is the width of a phone


def panels(count: int, columns: int, height: float, **settings: Any) -> tuple["Figure", list["Axes"]]:
    """A figure with that many axes in rows of `columns`, each row `height` inches high."""
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(WIDTH, rows * height + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **settings).flatten()
    for spare in axes[count:]:
        spare.remove()
    return figure, list(axes[:count])


def marker_style(place: int) -> dict[str, Any]:
    """How the points of that place are drawn: twelve that differ."""
    hollow = {"markerfacecolor": "white"} if place % len(MARKERS) >= len(COLOURS) else {}
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)], **hollow}


def line_style(place: int) -> dict[str, Any]:
    """How the series of that place is drawn."""
    return {**marker_style(place), "linestyle": LINES[place % len(LINES)], "markersize": 4}


def legend_below(figure: "Figure", ax: "Axes", columns: int = 3) -> None:
    """The legend of a panel under all of them, where it hides nothing."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, handlelength=3)


ENTROPIES = (("main", "to main norms"), ("aux", "to auxiliary norms"), ("raw", "raw, to main norms"))


def draw_entropy(runs: list[tuple[str, list[Row]]]) -> "Figure":
    """A panel a run: mean and one standard deviation over the samples of each epoch."""
    figure, axes = panels(len(runs), 2, 2.5, sharex=True, sharey=True)
    for ax, (label, rows) in zip(axes, runs, strict=True):
        bars = max(1, len(rows) // 12)  # epochs between two bars
        for place, (norm, what) in enumerate(ENTROPIES):
            known = [row for row in rows if row.get(f"entropy_{norm}") is not None]
            if known:
                ax.errorbar(
                    [row["epoch"] for row in known],
                    [row[f"entropy_{norm}"] for row in known],
                    yerr=[row[f"entropy_{norm}_sd"] for row in known],
                    errorevery=(place * (bars // 3), bars),
                    markevery=bars,
                    capsize=2,
                    label=what,
                    **line_style(place),
                )
        ax.set(title=label, xlabel="epoch", ylim=(0, None))
    axes[0].set_ylabel("entropy (nats)")
    legend_below(figure, max(axes, key=lambda ax: len(ax.containers)))
    return figure


def draw_selections(runs: list[tuple[str, list[Row]]]) -> "Figure":
    """A panel a run: images over how often they were selected, with the mean."""
    figure, axes = panels(len(runs), 3 if len(runs) > 4 else 2, 2.2, sharex=True)
    for ax, (label, rows) in zip(axes, runs, strict=True):
        times, images = [row["times"] for row in rows], [row["images"] for row in rows]
        mean = sum(t * i for t, i in zip(times, images, strict=True)) / sum(images)
        ax.bar(times, images, width=1.0, color="0.35")
        ax.axvline(mean, color=COLOURS[1], linestyle="--", label=f"mean {mean:.1f}")
        ax.set(title=label, xlabel=f"times selected in {rows[0]['epochs']} epochs")
        ax.legend()
    axes[0].set_ylabel("training images")
    return figure


def draw_maps(runs: list[tuple[str, dict[str, "np.ndarray"]]]) -> "Figure":
    """First row the pictures, then a row a run with its maps over them: bright where the prediction comes from."""
    first = runs[0][1]
    count, side = len(first["image"]), WIDTH / len(first["image"])
    figure, axes = panels(count * (1 + len(runs)), count, side + 0.15)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[:].set_visible(False)
    for place in range(count):
        what = first["kind"][place].replace("_", " ")
        axes[place].imshow(first["pixels"][place])
        axes[place].set_title(f"{what}\n{first['classes'][first['label'][place]]}", fontsize=8)
    for row, (label, arrays) in enumerate(runs, start=1):
        axes[row * count].set_ylabel(label)
        for place in range(count):
            _overlay(axes[row * count + place], arrays, place)
    return figure


def _overlay(ax: "Axes", arrays: dict[str, "np.ndarray"], place: int) -> None:
    """One map, stretched to [0, 1], over its picture in grey; the title is the prediction and its probability."""
    pixels, found = arrays["pixels"][place], arrays["map"][place]
    high, wide = pixels.shape[:2]
    stretched = (found - found.min()) / max(float(found.max() - found.min()), 1e-12)
    ax.imshow(pixels.mean(axis=2), cmap="gray", vmin=0, vmax=255, extent=(0, wide, high, 0))
    ax.imshow(stretched, cmap="viridis", vmin=0, vmax=1, alpha=0.6, extent=(0, wide, high, 0), interpolation="bilinear")
    right = arrays["predicted"][place] == arrays["label"][place]
    name = arrays["classes"][arrays["predicted"][place]]
    ax.set_title(f"{name} {arrays['confidence'][place]:.2f}{'' if right else ' ✗'}", fontsize=8)


def draw_surface(runs: list[tuple[str, list[Row]]], value: str) -> "Figure":
    """A row an image, a column a run: loss or margin as height lines over brightness, on one scale for each image."""
    from matplotlib.patheffects import withStroke

    images = list(dict.fromkeys(row["image"] for row in runs[0][1]))
    figure, axes = panels(len(runs) * len(images), len(runs), 2.1, sharex=True, sharey=True)
    for row, image in enumerate(images):
        grids = [_grid(rows, image, value) for _, rows in runs]
        low, high = min(heights.min() for _, heights in grids), max(heights.max() for _, heights in grids)
        beside = axes[row * len(runs) : (row + 1) * len(runs)]
        for ax, (label, _), (places, heights) in zip(beside, runs, grids, strict=True):
            shade = ax.pcolormesh(places, places, heights, vmin=low, vmax=high, cmap="cividis", rasterized=True)
            if heights.max() > heights.min():
                lines = ax.contour(places, places, heights, levels=5, colors="white", linewidths=0.7)
                for text in ax.clabel(lines, fontsize=7, fmt="%.3g"):
                    text.set_path_effects([withStroke(linewidth=1.5, foreground="black")])
            if value == "margin" and heights.min() < 0 < heights.max():
                ax.contour(places, places, heights, levels=[0], colors="#ff5500", linewidths=2)
            ax.set(title=label if row == 0 else None, yticks=[-0.04, 0, 0.04])
            ax.set_xticks([-0.04, 0, 0.04], ["−0.04", "0", "0.04"])
        beside[0].set_ylabel(f"image {image}\nalong the gradient")
        figure.colorbar(shade, ax=beside, label=f"{value}{' (nats)' if value == 'loss' else ''}", shrink=0.9)
    figure.supxlabel("along a random direction", fontsize=10)
    return figure


def _grid(rows: list[Row], image: int, value: str) -> tuple["np.ndarray", "np.ndarray"]:
    """The places along an axis, and the heights: gradient direction down, random direction across."""
    import numpy as np

    points = [row for row in rows if row["image"] == image]
    if not points:
        raise ValueError(f"every run must hold the same images, got one without image {image}")
    places = sorted({row["along_gradient"] for row in points})
    at = {(row["along_gradient"], row["along_random"]): row[value] for row in points}
    return np.array(places), np.array([[at[a, b] for b in places] for a in places])


def draw_margins(runs: list[tuple[str, list[Row]]]) -> "Figure":
    """Left every image; right the same, with those images alone of the first run that are least linear.

    The paper draws its first run above its 40th percentile of Q.
    """
    figure, axes = panels(2, 2, 3.0, sharex=True, sharey=True)
    known = [(label, [row for row in rows if row["distortion"] is not None]) for label, rows in runs]
    label, rows = known[0]
    measured = [row for row in rows if row["nonlinearity"] is not None]
    if len(measured) < 2:
        raise ValueError(f"the first run must hold at least 2 images with a non-linearity, got {len(measured)}")
    limit = statistics.quantiles([row["nonlinearity"] for row in measured], n=5)[1]
    bent = (f"{label}, Q > {limit:.3g}", [row for row in measured if row["nonlinearity"] > limit])
    for ax, title, shown in (
        (axes[0], "all images", known),
        (axes[1], "first run: non-linear ones", [bent, *known[1:]]),
    ):
        for place, (name, rows) in enumerate(shown):
            ax.scatter(
                [row["normalised_margin"] for row in rows],
                [row["distortion"] for row in rows],
                s=9,
                facecolors="none" if place % 2 else COLOURS[place],
                edgecolors=COLOURS[place],
                linewidths=0.6,
                marker=MARKERS[place],
                label=name,
            )
        ax.set(title=title, xlabel="normalised margin", xlim=(0, None), ylim=(0, None))
        ax.legend(markerscale=1.6)
    axes[0].set_ylabel("L2 distortion")
    return figure


def draw_curves(panels_of: dict[str, Series], x: str, log: bool) -> "Figure":
    """Accuracy against epsilon or steps; a panel for each title, a colour and marker for each run."""
    figure, axes = panels(len(panels_of), 2, 3.2, sharey=True)
    keys = list(dict.fromkeys(key for series in panels_of.values() for key in series))
    runs, kinds = (list(dict.fromkeys(part)) for part in zip(*keys, strict=True))
    for ax, (title, series) in zip(axes, panels_of.items(), strict=True):
        for (run, kind), points in series.items():
            style = {**line_style(runs.index(run)), "linestyle": LINES[kinds.index(kind) % 4]}
            ax.plot(*zip(*sorted(points), strict=True), label=", ".join(filter(None, (run, kind))), **style)
        ax.set(title=title, xlabel=x, ylim=(0, 100))
        if log:
            ax.set_xscale("log", base=2)
            ax.xaxis.set_major_formatter("{x:g}")
    axes[0].set_ylabel("accuracy (%)")
    legend_below(figure, max(axes, key=lambda ax: len(ax.lines)))
    return figure


IN_NATS = ("rate", "entropy")  # all other measures of a sweep are in percent


def draw_sweep(series: dict[str, dict[str, Sweep]], against: str) -> "Figure":
    """A panel a quantity: method -> value of the hyper-parameter -> one number a seed, as mean and standard error.

    The value None is that of a method without the hyper-parameter: a horizontal line.
    """
    figure, axes = panels(len(series), 2, 2.6, sharex=True)
    for ax, (quantity, methods) in zip(axes, series.items(), strict=True):
        for place, (method, points) in enumerate(methods.items()):
            if None in points:
                style = {key: value for key, value in line_style(place).items() if "marker" not in key}
                ax.axhline(statistics.fmean(points[None]), label=method, **style)
            known = sorted((value, found) for value, found in points.items() if value is not None)
            if known:
                means = [statistics.fmean(found) for _, found in known]
                errors = [statistics.stdev(found) / len(found) ** 0.5 if len(found) > 1 else 0 for _, found in known]
                ax.errorbar([v for v, _ in known], means, yerr=errors, capsize=2, label=method, **line_style(place))
        ax.set(title=quantity, xlabel=against, ylabel="nats" if quantity in IN_NATS else "%")
        ax.tick_params(labelbottom=True)
    legend_below(figure, axes[0])
    return figure


def draw_trade_off(attacks: dict[str, list[tuple[str, float, float]]]) -> "Figure":
    """A panel an attack: a point a run, of clean accuracy and accuracy under the attack."""
    figure, axes = panels(len(attacks), 2, 2.8)
    for ax, (title, points) in zip(axes, attacks.items(), strict=True):
        for place, (label, clean, under) in enumerate(points):
            ax.plot(clean, under, linestyle="none", label=label, **marker_style(place))
        ax.margins(0.15)
        ax.set(title=title, xlabel="clean accuracy (%)")
        ax.set_ylabel("accuracy under attack (%)")
    legend_below(figure, axes[0])
    return figure


def draw_activations(sharpness: tuple[float, ...] = (1.0, 3.0, 10.0)) -> "Figure":
    """ReLU and ln(1 + exp(s·x))/s for several s, and their derivatives; training with SAT goes back by s = 10."""
    import numpy as np

    x = np.linspace(-2, 2, 401)
    figure, axes = panels(2, 2, 2.8, sharex=True)
    for ax, title, relu, soft in (
        (axes[0], "value", np.maximum(x, 0), lambda s: np.logaddexp(0, s * x) / s),
        (axes[1], "derivative", (x > 0).astype(float), lambda s: 1 / (1 + np.exp(-s * x))),
    ):
        ax.plot(x, relu, color=COLOURS[0], linewidth=2, label="ReLU")
        for place, s in enumerate(sharpness, start=1):
            ax.plot(x, soft(s), color=COLOURS[place], linestyle=LINES[place], label=f"softplus, s = {s:g}")
        ax.set(title=title, xlabel="input")
    axes[0].legend()
    return figure


def write_figure(figure: "Figure", folder: Path, name: str) -> list[Path]:
    """NAME.svg and NAME.png, without anything in them that changes from day to day."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    figure.savefig(paths[0], metadata={"Date": None, "Creator": None})
    figure.savefig(paths[1], metadata={"Software": None}, dpi=150)
    return paths
