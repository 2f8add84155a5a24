"""Rows of cells as text in aligned columns."""

import pytest

from study.files.aligned import aligned


def test_columns_are_flush_left_or_numbers_flush_right():
    rows = [("", "cost", "H"), ("vanilla", "1N", "61.25")]
    assert aligned(rows) == "         cost  H\nvanilla  1N    61.25"
    assert aligned(rows, numbers=True) == "         cost      H\nvanilla    1N  61.25"


def test_lines_end_without_blanks():
    assert aligned([("a", "", ""), ("bb", "c", "dd")]) == "a\nbb  c  dd"


def test_rows_must_be_of_one_length():
    with pytest.raises(ValueError, match="zip"):
        aligned([("a",), ("b", "c")])
