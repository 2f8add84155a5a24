"""Trains one job at a time, epoch by epoch, saves the state after each epoch and measures what the job asks for.

The folder of a job is that of a single run (`python -m trainables.evaluate FOLDER` reads it). An interrupted job is
continued after the last epoch in its folder, on whichever machine it is started again.
"""

import errno
import time
import traceback
from collections.abc import Callable, Iterable, Iterator

import torch

from study.files.columns import SELECTED
from study.workers.jobs import Job, Row, out_of_memory
from study.workers.work_folder import WorkFolder
from trainables.config import TrialConfig
from trainables.data.images import Splits
from trainables.evaluate.measure import measure
from trainables.evaluate.options import Evaluation, read_evaluation
from trainables.evaluate.report import write_csv, write_tables
from trainables.measures.accuracy import Measurement
from trainables.models.deploy import Norm
from trainables.training.crew import LostProcess
from trainables.training.loop import Diverged, splits_of, train
from trainables.training.run_folder import Damaged, RunFolder, Trained
from trainables.training.selections import Recorder
from trainables.training.state import TrainState

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # not the job's fault: the study ends and can be resumed
SUMMARY = ("sa", "ra", "h", "ece")
CLEAN = ("sa", "ece", "entropy", "rate")  # what every evaluation begins with


