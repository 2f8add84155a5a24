"""What the notebooks call: open results, show a table or a figure or what is missing for it, and say it in words."""

from collections.abc import Callable
from pathlib import Path

from analysis.comparisons.answer import answer
from analysis.comparisons.settings import records, settings
from analysis.figures.costs import shown_place
from analysis.figures.registry import draw
from analysis.figures.style import Missing, png_bytes
from analysis.inputs.missing import missing
from analysis.inputs.studies import StudyFrames
from analysis.notebooks.collection import Collection, open_collection, open_searches, studies_in
from analysis.report.attacks import attack_reading, attack_table
from analysis.report.sections import COMMON, CONFIRMED, TERMS
from analysis.tables.layout import Layout, is_ours, layout
from analysis.tables.ours_first import has_printed, ours_first
from analysis.tables.readings import reading, still_open
from analysis.tables.registry import TABLES, title
from analysis.tables.writers import markdown
from study.commands import PROGRAM
from study.confirm.comparisons import by_place
from study.display.advice import recommended, to_settle
from study.notebook import Results

NOTEBOOK_DPI = 110
PRINTED = ("printed",)  # figures that show nothing of ours
FORMULAS = ("entprop/1", "mixprop/4")  # computed from the code


def open_results(path: str | Path) -> Collection:
    """One study's folder, or all studies in a folder of studies; says what is there and how tables are read."""
    found = open_collection(_there(path))
    terms = [f"**{name}**: {text}" for name, text in TERMS.items()]
    _markdown(f"{_told(found)}\n\n**Terms**\n\n{_bullets(terms)}\n\n**Tables.** {COMMON}")
    return found


def open_search(path: str | Path) -> Collection:
    """The studies of a folder that searched, each by itself."""
    found = open_searches(_there(path))
    _markdown(_told(found))
    return found


def open_study(path: str | Path) -> Results:
    """One study as `study.run` returns it; of a folder of studies the first."""
    return Results(studies_in(_there(path))[0])


def show_answer(found: Collection) -> None:
    """The answer, how sure it is, and what to know before quoting it."""

    def text(folder: StudyFrames) -> str:
        said = answer(folder)
        return f"**{said.headline}**\n\n{_bullets([*said.details, *(f'warning: {each}' for each in said.cautions)])}"

    _each(found, text)


def show_figure(name: str, found: Collection) -> None:
    """A figure with its caption for each data set, or what it would need."""
    from IPython.display import Image, display

    for part, folder in found.parts[:1] if name in PRINTED else found.parts:
        _heading("" if name in PRINTED else part, found)
        try:
            drawing = draw(name, folder)
        except Missing as error:
            _markdown(f"*No figure `{name}`: {error}.*")
        else:
            display(Image(png_bytes(drawing.figure, NOTEBOOK_DPI)))
            _markdown(drawing.caption)


def show_table(name: str, found: Collection) -> None:
    """A published table, our rows first, and what they say."""
    frame = TABLES[name](found.merged.runs)
    if name in FORMULAS:
        return _markdown(_table(layout(name, frame)))
    if has_printed(frame) or any(map(is_ours, records(frame))):
        _markdown(_table(ours_first(name, frame)))
        return _each(found, lambda folder: _bullets(reading(name, folder.runs)))
    return _markdown(f"### {title(name)}\n\n{_bullets(still_open(name, found.merged.runs))}")


def show_settings(found: Collection) -> None:
    """All confirmed settings by what they cost."""
    _each(found, lambda folder: _table(layout("cost", TABLES["cost"](folder.runs), CONFIRMED)))


def show_attacks(found: Collection) -> None:
    """Accuracy under each attack by setting, and what it says."""

    def text(folder: StudyFrames) -> str:
        try:
            group = shown_place(folder)
        except Missing:
            return ""
        table = attack_table(group)
        return f"{_table(table)}\n\n{_bullets(attack_reading(group))}" if table else ""

    _each(found, text)


def show_open(found: Collection, *tables: str) -> None:
    """What the tables leave open, and the command that would settle it."""
    _each(found, lambda folder: _bullets([line for name in tables for line in still_open(name, folder.runs)]))


def show_unsettled(found: Collection) -> None:
    """What the answer of a search leaves open, and the command that would settle it."""

    def text(folder: StudyFrames) -> str:
        confirmed = settings(folder.done)
        top = recommended(confirmed)
        if top is None:
            return f"Nothing was confirmed on test images: `{PROGRAM} confirm {folder.name}`."
        lines = to_settle(by_place(confirmed)[top.place], top)
        if not lines:
            return "Nothing: the recommended setting differs significantly from both baselines."
        return _bullets([*lines, f"More seeds of all confirmed settings: `{PROGRAM} confirm {folder.name} --seeds N`."])

    _each(found, text)


def _there(path: str | Path) -> Path:
    """The folder, below the project where a relative one is not in the notebook's own."""
    folder = Path(path)
    return folder if folder.is_absolute() or folder.exists() else Path(__file__).parents[2] / folder


def _told(found: Collection) -> str:
    """The studies, and what is missing in them."""
    lines = [f"**Results:** {found.merged.name.replace(' + ', ', ')}"]
    if found.left_out:
        names = ", ".join(found.left_out)
        lines += [f"Not shown: {names}, in which each seed draws its own training images (docs/results.md)."]
    if lacking := missing(found.merged):
        lines += [_bullets([line[0].upper() + line[1:] + "." for line in lacking])]
    return "\n\n".join(lines)


def _each(found: Collection, text: Callable[[StudyFrames], str]) -> None:
    """A text for each part that has one."""
    for part, folder in found.parts:
        if said := text(folder):
            _heading(part, found)
            _markdown(said)


def _table(found: Layout) -> str:
    """A table below the headings of the notebook's sections; a number and its interval stay in one line."""
    return "#" + markdown(found).replace(" ± ", "\u00a0±\u00a0")


def _heading(title: str, found: Collection) -> None:
    if title and len(found.parts) > 1:
        _markdown(f"**{title}**")


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _markdown(text: str) -> None:
    from IPython.display import Markdown, display

    display(Markdown(text))
