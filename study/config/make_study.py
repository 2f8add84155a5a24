"""From options to a checked `Study`: a new one, a resumed one, an extended one."""

import dataclasses
import datetime
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from search_spaces import spaces
from study.config.budget import Budget, format_budget, format_cost, parse_budget, parse_total
from study.config.study_config import CHANGEABLE, EMBEDDED, PROGRAM, TRIAL_FIELDS, Study
from study.files.study_json import read_record
from trainables.config import TrialConfig, differences, make_method, with_recipe
from trainables.methods import METHODS
from trainables.options import options_of, read_flags, unknown


def make_study(**options: Any) -> Study:
    """A study of options by name, texts as on the command line or values: make_study(budget="4N", epochs=2)."""
    for name in options:
        if name not in _OPTION_NAMES:
            raise ValueError(unknown("option", name, _OPTION_NAMES))
    for name in ("out", "resume", "address", "storage", "data_root"):
        if options.get(name) == "":
            raise ValueError(f"{name} must not be empty, got ''")
    if options.get("resume"):
        return _resumed(options)
    if "extend" in options:
        raise ValueError("--extend needs --resume DIR, the study to extend")
    study = _new_study(options)
    for folder in study.warm_start:
        _check_warm_start(study, Path(folder))
    out = study.out or str(default_out(study))
    check_new_folder(Path(out))
    return dataclasses.replace(study, out=out)


def _new_study(options: Mapping[str, Any]) -> Study:
    chosen = {**read_flags(dict(options), Study), **_read_special(options)}
    given = {name: value for name, value in options.items() if name in TRIAL_FIELDS}
    recipe = read_flags(given, TrialConfig)
    trial = with_recipe(make_method("vanilla", {}), recipe.pop("dataset", EMBEDDED), **recipe)
    return Study(**{**chosen, "trial": trial, "given": tuple(given)})