class Worker:
    """Holds the data and a device; `begin` takes a job and each `step` does one epoch of it.

    Where several processes train a trial, `train` is that of their `Crew`.
    """

    def __init__(self, splits: Splits, device: str = "cpu", train: Callable[..., Iterator[Row]] = train) -> None:
        self.data, self.device, self.train = splits, device, train
        self.broken: Row = {}
        self.place, self.ended = WorkFolder(""), False  # of no job yet

    def begin(self, job: Job, known: int = 0) -> None:
        """Start or continue the job; rows up to the known epoch have come. An error is reported by the first step."""
        self.leave()
        self.job, self.broken, self.ended = job, {}, False
        try:
            self._open(job, known)
        except Exception as error:
            self.broken = failure(error)

    def leave(self) -> None:
        """Have done with the last job. If it has ended, its end is written by now, and only what is kept stays."""
        if self.ended:
            self.place.tidy(self.job.keep)
        self.place.close()

    def _open(self, job: Job, known: int) -> None:
        self.config = TrialConfig.from_dict(job.config)
        self.splits, self.images = splits_of(self.config, self.data), list[Row]()
        self.place = WorkFolder(job.folder)
        try:
            self._read(job)
        except Damaged:  # by a disk or a lost machine: trained again, it gives the same rows
            self.place.clear()
            self._read(job)
        self.folder.begin(self.config, self.splits)
        # Rows that the driver lacks are returned again, and the last in any case: it may not have been measured.
        last = len(self.folder.rows) - 1
        lacking = last if job.known is None else min(job.known, last)
        self.again = [row for row in self.folder.rows[max(0, lacking) :] if row["epoch"] > known]
        self.epochs = self.train(self.state, self.splits, selections=self.recorder is not None)

    def _read(self, job: Job) -> None:
        """Read the state that an earlier process left, and the images that it had selected if the job asks for them."""
        path, splits = self.place.path, self.splits
        self.folder = RunFolder(path, self.config, splits, self.device)
        self.state = self.folder.state or TrainState(self.config, splits, self.device)
        wanted = any(asked.get("selections") for asked in job.measures)
        self.recorder = Recorder(self.config, len(splits.train)) if wanted else None
        if self.recorder:
            self.recorder.load(path, self.state.epoch)

    def step(self) -> Row:
        """The row of the next epoch. A failure is a row too, so that the process can take the next job."""
        if self.broken:
            return self.broken
        try:
            return self._step()
        except LostProcess:
            raise  # the trial is handed out again, and goes on with new processes
        except Exception as error:
            row = failure(error)
            if not isinstance(error, torch.OutOfMemoryError) and "CUDA" in row["error"]:
                raise  # a process whose device failed cannot be used again
            self.release()
            return row

    def _step(self) -> Row:
        if self.again:
            row = self.again.pop(0)
        else:
            row = next(self.epochs)
            if self.recorder and self.state.selected is not None:
                self.recorder.add(self.state.selected)
                self.recorder.save(self.place.path)
            self.folder.add(row, self.state)
            if row["epoch"] % self.job.send_every == 0 or row["epoch"] == self.config.epochs:
                self.place.send()
        done = row["epoch"] == self.config.epochs
        started = time.perf_counter()
        measured = self.measured() if row["epoch"] == self.state.epoch and (done or self.at_rung(row)) else {}
        self.ended = done
        return {**row, **measured, "measuring_s": time.perf_counter() - started, "done": done}

    def at_rung(self, row: Row) -> bool:
        """Whether the job reached a rung with this epoch."""
        before = row["spent"] - row["cost"]
        return any(before < rung <= row["spent"] for rung in self.job.rungs)

    def measured(self) -> Row:
        """RA and H on validation images, or everything that is reported on test images."""
        rows = self.evaluated(read_evaluation({"run": self.folder.path, "corruptions": self.job.measure}))
        summary = {row["measure"]: row["value"] for row in rows if row["measure"] in SUMMARY}
        if self.job.measure != "all":
            return {"val_ra": summary["ra"], "val_h": summary["h"]}
        rows += [row for asked in self.job.measures for row in self.further(asked)]
        self.keep(rows)
        source = next(row["source"] for row in rows if row["measure"] == "ra")
        return {**summary, "ra_source": source, "measured": rows, "images": self.images}

    def keep(self, rows: Iterable[Row]) -> None:
        """Write what was measured into the run's folder too, as `python -m trainables.evaluate` does, for figures."""
        norms = dict[Norm, list[tuple[Measurement, int, str]]]()
        for row in rows:
            found = Measurement(row["measure"], row["name"], row.get("severity"), row["value"])
            norms.setdefault(row["norm"], []).append((found, row["images"], row["source"]))
        for norm, several in norms.items():
            path = Evaluation(self.folder.path, norm=norm).file("evaluation", "csv")
            write_csv(path, norm, several)
            self.place.send([path.name])

    def further(self, asked: Row) -> list[Row]:
        """The rows of a further evaluation, without what was measured on clean images through the main norms before."""
        proxy = WorkFolder(asked["transfer_from"]) if "transfer_from" in asked else None
        found = {**asked, "transfer_from": proxy.path} if proxy else asked
        try:
            rows = self.evaluated(read_evaluation({"run": self.folder.path, "corruptions": "none", **found}))
        finally:
            if proxy:
                proxy.close()
        return [row for row in rows if row["norm"] != "main" or row["measure"] not in CLEAN]

    def evaluated(self, asked: Evaluation) -> list[Row]:
        """The rows of an evaluation, as plain values; what a figure is drawn from goes into the run's folder."""
        trained = Trained(self.config, self.splits, self.state.net, self.state.epoch)
        found = measure(asked, trained, lambda done, total, what: None)
        rows = [
            {**row._asdict(), "norm": asked.norm, "images": images, "source": source}
            for row, images, source in found.rows
        ]
        if asked.norm == "main":
            self.images = found.tables.get("images", self.images)
        self.place.send(path.name for path in write_tables(asked, found.tables))
        return rows + self._counts(found.tables.get("selections", ()))

    def _counts(self, histogram: Iterable[Row]) -> list[Row]:
        """A row for each number of times: how many images were selected so often."""
        known = {"measure": SELECTED, "norm": "main", "images": len(self.splits.train)}
        known["source"] = f"training images of {self.splits.source}"
        return [{**known, "name": str(each["times"]), "value": each["images"]} for each in histogram if each["images"]]

    def release(self) -> None:
        """Free the network's memory for the next job."""
        self.epochs = self.state = None  # type: ignore[assignment]
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def failure(error: Exception) -> Row:
    """The last row of a job that failed; `full` if the disk failed and not the job."""
    row = {"done": True, "error": describe(error)}
    return {**row, "full": True} if isinstance(error, OSError) and error.errno in NO_SPACE else row


def describe(error: BaseException) -> str:
    """What went wrong in a line, with a hint if memory ran out, then the traceback."""
    if isinstance(error, Diverged):
        return str(error)
    kind = type(error).__name__
    first = f"{kind}: {error}".splitlines()[0] if str(error) else kind
    on_cpu = isinstance(error, RuntimeError) and "allocate memory" in str(error)
    if on_cpu or isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        first = out_of_memory(first)
    return first + "\n" + "".join(traceback.format_exception(error)).rstrip()


def prepare_device(gpus: float) -> str:
    """The device of this process; a share of a GPU gets that share of its memory."""
    if gpus <= 0 or not torch.cuda.is_available():
        return "cpu"
    torch.cuda.set_per_process_memory_fraction(min(1.0, gpus))
    return "cuda"
