"""The phases of a search as one source of jobs: search, race and confirmation."""

from collections.abc import Callable
from typing import Any

from study.config.study_config import Study
from study.confirm.chosen import choose, roles, size_of
from study.confirm.confirm import Confirm
from study.files.ranking import best, spent
from study.files.results import Results
from study.papers.baselines import BASELINES
from study.race.contenders import ranking
from study.race.race import Race
from study.search.search import Search, annotate
from study.workers.in_turn import InTurn
from study.workers.watched import Watched

Show = Callable[[str, dict[str, float]], None]


def phases(
    study: Study, results: Results, progress: Any, show: Show, rungs: tuple[float, ...] = (), searching: bool = True
) -> InTurn:
    """The phases that a study asks for; those that need nothing that is still to come have begun."""
    trials = results.trials
    progress.begin("search", study.trials or 0, trials, study.total_budget)
    several = []
    if searching:
        several.append(Watched(Search(study, results, progress, rungs), "search", show, spent(trials)))
    if study.race and study.confirm:
        several.append(_race(study, results, progress, show))
    if study.confirm:
        several.append(_confirmation(study, results, progress, show))
    source = InTurn(several)
    source.begin()
    return source


def _race(study: Study, results: Results, progress: Any, show: Show) -> Watched:
    """The race begins with the best of the search."""
    later = progress.beside("race")
    race = Race(study, results, later)

    def begin() -> None:
        progress.end()
        race.begin()
        later.take_over(*race.planned)

    return Watched(race, "race", show, at_begin=begin)


def _confirmation(study: Study, results: Results, progress: Any, show: Show) -> Watched:
    """The confirmation begins with the winner of the race."""
    later = progress.beside("confirm")
    known = [each for each in choose(study) if not (study.dealt and each.why in BASELINES)]  # their rates come last
    confirm = Confirm(study, known, results, later)

    def begin() -> None:
        if not best(results.trials):
            confirm.waiting.clear()  # the baselines have nothing to be compared with
            return
        annotate(study, ranking(study, results.trials, results.race))
        chosen = choose(study, results)
        results.relabel(roles(chosen))
        confirm.add(chosen)
        progress.end()
        later.take_over(*size_of(chosen))

    return Watched(confirm, "confirm", show, at_begin=begin)
