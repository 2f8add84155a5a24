"""Leads a study through its phases: search, confirmation or a table, and its final text.

Importing this takes seconds (torch, Ray, Optuna): `study.run` does so once the options are known to be right.
"""

import dataclasses
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from study.commands import command, tool
from study.config.seeds import confirm_seeds
from study.config.space import space_record
from study.config.study_config import Study
from study.confirm.chosen import Candidate, check_images, choose_table, roles
from study.confirm.confirm import Confirm
from study.display.data_lines import data_lines
from study.display.finished import result_text
from study.display.progress import Progress
from study.display.rows import first_line
from study.ending import terminable
from study.errors import Interrupted, StudyFailed, last_line, reading_input
from study.files.lock import locked
from study.files.ranking import best
from study.files.results import Results, Row
from study.files.store import Copy, is_url
from study.files.study_json import now, study_id, study_record
from study.files.timings import remember_timing, timing_of
from study.phases import phases
from study.race.contenders import rounds
from study.ray_tune import session, trainable, tuner
from study.ray_tune.cost_rungs import CostRungs
from study.ray_tune.gauges import StudyGauges
from study.ray_tune.loggers import check_callbacks, make_loggers
from study.ray_tune.own_scheduler import OfSearch, check_scheduler
from study.search.halving import Halving, rung_costs
from study.search.sampling import check_sampler
from study.search.search import rungs_so_far
from study.workers import gpu_sharing
from study.workers.datasets import Data, data_key
from study.workers.in_turn import InTurn
from study.workers.jobs import ClusterError
from study.workers.own import OWN, Own
from study.workers.tally import Tally
from study.workers.upload import Upload
from study.workers.work_folder import Tidying, base_of, check_writable
from trainables.config import TrialConfig, make_method
from trainables.data.images import Splits
from trainables.disk import remove_unfinished
from trainables.models.registry import TIMM, imagenet_weights
from trainables.training.state import build_network


