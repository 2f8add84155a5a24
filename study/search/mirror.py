"""The copy of a search on disk, for optuna-dashboard."""

import os
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from study.search.sampling import Direction, Proposals
from study.workers.jobs import Job, Row
from study.workers.listener import Listener, Phase


class Mirror(Listener):
    """A copy of the ended trials on disk: `optuna-dashboard optuna.log` shows it while the study runs."""

    def __init__(self, path: Path, name: str, directions: tuple[Direction, ...], proposals: Proposals) -> None:
        self.proposals = proposals
        mend(path)
        try:
            self.study = _journal_study(path, name, directions)
        except Exception:  # Optuna replays a damaged line without checking it, and anything may be raised
            path.replace(path.with_name(path.name + ".damaged"))  # the trials are copied anew
            self.study = _journal_study(path, name, directions)
        self.study.set_metric_names(["validation H", "cost in N"][: len(directions)])
        self.held = {trial.user_attrs.get("trial") for trial in self.study.get_trials(deepcopy=False)}

    def on_phase(self, phase: Phase) -> None:
        if phase.name == "search":
            for row in phase.earlier:
                self.add(row["trial"])

    def on_end(self, phase: str, job: Job, row: Row) -> None:
        if phase == "search":
            self.add(row["trial"])

    def add(self, number: int) -> None:
        """Copy a trial that has ended, once; one that is outside the space is not known to Optuna."""
        trial = self.proposals.trial(number)
        if trial is not None and number not in self.held:
            self.study.add_trial(trial)
            self.held.add(number)


def note(path: Path, name: str, directions: tuple[Direction, ...], ranked: list[dict[str, Any]]) -> None:
    """Write the order of the settings into the copy on disk, unless it is there."""
    study = _journal_study(path, name, directions)
    if study.user_attrs.get("race") != ranked:
        study.set_user_attr("race", ranked)


def _journal_study(path: Path, name: str, directions: tuple[Direction, ...]) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.create_study(storage=storage, study_name=name, directions=list(directions), load_if_exists=True)


def mend(path: Path) -> None:
    """Mend a journal after a kill: a stale lock blocks every writer, and the next line would join a torn one."""
    path.with_name(path.name + ".lock").unlink(missing_ok=True)  # the only writer holds the study's own lock
    text = path.read_bytes() if path.exists() else b""
    if text and not text.endswith(b"\n"):
        os.truncate(path, text.rfind(b"\n") + 1)
