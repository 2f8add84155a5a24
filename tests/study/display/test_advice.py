"""What a study advises beside its table."""

import re

import pytest

from study.confirm.comparisons import seeds_to_settle, settings_of
from study.display.advice import (
    advice,
    alike,
    by_budget,
    cheapest_equivalent,
    other_images,
    recommended,
    to_settle,
    warnings,
)
from study.files.results import Results
from study.race.standings import standings
from tests.support.study_rows import BEST, CONFIRMED, MIXUP, STUDY, VANILLA, runs, trial

CLOSE = [
    *runs("vanilla", VANILLA, [90.0, 90.2, 90.4]),
    *runs("mixup", MIXUP, [94.1, 94.2, 94.3]),
    *runs("best-1", BEST, [94.2, 94.3, 94.45]),
]


def place_of(rows):
    found = settings_of(rows)
    top = recommended(found)
    return alike(found, top), top


def folder_of(path, confirm=(), trials=(), corruptions=()):
    results = Results(path)
    for row in trials:
        results.put_trial(row)
    for row in confirm:
        results.put_confirm(row)
    results.add_measured({"corruptions": list(corruptions)})
    return results


def test_mixup_is_recommended_where_it_is_shown_to_lose_next_to_nothing():
    (line,) = cheapest_equivalent(*place_of(CLOSE))
    assert line.startswith("Use mixup alone: it costs 1N instead of 2.05N and loses less than 0.5 H")
    (line,) = cheapest_equivalent(*place_of(CONFIRMED))  # its difference to mixup is +0.3, and may be 1.8
    assert line == "No cheaper setting is shown to lose less than 0.5 H against it."
    alone = [*runs("vanilla", VANILLA, [90.0, 91.0, 92.0]), *runs("best-1, mixup", MIXUP, [94.0, 94.2, 94.1])]
    assert cheapest_equivalent(*place_of(alone)) == []


def test_the_seeds_that_would_settle_it_are_named_where_a_comparison_is_open():
    (line,) = to_settle(*place_of(CONFIRMED))
    assert line == "About 25 seeds of each would be needed to show a difference of 0.5 H to mixup alone."
    wild = [*runs("mixup", MIXUP, [80.0, 94.0, 70.0]), *runs("best-1", BEST, [94.0, 80.0, 94.4])]
    assert to_settle(*place_of(wild))[0].startswith("More than 200 seeds")


@pytest.mark.parametrize(("spread", "seeds"), [(0.0, 3), (0.5, 10), (1.0, 34)])
def test_so_many_seeds_find_half_a_point_four_times_in_five(spread, seeds):
    assert seeds_to_settle(spread, 0.5) == seeds  # the tables of the paired t test


def test_each_budget_has_the_best_that_it_pays_for():
    cheap = {"method": "entprop", "k": 0.2, "n": 1, "epsilon": 1.0}
    rows = [trial(0, cheap, val_h=92.0, config="a"), trial(1, val_h=94.0, config="b"), trial(2, BEST, val_h=94.0)]
    lines = by_budget(STUDY, standings(STUDY, rows)).splitlines()
    assert [line.split("  ")[0].strip() for line in lines[2:]] == ["within 1.2N", "within 3N"]
    assert lines[0].startswith("Best setting found within each budget")


def test_a_reader_is_warned_of_what_spoils_the_comparison(tmp_path):
    weak = [{**row, "train_accuracy": 80.0} for row in CONFIRMED]
    by_fog = [
        {"config": row["config"], "seed": row["seed"], "norm": "main", "corruption": name, "severity": 3,
         "accuracy": 90.0 if name == "fog" and row["why"] == "best-1" else 80.0}
        for row in CONFIRMED for name in ("fog", "snow", "jpeg_compression")
    ]  # fmt: skip
    results = folder_of(tmp_path / "s", weak, [trial(0)], by_fog)
    place, top = place_of(results.confirm)
    lines = warnings(results, place, top, standings(STUDY, results.trials))
    assert lines[0].startswith("warning: vanilla classifies 80.0 % of its training images correctly: it underfits")
    assert lines[1] == "warning: only 1 of 3 corruptions decide the difference in RA to vanilla: fog"
    assert len(lines) == 2
    better = [*CONFIRMED, *runs("published", {**BEST, "k": 0.6}, [96.0, 97.0, 98.0])]
    results = folder_of(tmp_path / "t", better, [trial(0)])
    lines = warnings(results, *place_of(results.confirm), None)
    assert lines == [
        "warning: higher mean H on test images, which must not be used to choose: "
        "entprop k=0.6 n=3 ε=2.5 entropy (97.00)"
    ]


def test_it_is_said_how_far_other_test_images_would_move_the_differences(tmp_path):
    results = folder_of(tmp_path / "s", CONFIRMED, [trial(0)])
    assert other_images(results.images, *place_of(results.confirm)) == []  # of a study older than images.csv
    rows = [
        {"config": row["config"], "seed": row["seed"], "clean": "1100" * 50 if row["why"] == "best-1" else "1010" * 50,
         "corrupted": "75003000" * 50, "copies": 75}
        for row in CONFIRMED
    ]  # fmt: skip
    results.add_measured({"images": rows})
    (line,) = other_images(results.images, *place_of(results.confirm))
    assert re.search(r"by ± \d+\.\d\d to vanilla, ± \d+\.\d\d to mixup alone \(95 %, bootstrap over 200 images\)", line)
    assert line in "\n".join(advice(STUDY, results))


def test_a_study_without_results_advises_nothing(tmp_path):
    assert advice(STUDY, folder_of(tmp_path / "s")) == []
