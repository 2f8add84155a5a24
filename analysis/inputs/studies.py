"""A study's folder as frames, several of them as one, and what is missing in each.

Frames have the columns of docs/study-folder.md and one more, `study`: the folder a row comes from. `runs` is
confirm.csv with a column for each attack, measure and corruption (its mean over the severities), one for the images
that an attack or measure stands on, `table`: the published table that was run, and `changes`: training options that are
not the data set's recipe.
What cannot be read is a problem that the report names, not a crash.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from study.commands import PROGRAM
from study.config.study_config import Study
from study.confirm.chosen import published_seeds
from study.display.measures import column_name
from study.files.columns import COLUMNS, SELECTED
from study.files.configs import config_id
from study.files.results import Results
from study.papers import cells_of
from trainables.config import TrialConfig, make_method, with_recipe

DTYPES: dict[type, str] = {int: "Int64", float: "float64", bool: "boolean", str: "str"}
FILES = ("trials", "epochs", "race", "confirm", "corruptions", "attacks", "measures")
IMAGES_OF = "images of "  # before the name of an attack or measure
PLACE = ("dataset", "model")
ADDED = ("study", "changes", "table")  # columns of runs that are of a study, not of a run
# Training options that have columns of their own, or change no result.
NOT_CHANGED = ("method", "seed", "dataset", "model", "lr", "epochs", "compile", "deterministic")
Fields = dict[str, Any]


@dataclass(frozen=True, eq=False)
class StudyFrames:
    """One study, or several merged, as frames."""

    name: str
    record: dict[str, Any]  # study.json; of several studies, that of the first
    trials: pd.DataFrame
    epochs: pd.DataFrame
    race: pd.DataFrame
    runs: pd.DataFrame
    corruptions: pd.DataFrame
    selections: pd.DataFrame
    problems: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()
    options: Study | None = field(default=None)

    @property
    def done(self) -> pd.DataFrame:
        """The confirmed runs that have a result."""
        return self.runs[self.runs["h"].notna()]


def _no_study(folder: Path) -> str:
    """What a folder without a study is answered; one that holds studies names them."""
    inside = sorted(file.parent.name for file in folder.glob("*/study.json"))
    if not inside:
        return f"no results in {folder}; write them with {PROGRAM} --out {folder}"
    names = ", ".join(inside)
    return f"{folder} holds {len(inside)} studies ({names}); name one, or several of one protocol: {folder / inside[0]}"


def read_folder(path: Path | str, name: str = "") -> StudyFrames:
    """A study's folder, called by its last part or as told; ValueError if there is nothing of a study in it."""
    folder = Path(path)
    name = name or folder.resolve().name
    names = [name for name in FILES if (folder / f"{name}.csv").is_file()]
    if not names and not (folder / "study.json").is_file():
        raise ValueError(_no_study(folder))
    results = Results(folder)
    problems: list[str] = []
    record, options = _record(results, problems)
    frames = {}
    for file in FILES:
        try:
            rows = getattr(results, file) if file in names else []
        except ValueError as error:
            problems.append(f"cannot be read: {error}")
            rows = []
        frames[file] = frame(rows, file).assign(study=name)
    counted = frames["measures"]["measure"] == SELECTED
    measures, selections = frames["measures"][~counted], _selections(frames["measures"][counted], frames["confirm"])
    runs = _with_measured(frames["confirm"], frames["attacks"], measures, frames["corruptions"])
    found = StudyFrames(
        name, record, frames["trials"], frames["epochs"], frames["race"], runs, frames["corruptions"],
        selections, tuple(problems), (folder,), options,
    )  # fmt: skip
    table = options.table if options and options.table else ""
    return replace(found, runs=runs.assign(changes=_changes(found), table=table))


def frame(rows: list[dict[str, Any]], name: str) -> pd.DataFrame:
    """Rows of a result file as a frame with the columns' types; what is empty is missing."""
    return pd.DataFrame(
        {
            column.name: pd.Series([row.get(column.name) for row in rows], dtype=DTYPES[column.kind])
            for column in COLUMNS[name]
        }
    )


def _record(results: Results, problems: list[str]) -> tuple[dict[str, Any], Study | None]:
    try:
        record = results.read_study()
        return record, Study.from_dict(record.get("options") or {})
    except ValueError as error:
        problems.append(f"its options cannot be read: {error}")
    try:
        return results.read_study(), None
    except ValueError:
        return {}, None


def _changes(folder: StudyFrames) -> list[str]:
    """For each run, which of its training options are not the recipe of its data set; rate and epochs have columns."""
    configs = _configs(folder)
    # The rows of a table differ in their options, so that each configuration has its own entry.
    changes: dict[Any, str] = {(config.dataset, config.model): changed_options(config) for config in configs}
    changes |= {config_id(config): changed_options(config) for config in configs}
    names = zip(folder.runs["config"], folder.runs["dataset"], folder.runs["model"], strict=True)
    return [changes.get(config, changes.get((dataset, model), "")) for config, dataset, model in names]