class StudyDriver:
    """One call of a study: `run` checks the input, opens Ray and the folder, and leads the phases."""

    def __init__(self, study: Study, own: Own | None = None) -> None:
        assert study.out is not None
        self.study, self.folder, self.own = study, Path(study.out), own or Own()
        self.name = self.folder.resolve().name
        self.tally = Tally()
        self.progress = Progress(self.tally, quiet=study.quiet)
        self.results, self.data = Results(self.folder), Data(study)
        self.workers: dict[Any, Any] = {}
        self.upload: Upload | None = None

    def run(self, searching: bool = True) -> Results:
        """Search and confirm, or one of them alone, or train a table's rows.

        Raises InputError before anything is written, Interrupted after Ctrl-C, and StudyFailed for whatever else ends
        the study early.
        """
        with ExitStack() as stack:
            try:
                with reading_input():
                    planned = self.check(searching)
                    dashboard = self.open(stack, planned)
            except ClusterError as error:
                raise StudyFailed(str(error), self._resumable()) from error
            try:
                self.begin(dashboard)
                self.phases(searching, planned)
                self.end()
            except KeyboardInterrupt:
                raise self.interrupted() from None
            except Exception as error:
                raise self.failed(error) from error
        return self.results

    # --------------------------------------------------------------------------------------------- the preparation

    def check(self, searching: bool) -> list[Candidate]:
        """Look over files, address, data and batch size; the rows of a table, if this is one."""
        study = self.study
        for results in (self.results, *map(Results, study.warm_start)):
            results.check()
        session.check_reachable(session.address_of(study.address))
        self.check_own(searching)
        planned = choose_table(study) if study.table else []
        check_images(study, planned)
        self.splits = self.data.of(planned[0].config if planned else study.trial)
        if not (study.resume or study.address):  # machines of a cluster have caches of their own
            check_networks([each.config for each in planned] or in_methods(study), self.splits)
        return planned

    def check_own(self, searching: bool) -> None:
        """Look over what a program has handed over, and what a program must hand over again."""
        study, own = self.study, self.own
        check_callbacks(study.logger, own.callbacks)
        for name, check in (("sampler", check_sampler), ("scheduler", check_scheduler)):
            if getattr(own, name) is not None:
                check(getattr(own, name))
            elif getattr(study, name) == OWN and searching:
                raise ValueError(
                    f"{name} must be passed again, it is an object from Python: study.run(resume=…, {name}=…)"
                )

    def open(self, stack: ExitStack, planned: list[Candidate]) -> str:
        """Share the GPU, start Ray and lock the folder until the stack is closed; the dashboard's URL."""
        study = self.study
        self.cpus, self.gpus = study.cpus_per_trial, gpus_of(study)
        stack.enter_context(self.shared_gpu([each.config for each in planned]))
        dashboard = stack.enter_context(session.ray_session(study.address, self.name))
        stack.enter_context(terminable())
        self.slots = session.Slots(self.cpus, self.gpus, study.concurrency, study.trial.processes_per_trial)
        self.slots.check()
        if study.storage:
            check_writable(study.storage)
        stack.enter_context(locked(self.folder))
        self.results = Results(self.folder)  # read again: whoever held the lock before may have written
        return dashboard

    @contextmanager
    def shared_gpu(self, configs: list[TrialConfig]) -> Iterator[None]:
        """Inside, trials may share a GPU: as many as asked for, or as many as a try finds best."""
        study = self.study
        with gpu_sharing.sharing_service(bool(self.gpus) and study.trials_per_gpu != 1 and not study.address):
            if self.gpus and study.trials_per_gpu is None:
                most = max(1, int((os.cpu_count() or 1) / self.cpus))
                tried = gpu_sharing.try_out(gpu_sharing.heaviest(study, configs), self.splits, "cuda", most)
                self.gpus = 1 / gpu_sharing.best_number(tried)
                self.progress.say(gpu_sharing.packing_text(tried))
            yield

    # -------------------------------------------------------------------------------------------------- the phases

    def begin(self, dashboard: str) -> None:
        """Write what the study is, or that it is resumed."""
        study = self.study
        self.gauges = StudyGauges(self.name, self.tally)
        self.listeners = [self.tally, self.progress, self.gauges, Tidying(), *self.own.listeners]
        if study.storage and is_url(study.storage):
            self.upload = Upload(Copy(self.folder, base_of(str(self.folder), study.storage)), self.progress.say)
            self.listeners.append(self.upload)
        remove_unfinished(self.folder)
        if self._resumable():
            self.results.update_study(options=study.as_dict(), seeds=seeds_of(study), state="running", end=None)
        else:
            self.results.write_study(
                study_record(
                    study.as_dict(),
                    sys.argv,
                    space=space_record(study),
                    device="GPU" if self.gpus else "CPU",
                    data={"source": self.splits.source, "digest": self.splits.digest},
                    seeds=seeds_of(study),
                    own=self.own.names or None,
                )
            )
        for line in data_lines(study, self.splits):
            self.progress.say(line)
        if study.dashboard:
            where = f"http://{dashboard}" if dashboard else "not available; install the extra `cluster`"
            self.progress.say(f"Ray dashboard: {where}   token: {tool('ray', 'get-auth-token')}")
            self.progress.say(f"trials: {tool('optuna-dashboard', self.folder / 'optuna.log')}")

    def phases(self, searching: bool, planned: list[Candidate]) -> None:
        """Search, race and confirmation, or the rows of a table."""
        if self.study.table:
            self.table(planned)
            return
        study = self.study
        if searching and study.retry_failed:
            self.results.reopen_failed()
        rungs = rung_costs(study.per_epoch, study.trial.epochs) if study.scheduler == "asha" else ()
        halving = Halving(rungs, rungs_so_far(self.results, rungs))
        source = phases(study, self.results, self.listeners, rungs, searching, self.own.sampler)
        scheduler: Any = CostRungs(halving, self.folder / "rungs.csv") if rungs else None
        if self.own.scheduler is not None:
            scheduler = OfSearch(self.own.scheduler)
        if not source.finished:
            self.run_jobs(source, study.trial, scheduler)
        if not best(self.results.trials):
            raise StudyFailed(f"no trial finished: {reasons(self.results.trials)}")

    def table(self, chosen: list[Candidate]) -> None:
        """Train and measure the rows of a table; data set by data set, so that each is loaded once."""
        groups: dict[Any, list[Candidate]] = {}
        for each in chosen:
            groups.setdefault(data_key(each.config), []).append(each)
        self.results.relabel(roles(chosen))
        several = [Confirm(self.study, group, self.results, of=chosen) for group in groups.values()]
        sources = [InTurn([confirm], self.listeners) for confirm in several]
        for source in sources:
            source.begin()
        for source, group in zip(sources, groups.values(), strict=True):
            if not source.finished:
                self.run_jobs(source, group[0].config)
        if all(row["h"] is None for row in self.results.confirm):
            raise StudyFailed(f"no run finished: {reasons(self.results.confirm)}")

    def run_jobs(self, source: Any, config: TrialConfig, scheduler: Any = None) -> None:
        """Run a source's jobs on the data of a configuration; KeyboardInterrupt if Ctrl-C ended them early."""
        study, key = self.study, data_key(config)
        if key not in self.workers:
            self.workers[key] = trainable.worker_for(
                self.data.of(config), self.name, self.cpus, self.gpus, study.trial.processes_per_trial
            )
        tuner.run_jobs(
            source, self.workers[key], name=self.name, folder=self.folder / "ray", slots=self.slots,
            max_failures=study.max_failures, scheduler=scheduler, trial_timeout=study.trial_timeout,
            say=self.progress.say, identity=study_id(self.results.read_study()),
            callbacks=[*make_loggers(study.logger, self.folder), *self.own.callbacks],
        )  # fmt: skip
        self.progress.end()
        if not source.complete:
            raise KeyboardInterrupt  # Tune catches the signal itself and only stops its trials

    # ------------------------------------------------------------------------------------------------- the endings

    def end(self) -> None:
        """Print the final text, and keep what a vanilla epoch took here for the next plan."""
        self.finish("finished")
        results, trial, images = self.results, self.study.trial, len(self.splits.train)
        if not self.study.table and (timing := timing_of(trial, images, results.trials, results.confirm)):
            remember_timing(trial, "cuda" if self.gpus else "cpu", timing)
        print(result_text(self.study, results))

    def interrupted(self) -> Interrupted:
        """What to raise after Ctrl-C; the state is written."""
        self.finish("interrupted")
        return Interrupted(f"interrupted; resume with: {command('--resume', self.folder)}")

    def failed(self, error: Exception) -> StudyFailed:
        """What to raise after an error; traceback and state are written, if the disk has room for them."""
        expected = isinstance(error, (StudyFailed, ClusterError))
        try:
            if not isinstance(error, StudyFailed):
                with open(self.folder / "driver.log", "a", encoding="utf-8") as log:
                    log.write(f"{now()}\n{''.join(traceback.format_exception(error))}\n")
            self.finish("failed")
        except (OSError, ValueError) as second:
            print(f"error: study.json could not be updated ({second})", file=sys.stderr)
        return StudyFailed(str(error) if expected else last_line(error), self._resumable())

    def finish(self, state: str) -> None:
        self.gauges.end()
        self.progress.end()
        self.results.update_study(state=state, end=now())
        if self.upload:
            self.upload.update()

    def _resumable(self) -> Path | None:
        """The folder, once it is a study that `--resume` reads."""
        return self.folder if (self.folder / "study.json").is_file() else None


