"""A folder of studies is read as notebooks show it: joined by data, without studies that cut their images anew."""

import shutil
from pathlib import Path

import pytest

from analysis.notebooks.collection import open_collection, open_searches

RESULTS = Path(__file__).parents[3] / "results"


@pytest.fixture
def folder(tmp_path):
    for name in ("fashion-4N", "fashion-entprop-9", "fashion-entprop-9-resplit"):
        shutil.copytree(RESULTS / name, tmp_path / name)
    other = shutil.copytree(RESULTS / "fashion-entprop-8", tmp_path / "other-data")
    for name in ("confirm.csv", "study.json"):
        text = (other / name).read_text().replace(",fashion,", ",digits,").replace('"fashion"', '"digits"')
        (other / name).write_text(text)
    return tmp_path


def test_studies_are_joined_by_data_and_those_with_their_own_cuts_left_out(folder):
    found = open_collection(folder)
    assert [title for title, _ in found.parts] == ["fashion", "digits"]
    assert found.parts[0][1].name == "fashion-4N + fashion-entprop-9"
    assert found.merged.name == "fashion-4N + fashion-entprop-9 + other-data"
    assert found.left_out == ("fashion-entprop-9-resplit",)


def test_one_study_is_shown_whatever_it_is(folder):
    found = open_collection(folder / "fashion-entprop-9-resplit")
    assert [title for title, _ in found.parts] == ["fashion"]
    assert found.left_out == ()


def test_searches_stand_by_themselves(folder):
    assert [title for title, _ in open_searches(folder).parts] == ["fashion-4N"]
    assert [title for title, _ in open_searches(folder / "fashion-entprop-9").parts] == ["fashion-entprop-9"]
