"""What all figures share: one look, one marker and colour for each method, and files of the same bytes each time.

Figures are drawn 4.2 inches wide, so that their text keeps its size in a column of a paper and on a phone. Nothing is
told by colour alone: markers, line styles, hatches or numbers say the same.
"""

import io
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from trainables.disk import replacing

WIDTH = 4.2  # inches
DPI = 200
STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": 8.5, "axes.titlesize": 9, "axes.labelsize": 8.5,
    "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 7.5, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#dddddd",
    "grid.linewidth": 0.6, "axes.axisbelow": True, "lines.linewidth": 1.4, "lines.markersize": 5,
    "figure.facecolor": "white", "savefig.facecolor": "white", "figure.constrained_layout.use": True,
    "svg.fonttype": "path", "svg.hashsalt": "entprop", "path.simplify": False, "image.cmap": "cividis",
}  # fmt: skip
# Okabe and Ito's colours, which colour-blind readers can tell apart; in grey the markers do it.
LOOK: dict[str, tuple[str, str]] = {
    "vanilla": ("#000000", "s"), "mixup": ("#0072B2", "D"), "cutmix": ("#56B4E9", "d"), "mixprop": ("#009E73", "^"),
    "advprop": ("#CC79A7", "v"), "fast_advprop": ("#E69F00", "P"), "entprop": ("#D55E00", "o"),
}  # fmt: skip
OTHER = ("#555555", "X")
DARK, LIGHT = "#111111", "#fefefe"  # of text on a coloured field: a page turns black and white round in the dark
DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))


class Missing(ValueError):
    """A figure cannot be drawn from what is there; the text says what it needs and how to get it."""


class Mark(NamedTuple):
    """A point of a figure, in the units of its panel, and what a page says when it is pointed at."""

    axis: Axes
    x: float
    y: float
    text: str


class Drawing(NamedTuple):
    """A figure, the words that belong below it, and the points that a page names."""

    figure: Figure
    caption: str
    marks: tuple[Mark, ...] = ()


def new(rows: int = 1, height: float = 2.8, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels, one above the other unless columns are asked for."""
    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, list(axes.flat)


def look(method: str) -> tuple[str, str]:
    """Colour and marker of a method."""
    return LOOK.get(method, OTHER)


def error_point(
    axis: Axes, x: float, y: float, half: float | None, method: str, label: str | None = None, open_: bool = False
) -> None:
    """A mean with its interval; open markers are printed numbers."""
    colour, marker = look(method)
    axis.errorbar(
        [x], [y], yerr=None if half is None else [half], color=colour, marker=marker, capsize=2.5, linestyle="none",
        label=label, markerfacecolor="white" if open_ else colour, elinewidth=1,
    )  # fmt: skip


def legend_below(axis: Axes, columns: int = 2) -> None:
    """A legend under the panel, where it hides nothing."""
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=columns, handlelength=2.4)


def wrapped(text: str, width: int = 28) -> str:
    """A text in lines of so many letters."""
    return "\n".join(textwrap.wrap(text, width))


def svg_text(figure: Figure) -> str:
    """The figure as SVG, the same text each time."""
    with matplotlib.rc_context(STYLE):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return buffer.getvalue()


def png_bytes(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure as PNG, the same bytes each time."""
    with matplotlib.rc_context(STYLE):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def save(figure: Figure, stem: Path) -> str:
    """Write `stem`.svg and `stem`.png; the text of the SVG, which takes a while to make."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    text = svg_text(figure)
    for ending, content in ((".svg", text.encode()), (".png", png_bytes(figure))):
        with replacing(stem.with_name(stem.name + ending), to_disk=False) as file:
            file.write(content)
    return text
