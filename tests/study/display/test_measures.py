"""Attacks and other measures of a table as text: means over seeds, a row for each setting, no line too long."""

from study.display.measures import column_name, measured_text
from tests.support.study_rows import BEST, MIXUP, VANILLA, runs

CONFIRMED = [*runs("Normal", VANILLA, [90.0, 91.0]), *runs("PAT", BEST, [94.0, 95.0]), *runs("Mixup", MIXUP, [92.0])]


def attacked(rows, name, values):
    return [{"config": row["config"], "seed": row["seed"], "attack": name, "accuracy": value}
            for row, value in zip(rows, values, strict=True)]  # fmt: skip


def measured(row, measure, name, value, norm="main"):
    return {"config": row["config"], "seed": 1, "norm": norm, "measure": measure, "name": name, "value": value}


def test_means_over_seeds_stand_beside_their_settings():
    attacks = attacked(CONFIRMED[:4], "PGD10-8", [10.0, 12.0, 50.0, 50.0])
    measures = [measured(CONFIRMED[2], "transfer", "PGD10-8", 70.0)]
    lines = measured_text(CONFIRMED, attacks, measures).splitlines()
    assert lines[0].split() == ["PGD10-8", "transfer", "PGD10-8"]
    assert lines[1].split() == ["Normal", "11.00", "±", "12.71"]  # t of one degree of freedom is 12.71, s/√2 is 1
    assert lines[2].split() == ["PAT", "50.00", "±", "0.00", "70.00"]
    assert lines[3].strip() == "Mixup"


def test_many_measures_stand_below_each_other():
    attacks = [row for i in range(20) for row in attacked(CONFIRMED[:2], f"PGD10-{i + 1}", [10.0, 12.0])]
    text = measured_text(CONFIRMED, attacks, [])
    assert all(len(line) <= 120 for line in text.splitlines())
    assert text.count("Normal") > 1
    assert all(f"PGD10-{i + 1}" in text.split() for i in range(20))


def test_what_was_measured_is_named_in_full():
    row = {"norm": "aux", "measure": "sa", "name": "all"}
    assert column_name(row) == "aux sa"
    assert column_name({"norm": "main", "measure": "fid", "name": "mixup (k=0.2, n=1)"}) == "fid mixup (k=0.2, n=1)"


def test_where_nothing_else_was_measured_nothing_is_said():
    assert measured_text(CONFIRMED, [], []) == ""
