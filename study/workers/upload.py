"""Sends a study's tables to its object store, so that it can be resumed where its own folder is lost."""

from collections.abc import Callable

from study.files.store import Copy
from study.workers.jobs import Job, Row
from study.workers.listener import Listener, Phase


class Upload(Listener):
    """Brings the copy up to date before a run begins and after it has ended.

    A store that cannot be reached is said once; the next event tries again.
    """

    def __init__(self, copy: Copy, say: Callable[[str], None]) -> None:
        self.copy, self.say = copy, say
        self.failed = False

    def on_phase(self, phase: Phase) -> None:
        self.update()

    def on_start(self, phase: str, job: Job) -> None:
        self.update()

    def on_end(self, phase: str, job: Job, row: Row) -> None:
        self.update()

    def update(self) -> None:
        try:
            self.copy.update()
            self.failed = False
        except OSError as error:
            if not self.failed:
                self.say(f"storage: could not reach {self.copy.place}, the tables will be sent later ({error})")
            self.failed = True
