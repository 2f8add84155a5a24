"""What the notebooks call: open results, show a table or a figure, or say what is missing for it."""

from pathlib import Path

from analysis.comparisons.answer import answer
from analysis.figures.registry import draw
from analysis.figures.style import Missing, png_bytes
from analysis.inputs.studies import StudyFrames, missing, read_studies
from analysis.tables.layout import layout
from analysis.tables.registry import TABLES
from analysis.tables.writers import markdown
from study.notebook import Results

NOTEBOOK_DPI = 110


def open_results(path: str | Path) -> StudyFrames:
    """One study's folder, or all studies in a folder of studies, whatever their protocols; says what is there."""
    folder = _there(path)
    inside = sorted(each.parent for each in folder.glob("*/study.json"))
    found = read_studies(inside if inside and not (folder / "study.json").is_file() else [folder], mix=True)
    lines = [f"**Results:** {found.name}", *(f"- missing: {line}" for line in missing(found))]
    _markdown("\n".join([lines[0], "", *lines[1:]]))
    return found


def open_study(path: str | Path) -> Results:
    """One study as `study.run` returns it; of a folder of studies the first."""
    folder = _there(path)
    inside = sorted(each.parent for each in folder.glob("*/study.json"))
    return Results(inside[0] if inside and not (folder / "study.json").is_file() else folder)


def _there(path: str | Path) -> Path:
    """The folder, below the project where a relative one is not in the notebook's own."""
    folder = Path(path)
    return folder if folder.is_absolute() or folder.exists() else Path(__file__).parents[2] / folder


def show_answer(folder: StudyFrames) -> None:
    """The answer, how sure it is, and what to know before quoting it."""
    said = answer(folder)
    lines = [*said.details, *(f"warning: {text}" for text in said.cautions)]
    _markdown("\n".join([f"**{said.headline}**", "", *(f"- {line}" for line in lines)]))


def show_table(name: str, folder: StudyFrames) -> None:
    """A table with its caption and notes."""
    _markdown(markdown(layout(name, TABLES[name](folder.runs))))


def show_figure(name: str, folder: StudyFrames) -> None:
    """A figure with its caption, or what it would need."""
    try:
        drawing = draw(name, folder)
    except Missing as error:
        return _markdown(f"*No figure `{name}`: {error}.*")
    from IPython.display import Image, display

    display(Image(png_bytes(drawing.figure, NOTEBOOK_DPI)))
    return _markdown(drawing.caption)


def _markdown(text: str) -> None:
    from IPython.display import Markdown, display

    display(Markdown(text))
