"""What a person sees of a study: pure functions from rows to text, and the stream that they are written to.

In a terminal there is one live line, and one line stays for each trial that ended; in a file there are only the lines
that stay.
"""

import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple, TextIO

from study.budget import format_cost
from study.options import PROGRAM
from study.results import Row, best, finished, front, method_of
from trainables.config import make_method, method_options

ALWAYS = {
    "entprop": ("k", "n", "epsilon", "metric"),
    "fast_advprop": ("p_adv", "n", "epsilon"),
    "advprop": ("n", "epsilon"),
}
CONTROLS = ("lr ×", "equal cost")  # plain training that is not like the others in rate or length
SYMBOLS = {"epsilon": "ε", "alpha": "α"}


# --------------------------------------------------------------------------------------------------- a row as text


def setting(row: Mapping[str, Any]) -> str:
    """The method of a row with what was chosen: entprop k=0.2 n=1 ε=1 entropy."""
    name = row["method"]
    values = method_options(method_of(row))
    defaults = method_options(make_method(name, {}))
    shown = [key for key in values if key in ALWAYS.get(name, ())]
    shown += [key for key in values if key not in shown and values[key] != defaults[key]]
    return " ".join([name, *(_option(key, values[key]) for key in shown)])


def _option(name: str, value: Any) -> str:
    if name == "metric":
        return str(value)
    return f"{SYMBOLS.get(name, name)}={f'{value:.3g}' if isinstance(value, float) else value}"


def ended_line(row: Row) -> str:
    """One line for a trial that ended."""
    cost = f"{format_cost(round(row['cost'], 3))} × {row['epochs'] or 0}"
    head = f"trial {row['trial']:>3}  {setting(row)}  {cost}  {_seconds(row['seconds'])}"
    if row["status"] == "finished":
        return f"{head}  H {_points(row['val_h'])} (SA {_points(row['val_sa'])}, RA {_points(row['val_ra'])})"
    if row["status"] == "stopped":
        return f"{head}  stopped after epoch {row['epochs']}" + (
            f" at H {_points(row['val_h'])}" if row["val_h"] is not None else ""
        )
    if row["status"] == "failed":
        return f"{head}  failed: {first_line(row['error'])}"
    return f"{head}  running"


def confirmed_line(row: Row) -> str:
    """One line for a confirmed run that ended."""
    head = f"confirm  {row['why']}  {setting(row)}  seed {row['seed']}  {_seconds(row['seconds'])}"
    if row["h"] is None:
        return f"{head}  failed: {first_line(row['error'])}"
    return f"{head}  H {_points(row['h'])} (SA {_points(row['sa'])}, RA {_points(row['ra'])})"


def first_line(error: str | None) -> str:
    """The first line of an error's text."""
    return (error or "no reason was given").strip().splitlines()[0]


