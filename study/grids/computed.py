"""The tables that train nothing, what methods cost and with which settings is trained, worked out of the code.

`python study/run.py --table entprop/1` prints one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trainables.config import make_method

Row = tuple[str, ...]


@dataclass(frozen=True)
class Computed:
    """A table that is printed as it stands: its columns, and the function that works out its rows."""

    title: str
    header: Row
    rows: Callable[[], list[Row]]


@dataclass(frozen=True)
class CostRow:
    """A method with settings that the paper uses, and what the printed formula makes of them, in N."""

    label: str
    formula: str
    method: str
    values: dict[str, Any]
    printed: float


ENTPROP_COSTS = (
    CostRow("Vanilla", "N", "vanilla", {}, 1.0),
    CostRow("AdvProp", "(2+n)N", "advprop", {"n": 5}, 2.0 + 5),
    CostRow("Fast AdvProp", "(1+p_adv)N", "fast_advprop", {"p_adv": 0.2}, 1 + 0.2),
    CostRow("MixProp", "2N", "mixprop", {}, 2.0),
    *(
        CostRow("EntProp", "(1+kn)N", "entprop", {"k": k, "n": n}, 1 + k * n)
        for k, n in ((0.2, 1), (0.6, 1), (0.2, 5), (0.6, 5))
    ),
)
MIXPROP_COSTS = (
    CostRow("Vanilla", "N", "vanilla", {}, 1.0),
    CostRow("Mixup", "N", "mixup", {"half": True}, 1.0),
    CostRow("MixProp", "2N", "mixprop", {}, 2.0),
    *(
        CostRow(f"AdvProp PGD-{n}", f"{printed}N", "advprop", {"n": n, "epsilon": epsilon}, printed)
        for n, epsilon, printed in ((1, 1.0, 3), (3, 2.0, 5), (4, 3.0, 6))
    ),
)


def cost_rows(rows: tuple[CostRow, ...]) -> list[Row]:
    """Each setting by the printed formula and by our code."""
    return [
        (
            row.label,
            row.formula,
            " ".join(name if value is True else f"{name}={value:g}" for name, value in row.values.items()),
            f"{row.printed:g}N",
            f"{round(make_method(row.method, row.values).cost, 9):g}N",
        )
        for row in rows
    ]


COST_HEADER = ("method", "printed", "setting", "by the formula", "by the code")
COMPUTED: dict[str, Computed] = {
    "entprop/1": Computed("cost of an epoch by method", COST_HEADER, lambda: cost_rows(ENTPROP_COSTS)),
    "mixprop/4": Computed("cost of an epoch by attack", COST_HEADER, lambda: cost_rows(MIXPROP_COSTS)),
}


def computed_text(name: str) -> str:
    """The table as it is printed: columns flush left, divided by two blanks."""
    table = COMPUTED[name]
    rows = [table.header, *table.rows()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"table {name}: {table.title}; computed from the code, nothing is trained", *lines])