def changed_options(config: TrialConfig) -> str:
    """The training options of a configuration that are not the recipe of its data set."""
    fields, recipe = config.as_dict(), with_recipe(make_method("vanilla", {}), config.dataset).as_dict()
    return ", ".join(
        f"{name} {value} instead of {'all' if recipe[name] is None else recipe[name]}"
        for name, value in fields.items()
        if name not in NOT_CHANGED and value != recipe[name]
    )


def _with_measured(
    runs: pd.DataFrame, attacks: pd.DataFrame, measures: pd.DataFrame, corruptions: pd.DataFrame
) -> pd.DataFrame:
    """The runs with a column for each attack, measure and corruption, and for the images of the first two."""
    key = ["config", "seed"]
    shown = attacks.rename(columns={"attack": "name", "accuracy": "value"})
    named = measures.assign(name=[column_name(row) for row in measures.to_dict("records")])
    several = pd.concat([each[[*key, "name", "value", "images"]] for each in (shown, named)], ignore_index=True)
    images = several.assign(name=IMAGES_OF + several["name"], value=several["images"].astype("float64"))
    prefix = corruptions["norm"].map({"main": "corruption ", "aux": "aux corruption "})
    means = corruptions.assign(name=prefix + corruptions["corruption"], value=corruptions["accuracy"])
    means = means.groupby([*key, "name"], sort=False, as_index=False)["value"].mean()
    found = pd.concat([each[[*key, "name", "value"]] for each in (several, images, means)], ignore_index=True)
    if found.empty:
        return runs
    wide = found.pivot(index=key, columns="name", values="value")[list(found["name"].unique())]
    return runs.merge(wide.reset_index(), how="left", on=key)


def _selections(counts: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """How many images (`value`) each run selected how often (`times`), with the run's row and number of epochs."""
    found = counts.assign(times=counts["name"].astype("Int64")).drop(columns=["norm", "measure", "name", "study"])
    return found.merge(runs[["config", "seed", "why", "epochs", "study"]], on=["config", "seed"])


# --------------------------------------------------------------------------------------------------- what is missing


def missing(folder: StudyFrames) -> list[str]:
    """What a whole study would have and this one has not, a line each; of several studies, for each of them."""
    if len(folder.paths) > 1:
        parts = read_named(folder.paths)
        return [*folder.problems, *(f"{each.name}: {line}" for each in parts for line in missing(each))]
    lines = list(folder.problems)
    state = folder.record.get("state", "unknown")
    if state != "finished":
        lines.append(f"the study is not finished (state: {state}); resume it with {PROGRAM} --resume {folder.paths[0]}")
    return lines + _missing_trials(folder) + _missing_runs(folder)


def _missing_trials(folder: StudyFrames) -> list[str]:
    counts = folder.trials["status"].value_counts()
    options = folder.options
    searched = options is not None and options.table is None
    lines = []
    wanted = options.trials if searched and options and options.total_budget is None else None
    ended = len(folder.trials) - int(counts.get("running", 0))
    if wanted and ended < wanted:
        lines.append(f"{wanted - ended} of {wanted} trials have not ended")
    for status, what in (("stopped", "were stopped early and are never ranked"), ("failed", "failed")):
        if counts.get(status, 0):
            lines.append(f"{counts[status]} of {len(folder.trials)} trials {what}")
    return lines


def _missing_runs(folder: StudyFrames) -> list[str]:
    done, lines = folder.done, []
    wanted = planned_runs(folder)
    if done.empty:
        return ["no run was measured on test images, so no number here may be quoted"] if wanted != 0 else []
    if wanted and len(done) < wanted:
        lines.append(f"{wanted - len(done)} of {wanted} runs on test images are missing")
    if broken := len(folder.runs) - len(done):
        lines.append(f"{broken} runs on test images failed")
    if int(done.groupby("config")["seed"].nunique().max()) == 1:
        lines.append("every setting has one seed: no interval and no test is possible")
    return lines


def planned_runs(folder: StudyFrames) -> int | None:
    """How many runs on test images there should be; None where that is not known."""
    options = folder.options
    if options is None:
        return None
    if options.table:
        return sum(cell.seeds for cell in cells_of(options))
    if options.confirm == 0:
        return 0
    seeds, fewer = options.seeds or 0, published_seeds(options)
    found = folder.runs.groupby("config")["why"].agg(["first", "size"])
    return sum(max(fewer, size) if why == "published" else seeds for why, size in found.itertuples(index=False)) or None


# --------------------------------------------------------------------------------------------------- several studies


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
    for config in _configs(folder):
        fields = {name: value for name, value in config.as_dict().items() if name not in ("method", "seed")}
        found[fields["dataset"], fields["model"]] = fields
    return found


def _configs(folder: StudyFrames) -> list[TrialConfig]:
    """What a study trains: the rows of its table, or the one trial that its methods share; none where unknown."""
    options = folder.options
    if options is None:
        return []
    if not options.table:
        return [options.trial]
    return [cell.config for cell in cells_of(options)]


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
