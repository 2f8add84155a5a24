"""The command line of a study: flags to a `Study`, and the folder that it is to live in.

Only light modules are imported, so that help, listings and every complaint about the input answer at once.
"""

import argparse
import dataclasses
import datetime
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from search_spaces import spaces
from study.budget import Budget, format_budget, format_cost, parse_budget, parse_total
from study.options import CHANGEABLE, EMBEDDED, PROGRAM, Study, fields_of
from study.results import read_record
from trainables.config import TrialConfig, differences, make_method, with_recipe
from trainables.data import DATASETS
from trainables.methods import METHODS
from trainables.options import OneLineParser, add_flag, read_flags, unknown, value_types

EPILOG = """\
examples:
  python study/run.py --budget 4N
      digits on a laptop: 6 proposals, then six seeds of the best, vanilla, mixup and published settings;
      under 6 minutes on two cores
  python study/run.py --budget 2N --dataset cifar10 --model resnet18 --trials 40 --trials-per-gpu 2 --dry-run
      prints the plan and runs nothing; without --dry-run: hours to days, by GPU
  python study/run.py --table entprop/16 --scale demo
      the grid of a published table on digits: some minutes; --tables lists all of them

  python study/run.py show runs/DIR     what a study found, also while it runs
  python study/run.py ls runs           one line for each study
  python study/run.py --resume runs/DIR goes on after a kill: nothing finished is repeated

exit codes: 0 done, 2 wrong input (one line, nothing written), 130 interrupted, 1 anything else
"""


class Command(NamedTuple):
    """Something else than a study: show DIR, ls DIR, tables, or a table that is computed."""

    name: str
    folder: Path | None = None
    table: str = ""


_TRIAL_FIELDS = {f.name: f for f in dataclasses.fields(TrialConfig) if "help" in f.metadata and f.name != "seed"}
_STUDY_FIELDS = {f.name: f for f in dataclasses.fields(Study) if "help" in f.metadata}
_GROUPS: dict[str, tuple[str, ...]] = {
    "the search": ("trials", "scheduler", "sampler", "objective"),
    "the confirmation": ("confirm", "seeds", "controls"),
    "a published table": ("table", "scale"),
    "where it runs": (
        "out", "address", "storage", "cpus_per_trial", "gpus_per_trial", "trials_per_gpu", "concurrency",
        "max_failures", "device", "data_root",
    ),
    "what is shown": ("dry_run", "dashboard", "tensorboard", "quiet"),
}  # fmt: skip


def build_parser() -> OneLineParser:
    """The flags of a study, in groups."""
    parser = OneLineParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} --budget B [options] | --table ID | --resume DIR | show DIR | ls DIR",
        description="Find the training recipe with the highest H (of accuracy and robustness) that a compute budget\n"
        "allows, then confirm it on fresh seeds and test images. In brackets: the default.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    groups = {title: parser.add_argument_group(title) for title in _GROUPS}
    add = groups["the search"].add_argument
    add("--budget", metavar="B", help="the most a trial may cost per epoch, in N, one vanilla epoch: 4N, 1.2N, 2")
    add(
        "--methods",
        metavar="M,M",
        help=f"methods to search over, or all that the budget pays for: {', '.join(METHODS)} [entprop]",
    )
    add("--search", metavar="NAME,…", help="what is searched [each method's own: k,n,epsilon,metric for entprop]; "
        "also alpha, beta, weights, aux_target")  # fmt: skip
    add("--fix", metavar="NAME=VALUE,…", help="hyper-parameters that are held at a value, as weights=sum,n=1")
    add("--total-budget", metavar="C", help="stop proposing when the next trial would not fit into C N-epochs, as 500N")
    add("--warm-start", metavar="DIR,…", help="studies whose results the sampler knows from the start")
    for title, names in _GROUPS.items():
        for name in names:
            if _STUDY_FIELDS[name].default is False:
                flag, help = "--" + name.replace("_", "-"), _STUDY_FIELDS[name].metadata["help"]
                groups[title].add_argument(flag, action="store_true", help=help)
            else:
                add_flag(groups[title], {"": _STUDY_FIELDS[name]})
    groups["the search"].add_argument("--seed", metavar="S", help=f"{_STUDY_FIELDS['seed'].metadata['help']} [0]")
    groups["a published table"].add_argument("--tables", action="store_true", help="list the tables, and stop")
    groups["where it runs"].add_argument("--resume", metavar="DIR", help="go on with the study in DIR")
    groups["where it runs"].add_argument("--extend", metavar="T", help="T more proposals for the study of --resume")
    trial = parser.add_argument_group("what a trial trains (defaults: the data set's recipe)")
    for name, one in _TRIAL_FIELDS.items():
        add_flag(trial, {"": _without_default(one)} if name in _recipe_names() else {"": one})
    return parser


