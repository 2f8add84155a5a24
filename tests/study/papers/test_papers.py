"""Published tables: every row can be trained, costs what the paper says, and is told from the others."""

import pytest

from study.config.make_study import make_study
from study.display.plan import plan_text
from study.files.configs import config_id
from study.papers import COMPUTED, GRIDS, Grid, GridRow, cells, computed_text, demo_twins, list_tables, size, total_cost
from trainables.config import TrialConfig, make_method
from trainables.data.datasets import DATASETS, EMBEDDED
from trainables.evaluate.options import read_evaluation
from trainables.methods import method_name
from trainables.models.registry import MODELS

NUMBERED = {"entprop": 17, "mixprop": 5, "ceb": 1, "mixture": 2, "uncertainty": 13}
LOST = {"entprop/6", "entprop/7", "entprop/10", "entprop/12", "entprop/14"}
ANALYTIC = {"entprop/1", "mixprop/4", "uncertainty/5"}
ADDED = {"entprop/epsilon", "entprop/figure4", "entprop/figure6", "ceb/figure2"}
ONE_NETWORK = {"entprop/6"}  # compares what is made of pictures, not trainings
EVERY = pytest.mark.parametrize("table", GRIDS)
SCALES = pytest.mark.parametrize("scale", ["paper", "demo"])


def labels(table, **options):
    return [cell.label for cell in cells(table, **options) if not cell.added]


def costs(table, **options):
    return {cell.label: cell.config.method.cost for cell in cells(table, **options) if not cell.added}


# -------------------------------------------------------------------------------------------------- all tables


def test_every_published_table_has_a_recipe():
    published = {f"{paper}/{number}" for paper, count in NUMBERED.items() for number in range(1, count + 1)}
    assert set(GRIDS) | set(COMPUTED) == published | ADDED
    assert set(COMPUTED) == ANALYTIC
    assert {name for name, grid in GRIDS.items() if grid.lost} == LOST


@EVERY
@SCALES
def test_every_row_is_a_configuration_of_its_own(table, scale):
    found = cells(table, scale=scale)
    assert all(isinstance(cell.config, TrialConfig) for cell in found)
    assert len({config_id(cell.config) for cell in found}) == len(found)
    labels = [(cell.label, cell.config.dataset, cell.config.model) for cell in found]
    assert len(set(labels)) == len(labels)


@EVERY
def test_networks_and_data_sets_are_known(table):
    grid = GRIDS[table]
    assert set(grid.models) | set(grid.demo_models) <= set(MODELS)
    assert set(grid.datasets) <= set(DATASETS)
    assert {name for row in grid.rows for name in row.only} <= {*grid.datasets, *grid.models}


@EVERY
def test_the_demonstration_is_on_the_embedded_images_with_three_seeds_or_more(table):
    for cell in cells(table, scale="demo"):
        assert (cell.config.dataset, cell.config.epochs) == (EMBEDDED, GRIDS[table].demo.get("epochs", 15))
        assert cell.config.model in GRIDS[table].demo_models
        assert cell.seeds == 3 + cell.proxy


@EVERY
def test_the_demonstration_has_the_rows_of_the_first_published_network(table):
    grid = GRIDS[table]
    if len(grid.demo_models) == 1:
        first = cells(table, {"dataset": grid.datasets[0], "model": grid.models[0]})
        assert [cell.label for cell in cells(table, scale="demo")] == [cell.label for cell in first]
    else:
        assert labels(table, scale="demo") == labels(table)


def test_controls_bring_a_table_vanilla_and_mixup_at_three_rates():
    found = cells("entprop/2", {"epochs": 3}, "demo", controls=True)
    rates = {(method_name(cell.config.method), cell.label): cell.config.lr for cell in found if cell.config.lr != 0.4}
    assert rates == {
        ("vanilla", "lr × 1/2, vanilla"): 0.2, ("vanilla", "lr × 2, vanilla"): 0.8,
        ("mixup", "lr × 1/2, mixup"): 0.2, ("mixup", "lr × 2, mixup"): 0.8,
    }  # fmt: skip
    assert {cell.config.epochs for cell in found} == {3}
    assert [cell for cell in found if cell.config.lr == 0.4] == cells("entprop/2", {"epochs": 3}, "demo")


@EVERY
def test_plain_training_and_mixup_alone_stand_in_every_table(table):
    wanted = [make_method("vanilla", {}), make_method("mixup", {})][: 1 if table in ONE_NETWORK else 2]
    methods = [cell.config.method for cell in cells(table, scale="demo")]
    assert [methods.count(method) for method in wanted] == [1] * len(wanted)


@EVERY
@SCALES
def test_measures_are_flags_that_the_evaluation_reads(table, scale, tmp_path):
    for cell in cells(table, scale=scale):
        for measure in cell.measures:
            read_evaluation({"run": tmp_path, **measure})
            assert "norm" not in measure or cell.config.method.dual


