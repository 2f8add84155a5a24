"""What a study would do: the space after the budget, runs, nominal cost, time and disk. Runs nothing.

The time comes from a vanilla step that was timed on this machine before (`remember_timing`), if there is one.
"""

import dataclasses
import functools
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from search_spaces import spaces
from search_spaces.describe import describe
from study.config.budget import format_budget, format_cost
from study.config.space import share_limits
from study.config.study_config import Study
from study.confirm.chosen import Candidate, choose, choose_table, published_seeds
from study.display.data_lines import data_lines
from study.display.gpu_plan import PARAMETERS, Work, gpu_lines
from study.display.rows import counted, duration
from study.display.table_plan import table_lines, table_notes, wrapped
from study.files.timings import known_timing
from study.race.contenders import FINALS, known_contenders
from study.workers.patience import FACTOR, LEAST_S
from trainables.config import make_method
from trainables.data.datasets import EMBEDDED, dataset_entry
from trainables.data.images import Splits
from trainables.methods import method_name

# Bytes of a checkpoint: weights and momentum in float32, norms doubled. Of measuring, a run's rows in corruptions.csv.
ROWS_BYTES = 75 * 60


# ----------------------------------------------------------------------------------------------------------- the plan


@dataclass(frozen=True)
class Part:
    """Runs of one kind, with what they cost in N-epochs: at most, and if proposals are drawn evenly."""

    name: str
    runs: int
    most: float
    likely: float
    measured_on: str  # validation or test images
    note: str = ""


@functools.lru_cache(maxsize=4)
def _rows(study: Study) -> list[Candidate]:
    """The rows of a table, made once for all the questions about them."""
    return choose_table(study)


def parts_of(study: Study) -> list[Part]:
    """The phases of a study."""
    if study.table is not None:
        return [_table_part(study)]
    per_trial = study.per_epoch * study.trial.epochs
    trials = study.trials or 0
    total = study.total_budget or float("inf")
    most = min(trials * per_trial, total)
    likely = min(trials * mean_cost(study) * study.trial.epochs, total)
    note = f"each at most {format_cost(study.per_epoch)} × {counted(study.trial.epochs, 'epoch')}"
    if study.total_budget is not None:
        note += f", stops at {format_cost(study.total_budget)}"
    if study.scheduler == "asha":
        note += "; asha stops the worse ones early"
    parts = [Part("search", trials, most, likely, "validation", note)]
    if study.race and study.confirm:
        parts.append(_race_part(study))
    return [*parts, _confirm_part(study)] if study.confirm else parts


def mean_cost(study: Study) -> float:
    """The mean cost per epoch of proposals that are drawn evenly over methods, n and k."""
    return fmean(_mean_cost(study, method) for method in study.methods)


def _mean_cost(study: Study, method: str) -> float:
    searched, fixed, per_epoch = study.searched[method], study.fixed[method], study.per_epoch
    space = spaces.space_for(method)
    numbers = range(1, spaces.largest_n(method, per_epoch, searched, fixed) + 1) if "n" in searched else None
    if space.share not in searched:
        return make_method(method, fixed).cost if not numbers else fmean(_cost(method, fixed, n) for n in numbers)
    passes = [spaces.passes({**fixed, "n": n}) for n in numbers or [fixed.get("n", 1)]]
    return 1 + 0.5 * fmean(count * spaces.largest_share(per_epoch, count, space.largest_share) for count in passes)


def _cost(method: str, fixed: Mapping[str, Any], n: int) -> float:
    return make_method(method, {**fixed, "n": n}).cost


def _race_part(study: Study) -> Part:
    known = known_contenders(study)
    best = min(study.race or 0, study.trials or 0)
    finals = FINALS * math.ceil((study.race or 0) / 2)
    baselines = [each.why for each in known if each.why != "published"]
    published = len(known) - len(baselines)
    names = ", ".join([*baselines, *([f"{published} published"] if published else [])])
    note = f"the best {best} of the search, {names} with one new seed; the best {finals // FINALS} with {FINALS} more"
    cost = sum(each.config.method.cost for each in known)
    most, likely = (
        study.trial.epochs * (cost + (best + finals) * each) for each in (study.per_epoch, mean_cost(study))
    )
    return Part("race", len(known) + best + finals, most, likely, "validation", note)


def _confirm_part(study: Study) -> Part:
    chosen = choose(study)
    top, seeds = study.confirm or 0, study.seeds or 0
    fewer = published_seeds(study)
    known = sum(len(each.seeds) * each.config.method.cost * each.config.epochs for each in chosen)
    most = top * seeds * study.per_epoch * study.trial.epochs
    names: dict[str, int] = {}
    for each in chosen:
        names[each.why] = names.get(each.why, 0) + 1
    listed = ", ".join(f"{count} {why}" if count > 1 else why for why, count in names.items())
    best = "the winner" if top == 1 else f"the best {top}"
    runs = top * seeds + sum(len(each.seeds) for each in chosen)
    likely = top * seeds * mean_cost(study) * study.trial.epochs
    return Part(
        "confirm",
        runs,
        known + most,
        known + likely,
        "test",
        f"{best}, {listed}; {counted(seeds, 'fresh seed')}, {fewer} of published settings",
    )


