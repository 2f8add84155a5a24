"""Whatever is given to an entry point: wrong input is one line on stderr, exit code 2, and nothing is written."""

import contextlib
import csv
import io
import json
import math
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.inputs.missing import missing
from analysis.inputs.several import circumstances, merge, protocol_differences, read_named
from analysis.inputs.studies import read_folder
from study.config.budget import format_budget, parse_budget
from study.config.make_study import make_study
from study.files.columns import STATUSES
from study.files.results import Results
from study.run import main as run_main
from tests.support.bad_files import make_inputs, make_studies
from tests.support.bad_inputs import cases, give, snapshot
from trainables.data.datasets import load_dataset
from trainables.methods import METHODS


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    root = tmp_path_factory.mktemp("inputs")
    make_inputs(root)
    return root


def wrong_with(case, inputs, folder):
    """What an entry point does wrong with a bad input; empty if it answers as it must."""
    before = snapshot(inputs)
    answer = give(case, inputs)
    held = {
        "the exit code is 2": answer.code == 2,
        "stdout is empty": answer.out == "",
        "stderr is one line": answer.err.startswith("error: ") and answer.err.count("\n") == 1,
        "no traceback is shown": "Traceback" not in answer.err,
        f"stderr says {case.says!r}": case.says.format(d=inputs) in answer.err,
        "no input is changed": snapshot(inputs) == before,
        "nothing is written": list(folder.iterdir()) == [],
    }
    broken = [rule for rule, holds in held.items() if not holds]
    return broken and [*broken, answer]


@pytest.mark.parametrize("entry", dict.fromkeys(case.entry for case in cases()))
def test_bad_input_is_one_line_and_nothing_is_written(entry, inputs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = [case for case in cases() if case.entry == entry]
    wrong = {case.words: wrong_with(case, inputs, tmp_path) for case in mine}
    assert len(wrong) == len(mine)  # none stands there twice
    assert {words: rules for words, rules in wrong.items() if rules} == {}


def test_there_are_at_least_250_bad_inputs_of_five_entry_points():
    assert len(cases()) >= 250
    assert len({case.entry for case in cases()}) == 5


# ---------------------------------------------------------------------------------------------------------- at random

SOME = settings(max_examples=100)


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=12), st.from_regex(r"[0-9.,+\-eEnN xX_]{0,8}", fullmatch=True)))
def test_any_budget_is_a_number_of_at_least_1_or_refused(text):
    budget, refusal = tried(parse_budget, text)
    if budget is None:
        assert refusal.startswith("budget must be a number of at least 1 followed by N, as in 4N or 1.2N, got ")
        return
    assert budget.per_epoch == float(text.strip().rstrip("N")) >= 1
    assert parse_budget(format_budget(budget)) == budget


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("studies")
    make_studies(root)
    return root / "study"


def flipped(content, data):
    """The content with a byte changed, a piece cut out, doubled or put elsewhere."""
    start = data.draw(st.integers(0, max(0, len(content) - 1)))
    stop = data.draw(st.integers(start, min(len(content), start + 200)))
    kind = data.draw(st.sampled_from(["byte", "cut", "twice", "short"]))
    if kind == "byte":
        return content[:start] + bytes([data.draw(st.integers(0, 255))]) + content[start + 1 :]
    return {
        "cut": content[:start] + content[stop:],
        "twice": content[:stop] + content[start:],
        "short": content[:start],
    }[kind]


