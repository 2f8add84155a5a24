"""What a study says and writes when its input is wrong, when its own code fails, and when no trial finishes."""

import contextlib
import errno
import fcntl
import json
from pathlib import Path

import pytest

import study
from study import driver
from study.commands import command
from study.errors import last_line
from study.files.lock import locked
from study.files.results import Results
from study.run import main
from study.search.search import Search
from study.workers.datasets import Data
from tests.support.study_helpers import TINY, tiny_study
from tests.support.study_rows import trial

RECIPE = {name: value for name, value in TINY.items() if name != "confirm"}
FLAGS = ["--budget", "2N", "--trials", "3", *(f"--{name.replace('_', '-')}={value}" for name, value in RECIPE.items())]


@pytest.fixture
def no_ray(monkeypatch):
    """A study whose jobs all fail at once, without Ray."""

    def run_jobs(source, worker, **settings):
        while (job := source.next()) is not None:
            step = int(job.name[-1]) + 3
            source.on_end(job, None, f"the loss is no longer finite at step {step}; try a lower one\nTraceback …")

    monkeypatch.setattr(driver.session, "ray_session", lambda *address: contextlib.nullcontext(""))
    monkeypatch.setattr(driver.session.Slots, "check", lambda slots: None)
    monkeypatch.setattr(driver.trainable, "worker_for", lambda *parts: None)
    monkeypatch.setattr(driver.tuner, "run_jobs", run_jobs)


def state_of(folder):
    return json.loads((folder / "study.json").read_text())["state"]


def failing(error):
    def fail(*values, **named):
        raise error

    return fail


# ---------------------------------------------------------------------------------------------------------- input


def test_a_plan_runs_nothing_and_is_returned_as_its_text(tmp_path, monkeypatch):
    monkeypatch.setattr(driver.StudyDriver, "run", failing(AssertionError("it ran")))
    plan = study.run(budget="4N", out=str(tmp_path / "s"), dry_run=True)
    assert "8 runs" in plan
    assert repr(plan) == str(plan)  # a notebook shows lines, not \n
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [ValueError("data must be\nreadable"), OSError("data must be readable")])
def test_what_goes_wrong_with_the_data_is_wrong_input(tmp_path, capsys, monkeypatch, error):
    monkeypatch.setattr(Data, "of", failing(error))
    assert main([*FLAGS, "--out", str(tmp_path / "s")]) == 2
    assert capsys.readouterr().err == "error: data must be readable\n"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(study.InputError, match="data must be readable"):
        study.run(budget="2N", out=str(tmp_path / "s"))


def test_more_than_one_gpu_a_trial_is_refused():
    with pytest.raises(study.InputError, match=r"gpus_per_trial must be a number in \[0, 1\], got 2"):
        study.run(budget="2N", gpus_per_trial=2)


