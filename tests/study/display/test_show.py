"""Folders of studies in any state as text."""

import pytest

from study.display.show import list_studies, show_study
from study.files.results import Results
from study.files.study_json import study_record
from tests.support.study_rows import CONFIRMED, STUDY, trial


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "one"
    Results(path).write_study(study_record(STUDY.as_dict(), ["study/run.py", "--budget", "4N"]))
    return path


def test_a_study_that_has_just_begun_says_what_is_missing(folder):
    text = show_study(folder)
    assert "entprop within 4N on fashion, resnet8, 15 epochs" in text
    assert "options: --budget 4N" in text
    assert "no trial has started yet" in text
    assert "missing: 8 of 8 trials" in text
    assert f"--resume {folder}" in text


def test_a_study_that_was_cut_off_shows_what_is_there(folder):
    results = Results(folder)
    results.put_trial(trial(0))
    results.put_trial(trial(1, status="failed", error="out of memory: much\nTraceback", val_h=None))
    results.put_trial(trial(2, status="running", epochs=4, val_h=None))
    for each in CONFIRMED[:3]:
        results.put_confirm(each)
    with open(folder / "trials.csv", "a") as file:
        file.write("3,abc")
    text = show_study(folder)
    assert "3 trials: 1 finished, 1 failed, 1 running" in text
    assert "trial 1  entprop k=0.35 n=3 ε=2.5 entropy: out of memory: much" in text
    assert "running or interrupted:" in text
    assert "vanilla: vanilla" in text
    assert "missing: 6 of 8 trials" in text
    assert "missing: the race has not ended" in text


def test_a_whole_study_misses_nothing(folder):
    results = Results(folder)
    for number in range(8):
        results.put_trial(trial(number))
    for each in CONFIRMED:
        results.put_confirm(each)
    for number in (1, 2):
        results.put_race({**trial(0), "why": "search", "round": number, "seed": number})
    results.update_study(state="finished", end=results.read_study()["start"])
    text = show_study(folder)
    assert "missing" not in text
    assert "--resume" not in text
    assert "It is not shown to differ from mixup alone" in text


def test_studies_are_listed_one_line_each_in_any_state(folder):
    Results(folder).put_trial(trial(0))
    (folder.parent / "two").mkdir()
    (folder.parent / "two" / "study.json").write_text("{")
    (folder.parent / "three").mkdir()
    Results(folder.parent / "three").write_study({})
    (folder.parent / "something else").mkdir()
    lines = list_studies(folder.parent).splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("one")
    assert "1/8" in lines[1]
    assert "94.20 entprop k=0.35" in lines[1]
    assert "damaged" in lines[3]
