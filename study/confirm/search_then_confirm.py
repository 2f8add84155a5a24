"""A search and its confirmation in one run of the workers, so that none is idle while the last trials end."""

from collections.abc import Callable
from typing import Any

from study.config.study_config import Study
from study.confirm.chosen import choose, ended_of, roles, size_of
from study.confirm.confirm import Confirm
from study.files.configs import config_id
from study.files.ranking import best
from study.files.results import Results
from study.papers.baselines import BASELINES
from study.workers.jobs import Job, Row
from study.workers.watched import Watched


def with_confirmation(search: Watched, study: Study, results: Results, progress: Any) -> "SearchThenConfirm":
    """A study's search followed by its confirmation, which has a progress of its own."""
    assert study.out is not None
    later = progress.beside()
    known = [each for each in choose(study, []) if not (study.dealt and each.why in BASELINES)]  # their rates come last
    later.begin("confirm", 0, ended_of(study, known, results.confirm))
    confirm = Confirm(study, known, results, later)

    def choose_best() -> None:
        if not best(results.trials):
            confirm.waiting.clear()  # the baselines have nothing to be compared with
            return
        chosen = choose(study, results.trials)
        results.relabel(roles(chosen))
        new = [each for each in chosen if config_id(each.config) not in confirm.chosen]
        confirm.add(chosen)
        progress.end()
        later.take_over(*size_of(chosen), ended_of(study, new, results.confirm))

    return SearchThenConfirm(search, Watched(confirm, "confirm", search.show, 0.0), choose_best)


class SearchThenConfirm:
    """A source that hands out the trials first and then the runs of the confirmation.

    The baselines and published settings need no result of the search: a worker that finds no trial left begins with
    them. When the last trial has ended, `choose_best` gives the best to `confirm`.
    """

    def __init__(self, search: Any, confirm: Any, choose_best: Callable[[], None]) -> None:
        self.search, self.confirm, self.choose_best = search, confirm, choose_best
        self.chosen = False

    @property
    def finished(self) -> bool:
        return self.chosen and self.confirm.finished

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do; after an interruption there is."""
        return self.chosen and self.confirm.complete

    def next(self) -> Job | None:
        job = self.search.next()
        if job is not None or not self.search.finished:
            return job
        if self.search.complete and not self.chosen:
            self.chosen = True
            self.choose_best()
        return self.confirm.next()

    def on_result(self, job: Job, row: Row) -> None:
        self._owner(job).on_result(job, row)

    def on_end(self, job: Job, row: Row | None, error: str) -> None:
        self._owner(job).on_end(job, row, error)

    def _owner(self, job: Job) -> Any:
        return self.confirm if job.measure == "all" else self.search
