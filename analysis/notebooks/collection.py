"""The studies of a folder as notebooks read them: all as one for tables, and one for each data set for figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from analysis.comparisons.settings import data_name
from analysis.inputs.several import merge, read_named
from analysis.inputs.studies import StudyFrames


class Collection(NamedTuple):
    """Studies that are shown together."""

    merged: StudyFrames
    parts: tuple[tuple[str, StudyFrames], ...]  # what to call each part, and its rows
    left_out: tuple[str, ...] = ()  # studies with training images of their own cut: they answer another question


def open_collection(folder: Path) -> Collection:
    """A study's folder, or a folder of studies, which are joined where they share their data."""
    found = read_named(studies_in(folder))
    kept = [each for each in found if not _resplit(each)] or found
    by_data: dict[tuple[str, ...], list[StudyFrames]] = {}
    for each in kept:
        by_data.setdefault(_data(each), []).append(each)
    parts = tuple((", ".join(map(data_name, data)), _joined(several)) for data, several in by_data.items())
    return Collection(_joined(kept), parts, tuple(each.name for each in found if each not in kept))


def open_searches(folder: Path) -> Collection:
    """The studies of a folder that searched, each by itself; all of them if none did."""
    found = read_named(studies_in(folder))
    kept = [each for each in found if not each.trials.empty] or found
    return Collection(_joined(kept), tuple((each.name, each) for each in kept))


def studies_in(folder: Path) -> list[Path]:
    """The folder itself if it is a study, otherwise the studies in it."""
    inside = sorted(each.parent for each in folder.glob("*/study.json"))
    return inside if inside and not (folder / "study.json").is_file() else [folder]


def _joined(folders: Sequence[StudyFrames]) -> StudyFrames:
    return merge(folders) if len(folders) > 1 else folders[0]


def _resplit(folder: StudyFrames) -> bool:
    return folder.options is not None and bool(folder.options.trial.resplit)


def _data(folder: StudyFrames) -> tuple[str, ...]:
    rows = folder.runs if not folder.runs.empty else folder.trials
    return tuple(dict.fromkeys(rows["dataset"])) if "dataset" in rows else ()
