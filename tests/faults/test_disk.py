"""A disk runs full at each kind of write: what was there stays whole, and the study goes on when there is room."""

import contextlib
import json
import os
import time

import pytest

from study.config.space import space_of
from study.files.results import Results
from study.search.mirror import Mirror
from study.search.sampling import Proposals
from study.workers.work_folder import WorkFolder
from tests.faults.losses import held, lost, recovered, repeated
from tests.support.study_helpers import tiny_study
from tests.support.study_process import StudyProcess, check_whole, statuses
from tests.support.study_rows import trial
from trainables.config import make_method, with_recipe
from trainables.training.loop import load_splits, train
from trainables.training.run_folder import RunFolder, read_rows
from trainables.training.state import TrainState

pytestmark = pytest.mark.faults


def fill(disk, leave=0):
    """Take all room of a disk but so many bytes; returns the file that holds it."""
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 65536)
    if leave:
        os.truncate(ballast, max(0, ballast.stat().st_size - leave))
    return ballast


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def long_trial(number):
    return trial(number, error="because " * 5000)  # no page has room for it


@pytest.fixture
def results(small_disk):
    found = tiny_study(small_disk / "s")[1]
    for number in range(3):
        found.put_trial(trial(number))
    return found


WRITES = {
    "a new row": lambda results: results.put_trial(long_trial(3)),
    "a changed row": lambda results: results.put_trial(long_trial(1)),
    "study.json": lambda results: results.update_study(state="x" * 9000),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_file_of_the_study_is_whole_on_a_full_disk_and_complete_afterwards(small_disk, results, write, note):
    before = [row["trial"] for row in Results(results.folder).trials]
    ballast = fill(small_disk)
    with pytest.raises(OSError, match="No space left on device"):
        WRITES[write](results)
    assert [row["trial"] for row in Results(results.folder).trials] == before
    assert Results(results.folder).read_study()["state"] == "running"
    assert not list(results.folder.glob("*.part"))
    ballast.unlink()
    results.put_trial(trial(4))  # the next write brings what was held back, too
    kept = {row["trial"]: row for row in Results(results.folder).trials}
    assert set(kept) == {0, 1, 2, 4} | ({3} if write == "a new row" else set())
    assert bool(kept[1]["error"]) == (write == "a changed row")
    note(f"full disk: {write}", 0, 0)


def test_the_copy_for_the_dashboard_is_mended_after_a_full_disk(small_disk, note):
    study, results = tiny_study(small_disk / "s")
    path = results.folder / "optuna.log"
    proposals = Proposals(space_of(study), "random", 0)
    mirror = Mirror(path, "s", ("maximize",), proposals)
    for number in range(4):
        proposals.ask(number)
        proposals.tell(number, "finished", [90.0 + number])
    mirror.add(0)
    ballast = fill(small_disk)

    def add_many():
        for number in range(200):  # until the page that it has is full
            mirror.held.clear()
            mirror.add(1 + number % 3)

    with pytest.raises(OSError, match="No space left on device"):
        add_many()
    ballast.unlink()
    again = Mirror(path, "s", ("maximize",), proposals)
    for number in range(4):
        again.add(number)
    assert Mirror(path, "s", ("maximize",), proposals).held == {0, 1, 2, 3}
    note("full disk: optuna.log", 0, 0)


def add_and_save(folder, row, state, disk):
    folder.add(row, state)
    fill(disk)
    state.save(folder.path / "checkpoint.pt")


def test_a_run_is_whole_on_a_full_disk_and_goes_on(small_disk, note):
    config = with_recipe(make_method("vanilla", {}), epochs=3, train_images=64)
    splits, path = load_splits(config), small_disk / "run"
    folder = RunFolder(path, config, splits)
    folder.begin(config, splits)
    state = TrainState(config, splits)
    epochs = train(state, splits)
    folder.add(next(epochs), state)
    row = next(epochs)
    size = (path / "checkpoint.pt").stat().st_size
    for leave in (0, size // 2, size + 8192):  # for nothing, half a checkpoint, the checkpoint but not the best one
        ballast = fill(small_disk, leave)
        with pytest.raises(OSError, match="No space left on device"):
            add_and_save(folder, row, state, small_disk)
        assert not list(path.glob("*.part"))
        ballast.unlink()
        again = RunFolder(path, config, splits)
        assert again.state.epoch == len(again.rows) >= 1
        folder.rows = [kept for kept in folder.rows if kept["epoch"] == 1]
        note("full disk: a run's rows and checkpoint", 0, 0)
    folder.add(row, state)
    assert [kept["epoch"] for kept in read_rows(path / "epochs.csv")] == [1, 2]


def test_a_local_copy_that_cannot_be_cleared_away_leaves_nothing_else(tmp_path):
    place = WorkFolder(str(tmp_path))
    (tmp_path / "epochs.csv").write_text("rows")
    (tmp_path / "mine.txt").write_text("kept")
    place.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


FLAGS = ("--epochs", "2", "--train-images", "64", "--budget", "2N", "--trials", "8", "--confirm", "0",
         "--sampler", "random")  # fmt: skip


@pytest.mark.parametrize("what", ["the study's folder", "checkpoints alone"])
def test_a_study_on_a_full_disk_ends_with_1_and_goes_on_when_there_is_room(tmp_path, small_disk, what, note):
    out = (small_disk if what == "the study's folder" else tmp_path) / "s"
    storage = ("--storage", str(small_disk)) if what == "checkpoints alone" else ()
    with StudyProcess(*FLAGS, *storage, "--out", str(out)) as study:
        study.wait_for(lambda: statuses(out).count("finished") >= 2)
        ballast = fill(small_disk)
        assert study.wait() == 1, study.text()
        assert f"--resume {out}" in study.text()
        assert "Traceback" not in study.text()
        assert "free some" in study.text() or "No space left on device" in study.text()
    assert "failed" not in statuses(out)
    ballast.unlink()
    before, began = held(out), time.monotonic()
    with StudyProcess("--resume", str(out)) as study:
        seconds = recovered(study, out, began)
        assert study.wait() == 0, study.text()
    check_whole(out, 8)
    now = held(out)
    note(f"full disk: {what}, in a running study", lost(before, now), repeated(before, now), seconds)
    assert lost(before, now) == 0
    assert json.loads((out / "study.json").read_text())["state"] == "finished"
