"""One self-contained HTML page from templates: no script, no request; dark and light, narrow, printed, read aloud."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analysis.tables.layout import Layout

FOLDER = Path(__file__).parent
TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
)
PIECES: Any = TEMPLATES.get_template("pieces.html").module
LONG = 34  # characters from which a column of words breaks into lines


class Plot(NamedTuple):
    """A figure as the page shows it."""

    title: str
    svg: str
    caption: str

    @property
    def data(self) -> str:
        """The image in base64."""
        return base64.b64encode(self.svg.encode()).decode()


def page(title: str, subtitle: str, sections: Sequence[tuple[str, str, Markup]]) -> str:
    """The whole page, from (id, heading, content) of each section."""
    style = Markup((FOLDER / "page.css").read_text(encoding="utf-8"))
    return TEMPLATES.get_template("page.html").render(title=title, subtitle=subtitle, style=style, sections=sections)


def table(found: Layout) -> Markup:
    """A table with its caption and notes."""
    columns = zip(*(row for block in found.blocks for row in block.rows), strict=True)
    kinds = [_kind([cell.text for cell in column]) for column in columns] or [""] * len(found.header)
    return PIECES.laid_out(found, kinds)


def _kind(texts: Sequence[str]) -> str:
    """The class of a column's cells: words are flush left, and long ones may break into lines."""
    if not any(text[:1].isalpha() for text in texts):
        return ""
    return "words long" if max(map(len, texts)) > LONG else "words"
