"""The parts of a published table: its rows, each a method, its data sets and networks, and what is measured.

Rows are data; `study/papers/expand.py` turns them into configurations.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Values = Mapping[str, Any]
Measure = Mapping[str, Any]  # an evaluation: flags of `python -m trainables.evaluate` by name


@dataclass(frozen=True)
class GridRow:
    """One line of a table: the label it has there, and the method."""

    label: str
    method: str
    values: Values = field(default_factory=dict)
    added: bool = False  # not in the published table
    only: tuple[str, ...] = ()  # the data set or network that it is for; empty: all of the table
    recipe: Values = field(default_factory=dict)  # fields of a trial in which the published row differs from others
    demo: Values = field(default_factory=dict)  # the same at demo scale
    measures: tuple[Measure, ...] = ()  # what is measured of this row beside what is measured of all


@dataclass(frozen=True)
class Grid:
    """A published table: every row on every data set with every network.

    Of each run accuracy and the 15 corruptions are measured, and `measures`. A measure that shows what was made against
    another network names that network's row in `transfer_from`; that row is trained with one seed more, which is the
    network that is attacked.
    """

    title: str
    rows: tuple[GridRow, ...]
    datasets: tuple[str, ...] = ("cifar100",)
    models: tuple[str, ...] = ("resnet18",)
    seeds: int = 3
    recipe: Values = field(default_factory=dict)  # the paper's protocol where it is not the data set's recipe
    measures: tuple[Measure, ...] = ()
    demo: Values = field(default_factory=dict)  # fields of a trial at demo scale that are not the demo recipe's
    demo_models: tuple[str, ...] = ("resnet8",)  # stand for the networks in their order
    demo_images: int | None = None  # how many images are attacked at demo scale; unset: all
    lost: bool = False  # the printed numbers are missing in our copy of the paper
    needs: str = ""  # what the published protocol needs and is not here, or does not say


VANILLA = GridRow("Vanilla", "vanilla")
MIXUP = GridRow("Mixup alone", "mixup", added=True)
REFERENCES = (dataclasses.replace(VANILLA, added=True), MIXUP)


def attack(names: str, **more: Any) -> Measure:
    """A measure: accuracy under the attacks of these names, separated by commas."""
    return {"attack": names, **more}
