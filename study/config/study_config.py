"""All options of a study in one frozen dataclass, which refuses contradictory options.

Only light modules are imported, so that help, listings and every complaint about the input answer at once.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from search_spaces import spaces
from search_spaces.cheapest import cheapest
from study.commands import command
from study.config import readers
from study.config.budget import Budget, format_budget, format_cost, parse_budget, parse_total
from study.config.readers import fixed_values, loggers, number_or_auto, seconds_or_auto, words
from trainables.choices import ValidationCorruptions
from trainables.config import TrialConfig, make_method, with_recipe
from trainables.data.datasets import EMBEDDED
from trainables.methods import METHODS
from trainables.options import check_options, option, options_of, unknown


@dataclass(frozen=True)
class Study:
    """A search under a budget, or the grid of a published table. Options that are unset find their value here."""

    budget: Budget | None = option(
        None,
        "highest training cost per epoch of a trial, e.g. 4N or 1.2N (1N: one epoch of vanilla); not with --table",
        read=parse_budget,
    )
    trial: TrialConfig = field(
        default_factory=lambda: with_recipe(make_method("vanilla", {}), EMBEDDED)
    )  # without method
    given: tuple[str, ...] = ()  # which fields of `trial` were asked for: these override a table's protocol
    methods: tuple[str, ...] = option(
        ("entprop",),
        f"methods to search; all: every method that fits the budget; known: {', '.join(METHODS)}",
        read=words, metavar="M,M",
    )  # fmt: skip
    search: tuple[str, ...] = option(
        (),
        "hyper-parameters to search [each method's default list; entprop: k,n,epsilon,metric]; others: alpha, beta, "
        "weights, aux_target, lr; lr adds vanilla and mixup to the search, with as many trials as each method",
        read=words, metavar="NAME,…",
    )  # fmt: skip
    fix: tuple[tuple[str, Any], ...] = option(
        (), "hyper-parameters to fix, e.g. weights=sum,n=1", read=fixed_values, metavar="NAME=VALUE,…"
    )
    trials: int | None = option(
        None, f"number of trials [{EMBEDDED}: 8, otherwise 24; grid: all; with --total-budget: as many as fit]", low=1
    )
    total_budget: float | None = option(
        None, "cost limit of the search, e.g. 500N: start no trial that would exceed it", read=parse_total, metavar="C"
    )
    scheduler: Literal["none", "asha", "own"] = option(
        "none", "none: train every trial to the end; asha: stop the worse half at rungs of equal spent cost, which "
        "favours cheap settings; own: a scheduler object passed from Python",
    )  # fmt: skip
    sampler: Literal["tpe", "gp", "random", "grid", "own"] | None = option(
        None, "search algorithm; own: from Python [tpe]"
    )
    validation_corruptions: ValidationCorruptions = option(
        "veils", "of validation images; imagenet-c: ImageNet-C's four; veils: also grey veil, colour cast and haze"
    )
    objective: Literal["h", "pareto"] = option("h", "h: maximize validation H; pareto: trade validation H against cost")
    race: int | None = option(
        None, "best settings of the search to race against vanilla, mixup and two published settings on validation "
        "images: one new seed, then two more for the best R/2; 0: no race [4; confirm=0: 0]", low=0,
    )  # fmt: skip
    confirm: int | None = option(None, "settings to retrain with fresh seeds and test; 0: none [1; pareto: 3]", low=0)
    seeds: int | None = option(None, "fresh seeds per confirmed setting or table row [6; table: its own]", low=1)
    controls: bool | None = option(
        None, "also train vanilla and mixup at half and twice the learning rate and, after a search, vanilla at equal "
        f"cost [true; {EMBEDDED} and tables: false]",
    )  # fmt: skip
    table: str | None = option(None, "run the grid of a published table instead of a search, e.g. entprop/16")
    scale: Literal["paper", "demo"] = option(
        "paper", f"protocol of --table; paper: the published one; demo: {EMBEDDED} with three seeds"
    )
    out: str | None = option(None, "new folder for the study [runs/<date>-<dataset>-<budget>]")
    address: str | None = option(
        None, "running Ray cluster: auto or HOST:PORT, not ray:// (use ray job submit) [RAY_ADDRESS, otherwise local]"
    )
    storage: str | None = option(None, "PATH or s3://… for checkpoints; s3:// also for tables [the study's folder]")
    checkpoint_every: int = option(1, "epochs between uploads of a trial's checkpoint to s3:// storage", low=1)
    keep: Literal["both", "last", "best", "none"] = option("both", "checkpoints to keep after a run has ended")
    cpus_per_trial: float = option(1.0, "CPU cores per trial, or per process with --processes-per-trial", above=0)
    gpus_per_trial: float | None = option(
        None, "GPUs per trial or process; 0.5: two share a GPU [1 if there is a GPU, otherwise 0]", low=0, high=1
    )
    trials_per_gpu: int | None = option(1, "trials per GPU; auto: measure throughput first", low=1, read=number_or_auto)
    concurrency: int | None = option(None, "trials that run at once [as many as the resources allow]", low=1)
    max_failures: int = option(2, "retries of a trial whose worker died or hung; a new epoch resets the count", low=0)
    trial_timeout: float | None = option(
        None, "seconds without a finished epoch after which a worker counts as hung: it is killed and its trial "
        "retried; auto: 20 times the slowest epoch so far, at least 10 min [auto]", above=0, read=seconds_or_auto,
    )  # fmt: skip
    device: Literal["auto", "cpu", "cuda"] = option("auto", "where trials train; auto: a GPU if there is one")
    data_root: str | None = option(None, "folder of the data sets and of downloads")
    warm_start: tuple[str, ...] = option(
        (), "earlier studies whose trials the sampler learns from", read=words, metavar="DIR,…"
    )
    seed: int = option(0, "seed of the sampler and of the trials; confirmation uses fresh seeds", low=0, high=2**31 - 1)
    dashboard: bool = option(False, "print the address of Ray's dashboard and how to log in", switch=True)
    logger: tuple[str, ...] = option((), "log runs to mlflow, wandb, tensorboard", read=loggers, metavar="NAME,…")
    quiet: bool = option(False, "print only the result", switch=True)
    dry_run: bool = option(False, "print the plan and run nothing", switch=True)
    probe: bool = option(False, "with --dry-run: measure training speed first, about ten seconds", switch=True)
    resume: bool = False
    extend: int = 0
    retry_failed: bool = False

    def __post_init__(self) -> None:
        check_options(self)
        if self.storage:
            readers.check_no_secret(self.storage)
        self._set(trial=dataclasses.replace(self.trial, method=make_method("vanilla", {}), seed=self.seed))
        if self.probe and not self.dry_run:
            raise ValueError("--probe needs --dry-run")
        if self.trials_per_gpu != 1 and self.gpus_per_trial is not None:
            both = f"{self.gpus_per_trial:g} and {self.trials_per_gpu or 'auto'}"
            raise ValueError(f"only one of --gpus-per-trial and --trials-per-gpu can be set, got {both}")
        if self.trial.processes_per_trial > 1 and (self.trials_per_gpu != 1 or self.gpus_per_trial not in (None, 0, 1)):
            raise ValueError("each process of processes_per_trial must have a whole GPU, got a share of one")
        if self.table is not None:
            _check_table(self)
            return
        if self.budget is None:
            raise ValueError("a search needs a budget, e.g. --budget 4N")
        if self.scale != "paper":
            raise ValueError(f"--scale {self.scale} needs --table")
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
        small = self.trial.dataset == EMBEDDED
        defaults = {"sampler": "tpe", "confirm": 1 if self.objective == "h" else 3, "seeds": 6, "controls": not small}
        self._set(**{name: value for name, value in defaults.items() if getattr(self, name) is None})
        if self.race is None:
            self._set(race=4 if self.confirm else 0)

    def _settle_trials(self) -> None:
        if self.trials is None and self.sampler == "grid":
            self._set(trials=self.grid_size)
        elif self.trials is None and self.total_budget is not None:
            self._set(trials=int(self.total_budget / self.trial.epochs + 1e-9))  # no trial is cheaper than vanilla
        elif self.trials is None:
            tries = 8 if self.trial.dataset == EMBEDDED else 24
            self._set(trials=tries * len(self.methods) if self.dealt else tries)

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
                for name in spaces.space_for(method).searchable
                if name in (self.search or spaces.space_for(method).searched) and name not in fixed
            )
            for method in self.methods
        }

    @property
    def dealt(self) -> bool:
        """Whether trials are dealt to the methods in turn, so that each gets as many tries at the learning rate."""
        return "lr" in self.search and len(self.methods) > 1

    @property
    def fixed(self) -> dict[str, dict[str, Any]]:
        """The values that are held, for each method."""
        return {
            method: {name: value for name, value in self.fix if name in fields_of(method)} for method in self.methods
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
        """JSON values for `study.json`; `from_dict` reads them back."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in MOMENTARY}
        trial = self.trial.as_dict()
        del trial["method"], trial["seed"]
        return {
            **values,
            "budget": None if self.budget is None else format_budget(self.budget),
            "trial": trial,
            "fix": dict(self.fix),
            **{name: list(values[name]) for name in _LISTS},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Study":
        """The study that `as_dict` wrote."""
        values = readers.of_today(values)
        known = [f.name for f in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise ValueError(unknown("option", name, known))
        if missing := {"budget", "trial", "fix", *_LISTS} - set(values):
            raise ValueError(f"the options of a study must hold {min(missing)}, got {', '.join(values) or 'none'}")
        try:
            return cls(
                **{
                    **values,
                    "budget": None if values["budget"] is None else parse_budget(values["budget"]),
                    "trial": TrialConfig.from_dict(values["trial"]),
                    "fix": tuple(values["fix"].items()),
                    **{name: tuple(values[name]) for name in _LISTS},
                }
            )
        except (TypeError, AttributeError, KeyError) as error:  # of values that no command line gives
            raise ValueError(f"the options must be as a study wrote them ({error})") from error


_LISTS = ("given", "methods", "search", "logger", "warm_start")  # tuples here, lists in study.json
MOMENTARY = ("dry_run", "probe", "resume", "extend", "retry_failed", "quiet")  # of one call, not of the study
# What may differ when a study goes on: where it runs and what is shown, nothing that a result depends on.
CHANGEABLE = (
    "address", "storage", "checkpoint_every", "keep", "cpus_per_trial", "gpus_per_trial", "trials_per_gpu",
    "concurrency", "max_failures", "trial_timeout", "device", "data_root", "dashboard", "logger", *MOMENTARY,
)  # fmt: skip


# ------------------------------------------------------------------------------------------------- contradictions


def _check_table(study: Study) -> None:
    from study.papers import COMPUTED, GRIDS, cells_of

    if study.table in COMPUTED:
        raise ValueError(f"table {study.table} is computed, not trained; {command('--table', study.table)} prints it")
    if study.table not in GRIDS:
        raise ValueError(unknown("table", study.table, [*GRIDS, *COMPUTED]))
    searching = [name for name in _SEARCH_OPTIONS if getattr(study, name) != getattr(Study, name)]
    if searching:
        raise ValueError(f"--{searching[0].replace('_', '-')} does not apply to --table")
    cells_of(study)  # raises for what a row cannot be trained with


_SEARCH_OPTIONS = (
    "budget", "methods", "search", "fix", "trials", "total_budget", "scheduler", "sampler", "objective", "race",
    "confirm", "warm_start", "extend",
)  # fmt: skip


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
            for name in (spaces.space_for(method).searchable if option_name == "search" else fields_of(method))
        }
        for name in names:
            if name not in known:
                what = "searchable" if option_name == "search" else "hyper-parameter"
                raise ValueError(f"{unknown(what, name, known)} (of {', '.join(study.methods)})")
    both = set(study.search) & {name for name, _ in study.fix}
    if both:
        raise ValueError(f"{min(both)} must be searched or fixed, got both")
    for method in study.methods:
        make_method(method, study.fixed[method])  # raises for a value that it cannot have
        values = cheapest(method, study.searched, study.fixed)
        least = dataclasses.replace(study.trial, method=make_method(method, values)).method.cost
        if not study.budget or not study.budget.allows(least):
            raise ValueError(
                f"fixed values must fit the budget {format_cost(study.per_epoch)}, got {method} "
                f"of at least {format_cost(least)}"
            )


def _check_strategy(study: Study) -> None:
    if study.scheduler == "asha" and study.sampler == "gp":
        raise ValueError("sampler must be tpe or random with scheduler asha, got gp, which cannot use stopped trials")
    if study.scheduler != "none" and study.objective == "pareto":
        raise ValueError("scheduler must be none with objective pareto: a trial cannot be stopped for two objectives")
    if study.sampler == "grid" and len(study.methods) > 1:
        raise ValueError(f"methods must be one method with sampler grid, got {','.join(study.methods)}")
    if study.sampler == "grid" and not study.grid:
        raise ValueError(f"search must name a parameter for sampler grid, {study.methods[0]} has only one setting")
    if study.sampler == "grid" and study.trials is not None and study.trials != study.grid_size:
        raise ValueError(
            f"--trials does not apply to --sampler grid, which tries all {study.grid_size} settings, "
            f"got {study.trials}; narrow it with --search"
        )
    if study.sampler == "grid" and study.warm_start:
        raise ValueError("--warm-start does not apply to --sampler grid, which does not learn from trials")
    if study.total_budget is not None and study.total_budget < study.trial.epochs:
        raise ValueError(
            f"total_budget must pay for one vanilla trial of {format_cost(study.trial.epochs)} (epochs × 1N), "
            f"got {format_cost(study.total_budget)}"
        )


def fields_of(method: str) -> list[str]:
    """The hyper-parameters of a method, by name."""
    kind: Any = METHODS[method]
    return [f.name for f in dataclasses.fields(kind)]


TRIAL_FIELDS = {name: each for name, each in options_of(TrialConfig).items() if name != "seed"}
STUDY_FIELDS = options_of(Study)
