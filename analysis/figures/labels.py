"""Labels at the points of a figure, each at the first of some places where it covers nothing."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

SIZE = 7.0
PLACES = (  # offset in points, and which corner of the text lies there
    (6, 4, "left", "bottom"), (-6, 4, "right", "bottom"), (6, -4, "left", "top"), (-6, -4, "right", "top"),
    (0, 8, "center", "bottom"), (0, -8, "center", "top"), (10, 14, "left", "bottom"), (-10, 14, "right", "bottom"),
    (10, -14, "left", "top"), (-10, -14, "right", "top"), (14, 24, "left", "bottom"), (-14, 24, "right", "bottom"),
    (14, -24, "left", "top"), (-14, -24, "right", "top"),
)  # fmt: skip


def label_points(
    axis: Axes, points: Sequence[tuple[float, float, str]], bars: Sequence[tuple[float, float, float]] = ()
) -> None:
    """Write each text beside its point; `bars` (x, low, high) are kept free, as are the points themselves."""
    figure = axis.get_figure(root=True)
    assert figure is not None, "an axis is of a figure"
    figure.draw_without_rendering()  # so that the panel has its final place
    taken = [_around(axis, x, y, 4, 4) for x, y, _ in points]
    taken += [_around(axis, x, low, 1, 0, high) for x, low, high in bars]
    panel = axis.get_window_extent()
    for x, y, text in points:
        best = None
        for dx, dy, across, along in PLACES:
            note = axis.annotate(
                text, (x, y), textcoords="offset points", xytext=(dx, dy), ha=across, va=along, fontsize=SIZE, zorder=6,
            )  # fmt: skip
            box = note.get_window_extent()
            cost = sum(_overlap(box, other) for other in taken) + 20 * _outside(box, panel)
            note.remove()
            if best is None or cost < best[0]:
                best = cost, (dx, dy, across, along), box
            if cost == 0:
                break
        assert best is not None, "there are places"
        _, (dx, dy, across, along), box = best
        line = {"arrowstyle": "-", "color": "#888888", "lw": 0.5} if abs(dy) > 10 else None
        axis.annotate(
            text, (x, y), textcoords="offset points", xytext=(dx, dy), ha=across, va=along, fontsize=SIZE, zorder=6,
            arrowprops=line,
        )  # fmt: skip
        taken.append(box)


def _around(axis: Axes, x: float, y: float, width: float, height: float, high: float | None = None) -> Bbox:
    """The box around a point, or from a point up to another one, in pixels."""
    scale = axis.figure.dpi / 72
    left, bottom = axis.transData.transform((x, y))
    top = bottom if high is None else axis.transData.transform((x, high))[1]
    return Bbox.from_extents(left - width * scale, bottom - height * scale, left + width * scale, top + height * scale)


def _overlap(one: Bbox, other: Bbox) -> float:
    found = Bbox.intersection(one, other)
    return 0.0 if found is None else float(found.width * found.height) + 1.0


def _outside(box: Bbox, panel: Bbox) -> float:
    inside = Bbox.intersection(box, panel)
    area = float(box.width * box.height)
    return area if inside is None else area - float(inside.width * inside.height)
