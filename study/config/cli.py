"""The command line of a study: flags to a `Study`, and the folder that it is to live in.

Only light modules are imported, so that help, listings and every complaint about the input answer at once.
"""

import argparse
import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from study.commands import PROGRAM, command
from study.config.make_study import make_study, not_a_study, read_options
from study.config.study_config import STUDY_FIELDS, TRIAL_FIELDS, Study
from trainables.data.datasets import DATASETS
from trainables.options import OneLineParser, Option, add_flag, read_flags, unknown

EPILOG = """\
examples:
  python study/run.py --budget 4N
      on a laptop: 8 trials, a race of the best, and the winner, vanilla and mixup with six fresh seeds;
      under 6 minutes on two cores
  python study/run.py --budget 2N --dataset cifar10 --model resnet18 --trials 40 --trials-per-gpu 2 --dry-run
      prints the plan and runs nothing; without --dry-run: hours to days, depending on the GPU
  python study/run.py --table entprop/16 --scale demo
      the grid of a published table on the embedded images, in minutes; --tables lists all tables

  python study/run.py --like runs/DIR/study.json --seed 1
      the same study again with other seeds
  python study/run.py show runs/DIR
      results of a finished or running study; --watch refreshes them until it ends
  python study/run.py ls runs
      one line for each study
  python study/run.py confirm runs/DIR
      retrain its best settings with fresh seeds; --seeds S: with more seeds
  python study/run.py export runs/DIR --to mlflow
      copy all runs of a study into MLflow
  python study/run.py --resume runs/DIR
      resume an interrupted study; finished runs are kept

exit codes: 0 done, 2 wrong input (one line, nothing written), 130 interrupted, 1 anything else
"""


class Command(NamedTuple):
    """Anything but a new study: show DIR, ls DIR, confirm DIR, export DIR, tables, or a table that is computed."""

    name: str
    folder: Path | None = None
    table: str = ""
    study: Study | None = None  # of `confirm DIR`
    watch: bool = False  # of `show DIR`


_GROUPS: dict[str, tuple[str, ...]] = {
    "the search": (
        "budget", "methods", "search", "fix", "trials", "total_budget", "scheduler", "sampler", "objective",
        "validation_corruptions",
        "warm_start", "seed",
    ),
    "race and confirmation": ("race", "confirm", "seeds", "controls"),
    "a published table": ("table", "scale"),
    "where it runs": (
        "out", "address", "storage", "checkpoint_every", "keep", "cpus_per_trial", "gpus_per_trial", "trials_per_gpu",
        "concurrency", "max_failures", "trial_timeout", "device", "data_root",
    ),
    "what is shown": ("dry_run", "probe", "dashboard", "logger", "quiet"),
}  # fmt: skip


