"""From options to a checked `Study`: a new one, a resumed one, an extended one."""

import dataclasses
import datetime
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search_spaces import spaces
from study.commands import command
from study.config.budget import Budget, format_budget, format_cost
from study.config.like import options_like
from study.config.study_config import CHANGEABLE, TRIAL_FIELDS, Study
from study.files.store import above, fetch_study, is_url
from study.files.study_json import read_record
from study.papers.baselines import BASELINES
from trainables.config import TrialConfig, differences, make_method, with_recipe
from trainables.data.datasets import EMBEDDED
from trainables.methods import METHODS
from trainables.options import read_flags, unknown


def make_study(**options: Any) -> Study:
    """A study of options by name, texts as on the command line or values: make_study(budget="4N", epochs=2)."""
    for name in options:
        if name not in _OPTION_NAMES:
            raise ValueError(unknown("option", name, _OPTION_NAMES))
    for name in ("out", "resume", "address", "storage", "data_root"):
        if options.get(name) == "":
            raise ValueError(f"{name} must not be empty, got ''")
    if options.get("resume"):
        if "like" in options:
            raise ValueError("--like does not apply to --resume, which keeps the study's options")
        return _resumed_from_store(options) if is_url(str(options["resume"])) else _resumed(options)
    if "like" in options:
        given = {name: value for name, value in options.items() if name != "like"}
        return make_study(**{**options_like(str(options["like"]), given), **given})
    if "extend" in options:
        raise ValueError("--extend needs --resume DIR, the study to extend")
    if options.get("retry_failed"):
        raise ValueError("--retry-failed needs --resume DIR, the study whose failed runs are retried")
    study = _new_study(options)
    for folder in study.warm_start:
        _check_warm_start(study, Path(folder))
    out = study.out or str(default_out(study))
    check_new_folder(Path(out))
    return dataclasses.replace(study, out=out)


def _new_study(options: Mapping[str, Any]) -> Study:
    given = {name: value for name, value in options.items() if name in TRIAL_FIELDS}
    recipe = read_flags(given, TrialConfig)
    trial = with_recipe(make_method("vanilla", {}), recipe.pop("dataset", EMBEDDED), **recipe)
    return Study(**_read(options), trial=trial, given=tuple(given))


def _read(options: Mapping[str, Any], budget: Budget | None = None) -> dict[str, Any]:
    """The values of the options of a study; methods `all` are those within its budget.

    Where the learning rate is searched, the baselines are searched beside the methods: at one rate they would lose.
    """
    found = read_flags(options, Study)
    if found.get("methods") == ("all",):
        budget = found.get("budget") or budget or Budget(1.0)
        found["methods"] = tuple(name for name in METHODS if budget.allows(spaces.cheapest_cost(name)))
    if "lr" in found.get("search", ()):
        found["methods"] = tuple(dict.fromkeys((*found.get("methods", Study.methods), *BASELINES)))
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


_OPTION_NAMES = (
    *(f.name for f in dataclasses.fields(Study) if f.name not in ("trial", "given")),
    *(name for name in TRIAL_FIELDS),
    "like",
)


_OF_RESUMING = ("resume", "extend", "retry_failed", "out")

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
    writes = command("--budget", "4N", "--out", folder)
    return f"{folder} must be a study's folder with a study.json, which {writes} writes"


def _resumed_from_store(options: Mapping[str, Any]) -> Study:
    """The study in an object store, continued in a folder that is made here: `out`, or its name below runs/."""
    storage, name = above(str(options["resume"]))
    folder = Path(options.get("out") or Path("runs", name))
    check_new_folder(folder)
    if folder.name != name:
        raise ValueError(f"out must end in {name}, the study's name in the store, got {folder}")
    fetch_study(str(options["resume"]), folder)
    try:
        return _resumed({**options, "resume": str(folder), "out": str(folder), "storage": storage})
    except ValueError:
        shutil.rmtree(folder)
        raise


def _resumed(options: Mapping[str, Any]) -> Study:
    """The study of a folder, lengthened if asked to; what else is given must agree with it."""
    folder = Path(options["resume"])
    stored = Study.from_dict(read_options(folder))
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{folder} must be writable to resume it")
    asked = {name: value for name, value in options.items() if name not in _OF_RESUMING}
    if "out" in options and Path(options["out"]).resolve() != folder.resolve():
        raise ValueError(f"--out does not apply to --resume, got {options['out']}")
    _check_same(stored, asked, folder)
    new = _read(asked, stored.budget)
    changes: dict[str, Any] = {name: value for name, value in new.items() if name in CHANGEABLE}
    changes |= {"retry_failed": bool(options.get("retry_failed"))}
    if "extend" in options:
        changes |= {"extend": _extension(stored, options["extend"])}
        changes |= {"trials": (stored.trials or 0) + changes["extend"]}
    return dataclasses.replace(stored, **changes, out=str(folder), resume=True)


def _check_same(stored: Study, asked: Mapping[str, Any], folder: Path) -> None:
    """ValueError naming every option that differs from the stored study and may not."""
    new = _read(asked, stored.budget)
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
        hint = f"resume it: {command('--resume', folder)}" if (folder / "study.json").is_file() else "choose another"
        raise ValueError(f"out must be a new folder, got {folder}, which exists; {hint}")
    there = next(parent for parent in folder.absolute().parents if parent.exists() or parent.is_symlink())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ValueError(f"out must be in a writable folder, got {folder}")
