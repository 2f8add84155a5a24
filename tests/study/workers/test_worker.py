"""A worker without Ray: jobs end, go on after a kill, and fail with a reason that a person can use."""

import dataclasses
import errno

import numpy as np
import pytest
import torch

from study.workers.jobs import Job
from study.workers.worker import Worker, describe
from trainables.config import TrialConfig, make_method, with_recipe
from trainables.training.loop import load_splits
from trainables.training.run_folder import RunFolder, read_rows, read_run

CONFIG = with_recipe(make_method("entprop", {}), epochs=3, train_images=128, seed=3)
MEASURED = ("seconds", "images_per_s", "measuring_s")  # differ from run to run


@pytest.fixture(scope="module")
def splits():
    return load_splits(CONFIG)


def job_in(folder, config: TrialConfig = CONFIG, **options):
    return Job("trial-0000", str(folder), config.as_dict(), **{"measure": "veils", **options})


def rows_of(worker, job, count=100):
    worker.begin(job)
    rows = []
    while len(rows) < count and not (rows and rows[-1]["done"]):
        rows.append(worker.step())
    return rows


def plain(row):
    return {name: value for name, value in row.items() if name not in MEASURED}


def test_a_job_is_measured_at_its_end_and_at_rungs(tmp_path, splits):
    cost = CONFIG.method.cost
    rows = rows_of(Worker(splits), job_in(tmp_path / "a", rungs=(1.5 * cost,)))
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert ["val_h" in row for row in rows] == [False, True, True]
    assert [row["done"] for row in rows] == [False, False, True]


def test_a_job_cut_off_goes_on_after_its_last_epoch_with_the_same_numbers(tmp_path, splits):
    whole = rows_of(Worker(splits), job_in(tmp_path / "a"))
    before = rows_of(Worker(splits), job_in(tmp_path / "b"), count=2)
    after = rows_of(Worker(splits), job_in(tmp_path / "b"))  # another process, as it were
    assert [row["epoch"] for row in after] == [2, 3]  # the last row again: its reader may have been killed
    assert [plain(row) for row in [*before[:1], *after]] == [plain(row) for row in whole]


def test_a_job_that_had_ended_is_measured_again_and_not_trained(tmp_path, splits):
    whole = rows_of(Worker(splits), job_in(tmp_path / "a"))
    again = rows_of(Worker(splits), job_in(tmp_path / "a"))
    assert [plain(row) for row in again] == [plain(whole[-1])]


def test_a_diverging_job_says_so_and_the_next_job_runs(tmp_path, splits):
    worker = Worker(splits)
    wild = with_recipe(make_method("vanilla", {}), epochs=3, train_images=128, lr=1e20)
    (last,) = rows_of(worker, job_in(tmp_path / "a", wild))
    assert last["done"]
    assert last["error"].startswith("the loss is no longer finite at step")
    assert "val_h" in rows_of(worker, job_in(tmp_path / "b"))[-1]


def test_memory_that_runs_out_is_named(tmp_path, splits, monkeypatch):
    worker = Worker(splits)
    worker.begin(job_in(tmp_path / "a"))
    monkeypatch.setattr(
        worker, "_step", lambda: (_ for _ in ()).throw(torch.OutOfMemoryError("tried to allocate 9 GiB"))
    )
    assert worker.step()["error"].startswith("out of memory: OutOfMemoryError: tried to allocate 9 GiB; use a smaller")


def test_what_cannot_begin_fails_with_its_traceback(tmp_path, splits):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "something").write_text("else")
    (row,) = rows_of(Worker(splits), job_in(tmp_path / "a"))
    assert row["error"].splitlines()[0].startswith("ValueError: ")
    assert "Traceback" in row["error"]


ONE_EPOCH = with_recipe(make_method("mixprop", {}), epochs=1, train_images=128)
CONFIG_1 = with_recipe(make_method("vanilla", {}), epochs=1, train_images=128)


def kinds(row, norm="main"):
    return [(each["measure"], each["name"], each["images"]) for each in row["measured"] if each["norm"] == norm]


def test_test_images_are_measured_with_all_corruptions_and_whatever_else_is_asked_for(tmp_path, splits):
    measures = ({"attack": "FGSM4", "attacked_images": 20}, {"norm": "aux", "corruptions": "all"}, {"geometry": 4})
    (row,) = rows_of(Worker(splits), job_in(tmp_path / "a", ONE_EPOCH, measure="all", measures=measures))
    assert {"sa", "ra", "h", "ece"} <= set(row)
    corrupted = [each for each in row["measured"] if each["measure"] == "corruption"]
    assert [each["norm"] for each in corrupted] == ["main"] * 75 + ["aux"] * 75
    assert ("attack", "FGSM4", 20) in kinds(row)
    assert ("geometry", "margin", 4) in kinds(row)
    assert {("sa", "", 400), ("ra", "", 400), ("h", "", 400)} <= set(kinds(row, "aux"))
    assert "frost from" in row["ra_source"]
    assert [name for name, _, _ in kinds(row)].count("sa") == 1  # other evaluations do not repeat the clean images
    assert (tmp_path / "a" / "geometry-main.csv").is_file()  # what a figure is drawn from
    kept = read_rows(tmp_path / "a" / "evaluation-aux.csv")
    assert [(each["measure"], each["value"]) for each in kept] == [
        (each["measure"], each["value"]) for each in row["measured"] if each["norm"] == "aux"
    ]
    assert ("attack", "FGSM4") in [
        (each["measure"], each["name"]) for each in read_rows(tmp_path / "a" / "evaluation-main.csv")
    ]


