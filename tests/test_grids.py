"""Published tables: every row can be trained, costs what the paper says, and is told from the others."""

import pytest

from study.grids import GRIDS, REFERENCES, cells, list_tables, total_cost
from study.results import config_id
from trainables.attack_names import parse_attacks
from trainables.config import TrialConfig
from trainables.data import DATASETS
from trainables.models import MODELS

EVERY = pytest.mark.parametrize("table", GRIDS)


@EVERY
@pytest.mark.parametrize("scale", ["paper", "demo"])
def test_every_row_is_a_configuration_of_its_own(table, scale):
    found = cells(table, scale=scale)
    assert all(isinstance(cell.config, TrialConfig) for cell in found)
    assert len({config_id(cell.config) for cell in found}) == len(found)
    labels = [(cell.label, cell.config.dataset, cell.config.model) for cell in found]
    assert len(set(labels)) == len(labels)


@EVERY
def test_the_published_protocol_is_that_of_the_data_set(table):
    grid = GRIDS[table]
    for cell in cells(table):
        recipe = DATASETS[cell.config.dataset].recipe
        assert cell.config.epochs == recipe["epochs"]
        assert cell.config.model in grid.models
        assert cell.seeds == (1 if cell.config.dataset == "imagenet" else 3)
    assert set(grid.models) <= set(MODELS)
    assert set(grid.datasets) <= set(DATASETS)


@EVERY
def test_the_demonstration_is_on_digits_with_three_seeds(table):
    for cell in cells(table, scale="demo"):
        assert (cell.config.dataset, cell.config.model, cell.config.epochs, cell.seeds) == ("digits", "resnet8", 10, 3)


@EVERY
def test_plain_training_and_mixup_alone_stand_in_every_table(table):
    methods = [type(cell.config.method).__name__ for cell in cells(table, scale="demo")]
    assert methods.count("Vanilla") == methods.count("Mixup") == 1


@EVERY
def test_attacks_are_names_that_the_evaluation_reads(table):
    if GRIDS[table].attacks:
        assert [attack.epsilon for attack in parse_attacks(GRIDS[table].attacks)] == [1, 2, 4, 8]


def costs(table, **options):
    return {cell.label: cell.config.method.cost for cell in cells(table, **options) if not cell.added}


def test_costs_are_the_printed_ones():
    printed = {
        "Vanilla": 1, "MixProp": 2, "Fast AdvProp": 1.2, "AdvProp": 7, "EntProp (0.2, 1)": 1.2, "EntProp (0.6, 1)": 1.6,
        "EntProp (0.2, 5)": 2, "EntProp (0.6, 5)": 4,
    }  # fmt: skip
    assert costs("entprop/2") == pytest.approx(printed)
    assert costs("entprop/4") == pytest.approx(printed)
    assert costs("entprop/15")["AdvProp with EntProp selection"] == pytest.approx(4.6)


def test_the_sweeps_hold_the_published_values():
    sixteen = [cell.config.method for cell in cells("entprop/16") if not cell.added][1:]
    assert [method.k for method in sixteen] == pytest.approx([tenth / 10 for tenth in range(1, 11)])
    assert {method.n for method in sixteen} == {1}
    seventeen = [cell.config.method for cell in cells("entprop/17") if not cell.added]
    assert [(method.k, method.n) for method in seventeen] == [(0.6, n) for n in range(1, 6)]
    eight = [cell.config for cell in cells("entprop/8") if not cell.added]
    assert len(eight) == 16
    assert len({(config.model, config.method.metric) for config in eight}) == 16


def test_figure_4_compares_selections_without_mixing_and_attack():
    methods = [
        cell.config.method for cell in cells("entprop/figure4") if cell.label.startswith("k=") and "V" not in cell.label
    ]
    assert {(method.mixing, method.attack) for method in methods} == {("none", "none")}
    assert {(method.k, method.selection) for method in methods} == {
        (tenth / 10, selection) for tenth in range(1, 11) for selection in ("top", "random")
    }


def test_imagenet_is_mixed_with_its_own_beta():
    betas = {
        cell.config.method.beta for cell in cells("entprop/2")
        if cell.config.dataset == "imagenet" and cell.label.startswith(("EntProp", "Mixup"))
    }  # fmt: skip
    assert betas == {0.2}


def test_flags_override_the_protocol_and_nothing_else():
    found = cells("entprop/17", {"dataset": "cifar10", "epochs": 3, "lr": 0.05}, seeds=2)
    assert {(c.config.dataset, c.config.epochs, c.config.lr, c.config.model, c.seeds) for c in found} == {
        ("cifar10", 3, 0.05, "resnet18", 2)
    }
    assert {cell.config.model for cell in cells("entprop/8", {"model": "resnet8"})} == {"resnet8"}


def test_the_cost_of_a_table_is_that_of_all_its_seeds():
    expected = 3 * 10 * (1 + sum(1 + tenth / 10 for tenth in range(1, 11)) + 1)
    assert total_cost(cells("entprop/16", scale="demo")) == pytest.approx(expected)


def test_the_list_names_every_table_with_its_cost_and_data():
    lines = list_tables().splitlines()
    text = "\n".join(lines)
    for name, line in zip(GRIDS, lines[1::2], strict=True):
        paper, demo = cells(name), cells(name, scale="demo")
        assert (
            f"{len(paper)} settings, {sum(c.seeds for c in paper)} runs, {total_cost(paper):,.0f} N-epochs on" in line
        )
        assert f"--scale demo {sum(c.seeds for c in demo)} runs, {total_cost(demo):,.0f} N-epochs on digits" in line
    assert "cub (from a folder)" in text
    assert "10,500 N-epochs on cifar100" in text
    assert len(REFERENCES) == 2
