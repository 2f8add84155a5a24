"""Whatever state a folder is in, it is said what is missing in it; studies are merged only if they may be."""

import json

import pytest

from analysis.comparisons.settings import records, settings
from analysis.inputs.missing import missing
from analysis.inputs.several import circumstances, protocol_differences, read_named, read_studies
from analysis.inputs.studies import read_folder
from study.files.results import Results
from tests.support.analysis_folders import STORED, change_record, keep_rows, killed, stored


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "s1"


# -------------------------------------------------------------------------------------------------- states of a folder


def test_whole_study_lacks_nothing(folder):
    found = read_folder(stored(folder))
    assert missing(found) == []
    assert (len(found.trials), len(found.done), found.name) == (24, 30, "s1")


def test_study_that_was_killed_says_how_far_it_came(folder):
    found = read_folder(killed(folder))
    assert missing(found) == [
        f"the study is not finished (state: running); resume it with python study/run.py --resume {folder}",
        "16 of 24 trials have not ended",
        "no run was measured on test images, so no number here may be quoted",
    ]
    assert len(found.epochs) == 8 * 15 + 2 * 3


def test_failed_and_stopped_trials_are_counted(folder):
    results = Results(stored(folder))
    results.put_trial({**results.trials[3], "status": "failed", "val_h": None, "error": "out of memory"})
    results.put_trial({**results.trials[4], "status": "stopped", "epochs": 3})
    assert missing(read_folder(folder)) == [
        "1 of 24 trials were stopped early and are never ranked",
        "1 of 24 trials failed",
    ]


def test_failed_run_is_counted_and_in_no_mean(folder):
    results = Results(stored(folder))
    row = next(row for row in results.confirm if row["method"] == "vanilla" and row["seed"] == 1)
    results.put_confirm({**row, "h": None, "sa": None, "ra": None, "error": "out of memory"})
    found = read_folder(folder)
    assert missing(found) == ["1 of 30 runs on test images are missing", "1 runs on test images failed"]
    vanilla = next(each for each in settings(found.runs) if each.row["method"] == "vanilla")
    assert (len(vanilla.h), vanilla.failed) == (5, 1)


def test_one_seed_allows_no_interval(folder):
    keep_rows(stored(folder), "confirm", lambda row: row["seed"] == 1)
    change_record(folder, options__seeds=1)
    found = read_folder(folder)
    assert missing(found) == ["every setting has one seed: no interval and no test is possible"]
    assert all(each.interval().half is None for each in settings(found.runs))


def test_study_without_confirmation_says_that_nothing_may_be_quoted(folder):
    found = read_folder(stored(folder, "confirm.csv", "corruptions.csv"))
    assert missing(found) == ["no run was measured on test images, so no number here may be quoted"]


def test_confirmation_that_was_not_asked_for_is_not_missing(folder):
    change_record(stored(folder, "confirm.csv", "corruptions.csv"), options__confirm=0)
    assert missing(read_folder(folder)) == []


def test_table_that_was_cut_off_says_how_many_runs_are_missing(folder):
    stored(folder, "trials.csv", "epochs.csv")
    options = json.loads((folder / "study.json").read_text())["options"]
    change = {"budget": None, "table": "entprop/9", "scale": "demo", "trials": None, "sampler": None, "confirm": None}
    change_record(
        folder, options={**options, **change, "controls": None, "race": None, "seeds": 9}, state="interrupted"
    )
    assert "6 of 36 runs on test images are missing" in missing(read_folder(folder))