@pytest.mark.parametrize("below", ["", "below/it"])
def test_a_link_to_itself_is_no_folder_for_a_study(tmp_path, below):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(study.InputError, match="out must") as refusal:
        study.run(budget="2N", out=str(tmp_path / "loop" / below))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda text: text.replace("val_h", "valh"),
            "trials.csv must have the column val_h, got valh; rename",
        ),
        (lambda text: text.replace(",94.2,", ",,"), "must have `val_h` in each finished row, got none"),
    ],
)
def test_a_table_that_was_edited_is_refused_before_ray_starts(tmp_path, capsys, monkeypatch, change, says):
    _, results = tiny_study(tmp_path / "s")
    results.put_trial(trial(0))
    path = tmp_path / "s" / "trials.csv"
    path.write_text(change(path.read_text()))
    monkeypatch.setattr(driver.session, "ray_session", failing(AssertionError("Ray was started")))
    assert main(["--resume", str(tmp_path / "s")]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_second_process_is_refused_and_a_mount_without_locks_is_used_with_a_warning(tmp_path, capsys, monkeypatch):
    with locked(tmp_path), pytest.raises(ValueError, match="another process is running the study in"), locked(tmp_path):
        pass
    for number in (errno.ENOLCK, errno.ENOSYS):
        monkeypatch.setattr(fcntl, "flock", failing(OSError(number, "no locks here")))
        with locked(tmp_path):
            pass
        assert f"warning: {tmp_path} cannot be locked ([Errno {number}] no locks here)" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("place", ["Search", "choose"])
@pytest.mark.parametrize("error", [ValueError, OSError, ZeroDivisionError])
def test_an_error_of_the_driver_is_no_wrong_input(tmp_path, capsys, monkeypatch, no_ray, place, error):
    monkeypatch.setattr(f"study.phases.{place}", failing(error("first line\nlast line")))
    monkeypatch.setattr(driver, "best", lambda trials: ["one"])
    out = tmp_path / "s"
    assert main([*FLAGS, "--confirm=1", "--quiet", "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert said == f"error: {error.__name__}: last line; resume with: {command('--resume', out)}\n"
    log = (out / "driver.log").read_text()
    assert "first line\nlast line" in log
    assert "in phases" in log
    assert state_of(out) == "failed"


def test_a_bug_in_a_callback_inside_tune_is_named_with_its_traceback(tmp_path, monkeypatch):
    out = tmp_path / "s"
    monkeypatch.setattr(Search, "on_end", failing(ValueError("something\nwent wrong")))
    monkeypatch.setenv("RAY_worker_niceness", "0")
    with pytest.raises(study.StudyFailed, match=r"^ValueError: went wrong$") as failure:
        study.run(budget="2N", trials=2, quiet=True, out=str(out), **TINY)
    assert failure.value.folder == out
    log = (out / "driver.log").read_text()
    assert "in on_trial_complete" in log
    assert log.rstrip().endswith("ValueError: something\nwent wrong")
    assert state_of(out) == "failed"


@pytest.mark.parametrize("confirm", [0, 1])
def test_a_study_in_which_no_trial_finished_fails_and_says_why_once(tmp_path, capsys, no_ray, confirm):
    out = tmp_path / "s"
    assert main([*FLAGS, f"--confirm={confirm}", "--quiet", "--out", str(out)]) == 1
    said = capsys.readouterr()
    reason = "3 × the loss is no longer finite at step 3; try a lower one"
    assert said.err == f"error: no trial finished: {reason}; resume with: {command('--resume', out)}\n"
    assert said.out == ""
    assert state_of(out) == "failed"
    assert [row["status"] for row in Results(out).trials] == ["failed"] * 3
    with pytest.raises(study.StudyFailed, match="no trial finished: 3 ×"):
        study.run(resume=str(out), quiet=True)


@pytest.mark.parametrize(("given", "limit"), [("7", 7.0), ("auto", None)])
def test_the_limit_without_progress_reaches_the_workers(tmp_path, monkeypatch, no_ray, given, limit):
    seen, fail_all = [], driver.tuner.run_jobs

    def run_jobs(source, worker, **settings):
        seen.append(settings["trial_timeout"])
        fail_all(source, worker)

    monkeypatch.setattr(driver.tuner, "run_jobs", run_jobs)
    with pytest.raises(study.StudyFailed):
        study.run(budget="2N", trials=2, quiet=True, trial_timeout=given, out=str(tmp_path / "s"), **TINY)
    assert seen == [limit]


def test_ctrl_c_returns_what_is_there_and_says_how_to_resume(tmp_path, monkeypatch, no_ray, capsys):
    monkeypatch.setattr(driver.tuner, "run_jobs", failing(KeyboardInterrupt()))
    results = study.run(budget="2N", trials=2, quiet=True, out=str(tmp_path / "s"), **TINY)
    assert (results.state, len(results.trials)) == ("interrupted", 0)
    assert capsys.readouterr().err == f"interrupted; resume with: {command('--resume', tmp_path / 's')}\n"
    assert state_of(tmp_path / "s") == "interrupted"


def test_a_working_directory_that_was_deleted_is_named(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        Path("s").absolute()
    assert last_line(caught.value) == "FileNotFoundError: the working directory of the study was deleted"
