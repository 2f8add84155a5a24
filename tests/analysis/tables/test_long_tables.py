"""Printed numbers are those of the papers' tables, read here a second time; ours stand beside with what differs."""

import pytest

from analysis.__main__ import main
from analysis.comparisons.settings import records
from analysis.inputs.published import is_long, path_of, published, published_values
from analysis.inputs.studies import changed_options, read_folder
from analysis.tables.layout import layout
from analysis.tables.long_tables import BESIDE
from analysis.tables.registry import COMPARED, TABLES
from study.config.study_config import Study
from study.files.results import Results
from study.papers import COMPUTED, GRIDS, cells
from tests.support.analysis_folders import change_record, stored
from tests.support.analysis_rows import run, runs
from trainables.corruptions.severities import ALEXNET_ERRORS

T_OF_ONE = 12.706204736  # Student's t of one degree of freedom at 97.5 %
NO_RUNS = runs()
ON_DIGITS = "digits instead of CIFAR-10; resnet8 instead of ResNet-18; 20 epochs instead of"

# The bodies of three tables as the papers' texts have them: a line for each line, columns in their order.
CEB_1 = """
100 - sa: 19.6 21.9 21.2 22.1 22.2 23.2
mce alexnet: 60.1 64.7 64.6 66.4 73.8 78.8
100 - ra: 47.5 51.1 51.0 52.5 58.5 62.4
100 - corruption gaussian_noise: 45.9 49.8 50.6 52.0 61.8 70.2
100 - corruption shot_noise: 45.7 49.8 50.1 51.7 64.1 71.6
100 - corruption impulse_noise: 48.3 52.6 52.3 54.5 66.6 75.1
100 - corruption defocus_blur: 57.3 60.1 60.0 61.2 65.6 65.3
100 - corruption glass_blur: 63.7 67.0 67.5 67.8 76.3 77.2
100 - corruption motion_blur: 53.9 58.7 57.7 60.7 61.6 64.4
100 - corruption zoom_blur: 60.3 64.1 63.4 66.0 62.1 65.0
100 - corruption snow: 58.0 63.5 62.9 64.9 69.7 73.0
100 - corruption frost: 52.7 56.8 57.4 57.8 61.8 64.5
100 - corruption fog: 34.9 39.0 37.5 38.7 45.8 49.3
100 - corruption brightness: 26.0 28.9 28.5 29.1 31.5 33.2
100 - corruption contrast: 48.3 51.0 51.7 53.3 61.7 66.0
100 - corruption elastic_transform: 41.7 45.4 44.9 46.4 48.3 50.0
100 - corruption pixelate: 38.2 40.4 40.7 42.0 56.0 61.2
100 - corruption jpeg_compression: 36.9 39.6 39.9 41.3 44.6 50.2
"""
UNCERTAINTY_1 = """
sa: 94.78 94.71 95.15 95.72 86.47 84.01 87.87 88.31
FGSM4: 37.05 72.37 74 69.5 69.21 70.33 72.96 72.95
PGD10-4: 3.27 58.45 66.07 42.8 68.33 68.72 71.26 71.48
PGD10-8: 0 37.49 46.12 21.38 48.87 51.35 53.89 53.22
PGD10-16: 0 17.06 24.79 6.25 19.63 25.77 33.65 31.17
PGD40-4: 0 21.12 24.6 12.15 67.51 67.4 69.63 69.44
PGD40-8: 0 5.01 6.26 1.94 43.03 46.74 45.95 44.79
PGD40-16: 0 0.7 0.93 0.13 10.26 15.27 19.56 18.3
CW40-4: 0 22.76 24.8 - 67.04 66.31 68.3 68.58
CW40-8: 0 6.7 9.28 - 43.63 45.78 44.52 43.75
CW40-16: 0 1.16 2.35 - 10.66 14.47 17.79 17.09
transfer PGD10-4: 27.5 35.84 32.24 31.79 76.88 75.52 79.32 79.24
transfer PGD10-8: 7.57 13.26 10.2 10.12 63.9 64.8 65.82 65.76
"""
MIXTURE_1 = """
Traditional: 91.87 47.18 40.85 42.51 11.28
Adversarial: 92.11 75.92 79.84 60.60 28.40
AdvProp: 93.16 59.46 56.04 50.91 18.07
ALS: 90.61 48.51 41.65 41.44 14.49
SAT: 91.55 75.53 78.23 60.63 32.07
ALS + SAT: 91.73 74.87 78.04 59.23 33.18
SAT + AdvProp: 93.15 58.59 52.74 49.90 19.48
ALS + AdvProp: 93.14 59.14 56.23 49.16 19.90
ALS + SAT + AdvProp: 92.38 56.96 49.79 47.46 18.32
"""
LEGACY = ("legacy clean", "legacy FGSM 0.1", "legacy PGD 0.1 step 2/255", "legacy FGSM 0.5", "legacy PGD 0.5 step 0.5")


