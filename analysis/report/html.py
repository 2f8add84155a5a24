"""One self-contained HTML page from templates: no script, no request; dark and light, narrow, printed, read aloud."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analysis.figures.style import Drawing
from analysis.tables.layout import Layout

FOLDER = Path(__file__).parent
TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
)
PIECES: Any = TEMPLATES.get_template("pieces.html").module
LONG = 34  # characters from which a column of words breaks into lines
FOCUSED = 40  # of more points than these, none can be reached by keyboard: that many stops are in the way
# Colours of a figure that turn round in the dark; all others are of data and stay.
COLOURS = {
    "#000000": "var(--text)", "#ffffff": "var(--back)", "#dddddd": "var(--grid)", "#444444": "var(--soft)",
    "#555555": "var(--soft)", "#cccccc": "var(--grid)",
}  # fmt: skip


class Hit(NamedTuple):
    """A place of a figure that can be pointed at, in percent from its upper left corner, and what is said there."""

    left: float
    top: float
    text: str


class Plot(NamedTuple):
    """A figure as the page shows it."""

    title: str
    svg: Markup
    caption: str
    hits: tuple[Hit, ...] = ()

    @property
    def focused(self) -> bool:
        """Whether its points can be reached by keyboard."""
        return len(self.hits) <= FOCUSED


def plot(name: str, title: str, svg: str, drawing: Drawing) -> Plot:
    """A figure that was drawn, with the points that are named when pointed at."""
    return Plot(title, inline_svg(name, title, svg), drawing.caption, tuple(_hits(drawing)))


def _hits(drawing: Drawing) -> list[Hit]:
    """Where the marks of a drawing lie; it has its final places after it was saved."""
    width, height = drawing.figure.bbox.width, drawing.figure.bbox.height
    places = [(mark, mark.axis.transData.transform((mark.x, mark.y))) for mark in drawing.marks]
    return [Hit(round(100 * x / width, 2), round(100 * (1 - y / height), 2), mark.text) for mark, (x, y) in places]


def inline_svg(name: str, title: str, svg: str) -> Markup:
    """The SVG for use inside the page: names of its own, colours of the page, no size and no metadata."""
    text = svg[svg.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub("|".join(COLOURS), lambda found: COLOURS[found[0]], text)
    head, _, body = text.partition(">")
    view = head.partition('viewBox="')[2].partition('"')[0]
    label = Markup.escape(f"{title}: plot, described below")
    # What it holds is our own drawing, in which matplotlib escapes all texts.
    return Markup(
        f'<svg viewBox="{view}" role="img" aria-label="{label}" xmlns:xlink="http://www.w3.org/1999/xlink">'
    ) + (Markup(body.strip()))


def page(
    title: str, subtitle: str, sections: Sequence[tuple[str, str, Markup]], end: Markup, reload: int | None = None
) -> str:
    """The whole page, from (id, heading, content) of each section, and what stands below them.

    With `reload` a browser loads the page again after so many seconds, and the page says so.
    """
    style = Markup((FOLDER / "page.css").read_text(encoding="utf-8"))
    reloaded = f"The study is running. Written at {time.strftime('%H:%M:%S')}; the page reloads every {reload} s."
    return TEMPLATES.get_template("page.html").render(
        title=title, subtitle=subtitle, style=style, sections=sections, end=end, reload=reload, reloaded=reloaded
    )


def table(found: Layout) -> Markup:
    """A table with its caption and notes."""
    columns = zip(*(row for block in found.blocks for row in block.rows), strict=True)
    kinds = [_kind([cell.text for cell in column]) for column in columns] or [""] * len(found.header)
    return PIECES.laid_out(found, kinds)


def _kind(texts: Sequence[str]) -> str:
    """The class of a column's cells: words are flush left, and long ones may break into lines."""
    if max(map(len, texts)) > LONG:
        return "words long"
    return "words" if any(text[:1].isalpha() for text in texts) else ""
