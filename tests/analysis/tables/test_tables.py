"""Tables of rows made by hand give the numbers worked out on paper; the printed columns are the published files."""

import csv
import re

import pandas as pd
import pytest
from scipy import stats

from analysis.comparisons.settings import records
from analysis.inputs.published import FOLDER, published, published_tables
from analysis.tables.registry import COMPARED, TABLES, title
from analysis.tables.rows import FLAG
from study.papers import GRIDS, cells
from tests.support.analysis_rows import PGD, config, five_rows, run, runs

PRINTED = [name for name in published_tables() if name in COMPARED]
T_OF_ONE = 12.706204736  # Student's t of one degree of freedom at 97.5 %
NO_RUNS = runs()


def rows_of(table, frame, **where):
    return [row for row in records(TABLES[table](frame)) if all(row[name] == value for name, value in where.items())]


def by_label(table, frame):
    return {row["label"]: row for row in records(TABLES[table](frame)) if row["dataset"]}


# ------------------------------------------------------------------------------------------------- numbers on paper


@pytest.mark.parametrize("table", [name for name in COMPARED if name != "entprop/11"])
def test_five_rows_made_by_hand_give_the_numbers_worked_out_on_paper(table):
    frame, (vanilla, second, third) = five_rows(table)
    found = by_label(table, frame)
    assert set(found) == {vanilla, second, third}
    assert [found[label]["h"] for label in (vanilla, second, third)] == [61.0, 66.5, 70.0]
    assert [found[label]["seeds"] for label in (vanilla, second, third)] == [2, 2, 1]
    assert (found[second]["sa"], found[second]["ra"]) == (79.0, 52.0)
    # of 66 and 67: sd sqrt(1/2), standard error 1/2
    assert found[second]["h_half"] == pytest.approx(T_OF_ONE / 2, abs=1e-6)
    assert found[third]["h_half"] is None
    # differences by seed 6 and 5: mean 5.5, standard error 1/2
    assert found[second]["over_vanilla"] == 5.5
    assert found[second]["over_vanilla_half"] == pytest.approx(T_OF_ONE / 2, abs=1e-6)
    assert found[third]["over_vanilla"] == 10.0
    assert found[second]["cost"] == pytest.approx(found[second]["measured_cost"])


def test_five_rows_of_the_attack_table_are_compared_under_the_attack():
    frame, (vanilla, second, third) = five_rows("entprop/11")
    found = by_label("entprop/11", frame)
    assert [found[label]["pgd20"] for label in (vanilla, second, third)] == [7.0, 11.5, 20.0]
    assert found[second]["over_vanilla"] == 4.5
    assert found[second]["difference"] == pytest.approx(11.5 - found[second]["published_pgd20"])
    assert found[second]["pgd20_attack"] == PGD


@pytest.mark.parametrize("table", PRINTED)
def test_difference_is_ours_minus_the_printed_number(table):
    frame, _ = five_rows(table)
    name = "pgd20" if table == "entprop/11" else "h"
    for row in by_label(table, frame).values():
        expected = None if row[f"published_{name}"] is None else row[name] - row[f"published_{name}"]
        assert row["difference"] == expected


def test_attack_table_takes_the_radius_at_which_vanilla_is_nearest_the_printed_6_14():
    vanilla = next(cell.config for cell in cells("entprop/16"))
    frame = runs(run(vanilla, 0, 60.0, **{"PGD20-1:entprop": 30.0, "PGD20-2:entprop": 5.0, "PGD20-4:entprop": 0.1}))
    row = by_label("entprop/16", frame)["k=0 (Vanilla)"]
    assert (row["pgd20_attack"], row["pgd20"]) == ("PGD20-2:entprop", 5.0)


def test_attack_column_is_empty_where_no_vanilla_tells_the_radius():
    frame = runs(run(cells("entprop/16")[1].config, 0, 60.0, **{PGD: 30.0}))
    assert by_label("entprop/16", frame)["k=0.1"]["pgd20"] is None


def test_five_rows_by_cost():
    rows = [run(config("vanilla"), seed, h, why="vanilla") for seed, h in enumerate((60.0, 62.0))]
    rows += [run(config("entprop", k=0.6, n=5), seed, h, why="best-1") for seed, h in enumerate((59.0, 63.0))]
    rows += [run(config("entprop", k=0.2, n=1), 0, 61.5, why="published", measured_cost=1.203, seconds=12.0)]
    found = records(TABLES["cost"](runs(*rows)))
    assert [row["cost"] for row in found] == [1.0, 1.2, 4.0]
    assert [row["spent"] for row in found] == [10.0, 12.0, 40.0]
    assert [row["h"] for row in found] == [61.0, 61.5, 61.0]
    assert [row["on_front"] for row in found] == [True, True, False]
    assert (found[1]["measured_cost"], found[1]["seconds"]) == (1.203, 12.0)
    # 61.5 is above 60 and below 62; of the four pairs of the last, 59 is below both and 63 above both
    assert [row["beats_vanilla"] for row in found] == [None, 0.5, 0.5]


