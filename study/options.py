"""Everything a study is told, in one frozen dataclass, and the command line that fills it.

Only light modules are imported, so that help, listings and every complaint about the input answer at once.
"""

import argparse
import dataclasses
import datetime
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from search_spaces import spaces
from study.budget import Budget, format_budget, format_cost, parse_budget, parse_total
from trainables.config import TrialConfig, differences, make_method, method_options, with_recipe
from trainables.data import DATASETS
from trainables.methods import METHODS
from trainables.options import OneLineParser, add_flag, check_options, option, read_flags, unknown, value_types

PROGRAM = "python study/run.py"
EMBEDDED = "digits"  # comes with the installation, so that a study runs without a download
COMMANDS = ("show", "ls", "tables", "resume")

EPILOG = """\
examples:
  python study/run.py --budget 4N
      digits on a laptop: 24 proposals, then six seeds of the best, vanilla, mixup and published settings;
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
    """Something else than a study: show DIR, ls DIR, or tables."""

    name: str
    folder: Path | None = None


@dataclass(frozen=True)
class Study:
    """A search under a budget, or the grid of a published table. Options that are unset find their value here."""

    budget: Budget | None = None  # unset for a published table alone
    trial: TrialConfig = field(
        default_factory=lambda: with_recipe(make_method("vanilla", {}), EMBEDDED)
    )  # without method
    given: tuple[str, ...] = ()  # which fields of `trial` were asked for: these override a table's protocol
    methods: tuple[str, ...] = ("entprop",)
    search: tuple[str, ...] = ()
    fix: tuple[tuple[str, Any], ...] = ()
    trials: int | None = option(None, "proposals [24; grid: all; with total-budget: as many as it pays for]", low=1)
    total_budget: float | None = None
    scheduler: str = option(
        "none", "every trial to its end, or asha: stop the worse half at rungs of spent cost", one_of=("none", "asha")
    )
    sampler: str | None = option(
        None,
        "who proposes [gp; with asha or several methods: tpe]",
        one_of=("gp", "tpe", "random", "grid"),
    )
    objective: str = option("h", "validation H, or H against cost", one_of=("h", "pareto"))
    confirm: int | None = option(
        None,
        f"how many of the best are trained anew and measured on test images [{EMBEDDED} 1, else 3]; 0: none",
        low=0,
    )
    seeds: int | None = option(
        None, "fresh seeds of each confirmed setting or row of a table [6; table: its own]", low=1
    )
    controls: bool | None = option(
        None, "confirm vanilla at three learning rates and at equal cost, too: true or false [digits false, else true]"
    )
    table: str | None = option(None, "run the grid of a published table instead of a search, as entprop/16")
    scale: str = option(
        "paper", "of a table: the published protocol, or digits with three seeds", one_of=("paper", "demo")
    )
    out: str | None = option(None, "folder of the study, a new one [runs/<date>-<dataset>-<budget>]")
    address: str | None = option(
        None, "a running Ray cluster: auto, HOST:PORT, ray://HOST:PORT [RAY_ADDRESS, else local]"
    )
    storage: str | None = option(None, "shared place for checkpoints on a cluster: PATH or s3://… [the study's folder]")
    cpus_per_trial: float = option(1.0, "CPU cores of a trial", above=0)
    gpus_per_trial: float | None = option(
        None, "GPUs of a trial, a fraction shares one [1 if there is one, else 0]", low=0
    )
    trials_per_gpu: int = option(1, "trials that share a GPU", low=1)
    concurrency: int | None = option(None, "trials at once [as many as the resources allow]", low=1)
    max_failures: int = option(2, "how often a trial that dies with its worker is taken up again", low=0)
    device: str = option("auto", "cpu, cuda, mps or auto")
    data_root: str | None = option(None, "where data sets lie or are downloaded to")
    warm_start: tuple[str, ...] = ()
    seed: int = option(
        0, "seed of the proposals and of the trials; confirmation takes fresh ones", low=0, high=2**31 - 1
    )
    dashboard: bool = option(False, "print the address of Ray's dashboard and how to log in")
    tensorboard: bool = option(False, "write TensorBoard files beside the results")
    quiet: bool = option(False, "print the result alone")
    dry_run: bool = option(False, "print the plan and run nothing")
    resume: bool = False
    extend: int = 0

    def __post_init__(self) -> None:
        check_options(self)
        self._set(trial=dataclasses.replace(self.trial, method=make_method("vanilla", {}), seed=self.seed))
        if self.trials_per_gpu > 1 and self.gpus_per_trial is not None:
            raise ValueError(
                f"one of gpus_per_trial and trials_per_gpu must be left alone, got {self.gpus_per_trial:g} and "
                f"{self.trials_per_gpu}"
            )
        if self.table is not None:
            _check_table(self)
            return
        if self.budget is None:
            raise ValueError("budget must be given for a search, as in --budget 4N")
        if self.scale != "paper":
            raise ValueError(f"scale must come with a table, got {self.scale}")
        self._settle()
        _check_methods(self)
        _check_search(self)
        _check_strategy(self)
        self._settle_trials()

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _settle(self) -> None:
        """Defaults that depend on other options."""
        if self.sampler is None:
            self._set(sampler="tpe" if self.scheduler == "asha" or len(self.methods) > 1 else "gp")
        if self.confirm is None:
            self._set(confirm=1 if self.trial.dataset == EMBEDDED else 3)
        if self.seeds is None:
            self._set(seeds=6)
        if self.controls is None:
            self._set(controls=self.trial.dataset != EMBEDDED)

    def _settle_trials(self) -> None:
        if self.trials is None and self.sampler == "grid":
            self._set(trials=self.grid_size)
        elif self.trials is None and self.total_budget is not None:
            self._set(trials=int(self.total_budget / self.trial.epochs + 1e-9))  # no trial is cheaper than vanilla
        elif self.trials is None:
            self._set(trials=24)

    @property
    def per_epoch(self) -> float:
        """The budget as a number, in N per epoch."""
        assert self.budget is not None, "a table has no budget"
        return self.budget.per_epoch

    @property
    def searched(self) -> dict[str, tuple[str, ...]]:
        """The names that are searched, for each method."""
        fixed = {name for name, _ in self.fix}
        return {
            method: tuple(
                name
                for name in spaces.SEARCHABLE[method]
                if name in (self.search or spaces.SEARCHED[method]) and name not in fixed
            )
            for method in self.methods
        }

    @property
    def fixed(self) -> dict[str, dict[str, Any]]:
        """The values that are held, for each method."""
        return {
            method: {name: value for name, value in self.fix if name in _fields_of(method)} for method in self.methods
        }

    @property
    def grid(self) -> dict[str, list[Any]]:
        """The values of each parameter for sampler grid."""
        (method,) = self.methods
        return spaces.grid_of(method, self.searched[method], self.per_epoch, self.fixed[method])

    @property
    def grid_size(self) -> int:
        return math.prod(len(values) for values in self.grid.values())

    @property
    def changes(self) -> dict[str, Any]:
        """The fields of a trial that were asked for, over a table's protocol."""
        return {name: getattr(self.trial, name) for name in self.given}

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `study.json`; `from_dict` reads them back."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in MOMENTARY}
        trial = self.trial.as_dict()
        del trial["method"], trial["seed"]
        return {
            **values,
            "budget": None if self.budget is None else format_budget(self.budget),
            "trial": trial,
            "fix": dict(self.fix),
            **{name: list(values[name]) for name in ("given", "methods", "search", "warm_start")},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Study":
        """The study that `as_dict` wrote."""
        known = [f.name for f in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise ValueError(unknown("option", name, known))
        if missing := {"budget", "trial", "fix", "given", "methods", "search", "warm_start"} - set(values):
            raise ValueError(f"the options of a study must hold {min(missing)}, got {', '.join(values) or 'none'}")
        return cls(
            **{
                **values,
                "budget": None if values["budget"] is None else parse_budget(values["budget"]),
                "trial": TrialConfig.from_dict(values["trial"]),
                "fix": tuple(values["fix"].items()),
                **{name: tuple(values[name]) for name in ("given", "methods", "search", "warm_start")},
            }
        )


MOMENTARY = ("dry_run", "resume", "extend", "quiet")  # of one call, not of the study
# What may differ when a study goes on: where it runs and what is shown, nothing that a result depends on.
CHANGEABLE = (
    "address", "storage", "cpus_per_trial", "gpus_per_trial", "trials_per_gpu", "concurrency", "max_failures",
    "device", "data_root", "dashboard", "tensorboard", *MOMENTARY,
)  # fmt: skip


# ------------------------------------------------------------------------------------------------- contradictions


def _check_table(study: Study) -> None:
    from study.grids import GRIDS, cells

    if study.table not in GRIDS:
        raise ValueError(unknown("table", study.table, GRIDS))
    searching = [name for name, default in _SEARCH_OPTIONS.items() if getattr(study, name) != default]
    if searching:
        raise ValueError(f"{searching[0]} must be left alone with a table, whose rows are given")
    cells(study.table, study.changes, study.scale, study.seeds)  # raises for what a row cannot be trained with


_SEARCH_OPTIONS: dict[str, Any] = {
    "budget": None, "methods": ("entprop",), "search": (), "fix": (), "trials": None, "total_budget": None,
    "scheduler": "none", "sampler": None, "objective": "h", "confirm": None, "controls": None, "warm_start": (),
    "extend": 0,
}  # fmt: skip


def _check_methods(study: Study) -> None:
    if not study.methods:
        raise ValueError("methods must name at least one method, got none")
    for method in study.methods:
        if method not in METHODS:
            raise ValueError(unknown("method", method, METHODS))
    if len(set(study.methods)) < len(study.methods):
        raise ValueError(f"methods must name each method once, got {','.join(study.methods)}")
    for method in study.methods:
        cheapest = spaces.cheapest_cost(method)
        if not study.budget or not study.budget.allows(cheapest):
            raise ValueError(
                f"methods must fit the budget {format_cost(study.per_epoch)}, got {method}, "
                f"which costs at least {format_cost(cheapest)}"
            )


def _check_search(study: Study) -> None:
    for option_name, names in (("search", study.search), ("fix", tuple(name for name, _ in study.fix))):
        known = {
            name
            for method in study.methods
            for name in (spaces.SEARCHABLE[method] if option_name == "search" else _fields_of(method))
        }
        for name in names:
            if name not in known:
                what = "searchable" if option_name == "search" else "hyper-parameter"
                raise ValueError(f"{unknown(what, name, known)} (of {', '.join(study.methods)})")
    both = set(study.search) & {name for name, _ in study.fix}
    if both:
        raise ValueError(f"{min(both)} must be searched or fixed, got both")
    for method in study.methods:
        cheapest = cheapest_trial(study, method)
        if not study.budget or not study.budget.allows(cheapest.method.cost):
            raise ValueError(
                f"fixed values must fit the budget {format_cost(study.per_epoch)}, got {method} "
                f"of at least {format_cost(cheapest.method.cost)}"
            )


def _check_strategy(study: Study) -> None:
    if study.scheduler == "asha" and study.sampler == "gp":
        raise ValueError("sampler must be tpe or random with scheduler asha, got gp, which learns nothing from stops")
    if study.scheduler == "asha" and study.objective == "pareto":
        raise ValueError("scheduler must be none with objective pareto: a trial cannot be stopped for two objectives")
    if study.sampler == "grid" and len(study.methods) > 1:
        raise ValueError(f"methods must be one method with sampler grid, got {','.join(study.methods)}")
    if study.sampler == "grid" and not study.grid:
        raise ValueError(f"search must name something for sampler grid, {study.methods[0]} alone has one setting")
    if study.sampler == "grid" and study.trials is not None and study.trials != study.grid_size:
        raise ValueError(
            f"trials must be left alone with sampler grid, which has {study.grid_size} settings, got {study.trials}; "
            "narrow it with --search"
        )
    if study.sampler == "grid" and study.warm_start:
        raise ValueError("warm_start must be left alone with sampler grid, which learns from no earlier trial")
    if study.total_budget is not None and study.total_budget < study.trial.epochs:
        raise ValueError(
            f"total_budget must pay for one vanilla trial of {format_cost(study.trial.epochs)} (epochs × 1N), "
            f"got {format_cost(study.total_budget)}"
        )


def _fields_of(method: str) -> list[str]:
    kind: Any = METHODS[method]
    return [f.name for f in dataclasses.fields(kind)]


# ------------------------------------------------------------------------------------------- from values to a trial


def trial_config(study: Study, values: Mapping[str, Any], seed: int) -> TrialConfig:
    """The complete configuration of a proposal: `values` holds the method and values of its fields."""
    chosen = dict(values)
    method = make_method(chosen.pop("method"), chosen)
    return dataclasses.replace(study.trial, method=method, seed=seed)


@dataclass(frozen=True)
class Space:
    """What a study proposes, as a function of a trial; it can be sent to other processes."""

    methods: tuple[str, ...]
    per_epoch: float
    searched: dict[str, tuple[str, ...]]
    fixed: dict[str, dict[str, Any]]

    def __call__(self, trial: Any) -> dict[str, Any]:
        """The method and the values of its fields; never above the budget."""
        return spaces.propose(trial, self.methods, self.per_epoch, self.searched, self.fixed)

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The parameters under which these values are proposed; None where they are not in the space."""
        chosen = dict(values)
        method = chosen.pop("method")
        if method not in self.methods:
            return None
        standing = {**method_options(make_method(method, {})), **self.fixed[method]}
        known = {name: value for name, value in standing.items() if name not in self.searched[method]} | chosen
        found = spaces.parameters_of(method, known, self.methods, self.per_epoch, self.searched)
        if found is None:
            return None
        proposed = self(_Given(found))
        del proposed["method"]
        agree = _agree(make_method(method, proposed), make_method(method, {**proposed, **chosen}))
        return found if agree else None


def _agree(one: Any, other: Any) -> bool:
    """Whether two methods are the same but for rounding; a radius that a rule gives is the number that it gives."""
    first, second = (
        {**method_options(method), **({"epsilon": method.radius} if hasattr(method, "radius") else {})}
        for method in (one, other)
    )
    return all(
        math.isclose(value, second[name], rel_tol=1e-5, abs_tol=2e-6)
        if isinstance(value, float)
        else value == second[name]
        for name, value in first.items()
    )


def space_of(study: Study) -> Space:
    """The space of a search."""
    return Space(study.methods, study.per_epoch, study.searched, study.fixed)


def published_values(study: Study) -> list[dict[str, Any]]:
    """The published settings of the study's methods that its budget pays for, each complete with its method.

    What the study fixes holds for them too, unless the setting itself says otherwise.
    """
    found = []
    for method in study.methods:
        for setting in spaces.PUBLISHED[method]:
            values = {"method": method, **study.fixed[method], **setting}
            if study.budget and study.budget.allows(trial_config(study, values, 0).method.cost):
                found.append(values)
    return found


def first_proposals(study: Study) -> list[dict[str, Any]]:
    """The parameters of the published settings that lie in the study's space: they are tried first."""
    space = space_of(study)
    several = [space.parameters(values) for values in published_values(study)]
    return [parameters for parameters in several if parameters is not None]


def control_configs(study: Study) -> list[tuple[str, TrialConfig]]:
    """Plain training at a third and three times the learning rate, and for as long as the dearest trial may cost.

    A gap between two methods can be an artefact of the rate, or of the passes that one of them had more.
    """
    plain = trial_config(study, {"method": "vanilla"}, 0)
    found = [
        (f"lr × {name}", dataclasses.replace(plain, lr=float(f"{plain.lr * factor:.3g}")))
        for name, factor in (("1/3", 1 / 3), ("3", 3.0))
    ]
    longer = round(study.per_epoch * plain.epochs)
    if longer > plain.epochs:
        found.append(("equal cost", dataclasses.replace(plain, epochs=longer)))
    return found


def cheapest_trial(study: Study, method: str) -> TrialConfig:
    """The cheapest configuration of a method that the search can propose."""
    return trial_config(study, spaces.propose(_Given({}), (method,), 1e9, study.searched, study.fixed), 0)


class _Given:
    """A trial that answers with given parameters, else with the lowest value or the first choice."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return self.parameters.get(name, low)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return self.parameters.get(name, low)

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self.parameters.get(name, choices[0])


# ------------------------------------------------------------------------------------------------ the command line

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
        return make_study(**values)
    except (ValueError, OSError) as error:
        parser.error(str(error))


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
        if name in types and name in _fields_of(_name_of(kind)) and isinstance(value, str):
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
    try:
        options = json.loads(path.read_text(encoding="utf-8"))["options"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    if not isinstance(options, dict):
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
    changes: dict[str, Any] = {name: value for name, value in read_flags(asked, Study).items() if name in CHANGEABLE}
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
    number = int(text) if str(text).isdigit() else 0
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
