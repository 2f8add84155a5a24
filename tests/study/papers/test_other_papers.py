"""The tables of MixProp, CEB, the mixture and the uncertainty paper."""

import pytest

from study.papers import cells
from trainables.evaluate.options import read_evaluation


def labels(table, **options):
    return [cell.label for cell in cells(table, **options) if not cell.added]


def costs(table, **options):
    return {cell.label: cell.config.method.cost for cell in cells(table, **options) if not cell.added}


def test_mixprop_tables_have_the_papers_rows_and_recipe():
    rows = ["Vanilla", "Mixup", "AdvProp", "MixProp"]
    assert labels("mixprop/1") == labels("mixprop/2") == labels("mixprop/3") == rows * 2
    first = cells("mixprop/1")
    assert {(c.config.epochs, c.config.milestones, c.config.lr) for c in first} == {(320, (100, 180, 260), 0.1)}
    assert {(c.config.epochs, c.config.milestones, c.config.batch_size) for c in cells("mixprop/2")} == {
        (270, (90, 180, 220), 128)
    }
    strengths = {cell.config.model: cell.config.method.n for cell in first if cell.label == "AdvProp"}
    assert strengths == {"preact_resnet18": 1, "preact_resnet50": 4}
    assert {cell.config.method.weights for cell in first if cell.label == "MixProp"} == {"sum"}


def test_auxiliary_norms_are_measured_of_the_networks_that_have_them():
    found = {cell.label: cell.measures for cell in cells("mixprop/3", scale="demo")}
    assert {label for label, measures in found.items() if measures} == {"AdvProp", "MixProp"}
    assert found["MixProp"] == ({"norm": "aux", "corruptions": "all"},)


# -------------------------------------------------------------------------------------------------- CEB and mixture


def test_the_ceb_table_has_the_printed_rows_each_at_its_best_rho():
    found = {cell.label: cell.config for cell in cells("ceb/1") if not cell.added}
    assert {label: getattr(config.method, "rho", None) for label, config in found.items()} == {
        "CEBx2": 3, "50x2": None, "CEB": 7, "50": None, "CEB-aa": 4, "50-aa": None,
    }  # fmt: skip
    assert {config.method.cost for config in found.values()} == {1}
    assert {(config.epochs, config.lr, config.batch_size) for config in found.values()} == {(270, 1.6, 8192)}
    plain = {label for label, config in found.items() if config.augment == "resized_crop_flip"}
    assert plain == {"CEB-aa", "50-aa"}
    wide = {cell.label for cell in cells("ceb/1", scale="demo") if cell.config.model == "resnet8x2"}
    assert wide == {"CEBx2", "50x2"}


def test_the_mixture_tables_have_the_printed_rows_and_are_measured_in_two_ways(tmp_path):
    assert labels("mixture/1") == [
        "Traditional", "Adversarial", "AdvProp", "ALS", "SAT", "ALS + SAT", "SAT + AdvProp", "ALS + AdvProp",
        "ALS + SAT + AdvProp",
    ]  # fmt: skip
    assert labels("mixture/2") == ["SAT", "AdvProp", "Adversarial"]
    for label, cost in costs("mixture/1").items():
        assert cost == (1 if label in ("Traditional", "ALS") else 4)
    parts = {cell.label: cell.config.method for cell in cells("mixture/1")}
    for label, method in parts.items():
        assert getattr(method, "sat", False) == ("SAT" in label)
        assert (getattr(method, "loss", None) == "als") == ("ALS +" in label)
        assert method.dual == ("AdvProp" in label)
    asked = [read_evaluation({"run": tmp_path, **measure}) for measure in cells("mixture/1")[0].measures]
    lengths = [(attack.epsilon, attack.alpha, attack.steps) for attack in asked[0].attacks]
    assert lengths == [(25.5, 25.5, 1), (25.5, 2, 2), (127.5, 127.5, 1), (127.5, 127.5, 2)]
    assert asked[1].legacy


# -------------------------------------------------------------------------------------------------- uncertainty