def test_a_folder_of_studies_names_them(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.json").write_text("{}")
    with pytest.raises(ValueError, match=r"holds 2 studies \(a, b\); name one, or several of one protocol: .*/a$"):
        read_folder(tmp_path)


def test_empty_folder_is_refused_in_one_line(folder):
    folder.mkdir()
    with pytest.raises(ValueError, match=r"^no results in .*s1; write them with python study/run.py --out .*s1$"):
        read_folder(folder)


def test_damaged_table_is_a_problem_and_the_others_are_read(folder):
    (stored(folder) / "trials.csv").write_text("trial,status\n1,finished,more\n")
    found = read_folder(folder)
    assert found.trials.empty
    assert len(found.done) == 30
    assert any("line 2 must have 2 cells, got 3" in line for line in missing(found))


def test_folder_without_a_record_is_read_and_says_so(folder):
    found = read_folder(stored(folder, "study.json"))
    assert len(found.done) == 30
    assert any("no study.json" in line for line in missing(found))


# ------------------------------------------------------------------------------------------------------ several studies


def test_studies_of_one_protocol_are_merged_and_a_run_is_counted_once(tmp_path):
    one = keep_rows(stored(tmp_path / "a"), "confirm", lambda row: row["seed"] <= 4)
    other = keep_rows(stored(tmp_path / "b"), "confirm", lambda row: row["seed"] >= 3)
    found = read_studies([one, other])
    assert len(found.runs) == 30
    assert len(found.trials) == 48
    assert found.name == "a + b"
    assert found.problems == ("10 runs of a setting and seed are in two studies; the first is used",)
    assert {row["study"] for row in records(found.runs) if row["seed"] in (3, 4)} == {"a"}


def test_what_one_study_alone_has_measured_of_a_run_is_kept(tmp_path):
    one, other = stored(tmp_path / "a"), stored(tmp_path / "b")
    run = Results(other).confirm[0]
    attacked = {
        "config": run["config"],
        "seed": run["seed"],
        "norm": "main",
        "attack": "PGD20-8",
        "accuracy": 12.5,
        "images": 100,
    }
    Results(other)._put("attacks", [attacked])
    found = records(read_studies([one, other]).runs)
    assert len(found) == 30
    (row,) = [row for row in found if row["PGD20-8"] is not None]
    assert (row["config"], row["seed"], row["study"], row["h"]) == (run["config"], run["seed"], "a", run["h"])
    assert (row["PGD20-8"], row["images of PGD20-8"]) == (12.5, 100.0)


def test_run_that_failed_in_one_study_is_taken_from_the_other(tmp_path):
    results = Results(stored(tmp_path / "a"))
    results.put_confirm({**results.confirm[0], "h": None, "sa": None, "ra": None, "error": "killed"})
    found = read_studies([tmp_path / "a", stored(tmp_path / "b")])
    assert len(found.done) == 30


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("options__trial__epochs", 12, "epochs 15 (a) and 12 (b)"),
        ("options__trial__train_images", 500, "train_images None (a) and 500 (b)"),
        ("options__trial__dataset", "mnist", "dataset fashion (a) and mnist (b)"),
        ("data__digest", "0" * 64, "images, labels or split (a and b)"),
    ],
)
def test_studies_of_two_protocols_are_refused_with_what_differs(tmp_path, name, value, told):
    stored(tmp_path / "a")
    change_record(stored(tmp_path / "b"), **{name: value})
    folders = [tmp_path / "a", tmp_path / "b"]
    assert protocol_differences(read_named(folders)) == [told]
    with pytest.raises(ValueError, match=r"studies must be of one protocol to be merged, got .*--mix"):
        read_studies(folders)
    assert len(read_studies(folders, mix=True).paths) == 2


def test_what_differs_beside_the_protocol_is_told_and_no_obstacle(tmp_path):
    stored(tmp_path / "a")
    change_record(stored(tmp_path / "b"), git__hash="abc", options__budget="2N", device="CUDA")
    folders = read_named([tmp_path / "a", tmp_path / "b"])
    assert protocol_differences(folders) == []
    assert [line.split(":")[0] for line in circumstances(folders)] == ["code", "device", "budget"]
    assert "abc (b)" in circumstances(folders)[0]


def test_studies_of_one_name_keep_apart(tmp_path):
    paths = [stored(tmp_path / "x" / "s"), stored(tmp_path / "y" / "s")]
    assert [each.name for each in read_named(paths)] == [str(path) for path in paths]


def test_training_options_that_are_not_the_recipe_are_told_with_each_run(folder):
    change_record(stored(folder), options__trial__train_images=500, options__trial__batch_size=32)
    found = read_folder(folder)
    assert set(found.runs["changes"]) == {"train_images 500 instead of all, batch_size 32 instead of 64"}
    assert set(read_folder(STORED).runs["changes"]) == {""}