def check_networks(configs: Iterable[TrialConfig], splits: Splits) -> None:
    """Download pretrained weights that are not there, and build what timm has to build; ValueError or OSError."""
    configs = list(configs)
    for model in sorted({each.model for each in configs if each.pretrained and not each.model.startswith(TIMM)}):
        imagenet_weights(model)
    for config in {(each.model, each.method.dual): each for each in configs if each.model.startswith(TIMM)}.values():
        build_network(config, splits)


def in_methods(study: Study) -> list[TrialConfig]:
    """The configuration of a search with each of its methods."""
    return [dataclasses.replace(study.trial, method=make_method(name, {})) for name in study.methods]


def seeds_of(study: Study) -> dict[str, Any]:
    """The seeds of each phase, or of a table's rows, as study.json keeps them."""
    if study.table:
        return {"table": sorted({seed for row in choose_table(study) for seed in row.seeds})}
    race = [seed for several in rounds(study) for seed in several] if study.race else []
    return {"trials": study.seed, "proposals": study.seed, "race": race, "confirm": list(confirm_seeds(study))}


def gpus_of(study: Study) -> float:
    """GPUs of a trial; with `trials_per_gpu` auto one, until it has been tried out."""
    if study.gpus_per_trial is not None:
        return study.gpus_per_trial
    wanted = study.device.startswith("cuda") or (study.device == "auto" and torch.cuda.is_available())
    return 1 / (study.trials_per_gpu or 1) if wanted else 0.0


def reasons(rows: Iterable[Row]) -> str:
    """Why rows failed: each reason once, with how many rows have it; reasons that differ in numbers alone are one."""
    groups: dict[str, list[str]] = {}
    for line in (first_line(row["error"]) for row in rows if row["error"]):
        groups.setdefault(re.sub(r"[\d.]+", "#", line), []).append(line)
    return "; ".join(f"{len(lines)} × {lines[0]}" for lines in groups.values()) or "all were stopped early"
