"""What a terminal shows fits its width; what goes into a file is as wide as it is."""

import pytest

from study.config.make_study import make_study
from study.display.plan import plan_text
from study.display.rows import counted, ended_line
from study.display.show import list_studies, show_study
from study.display.summary import confirmed_chart, confirmed_table, final_text
from study.files.aligned import aligned, fitted, in_lines, screen_width
from study.files.results import Results
from study.files.study_json import study_record
from tests.support.study_rows import BEST, CONFIRMED, runs, trial

WIDE = [*CONFIRMED, *runs("published", {**BEST, "weights": "sum", "aux_target": "original"}, [93.0, 93.3, 93.1])]


@pytest.fixture
def study(tmp_path):
    results = Results(tmp_path / "s")
    study = make_study(budget="4N", out=str(results.folder))
    results.write_study(study_record(study.as_dict(), ["run.py", "--budget", "4N"]))
    for number in range(3):
        results.put_trial(trial(number, val_h=93.0 + number))
    for each in WIDE:
        results.put_confirm(each)
    return study, results


def without_commands(text):
    return [line for line in text.splitlines() if "study/run.py" not in line]  # these are pasted, not wrapped


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_every_line_of_a_study_fits_the_terminal(study, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    given, results = study
    for text in (final_text(given, results), show_study(results.folder), list_studies(results.folder.parent)):
        folders = [word for line in text.splitlines() for word in line.split() if "/" in word]
        least = max([width, *map(len, folders)])  # a path is not broken
        assert [line for line in without_commands(text) if len(line) > least] == []
    if width >= 80:
        assert [line for line in without_commands(plan_text(given)) if len(line) > width and "/s," not in line] == []


def test_at_80_columns_the_table_keeps_its_settings_and_its_answer(monkeypatch):
    whole = confirmed_table(WIDE)
    assert max(map(len, whole.splitlines())) > 80
    monkeypatch.setenv("COLUMNS", "80")
    text = confirmed_table(WIDE)
    assert max(map(len, text.splitlines())) <= 80
    for part in ("best-1: entprop k=0.35 n=3 ε=2.5 entropy", "94.20 ± 0.50", "− vanilla", "− mixup", "+3.70 ± 0.75"):
        assert part in text
    assert len(text.splitlines()) == 2 + 2 * 4
    assert "●" in confirmed_chart(WIDE)


def test_a_file_gets_whole_lines():
    assert screen_width() is None
    long = "word " * 60
    assert in_lines(long) == long
    assert fitted([("a" * 200, "b")], ("b",)) == aligned([("a" * 200, "b")])


def test_columns_are_left_out_in_their_order_and_only_as_many_as_needed(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    rows = [("name", "one", "two", "three"), ("x" * 30, "1" * 10, "2" * 10, "3" * 10)]
    assert "two" in fitted(rows, ("one",))
    wider = [(*rows[0], "four"), (*rows[1], "4" * 10)]
    text = fitted(wider, ("two", "one"), numbers=True)
    assert "two" not in text
    assert "one" in text
    assert text.splitlines()[2] == "x" * 30


def test_a_trial_line_drops_its_parts_before_it_is_cut(monkeypatch):
    line = ended_line(trial(0))
    assert line.endswith("(SA 98.50, RA 90.26)")
    monkeypatch.setenv("COLUMNS", str(len(line) - 5))
    assert ended_line(trial(0)).endswith("H 94.20")
    monkeypatch.setenv("COLUMNS", "40")
    assert len(ended_line(trial(0), 2)) == 38


def test_one_of_a_thing_is_singular():
    assert [counted(count, "trial") for count in (0, 1, 2, 1000)] == ["0 trials", "1 trial", "2 trials", "1,000 trials"]
    text = plan_text(make_study(budget="2N", epochs=1, trials=1, seeds=1))
    assert "1 run, " in text
    assert " 1 epochs" not in text
    assert " 1 runs" not in text
    assert " 1 fresh seeds" not in text
