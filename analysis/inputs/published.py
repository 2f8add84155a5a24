"""The papers' numbers as they are printed, with table and page; what is doubtful about one stands beside it.

One file of `published/` is one table. `label` is the row's name in `study.grids`, `flag` says why a number must not be
taken at its word, `note` what was inferred or lost; empty cells were not printed, or are lost in our text of the paper.
Tables of SA, RA, H and PGD-20 have a line for each row; all others are long: a line for each printed number, with the
`quantity` by the name that our evaluation gives it (analysis/beside.py).
"""

import csv
import functools
from pathlib import Path
from typing import NamedTuple

from trainables.options import unknown

FOLDER = Path(__file__).parents[1] / "published"
NAMES = {
    "cifar100": "CIFAR-100", "cub": "CUB", "pets": "Pets", "cars": "Cars", "imagenet": "ImageNet",
    "resnet18": "ResNet-18", "resnet50": "ResNet-50", "wide_resnet50_2": "WideResNet-50",
    "resnext50_32x4d": "ResNeXt-50", "average": "average of the networks", "cifar10": "CIFAR-10", "svhn": "SVHN",
    "mnist": "MNIST", "imagenet100": "ImageNet-100", "preact_resnet18": "PreAct-ResNet-18", "vit_b_16": "ViT-Base",
    "preact_resnet50": "PreAct-ResNet-50", "wrn_34_10": "WideResNet-34-10", "mnist_cnn": "net of four layers",
}  # fmt: skip


class Published(NamedTuple):
    """A row of a published table; accuracies in percent, cost in N."""

    label: str
    dataset: str = ""
    model: str = ""
    page: str = ""
    cost: float | None = None
    sa: float | None = None
    ra: float | None = None
    h: float | None = None
    pgd20: float | None = None
    formula: str = ""
    flag: str = ""
    note: str = ""

    @property
    def recomputed_h(self) -> float | None:
        """H of the printed SA and RA."""
        return None if self.sa is None or self.ra is None else harmonic(self.sa, self.ra)


class PublishedValue(NamedTuple):
    """One printed number of a long table, in the units in which it is printed."""

    label: str
    dataset: str
    model: str
    quantity: str
    value: float | None = None
    page: str = ""
    flag: str = ""
    note: str = ""


def harmonic(sa: float, ra: float) -> float:
    """H, the harmonic mean of the two accuracies; 0 where both are."""
    return 2 * sa * ra / (sa + ra) if sa + ra else 0.0


def path_of(table: str) -> Path:
    """Where a table's numbers lie: entprop/2 is in entprop_02.csv."""
    paper, _, number = table.partition("/")
    return FOLDER / f"{paper}_{number.zfill(2)}.csv"


def published_tables() -> list[str]:
    """The tables whose numbers, or what is left of them, we have."""
    stems = sorted(path.stem for path in FOLDER.glob("*.csv"))
    return [f"{paper}/{int(number)}" for paper, number in (stem.split("_") for stem in stems)]


def published(table: str) -> list[Published]:
    """The printed rows of a table that has a line for each."""
    if is_long(table):
        raise ValueError(f"table {table} must be one of SA, RA, H and PGD-20 to have rows, got a long one")
    return [_row(cells) for cells in _read(table)]


def published_values(table: str) -> list[PublishedValue]:
    """The printed numbers of a long table."""
    if not is_long(table):
        raise ValueError(f"table {table} must be a long one to have values, got one of SA, RA, H and PGD-20")
    return [PublishedValue(**{**cells, "value": _number(cells["value"])}) for cells in _read(table)]  # type: ignore


def is_long(table: str) -> bool:
    """Whether a table's file has a line for each number, not for each row."""
    return "quantity" in next(iter(_read(table)), {})


def pages(table: str) -> list[str]:
    """The pages on which a table is printed, where our text of the paper tells them."""
    return sorted({cells["page"] for cells in _read(table) if cells["page"]})


@functools.cache
def _read(table: str) -> tuple[dict[str, str], ...]:
    path = path_of(table)
    if not path.is_file():
        raise ValueError(unknown("published table", table, published_tables()))
    with open(path, encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _number(text: str) -> float | None:
    return float(text) if text else None


def _row(cells: dict[str, str]) -> Published:
    numbers = {name: float(cells[name]) for name in ("cost", "sa", "ra", "h", "pgd20") if cells.get(name)}
    texts = {name: cells.get(name, "") for name in ("label", "dataset", "model", "page", "formula", "flag", "note")}
    return Published(**texts, **numbers)  # type: ignore[arg-type]