def read_study(arguments: list[str] | None = None) -> Study | Command:
    """What the command line asks for; a wrong one ends the program with one line and exit code 2."""
    import sys

    words = _joined(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser()
    try:
        if words and not words[0].startswith("-"):
            return _read_command(words)
        values = vars(parser.parse(words))
        if values.pop("tables", False):
            if values:
                raise ValueError(f"tables must be alone, got {min(values)} with it")
            return Command("tables")
        if values.get("table") and (computed := _read_computed(values)):
            return computed
        return make_study(**values)
    except (ValueError, OSError) as error:
        parser.error(str(error))


def _read_computed(values: Mapping[str, Any]) -> Command | None:
    """The table that needs no study, if one is asked for: nothing else than its size may be said of it."""
    from study.grids import COMPUTED

    if values["table"] not in COMPUTED:
        return None
    if others := set(values) - {"table", "scale", "dry_run", "quiet"}:
        raise ValueError(f"{min(others)} must be left alone with table {values['table']}, which is computed")
    return Command("table", table=values["table"])


def _joined(words: Iterable[str]) -> list[str]:
    """The words, with a negative number tied to the flag before it, which argparse would take for a flag."""
    found: list[str] = []
    for word in words:
        if word[:1] == "-" and word[1:2].isdigit() and found and found[-1].startswith("--"):
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


def _read_command(words: list[str]) -> Command:
    name, *folders = words
    if name not in ("show", "ls"):
        raise ValueError(unknown("command", name, ("show", "ls")) + "; a study begins with --budget")
    if name == "ls" and not folders:
        folders = ["runs"]
    if len(folders) != 1:
        raise ValueError(f"{name} must be followed by one folder, got {len(folders)}")
    folder = Path(folders[0])
    if not folder.is_dir():
        raise ValueError(f"{name} must be followed by a folder that exists, got {folders[0]}")
    if name == "show" and not (folder / "study.json").is_file():
        raise ValueError(_not_a_study(folder))
    return Command(name, folder)


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
        raise ValueError("extend must come with resume DIR, the study that it lengthens")
    study = _new_study(options)
    for folder in study.warm_start:
        _check_warm_start(study, Path(folder))
    out = study.out or str(default_out(study))
    check_new_folder(Path(out))
    return dataclasses.replace(study, out=out)


def _new_study(options: Mapping[str, Any]) -> Study:
    chosen = {**read_flags(dict(options), Study), **_read_special(options)}
    given = {name: value for name, value in options.items() if name in _TRIAL_FIELDS}
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
    if options.get("controls") in ("true", "false"):
        found["controls"] = options["controls"] == "true"
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
    import typing

    for kind in METHODS.values():
        types = typing.get_type_hints(kind)
        if name in types and name in fields_of(_name_of(kind)) and isinstance(value, str):
            if bool in value_types(types[name]) and value in ("true", "false"):
                return value == "true"
            return read_flags({name: value}, kind)[name]
    return value


def _name_of(kind: Any) -> str:
    return next(name for name, each in METHODS.items() if each is kind)


_OPTION_NAMES = (
    *(f.name for f in dataclasses.fields(Study) if f.name not in ("trial", "given")),
    *(name for name in _TRIAL_FIELDS),
)


def _recipe_names() -> set[str]:
    return {name for entry in DATASETS.values() for name in entry.recipe}


def _without_default(one: Any) -> Any:
    """The same field without a default in its help, which the recipe decides."""
    copy: Any = dataclasses.field(default=None, metadata=one.metadata)
    copy.name = one.name
    if isinstance(one.default, bool):
        copy.default = one.default
    return copy


# ------------------------------------------------------------------------------------------------------ going on


def read_options(folder: Path) -> dict[str, Any]:
    """The options in a study's folder; ValueError if it is not one."""
    path = folder / "study.json"
    if not path.is_file():
        raise ValueError(_not_a_study(folder))
    options = read_record(path).get("options")
    if not options:
        raise ValueError(f"{path} is damaged (no options)")
    return options


def _not_a_study(folder: Path) -> str:
    return f"{folder} must be a study's folder with a study.json, which {PROGRAM} --out {folder} writes"


def _resumed(options: Mapping[str, Any]) -> Study:
    """The study of a folder, lengthened if asked to; what else is given must agree with it."""
    folder = Path(options["resume"])
    stored = Study.from_dict(read_options(folder))
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{folder} must be writable to go on with it")
    asked = {name: value for name, value in options.items() if name not in ("resume", "extend", "out")}
    if "out" in options and Path(options["out"]).resolve() != folder.resolve():
        raise ValueError(f"out must be left alone with resume, got {options['out']}")
    _check_same(stored, asked, folder)
    new = {**read_flags(asked, Study), **_read_special(asked)}
    changes: dict[str, Any] = {name: value for name, value in new.items() if name in CHANGEABLE}
    if "extend" in options:
        changes |= {"extend": _extension(stored, options["extend"])}
        changes |= {"trials": (stored.trials or 0) + changes["extend"]}
    return dataclasses.replace(stored, **changes, out=str(folder), resume=True)


def _check_same(stored: Study, asked: Mapping[str, Any], folder: Path) -> None:
    """ValueError naming every option that differs from the stored study and may not."""
    study_options = {name: value for name, value in asked.items() if name not in _TRIAL_FIELDS}
    new = {**read_flags(study_options, Study), **_read_special(study_options)}
    differing = [
        f"{name}: {_plain(value)} and {_plain(getattr(stored, name))}"
        for name, value in new.items()
        if name not in CHANGEABLE and value != getattr(stored, name)
    ]
    recipe = read_flags({name: value for name, value in asked.items() if name in _TRIAL_FIELDS}, TrialConfig)
    differing += differences(dataclasses.replace(stored.trial, **recipe), stored.trial)
    if differing:
        raise ValueError(f"{folder} is a study with other options ({'; '.join(differing)} there); leave them alone")


def _plain(value: Any) -> str:
    if isinstance(value, Budget):
        return format_budget(value)
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _extension(stored: Study, text: Any) -> int:
    if stored.table is not None:
        raise ValueError("extend must be left alone with a table, whose rows are given")
    if stored.sampler == "grid":
        raise ValueError("extend must be left alone with sampler grid, which has tried everything")
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
    if folder.exists():
        hint = f"go on with it: --resume {folder}" if (folder / "study.json").is_file() else "choose another"
        raise ValueError(f"out must be a new folder, got {folder}, which exists; {hint}")
    there = next(parent for parent in folder.absolute().parents if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ValueError(f"out must lie in a folder that is writable, got {folder}")