def _points(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else duration(value)


def duration(seconds: float) -> str:
    """A time as people say it: 8 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    for size, name, smaller, smaller_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {smaller_name}" if rest else "")
    raise AssertionError(seconds)


# -------------------------------------------------------------------------------------------------- the live line


@dataclass
class State:
    """What the live line says; costs in N-epochs."""

    phase: str = "search"
    total: int = 0
    done: int = 0
    running: int = 0
    failed: int = 0
    stopped: int = 0
    spent: float = 0.0
    planned: float | None = None  # of the whole phase
    best: Row | None = None
    seconds_left: float | None = None


def live_line(state: State, width: int | None = None) -> str:
    """done/running/total, the best so far, what was spent of what, time left."""
    counts = f"{state.done}/{state.total} done, {state.running} running"
    counts += f", {state.stopped} stopped" if state.stopped else ""
    counts += f", {state.failed} failed" if state.failed else ""
    parts = [f"{state.phase}: {counts}"]
    if state.best is not None:
        parts.append(f"best H {state.best['val_h']:.2f}: {setting(state.best)}")
    of = f" of {format_cost(round(state.planned, 1))}" if state.planned else ""
    parts.append(f"spent {format_cost(round(state.spent, 1))}{of}")
    if state.seconds_left is not None:
        parts.append(f"{duration(state.seconds_left)} left")
    line = "  ".join(parts)
    return line if width is None or len(line) < width else line[: max(0, width - 2)] + "…"


@dataclass
class Progress:
    """Writes what happens to a stream; `begin` for each phase, then what trials report."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    quiet: bool = False
    clock: Callable[[], float] = time.monotonic
    state: State = field(default_factory=State)
    before: float = 0.0  # spent by the runs that had ended when this phase began
    since: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)  # by the runs of this call
    first: dict[str, float] = field(default_factory=dict)  # … of which not in this call
    costs: list[float] = field(default_factory=list)  # of runs that came to their end

    def begin(self, phase: str, total: int, done: Iterable[Row] = (), planned: float | None = None) -> None:
        """A phase of so many runs, of which these rows are there already; `planned` is its cost where it is known."""
        rows = [row for row in done if row.get("status") != "running"]
        self.state = State(phase, total, planned=planned)
        for row in rows:
            self._count(row)
        self.before = self.state.spent = sum(_spent(row) for row in rows)
        self.since, self.spent, self.first = self.clock(), {}, {}
        self.costs = [_spent(row) for row in rows if row.get("status", "finished") == "finished"]
        self.show()

    def started(self, name: str) -> None:
        self.state.running += 1
        self.show()

    def epoch(self, name: str, row: Row) -> None:
        self.first.setdefault(name, row["spent"] - row["cost"])
        self.spent[name] = row["spent"]
        self.state.spent = self.before + sum(self.spent.values())
        self.show()

    def ended(self, row: Row) -> None:
        """A trial or a confirmed run has ended: its line stays."""
        self.state.running = max(0, self.state.running - 1)
        self._count(row)
        if row.get("status", "finished") == "finished":
            self.costs.append(_spent(row))
        self.say(ended_line(row) if "status" in row else confirmed_line(row))

    def say(self, line: str) -> None:
        """A line that stays."""
        if not self.quiet:
            self._clear()
            print(line, file=self.stream, flush=True)
            self.show()

    def show(self) -> None:
        """The live line, in a terminal alone."""
        if not self.quiet and self.stream.isatty():
            self.state.seconds_left = self._seconds_left()
            print(f"\r\033[K{live_line(self.state, _width())}", end="", file=self.stream, flush=True)

    def end(self) -> None:
        """Take the live line away."""
        self._clear()

    def _clear(self) -> None:
        if not self.quiet and self.stream.isatty():
            print("\r\033[K", end="", file=self.stream, flush=True)

    def _count(self, row: Row) -> None:
        status = row.get("status") or ("failed" if row.get("h") is None else "finished")
        self.state.done += 1
        self.state.failed += status == "failed"
        self.state.stopped += status == "stopped"
        if "val_h" in row:
            self.state.best = next(iter(best([each for each in (self.state.best, row) if each])), None)

    def _seconds_left(self) -> float | None:
        """From the cost of what is left and the time that an N-epoch took since this call began."""
        state, spent = self.state, sum(self.spent.values()) - sum(self.first.values())
        planned = state.planned
        if planned is None and self.costs:
            planned = state.spent + (state.total - state.done - state.running / 2) * fmean(self.costs)
        if planned is None or spent <= 0:
            return None
        return max(0.0, planned - state.spent) * (self.clock() - self.since) / spent


def _spent(row: Row) -> float:
    if row.get("spent") is not None:
        return float(row["spent"])
    return float(row["cost"] or 0.0) * (row.get("epochs") or 0)


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns


# ------------------------------------------------------------------------------------------- means and differences


class Interval(NamedTuple):
    """A mean over seeds with its 95 % confidence interval, which needs two seeds."""

    mean: float
    half: float | None
    seeds: int

    @property
    def low(self) -> float:
        return self.mean - (self.half or 0.0)

    @property
    def high(self) -> float:
        return self.mean + (self.half or 0.0)

    @property
    def excludes_zero(self) -> bool:
        return self.half is not None and (self.low > 0 or self.high < 0)