def body(text):
    """The lines of a printed table: the first cell, and the numbers behind it."""
    for line in text.strip().splitlines():
        name, _, numbers = line.partition(": ")
        yield name, [None if each == "-" else float(each) for each in numbers.split()]


def by_columns(text, labels):
    return {(label, name): value for name, row in body(text) for label, value in zip(labels, row, strict=True)}


def of_file(table):
    found = published_values(table)
    assert len(found) == len({(each.label, each.dataset, each.model, each.quantity) for each in found})
    return {(each.label, each.quantity): each.value for each in found}


def row(table, label, quantity, *rows, **where):
    """The one line of a table with that row and quantity."""
    found = [
        line
        for line in records(TABLES[table](runs(*rows)))
        if (line["label"], line["quantity"]) == (label, quantity)
        and all(line[name] == value for name, value in where.items())
    ]
    assert len(found) == 1
    return found[0]


def cell(table, label, **changes):
    return next(each.config for each in cells(table, changes) if each.label == label)


def on_digits(table, label, seed, **values):
    """A run of a table's row as a small study has it, of 20 epochs."""
    config = cell(table, label, dataset="digits", model="resnet8", epochs=20)
    return run(config, seed, values.pop("h", 70.0), why=label, table=table, **values)


# -------------------------------------------------------------------------------------------------- printed numbers


def test_ceb_1_is_the_papers_table():
    assert of_file("ceb/1") == by_columns(CEB_1, ("CEBx2", "50x2", "CEB", "50", "CEB-aa", "50-aa"))


def test_uncertainty_1_is_the_papers_table():
    labels = ("Normal", "EntM", "LS", "ADP", "PAT", "TRADES", "PAT-EntM", "PAT-LS")
    assert of_file("uncertainty/1") == by_columns(UNCERTAINTY_1, labels)


def test_mixture_1_is_the_papers_table():
    expected = {(label, name): value for label, row in body(MIXTURE_1) for name, value in zip(LEGACY, row, strict=True)}
    assert of_file("mixture/1") == expected


@pytest.mark.parametrize("table", [name for name in GRIDS if name.partition("/")[2].isdigit()])
def test_every_published_table_has_its_numbers_or_is_marked_lost(table):
    assert path_of(table).is_file()
    assert (table in COMPARED) != (table in BESIDE)
    assert table not in COMPUTED
    numbers = [each.value for each in published_values(table)] if table in BESIDE else [r.sa for r in published(table)]
    assert any(number is None for number in numbers) or not GRIDS[table].lost


@pytest.mark.parametrize("table", ["entprop/6", "entprop/12", "entprop/14"])
def test_what_is_lost_of_a_table_is_called_lost_where_it_would_stand(table):
    found = layout(table, TABLES[table](NO_RUNS))
    shown = [cell.text for block in found.blocks for row in block.rows for cell in row]
    assert "lost" in shown
    assert any("lost in our text" in note for note in found.notes)


@pytest.mark.parametrize("table", BESIDE)
def test_labels_data_sets_and_networks_of_published_values_are_those_of_the_grid(table):
    grid, found = GRIDS[table], published_values(table)
    assert {each.label for each in found} == {each.label for each in grid.rows if not each.added} - {"Mixup alone"}
    assert {each.dataset for each in found} <= set(grid.datasets)
    assert {each.model for each in found} <= set(grid.models)


