"""Spaces: nothing above the budget, everything within it reached evenly, names that belong to the methods."""

import dataclasses
import math
import re
import runpy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import spaces
from search_spaces.describe import table
from study.config.budget import parse_budget
from study.config.make_study import make_study
from study.config.space import first_proposals, published_values, space_of, trial_config
from study.config.study_config import Study
from trainables.config import make_method
from trainables.methods import METHODS
from trainables.options import options_of

optuna = pytest.importorskip("optuna")

BUDGETS = ("1N", "1.2N", "1.5N", "2N", "4N", "6N")
PROPOSALS = 2000


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


class Drawn:
    """A trial whose values Optuna's random sampler draws, without the book-keeping of a study around it."""

    def __init__(self, sampler):
        self.sampler = sampler

    def draw(self, name, distribution):
        return self.sampler.sample_independent(None, None, name, distribution)

    def suggest_int(self, name, low, high):
        return self.draw(name, optuna.distributions.IntDistribution(low, high))

    def suggest_float(self, name, low, high, *, log=False):
        return self.draw(name, optuna.distributions.FloatDistribution(low, high, log=log))

    def suggest_categorical(self, name, choices):
        return self.draw(name, optuna.distributions.CategoricalDistribution(choices))


def random_values(study, count, seed=0):
    """Proposals that the random sampler draws."""
    space, trial = space_of(study), Drawn(optuna.samplers.RandomSampler(seed))
    return [space(trial) for _ in range(count)]


def random_proposals(study, count, seed=0):
    """The same as methods."""
    return [make_method(values.pop("method"), values) for values in random_values(study, count, seed)]


def learned_proposals(study, sampler, count):
    """The methods that a sampler proposes that is told made-up results."""
    space, asked = space_of(study), optuna.create_study(sampler=sampler)
    found = []
    for number in range(count):
        trial = asked.ask()
        found.append(trial_config(study, space(trial), 0).method)
        asked.tell(trial, math.sin(number))
    return found


def chi_square(counts):
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


@pytest.mark.parametrize("budget", BUDGETS)
def test_random_proposals_are_feasible_and_fill_the_feasible_region_evenly(budget):
    study = Study(budget=parse_budget(budget))
    several = random_values(study, PROPOSALS)
    limit = study.per_epoch
    assert max(1 + values["k"] * values["n"] for values in several) <= limit  # exactly, not nearly
    assert max(trial_config(study, values, 0).method.cost for values in several[:100]) <= limit
    by_n = {n: [values["k"] for values in several if values["n"] == n] for n in range(1, 6)}
    # 99.9th percentile of chi-square: 18.5 at 4 degrees of freedom, 27.9 at 9
    assert chi_square([len(ks) for ks in by_n.values()]) < 18.5
    for n, ks in by_n.items():
        most = min(1.0, (limit - 1) / n)
        if most == 0:
            assert set(ks) == {0.0}
            continue
        bins = [0] * 10
        for k in ks:
            bins[min(9, int(10 * k / most))] += 1
        assert chi_square(bins) < 27.9
        assert min(ks) <= 0.02
        assert max(ks) >= most - 0.02


@pytest.mark.parametrize(
    ("sampler", "budget", "count"), [("tpe", "1N", 40), ("tpe", "1.2N", 40), ("tpe", "4N", 40), ("gp", "1.2N", 6)]
)
def test_samplers_that_learn_stay_within_the_budget_too(sampler, budget, count):
    make = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler}[sampler]
    study = Study(budget=parse_budget(budget))
    methods = learned_proposals(study, make(seed=1, n_startup_trials=4), count)
    assert max(method.cost for method in methods) <= study.per_epoch


@given(st.floats(1, 8), st.integers(1, 6), st.floats(0, 1))
def test_a_share_never_costs_more_than_the_budget(budget, passes, part):
    k = spaces.share(budget, passes, part)
    assert 0 <= k <= 1
    assert 1 + k * passes <= budget
    assert k >= part * spaces.largest_share(budget, passes) - 2e-6


def test_the_ends_are_the_budget_line_and_no_share_at_all():
    assert spaces.share(4.0, 5, 1.0) == 0.6
    assert spaces.share(1.2, 1, 1.0) == 0.2
    assert spaces.share(1.2, 1, 0.0) == 0.0
    assert spaces.share(6.0, 5, 1.0) == 1.0