def interval(values: list[float]) -> Interval:
    """Student's interval of the mean."""
    count = len(values)
    half = t_quantile(count - 1) * stdev(values) / math.sqrt(count) if count > 1 else None
    return Interval(fmean(values), half, count)


def t_quantile(freedom: int, level: float = 0.95) -> float:
    """The t between whose negative and itself Student's distribution holds that much, by bisection.

    For whole degrees of freedom the distribution is a finite sum, so that no library is needed for a quick look.
    """
    low, high = 0.0, 1e6
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _student(middle, freedom) < level else (low, middle)
    return (low + high) / 2


def _student(t: float, freedom: int) -> float:
    """The probability that |T| is below t."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine = math.cos(angle)
    term, total = (cosine, 0.0) if freedom % 2 else (1.0, 0.0)
    for i in range(1 if freedom % 2 else 0, freedom - 1, 2):
        total += term
        term *= cosine**2 * (i + 1) / (i + 2)
    if freedom % 2:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


class Confirmed(NamedTuple):
    """A configuration over its seeds."""

    row: Row  # of one seed: method, why, data set, network
    h: dict[int, float]  # by seed
    sa: Interval
    ra: Interval
    failed: int

    @property
    def interval(self) -> Interval:
        return interval(list(self.h.values()))


def confirmed(rows: Iterable[Row]) -> list[Confirmed]:
    """The confirmed configurations in the order of their first rows; a failed seed is counted, not averaged."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["config"], []).append(row)
    found = []
    for group in groups.values():
        done = [row for row in group if row["h"] is not None]
        if done:
            sa, ra = (interval([row[name] for row in done]) for name in ("sa", "ra"))
            h = {row["seed"]: row["h"] for row in done}
            found.append(Confirmed(done[0], h, sa, ra, len(group) - len(done)))
    return found


def difference(one: Confirmed, other: Confirmed) -> Interval | None:
    """The paired difference in H over the seeds that both have."""
    seeds = [seed for seed in one.h if seed in other.h]
    return interval([one.h[seed] - other.h[seed] for seed in seeds]) if seeds else None


def reference(groups: list[Confirmed], method: str, beside: Confirmed) -> Confirmed | None:
    """Plain `method` on the same data, with the same network, rate and epochs."""
    same = ("dataset", "model", "lr", "epochs")
    return next(
        (
            group
            for group in groups
            if group.row["method"] == method and all(group.row[name] == beside.row[name] for name in same)
        ),
        None,
    )


# --------------------------------------------------------------------------------------------------- the final text


def confirmed_table(rows: Iterable[Row]) -> str:
    """Mean ± 95 % confidence interval over seeds, and paired differences to vanilla and to mixup alone."""
    groups = confirmed(rows)
    if not groups:
        return "nothing confirmed yet"
    several = len({(group.row["dataset"], group.row["model"]) for group in groups}) > 1
    lines: list[tuple[str, ...]] = [("setting", "cost", "seeds", "SA", "RA", "H", "− vanilla", "− mixup")]
    for group in sorted(groups, key=_order):
        name = f"{group.row['why']}: {setting(group.row)}"
        if group.row["why"].startswith(CONTROLS):
            name += f" lr={group.row['lr']:g} epochs={group.row['epochs']}"
        if several:
            name += f" ({group.row['dataset']}, {group.row['model']})"
        seeds = f"{len(group.h)}" + (f" ({group.failed} failed)" if group.failed else "")
        measured = [_with_interval(each) for each in (group.sa, group.ra, group.interval)]
        differences = [_difference_cell(groups, method, group) for method in ("vanilla", "mixup")]
        lines.append((name, format_cost(round(group.row["cost"], 3)), seeds, *measured, *differences))
    return _aligned(lines)


def _order(group: Confirmed) -> tuple[str, str, bool]:
    """Data sets and networks together, the best first; else as confirmed."""
    return group.row["dataset"], group.row["model"], not group.row["why"].startswith("best")