def test_a_cell_that_two_tables_print_differently_is_flagged_in_both():
    flags = {
        name: {(each.label, each.quantity): each.flag for each in published_values(name) if each.flag}
        for name in ("uncertainty/1", "uncertainty/12")
    }
    assert flags["uncertainty/1"]["PAT", "FGSM4"] == "tables 6 and 12 print 70.33 for the same"
    assert flags["uncertainty/12"]["PAT", "FGSM4"] == "table 1 prints 69.21 for the same"
    assert len(flags["uncertainty/1"]) == 4


def test_the_two_forms_of_published_tables_are_told_apart():
    assert (is_long("ceb/1"), is_long("entprop/2")) == (True, False)
    with pytest.raises(
        ValueError, match="table ceb/1 must be one of SA, RA, H and PGD-20 to have rows, got a long one"
    ):
        published("ceb/1")
    with pytest.raises(ValueError, match="table entprop/2 must be a long one to have values"):
        published_values("entprop/2")


# ------------------------------------------------------------------------------------- numbers worked out on paper


def test_uncertainty_mean_interval_and_difference_of_two_seeds():
    rows = [on_digits("uncertainty/1", "PAT", seed, **{"PGD10-8": value}) for seed, value in ((0, 40.0), (1, 42.0))]
    found = row("uncertainty/1", "PAT", "PGD10-8", *rows)
    # of 40 and 42: mean 41, sd sqrt(2), standard error 1; printed 48.87
    assert (found["ours"], found["seeds"], found["published"]) == (41.0, 2, 48.87)
    assert found["ours_half"] == pytest.approx(T_OF_ONE, abs=1e-6)
    assert found["difference"] == pytest.approx(-7.87)
    assert (found["same_protocol"], found["mark"]) == ("no", "")
    assert found["why_not"].startswith(f"{ON_DIGITS} 120; ")
    assert found["why_not"].endswith("2 seeds instead of 4")  # the fourth is the network that others are shown
    assert row("uncertainty/1", "Normal", "PGD10-8", *rows)["ours"] is None


def test_uncertainty_fallen_images_are_counts():
    names = {"left PGD10-8": 37.0, "fallen PGD10-8 then RS10000-8": 2.0, "images of left PGD10-8": 100.0}
    rows = [on_digits("uncertainty/10", "EntM", 0, **names)]
    found = row("uncertainty/10", "EntM", "left PGD10-8", *rows)
    assert (found["ours"], found["published"], found["images"]) == (37.0, 368.0, 100)
    assert found["why_not"].endswith("; 100 images instead of 1000")
    fallen = row("uncertainty/10", "EntM", "fallen PGD10-8 then RS10000-8", *rows)
    assert (fallen["ours"], fallen["difference"], fallen["images"]) == (2.0, -18.0, None)


def test_uncertainty_share_is_compared_as_it_is_printed():
    name = "geometry accuracy_pgd20_l2_0.5"
    rows = [on_digits("uncertainty/4", "PAT", 0, **{name: 61.5, f"images of {name}": 100.0})]
    found = row("uncertainty/4", "PAT", f"{name} / 100", *rows)
    assert (found["ours"], found["published"], found["images"]) == (0.615, 0.5909, 100)
    assert found["difference"] == pytest.approx(0.0241)
    assert found["why_not"].endswith("; 100 images instead of 2000")


def test_ceb_errors_and_mce_follow_from_accuracies():
    # half of AlexNet's error on each corruption, so that mCE is 50
    half = {f"corruption {name}": 100 - 50 * error for name, error in ALEXNET_ERRORS.items()}
    rows = [on_digits("ceb/1", "CEB", 0, sa=90.0, ra=60.0, **half)]
    error, average, mce = (row("ceb/1", "CEB", name, *rows) for name in ("100 - sa", "100 - ra", "mce alexnet"))
    assert (error["ours"], average["ours"]) == (10.0, 40.0)
    assert (error["difference"], average["difference"]) == (pytest.approx(-11.2), pytest.approx(-11.0))
    assert (mce["ours"], mce["difference"]) == (pytest.approx(50.0), pytest.approx(-14.6))
    fog = row("ceb/1", "CEB", "100 - corruption fog", *rows)
    assert fog["ours"] == pytest.approx(50 * ALEXNET_ERRORS["fog"])
    without = {name: value for name, value in half.items() if name != "corruption fog"}
    assert row("ceb/1", "CEB", "mce alexnet", on_digits("ceb/1", "CEB", 0, **without))["ours"] is None