def looked_at(folder, *words):
    """The exit code and the lines on stderr of looking at a folder; anything but an answer would be raised here."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = run_main([*words, str(folder)])
        except SystemExit as stop:
            code = stop.code
    return code, err.getvalue()


def tried(function, *arguments):
    """What a function returns, or nothing and how it refused."""
    try:
        return function(*arguments), ""
    except (ValueError, OSError) as error:
        return None, str(error)


@SOME
@given(st.data(), st.sampled_from(["trials.csv", "confirm.csv", "study.json"]))
def test_a_folder_with_a_damaged_file_is_shown_or_refused_in_one_line(tmp_path_factory, study, data, name):
    folder = tmp_path_factory.mktemp("damaged") / "study"
    shutil.copytree(study, folder)
    (folder / name).write_bytes(flipped((folder / name).read_bytes(), data))
    before = snapshot(folder)
    code, err = looked_at(folder, "show")
    assert (code == 0 and err == "") or (code == 2 and err.count("\n") == 1 and err.startswith("error: ")), (code, err)
    assert looked_at(folder.parent, "ls")[0] == 0
    assert snapshot(folder) == before


@SOME
@given(st.data(), st.sampled_from(["trials.csv", "confirm.csv", "study.json"]))
def test_analysis_reads_a_damaged_folder_and_says_what_it_could_not_read(tmp_path_factory, study, data, name):
    folder = tmp_path_factory.mktemp("damaged") / "study"
    shutil.copytree(study, folder)
    (folder / name).write_bytes(flipped((folder / name).read_bytes(), data))
    found, refusal = tried(read_folder, folder)
    assert "\n" not in refusal
    assert found is None or all("\n" not in line for line in missing(found))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=8), parts, max_size=3),
    max_leaves=8,
)
CELLS = st.one_of(
    st.sampled_from(["", "nan", "inf", "1e308", "true", *STATUSES, *METHODS, "main", "digits", "cifar10"]),
    st.integers().map(str),
    st.floats().map(repr),
    st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=8),
)


def with_any_value(record, data):
    """A manifest in which one entry, one option or one field of a trial is anything."""
    place = record
    if data.draw(st.booleans()):
        place = record["options"]
        if data.draw(st.booleans()):
            place = place["trial"]
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON)
    return json.dumps(record)


def with_any_cells(text, data):
    """A table in which one to three cells are anything that stands in tables."""
    head, *rows = csv.reader(io.StringIO(text))
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.sampled_from(rows))
        row[data.draw(st.integers(0, len(head) - 1))] = data.draw(CELLS)
    new = io.StringIO()
    csv.writer(new, lineterminator="\n").writerows([head, *rows])
    return new.getvalue()


def spoilt_copy(tmp_path_factory, study, data):
    """A copy of a study that is a manifest or a table wrong."""
    folder = tmp_path_factory.mktemp("spoilt") / "study"
    shutil.copytree(study, folder)
    path = folder / data.draw(st.sampled_from(["study.json", "trials.csv", "confirm.csv"]))
    text = path.read_text()
    spoilt = with_any_value(json.loads(text), data) if path.suffix == ".json" else with_any_cells(text, data)
    path.write_text(spoilt)
    return folder


@SOME
@given(st.data())
def test_any_value_in_a_manifest_is_taken_or_refused_in_one_line(tmp_path_factory, study, data):
    folder = tmp_path_factory.mktemp("manifest") / "study"
    shutil.copytree(study, folder)
    (folder / "study.json").write_text(with_any_value(json.loads((study / "study.json").read_text()), data))
    code, err = looked_at(folder, "show")
    assert (code == 0 and err == "") or (code == 2 and err.count("\n") == 1), (code, err)
    assert "\n" not in tried(lambda: make_study(resume=str(folder)))[1]


@settings(max_examples=40)
@given(st.data())
def test_analysis_compares_any_study_with_another_or_refuses_it_in_one_line(tmp_path_factory, study, data):
    folders = [study, spoilt_copy(tmp_path_factory, study, data)]
    parts, refusal = tried(lambda: Results(folders[1]).check() or read_named(folders))
    assert "\n" not in refusal
    if parts:
        lines = [*circumstances(parts), *protocol_differences(parts), *missing(merge(parts))]
        assert all(isinstance(line, str) for line in lines)


@pytest.mark.slow
@settings(max_examples=150)
@given(st.data())
def test_analysis_answers_from_any_study_or_refuses_it_in_one_line(tmp_path_factory, study, data):
    from analysis.report.report import summary

    folder = spoilt_copy(tmp_path_factory, study, data)
    found, refusal = tried(lambda: Results(folder).check() or read_folder(folder))
    assert "\n" not in refusal
    if found:
        text, refusal = tried(summary, found)
        assert text or (refusal and "\n" not in refusal)


@SOME
@given(st.data())
def test_any_npz_is_data_or_refused_in_one_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("npz")
    arrays = {name: data.draw(ARRAYS) for name in data.draw(st.sets(st.sampled_from(NAMES)))}
    path = folder / "own.npz"
    np.savez(path, **arrays)
    if data.draw(st.booleans()):
        path.write_bytes(flipped(path.read_bytes(), data))
    found, refusal = tried(load_dataset, f"npz:{path}")
    assert "\n" not in refusal
    if found:
        assert len(found.train) >= 1 <= len(found.test)


NAMES = ("train_images", "train_labels", "test_images", "test_labels", "classes")
ARRAYS = st.one_of(
    st.tuples(st.integers(0, 12), st.integers(0, 9), st.integers(0, 9), st.integers(0, 4)).map(
        lambda shape: np.arange(math.prod(shape), dtype=np.uint8).reshape(shape)
    ),
    st.lists(st.integers(-3, 9), max_size=12).map(lambda values: np.array(values, dtype=np.int64)),
    st.lists(st.text(max_size=3), max_size=4).map(lambda values: np.array(values, dtype=str)),
    st.just(np.array(3.5)),
)
