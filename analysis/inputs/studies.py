"""A study's folder as frames.

Frames have the columns of docs/study-folder.md and one more, `study`: the folder a row comes from. `runs` is
confirm.csv with a column for each attack, measure and corruption (its mean over the severities), one for the images
that an attack or measure stands on, `table`: the published table that was run, and `changes`: training options that are
not the data set's recipe.
What cannot be read is a problem that the report names, not a crash.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from study.commands import PROGRAM
from study.config.study_config import Study
from study.display.measures import column_name
from study.files.columns import COLUMNS, SELECTED
from study.files.configs import config_id
from study.files.results import Results
from study.papers import cells_of
from trainables.config import TrialConfig, make_method, with_recipe

DTYPES: dict[type, str] = {int: "Int64", float: "float64", bool: "boolean", str: "str"}
FILES = ("trials", "epochs", "race", "confirm", "corruptions", "attacks", "measures")
IMAGES_OF = "images of "  # before the name of an attack or measure
ADDED = ("study", "changes", "table")  # columns of runs that are of a study, not of a run
# Training options that have columns of their own, or change no result.
NOT_CHANGED = ("method", "seed", "dataset", "model", "lr", "epochs", "compile", "deterministic")


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
    configs = configs_of(folder)
    # The rows of a table differ in their options, so that each configuration has its own entry.
    changes: dict[Any, str] = {(config.dataset, config.model): changed_options(config) for config in configs}
    changes |= {config_id(config): changed_options(config) for config in configs}
    names = zip(folder.runs["config"], folder.runs["dataset"], folder.runs["model"], strict=True)
    return [changes.get(config, changes.get((dataset, model), "")) for config, dataset, model in names]


def configs_of(folder: StudyFrames) -> list[TrialConfig]:
    """What a study trains: the rows of its table, or the one trial that its methods share; none where unknown."""
    options = folder.options
    if options is None:
        return []
    if not options.table:
        return [options.trial]
    return [cell.config for cell in cells_of(options)]


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