@EVERY
@SCALES
def test_the_plan_of_every_table_is_printed(table, scale, tmp_path):
    text = plan_text(make_study(table=table, scale=scale, out=str(tmp_path / "s")), slots=2)
    assert " ".join(text.split()).startswith(f"table {table}: {GRIDS[table].title}")
    assert f"{total_cost(cells(table, scale=scale)):,.0f} N-epochs" in text
    assert all(len(line) <= 120 for line in text.splitlines() if str(tmp_path) not in line)


@EVERY
@SCALES
def test_the_size_of_a_table_is_that_of_its_cells(table, scale):
    found, planned = size(GRIDS[table], scale), cells(table, scale=scale)
    assert (found.settings, found.runs) == (len(planned), sum(cell.seeds for cell in planned))
    assert found.cost == pytest.approx(total_cost(planned))
    assert set(found.epochs) == {cell.config.epochs for cell in planned}
    assert set(found.models) == {cell.config.model for cell in planned}


def test_the_list_names_every_table_with_its_protocol_cost_and_data():
    text = list_tables()
    entries = {line.split()[0] for line in text.splitlines() if line.startswith("  ") and line[2] != " "}
    assert entries == set(GRIDS) | set(COMPUTED)
    # The last line is a command, with the absolute paths of this checkout.
    assert all(len(line) <= 120 for line in text.splitlines()[:-1])
    flat = " ".join(text.split())
    assert "12 settings, 36 runs, 10,500 N-epochs of 200 epochs with resnet18 on cifar100" in flat
    assert "--scale demo: 12 settings, 36 runs, 788 N-epochs on fashion" in flat
    assert "cub (from a folder)" in flat
    assert flat.count("numbers are missing") == len(LOST)
    assert flat.count("nothing is trained") == len(ANALYTIC)


def test_a_demonstration_that_trains_the_networks_of_another_says_so(tmp_path):
    twins = demo_twins()
    assert {name for name, twin in twins.items() if twin == "uncertainty/1"} == {
        f"uncertainty/{number}" for number in (2, 3, 6, 7, 8)
    }
    for name, twin in twins.items():
        trained = [{config_id(cell.config) for cell in cells(each, scale="demo")} for each in (name, twin)]
        assert trained[0] == trained[1]
        text = plan_text(make_study(table=name, scale="demo", out=str(tmp_path / "s")), slots=2)
        assert f"it trains the same networks as {twin}" in text
    assert "on fashion; the same networks as uncertainty/1" in " ".join(list_tables().split())


def test_flags_override_the_protocol_and_nothing_else():
    found = cells("entprop/17", {"dataset": "cifar10", "epochs": 3, "lr": 0.05}, seeds=2)
    assert {(c.config.dataset, c.config.epochs, c.config.lr, c.config.model, c.seeds) for c in found} == {
        ("cifar10", 3, 0.05, "resnet18", 2)
    }
    assert {cell.config.model for cell in cells("entprop/8", {"model": "resnet8"})} == {"resnet8"}


def test_rows_that_a_flag_makes_alike_are_refused(monkeypatch):
    rows = (GridRow("short", "vanilla", recipe={"epochs": 2}), GridRow("long", "vanilla", recipe={"epochs": 4}))
    monkeypatch.setitem(GRIDS, "test/1", Grid("two lengths", rows))
    assert [cell.config.epochs for cell in cells("test/1")] == [2, 4]
    with pytest.raises(ValueError, match="the rows of table test/1 must differ, got 'short' and 'long' alike"):
        cells("test/1", {"epochs": 3})


# -------------------------------------------------------------------------------------------------- EntProp


ENTPROP = pytest.mark.parametrize("table", [name for name in GRIDS if name.startswith("entprop/")])


@ENTPROP
def test_the_published_protocol_is_that_of_the_data_set(table):
    grid = GRIDS[table]
    for cell in cells(table):
        recipe = DATASETS[cell.config.dataset].recipe
        assert cell.config.epochs == {**recipe, **grid.recipe}["epochs"]
        assert cell.config.model in grid.models
        assert cell.seeds == (1 if cell.config.dataset == "imagenet" else 3)


def test_costs_are_the_printed_ones():
    printed = {
        "Vanilla": 1, "MixProp": 2, "Fast AdvProp": 1.2, "AdvProp": 7, "EntProp (0.2, 1)": 1.2, "EntProp (0.6, 1)": 1.6,
        "EntProp (0.2, 5)": 2, "EntProp (0.6, 5)": 4,
    }  # fmt: skip
    assert costs("entprop/2") == pytest.approx(printed)
    assert costs("entprop/4") == pytest.approx(printed)
    assert costs("entprop/15")["AdvProp with EntProp selection"] == pytest.approx(4.6)
    assert costs("entprop/14")["Fast AdvProp with EntProp selection"] == pytest.approx(1.2)
    assert costs("entprop/12") == {"GPaCo": 1, "EntProp with GPaCo": 3.5}