def _table_part(study: Study) -> Part:
    chosen = _rows(study)
    cost = sum(len(each.seeds) * each.config.method.cost * each.config.epochs for each in chosen)
    return Part("table", sum(len(each.seeds) for each in chosen), cost, cost, "test", counted(len(chosen), "setting"))


def space_lines(study: Study) -> list[str]:
    """The space after the budget, for each method: what is searched over which range."""
    lines = []
    for method in study.methods:
        searched, fixed = study.searched[method], study.fixed[method]
        held = "".join(f", {name}={value}" for name, value in fixed.items())
        if not searched:
            lines.append(f"{method}: one setting of {format_cost(spaces.cheapest_cost(method))}{held}")
            continue
        lines.append(f"{method}: {', '.join(searched)} searched{held}")
        lines += [f"  {line}" for line in _method_lines(study, method)]
    return lines


def _method_lines(study: Study, method: str) -> list[str]:
    searched, fixed, per_epoch = study.searched[method], study.fixed[method], study.per_epoch
    lines = []
    limits = share_limits(study, method)
    if limits:
        share = spaces.space_for(method).share
        lines.append(f"{'n':<7}" + "".join(f"{n:>8}" for n in limits))
        lines.append(f"{f'{share} ≤':<7}" + "".join(f"{limit:>8.4g}" for limit in limits.values()))
        if per_epoch == 1:
            lines.append(
                f"1N allows only {share} = 0: no image reaches the auxiliary norms, and all proposals are equal"
            )
        elif study.budget and study.budget.unconstrained:
            lines.append("the budget excludes no setting")
    elif "n" in searched:
        lines.append(f"n from 1 to {spaces.largest_n(method, per_epoch, searched, fixed)}")
    return lines + describe(method, set(searched) - {"k", "p_adv", "n"}, fixed)


def estimated_seconds(study: Study, slots: int = 1) -> float | None:
    """How long it takes with so many runs at once, drawn evenly; None if no step was timed here."""
    if study.table is not None:
        total = 0.0
        for each in _rows(study):
            timing = known_timing(each.config, study.device)
            if timing is None:
                return None
            epochs = each.config.method.cost * each.config.epochs
            total += len(each.seeds) * (epochs * timing.epoch_seconds(each.config.batch_size) + timing.test_seconds)
        return total / slots
    timing = known_timing(study.trial, study.device)
    if timing is None:
        return None
    epoch = timing.epoch_seconds(study.trial.batch_size)
    measuring = {"validation": timing.validation_seconds, "test": timing.test_seconds}
    return sum(part.likely * epoch + part.runs * measuring[part.measured_on] for part in parts_of(study)) / slots


def estimated_bytes(study: Study) -> float:
    """What the folder holds at most: a checkpoint for each run, and the rows."""
    configs = [study.trial] if study.table is None else [each.config for each in _rows(study)]
    runs = sum(part.runs for part in parts_of(study))
    checkpoint = fmean(8 * PARAMETERS.get(config.model, 25e6) for config in configs)
    return runs * (checkpoint + ROWS_BYTES + 200 * configs[0].epochs)


def slots_here(study: Study) -> int:
    """How many runs at once this machine has room for; of a cluster, a plan knows nothing and says one."""
    if study.address or os.environ.get("RAY_ADDRESS"):
        return study.concurrency or 1
    if study.gpus_per_trial or study.device.startswith("cuda"):
        return study.concurrency or study.trials_per_gpu or 1
    cores = max(1, int((os.cpu_count() or 1) / study.cpus_per_trial / study.trial.processes_per_trial))
    return min(study.concurrency or cores, cores)


def plan_text(study: Study, slots: int | None = None, splits: Splits | None = None) -> str:
    """The plan that `--dry-run` prints, with so many runs at once, by default as many as this machine has room for.

    `splits` are the study's images, where they could be read without a download.
    """
    at_once = slots or slots_here(study)
    parts = parts_of(study)
    lines = (
        _what(study)
        + data_lines(study, splits)
        + [line for part in parts for line in wrapped(part.name, f"{_amount([part])}; {part.note}")]
    )
    lines += wrapped("in all", _amount(parts)) if len(parts) > 1 else []
    lines += wrapped("time", _time(study, at_once))
    lines += [line for head, text in gpu_lines(_works(study)) for line in wrapped(head, text)]
    lines += wrapped("disk", f"at most {_size(estimated_bytes(study))} in {study.out}, including checkpoints")
    lines += wrapped("faults", _faults(study))
    return "\n".join([*lines, *(line for note in _notes(study) for line in wrapped("note", note))])


