"""How a study was done: its record, so that it can be done again."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from analysis.comparisons.answer import totals
from analysis.inputs.studies import StudyFrames
from analysis.report import html
from analysis.report.html import PIECES
from analysis.tables.layout import Block, Cell, Layout


def methods_section(parts: Sequence[StudyFrames]) -> Markup:
    """The same for several studies, as a table."""
    rows = [
        (each.name, _command(each.record.get("command")), totals(each), str(each.record.get("state", "unknown")))
        for each in parts
    ]
    blocks = (Block("", tuple(tuple(map(Cell, row)) for row in rows)),)
    text = html.table(Layout("studies", "Commands", ("study", "command", "spent", "state"), blocks, ""))
    return text + PIECES.folded(
        "Training, versions, machine and seeds of each study", Markup("<hr>").join(method(each) for each in parts)
    )


def method_section(folder: StudyFrames) -> Markup:
    """What is needed to run it again, and behind a click all else."""
    record = folder.record
    data = record.get("data") or {}
    short = {
        "Command": _command(record.get("command")),
        "Data": str(data.get("source", "unknown")),
        "Spent": totals(folder),
        "State": f"{record.get('state', 'unknown')}, {_time(record)}",
    }
    return PIECES.definitions(short) + PIECES.folded("Training, versions, machine and seeds", method(folder))


def method(folder: StudyFrames) -> Markup:
    """The record of a study, so that it can be done again."""
    record = folder.record
    options, git, host, data = (record.get(name) or {} for name in ("options", "git", "host", "data"))
    return PIECES.definitions(
        {
            "Study": folder.name,
            "Command": _command(record.get("command")),
            "Budget": str(options.get("budget") or ""),
            "Table": f"{options['table']} at {options.get('scale')} scale" if options.get("table") else "",
            "Space": _space(record.get("space")),
            "Search": f"{options.get('sampler')}, scheduler {options.get('scheduler')}"
            if options.get("sampler")
            else "",
            "Training": _pairs(options.get("trial")),
            "Seeds": _pairs(record.get("seeds")),
            "Data": f"{data.get('source', 'unknown')}, digest {str(data.get('digest'))[:16]}" if data else "",
            "Code": f"{git.get('hash')}{', with uncommitted changes' if git.get('dirty') else ''}"
            if git
            else "no git repository",
            "Versions": _pairs(record.get("versions")),
            "Machine": _pairs(host) + (f"; {record['device']}" if record.get("device") else ""),
            "Time": _time(record),
            "Spent": totals(folder),
        }
    )


def _time(record: dict[str, Any]) -> str:
    end = record.get("end") or f"no end (state: {record.get('state', 'unknown')})"
    return f"{record.get('start', 'unknown')} to {end}"


def _command(words: Any) -> str:
    return " ".join(["python", *words]) if isinstance(words, list) else str(words or "")


def _pairs(values: Any) -> str:
    if not isinstance(values, dict):
        return "" if values is None else str(values)
    return ", ".join(f"{name} {value}" for name, value in values.items() if value not in (None, [], ""))


def _space(space: Any) -> str:
    if not isinstance(space, dict):
        return ""
    said = []
    for method, entry in space.items():
        shares = ", ".join(f"n = {n}: k up to {float(k):.3g}" for n, k in (entry.get("largest_share") or {}).items())
        fixed = _pairs(entry.get("fixed"))
        said.append(
            f"{method} over {', '.join(entry.get('searched', ()))}"
            + (f" ({shares})" if shares else "")
            + (f", with {fixed}" if fixed else "")
        )
    return "; ".join(said)