def build_parser() -> OneLineParser:
    """The flags of a study, in groups."""
    parser = OneLineParser(
        prog=command(),
        usage=f"{command()} --budget B [options] | --table ID | --resume DIR | confirm DIR | show DIR | ls DIR",
        description="Find the training recipe with the highest H within a compute budget, then confirm it with fresh\n"
        "seeds on test images. H is the harmonic mean of accuracy on clean and on corrupted images.\n"
        "Defaults are in brackets; docs/decisions.md explains A1 to A64.",
        epilog=EPILOG.replace(PROGRAM, command()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    groups = {title: parser.add_argument_group(title) for title in _GROUPS}
    for title, names in _GROUPS.items():
        for name in names:
            add_flag(groups[title], {"": STUDY_FIELDS[name]})
    groups["a published table"].add_argument("--tables", action="store_true", help="list the tables and exit")
    groups["the search"].add_argument(
        "--like", metavar="FILE", help="read options from a study.json or a YAML file; flags override them"
    )
    groups["where it runs"].add_argument("--resume", metavar="DIR", help="resume the study in DIR")
    groups["where it runs"].add_argument("--extend", metavar="T", help="with --resume: run T more trials")
    groups["where it runs"].add_argument(
        "--retry-failed", action="store_true", help="with --resume: train failed trials and confirmation runs again"
    )
    trial = parser.add_argument_group("what a trial trains (defaults: the data set's recipe)")
    for name, one in TRIAL_FIELDS.items():
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
                raise ValueError(f"--tables takes no other options, got {_flag(min(values))}")
            return Command("tables")
        if values.get("table") and (computed := _read_computed(values)):
            return computed
        return make_study(**values)
    except (ValueError, OSError) as error:
        parser.error(str(error))


def _read_computed(values: Mapping[str, Any]) -> Command | None:
    """The table that needs no study, if one is asked for: nothing else than its size may be said of it."""
    from study.papers import COMPUTED

    if values["table"] not in COMPUTED:
        return None
    if others := set(values) - {"table", "scale", "dry_run", "quiet"}:
        raise ValueError(f"{_flag(min(others))} does not apply to --table {values['table']}, which is computed")
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


OF_A_FOLDER = {  # command -> what follows it, what it does
    "show": ("DIR [--watch]", "Print the results of a finished or running study, and what is missing."),
    "ls": ("[DIR]", "List the studies in a folder, by default runs/: state, budget or table, and the answer so far."),
    "export": ("DIR --to mlflow", "Copy an existing study to MLflow, one run per trial; needs mlflow installed."),
}


def _read_command(words: list[str]) -> Command:
    name, *rest = words
    if name == "confirm":
        return _read_confirm(rest)
    if name not in OF_A_FOLDER:
        raise ValueError(unknown("command", name, ("confirm", *OF_A_FOLDER)) + "; a study begins with --budget")
    usage, description = OF_A_FOLDER[name]
    parser = OneLineParser(prog=command(name), usage=f"{command(name)} {usage}", description=description)
    of = "the folder that holds studies [runs]" if name == "ls" else "the folder of a study"
    parser.add_argument("folders", nargs="*", metavar="DIR", help=of)
    if name == "show":
        watch = (
            "refresh every few seconds until the study ends or Ctrl-C; in a file or pipe, print after each new result"
        )
        parser.add_argument("--watch", action="store_true", help=watch)
    if name == "export":
        parser.add_argument("--to", nargs="?", metavar="mlflow", help="to MLFLOW_TRACKING_URI, or a database in DIR")
    asked = parser.parse(rest)
    if name == "export" and asked.to != "mlflow":
        raise ValueError(f"export takes a folder and --to mlflow, got {' '.join(rest) or 'nothing'}")
    folders = asked.folders or (["runs"] if name == "ls" else [])
    if len(folders) != 1:
        raise ValueError(f"{name} takes one folder, got {len(folders)}")
    folder = Path(folders[0])
    if not folder.is_dir():
        raise ValueError(f"{name} takes an existing folder, got {folders[0]}")
    if name != "ls" and not (folder / "study.json").is_file():
        raise ValueError(not_a_study(folder))
    return Command(name, folder, watch=name == "show" and asked.watch)


def _read_confirm(words: list[str]) -> Command:
    """The confirmation of a study that was searched before, with more settings or seeds if asked for."""
    parser = OneLineParser(
        prog=command("confirm"),
        usage=f"{command('confirm')} DIR [--confirm C] [--seeds S]",
        description="Retrain the best settings of a finished search, or all rows of a table, and evaluate them on test "
        "images. A larger C or S trains only the runs that are missing.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of a study")
    parser.add_argument("--confirm", metavar="C", help="best settings to retrain [as in the study]")
    parser.add_argument("--seeds", metavar="S", help="fresh seeds per setting [as in the study]")
    parser.add_argument("--quiet", action="store_true", help="print only the result")
    asked = parser.parse(words)
    study = Study.from_dict(read_options(asked.folder))
    given = {name: value for name in ("confirm", "seeds") if (value := getattr(asked, name)) is not None}
    study = dataclasses.replace(
        study, **read_flags(given, Study), out=str(asked.folder), quiet=asked.quiet, resume=True, retry_failed=True
    )
    return Command("confirm", asked.folder, study=study)


def _recipe_names() -> set[str]:
    return {name for entry in DATASETS.values() for name in entry.recipe}


def _without_default(one: Option) -> Option:
    """The same option without a default in its help, which the recipe decides."""
    return one if isinstance(one.default, bool) else dataclasses.replace(one, default=None)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