def _works(study: Study) -> Iterable[Work]:
    """What a plan for GPUs is made from: each row of a table, or the phases of a search."""
    if study.table is not None:
        for each in _rows(study):
            runs = len(each.seeds)
            yield Work(each.config, runs, runs * each.config.method.cost * each.config.epochs, runs)
        return
    for part in parts_of(study):
        yield Work(study.trial, part.runs, part.likely, part.runs if part.measured_on == "test" else 0)


def _amount(parts: list[Part]) -> str:
    """Runs, and their cost where it is known, else what is likely and the most."""
    runs, likely, most = (sum(getattr(part, name) for part in parts) for name in ("runs", "likely", "most"))
    cost = f"{most:,.0f} N-epochs"
    return f"{counted(runs, 'run')}, " + (cost if most - likely < 0.5 else f"about {likely:,.0f}, at most {cost}")


def _what(study: Study) -> list[str]:
    if study.table is not None:
        return table_lines(study, _rows(study))
    trial = study.trial
    budget = format_budget(study.budget) if study.budget else ""
    goal = "validation H" if study.objective == "h" else "validation H against cost"
    return [
        f"budget {budget} per epoch; {trial.dataset}, {trial.model}, {counted(trial.epochs, 'epoch')}, "
        f"batch {trial.batch_size}",
        *space_lines(study),
        f"sampler {study.sampler}, scheduler {study.scheduler}, objective {goal}",
    ]


def _time(study: Study, slots: int) -> str:
    seconds = estimated_seconds(study, slots)
    if seconds is None:
        return "unknown: no such training step was timed on this machine yet; --dry-run --probe times one"
    return f"about {duration(seconds)} with {slots} at once, from a vanilla step timed on this machine"


def _faults(study: Study) -> str:
    """What becomes of a run whose worker is lost or stuck."""
    limit = f"{FACTOR} times the slowest epoch so far, at least {duration(LEAST_S)}"
    if study.trial_timeout is not None:
        limit = duration(study.trial_timeout)
    retried = f"is retried at most {counted(study.max_failures, 'time')}" if study.max_failures else "is not retried"
    return (
        f"a worker that finishes no epoch in time ({limit}; --trial-timeout) is killed; a run that lost its worker "
        f"{retried} (--max-failures)"
    )


def _notes(study: Study) -> Iterable[str]:
    if study.table is None and not any(study.searched.values()) and len(study.methods) == 1:
        yield f"{study.methods[0]} has only one setting; more trials repeat it with other seeds; --trials 1 is enough"
    if study.table is not None:
        yield from table_notes(study, _rows(study))
    yield from _confirmation_note(study)
    yield from _weights_note(study)
    for name, work in sorted(_uncounted(study).items()):
        yield f"{name} makes further forward passes of {work:.2f}N, which the papers' cost formula leaves out (A17)"
    datasets = {study.trial.dataset} if study.table is None else {e.config.dataset for e in _rows(study)}
    for dataset in sorted(datasets):
        if dataset == EMBEDDED:
            continue
        own = dataset.partition(":")[2]
        if not own:
            by_hand = dataset_entry(dataset).folder_only
            yield f"{dataset} " + ("must be in the data folder" if by_hand else "is downloaded if it is missing")
        elif not Path(own).exists():
            yield f"{own} does not exist yet, but the study needs it"


def _confirmation_note(study: Study) -> Iterable[str]:
    """How a confirmation that is most of the cost becomes cheaper."""
    parts = parts_of(study)
    share = parts[-1].likely / sum(part.likely for part in parts)
    if parts[-1].name != "confirm" or len(parts) == 1 or share <= 0.5:
        return
    fewer = (study.seeds or 1) // 2
    cheaper = {"--controls false": dataclasses.replace(study, controls=False)} if study.controls else {}
    cheaper |= {f"--seeds {fewer}": dataclasses.replace(study, seeds=fewer)} if fewer > 2 else {}
    saved = {way: parts[-1].likely - _confirm_part(other).likely for way, other in cheaper.items()}
    listed = [f"{way} saves {cost:,.0f} N-epochs" for way, cost in saved.items()]
    yield "; ".join([f"the confirmation is {share:.0%} of the cost", *listed])


def _weights_note(study: Study) -> Iterable[str]:
    """The pretrained weights that are downloaded before anything else."""
    trials = [study.trial] if study.table is None else [each.config for each in _rows(study)]
    for model in sorted({trial.model for trial in trials if trial.pretrained}):
        yield f"pretrained weights of {model} are downloaded from torchvision first, unless torch's cache holds them"


def _uncounted(study: Study) -> dict[str, float]:
    """The methods whose cost leaves passes out, with the work of these in N an epoch."""
    if study.table is None:
        methods = [make_method(name, study.fixed[name]) for name in study.methods]
    else:
        methods = [each.config.method for each in _rows(study)]
    return {method_name(each): work for each in methods if (work := getattr(each, "uncounted", 0.0))}


def _size(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"
