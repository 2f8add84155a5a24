"""Names of attacks: what they mean, and which are refused."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.attacks.objectives import OBJECTIVES
from trainables.attacks.robustness import SEARCHES
from trainables.attacks.spec import (
    FAMILIES,
    KINDS,
    Attack,
    attack_name,
    growing_radius,
    growing_steps,
    parse_attack,
    parse_attacks,
    smoothings,
    with_radii,
)

NAMES = {
    "FGSM4": Attack("pgd", 4, 1, start="none", reach=1.0, restarts=1),
    "FGSM25.5:norm=l2": Attack("pgd", 25.5, 1, start="none", reach=1.0, restarts=1, norm="l2"),
    "PGD20-8": Attack("pgd", 8, 20, start="gaussian", restarts=5),
    "PGD20-0.5:seed=3": Attack("pgd", 0.5, 20, seed=3),
    "CW40-8": Attack("cw", 8, 40),
    "TRADES20-8": Attack("trades", 8, 20),
    "RS10000-8": Attack("random_search", 8, 10000),
    "AA-8:norm=l2": Attack("autoattack", 8, None, norm="l2"),
    "PGD20-8:entprop": Attack("pgd", 8, 20, start="none", reach=2.5, restarts=1),
    "PGD50-300:ceb,norm=l2": Attack("pgd", 300, 50, start="none", reach=4 / 3, restarts=1, norm="l2"),
    "PGD20-8:norm=l2,step=2,start=none,restarts=1,target=1": Attack(
        "pgd", 8, 20, norm="l2", step=2.0, start="none", restarts=1, target=1
    ),
    "PGD20-8:start=uniform": Attack("pgd", 8, 20, start="uniform"),
    "PGD20-8:noise=0.01": Attack("pgd", 8, 20, noise=0.01),
    "PGD20-8:smoothing=0.3": Attack("pgd", 8, 20, smoothing=0.3),
    "PGD20-8:adaptive": Attack("pgd", 8, 20, adaptive=True),
}


@pytest.mark.parametrize(("name", "attack"), NAMES.items(), ids=NAMES)
def test_a_name_and_its_attack_are_two_forms_of_the_same(name, attack):
    assert parse_attack(name) == attack
    assert attack_name(attack) == name


@st.composite
def attacks(draw):
    kind = draw(st.sampled_from(["pgd", "cw", "trades", "random_search", "autoattack"]))
    norm = draw(st.sampled_from(["linf", "l2"]))
    positive = st.floats(1e-6, 255, exclude_min=True)
    values = {"kind": kind, "norm": norm, "epsilon": draw(positive), "seed": draw(st.integers(0, 9))}
    values["steps"] = None if kind == "autoattack" else draw(st.sampled_from([1, 7, 20]))
    if kind in ("pgd", "cw", "trades"):
        values["start"] = draw(st.sampled_from(["uniform", "gaussian"] + ["none"] * (kind != "trades")))
        values["restarts"] = draw(st.integers(1, 6))
        values[draw(st.sampled_from(["step", "reach"]))] = draw(
            st.none() | positive | st.sampled_from([1.0, 2.5, 4 / 3])
        )
        if values["start"] == "gaussian":
            values["noise"] = draw(st.none() | positive)
    if kind in ("pgd", "cw", "random_search"):
        values["target"] = draw(st.none() | st.integers(0, 9))
    if kind == "pgd":
        values["adaptive"] = draw(st.booleans())
        values["smoothing"] = 0.0 if values["adaptive"] else draw(st.floats(0, 1))
    return Attack(**values)


@given(attacks())
def test_every_attack_has_a_name_that_gives_it_back(attack):
    assert parse_attack(attack_name(attack)) == attack


@pytest.mark.parametrize("family", FAMILIES)
def test_the_example_of_every_family_is_a_name(family):
    assert attack_name(parse_attack(FAMILIES[family].example)) == FAMILIES[family].example


def test_every_kind_of_attack_has_one_function_that_runs_it():
    assert sorted([*OBJECTIVES, *SEARCHES]) == sorted(KINDS)
    assert {kind for kind in KINDS if Attack(kind, **KINDS[kind].settings).uses_gradients} == set(OBJECTIVES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("PGD20", "attack 'PGD20': epsilon must be named, got none; write PGD20-8 for 20 gradient steps within 8/255"),
        ("PGDx-8", "attack 'PGDx-8': steps must be a whole number of at least 1, got 'x'; write PGD20-8 for"),
        ("PGD-8", "steps must be a whole number of at least 1, got ''"),
        ("PGD0-8", "steps must be a whole number of at least 1, got '0'"),
        ("FGSM", "attack 'FGSM': epsilon must be named, got none; write FGSM4 for one step of 4/255"),
        ("AA5-8", "attack 'AA5-8': steps cannot be chosen, got '5'; write AA-8 for AutoAttack within 8/255"),
        ("PGD20-0", "attack 'PGD20-0': epsilon must be a number above 0, got 0.0"),
        ("PGD20--3", "epsilon must be a number above 0, got -3.0"),
        ("PGD20-nan", "epsilon must be a number above 0, got nan"),
        ("PGD20-x", "epsilon must be a number above 0, got 'x'"),
        ("PGD20-300", "epsilon must be a number in (0, 255] for norm linf, got 300.0"),
        ("PGS20-8", "unknown attack 'PGS20-8'; did you mean 'PGD20-8'? known: AA-8, CW20-8, FGSM4,"),
        ("", "unknown attack ''; known: AA-8"),
        ("pgd20-8", "attack 'pgd20-8': families are written in capitals: FGSM, PGD, CW, TRADES, RS, AA"),
        ("PGD20-8:", "unknown option ''; known: adaptive, ceb, entprop, noise=,"),
        ("PGD20-8:stepp=2", "unknown option 'stepp=2'; did you mean 'step='?"),
        ("PGD20-8:step", "unknown option 'step'; did you mean 'step='?"),
        ("PGD20-8:entprop=1", "unknown option 'entprop=1'; did you mean 'entprop'?"),
        ("PGD20-8:step=", "step must be a number above 0, got ''"),
        ("PGD20-8:step=1,step=2", "an option must be given once, got step again"),
        ("PGD20-8:ceb,entprop", "an option must be given once, got entprop again"),
        ("PGD20-8:step=1,reach=2", "one of step and reach must be unset, got step 1 and reach 2"),
        ("PGD20-8:norm=l1", "unknown norm 'l1'; known: l2, linf"),
        ("PGD20-8:restarts=1.5", "restarts must be a whole number of at least 1, got '1.5'"),
        ("PGD20-8:smoothing=1.1", "smoothing must be a number in [0, 1], got 1.1"),
        ("PGD20-8:adaptive,smoothing=0.1", "smoothing must be unset for an adaptive attack, which tries all, got 0.1"),
        ("PGD20-8:start=none,noise=0.1", "noise must be unset unless start is gaussian, got noise 0.1 for none"),
        ("FGSM4:step=2", "the step of FGSM is epsilon; write PGD1-4 with options for another"),
        ("RS100-8:restarts=2", "restarts does not apply to random_search, got 2"),
        ("AA-8:target=1", "target does not apply to autoattack, got 1"),
        ("CW20-8:smoothing=0.1", "smoothing does not apply to cw, got 0.1"),
        ("TRADES20-8:target=1", "target does not apply to trades, got 1"),
        ("TRADES20-8:start=none", "start must not be none for trades, whose gradient is zero at the image"),
    ],
)
def test_a_wrong_name_is_refused_in_one_line(name, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        parse_attack(name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_commas_divide_names_and_options():
    names = "PGD20-8:step=2,restarts=1,FGSM4,PGD20-2:entprop,target=1"
    assert [attack_name(attack) for attack in parse_attacks(names)] == [
        "PGD20-8:step=2,restarts=1",
        "FGSM4",
        "PGD20-2:entprop,target=1",
    ]


def test_the_papers_steps_and_starts():
    for name, alpha, runs, sigma in (
        ("PGD20-8", 0.8, 5, 0.005),
        ("PGD100-4", 0.4, 5, 0.005),
        ("TRADES20-8", 0.8, 5, 0.001),
        ("FGSM4", 4, 1, None),
        ("PGD20-2:entprop", 0.25, 1, None),
        ("PGD20-30:ceb", 2, 1, None),
        ("PGD20-8:start=none", 0.8, 1, None),  # five runs that are all the same are one
    ):
        attack = parse_attack(name)
        assert attack.alpha == pytest.approx(alpha)
        assert attack.runs == runs
        assert sigma is None or attack.sigma == sigma


def test_curves_and_smoothings_are_lists_of_attacks():
    base = parse_attack("PGD20-8")
    assert [attack_name(attack) for attack in growing_radius(base, (10, 150))] == [
        "PGD10-10:step=2",
        "PGD150-150:step=2",
    ]
    assert [attack_name(attack) for attack in growing_steps(base, (8, 500))] == ["PGD8-8:step=2", "PGD500-8:step=0.5"]
    assert [attack.alpha for attack in with_radii(base, (1, 4))] == [0.1, 0.4]
    assert [attack.smoothing for attack in smoothings(parse_attack("PGD20-8:adaptive"))] == [i / 10 for i in range(11)]


def test_names_need_no_torch():
    code = "import sys, trainables.attacks.spec; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
