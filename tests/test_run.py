"""The command as a person runs it: a tiny study from flags to tables, killed in between, and what errors say."""

import json
import subprocess
import sys

import pytest

from study import run as study_run
from study.results import Results
from study.run import main
from tests.study_process import StudyProcess, check_whole, statuses

pytestmark = pytest.mark.slow  # whole studies in processes of their own

TINY = ("--epochs", "2", "--train-images", "128", "--budget", "2N")


def test_a_study_killed_while_it_searches_goes_on_to_its_end(tmp_path):
    out = tmp_path / "s"
    with StudyProcess(*TINY, "--trials", "4", "--seeds", "2", "--out", str(out)) as study:
        study.wait_for(lambda: "finished" in statuses(out))
        study.kill()
    before = [row for row in Results(out).trials if row["status"] == "finished"]
    with StudyProcess("--resume", str(out)) as study:
        assert study.wait() == 0, study.text()
    check_whole(out, trials=4)
    after = Results(out)
    assert [row for row in after.trials if row["trial"] in [row["trial"] for row in before]] == before
    assert len(after.confirm) == 4 * 2  # best, which is published (0.2, 1) or not, vanilla, mixup, published
    assert len(after.corruptions) == len(after.confirm) * 75
    assert all(row["cost"] <= 2 + 1e-9 for row in after.trials)
    assert "mean ± 95 % CI over seeds" in study.text()
    assert json.loads((out / "study.json").read_text())["state"] == "finished"
    again = subprocess.run(
        [sys.executable, "study/run.py", "show", str(out)], capture_output=True, text=True, check=True
    )
    assert "finished" in again.stdout


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--budget", "2N", "--address", "127.0.0.1:1"], "address must be that of a running Ray cluster"),
        (["--budget", "2N", "--batch-size", "5000"], "batch_size must be at most the 1000 training images"),
        (["--budget", "2N", "--dataset", "npz:/nowhere.npz"], "/nowhere.npz"),
    ],
)
def test_wrong_input_is_one_line_and_nothing_is_written(tmp_path, capsys, flags, message):
    assert main([*flags, "--out", str(tmp_path / "s")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_plan_runs_nothing(tmp_path, capsys):
    assert main(["--budget", "4N", "--out", str(tmp_path / "s"), "--dry-run"]) == 0
    assert "12 runs" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_program_runs_studies_by_a_function():
    with pytest.raises(ValueError, match="unknown option 'bugdet'"):
        study_run(bugdet="4N")
