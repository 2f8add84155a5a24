"""What a person sees of a running study.

In a terminal there is one live line, and one line stays for each run that ended; in a file there are only the lines
that stay.
"""

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from study.config.budget import format_cost
from study.display.rows import duration, ended_line, setting
from study.workers.jobs import Job, Row
from study.workers.listener import Listener, Phase
from study.workers.tally import Counts, Tally


def live_line(phase: str, counts: Counts, seconds_left: float | None = None, width: int | None = None) -> str:
    """done/running/total, the best so far, what was spent of what, time left."""
    numbers = f"{counts.done}/{counts.total} done, {counts.running} running"
    numbers += f", {counts.stopped} stopped" if counts.stopped else ""
    numbers += f", {counts.failed} failed" if counts.failed else ""
    parts = [f"{phase}: {numbers}"]
    if counts.best is not None:
        parts.append(f"best H {counts.best['val_h']:.2f}: {setting(counts.best)}")
    of = f" of {format_cost(round(counts.planned, 1))}" if counts.planned else ""
    parts.append(f"spent {format_cost(round(counts.spent, 1))}{of}")
    if seconds_left is not None:
        parts.append(f"{duration(seconds_left)} left")
    line = "  ".join(parts)
    return line if width is None or len(line) < width else line[: max(0, width - 2)] + "…"


class Progress(Listener):
    """Writes what happens to a stream. The live line is of the phase that began last."""

    def __init__(
        self,
        tally: Tally,
        stream: TextIO | None = None,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tally, self.stream, self.quiet, self.clock = tally, stream or sys.stdout, quiet, clock
        self.phase = ""
        self.since = self.spent_before = 0.0  # when the phase began or grew, and what this call had spent on it

    def on_phase(self, phase: Phase) -> None:
        self.phase, self.since = phase.name, self.clock()
        self.spent_before = self.tally.phases[phase.name].spent_here
        self.show()

    def on_start(self, phase: str, job: Job) -> None:
        self.show()

    def on_result(self, phase: str, job: Job, row: Row) -> None:
        self.show()

    def on_end(self, phase: str, job: Job, row: Row) -> None:
        self.say(ended_line(row))

    def say(self, line: str) -> None:
        """A line that stays."""
        if not self.quiet:
            self.end()
            print(line, file=self.stream, flush=True)
            self.show()

    def show(self) -> None:
        """The live line, in a terminal alone."""
        if self.phase and not self.quiet and self.stream.isatty():
            counts = self.tally.phases[self.phase]
            line = live_line(self.phase, counts, self._seconds_left(counts), shutil.get_terminal_size().columns)
            print(f"\r\033[K{line}", end="", file=self.stream, flush=True)

    def end(self) -> None:
        """Take the live line away."""
        if not self.quiet and self.stream.isatty():
            print("\r\033[K", end="", file=self.stream, flush=True)

    def _seconds_left(self, counts: Counts) -> float | None:
        """From the cost of what is left and the time that an N-epoch took since the phase began."""
        planned, spent = counts.planned, counts.spent_here - self.spent_before
        if planned is None and counts.finished:
            mean = counts.cost_of_finished / counts.finished
            planned = counts.spent + (counts.total - counts.done - counts.running / 2) * mean
        if planned is None or spent <= 0:
            return None
        return max(0.0, planned - counts.spent) * (self.clock() - self.since) / spent