def test_ceb_rows_of_one_method_are_told_apart_by_their_label():
    rows = [on_digits("ceb/1", label, 0, sa=sa) for label, sa in (("50", 80.0), ("50-aa", 70.0))]
    rows[1]["config"] = "other"  # trained with other options, which are no column
    found = {label: row("ceb/1", label, "100 - sa", *rows)["ours"] for label in ("50", "50-aa")}
    assert found == {"50": 20.0, "50-aa": 30.0}


def test_ceb_demo_networks_stand_for_those_of_the_paper():
    wide = next(each.config for each in cells("ceb/1", scale="demo") if each.label == "CEBx2")
    rows = [run(wide, 0, 70.0, sa=85.0, why="CEBx2", table="ceb/1")]
    found = row("ceb/1", "CEBx2", "100 - sa", *rows)
    assert (found["model"], found["published_model"], found["ours"]) == ("resnet8x2", "wide_resnet50_2", 15.0)


def test_mixture_columns_are_those_of_the_papers_code():
    names = {"legacy FGSM 0.1": 70.0, "FGSM25.5": 5.0}
    found = row("mixture/1", "SAT", "legacy FGSM 0.1", on_digits("mixture/1", "SAT", 0, **names))
    assert (found["ours"], found["published"], found["ours_half"]) == (70.0, 75.53, None)
    assert found["difference"] == pytest.approx(-5.53)
    assert found["why_not"].startswith(f"{ON_DIGITS} 100")
    clean = row("mixture/1", "SAT", "FGSM25.5", on_digits("mixture/1", "SAT", 0, **names))
    assert (clean["ours"], clean["published"], clean["same_protocol"]) == (5.0, None, None)


def test_mixprop_auxiliary_norms_and_styles():
    names = {"aux shift stylized-imagenet100": 26.0, "shift stylized-imagenet100": 24.0}
    config = cell("mixprop/3", "MixProp", model="resnet18")
    rows = [run(config, seed, 70.0, why="MixProp", table="mixprop/3", **names) for seed in range(3)]
    main_norms = row("mixprop/3", "MixProp", "shift stylized-imagenet100", *rows, published_model="resnet18")
    aux = row("mixprop/3", "MixProp", "aux shift stylized-imagenet100", *rows, published_model="resnet18")
    assert [main_norms["difference"], aux["difference"]] == [pytest.approx(0.2), pytest.approx(0.2)]
    assert aux["ours_half"] == 0.0
    assert (aux["same_protocol"], aux["why_not"]) == (
        "no",
        "100 classes of one's own choice instead of theirs, which are not printed",
    )


def test_entprop_other_pictures_of_imagenet_by_the_published_protocol():
    config = cell("entprop/3", "EntProp (0.6, 5)")
    rows = [run(config, 0, 50.0, why="EntProp (0.6, 5)", **{"shift imagenet-r": 41.0})]
    found = row("entprop/3", "EntProp (0.6, 5)", "shift imagenet-r", *rows)
    assert (found["ours"], found["difference"]) == (41.0, pytest.approx(0.22))
    assert found["same_protocol"] == "yes"
    assert "held out for validation" in found["why_not"]


def test_transformer_of_other_weights_is_never_of_the_same_protocol():
    config = cell("entprop/5", "EntProp (0.5, 5)")
    rows = [run(config, seed, 82.0, why="EntProp (0.5, 5)", changes=changed_options(config)) for seed in range(3)]
    found = row("entprop/5", "EntProp (0.5, 5)", "h", *rows)
    assert found["difference"] == pytest.approx(0.13)
    assert (found["same_protocol"], found["why_not"]) == (
        "no", "weights of supervised training instead of masked autoencoding",
    )  # fmt: skip


