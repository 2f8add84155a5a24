"""The list of `--tables`: title, protocol, cost at both scales and required data of each table."""

import textwrap

from study.commands import command
from study.files.aligned import text_width
from study.papers.computed import COMPUTED
from study.papers.expand import Size, demo_twins, size
from study.papers.grid import Grid
from study.papers.registry import GRIDS
from trainables.data.datasets import EMBEDDED, dataset_entry

PAPERS = {
    "entprop": "EntProp, UAI 2024",
    "mixprop": "MixProp, BMVC 2022",
    "ceb": "CEB Improves Model Robustness, ICLR 2020 submission",
    "mixture": "Mixture of techniques to improve accuracy and robustness with adversarial training",
    "uncertainty": "Rethinking Uncertainty in Deep Learning, ICLR 2021 submission",
}


def list_tables() -> str:
    """The text of `--tables`, sorted by paper and number."""
    lines: list[str] = []
    for paper, title in PAPERS.items():
        lines += ["", title] if lines else [title]
        for name in sorted((name for name in (*GRIDS, *COMPUTED) if name.startswith(f"{paper}/")), key=table_order):
            lines += computed_lines(name) if name in COMPUTED else table_lines(name, GRIDS[name])
    example = command("--table", "entprop/16", "--scale", "demo", "--dry-run")
    return "\n".join([*lines, "", f"the plan of one: {example}"])


def table_order(name: str) -> tuple[int, str]:
    """The published tables in their order, then those that are not published."""
    number = name.partition("/")[2]
    return (int(number), "") if number.isdigit() else (1000, number)


def computed_lines(name: str) -> list[str]:
    """The lines of a computed table."""
    return _entry(name, f"{COMPUTED[name].title}; computed from the code, nothing is trained")


def table_lines(name: str, grid: Grid) -> list[str]:
    """The lines of a table: its title, then its size as published and at demo scale."""
    paper, demo = size(grid), size(grid, "demo")
    models, epochs = ", ".join(paper.models), " or ".join(map(str, sorted(paper.epochs)))
    lost = "; its printed numbers are missing in our copy of the paper" if grid.lost else ""
    lines = _entry(name, grid.title + lost)
    lines += _indented(f"{_amount(paper)} of {epochs} epochs with {models} on {_data(grid)}")
    twin = demo_twins().get(name)
    again = f"; the same networks as {twin}" if twin else ""
    lines += _indented(f"--scale demo: {_amount(demo)} on {EMBEDDED}{again}")
    return lines + (_indented(f"needs: {grid.needs}") if grid.needs else [])


def _amount(found: Size) -> str:
    settings, runs = (
        f"{count} {name}" + "s" * (count != 1) for count, name in ((found.settings, "setting"), (found.runs, "run"))
    )
    return f"{settings}, {runs}, {found.cost:,.0f} N-epochs"


def _data(grid: Grid) -> str:
    return ", ".join(name + (" (from a folder)" if dataset_entry(name).folder_only else "") for name in grid.datasets)


def _entry(name: str, text: str) -> list[str]:
    return textwrap.wrap(f"  {name:15} {text}", text_width(), subsequent_indent=" " * 18)


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, text_width(), initial_indent=" " * 18, subsequent_indent=" " * 20)
