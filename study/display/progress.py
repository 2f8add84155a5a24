"""What a person sees of a running study.

In a terminal there is one live line, and one line stays for each trial that ended; in a file there are only the lines
that stay.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import fmean
from typing import TextIO

from study.config.budget import format_cost
from study.display.rows import duration, ended_line, setting, spent_of
from study.files.ranking import best
from study.files.results import Row


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
    live: bool = True  # whether the live line is this one's
    clock: Callable[[], float] = time.monotonic
    state: State = field(default_factory=State)
    since: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)  # by the runs of this call
    since_then: float = 0.0  # spent by all runs since `since`
    costs: list[float] = field(default_factory=list)  # of runs that came to their end

    def begin(self, phase: str, total: int, done: Iterable[Row] = (), planned: float | None = None) -> None:
        """A phase of so many runs, of which these rows are there already; `planned` is its cost where it is known."""
        rows = [row for row in done if row.get("status") != "running"]
        self.state = State(phase, total, planned=planned)
        self.earlier(rows)
        self.since, self.spent, self.since_then = self.clock(), {}, 0.0
        self.costs = [spent_of(row) for row in rows if row.get("status", "finished") == "finished"]
        self.show()

    def beside(self, phase: str) -> "Progress":
        """A further phase, some of which runs while this one has the live line."""
        later = Progress(self.stream, self.quiet, live=False, clock=self.clock)
        later.begin(phase, 0)
        return later

    def earlier(self, rows: Iterable[Row]) -> None:
        """Count runs of this phase that had ended before this call."""
        for row in rows:
            self._count(row)
            self.state.spent += spent_of(row)

    def take_over(self, total: int, planned: float) -> None:
        """The live line is this one's from now on; the time left follows from what happens from now on."""
        self.live, self.since, self.since_then = True, self.clock(), 0.0
        self.state.total, self.state.planned = total, planned
        self.show()

    def started(self, name: str) -> None:
        self.state.running += 1
        self.show()

    def epoch(self, name: str, row: Row) -> None:
        self.since_then += row["spent"] - self.spent.get(name, row["spent"] - row["cost"])
        self.state.spent += row["spent"] - self.spent.get(name, 0.0)
        self.spent[name] = row["spent"]
        self.show()

    def ended(self, row: Row) -> None:
        """A trial or a confirmed run has ended: its line stays."""
        self.state.running = max(0, self.state.running - 1)
        self._count(row)
        if row.get("status", "finished") == "finished":
            self.costs.append(spent_of(row))
        self.say(ended_line(row))

    def say(self, line: str) -> None:
        """A line that stays."""
        if not self.quiet:
            self._clear()
            print(line, file=self.stream, flush=True)
            self.show()

    def show(self) -> None:
        """The live line, in a terminal alone."""
        if self.live and not self.quiet and self.stream.isatty():
            self.state.seconds_left = self._seconds_left()
            print(f"\r\033[K{live_line(self.state, _width())}", end="", file=self.stream, flush=True)

    def end(self) -> None:
        """Take the live line away."""
        self._clear()

    def _clear(self) -> None:
        if not self.quiet and self.stream.isatty():
            print("\r\033[K", end="", file=self.stream, flush=True)

    def _count(self, row: Row) -> None:
        value = row.get("val_h") if "round" in row else row.get("h")
        status = row.get("status") or ("failed" if value is None else "finished")
        self.state.done += 1
        self.state.failed += status == "failed"
        self.state.stopped += status == "stopped"
        if "status" in row:
            self.state.best = next(iter(best([each for each in (self.state.best, row) if each])), None)

    def _seconds_left(self) -> float | None:
        """From the cost of what is left and the time that an N-epoch took since this call began."""
        state, spent = self.state, self.since_then
        planned = state.planned
        if planned is None and self.costs:
            planned = state.spent + (state.total - state.done - state.running / 2) * fmean(self.costs)
        if planned is None or spent <= 0:
            return None
        return max(0.0, planned - state.spent) * (self.clock() - self.since) / spent


def _width() -> int:
    return shutil.get_terminal_size().columns
