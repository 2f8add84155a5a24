"""The phases of a search as one source of jobs: search, race and confirmation."""

from collections.abc import Sequence
from typing import Any

from study.config.study_config import Study
from study.confirm.chosen import choose
from study.confirm.confirm import Confirm
from study.files.results import Results
from study.papers.baselines import BASELINES
from study.race.race import Race
from study.search.search import Search, mirror_of
from study.workers.in_turn import InTurn
from study.workers.jobs import PhaseSource
from study.workers.listener import Listener


def phases(
    study: Study,
    results: Results,
    listeners: Sequence[Listener] = (),
    rungs: tuple[float, ...] = (),
    searching: bool = True,
    sampler: Any = None,
) -> InTurn:
    """The phases that a study asks for; those that need nothing that is still to come have begun."""
    several: list[PhaseSource] = []
    hearing = list(listeners)
    if searching:
        search = Search(study, results, rungs, sampler)
        several.append(search)
        hearing.append(mirror_of(study, search))
    if study.race and study.confirm:
        several.append(Race(study, results))
    if study.confirm:
        # Where learning rates are searched, those of the baselines come last.
        known = [each for each in choose(study) if not (study.dealt and each.why in BASELINES)]
        several.append(Confirm(study, known, results))
    source = InTurn(several, hearing)
    source.begin()
    return source
