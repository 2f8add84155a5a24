"""Copies a study from its files into MLflow: python study/run.py export DIR --to mlflow

Each trial, each run of the race and each confirmed run becomes a run, as `--logger mlflow` writes them while the study
runs. Runs that MLflow has are left as they are: exported again, a study adds what is new.
"""

import dataclasses
import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from study.config.make_study import read_options
from study.config.study_config import Study
from study.files.configs import method_of
from study.files.mlflow_runs import mlflow_place, run_ids
from study.files.results import Results, Row
from study.files.study_json import study_id
from study.workers.jobs import Job

MOST = 1000  # metrics that MLflow takes at once
NO_METRICS = ("trial", "epoch", "seed", "round", "epochs", "k", "n", "lr")


class Run(NamedTuple):
    """A run of a study: its settings by name, and its numbers by epoch."""

    name: str
    parameters: Row
    points: list[tuple[int, Row]]
    status: str


def export_mlflow(folder: Path) -> str:
    """Copy a study; a line that says where it is now. ValueError if MLflow is not installed."""
    if importlib.util.find_spec("mlflow") is None:
        raise ValueError("export --to mlflow needs the package mlflow: pip install mlflow")
    from mlflow import MlflowClient

    results = Results(folder)
    study, record, name = Study.from_dict(read_options(folder)), results.read_study(), folder.resolve().name
    client = MlflowClient(place := mlflow_place(folder))
    experiment = client.get_experiment_by_name(name)
    where = experiment.experiment_id if experiment else client.create_experiment(name)
    known, copied = set(run_ids(client, where, study_id(record))), 0
    for run in runs_of(study, results):
        if run.name not in known:
            write(client, where, run, {"study": name, "study_id": study_id(record), "trial_name": run.name})
            copied += 1
    return f"{copied} runs copied to the experiment {name} at {place}, {len(known)} were already there"


def runs_of(study: Study, results: Results) -> Iterator[Run]:
    """All runs that have ended."""
    epochs: dict[int, list[tuple[int, Row]]] = {}
    for row in results.epochs:
        epochs.setdefault(row["trial"], []).append((row["epoch"], row))
    for row in results.trials:
        if row["status"] != "running":
            points = [*epochs.get(row["trial"], []), (row["epochs"] or 0, row)]
            yield _run(study, f"trial-{row['trial']:04d}", row, points)
    for phase, rows in (("race", results.race), ("confirm", results.confirm)):
        for row in rows:
            yield _run(study, f"{phase}-{row['config']}-{row['seed']}", row, [(row["epochs"] or 0, row)])


def _run(study: Study, name: str, row: Row, points: list[tuple[int, Row]]) -> Run:
    own = {field: row[field] for field in ("dataset", "model", "lr", "seed") if row.get(field) is not None}
    config = dataclasses.replace(study.trial, method=method_of(row), **own).as_dict()
    job = Job(name, "", config, "")
    return Run(name, {"phase": job.phase, **job.parameters}, points, "FAILED" if row["error"] else "FINISHED")


def write(client: Any, experiment: str, run: Run, tags: dict[str, str]) -> None:
    """Write a run into MLflow."""
    from mlflow.entities import Metric, Param

    now = int(1000 * time.time())
    made = client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
    params = [Param(name, str(value)) for name, value in run.parameters.items()]
    metrics = [
        Metric(name, float(value), now, epoch)
        for epoch, row in run.points
        for name, value in row.items()
        if isinstance(value, (int, float)) and name not in run.parameters and name not in NO_METRICS
    ]
    client.log_batch(made, params=params)
    for start in range(0, len(metrics), MOST):
        client.log_batch(made, metrics=metrics[start : start + MOST])
    client.set_terminated(made, run.status)
