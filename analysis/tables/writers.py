"""A table as Markdown, LaTeX (booktabs) or CSV."""

import re
from pathlib import Path

import pandas as pd

from analysis.tables.layout import Block, Cell, Layout, layout
from trainables.disk import write_atomically

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "−": "$-$", "–": "--", "×": r"$\times$",
    "ε": r"$\varepsilon$", "α": r"$\alpha$", "ρ": r"$\rho$", "*": r"\textsuperscript{*}",
    "†": r"\textsuperscript{\dag}", "‡": r"\textsuperscript{\ddag}", "≤": r"$\le$", "<": r"\textless{}",
    ">": r"\textgreater{}",
}  # fmt: skip


def markdown(table: Layout) -> str:
    """The table for a code host or a note."""
    lines = [f"## {table.title}", ""]
    for block in table.blocks:
        lines += [f"**{block.heading}**", ""] if block.heading else []
        lines += [_md_row(table.header), "|".join(["", " :--- ", *[" ---: "] * (len(table.header) - 1), ""])]
        lines += [_md_row([_md_cell(cell) for cell in row]) for row in block.rows]
        lines.append("")
    return "\n".join([*lines, _md_text(table.caption), "", *(f"- {_md_text(note)}" for note in table.notes), ""])


def _md_row(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _md_text(text: str) -> str:
    return re.sub(r"([*|_\\])", r"\\\1", text)


def _md_cell(cell: Cell) -> str:
    text = _md_text(cell.text)
    return {1: f"**{text}**", 2: f"<u>{text}</u>"}.get(cell.rank, text)


def latex(table: Layout) -> str:
    """The table for a paper; needs the packages booktabs and graphicx."""
    last = "p{5cm}" if table.header[-1] == "same protocol" else "r"
    lines = [
        r"\begin{table}", r"\centering",
        rf"\caption{{{_tex(table.title)}. {_tex(' '.join([table.caption, *table.notes]))}}}",
        rf"\label{{tab:{table.name.replace('/', '-')}}}",
        r"\resizebox{\linewidth}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (len(table.header) - 2)}{last}}}", r"\toprule",
        " & ".join(_tex(name) for name in table.header) + r" \\",
    ]  # fmt: skip
    for block in table.blocks:
        lines += _tex_block(block, len(table.header))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table}", ""])


def _tex_block(block: Block, columns: int) -> list[str]:
    lines = [r"\midrule"]
    if block.heading:
        lines.append(rf"\multicolumn{{{columns}}}{{l}}{{\emph{{{_tex(block.heading)}}}}} \\")
    return lines + [" & ".join(_tex_cell(cell) for cell in row) + r" \\" for row in block.rows]


def _tex_cell(cell: Cell) -> str:
    text = _tex(cell.text)
    return {1: rf"\textbf{{{text}}}", 2: rf"\underline{{{text}}}"}.get(cell.rank, text)


def _tex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text)


def write_table(name: str, frame: pd.DataFrame, folder: Path) -> Layout:
    """The three files of a table; CSV has every column, at full precision."""
    found = layout(name, frame)
    stem = file_stem(name)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"{stem}.md", markdown(found), to_disk=False)
    write_atomically(folder / f"{stem}.tex", latex(found), to_disk=False)
    write_atomically(folder / f"{stem}.csv", frame.to_csv(index=False, lineterminator="\n"), to_disk=False)
    return found


def file_stem(name: str) -> str:
    """The files of entprop/16 are called entprop-16."""
    return name.replace("/", "-")
