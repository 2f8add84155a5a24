"""Pieces of one self-contained page: no script, no request, readable in the dark, on a phone, on paper and aloud."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from analysis.tables.layout import Block, Cell, Layout

STYLE_FILE = Path(__file__).parent / "page.css"
LONG = 34  # letters from which a column of words breaks into lines


def page(title: str, subtitle: str, sections: Sequence[tuple[str, str, str]]) -> str:
    """The whole page, from (id, heading, content) of each section; the first has no heading of its own in the list."""
    links = "".join(f'<li><a href="#{name}">{escape(heading)}</a></li>' for name, heading, _ in sections)
    body = "\n".join(
        f'<section id="{name}" aria-labelledby="{name}-heading">\n'
        f'<h2 id="{name}-heading">{escape(heading)}</h2>\n{content}</section>'
        for name, heading, content in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE_FILE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#content">Skip to the content</a>\n'
        f'<header><h1>{escape(title)}</h1><p class="soft">{escape(subtitle)}</p></header>\n'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main id="content">\n{body}\n</main>\n</body>\n</html>\n'
    )


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>\n' if kind else f"<p>{escape(text)}</p>\n"


def items(lines: Iterable[str], kind: str = "") -> str:
    """A list of plain texts; nothing without any."""
    found = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="{kind}">{found}</ul>\n' if found and kind else f"<ul>{found}</ul>\n" if found else ""


def box(kind: str, headline: str, lines: Sequence[str], more: str = "") -> str:
    """A box that is seen first: the answer, or what is missing."""
    return f'<div class="{kind}"><p class="headline">{escape(headline)}</p>{items(lines)}{more}</div>\n'


def definitions(pairs: Mapping[str, str]) -> str:
    """Names and their texts; those without a text are left out."""
    found = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in pairs.items() if text)
    return f"<dl>{found}</dl>\n"


def folded(summary: str, content: str) -> str:
    """Something that opens at a click."""
    return f"<details><summary>{escape(summary)}</summary>\n{content}</details>\n"


class Plot(NamedTuple):
    """A figure as the page shows it."""

    title: str
    svg: str
    caption: str


def plots(drawn: Sequence[Plot]) -> str:
    """Figures side by side, one below the other where it is narrow."""
    return '<div class="plots">\n' + "".join(_plot(each) for each in drawn) + "</div>\n" if drawn else ""


def _plot(drawn: Plot) -> str:
    data = base64.b64encode(drawn.svg.encode()).decode()
    return (
        f'<figure><h3>{escape(drawn.title)}</h3><img class="plot" alt="{escape(drawn.title)}: plot, described below" '
        f'src="data:image/svg+xml;base64,{data}"><figcaption>{escape(drawn.caption)}</figcaption></figure>\n'
    )


def table(found: Layout) -> str:
    """A table in a box that scrolls by itself, with its caption and notes below."""
    kinds = _kinds(found)
    head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(found.header, kinds, strict=True))
    body = "".join(_block(block, kinds) for block in found.blocks)
    return (
        f"<h3>{escape(found.title)}</h3>\n"
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(found.title)}"><table>'
        f"<thead><tr>{head}</tr></thead>{body}</table></div>\n"
        f'<p class="caption">{escape(found.caption)}</p>\n{items(found.notes, "notes")}'
    )


def _kinds(found: Layout) -> list[str]:
    """For each column the class of its cells: words are flush left, and long ones may break into lines."""
    columns = zip(*(row for block in found.blocks for row in block.rows), strict=True)
    kinds = []
    for column in columns:
        words = any(cell.text[:1].isalpha() for cell in column)
        long = max(len(cell.text) for cell in column) > LONG
        kinds.append(' class="words long"' if words and long else ' class="words"' if words else "")
    return kinds or [""] * len(found.header)


def _block(block: Block, kinds: Sequence[str]) -> str:
    heading = f'<tr><th scope="rowgroup" colspan="{len(kinds)}">{escape(block.heading)}</th></tr>'
    return "<tbody>" + (heading if block.heading else "") + "".join(_row(row, kinds) for row in block.rows) + "</tbody>"


def _row(row: Sequence[Cell], kinds: Sequence[str]) -> str:
    first, *others = row
    cells = "".join(f"<td{kind}>{_cell(cell)}</td>" for cell, kind in zip(others, kinds[1:], strict=True))
    return f'<tr><th scope="row">{_cell(first)}</th>{cells}</tr>'


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    return {1: f"<strong>{text}</strong>", 2: f"<u>{text}</u>"}.get(cell.rank, text)
