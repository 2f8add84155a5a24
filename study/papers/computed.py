"""Tables that are computed from the code: the costs of methods and the settings of training.

`python study/run.py --table entprop/1` prints one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from study.files.aligned import aligned
from trainables.config import TrialConfig, make_method

Row = tuple[str, ...]


@dataclass(frozen=True)
class Computed:
    """A table that needs no training: its title, its columns, and the function that computes its rows."""

    title: str
    header: Row
    rows: Callable[[], list[Row]]


@dataclass(frozen=True)
class CostRow:
    """A method with settings of the paper, and its cost by the printed formula, in N."""

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
    """For each setting its cost by the printed formula and by the code, in N."""
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


SETTINGS = (  # column -> a table with a row that is trained so
    ("four_layer_cnn", "uncertainty/9", "Normal"),
    ("resnet18_without_adversarial_training", "uncertainty/1", "Normal"),
    ("resnet18_with_adversarial_training", "uncertainty/1", "PAT"),
)
INPUT_SIZES = {"mnist": "28x28x1"}  # without the black border that it gets here, and in grey


def setting_rows() -> list[Row]:
    """The settings of training, a column for each network, in the words of the printed table."""
    from study.papers.expand import cells

    columns = [next(c.config for c in cells(table) if c.label == label) for _, table, label in SETTINGS]
    return [(name, *(show(config) for config in columns)) for name, show in SHOWN.items()]


SHOWN: dict[str, Callable[[TrialConfig], str]] = {
    "input_size": lambda c: INPUT_SIZES.get(c.dataset, "32x32x3"),
    "total_training_epochs": lambda c: str(c.epochs),
    "weight_decay": lambda c: f"{c.weight_decay:g}",
    "optimizer": lambda c: f"{c.optimizer.upper()} with momentum {c.momentum:g}",
    "initial_learning_rate": lambda c: f"{c.lr:g}",
    "learning_rate_decay_rate": lambda c: f"{c.decay:g}",
    "learning_rate_decay_epoch": lambda c: ";".join(map(str, c.milestones)),
    "early_stopping": lambda c: "No",  # a run that is measured goes to its end (A63)
    "batch_size": lambda c: str(c.batch_size),
}

COST_HEADER = ("method", "printed", "setting", "by the formula", "by the code")
COMPUTED: dict[str, Computed] = {
    "entprop/1": Computed("cost of an epoch by method", COST_HEADER, lambda: cost_rows(ENTPROP_COSTS)),
    "mixprop/4": Computed("cost of an epoch by attack", COST_HEADER, lambda: cost_rows(MIXPROP_COSTS)),
    "uncertainty/5": Computed("settings of training", ("setting", *(name for name, _, _ in SETTINGS)), setting_rows),
}


def computed_text(name: str) -> str:
    """The text of a computed table: a title and its rows in aligned columns."""
    table = COMPUTED[name]
    title = f"table {name}: {table.title}; computed from the code, nothing is trained"
    return f"{title}\n{aligned([table.header, *table.rows()])}"
