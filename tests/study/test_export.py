"""A study that exists, copied into MLflow."""

import importlib.util

import pytest

from study.files.results import Results
from study.run import main
from tests.support.study_helpers import phases_of, play, tiny_study

WITH_MLFLOW = importlib.util.find_spec("mlflow") is not None


def whole(folder):
    study, _ = tiny_study(folder, trials=3, confirm=1, seeds=1, race=2)
    source, _ = phases_of(study, Results(folder))
    while (job := source.next()) is not None:
        if job.name == "trial-0001":
            source.on_end(job, None, "out of memory")
        else:
            play(source, job, 60.0)
    return Results(folder)


@pytest.mark.skipif(not WITH_MLFLOW, reason="needs the package mlflow")
def test_each_run_is_copied_once_with_flat_parameters(tmp_path, monkeypatch, capsys):
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    results = whole(tmp_path / "s")
    assert main(["export", str(tmp_path / "s"), "--to", "mlflow"]) == 0
    count = len(results.trials) + len(results.race) + len(results.confirm)
    assert f"{count} runs copied" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "s"), "--to", "mlflow"]) == 0
    assert f"0 runs copied to the experiment s at sqlite:///{tmp_path}/s/mlflow.db, {count} were already there" in (
        capsys.readouterr().out
    )
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/s/mlflow.db")
    experiment = client.get_experiment_by_name("s").experiment_id
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert len(runs) == count
    first, failed = runs["trial-0000"], runs["trial-0001"]
    assert (first.data.params["k"], first.data.params["phase"], first.data.params["epochs"]) == ("0.2", "search", "2")
    assert {point.step for point in client.get_metric_history(first.info.run_id, "loss")} == {1, 2}
    assert first.data.metrics["val_h"] == 60.0
    assert (first.info.status, failed.info.status) == ("FINISHED", "FAILED")


@pytest.mark.skipif(WITH_MLFLOW, reason="mlflow is installed")
def test_without_the_package_the_command_says_what_is_missing(tmp_path, capsys):
    whole(tmp_path / "s")
    before = sorted(path.name for path in (tmp_path / "s").iterdir())
    assert main(["export", str(tmp_path / "s"), "--to", "mlflow"]) == 2
    assert capsys.readouterr().err == "error: export --to mlflow needs the package mlflow: pip install mlflow\n"
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == before


@pytest.mark.parametrize("words", [["--to", "wandb"], ["--to"], []])
def test_what_else_is_asked_for_is_refused(tmp_path, capsys, words):
    tiny_study(tmp_path / "s")
    with pytest.raises(SystemExit) as end:
        main(["export", str(tmp_path / "s"), *words])
    assert end.value.code == 2
    assert "export takes a folder and --to mlflow" in capsys.readouterr().err
