"""Result files: what is written is what is loaded, whatever was killed in between, and who is ranked with whom."""

import csv
import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.config.space import trial_config
from study.config.study_config import Study
from study.files.columns import COLUMNS, KEYS
from study.files.configs import config_row, method_of
from study.files.results import Results
from study.files.study_json import STUDY_ENTRIES, study_record
from tests.support.trial_rows import CONFIG, STUDY, trial
from trainables.methods import METHODS

ROOT = Path(__file__).parents[3]


def epoch(number, index, **values):
    return {"trial": number, "epoch": index, "spent": 2.0 * index, "loss": 0.1 + index, **values}


def plain(path):
    """The rows as any CSV reader sees them."""
    return list(csv.DictReader(io.StringIO(path.read_text())))


# -------------------------------------------------------------------------------------------------- round trips


def test_what_is_written_is_what_is_loaded_with_its_types(tmp_path):
    row = trial(0, measured_cost=1.7999999999999998, seconds=1e-7, images_per_s=None, error='a\nb\\n, "c"\r\n\\')
    Results(tmp_path).put_trial(row)
    loaded = Results(tmp_path).trials[0]
    for name, value in row.items():
        if name in loaded:
            expected = value.replace("\r\n", "\n") if name == "error" else value
            assert loaded[name] == expected
            assert type(loaded[name]) is type(value)
    assert list(loaded) == [column.name for column in COLUMNS["trials"]]


