"""Several studies as one, and in what they differ.

Studies of one protocol can be merged: their runs differ in method and seed alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.inputs.studies import ADDED, StudyFrames, configs_of, read_folder
from study.files.columns import COLUMNS

PLACE = ("dataset", "model")
Fields = dict[str, Any]


def read_studies(paths: Sequence[Path | str], mix: bool = False) -> StudyFrames:
    """Several folders as one; ValueError where their protocols differ, unless `mix` allows it."""
    folders = read_named(paths)
    if len(folders) == 1:
        return folders[0]
    differing = protocol_differences(folders)
    if differing and not mix:
        raise ValueError(
            f"studies must be of one protocol to be merged, got {'; '.join(differing)}; --mix merges them anyway"
        )
    return merge(folders)


def read_named(paths: Sequence[Path | str]) -> list[StudyFrames]:
    """Folders, each with a name of its own: the last part of its path, or the whole where two are the same."""
    if not paths:
        raise ValueError("at least one folder with results must be named, got none")
    last = [Path(path).resolve().name for path in paths]
    return [
        read_folder(path, str(path) if last.count(name) > 1 else name) for path, name in zip(paths, last, strict=True)
    ]


def merge(folders: Sequence[StudyFrames]) -> StudyFrames:
    """All rows of several studies. Of a configuration and seed that two of them trained, the first row stays, with what
    another one alone has measured, as attacks are."""
    joined = {
        name: pd.concat([getattr(each, name) for each in folders], ignore_index=True)
        for name in ("trials", "epochs", "race", "runs", "corruptions", "selections")
    }
    has_result = joined["runs"].sort_values("h", na_position="last", kind="stable", key=lambda h: h.isna())
    kept = has_result.drop_duplicates(["config", "seed"]).sort_index()
    beyond = [name for name in kept if name not in {*(column.name for column in COLUMNS["confirm"]), *ADDED}]
    if beyond:
        measured = has_result.groupby(["config", "seed"], sort=False)[beyond].first().reset_index()
        kept = kept.drop(columns=beyond).merge(measured, how="left", on=["config", "seed"])
    repeated = len(joined["runs"]) - len(kept)
    joined["runs"] = kept.reset_index(drop=True)
    key = ["config", "seed", "norm", "corruption", "severity"]
    joined["selections"] = joined["selections"].drop_duplicates(["config", "seed", "times"], ignore_index=True)
    joined["corruptions"] = joined["corruptions"].drop_duplicates(key, ignore_index=True)
    note = (f"{repeated} runs of a setting and seed are in two studies; the first is used",) if repeated else ()
    return replace(
        folders[0],
        name=" + ".join(each.name for each in folders),
        **joined,
        problems=note,
        paths=tuple(path for each in folders for path in each.paths),
    )


def protocols(folder: StudyFrames) -> dict[tuple[str, str], Fields]:
    """For each data set and network of a study, the fields of a trial that its runs share."""
    found = {}
    for config in configs_of(folder):
        fields = {name: value for name, value in config.as_dict().items() if name not in ("method", "seed")}
        found[fields["dataset"], fields["model"]] = fields
    return found


def protocol_differences(folders: Sequence[StudyFrames]) -> list[str]:
    """What the protocols of studies disagree in, beside the first; empty where they can be merged."""
    first, *others = folders
    lines = []
    for other in others:
        mine, theirs = protocols(first), protocols(other)
        shared = [place for place in mine if place in theirs]
        if not shared:
            for i, name in enumerate(PLACE):
                lines += _differing(name, {p[i] for p in mine}, {p[i] for p in theirs}, first, other)
        for place in shared:
            for name, value in mine[place].items():
                lines += _differing(name, {str(value)}, {str(theirs[place][name])}, first, other)
        digests = [(each.record.get("data") or {}).get("digest") for each in (first, other)]
        if shared and None not in digests and digests[0] != digests[1] and not _several_data(mine, theirs):
            lines.append(f"images, labels or split ({first.name} and {other.name})")
    return lines


def _several_data(*places: dict[tuple[str, str], Fields]) -> bool:
    """Whether a study is of several data sets, of which study.json has one digest."""
    return any(len({dataset for dataset, _ in each}) > 1 for each in places)


def _differing(name: str, ours: set[str], theirs: set[str], first: StudyFrames, other: StudyFrames) -> list[str]:
    if ours == theirs:
        return []
    sides = [
        f"{', '.join(sorted(values)) or 'unknown'} ({each.name})" for values, each in ((ours, first), (theirs, other))
    ]
    return [f"{name} {' and '.join(sides)}"]


def circumstances(folders: Sequence[StudyFrames]) -> list[str]:
    """What else differs between studies that may be merged: code, packages, machines, space and budget."""
    lines = []
    for name, value in (
        ("code", lambda r: ((r.get("git") or {}).get("hash") or "unknown")[:10]),
        ("versions", lambda r: ", ".join(f"{k} {v}" for k, v in (r.get("versions") or {}).items())),
        ("device", lambda r: str(r.get("device"))),
        ("machine", lambda r: str((r.get("host") or {}).get("name"))),
        ("budget", lambda r: str((r.get("options") or {}).get("budget"))),
        ("table", lambda r: str((r.get("options") or {}).get("table"))),
    ):
        values = {each.name: value(each.record) for each in folders}
        if len(set(values.values())) > 1:
            lines.append(f"{name}: " + "; ".join(f"{text} ({study})" for study, text in values.items()))
    return lines
