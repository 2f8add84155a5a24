"""Published tables as grids: which methods, settings, data sets and networks a table compares.

`python study/run.py --table entprop/16` trains every row with every seed and measures it once on the test images; a
table selects nothing. The published protocol (data, network, epochs, seeds) can be made smaller: `--scale demo` takes
digits and the small net; `--dataset`, `--model`, `--epochs`, `--seeds` and the other flags of a trial override the
rest. Plain training and mixup alone stand in every table, also where the paper leaves them out: whatever a row gains,
it must gain over these two.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainables.config import TrialConfig, make_method, with_recipe
from trainables.data import dataset_entry

DEMO = {"dataset": "digits", "model": "resnet8"}
SINGLE_RUN = ("imagenet",)  # published from one run, not three
PGD20 = "PGD20-1:entprop,PGD20-2:entprop,PGD20-4:entprop,PGD20-8:entprop"  # its epsilon is not printed (A19)


@dataclass(frozen=True)
class GridRow:
    """One line of a table: the label it has there, and the method."""

    label: str
    method: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    added: bool = False  # not in the published table


@dataclass(frozen=True)
class Grid:
    """A published table: every row on every data set with every network."""

    title: str
    rows: tuple[GridRow, ...]
    datasets: tuple[str, ...] = ("cifar100",)
    models: tuple[str, ...] = ("resnet18",)
    seeds: int = 3
    attacks: str = ""  # names of attacks on the test images, divided by commas


@dataclass(frozen=True)
class Cell:
    """One configuration of a table, to be trained with this many seeds."""

    label: str
    config: TrialConfig
    seeds: int
    attacks: str = ""
    added: bool = False

    @property
    def cost(self) -> float:
        """Nominal cost of all its seeds in N-epochs."""
        return self.config.method.cost * self.config.epochs * self.seeds


def cells(
    table: str, changes: Mapping[str, Any] | None = None, scale: str = "paper", seeds: int | None = None
) -> list[Cell]:
    """The configurations of a table, in its order; `changes` are fields of TrialConfig that override the protocol."""
    grid = GRIDS[table]
    chosen = {**(DEMO if scale == "demo" else {}), **(changes or {})}
    datasets = (chosen.pop("dataset"),) if "dataset" in chosen else grid.datasets
    models = (chosen.pop("model"),) if "model" in chosen else grid.models
    return [
        Cell(row.label, _config(row, dataset, model, chosen), seeds or _seeds(grid, dataset), grid.attacks, row.added)
        for dataset in datasets
        for model in models
        for row in grid.rows
    ]


def _seeds(grid: Grid, dataset: str) -> int:
    return 1 if dataset in SINGLE_RUN else grid.seeds


def _config(row: GridRow, dataset: str, model: str, chosen: Mapping[str, Any]) -> TrialConfig:
    values = dict(row.values)
    if dataset == "imagenet" and row.method in ("mixup", "entprop"):
        values["beta"] = 0.2  # what the EntProp paper mixes ImageNet with
    return with_recipe(make_method(row.method, values), dataset, **{"model": model, **chosen})


def total_cost(planned: list[Cell]) -> float:
    """Nominal cost of a table in N-epochs, where N is the number of training images of each row's own data set."""
    return sum(cell.cost for cell in planned)


def list_tables() -> str:
    """Two lines for each table: its name and title; settings, runs, nominal cost and data at both scales."""
    lines = []
    for name, grid in GRIDS.items():
        data = ", ".join(d + (" (from a folder)" if dataset_entry(d).folder_only else "") for d in grid.datasets)
        settings = len(grid.rows) * len(grid.models) * len(grid.datasets)
        lines += [
            f"{name:16} {grid.title}",
            f"{'':16} {settings} settings, {_size(grid, grid.datasets, len(grid.models))} on {data}; "
            f"with --scale demo {_size(grid, (DEMO['dataset'],), 1)} on digits",
        ]
    return "\n".join(lines)


def _size(grid: Grid, datasets: tuple[str, ...], models: int) -> str:
    """Runs and nominal cost; the same as of its cells, without making them."""
    cost = sum(make_method(row.method, row.values).cost for row in grid.rows)
    epochs = {dataset: with_recipe(make_method("vanilla", {}), dataset).epochs for dataset in datasets}
    seeds = {dataset: _seeds(grid, dataset) * models for dataset in datasets}
    runs = sum(seeds.values()) * len(grid.rows)
    return f"{runs} runs, {sum(cost * epochs[dataset] * seeds[dataset] for dataset in datasets):,.0f} N-epochs"


# ------------------------------------------------------------------------------------------------------ the tables

VANILLA = GridRow("Vanilla", "vanilla")
MIXUP = GridRow("Mixup alone", "mixup", added=True)
MIXPROP = GridRow("MixProp", "mixprop")
FAST_ADVPROP = GridRow("Fast AdvProp", "fast_advprop")
ADVPROP = GridRow("AdvProp", "advprop")
REFERENCES = (dataclasses.replace(VANILLA, added=True), MIXUP)


def entprop(k: float, n: int, label: str = "", **values: Any) -> GridRow:
    """A row of EntProp; what is not said is the method's default, which is the paper's."""
    return GridRow(label or f"EntProp ({k:g}, {n})", "entprop", {"k": k, "n": n, **values})


