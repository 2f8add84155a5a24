"""The confirmed settings as a picture for notebooks: H by cost with intervals, drawn as SVG."""

from collections.abc import Callable, Iterable, Sequence
from html import escape

from study.config.budget import format_cost
from study.confirm.comparisons import settings_of
from study.display.chart import Bar
from study.display.rows import setting
from study.files.results import Row

WIDTH, LABELS, LINE, MARGIN = 720, 330, 24, 30  # in pixels


def confirmed_picture(rows: Iterable[Row]) -> str:
    """An SVG with a line for each confirmed setting, the cheapest first; empty where nothing is confirmed."""
    found = [(each, mean) for each in settings_of(rows) if (mean := each.interval())]
    found.sort(key=lambda pair: (pair[0].row["cost"] * pair[0].row["epochs"], -pair[1].mean))
    labels = [f"{format_cost(round(each.row['cost'], 3))}  {each.why}: {setting(each.row)}" for each, _ in found]
    values = [(mean.low, mean.mean, mean.high) for _, mean in found]
    return interval_picture([Bar(label, *three) for label, three in zip(labels, values, strict=True)])


def interval_picture(bars: Sequence[Bar]) -> str:
    """All bars above a scale that just holds them."""
    if not bars:
        return ""
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    if high - low < 0.01:
        low, high = low - 0.5, high + 0.5

    def place(value: float) -> float:
        return LABELS + (value - low) / (high - low) * (WIDTH - LABELS - MARGIN)

    height = LINE * (len(bars) + 1) + 8
    lines = [line for row, bar in enumerate(bars) for line in _bar(bar, LINE * row + LINE / 2 + 4, place)]
    bottom = LINE * len(bars) + 8
    lines.append(f'<path d="M{LABELS} {bottom}H{WIDTH - MARGIN}"/>')
    lines += [_text(place(value), bottom + 14, f"{value:.1f}", "middle") for value in (low, high)]
    lines.append(_text((LABELS + WIDTH - MARGIN) / 2, bottom + 14, "H", "middle"))
    style = 'font-family="sans-serif" font-size="12" fill="currentColor" stroke="currentColor"'
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} {style}>{"".join(lines)}</svg>'


def _bar(bar: Bar, y: float, place: Callable[[float], float]) -> list[str]:
    left, middle, right = map(place, (bar.low, bar.mean, bar.high))
    ends = "".join(f"M{x:.1f} {y - 4}v8" for x in (left, right))
    label = bar.label if len(bar.label) < 52 else bar.label[:51] + "…"
    return [
        _text(LABELS - 8, y + 4, label, "end"),
        f'<path d="M{left:.1f} {y}H{right:.1f}{ends}"><title>{bar.low:.2f} to {bar.high:.2f}</title></path>',
        f'<circle cx="{middle:.1f}" cy="{y}" r="4"><title>{bar.mean:.2f}</title></circle>',
    ]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" stroke="none">{escape(text)}</text>'
