"""Leads a study through its phases: search, confirmation or a table, and its final text."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from study.config.space import published_values, trial_config
from study.config.study_config import Study
from study.workers.datasets import Data, data_key
from study.workers.jobs import ClusterError
from trainables.config import TrialConfig

if TYPE_CHECKING:
    pass


def heaviest(study: Study, planned: list[Any]) -> TrialConfig:
    """The dearest row of a table, or the dearest published setting that the search may propose."""
    configs = [each.config for each in planned]
    if not configs:
        configs = [study.trial, *(trial_config(study, values, 0) for values in published_values(study))]
    return max(configs, key=lambda config: config.method.cost)


DONE, WRONG_INPUT, INTERRUPTED, FAILED = 0, 2, 130, 1


def conduct(study: Study) -> int:
    """The whole study: search and confirmation, or a table; an exit code."""
    return StudyDriver(study).run(searching=study.table is None)


def confirm_again(study: Study) -> int:
    """The confirmation alone, of a study that was searched before; an exit code."""
    return StudyDriver(study).run(searching=False)


class StudyDriver:
    """Leads a study from its options to its final text; everything heavy is imported here, after the input is known
    to be right."""

    def __init__(self, study: Study) -> None:
        from study.display.progress import Progress

        self.study, self.progress = study, Progress(quiet=study.quiet)
        assert study.out is not None
        self.folder = Path(study.out)
        self.workers: dict[Any, Any] = {}
        self.splits: Any = None

    def run(self, searching: bool) -> int:
        # What can be wrong with the input is found before anything is written: files, address, data, batch size.
        from study.files.results import Results

        study = self.study
        for folder in (str(self.folder), *study.warm_start):
            Results(folder).check()

        from study.confirm.chosen import check_pictures, choose_table
        from study.ray_tune import session
        from study.ray_tune.gauges import StudyGauges
        from study.workers.work_folder import check_writable

        session.check_reachable(study.address or os.environ.get("RAY_ADDRESS") or "local")
        self.cpus, self.gpus = resources(study)
        data = Data(study)
        planned = choose_table(study) if study.table else []
        check_pictures(study, planned)
        first = planned[0].config if planned else study.trial
        self.splits = data.of(first)
        with self.shared_gpu(planned), session.ray_session(study.address, self.name) as url:
            self.slots = min(study.concurrency or sys.maxsize, session.slots_of(self.cpus, self.gpus))
            if study.storage:
                check_writable(study.storage)
            with self.lock():
                self.results, self.gauges = Results(self.folder), StudyGauges(self.name)
                try:
                    self.begin(self.splits)
                    self.say_dashboard(url)
                    return self.phases(searching, data)
                except (OSError, ClusterError) as error:  # a full disk, a lost cluster
                    return self.failed(str(error))
                except KeyboardInterrupt:  # twice, or beside the trials: nothing is waited for
                    return self.interrupted()

    def phases(self, searching: bool, data: "Data") -> int:
        """Search, then confirmation, or the rows of a table; an exit code."""
        from study.confirm.chosen import choose, choose_table
        from study.files.ranking import best

        study = self.study
        if searching and not self.search(data):
            return self.interrupted()
        if searching and study.confirm and not best(self.results.trials):
            return self.failed("no trial came to its end; the reasons stand in trials.csv")
        chosen = choose_table(study) if study.table else choose(study, self.results.trials)
        if (study.confirm or study.table) and not self.confirm(chosen, data):
            return self.interrupted()
        return self.end()

    @contextmanager
    def shared_gpu(self, planned: list[Any]) -> Iterator[None]:
        """Inside, trials may share a GPU: as many as was asked for, or as many as a try finds best."""
        from study.workers import gpu_sharing

        study = self.study
        with gpu_sharing.sharing_service(bool(self.gpus) and study.trials_per_gpu != 1 and not study.address):
            if self.gpus and study.trials_per_gpu is None:
                most = max(1, int((os.cpu_count() or 1) / self.cpus))
                tried = gpu_sharing.try_out(heaviest(study, planned), self.splits, "cuda", most)
                self.gpus = 1 / gpu_sharing.best_number(tried)
                self.progress.say(gpu_sharing.packing_text(tried))
            yield

    # -------------------------------------------------------------------------------------------------- phases

    def search(self, data: "Data") -> bool:
        """Whether the search came to its end, and with it what of the confirmation ran in the same call."""
        from study.confirm.search_then_confirm import with_confirmation
        from study.files.ranking import spent
        from study.ray_tune.cost_rungs import CostRungs
        from study.search.halving import rung_costs
        from study.search.search import Search, rungs_so_far
        from study.workers.watched import Watched

        study, config = self.study, self.study.trial
        rungs = rung_costs(study.per_epoch, config.epochs) if study.scheduler == "asha" else ()
        earlier = rungs_so_far(self.results, rungs)
        log = self.folder / "rungs.csv"
        scheduler = CostRungs(study.per_epoch, config.epochs, earlier, log) if rungs else None
        trials = self.results.trials
        self.progress.begin("search", study.trials or 0, trials, study.total_budget)
        source: Any = Watched(
            Search(study, self.results, self.progress, rungs), "search", self.gauges.show, spent(trials)
        )
        if source.finished:
            return True
        if study.confirm:
            source = with_confirmation(source, study, self.results, self.progress)
        self.run_jobs(source, self.worker(data, config), scheduler)
        self.progress.end()
        return source.complete

    def confirm(self, chosen: list[Any], data: "Data") -> bool:
        """Whether all chosen configurations were measured; data set by data set, so that each is loaded once."""
        from study.confirm.chosen import roles, size_of
        from study.confirm.confirm import Confirm
        from study.workers.watched import Watched

        phase = "table" if self.study.table else "confirm"
        groups: dict[Any, list[Any]] = {}
        for each in chosen:
            groups.setdefault(data_key(each.config), []).append(each)
        self.results.relabel(roles(chosen))
        total, planned = size_of(chosen)
        self.progress.begin(phase, total, self.results.confirm, planned)
        for group in groups.values():
            source = Watched(Confirm(self.study, group, self.results, self.progress), phase, self.gauges.show, 0.0)
            if source.finished:
                continue
            config = group[0].config
            self.run_jobs(source, self.worker(data, config), None)
            if not source.complete:
                self.progress.end()
                return False
        self.progress.end()
        return True

    def run_jobs(self, source: Any, worker: Any, scheduler: Any) -> None:
        from study.ray_tune import tuner

        study = self.study
        tuner.run_jobs(
            source, worker, name=self.name, folder=self.folder / "ray", slots=self.slots,
            max_failures=study.max_failures, scheduler=scheduler, tensorboard=study.tensorboard,
        )  # fmt: skip

    def worker(self, data: "Data", config: Any) -> Any:
        from study.ray_tune import trainable

        key = data_key(config)
        if key not in self.workers:
            self.workers[key] = trainable.worker_for(data.of(config), self.name, self.cpus, self.gpus)
        return self.workers[key]

    # ------------------------------------------------------------------------------------------- begin and end

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    def begin(self, splits: Any) -> None:
        """Write what the study is, or that it goes on."""
        from study.config.space import space_record
        from study.files.study_json import study_record
        from trainables.disk import remove_unfinished

        study = self.study
        remove_unfinished(self.folder)
        if (self.folder / "study.json").exists():
            self.results.update_study(options=study.as_dict(), state="running", end=None)
            return
        record = study_record(study.as_dict(), sys.argv, space_record(study))
        record["device"] = "GPU" if self.gpus else "CPU"
        record["data"] = {"source": splits.source, "digest": splits.digest}
        record["seeds"] = seeds_of(study)
        self.results.write_study(record)

    def say_dashboard(self, url: str) -> None:
        if self.study.dashboard:
            where = f"http://{url}" if url else "not there; install the extra `cluster`"
            self.progress.say(f"Ray dashboard: {where}   token: ray get-auth-token")
            self.progress.say(f"trials: optuna-dashboard {self.folder / 'optuna.log'}")

    def interrupted(self) -> int:
        from study.config.study_config import PROGRAM

        self.finish("interrupted")
        print(f"interrupted; go on with: {PROGRAM} --resume {self.folder}", file=sys.stderr)
        return INTERRUPTED

    def failed(self, why: str) -> int:
        from study.config.study_config import PROGRAM

        print(f"error: {why}; go on with: {PROGRAM} --resume {self.folder}", file=sys.stderr)
        try:
            self.finish("failed")
        except OSError as error:  # a full disk holds no word of it either; what had ended is there all the same
            print(f"error: study.json still says running ({error})", file=sys.stderr)
        return FAILED

    def end(self) -> int:
        from study.display.measures import measured_text
        from study.display.summary import final_text

        self.finish("finished")
        self.remember_timing()
        results = self.results
        if further := measured_text(results.confirm, results.attacks, results.measures):
            print(further + "\n")
        print(final_text(self.folder, results.trials, results.confirm))
        return DONE

    def remember_timing(self) -> None:
        """Keep what a vanilla epoch took here, so that the next plan can say how long it takes."""
        from study.files.timings import Timing, remember_timing

        if self.splits is None or self.study.table:
            return
        trial, images = self.study.trial, len(self.splits.train)
        steps = images // trial.batch_size
        trials = [row for row in self.results.trials if row["status"] == "finished" and row["images_per_s"]]
        plain = [row for row in self.results.confirm if row["method"] == "vanilla" and row["h"] is not None]
        if not trials or not plain or not steps:
            return
        # A step of cost c takes about c vanilla steps.
        step = median(trial.batch_size / row["images_per_s"] / row["cost"] for row in trials)
        whole = step * steps * trial.epochs
        test = max(0.0, median(row["seconds"] for row in plain) - whole)
        remember_timing(trial, "cuda" if self.gpus else "cpu", Timing(step, images, 0.1 * test, test))

    def finish(self, state: str) -> None:
        from study.files.study_json import now

        self.progress.end()
        self.results.update_study(state=state, end=now())

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Two programs that write the same folder would spoil it; the lock goes with its process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.name != "posix":
            yield
            return
        import fcntl

        with open(self.folder / ".lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ValueError(f"{self.folder} must not be in use, but another program runs this study") from None
            yield


def resources(study: Study) -> tuple[float, float]:
    """CPUs and GPUs of a trial."""
    import torch

    gpus = study.gpus_per_trial
    if gpus is None:
        wanted = study.device.startswith("cuda") or (study.device == "auto" and torch.cuda.is_available())
        gpus = 1 / (study.trials_per_gpu or 1) if wanted else 0.0  # auto: one, until it has been tried out
    return study.cpus_per_trial, gpus


def seeds_of(study: Study) -> dict[str, Any]:
    """All seeds of a study, as `study.json` tells them."""
    from study.confirm.chosen import fresh_seeds

    return {"trials": study.seed, "proposals": study.seed, "confirm": list(fresh_seeds(study))}
