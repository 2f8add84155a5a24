"""A program with a Ray, a sampler, a scheduler and loggers of its own: two machines, real training."""

import importlib.util
import os
import signal
import time

import pytest
from optuna.samplers import BaseSampler, RandomSampler
from ray import tune
from ray.tune.schedulers import HyperBandScheduler, PopulationBasedTraining

import study
from study.files.results import Results

TINY = {"epochs": 2, "train_images": 64, "batch_size": 32, "confirm": 0, "budget": "2N", "quiet": True}


class Mine(BaseSampler):
    """A sampler as one writes it for OptunaHub: draws all it can at once, of what it has seen nothing."""

    def __init__(self):
        self.random, self.known = RandomSampler(seed=3), []

    def infer_relative_search_space(self, study, trial):
        return study.trials[-2].distributions if len(study.trials) > 1 else {}

    def sample_relative(self, study, trial, search_space):
        return {name: self.sample_independent(study, trial, name, kind) for name, kind in search_space.items()}

    def sample_independent(self, study, trial, param_name, param_distribution):
        return self.random.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study, trial, state, values):
        self.known.append(values)


class Recorder(tune.Callback):
    """What a logger sees of each trial: its ids, its settings, and the steps and kinds of its results."""

    def __init__(self):
        self.ids, self.settings, self.steps, self.kinds = {}, {}, {}, set()

    def __getstate__(self):
        return {}

    def on_trial_start(self, iteration, trials, trial, **info):
        self.ids.setdefault(str(trial), set()).add(trial.trial_id)
        self.settings[str(trial)] = {name: value for name, value in trial.config.items() if name != "job"}

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.steps.setdefault(str(trial), []).append(result["training_iteration"])
        self.kinds |= {type(value) for name, value in result.items() if name != "config"}


class Interrupting(study.Listener):
    """Ctrl-C at the first row."""

    def on_result(self, phase, job, row):
        os.kill(os.getpid(), signal.SIGINT)