IN_FULL = ["Normal", "EntM", "ADP", "LS", "PAT", "PAT-EntM", "PAT-LS", "TRADES"]
PRINTED_ROWS = {
    **{f"uncertainty/{n}": ["Normal", "EntM", "LS", "ADP", "PAT", "TRADES", "PAT-EntM", "PAT-LS"] for n in (1, 2, 3)},
    "uncertainty/4": ["Normal", "EntM", "PAT", "PAT-EntM"],
    **{f"uncertainty/{n}": IN_FULL for n in (6, 7, 8)},
    "uncertainty/9": ["Normal", "EntM", "ADP", "PAT", "PAT-EntM", "TRADES"],
    "uncertainty/10": ["EntM", "ADP", "LS", "PAT"],
    "uncertainty/11": ["PAT", "TRADES", "PAT-EntM"] * 2,
    **{f"uncertainty/{n}": ["PAT", "TRADES", "PAT-EntM", "TRADES-EntM"] for n in (12, 13)},
}


@pytest.mark.parametrize("table", PRINTED_ROWS)
def test_uncertainty_tables_have_the_printed_rows_and_the_cost_of_their_training(table):
    assert labels(table) == PRINTED_ROWS[table]
    for label, cost in costs(table).items():
        iterations = 10 if table == "uncertainty/9" else 7
        assert cost == (2 + iterations if label.startswith(("PAT", "TRADES")) else 3 if label == "ADP" else 1)


def attacks(cell, proxied=False):
    """The names of a row's attacks, on itself or on a proxy."""
    return [
        name for measure in cell.measures if ("transfer_from" in measure) == proxied and "attack" in measure
        for name in measure["attack"].split(",")
    ]  # fmt: skip


def test_uncertainty_tables_name_the_printed_attacks():
    first = {cell.label: cell for cell in cells("uncertainty/1")}
    pgd = [f"PGD{steps}-{radius}" for steps in (10, 40) for radius in (4, 8, 16)]
    assert attacks(first["Normal"]) == ["FGSM4", *pgd, "CW40-4", "CW40-8", "CW40-16"]
    assert attacks(first["ADP"]) == ["FGSM4", *pgd]
    assert attacks(first["LS"], proxied=True) == ["PGD10-4", "PGD10-8"]
    assert attacks(cells("uncertainty/3")[0]) == ["FGSM4", *pgd]
    twelfth = cells("uncertainty/12")[0]
    assert len(attacks(twelfth)) == 10
    assert attacks(twelfth, proxied=True) == ["PGD10-4", "PGD10-8", "PGD20-4", "PGD20-8"]
    ninth = cells("uncertainty/9")[0]
    assert attacks(ninth)[:3] == ["FGSM32", "PGD10-32", "PGD10-48"]
    assert attacks(ninth, proxied=True) == ["PGD10-32", "PGD10-48", "PGD20-32", "PGD20-48"]


def test_black_box_attacks_are_made_against_a_network_of_the_same_kind_of_training():
    for cell in cells("uncertainty/6"):
        (proxy,) = [measure["transfer_from"] for measure in cell.measures if "transfer_from" in measure]
        assert proxy == ("PAT" if cell.label.startswith(("PAT", "TRADES")) else "Normal")
        assert cell.proxy == (cell.label in ("PAT", "Normal"))
        assert cell.seeds == 3 + cell.proxy


def test_the_demonstration_attacks_a_hundred_images():
    for cell in cells("uncertainty/10", scale="demo"):
        assert [measure["attacked_images"] for measure in cell.measures] == [100]
    assert cells("uncertainty/10")[0].measures[0]["attacked_images"] == 1000
    assert cells("uncertainty/4", scale="demo")[0].measures == ({"geometry": 100},)


def test_entropy_weighs_less_in_the_wide_network():
    found = [cell.config for cell in cells("uncertainty/11") if cell.label == "PAT-EntM"]
    weights = {config.dataset: config.method.entropy_weight for config in found}
    assert weights == {"cifar10": 1.0, "cifar100": 0.5}
