"""A study so small that it ends in seconds, and what plays its workers."""

from study.config.make_study import make_study
from study.files.results import Results
from study.files.study_json import study_record

TINY = {"epochs": 2, "train_images": 128, "batch_size": 64, "confirm": 0}


class Several:
    """A source of given jobs that remembers their rows and endings; also a phase."""

    name, earlier, size = "search", (), (0, None)

    def __init__(self, jobs):
        self.waiting, self.rows, self.ends = list(jobs), [], {}

    def begin(self):
        pass

    @property
    def finished(self):
        return not self.waiting

    def next(self):
        return self.waiting.pop(0) if self.waiting else None

    def on_result(self, job, row):
        self.rows.append((job.name, row["epoch"]))

    def on_end(self, job, row, error):
        self.ends[job.name] = (row, error)
        return {**(row or {}), "error": error}


def tiny_study(folder, **options):
    """A study with its folder begun."""
    study = make_study(**{"budget": "4N", "trials": 4, "out": str(folder), **TINY, **options})
    results = Results(folder)
    results.write_study(study_record(study.as_dict(), ["test"]))
    return study, results


def row_of(job, epoch, h=None):
    """What a worker reports after an epoch, made up."""
    method = job.config["method"]
    cost = 1 + method.get("k", 0) * method.get("n", 0)
    return {
        "epoch": epoch, "spent": epoch * cost, "cost": cost, "measured_cost": cost, "lr": 0.1, "loss": 1.0,
        "train_accuracy": 50.0, "val_sa": 50.0, "seconds": 1.0, "images_per_s": 100.0,
        **({} if h is None else {"val_ra": h, "val_h": h}),
    }  # fmt: skip


def finish(source, job, h, epochs=2):
    """Play the worker of a job to its end."""
    for epoch in range(1, epochs + 1):
        row = row_of(job, epoch, h if epoch == epochs else None)
        source.on_result(job, row)
    source.on_end(job, row, "")


TESTED = {"sa": 97.0, "ra": 90.0, "h": 93.0, "ece": 2.0, "measured": []}


def play(source, job, h, epochs=2):
    """Play the worker of a job of any phase: H of validation images, or a measurement on test images."""
    if job.measure != "all":
        finish(source, job, h, epochs)
        return
    row = {**row_of(job, epochs), **TESTED}
    source.on_result(job, row)
    source.on_end(job, row, "")


def phases_of(study, results, **options):
    """All phases of a study, and their counts."""
    from study.phases import phases
    from study.workers.tally import Tally

    tally = Tally()
    return phases(study, results, [tally], **options), tally