def test_the_recipe_of_the_paper_is_no_difference_and_that_of_the_data_set_is_one():
    config = cell("uncertainty/6", "EntM")
    values = {"why": "EntM", "PGD20-4": 30.0}
    as_published = [run(config, seed, 70.0, changes=changed_options(config), **values) for seed in range(3)]
    other = [run(config, seed, 70.0, changes="", **values) for seed in range(3)]
    assert row("uncertainty/6", "EntM", "PGD20-4", *as_published)["same_protocol"] == "yes"
    found = row("uncertainty/6", "EntM", "PGD20-4", *other)
    assert found["why_not"] == f"the recipe of the data set instead of {changed_options(config)}"


def test_runs_on_other_data_stand_only_in_the_table_that_they_were_trained_for():
    rows = [on_digits("uncertainty/1", "PAT", 0, **{"PGD10-8": 40.0})]
    filled = [name for name in BESIDE if TABLES[name](runs(*rows))["ours"].notna().any()]
    assert filled == ["uncertainty/1"]


# ------------------------------------------------------------------------------------------------------ as it is shown


@pytest.mark.parametrize("table", BESIDE)
def test_table_without_results_holds_nothing_of_ours_and_says_so(table):
    frame = TABLES[table](NO_RUNS)
    assert len(frame) == len(published_values(table))
    assert frame[["ours", "difference", "same_protocol", "seeds"]].isna().all(axis=None)
    found = layout(table, frame)
    assert f"No runs of ours yet; python study/run.py --table {table} --scale demo" in found.caption
    assert not any(block.ours for block in found.blocks)


def test_caption_says_that_no_test_was_made_and_over_what_the_means_are():
    rows = [on_digits("uncertainty/1", "PAT", seed, FGSM4=40.0 + seed) for seed in range(2)]
    found = layout("uncertainty/1", TABLES["uncertainty/1"](runs(*rows)))
    assert "Ours: mean over seeds ± half width of its 95 % t interval" in found.caption
    assert "No test was made" in found.caption
    texts = [[cell.text for cell in line] for block in found.blocks for line in block.rows]
    shown = next(line for line in texts if line[:2] == ["PAT", "FGSM4"])
    assert "40.50 ± 6.35" in shown
    assert "69.21‡" in shown
    assert "(−28.71)" not in shown  # digits are not the printed data set


def test_folder_of_a_table_is_written_with_that_table_and_no_other_long_one(tmp_path):
    folder = tmp_path / "study"
    stored(folder, *("confirm.csv", "trials.csv", "epochs.csv", "corruptions.csv"))
    change_record(folder, options=Study(table="uncertainty/10", scale="demo").as_dict())
    results = Results(folder)
    planned = {each.label: each.config for each in cells("uncertainty/10", scale="demo")}
    for seed, left in ((0, 30), (1, 40)):
        key = {"config": run(planned["LS"], seed, 0)["config"], "seed": seed}
        results.add_measured(
            {
                "attacks": [{**key, "attack": "PGD10-8", "accuracy": float(left), "images": 100}],
                "measures": [
                    {**key, "norm": "main", "measure": "left", "name": "PGD10-8", "value": float(left), "images": 100},
                ],
                "corruptions": [
                    {**key, "norm": "main", "corruption": "fog", "severity": s, "accuracy": 50.0 + s}
                    for s in range(1, 6)
                ],
            }
        )
        results.put_confirm(run(planned["LS"], seed, 70.0, why="LS"))
    found = row("uncertainty/10", "LS", "left PGD10-8", *records(read_folder(folder).runs))
    assert (found["ours"], found["published"], found["seeds"], found["images"]) == (35.0, 487.0, 2, 100)
    assert records(read_folder(folder).runs)[0]["corruption fog"] == 53.0
    assert main([str(folder)]) == 0
    written = {path.stem for path in (folder / "report" / "tables").iterdir()}
    assert written & {name.replace("/", "-") for name in BESIDE} == {"uncertainty-10"}
    page = (folder / "report" / "report.html").read_text()
    assert "Uncertainty in Deep Learning, ICLR 2021 submission, table 10" in page
    assert "Uncertainty in Deep Learning, ICLR 2021 submission, table 1)" not in page
