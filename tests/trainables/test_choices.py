"""Shared choices are the entries of the tables that act on them."""

from typing import get_args

from trainables import choices
from trainables.attacks.in_training import STARTS
from trainables.functional.mixing import MIXING
from trainables.functional.selection import SCORES


def test_every_choice_has_an_entry_in_its_table():
    assert get_args(choices.Metric) == tuple(SCORES)
    assert get_args(choices.Mixing) == tuple(MIXING)
    assert get_args(choices.Start) == tuple(STARTS)