def test_the_sweeps_hold_the_published_values():
    sixteen = [cell.config.method for cell in cells("entprop/16") if not cell.added][1:]
    assert [method.k for method in sixteen] == pytest.approx([tenth / 10 for tenth in range(1, 11)])
    assert {method.n for method in sixteen} == {1}
    seventeen = [cell.config.method for cell in cells("entprop/17") if not cell.added]
    assert [(method.k, method.n) for method in seventeen] == [(0.6, n) for n in range(1, 6)]
    eight = [cell.config for cell in cells("entprop/8") if not cell.added]
    assert len(eight) == 16
    assert len({(config.model, config.method.metric) for config in eight}) == 16


def test_the_tables_of_sensitivity_attack_with_four_radii(tmp_path):
    for table in ("entprop/11", "entprop/16"):
        (measure,) = GRIDS[table].measures
        assert [attack.epsilon for attack in read_evaluation({"run": tmp_path, **measure}).attacks] == [1, 2, 4, 8]


def test_figure_4_compares_selections_without_mixing_and_attack():
    methods = [
        cell.config.method for cell in cells("entprop/figure4") if cell.label.startswith("k=") and "V" not in cell.label
    ]
    assert {(method.mixing, method.attack) for method in methods} == {("none", "none")}
    assert {(method.k, method.selection) for method in methods} == {
        (tenth / 10, selection) for tenth in range(1, 11) for selection in ("top", "random")
    }


def test_figure_6_counts_selections_at_three_k_with_and_without_mixing():
    counted = [cell for cell in cells("entprop/figure6") if not cell.added]
    assert [(cell.config.method.k, cell.config.method.mixing) for cell in counted] == [
        (k, mixing) for k in (0.2, 0.4, 0.6) for mixing in ("none", "mixup")
    ]
    assert all(cell.measures == ({"selections": True},) for cell in counted)


def test_imagenet_is_mixed_with_its_own_beta():
    betas = {
        cell.config.method.beta for cell in cells("entprop/2")
        if cell.config.dataset == "imagenet" and cell.label.startswith(("EntProp", "Mixup"))
    }  # fmt: skip
    assert betas == {0.2}


def test_pictures_that_only_imagenet_has_are_left_out_of_the_demonstration():
    assert len(cells("entprop/3")[0].measures) == 3
    assert cells("entprop/3", scale="demo")[0].measures == ()


# -------------------------------------------------------------------------------------------------- computed tables


@pytest.mark.parametrize(
    ("table", "printed"),
    [
        (
            "entprop/1",
            [("Vanilla", "N", "1N"), ("AdvProp", "(2+n)N", "7N"), ("Fast AdvProp", "(1+p_adv)N", "1.2N"),
             ("MixProp", "2N", "2N"), ("EntProp", "(1+kn)N", "1.2N"), ("EntProp", "(1+kn)N", "1.6N"),
             ("EntProp", "(1+kn)N", "2N"), ("EntProp", "(1+kn)N", "4N")],
        ),
        (
            "mixprop/4",
            [("Vanilla", "N", "1N"), ("Mixup", "N", "1N"), ("MixProp", "2N", "2N"), ("AdvProp PGD-1", "3N", "3N"),
             ("AdvProp PGD-3", "5N", "5N"), ("AdvProp PGD-4", "6N", "6N")],
        ),
    ],
)  # fmt: skip
def test_tables_of_cost_are_worked_out_of_the_code_and_equal_the_printed_ones(table, printed):
    rows = COMPUTED[table].rows()
    assert [(row[0], row[1], row[-1]) for row in rows] == printed
    assert [row[-2] for row in rows] == [row[-1] for row in rows]
    assert computed_text(table).splitlines()[1].split()[:2] == ["method", "printed"]


def test_the_settings_of_training_equal_the_printed_ones():
    assert COMPUTED["uncertainty/5"].rows() == [
        ("input_size", "28x28x1", "32x32x3", "32x32x3"),
        ("total_training_epochs", "40", "200", "120"),
        ("weight_decay", "0.0001", "0.0001", "0.0001"),
        ("optimizer", *["SGD with momentum 0.9"] * 3),
        ("initial_learning_rate", "0.01", "0.1", "0.1"),
        ("learning_rate_decay_rate", "0.1", "0.1", "0.1"),
        ("learning_rate_decay_epoch", "20", "100;150", "60;84;100"),
        ("early_stopping", "No", "No", "No"),
        ("batch_size", "128", "64", "64"),
    ]