def test_what_is_right_of_each_test_image_gives_the_reported_accuracies(tmp_path, splits):
    (row,) = rows_of(Worker(splits), job_in(tmp_path / "a", CONFIG_1, measure="all"))
    assert [each["image"] for each in row["images"]] == list(range(400))
    assert sum(each["clean"] for each in row["images"]) / 4 == pytest.approx(row["sa"])
    assert sum(each["corrupted"] for each in row["images"]) / 4 / 75 == pytest.approx(row["ra"])
    kept = read_rows(tmp_path / "a" / "images-main.csv")
    assert kept == row["images"]


def test_a_run_that_draws_its_own_validation_images_keeps_them_wherever_it_is_read(tmp_path, splits):
    own = dataclasses.replace(CONFIG_1, resplit=True, seed=5)
    worker = Worker(splits)
    rows_of(worker, job_in(tmp_path / "a", own))
    assert worker.splits.digest != splits.digest
    assert read_run(tmp_path / "a", None, "cpu").splits.digest == worker.splits.digest
    rows_of(worker, job_in(tmp_path / "b", dataclasses.replace(own, seed=6)))
    assert worker.splits.digest != read_run(tmp_path / "a", None, "cpu").splits.digest
    rows_of(worker, job_in(tmp_path / "c", CONFIG_1))
    assert worker.splits is splits


def test_a_job_counts_what_it_selects_also_when_it_was_cut_off(tmp_path, splits):
    def selected(row):
        return {int(each["name"]): each["value"] for each in row["measured"] if each["measure"] == "selected"}

    splits = dataclasses.replace(splits, test=splits.test.take(np.arange(8)))
    asked = {"measure": "all", "measures": ({"selections": True},)}
    whole = selected(rows_of(Worker(splits), job_in(tmp_path / "a", **asked))[-1])
    assert sum(whole.values()) == 128
    assert sum(times * images for times, images in whole.items()) == 3 * 2 * 13  # epochs, batches of 64, k = 0.2
    rows_of(Worker(splits), job_in(tmp_path / "b", **asked), count=2)
    record = (tmp_path / "b" / "selected.npy").read_bytes()
    assert selected(rows_of(Worker(splits), job_in(tmp_path / "b", **asked))[-1]) == whole
    rows_of(Worker(splits), job_in(tmp_path / "c", **asked), count=2)
    (tmp_path / "c" / "selected.npy").write_bytes(record[: len(record) // 2])
    assert selected(rows_of(Worker(splits), job_in(tmp_path / "c", **asked))[-1]) == whole


def test_a_network_is_shown_what_is_made_against_another(tmp_path, splits):
    rows_of(Worker(splits), job_in(tmp_path / "proxy", ONE_EPOCH))
    shown = {"attack": "FGSM8", "attacked_images": 50, "transfer_from": str(tmp_path / "proxy")}
    (row,) = rows_of(Worker(splits), job_in(tmp_path / "a", CONFIG_1, measure="all", measures=(shown,)))
    assert kinds(row)[-1] == ("transfer", "FGSM8", 50)
    missing = {**shown, "transfer_from": str(tmp_path / "nowhere")}
    (row,) = rows_of(Worker(splits), job_in(tmp_path / "b", CONFIG_1, measure="all", measures=(missing,)))
    assert "must hold a checkpoint.pt" in row["error"]


def test_an_error_begins_with_what_went_wrong():
    assert describe(KeyError("x")).startswith("KeyError: 'x'\n")


@pytest.mark.parametrize("name", ["checkpoint.pt", "epochs.csv", "config.json"])
def test_a_job_whose_folder_was_damaged_is_trained_anew_with_the_same_numbers(tmp_path, splits, name):
    whole = rows_of(Worker(splits), job_in(tmp_path / "a"))
    rows_of(Worker(splits), job_in(tmp_path / "b"), count=2)
    content = (tmp_path / "b" / name).read_bytes()
    (tmp_path / "b" / name).write_bytes(content[: len(content) // 2])
    after = rows_of(Worker(splits), job_in(tmp_path / "b"))
    assert [plain(row) for row in after] == [plain(row) for row in whole]


def test_memory_that_runs_out_on_going_on_costs_no_checkpoint(tmp_path, splits, monkeypatch):
    whole = rows_of(Worker(splits), job_in(tmp_path / "a"))
    rows_of(Worker(splits), job_in(tmp_path / "b"), count=2)
    before = {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}

    def full(*args, **options):
        raise torch.OutOfMemoryError("tried to allocate 9 GiB")

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Module, "to", full)
        (row,) = rows_of(Worker(splits), job_in(tmp_path / "b"))
    assert row["error"].startswith("out of memory: OutOfMemoryError: tried to allocate 9 GiB")
    assert {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()} == before
    after = rows_of(Worker(splits), job_in(tmp_path / "b"))
    assert [plain(row) for row in after] == [plain(row) for row in whole[1:]]


@pytest.mark.parametrize("when", ["begin", "add"])
def test_a_full_disk_is_no_failure_of_the_job(tmp_path, splits, monkeypatch, when):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    worker = Worker(splits)
    monkeypatch.setattr(RunFolder, when, full)
    worker.begin(job_in(tmp_path / "a"))
    row = worker.step()
    assert row["full"]
    assert row["error"].startswith("OSError: [Errno 28] No space left on device")
