"""Budgets: what a text means, and what a budget pays for."""

import pytest

from study.config.budget import Budget, format_budget, format_cost, parse_budget, parse_total


@pytest.mark.parametrize(
    ("text", "per_epoch"), [("4N", 4.0), ("1.2N", 1.2), ("2", 2.0), (" 1N ", 1.0), (3, 3.0), (".5e1", None)]
)
def test_a_budget_is_a_number_followed_by_n(text, per_epoch):
    if per_epoch is None:
        with pytest.raises(ValueError, match="budget must be"):
            parse_budget(text)
    else:
        assert parse_budget(text).per_epoch == per_epoch


@pytest.mark.parametrize(
    "text", ["4M", "0.5N", "nanN", "infN", "", "-1N", "N", "4NN", "1,2N", "4 N N", "1e3N", float("nan"), True]
)
def test_anything_else_is_refused_in_one_line_that_says_what_came(text):
    with pytest.raises(ValueError, match="budget must be a number of at least 1 followed by N") as refused:
        parse_budget(text)
    assert "\n" not in str(refused.value)
    assert repr(str(text)) in str(refused.value)


@pytest.mark.parametrize("per_epoch", [1.0, 1.2, 1.5, 4.0, 1 / 0.3, 6.0])
def test_a_budget_reads_back_what_it_writes(per_epoch):
    assert parse_budget(format_budget(Budget(per_epoch))) == Budget(per_epoch)


def test_costs_are_written_without_needless_digits():
    assert [format_cost(cost) for cost in (4.0, 1.2, 1.0 + 0.2, 960, 12_345_678)] == [
        "4N",
        "1.2N",
        "1.2N",
        "960N",
        "12,345,678N",
    ]


def test_a_cost_that_is_equal_but_for_rounding_is_within_the_budget():
    assert Budget(1.3).allows(1 + 0.1 + 0.1 + 0.1)
    assert not Budget(1.3).allows(1.3001)


def test_the_largest_share_spends_the_whole_budget_or_is_one():
    assert Budget(4.0).largest_k(5) == pytest.approx(0.6)
    assert Budget(4.0).largest_k(5, extra=1) == pytest.approx(0.5)
    assert Budget(4.0).largest_k(2) == 1.0
    assert Budget(1.0).largest_k(1) == 0.0


def test_every_n_is_reachable_above_1n_and_none_at_it():
    assert Budget(1.2).reachable_n() == (1, 2, 3, 4, 5)
    assert Budget(1.0).reachable_n() == ()
    assert Budget(6.0).unconstrained
    assert not Budget(5.9).unconstrained


def test_a_total_budget_is_any_number_above_zero():
    assert parse_total("500N") == 500.0
    for text in ("0N", "nanN", "-3N", "many"):
        with pytest.raises(ValueError, match="total_budget must be"):
            parse_total(text)
