"""Trials lie below the study, on a shared path, or in an object store (here one on the disk, by the same calls)."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from study.workers.jobs import Job
from study.workers.work_folder import Tidying, base_of, check_writable
from study.workers.worker import Worker
from trainables.config import make_method, with_recipe
from trainables.training.loop import load_splits

CONFIG = with_recipe(make_method("vanilla", {}), epochs=3, train_images=128)


def test_trials_lie_below_the_study_unless_a_shared_place_is_named(tmp_path):
    out = tmp_path / "runs" / "s"
    assert base_of(str(out), None) == str(out / "checkpoints")
    assert base_of(str(out), str(tmp_path / "nfs")) == str(tmp_path / "nfs" / "s")
    assert base_of(str(out), "s3://bucket/studies/") == "s3://bucket/studies/s"


@pytest.mark.parametrize("place", ["/proc/no", "nothing://x", "file:///proc/no"])
def test_a_place_that_cannot_be_written_is_refused_in_one_line(place):
    with pytest.raises(ValueError, match="storage must be writable") as error:
        check_writable(place)
    assert "\n" not in str(error.value)


def test_a_place_that_can_be_written_holds_nothing_afterwards(tmp_path):
    check_writable(str(tmp_path / "a"))
    check_writable(f"file://{tmp_path}/b")
    assert [list(folder.iterdir()) for folder in sorted(tmp_path.iterdir())] == [[], []]


def test_a_job_in_an_object_store_goes_on_in_another_process_with_the_same_numbers(tmp_path):
    splits = load_splits(CONFIG)

    def rows(place, count):
        worker = Worker(splits)
        worker.begin(Job("trial-0000", place, CONFIG.as_dict(), "veils"))
        found = [worker.step() for _ in range(count)]
        worker.place.close()
        return [(row["epoch"], row["loss"], row.get("val_h")) for row in found]

    whole = rows(str(tmp_path / "here"), 3)
    place = f"file://{tmp_path}/store/trial"
    before = rows(place, 2)
    after = rows(place, 2)  # the last row again, then the last epoch
    assert [*before, after[-1]] == whole
    assert {path.name for path in Path(tmp_path, "store", "trial").iterdir()} == {
        "config.json", "epochs.csv", "checkpoint.pt", "best.pt",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("keep", "stay"),
    [("both", {"checkpoint.pt", "best.pt"}), ("last", {"checkpoint.pt"}), ("best", {"best.pt"}), ("none", set())],
)
def test_states_are_sent_now_and_then_and_those_that_are_kept_stay_once_the_next_job_has_begun(tmp_path, keep, stay):
    worker, there = Worker(load_splits(CONFIG)), tmp_path / "store" / "a"
    worker.begin(Job("a", f"file://{there}", CONFIG.as_dict(), "veils", send_every=2, keep=keep))
    sent = []
    for _ in range(3):
        worker.step()
        sent.append((there / "checkpoint.pt").exists())
    assert sent == [False, True, True]
    checkpoints = {"checkpoint.pt", "best.pt"}
    assert {path.name for path in there.iterdir()} > checkpoints  # until its end is written
    worker.begin(Job("b", str(tmp_path / "b"), CONFIG.as_dict(), "veils", keep=keep))
    assert {path.name for path in there.iterdir()} & checkpoints == stay
    assert worker.step()["epoch"] == 1
    worker.leave()
    assert {path.name for path in (tmp_path / "b").iterdir()} > checkpoints  # it has not ended


@pytest.mark.parametrize("prefix", ["", "file://"])
@pytest.mark.parametrize(("status", "left"), [("stopped", {"best.pt"}), ("failed", {"best.pt", "checkpoint.pt"})])
def test_checkpoints_of_a_trial_that_was_stopped_go_too(tmp_path, prefix, status, left):
    for name in ("best.pt", "checkpoint.pt"):
        (tmp_path / name).touch()
    job = Job("a", f"{prefix}{tmp_path}", CONFIG.as_dict(), "veils", keep="best")
    Tidying().on_end("search", job, {"status": status})
    assert {path.name for path in tmp_path.iterdir()} == left
    Tidying().on_end("search", Job("b", f"{prefix}{tmp_path}/none", {}, "veils", keep="none"), {"status": "stopped"})


def test_rows_that_the_driver_lacks_are_returned_again_and_only_the_last_is_measured(tmp_path):
    worker = Worker(load_splits(CONFIG))
    job = Job("a", str(tmp_path / "a"), CONFIG.as_dict(), "veils", rungs=(1.0, 2.0))
    worker.begin(job)
    before = [worker.step() for _ in range(2)]
    worker.begin(dataclasses.replace(job, known=0))
    again = [worker.step() for _ in range(3)]
    assert [row["epoch"] for row in again] == [1, 2, 3]
    assert [row.get("val_h") for row in again[:2]] == [None, before[1]["val_h"]]
    worker.begin(job, known=2)  # Tune had paused it
    assert worker.step()["epoch"] == 3


def test_what_a_figure_is_drawn_from_follows_into_an_object_store(tmp_path):
    splits = load_splits(CONFIG)
    worker = Worker(dataclasses.replace(splits, test=splits.test.take(np.arange(8))))
    measures = ({"geometry": 2}, {"surface": (0,)})
    worker.begin(Job("a", f"file://{tmp_path}/store/a", CONFIG.as_dict(), "all", measures=measures))
    while not worker.step()["done"]:
        pass
    worker.place.close()
    there = {path.name for path in Path(tmp_path, "store", "a").iterdir()}
    assert {"geometry-main.csv", "surface-main.csv", "evaluation-main.csv"} < there


def test_the_local_copy_is_taken_away_when_the_next_job_begins(tmp_path):
    worker = Worker(load_splits(CONFIG))
    worker.begin(Job("a", f"file://{tmp_path}/a", CONFIG.as_dict(), "veils"))
    copy = worker.place.path
    assert copy.exists()
    worker.begin(Job("b", str(tmp_path / "b"), CONFIG.as_dict(), "veils"))
    assert not copy.exists()