@pytest.mark.parametrize("budget", ["1.5N", "3N", "8N"])
def test_several_methods_are_searched_at_once_each_with_its_own_cost(budget):
    affordable = tuple(name for name in METHODS if parse_budget(budget).allows(spaces.cheapest_cost(name)))
    study = Study(budget=parse_budget(budget), methods=affordable)
    methods = random_proposals(study, 600)
    assert {type(method) for method in methods} == {METHODS[name] for name in affordable}
    assert all(study.budget.allows(method.cost) for method in methods)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_space_whose_names_are_fields_of_the_method(name):
    fields = {field.name for field in dataclasses.fields(METHODS[name])}
    searchable = tuple(spaces.space_for(name).searchable)
    assert set(spaces.space_for(name).searched) <= set(searchable) <= fields | {"lr"}
    drawn = optuna.trial.FixedTrial(
        {key: values[0] for key, values in spaces.grid_of(name, searchable, 9.0, {}).items()}
    )
    values = spaces.values_of(name, drawn, 9.0, searchable, {})
    assert set(values) == set(searchable)
    assert values.pop("lr") == 0.25  # of the study's
    make_method(name, values)
    assert all(parameter.startswith(f"{name}/") for parameter in drawn.params)


def test_a_method_without_a_space_is_proposed_as_it_is(monkeypatch):
    monkeypatch.setitem(METHODS, "mine", METHODS["vanilla"])
    study = make_study(budget="4N", methods="mine,entprop")
    names = {space_of(study)(optuna.create_study().ask())["method"] for _ in range(40)}
    assert names == {"mine", "entprop"}
    assert study.searched["mine"] == ()
    with pytest.raises(ValueError, match="unknown searchable 'k'"):
        make_study(budget="4N", methods="mine", search="k")


@pytest.mark.parametrize("name", METHODS)
def test_the_cheapest_cost_of_a_method_is_that_of_its_cheapest_setting(name):
    smallest = {"k": 0.0, "p_adv": 0.0, "n": 1}
    fields = {field.name for field in dataclasses.fields(METHODS[name])}
    values = {key: value for key, value in smallest.items() if key in fields}
    assert make_method(name, values).cost == spaces.cheapest_cost(name)


def test_choices_and_defaults_are_those_of_the_methods():
    entprop = options_of(METHODS["entprop"])
    assert entprop["metric"].choices == spaces.METRICS
    assert entprop["weights"].choices == spaces.WEIGHTS
    assert entprop["aux_target"].choices == spaces.AUX_TARGETS
    for name, values in {
        "entprop": {"k": 0.2, "n": 1},
        "fast_advprop": {"p_adv": 0.2, "n": 1},
        "advprop": {"n": 5},
    }.items():
        assert all(getattr(METHODS[name](), key) == value for key, value in values.items())
    assert {name: spaces.space_for(name).default_n for name in METHODS} == {
        name: getattr(kind(), "n", 1) for name, kind in METHODS.items()
    }


def test_the_printed_table_states_each_method_its_cost_ranges_and_published_settings():
    printed = table()
    blocks = {block.partition(",")[0]: block for block in re.split(r"\n(?=\w)", printed)}
    assert blocks.keys() == METHODS.keys() == spaces.SPACES.keys()
    for name, space in spaces.SPACES.items():
        stated = re.findall(r"^  (searched|--search) +(\w+)(?:: | from )", blocks[name], re.M)
        assert {key for _, key in stated} == set(space.searchable)
        assert [key for kind, key in stated if kind == "searched"] == list(space.searched)
        assert blocks[name].count("\n  published") == sum(bool(values) for values in space.published)
    assert "trades, cost 2 + n\n  searched   n from 1 to 10\n" in printed
    assert "epsilon from 1 to 16 (1/255, log), alpha = max(1, 2·epsilon / (n + 1))" in blocks["trades"]
    assert blocks["entprop"].startswith("entprop, cost 1 + k·n\n  searched   k from 0 to 1\n")
    assert blocks["fast_advprop"].startswith("fast_advprop, cost 1 + p_adv·n\n  searched   p_adv from 0 to 0.9\n")


def test_the_table_is_printed_from_the_command_line(capsys):
    runpy.run_module("search_spaces", run_name="__main__")
    assert capsys.readouterr().out == table() + "\n"


@pytest.mark.parametrize("budget", [*BUDGETS, "9N"])
def test_the_cheapest_published_settings_come_first_and_come_out_as_published(budget):
    affordable = tuple(name for name in METHODS if parse_budget(budget).allows(spaces.cheapest_cost(name)))
    study = Study(budget=parse_budget(budget), methods=affordable)
    published = [trial_config(study, values, 0).method for values in published_values(study)]
    space = space_of(study)
    proposed = [
        trial_config(study, space(optuna.trial.FixedTrial(point)), 0).method for point in first_proposals(study)
    ]
    cheapest = []
    for kind in map(METHODS.__getitem__, affordable):
        cheapest += sorted((method for method in published if isinstance(method, kind)), key=lambda each: each.cost)[:2]
    assert proposed == cheapest
    assert all(study.budget.allows(method.cost) for method in published)


