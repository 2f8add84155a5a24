"""A study's folder as text, finished or not (`run.py show DIR`), or one line per study (`run.py ls DIR`)."""

import datetime
import shlex
from pathlib import Path
from typing import Any

from study.commands import command
from study.config.contradictions import contradictions
from study.config.study_config import Study
from study.confirm.comparisons import settings_of
from study.display.advice import advice
from study.display.measures import measured_text
from study.display.rows import counted, duration, ended_line, first_line, setting
from study.display.summary import confirmed_chart, confirmed_table, counts_line, verdict
from study.files.aligned import fitted, in_lines
from study.files.ranking import best
from study.files.results import Results, Row


def show_study(folder: Path | str) -> str:
    """All results in a study's folder, and what is missing there."""
    results = Results(folder)
    study = results.read_study()
    trials, confirm = results.trials, results.confirm
    parts = ["\n".join(map(in_lines, _head(Path(folder), study)))]
    if trials:
        parts.append(counts_line(trials))
        parts += _trials(trials)
        parts += _race(results.race)
    elif not _options(study).get("table"):
        parts.append("no trial has started yet")
    if confirm:
        further = measured_text(confirm, results.attacks, results.measures)
        answer = "\n".join(map(in_lines, verdict(confirm)))
        parts += filter(None, [confirmed_table(confirm), confirmed_chart(confirm), further, answer])
        parts += _failures([row for row in confirm if row["h"] is None and row["error"]], "seed")
    if trials and (known := _study(study)):
        parts += advice(known, results)
        parts += [in_lines(f"warning: study.json contradicts a row: {each}") for each in contradictions(known, results)]
    missing = _missing(Path(folder), study, trials, results.race, confirm)
    return "\n\n".join([*parts, *missing])


def list_studies(folder: Path | str) -> str:
    """One line for each study in a folder, the oldest first; a damaged one says so."""
    found = sorted(path.parent for path in Path(folder).glob("*/study.json"))
    if (Path(folder) / "study.json").is_file():
        found = [Path(folder), *found]
    if not found:
        return f"no studies in {folder}; start one in runs/ with: {command('--budget', '4N')}"
    header = ("study", "state", "what", "trials", "best validation H", "confirmed H")
    return fitted([header, *map(_line, found)], ("confirmed H", "trials", "what"))


def _line(folder: Path) -> tuple[str, ...]:
    try:
        results = Results(folder)
        study = results.read_study()
        trials, groups = results.trials, settings_of(results.confirm)
    except ValueError as error:
        return folder.name, "damaged", str(error), "", "", ""
    options = _options(study)
    done = sum(row["status"] == "finished" for row in trials)
    top = best(trials)
    confirmed_best = next((group for group in groups if group.why.startswith("best")), None)
    mean = confirmed_best.interval() if confirmed_best else None
    return (
        folder.name,
        str(study.get("state", "unknown")),
        _what(options),
        f"{done}/{options['trials']}" if options.get("trials") else "",
        f"{top[0]['val_h']:.2f} {setting(top[0])}" if top else "–",
        f"{mean.mean:.2f} ± {mean.half or 0:.2f}" if mean else "–",
    )


def _head(folder: Path, study: dict[str, Any]) -> list[str]:
    state, start, end = study.get("state", "unknown"), study.get("start"), study.get("end")
    took = f", took {duration(_seconds_between(start, end))}" if start and end else ""
    lines = [f"{folder}: {_what(_options(study))}", f"{state}; started {start or 'at an unknown time'}{took}"]
    if words := study.get("command"):
        lines.append(f"options: {shlex.join(words[1:]) or 'none'}")
    device, data = study.get("device"), study.get("data")
    if device:
        lines.append(f"device: {device}")
    if isinstance(data, dict) and data.get("source"):
        lines.append(f"data: {data['source']}")
    return lines


def _what(options: dict[str, Any]) -> str:
    """What a study is about, in a few words."""
    trial = options.get("trial") or {}
    if options.get("table"):
        scale = f" at {options['scale']} scale" if options.get("scale") else ""
        return f"table {options['table']}{scale}"
    place = ", ".join(str(trial[name]) for name in ("dataset", "model") if name in trial)
    epochs = f", {counted(trial['epochs'], 'epoch')}" if "epochs" in trial else ""
    return f"{'+'.join(options.get('methods') or ['?'])} within {options.get('budget', '?')} on {place or '?'}{epochs}"


def _options(study: dict[str, Any]) -> dict[str, Any]:
    options = study.get("options")
    return options if isinstance(options, dict) else {}


def _study(record: dict[str, Any]) -> Study | None:
    """The study of a record; None where its options are no longer those that a study writes."""
    try:
        return Study.from_dict(_options(record))
    except ValueError:
        return None


def _race(race: list[Row]) -> list[str]:
    if not race:
        return []
    lines = [f"  {ended_line(row, 2)}" for row in sorted(race, key=lambda row: (row["round"], row["why"]))]
    return ["\n".join(["race on validation images:", *lines])]


def _trials(trials: list[Row]) -> list[str]:
    parts = []
    top = best(trials, 5)
    if top:
        parts.append("\n".join(["best trials by validation H:", *(f"  {ended_line(row, 2)}" for row in top)]))
    running = [row for row in trials if row["status"] == "running"]
    if running:
        lines = [f"  trial {row['trial']:>3}  {setting(row)}  epoch {row['epochs'] or 0}" for row in running]
        parts.append("\n".join(["running or interrupted:", *lines]))
    return parts + _failures([row for row in trials if row["status"] == "failed"], "trial")


def _failures(rows: list[Row], number: str) -> list[str]:
    if not rows:
        return []
    lines = [in_lines(f"  {number} {row[number]}  {setting(row)}: {first_line(row['error'])}") for row in rows]
    return ["\n".join(["failed:", *lines])]


def _missing(folder: Path, study: dict[str, Any], trials: list[Row], race: list[Row], confirm: list[Row]) -> list[str]:
    """What this study lacks, compared with a finished one."""
    options, lines = _options(study), []
    ended = sum(row["status"] != "running" for row in trials)
    wanted = options.get("trials")
    if not options.get("table") and wanted and ended < wanted and not options.get("total_budget"):
        lines.append(f"missing: {wanted - ended} of {counted(wanted, 'trial')}")
    if options.get("race") and options.get("confirm") and ended and not any(row["round"] == 2 for row in race):
        lines.append("missing: the race has not ended")
    if not confirm and (options.get("confirm") or options.get("table")):
        lines.append("missing: no run was evaluated on test images yet")
    if study.get("state") != "finished":
        age = _age(folder)
        last = f"; last written {duration(age)} ago" if age is not None else ""
        lines.append(f"{study.get('state', 'unknown')}{last}; if it is not running: {command('--resume', folder)}")
    return ["\n".join(lines)] if lines else []


def _age(folder: Path) -> float | None:
    """Seconds since the newest file of the study was written."""
    times = [path.stat().st_mtime for path in folder.glob("*.*") if path.is_file()]
    return datetime.datetime.now().timestamp() - max(times) if times else None


def _seconds_between(start: str, end: str) -> float:
    try:
        return (datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