def _difference_cell(groups: list[Confirmed], method: str, group: Confirmed) -> str:
    other = reference(groups, method, group)
    if other is None or other is group:
        return ""
    found = difference(group, other)
    return "" if found is None else _with_interval(found, signed=True)


def _with_interval(found: Interval, signed: bool = False) -> str:
    mean = f"{found.mean:+.2f}" if signed else f"{found.mean:.2f}"
    return mean if found.half is None else f"{mean} ± {found.half:.2f}"


def _aligned(lines: list[tuple[str, ...]]) -> str:
    """Columns divided by two blanks, the first flush left, the others flush right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
    )


def verdict(rows: Iterable[Row]) -> list[str]:
    """In plain words: whether the best setting beats vanilla, and whether it beats mixup alone."""
    groups = confirmed(rows)
    top = next((group for group in groups if group.row["why"].startswith("best-1")), None)
    if top is None:
        return []
    named = [("vanilla", reference(groups, "vanilla", top)), ("mixup alone", reference(groups, "mixup", top))]
    named += [(f"vanilla, {group.row['why']}", group) for group in groups if group.row["why"].startswith(CONTROLS)]
    return [_compared(top, name, other) for name, other in named]


def _compared(top: Confirmed, name: str, other: Confirmed | None) -> str:
    if other is top:
        return f"The best setting found is {name} itself."
    found = difference(top, other) if other is not None else None
    return _in_words(found, name) if found else f"{name} was not confirmed beside the best setting."


def _in_words(found: Interval, name: str) -> str:
    if found.half is None:
        return f"The best setting differs from {name} by {found.mean:+.2f} H with one seed, which shows nothing."
    numbers = f"{found.mean:+.2f} H, 95 % CI {found.low:+.2f} to {found.high:+.2f}, {found.seeds} paired seeds"
    if not found.excludes_zero:
        return f"The best setting does not beat {name}: {numbers}, which holds 0."
    return f"The best setting {'beats' if found.mean > 0 else 'is worse than'} {name}: {numbers}."


def front_table(trials: Iterable[Row]) -> str:
    """The best H for each cost, of trials at full length."""
    rows = front(trials)
    if not rows:
        return "no trial has finished yet"
    lines: list[tuple[str, ...]] = [("validation H by cost", "cost", "H", "SA", "RA")]
    lines += [
        (
            setting(row),
            format_cost(round(row["cost"], 3)),
            *(_points(row[name]) for name in ("val_h", "val_sa", "val_ra")),
        )
        for row in rows
    ]
    return _aligned(lines)


def counts_line(trials: Iterable[Row]) -> str:
    """How many trials there are of each status, and what they have cost."""
    rows = list(trials)
    found = {
        status: sum(row["status"] == status for row in rows) for status in ("finished", "stopped", "failed", "running")
    }
    named = ", ".join(f"{count} {status}" for status, count in found.items() if count)
    return f"{len(rows)} trials: {named or 'none'}; spent {format_cost(round(sum(_spent(row) for row in rows), 1))}"


def final_text(folder: Path | str, trials: list[Row], confirm: list[Row]) -> str:
    """What stands at the end of a study: the confirmed table, the front, where things lie, what to do next."""
    parts = []
    if confirm:
        parts.append(
            "On test images and the 15 corruptions, mean ± 95 % CI over seeds; differences in H, paired by seed:"
        )
        parts.append(confirmed_table(confirm))
        parts += ["\n".join(verdict(confirm))] if verdict(confirm) else []
    if trials:
        parts += [front_table(trials), counts_line(trials)]
        short = len([row for row in trials if row["status"] == "finished"]) - len(finished(trials))
        parts += [f"{short} finished trials were shorter than the others and are not ranked"] if short else []
    parts.append(f"everything lies in {folder}: study.json, trials.csv, epochs.csv, confirm.csv, corruptions.csv")
    parts.append(
        f"next: {PROGRAM} show {folder}" + (f"   or: {PROGRAM} --resume {folder} --extend 24" if trials else "")
    )
    return "\n\n".join(parts)