class Joining(study.Listener):
    """A third machine joins at the first row; Ctrl-C once a third process has answered, or too late."""

    def __init__(self, cluster):
        self.cluster, self.joined, self.handed_out, self.processes = cluster, None, None, set()

    def on_start(self, phase, job):
        if self.joined and not self.handed_out:
            self.handed_out = time.monotonic() - self.joined

    def on_result(self, phase, job, row):
        self.processes.add(row["pid"])
        if self.joined is None:
            self.cluster.add_node(num_cpus=1)
            self.joined = time.monotonic()
        if len(self.processes) == 3 or time.monotonic() - self.joined > 200:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def cluster():
    """Two machines that this process has joined."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow prefers a database
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        made.add_node(num_cpus=1)
        ray.init(made.address, log_to_driver=False, logging_level="ERROR")
        yield made
        ray.shutdown()
        made.shutdown()


def answers():
    """Whether Ray still works."""
    import ray

    return ray.get(ray.remote(lambda: 42).remote()) == 42


def mlflow_callback(folder):
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    return MLflowLoggerCallback((folder / "mlruns").as_uri(), experiment_name="mine")


@pytest.mark.slow
def test_a_study_in_a_running_ray_with_a_sampler_and_loggers_of_the_program(tmp_path, cluster):
    out, seen = tmp_path / "s", Recorder()
    with_mlflow = importlib.util.find_spec("mlflow") is not None

    def call(**options):
        callbacks = [seen, *([mlflow_callback(tmp_path)] if with_mlflow else [])]
        study.run(sampler=Mine(), callbacks=callbacks, **options)
        return Results(out)

    before = call(trials=5, out=str(out), listeners=[Interrupting()], **TINY)
    assert answers()
    assert "running" in {row["status"] for row in before.trials}
    assert before.read_study()["own"] == {"sampler": "Mine"}
    with pytest.raises(study.InputError, match="sampler must be passed again"):
        study.run(resume=str(out))
    results = call(resume=str(out), quiet=True)
    assert answers()

    names = [f"trial-{number:04d}" for number in range(5)]
    assert [row["status"] for row in results.trials] == ["finished"] * 5
    assert {name: len(ids) for name, ids in seen.ids.items()} == dict.fromkeys(names, 1)
    assert {max(seen.steps[name]) for name in names} == {2}
    for row, name in zip(results.trials, names, strict=True):
        shown = seen.settings[name]
        assert (shown["k"], shown["n"], shown["epochs"], shown["phase"]) == (row["k"], row["n"], 2, "search")
    assert all(isinstance(v, (int, float, str, bool, list, type(None))) for v in seen.settings[names[0]].values())
    assert seen.kinds <= {int, float, str, bool, type(None)}
    if with_mlflow:
        check_mlflow(tmp_path, results.trials)


def check_mlflow(folder, rows):
    """One run a trial, with flat parameters and a point an epoch."""
    import mlflow

    client = mlflow.MlflowClient((folder / "mlruns").as_uri())
    (experiment,) = [each for each in client.search_experiments() if each.name == "mine"]
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert len(client.search_runs([experiment.experiment_id])) == len(runs) == len(rows)
    for row in rows:
        run = runs[f"trial-{row['trial']:04d}"]
        assert run.info.status == "FINISHED"
        assert (float(run.data.params["k"]), run.data.params["metric"]) == (row["k"], row["metric"])
        assert not [name for name in run.data.params if name.startswith("job/")]
        assert run.data.metrics["val_h"] == pytest.approx(row["val_h"])
        assert {point.step for point in client.get_metric_history(run.info.run_id, "loss")} == {1, 2}


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="needs the package mlflow")
def test_the_logger_mlflow_keeps_its_runs_beside_the_study(tmp_path, cluster, monkeypatch):
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    study.run(trials=2, out=str(tmp_path / "s"), logger="mlflow,tensorboard", **TINY)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/s/mlflow.db")
    (experiment,) = [each for each in client.search_experiments() if each.name == "s"]
    assert len(client.search_runs([experiment.experiment_id])) == 2
    assert len(list((tmp_path / "s" / "tensorboard").glob("trial-*/events*"))) == 2


@pytest.mark.slow
def test_a_machine_that_joins_is_used(tmp_path, cluster):
    joining = Joining(cluster)
    study.run(trials=3, out=str(tmp_path / "s"), listeners=[joining], **{**TINY, "epochs": 10_000})
    assert Results(tmp_path / "s").read_study()["state"] == "interrupted"
    assert joining.handed_out < 30
    assert len(joining.processes) == 3


@pytest.mark.slow
def test_trials_are_paused_and_stopped_by_a_scheduler_of_the_program(tmp_path, cluster):
    # Of four trials at once, the last two are compared after one epoch; the first to get there waits for the other.
    scheduler = HyperBandScheduler(time_attr="epoch", max_t=2, reduction_factor=2)
    options = {**TINY, "confirm": 1, "race": 0, "seeds": 1, "cpus_per_trial": 0.5}
    study.run(trials=4, out=str(tmp_path / "s"), scheduler=scheduler, **options)
    results = Results(tmp_path / "s")
    assert sorted(row["status"] for row in results.trials) == ["finished"] * 3 + ["stopped"]
    assert sorted(row["epochs"] for row in results.trials) == [1, 2, 2, 2]
    assert len(results.epochs) == 7
    assert all(row["val_h"] is not None for row in results.epochs)
    assert all(row["epochs"] == 2 for row in results.confirm)
    assert results.read_study()["own"] == {"scheduler": "HyperBandScheduler"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"scheduler": PopulationBasedTraining(hyperparam_mutations={"k": [0.1]})},
            "it changes k and n during training",
        ),
        ({"scheduler": 3}, "scheduler must be none, asha or a scheduler of Ray Tune, got int"),
        ({"sampler": object()}, "sampler must be a name or an Optuna sampler, got object"),
        ({"callbacks": [print]}, "callbacks must be Ray Tune's, got builtin_function_or_method"),
        ({"sampler": "own"}, "sampler must be passed again"),
        ({"logger": "mlfow"}, "unknown logger 'mlfow'; did you mean 'mlflow'"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_written(tmp_path, given, says):
    with pytest.raises(study.InputError, match=says):
        study.run(out=str(tmp_path / "s"), trials=2, **given, **TINY)
    assert list(tmp_path.iterdir()) == []
