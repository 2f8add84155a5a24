"""The command as a person runs it: a tiny study from flags to tables, killed in between, and what errors say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from study import run as study_run
from study.files.results import Results
from study.run import main
from tests.support.study_process import StudyProcess, check_whole, statuses

STORED = Path(__file__).parents[2] / "results"
TINY = ("--epochs", "2", "--train-images", "128", "--budget", "2N")


def test_a_study_killed_while_it_searches_goes_on_to_its_end(tmp_path):
    out = tmp_path / "s"
    with StudyProcess(*TINY, "--trials", "4", "--seeds", "1", "--out", str(out)) as study:
        study.wait_for(lambda: "finished" in statuses(out))
        study.kill()
    before = [row for row in Results(out).trials if row["status"] == "finished"]
    with StudyProcess("--resume", str(out)) as study:
        assert study.wait() == 0, study.text()
    check_whole(out, trials=4)
    after = Results(out)
    assert [row for row in after.trials if row["trial"] in [row["trial"] for row in before]] == before
    assert len(after.confirm) in (3, 4)  # vanilla, mixup, published (0.2, 1), and the best if it is none of these
    assert len(after.corruptions) == len(after.confirm) * 75
    assert all(row["cost"] <= 2 + 1e-9 for row in after.trials)
    assert "mean ± 95 % CI over seeds" in study.text()
    assert json.loads((out / "study.json").read_text())["state"] == "finished"
    again = subprocess.run(
        [sys.executable, "study/run.py", "show", str(out)], capture_output=True, text=True, check=True
    )
    assert "finished" in again.stdout


def test_sigterm_ends_a_study_as_ctrl_c_does(tmp_path):
    out = tmp_path / "s"
    with StudyProcess(*TINY, "--trials", "50", "--confirm", "0", "--out", str(out)) as study:
        study.wait_for(lambda: "finished" in statuses(out))
        study.process.terminate()
        assert study.wait() == 130
        assert "interrupted; resume with: " in study.text().splitlines()[-1]
        assert "SIGTERM" not in study.text()
    assert json.loads((out / "study.json").read_text())["state"] == "interrupted"


@pytest.mark.slow
def test_a_study_is_lengthened_confirmed_later_and_known_to_the_next(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert main([*TINY, "--trials", "3", "--confirm", "0", "--out", str(first), "--quiet"]) == 0
    before = Results(first).trials
    assert main(["--resume", str(first), "--extend", "2", "--quiet"]) == 0
    assert Results(first).trials[:3] == before
    check_whole(first, trials=5)
    assert main(["confirm", str(first), "--confirm", "1", "--seeds", "2", "--quiet"]) == 0
    assert {row["seed"] for row in Results(first).confirm} == {1, 2}
    assert any(row["why"].startswith("best-1") for row in Results(first).confirm)
    assert len(Results(first).trials) == 5
    flags = ["--trials", "2", "--confirm", "0", "--warm-start", str(first), "--out", str(second), "--quiet"]
    assert main([*TINY, *flags]) == 0
    check_whole(second, trials=2)


@pytest.mark.slow
def test_the_rows_of_a_published_table_are_trained_and_measured(tmp_path, capsys):
    out = tmp_path / "t"
    flags = ["--scale", "demo", "--epochs", "1", "--train-images", "128", "--seeds", "1", "--out", str(out), "--quiet"]
    assert main(["--table", "entprop/8", *flags]) == 0
    why = [row["why"] for row in Results(out).confirm]
    assert sorted(why) == sorted(["entropy", "cross_entropy", "confidence", "margin", "Vanilla", "Mixup alone"])
    assert not (out / "trials.csv").exists()
    assert main(["confirm", str(out), "--seeds", "2", "--quiet"]) == 0
    assert {row["seed"] for row in Results(out).confirm} == {0, 1}
    assert json.loads((out / "study.json").read_text())["seeds"] == {"table": [0, 1]}
    assert "Mixup alone: mixup" in capsys.readouterr().out


@pytest.mark.parametrize("file", sorted(STORED.glob("*/study.json")), ids=lambda file: file.parent.name)
def test_the_seeds_that_a_stored_study_names_are_those_of_its_rows(file):
    named, found = json.loads(file.read_text())["seeds"], {row["seed"] for row in Results(file.parent).confirm}
    assert found == set(named["table"] if "table" in named else named["confirm"])


def test_a_ray_that_does_not_start_is_one_line_and_nobodys_wrong_input(tmp_path):
    done = subprocess.run(
        [sys.executable, "study/run.py", *TINY, "--out", str(tmp_path / "s")],
        env={**os.environ, "RAY_TMPDIR": "/proc/nowhere"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Ray did not start on this machine" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--budget", "2N", "--address", "127.0.0.1:1"], "address must be that of a running Ray cluster"),
        (["--budget", "2N", "--batch-size", "5000"], "batch_size must be at most the 1200 training images"),
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
    assert "8 runs" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_program_runs_studies_by_a_function():
    with pytest.raises(ValueError, match="unknown option 'bugdet'"):
        study_run(bugdet="4N")