@pytest.mark.parametrize("table", ["entprop/1", "mixprop/4"])
def test_costs_of_the_code_are_those_of_the_papers(table):
    frame = runs(
        *(run(config("entprop", k=0.6, n=5), seed, 90.0, measured_cost=3.2, seconds=20.0) for seed in range(5))
    )
    found = records(TABLES[table](frame))
    assert [row["difference"] for row in found] == pytest.approx([0.0] * len(found))
    if table == "entprop/1":
        assert [row["published_cost"] for row in found] == pytest.approx([1, 7, 1.2, 2, 1.2, 1.6, 2, 4])
        assert [row["measured_cost"] for row in found] == [None] * 7 + [3.2]
    else:
        assert [row["published_cost"] for row in found] == [1, 1, 2, 3, 5, 6]


def test_average_over_networks_is_of_the_seeds_that_all_networks_have():
    entries = {cell.config.model: cell.config for cell in cells("entprop/4") if cell.label == "Vanilla"}
    rows = [run(entries[model], seed, 60.0 + i + seed) for i, model in enumerate(entries) for seed in (0, 1)]
    found = rows_of("entprop/4", runs(*rows[:-1]), label="Vanilla", published_model="average")
    assert [(row["h"], row["seeds"]) for row in found] == [(61.0, 1)]
    two_networks = rows_of("entprop/4", runs(*rows[:4]), label="Vanilla", published_model="average")
    assert [row["h"] for row in two_networks] == [None]


# ------------------------------------------------------------------------------------------------- tests over seeds


def six_seeds():
    vanilla, mixup, ours = (90.0, 91.0, 90.5, 90.2, 90.8, 90.4), (93.0, 92.0, 93.5, 92.6, 93.1, 92.9), (94.0,) * 3
    rows = [run(config("vanilla"), seed, h) for seed, h in enumerate(vanilla)]
    rows += [run(config("mixup"), seed, h) for seed, h in enumerate(mixup)]
    rows += [run(config("entprop", k=0.2, n=1), seed, h) for seed, h in enumerate((*ours, 93.5, 92.7, 93.0))]
    return rows, vanilla, mixup, (*ours, 93.5, 92.7, 93.0)


def test_marks_are_of_the_paired_t_test_after_holm():
    rows, vanilla, mixup, ours = six_seeds()
    found = by_label("entprop/2", runs(*rows))
    ps = [stats.ttest_rel(*pair).pvalue for pair in ((mixup, vanilla), (ours, vanilla), (ours, mixup))]
    order = sorted(ps)
    adjusted = {ps.index(p): max(min(1, (3 - i) * q) for i, q in enumerate(order[: order.index(p) + 1])) for p in ps}
    assert found["Mixup alone"]["over_vanilla_p"] == pytest.approx(adjusted[0])
    assert found["EntProp (0.2, 1)"]["over_vanilla_p"] == pytest.approx(adjusted[1])
    assert found["EntProp (0.2, 1)"]["over_mixup_p"] == pytest.approx(adjusted[2])
    assert found["EntProp (0.2, 1)"]["over_vanilla_mark"] == "*"
    assert found["EntProp (0.2, 1)"]["over_mixup_mark"] == ("†" if adjusted[2] < 0.05 else "")


def test_two_common_seeds_give_a_difference_and_no_mark():
    rows, *_ = six_seeds()
    few = [row for row in rows if row["method"] != "entprop" or row["seed"] < 2]
    found = by_label("entprop/2", runs(*few))["EntProp (0.2, 1)"]
    assert found["over_vanilla"] == 3.5
    assert (found["over_vanilla_p"], found["over_vanilla_mark"]) == (None, "")


def test_a_failed_seed_is_counted_and_enters_no_mean():
    rows, *_ = six_seeds()
    rows[0] = {**rows[0], "h": None, "sa": None, "ra": None, "error": "out of memory"}
    found = by_label("entprop/2", runs(*rows))["Vanilla"]
    assert (found["seeds"], found["failed"]) == (5, 1)
    assert found["h"] == pytest.approx((91.0 + 90.5 + 90.2 + 90.8 + 90.4) / 5)


def test_controls_stand_in_no_published_row():
    rows = [run(config("vanilla", lr=0.3), seed, 99.0, why="lr × 3") for seed in range(3)]
    assert by_label("entprop/2", runs(*rows)) == {}


# --------------------------------------------------------------------------------------------------------- protocol


def test_row_of_the_published_protocol_says_so_and_what_is_held_out():
    rows = [run(cells("entprop/16")[2].config, seed, 65.0) for seed in range(3)]
    found = by_label("entprop/16", runs(*rows))["k=0.2"]
    assert found["same_protocol"] == "yes"
    assert found["why_not"] == "but 10% of the training images, at most 5,000, are held out for validation"


def test_row_of_another_protocol_says_each_difference():
    fewer = cells("entprop/16", {"dataset": "digits", "model": "resnet8", "epochs": 12})[2].config
    found = by_label("entprop/16", runs(run(fewer, 0, 65.0, changes="train_images 500 instead of all")))["k=0.2"]
    assert found["same_protocol"] == "no"
    assert found["why_not"] == (
        "digits instead of CIFAR-100; resnet8 instead of ResNet-18; 12 epochs instead of 200; "
        "train_images 500 instead of all; 1 seed instead of 3"
    )