def test_published_settings_of_entprop_keep_the_papers_radius_and_step():
    study = Study(budget=parse_budget("4N"))
    methods = [trial_config(study, values, 0).method for values in published_values(study)]
    assert [(m.k, m.n, m.radius, m.alpha) for m in methods] == [
        (0.2, 1, 1, 1), (0.6, 1, 1, 1), (0.2, 5, 6, 1), (0.6, 5, 6, 1),
    ]  # fmt: skip
    assert all(METHODS["entprop"](k=m.k, n=m.n).radius == m.radius for m in methods)


def test_settings_outside_a_narrowed_space_are_not_proposed():
    study = Study(budget=parse_budget("4N"), search=("k",))  # n stays 1
    assert first_proposals(study) == [{"entprop/k_frac": 0.2}, {"entprop/k_frac": 0.6}]


def test_where_the_cheapest_lie_outside_the_next_ones_come_first():
    study = make_study(budget="4N", fix="n=5", search="k")
    space = space_of(study)
    proposed = [space(optuna.trial.FixedTrial(point)) for point in first_proposals(study)]
    assert [(each["k"], each["n"]) for each in proposed] == [(0.2, 5), (0.6, 5)]


@pytest.mark.parametrize(
    ("options", "values", "inside"),
    [
        ({}, {"k": 0.6, "n": 5, "epsilon": 6.0, "alpha": 1.0}, True),
        ({}, {"k": 0.61, "n": 5}, False),  # above the budget
        ({}, {"k": 0.6, "n": 5, "epsilon": 6.0, "alpha": 2.0}, False),  # another step than the one that follows epsilon
        ({}, {"k": 0.6, "n": 5, "weights": "sum"}, False),
        ({"fix": (("weights", "sum"),)}, {"k": 0.6, "n": 5, "weights": "sum"}, True),
        ({"fix": (("weights", "sum"),)}, {"k": 0.6, "n": 5, "weights": "instance"}, False),
        ({"fix": (("n", 5),)}, {"k": 0.6, "n": 1}, False),
        ({"search": ("k", "n")}, {"k": 0.6, "n": 5, "epsilon": 6.0}, True),  # the radius that the rule gives
        ({"search": ("k", "n")}, {"k": 0.6, "n": 5, "epsilon": 4.0}, False),
        ({"search": ("n",)}, {"n": 5}, True),
        ({"search": ("n",)}, {"n": 5, "k": 0.6}, False),
        ({"search": ("metric",)}, {"metric": "margin"}, True),
    ],
)
def test_a_setting_is_in_the_space_or_it_is_not(options, values, inside):
    space = space_of(Study(budget=parse_budget("4N"), **options))
    found = space.parameters({"method": "entprop", **values})
    assert (found is not None) == inside
    assert space.parameters({"method": "mixup"}) is None


@pytest.mark.parametrize("seed", range(5))
def test_parameters_are_found_again_from_the_values_they_led_to(seed):
    study = Study(budget=parse_budget("2.7N"), methods=("entprop", "fast_advprop"), fix=(("alpha", 2.0),))
    space = space_of(study)
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed)).ask()
    values = space(trial)
    again = space.parameters(values)
    assert again.keys() == trial.params.keys()
    assert all(
        again[name] == pytest.approx(value, rel=1e-4, abs=1e-4)
        for name, value in trial.params.items()
        if not isinstance(value, str)
    )
    assert space(optuna.trial.FixedTrial(again)) == values


def test_a_larger_radius_is_within_reach_of_the_steps():
    study = Study(budget=parse_budget("6N"))
    for method in random_proposals(study, 200, seed=3):
        assert 1 <= method.epsilon <= 8
        assert method.alpha == pytest.approx(max(1, method.epsilon / (method.n + 1)), abs=1e-5)


def test_a_fixed_share_leaves_only_the_iterations_that_the_budget_pays_for():
    study = Study(budget=parse_budget("2N"), search=("n",), fix=(("k", 0.4),))
    assert {method.n for method in random_proposals(study, 100)} == {1, 2}


def test_a_paid_first_step_is_paid_from_the_budget():
    study = Study(budget=parse_budget("4N"), fix=(("free_first_step", False), ("n", 5)))
    costs = [method.cost for method in random_proposals(study, 300)]
    assert max(costs) <= 4.0
    assert max(costs) > 3.95