def _read_special(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are more than a word or a number."""
    found: dict[str, Any] = {}
    if "budget" in options:
        found["budget"] = (
            options["budget"] if isinstance(options["budget"], Budget) else parse_budget(options["budget"])
        )
    if "total_budget" in options and options["total_budget"] is not None:
        found["total_budget"] = parse_total(options["total_budget"])
    for name in ("methods", "search", "warm_start"):
        if name in options:
            found[name] = _words(options[name])
    if options.get("methods") == "all":
        affordable = found.get("budget", Budget(1.0)).allows
        found["methods"] = tuple(name for name in METHODS if affordable(spaces.cheapest_cost(name)))
    if options.get("trials_per_gpu") == "auto":
        found["trials_per_gpu"] = None
    if "fix" in options:
        fix = options["fix"]
        pairs = fix.items() if isinstance(fix, Mapping) else [_pair(part) for part in _words(fix)]
        found["fix"] = tuple((name, _field_value(name, value)) for name, value in pairs)
    return found


def _check_warm_start(study: Study, folder: Path) -> None:
    """ValueError unless the folder holds a search on the same data, without which its H means something else."""
    stored = Study.from_dict(read_options(folder))
    if stored.table is not None:
        raise ValueError(f"warm_start must name searches, got {folder}, the table {stored.table}")
    if stored.trial.dataset != study.trial.dataset:
        raise ValueError(
            f"warm_start must name searches on {study.trial.dataset}, got {folder}, which is on {stored.trial.dataset}"
        )


def _words(value: str | Iterable[str]) -> tuple[str, ...]:
    return tuple(part for part in value.split(",") if part) if isinstance(value, str) else tuple(value)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not value:
        raise ValueError(f"fix must be NAME=VALUE,NAME=VALUE, got {text!r}")
    return name, value


def _field_value(name: str, value: Any) -> Any:
    """A text as a value of the method field of that name, whichever method has it."""
    kind = next((kind for kind in METHODS.values() if name in options_of(kind)), None)
    return value if kind is None else read_flags({name: value}, kind)[name]


_OPTION_NAMES = (
    *(f.name for f in dataclasses.fields(Study) if f.name not in ("trial", "given")),
    *(name for name in TRIAL_FIELDS),
)


# ------------------------------------------------------------------------------------------------------ going on


def read_options(folder: Path) -> dict[str, Any]:
    """The options in a study's folder; ValueError if it is not one."""
    path = folder / "study.json"
    if not path.is_file():
        raise ValueError(not_a_study(folder))
    options = read_record(path).get("options")
    if not options:
        raise ValueError(f"{path} is damaged (no options)")
    return options


def not_a_study(folder: Path) -> str:
    return f"{folder} must be a study's folder with a study.json, which {PROGRAM} --out {folder} writes"


def _resumed(options: Mapping[str, Any]) -> Study:
    """The study of a folder, lengthened if asked to; what else is given must agree with it."""
    folder = Path(options["resume"])
    stored = Study.from_dict(read_options(folder))
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{folder} must be writable to resume it")
    asked = {name: value for name, value in options.items() if name not in ("resume", "extend", "out")}
    if "out" in options and Path(options["out"]).resolve() != folder.resolve():
        raise ValueError(f"--out does not apply to --resume, got {options['out']}")
    _check_same(stored, asked, folder)
    new = {**read_flags(asked, Study), **_read_special(asked)}
    changes: dict[str, Any] = {name: value for name, value in new.items() if name in CHANGEABLE}
    if "extend" in options:
        changes |= {"extend": _extension(stored, options["extend"])}
        changes |= {"trials": (stored.trials or 0) + changes["extend"]}
    return dataclasses.replace(stored, **changes, out=str(folder), resume=True)


def _check_same(stored: Study, asked: Mapping[str, Any], folder: Path) -> None:
    """ValueError naming every option that differs from the stored study and may not."""
    study_options = {name: value for name, value in asked.items() if name not in TRIAL_FIELDS}
    new = {**read_flags(study_options, Study), **_read_special(study_options)}
    differing = [
        f"{name}: {_plain(value)} and {_plain(getattr(stored, name))}"
        for name, value in new.items()
        if name not in CHANGEABLE and value != getattr(stored, name)
    ]
    recipe = read_flags({name: value for name, value in asked.items() if name in TRIAL_FIELDS}, TrialConfig)
    differing += differences(dataclasses.replace(stored.trial, **recipe), stored.trial)
    if differing:
        raise ValueError(f"{folder} is a study with other options ({'; '.join(differing)} there); omit them")


def _plain(value: Any) -> str:
    if isinstance(value, Budget):
        return format_budget(value)
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _extension(stored: Study, text: Any) -> int:
    if stored.table is not None:
        raise ValueError("--extend does not apply to --table")
    if stored.sampler == "grid":
        raise ValueError("--extend does not apply to --sampler grid, which tries all settings")
    number = int(text) if str(text).isdigit() and str(text).isascii() else 0
    if number < 1:
        raise ValueError(f"extend must be a whole number of at least 1, got {text!r}")
    return number


# ------------------------------------------------------------------------------------------------------- folders


def default_out(study: Study, today: datetime.date | None = None) -> Path:
    """A folder of runs/ that does not exist yet, named after date, data and budget or table."""
    day = today or datetime.date.today()
    if study.table is not None:
        what = study.table.replace("/", "-") + ("-demo" if study.scale == "demo" else "")
    else:
        scheme, _, path = study.trial.dataset.partition(":")
        what = "-".join([scheme, *([Path(path).stem] if path else []), format_cost(study.per_epoch)])
    base = Path("runs") / f"{day.isoformat()}-{what}"
    number, folder = 1, base
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder


def check_new_folder(folder: Path) -> None:
    """ValueError if the folder exists or cannot be made."""
    if folder.exists() or folder.is_symlink():  # a link to nowhere, or to itself
        hint = f"resume it: --resume {folder}" if (folder / "study.json").is_file() else "choose another"
        raise ValueError(f"out must be a new folder, got {folder}, which exists; {hint}")
    there = next(parent for parent in folder.absolute().parents if parent.exists() or parent.is_symlink())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ValueError(f"out must lie in a folder that is writable, got {folder}")