@settings(max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_any_number_survive(tmp_path_factory, text, number):
    folder = tmp_path_factory.mktemp("r")
    Results(folder).put_trial(trial(0, error=text, val_h=number))
    Results(folder).put_trial(trial(1))
    loaded = Results(folder).trials
    assert len(loaded) == 2
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert loaded[0]["error"] == (expected or None)
    assert loaded[0]["val_h"] == number


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_written_as_an_empty_cell(tmp_path, number):
    Results(tmp_path).put_trial(trial(0, images_per_s=number))
    assert Results(tmp_path).trials[0]["images_per_s"] is None


@pytest.mark.parametrize(("column", "text"), [("val_h", "nan"), ("val_h", "1e999"), ("seed", "9" * 30)])
def test_a_number_that_no_reader_can_hold_is_refused(tmp_path, column, text):
    Results(tmp_path).put_trial(trial(0, **{column: 12345}))
    path = tmp_path / "trials.csv"
    path.write_text(path.read_text().replace(",12345", f",{text}"))
    with pytest.raises(ValueError, match=f"must hold values of type .*, got '{text[:20]}"):
        Results(tmp_path).trials  # noqa: B018


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_found_again_from_its_row(tmp_path, name):
    config = trial_config(STUDY, {"method": name}, 0)
    Results(tmp_path).put_trial({**config_row(config), "trial": 0, "status": "running"})
    method = method_of(Results(tmp_path).trials[0])
    assert type(method) is METHODS[name]
    assert config_row(trial_config(STUDY, {"method": name, **vars(method)}, 0)) == config_row(config)


def test_all_tables_are_kept_by_their_keys(tmp_path):
    results = Results(tmp_path)
    run = {**config_row(CONFIG), "why": "best-1", "epochs": 10, "sa": 98.0, "ra": 90.0, "h": 93.8}
    results.put_confirm(run)
    results.put_confirm({**run, "seed": 4})
    results.put_confirm({**run, "h": 93.9})
    key = {"config": run["config"], "seed": 3}
    rows = [{**key, "norm": "main", "corruption": c, "severity": s, "accuracy": 90.0} for c in "ab" for s in (1, 2)]
    attacked = {**key, "attack": "PGD20-2", "accuracy": 5.0, "images": 100}
    distance = {**key, "norm": "main", "measure": "fid", "name": "mixup", "value": 3.5, "images": 25}
    for _ in range(2):
        results.add_measured({"corruptions": rows, "attacks": [attacked], "measures": [distance]})
    again = Results(tmp_path)
    assert [(row["seed"], row["h"]) for row in again.confirm] == [(3, 93.9), (4, 93.8)]
    assert len(again.corruptions) == 4
    assert (again.attacks, again.measures) == ([attacked], [distance])
    assert again.confirm[0]["lr"] == CONFIG.lr


@pytest.mark.parametrize(
    ("name", "row"), [("trials", {"status": "finished"}), ("epochs", {"trial": 1}), ("confirm", {"config": "a"})]
)
def test_a_row_without_its_keys_is_refused(tmp_path, name, row):
    results = Results(tmp_path)
    put = {"trials": results.put_trial, "epochs": results.add_epoch, "confirm": results.put_confirm}[name]
    with pytest.raises(ValueError, match=f"a row of {name}.csv must have {', '.join(KEYS[name])}"):
        put(row)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_status_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown status 'done'"):
        Results(tmp_path).put_trial(trial(0, status="done"))


# ----------------------------------------------------------------------------------------------------- kills


def test_a_line_that_was_cut_off_is_dropped_and_mended_by_the_next_write(tmp_path):
    results = Results(tmp_path)
    for index in (1, 2, 3):
        results.add_epoch(epoch(0, index))
    path = tmp_path / "epochs.csv"
    whole = path.read_bytes()
    for cut in range(whole.rindex(b"\n", 0, -1) + 2, len(whole)):
        path.write_bytes(whole[:cut])
        again = Results(tmp_path)
        assert [row["epoch"] for row in again.epochs] == [1, 2]
        assert path.read_bytes() == whole[:cut]  # reading changes nothing
        again.add_epoch(epoch(0, 3))
        assert path.read_bytes() == whole


@pytest.mark.parametrize("content", [b"", b"trial,epo", b"trial,epoch"])
def test_a_file_that_was_killed_at_its_birth_is_begun_anew(tmp_path, content):
    (tmp_path / "epochs.csv").write_bytes(content)
    results = Results(tmp_path)
    assert results.epochs == []
    results.add_epoch(epoch(0, 1))
    assert [row["epoch"] for row in Results(tmp_path).epochs] == [1]


def test_an_epoch_that_is_done_again_replaces_the_first(tmp_path):
    results = Results(tmp_path)
    results.add_epoch(epoch(0, 1))
    results.add_epoch(epoch(0, 2))
    results.add_epoch(epoch(0, 1))
    results.add_epoch(epoch(0, 1, loss=7.0))
    assert [(row["epoch"], row["loss"]) for row in Results(tmp_path).epochs] == [(1, 7.0), (2, 2.1)]
    assert len(plain(tmp_path / "epochs.csv")) == 2


WRITER = """
import sys
from study.files.results import Results
results = Results(sys.argv[1])
for number in range(int(sys.argv[2]), 100_000):
    results.put_trial({"trial": number, "method": "vanilla", "cost": 1.0, "status": "running"})
    results.add_epoch({"trial": number, "epoch": 1, "loss": 0.5})
    done = {"status": "finished", "val_h": 90.0, "epochs": 1}
    results.put_trial({"trial": number, "method": "vanilla", "cost": 1.0, **done})
    print(number, flush=True)
"""


def test_files_are_whole_after_a_kill_at_any_moment(tmp_path):
    first = 0
    for patience in (0.05, 0.08, 0.11):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(first)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        seen = [writer.stdout.readline()]
        time.sleep(patience)
        os.kill(writer.pid, signal.SIGKILL)
        seen += writer.stdout.read().split()
        writer.wait()
        writer.stdout.close()
        last = max(int(number) for number in seen if str(number).strip())
        rows = Results(tmp_path).trials
        assert [row["trial"] for row in rows] == list(range(len(rows)))
        assert all(row["status"] == "finished" for row in rows[: last + 1])  # nothing that was done is lost
        assert {int(row["trial"]) for row in plain(tmp_path / "trials.csv")} == set(range(len(rows)))
        assert {row["trial"] for row in Results(tmp_path).epochs} >= set(range(last + 1))
        first = last + 1


def test_a_damaged_table_is_named_with_its_line(tmp_path):
    results = Results(tmp_path)
    results.add_epoch(epoch(0, 1))
    with open(tmp_path / "epochs.csv", "a") as file:
        file.write("1,2,3\n")
    with pytest.raises(ValueError, match=r"epochs\.csv line 3 must have \d+ cells, got 3"):
        Results(tmp_path).epochs  # noqa: B018
    (tmp_path / "epochs.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="must have the columns trial, epoch"):
        Results(tmp_path).epochs  # noqa: B018


def test_a_table_with_other_columns_is_read_and_brought_up_to_date(tmp_path):
    (tmp_path / "epochs.csv").write_text("epoch,trial,loss,former\n1,0,0.5,x\n")
    results = Results(tmp_path)
    assert results.epochs[0]["loss"] == 0.5
    results.add_epoch(epoch(0, 2))
    assert [row["loss"] for row in Results(tmp_path).epochs] == [0.5, 2.1]
    assert "former" not in (tmp_path / "epochs.csv").read_text()


def test_a_value_of_another_type_is_named(tmp_path):
    (tmp_path / "epochs.csv").write_text("trial,epoch,loss\n0,1,much\n")
    with pytest.raises(ValueError, match="must hold values of type float, got 'much'"):
        Results(tmp_path).epochs  # noqa: B018


def test_writing_stays_cheap_with_many_trials(tmp_path):
    results = Results(tmp_path)
    results.table("trials").put(trial(number) for number in range(5000))
    began = time.process_time()
    for number in range(20):
        results.put_trial(trial(number, val_h=float(number)))
    assert (time.process_time() - began) / 20 < 0.05  # 0.002 s of computing on an idle core


def long_table(folder):
    """A table of 400 running trials, which is no longer replaced at every change."""
    results = Results(folder)
    results.write_study({"state": "running"})
    results.table("trials").put(trial(number, status="running") for number in range(400))
    return results


def test_in_a_long_table_a_changed_row_is_appended_and_counts_instead_of_the_one_above(tmp_path):
    results = long_table(tmp_path)
    for number in (7, 8, 7):
        results.put_trial(trial(number, val_h=50.0 + number))
    shown = [row["trial"] for row in plain(tmp_path / "trials.csv")]
    assert shown == [*map(str, range(400)), "7", "8"]  # what says nothing new is not written
    loaded = Results(tmp_path).trials
    assert [row["trial"] for row in loaded] == list(range(400))
    assert [row["trial"] for row in loaded if row["status"] == "finished"] == [7, 8]


def test_outdated_rows_of_a_long_table_stay_few_and_are_gone_when_the_study_ends(tmp_path):
    results = long_table(tmp_path)
    for number in range(400):
        results.put_trial(trial(number))
        assert len(plain(tmp_path / "trials.csv")) <= 450  # an eighth
    results.put_trial(trial(3, val_h=1.0))
    results.update_study(state="finished")
    assert [row["trial"] for row in plain(tmp_path / "trials.csv")] == [str(number) for number in range(400)]
    assert Results(tmp_path).trials == results.trials


def test_a_long_table_that_a_kill_cut_off_is_put_in_order_by_the_next_write(tmp_path):
    long_table(tmp_path).put_trial(trial(7))
    path = tmp_path / "trials.csv"
    path.write_bytes(path.read_bytes()[:-3])  # the kill came while the ending of trial 7 was appended
    again = Results(tmp_path)
    assert [row["status"] for row in again.trials] == ["running"] * 400
    again.put_trial(trial(8))
    assert len(plain(path)) == 400
    assert [row["trial"] for row in Results(tmp_path).trials if row["status"] == "finished"] == [8]


# --------------------------------------------------------------------------------------------------- study.json


def test_study_json_holds_every_entry_and_is_replaced_in_one_piece(tmp_path):
    results = Results(tmp_path)
    results.write_study(study_record(STUDY.as_dict(), ["run.py", "--budget", "4N"]))
    results.update_study(state="finished")
    content = json.loads((tmp_path / "study.json").read_text())
    assert set(content) == set(STUDY_ENTRIES)
    assert content["state"] == "finished"
    assert Study.from_dict(content["options"]) == STUDY
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_a_damaged_study_json_is_said_to_be_so(tmp_path, text):
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(ValueError, match="is damaged"):
        Results(tmp_path).read_study()


# -------------------------------------------------------------------------------------------------- documentation


def test_the_documentation_names_every_column_with_its_meaning():
    text = (ROOT / "docs" / "study-folder.md").read_text()
    sections = {part.split(".csv:")[0]: part for part in text.split("\n## ")[1:]}
    kinds = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    for name, columns in COLUMNS.items():
        rows = [line for line in sections[name].splitlines() if line.startswith(("| `", "| **`"))]
        expected = []
        for column in columns:
            shown = f"**`{column.name}`**" if column.name in KEYS[name] else f"`{column.name}`"
            expected.append(f"| {shown} | {kinds[column.kind]} | {column.meaning} |")
        assert rows == expected
    for name, entry in STUDY_ENTRIES.items():
        assert f"| `{name}` | {entry.meaning} |" in text


def test_a_confirmed_result_without_its_epochs_is_a_damaged_row(tmp_path):
    row = {**config_row(CONFIG), "why": "best-1", "error": "boom"}
    Results(tmp_path).put_confirm(row)
    assert len(Results(tmp_path).confirm) == 1  # a seed that failed has none
    Results(tmp_path).put_confirm({**row, "seed": 1, "h": 90.0})
    with pytest.raises(ValueError, match="must have `epochs` in each row"):
        Results(tmp_path).check()
