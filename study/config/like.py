"""The options of another study, or of a file that somebody wrote, as options of a new one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.config.study_config import MOMENTARY, STUDY_FIELDS, TRIAL_FIELDS, Study
from study.files.study_json import read_record

NOT_TAKEN = ("out", "address", "storage", *MOMENTARY)  # where that study lay, and what its call alone was asked


def options_like(source: str, overridden: Mapping[str, Any]) -> dict[str, Any]:
    """The options in a study's folder, its study.json, or a YAML or JSON file of options by name.

    Where the data set is another, what a trial trains follows from its recipe and from what was asked for then.
    """
    path = Path(source)
    file = path / "study.json" if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"like must be a study's folder, its study.json or a YAML file of options, got {source}")
    if file.name != "study.json":
        return _by_name(file)
    options = read_record(file).get("options")
    if not options:
        raise ValueError(f"{file} is damaged (no options)")
    return _flat(Study.from_dict(options), overridden)


def _flat(study: Study, overridden: Mapping[str, Any]) -> dict[str, Any]:
    taken = [name for name in STUDY_FIELDS if name not in NOT_TAKEN]
    found = {name: getattr(study, name) for name in taken if getattr(study, name) != getattr(Study, name)}
    follows = study.table is not None or overridden.keys() & {"dataset", "resize"}
    names = study.given if follows else [name for name in TRIAL_FIELDS if name != "resize" or study.trial.resize]
    return {**found, **{name: getattr(study.trial, name) for name in names}}


def _by_name(file: Path) -> dict[str, Any]:
    """Options by name, as in `study.run(...)`."""
    import yaml  # Ray brings it

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} must be YAML or JSON: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} must hold options by name, as in `budget: 4N`, got {type(content).__name__}")
    return {str(name).replace("-", "_"): value for name, value in content.items()}
