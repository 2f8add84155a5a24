"""Intervals drawn in characters, one line each on a common scale, for terminals and logs."""

from collections.abc import Sequence
from typing import NamedTuple

from study.files.aligned import screen_width, shortened

WIDTH, LEAST = 56, 24


class Bar(NamedTuple):
    """One line of the chart: a mean and the ends of its interval."""

    label: str
    low: float
    mean: float
    high: float


def interval_chart(title: str, bars: Sequence[Bar], width: int = WIDTH) -> str:
    """All bars under a scale that just holds them; in a narrow terminal the bars, and then the labels, are shorter."""
    if screen := screen_width():
        longest = max(len(title), *(len(bar.label) for bar in bars))
        width = max(min(LEAST, screen // 2), min(width, screen - 2 - longest))
        bars = [bar._replace(label=shortened(bar.label, screen - 2 - width)) for bar in bars]
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    if high - low < 0.01:
        low, high = low - 0.5, high + 0.5
    labels = max(len(title), *(len(bar.label) for bar in bars))
    scale = f"{low:.2f}".ljust(width // 2) + f"{high:.2f}".rjust(width - width // 2)

    def place(value: float) -> int:
        return round((value - low) / (high - low) * (width - 1))

    lines = [f"{title:<{labels}}  {scale}"]
    for bar in bars:
        cells = [" "] * width
        left, right = place(bar.low), place(bar.high)
        cells[left : right + 1] = "─" * (right + 1 - left)
        if left < right:
            cells[left], cells[right] = "├", "┤"
        cells[place(bar.mean)] = "●"
        lines.append(f"{bar.label:<{labels}}  {''.join(cells)}".rstrip())
    return "\n".join(lines)