def test_other_data_stand_beside_the_first_published_block_alone():
    frame = runs(*(run(config("entprop", k=0.6, n=5), seed, 94.0) for seed in range(3)))
    found = [row for row in records(TABLES["entprop/2"](frame)) if row["label"] == "EntProp (0.6, 5)"]
    assert [(row["published_dataset"], row["h"]) for row in found] == [
        ("cifar100", 94.0), ("cub", None), ("pets", None), ("cars", None), ("imagenet", None),
    ]  # fmt: skip


def test_settings_of_two_protocols_are_not_compared_with_each_other():
    rows, *_ = six_seeds()
    longer = [{**run(config("entprop", k=0.2, n=1, epochs=40), seed, 95.0 + seed)} for seed in range(6)]
    found = rows_of("entprop/2", runs(*rows[:12], *longer), label="EntProp (0.2, 1)", published_dataset="cifar100")
    assert [(row["epochs"], row["over_vanilla"]) for row in found if row["epochs"] == 40] == [(40, None)]


# -------------------------------------------------------------------------------------------------- printed numbers


@pytest.mark.parametrize("table", PRINTED)
def test_published_columns_are_those_of_the_file_with_and_without_runs(table):
    paper, number = table.split("/")
    with open(FOLDER / f"{paper}_{int(number):02d}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("cost", "sa", "ra", "h", "pgd20")
    expected = [
        (row["label"], row["dataset"], row["model"], *(float(row[name]) if row[name] else None for name in names))
        for row in rows
    ]
    for frame in (NO_RUNS, five_rows(table)[0]):
        found = [
            (row["label"], row["published_dataset"], row["published_model"], *(row[f"published_{n}"] for n in names))
            for row in records(TABLES[table](frame))
            if (row["label"], row["published_dataset"], row["published_model"]) in {each[:3] for each in expected}
        ]
        assert sorted(found, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("table", PRINTED)
def test_labels_of_published_rows_are_those_of_the_grid(table):
    printed = {row.label for row in published(table)}
    assert printed == {row.label for row in GRIDS[table].rows if not row.added} - {"Mixup alone"}


def test_known_numbers_are_where_the_papers_have_them():
    def found(table, label, dataset, model):
        rows = [r for r in published(table) if (r.label, r.dataset, r.model) == (label, dataset, model)]
        return [(r.sa, r.ra, r.h, r.page) for r in rows]

    assert found("entprop/2", "EntProp (0.6, 5)", "cub", "resnet50") == [(82.65, 64.00, 72.14, "6")]
    assert found("entprop/4", "AdvProp", "cifar100", "average") == [(77.00, 58.38, 66.41, "7")]
    assert found("entprop/8", "margin", "cifar100", "resnext50_32x4d") == [(None, None, 68.53, "8")]
    assert found("entprop/16", "k=1", "cifar100", "resnet18") == [(79.44, 56.61, 66.11, "14")]
    assert found("entprop/17", "n=4", "cifar100", "resnet18") == [(79.40, 58.04, 67.06, "14")]


@pytest.mark.parametrize("table", PRINTED)
def test_printed_h_follows_from_sa_and_ra_but_for_the_three_flagged_rows_of_table_2(table):
    rows = [row for row in records(TABLES[table](NO_RUNS)) if row["published_h_recomputed"] and row["published_h"]]
    off = [row for row in rows if abs(row["published_h"] - row["published_h_recomputed"]) > 0.02]
    flagged = [("EntProp (0.2, 5)", 66.12), ("EntProp (0.6, 1)", 66.96), ("Fast AdvProp", 63.80)]
    found = sorted((row["label"], round(row["published_h_recomputed"], 2)) for row in off)
    assert found == (flagged if table == "entprop/2" else [])
    assert all(row["mark"] == FLAG and row["published_dataset"] == "cifar100" for row in off)
    if table == "entprop/2":
        assert [row["label"] for row in rows if row["mark"]] == ["Fast AdvProp", "EntProp (0.6, 1)", "EntProp (0.2, 5)"]


def test_h_is_the_harmonic_mean():
    assert published("entprop/2")[0].recomputed_h == pytest.approx(2 * 79.30 * 51.01 / (79.30 + 51.01))


def test_run_that_the_papers_print_twice_carries_a_mark_in_each_table():
    marked = {
        name: [row["label"] for row in records(TABLES[name](NO_RUNS)) if row["mark"]]
        for name in ("entprop/4", "entprop/16", "entprop/17")
    }
    assert marked == {"entprop/4": ["EntProp (0.6, 1)"], "entprop/16": ["k=0.6"], "entprop/17": ["n=1"]}


# ------------------------------------------------------------------------------------------------------ in general


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_a_title_and_can_be_made_of_nothing(table):
    assert re.fullmatch(r"[A-Z].+", title(table))
    assert isinstance(TABLES[table](NO_RUNS), pd.DataFrame)


def test_every_grid_of_the_study_has_a_table():
    assert set(COMPARED) <= set(TABLES)