FOUR_SETTINGS = tuple(entprop(k, n) for n in (1, 5) for k in (0.2, 0.6))
FOUR_METRICS = ("entropy", "cross_entropy", "confidence", "margin")
COMPONENTS = (
    VANILLA,
    entprop(0.2, 1, "selection", mixing="none", attack="none"),
    entprop(0.2, 1, "selection, MixUp", attack="none"),
    entprop(0.2, 1, "selection, free attack", mixing="none"),
    entprop(0.2, 1, "selection, MixUp, free attack"),
)
THREE_NETS = ("resnet18", "wide_resnet50_2", "resnext50_32x4d")
FOUR_NETS = ("resnet18", "resnet50", "wide_resnet50_2", "resnext50_32x4d")
TENTHS = tuple(tenth / 10 for tenth in range(1, 11))


def _selections(k: float) -> tuple[GridRow, ...]:
    """Figure 4's two curves at one k."""
    return tuple(
        entprop(k, 1, f"k={k:g}, {name}", selection=selection, mixing="none", attack="none")
        for selection, name in (("top", "highest entropy"), ("random", "random"))
    )


def _strength(n: int, epsilon: float) -> GridRow:
    """EntProp (0.6, n) with that radius and a step that can reach it."""
    step = max(1.0, round(epsilon / (n + 1), 6))
    return entprop(0.6, n, f"n={n}, epsilon={epsilon:g}, alpha={step:g}", epsilon=epsilon, alpha=step)


GRIDS: dict[str, Grid] = {
    "entprop/2": Grid(
        "all methods with ResNet-50 on five data sets",
        (VANILLA, MIXUP, MIXPROP, FAST_ADVPROP, ADVPROP, *FOUR_SETTINGS),
        datasets=("cifar100", "cub", "pets", "cars", "imagenet"),
        models=("resnet50",),
    ),
    "entprop/4": Grid(
        "all methods with three other networks",
        (VANILLA, MIXUP, MIXPROP, FAST_ADVPROP, ADVPROP, *FOUR_SETTINGS),
        models=THREE_NETS,
    ),
    "entprop/7": Grid(
        "the parts of EntProp: selection, MixUp, free attack (its numbers are lost)", (*COMPONENTS, MIXUP)
    ),
    "entprop/8": Grid(
        "four measures of uncertainty with four networks",
        (*(entprop(0.2, 1, metric, metric=metric) for metric in FOUR_METRICS), *REFERENCES),
        models=FOUR_NETS,
    ),
    "entprop/9": Grid(
        "MixUp or CutMix inside EntProp",
        (entprop(0.2, 1, "MixUp"), entprop(0.2, 1, "CutMix", mixing="cutmix"), *REFERENCES),
    ),
    "entprop/10": Grid(
        "what the attack raises: PGD, C&W or TRADES (its numbers are lost)",
        (
            entprop(0.6, 5, "PGD"),
            entprop(0.6, 5, "C&W", attack="cw"),
            entprop(0.6, 5, "TRADES", attack="trades"),
            entprop(0.6, 5, "TRADES, paid first step", attack="trades", free_first_step=False),
            *REFERENCES,
        ),
        models=("resnet50",),
    ),
    "entprop/11": Grid(
        "accuracy under PGD-20 by part and by measure of uncertainty",
        (*COMPONENTS, *(entprop(0.2, 1, f"all, {metric}", metric=metric) for metric in FOUR_METRICS[1:]), MIXUP),
        attacks=PGD20,
    ),
    "entprop/13": Grid(
        "Fast AdvProp with MixUp beside EntProp (0.2, 1), three networks",
        (
            GridRow("Fast AdvProp with MixUp", "fast_advprop", {"mixing": "mixup"}),
            entprop(0.2, 1),
            *REFERENCES,
        ),
        models=THREE_NETS,
    ),
    "entprop/15": Grid(
        "AdvProp with EntProp's selection, ResNet-50",
        (
            VANILLA,
            ADVPROP,
            entprop(0.6, 5, "AdvProp with EntProp selection", epsilon=4.0, free_first_step=False),
            MIXUP,
        ),
        models=("resnet50",),
    ),
    "entprop/16": Grid(
        "the share k from 0 to 1 at n = 1, with accuracy under PGD-20",
        (dataclasses.replace(VANILLA, label="k=0 (Vanilla)"), *(entprop(k, 1, f"k={k:g}") for k in TENTHS), MIXUP),
        attacks=PGD20,
    ),
    "entprop/17": Grid(
        "the attack iterations n from 1 to 5 at k = 0.6",
        (*(entprop(0.6, n, f"n={n}") for n in range(1, 6)), *REFERENCES),
    ),
    "entprop/epsilon": Grid(
        "the radius epsilon at k = 0.6, and two other readings of the paper's attack (A1, A2); not a published table",
        (
            *(_strength(1, epsilon) for epsilon in (1.0, 2.0, 4.0, 8.0)),
            *(_strength(5, epsilon) for epsilon in (1.0, 2.0, 4.0, 6.0, 8.0)),
            entprop(0.6, 5, "n=5, cumulative attack of Algorithm 1", attack_rule="cumulative"),
            *REFERENCES,
        ),
    ),
    "entprop/figure4": Grid(
        "highest entropy or random selection over k, no MixUp and no attack",
        (dataclasses.replace(VANILLA, label="k=0 (Vanilla)"), *(row for k in TENTHS for row in _selections(k)), MIXUP),
    ),
}
