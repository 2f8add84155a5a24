"""From a table to its configurations, at the published size or small enough for two CPU cores.

The published protocol is the recipe of the data set, changed where the paper says otherwise. Flags of a trial override
it. At demo scale the rows are the same and all else is that of the embedded images with the small network.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from study.papers.baselines import BASELINES, at_other_rates
from study.papers.grid import Grid, GridRow, Measure
from study.papers.registry import GRIDS
from trainables.config import TrialConfig, make_method, with_recipe
from trainables.data.datasets import DATASETS, EMBEDDED, dataset_entry
from trainables.methods import Method

DEMO_SEEDS = 3
SINGLE_RUN = ("imagenet",)  # published from one run, not three
ELSEWHERE = "shift"  # a measure on images that only the published data set has


@dataclass(frozen=True)
class Cell:
    """One configuration of a table, to be trained with this many seeds; the last is a proxy's, if it is one."""

    label: str
    config: TrialConfig
    seeds: int
    measures: tuple[Measure, ...] = ()
    added: bool = False
    proxy: bool = False  # other rows are shown what is made against its last seed

    @property
    def cost(self) -> float:
        """Nominal cost of all its seeds in N-epochs."""
        return self.config.method.cost * self.config.epochs * self.seeds


class Place(NamedTuple):
    """A row on one data set with one network; `fields` are those of a trial that are not the data set's recipe."""

    row: GridRow
    dataset: str
    model: str
    fields: dict[str, Any]


def cells(
    table: str,
    changes: Mapping[str, Any] | None = None,
    scale: str = "paper",
    seeds: int | None = None,
    controls: bool = False,
) -> list[Cell]:
    """The configurations of a table, in its order; `changes` are fields of TrialConfig that override the protocol.

    With `controls`, its vanilla and mixup also at half and at twice their learning rate.
    """
    grid, found = GRIDS[table], dict[TrialConfig, Cell]()
    named = proxies(grid)
    for row, dataset, model, fields in places(grid, scale, changes):
        config = with_recipe(method_of(row, dataset), dataset, **{**fields, "model": model})
        if config in found:
            alike = f"{found[config].label!r} and {row.label!r}"
            raise ValueError(f"the rows of table {table} must differ, got {alike} alike; omit their options")
        count = (seeds or _seeds(grid, dataset, scale)) + (row.label in named)
        several = measures(grid, row, scale)
        found[config] = Cell(row.label, config, count, several, row.added, row.label in named)
        if controls and row.method in BASELINES and not row.values:
            added = at_other_rates(config)
            found |= {
                each: Cell(f"{label}, {row.method}", each, count, several, added=True)
                for label, each in added
                if each not in found
            }
    return list(found.values())


def cells_of(study: Any) -> list[Cell]:
    """The configurations of a study that runs a table."""
    return cells(study.table, study.changes, study.scale, study.seeds, bool(study.controls))


def places(grid: Grid, scale: str = "paper", changes: Mapping[str, Any] | None = None) -> Iterator[Place]:
    """The rows of a table on each data set with each network. What a table does not have stands for its first."""
    demo, chosen = scale == "demo", dict(changes or {})
    datasets = (EMBEDDED,) if demo else grid.datasets
    datasets = (chosen.pop("dataset"),) if "dataset" in chosen else datasets
    models = grid.demo_models if demo else grid.models
    known = dict(zip(models, grid.models, strict=False))
    models = (chosen.pop("model"),) if "model" in chosen else models
    for dataset in datasets:
        for model in models:
            here = {dataset if dataset in grid.datasets else grid.datasets[0], known.get(model, grid.models[0])}
            for row in grid.rows:
                if not row.only or here & set(row.only):
                    own = {**grid.demo, **row.demo} if demo else {**grid.recipe, **row.recipe}
                    yield Place(row, dataset, model, {**own, **chosen})


def method_of(row: GridRow, dataset: str) -> Method:
    """The method of a row on a data set."""
    values = dict(row.values)
    if dataset == "imagenet" and row.method in ("mixup", "entprop"):
        values["beta"] = 0.2  # what the EntProp paper mixes ImageNet with
    return make_method(row.method, values)


def measures(grid: Grid, row: GridRow, scale: str = "paper") -> tuple[Measure, ...]:
    """What is measured of a row; at demo scale of fewer images, and on none that the embedded data set lacks."""
    several = (*grid.measures, *row.measures)
    if scale == "paper":
        return several
    return tuple(_fewer(each, grid.demo_images) for each in several if ELSEWHERE not in each)


def _fewer(measure: Measure, images: int | None) -> Measure:
    limits = {"attacked_images"} if "attack" in measure else {"geometry"} & set(measure)
    if images is None:
        return measure
    return {**measure, **{name: min(images, measure.get(name, images)) for name in limits}}


def proxies(grid: Grid) -> set[str]:
    """The labels of rows whose networks are attacked to see what others make of it."""
    several = [*grid.measures, *(measure for row in grid.rows for measure in row.measures)]
    return {measure["transfer_from"] for measure in several if "transfer_from" in measure}


def _seeds(grid: Grid, dataset: str, scale: str) -> int:
    if scale == "demo":
        return DEMO_SEEDS
    return 1 if dataset in SINGLE_RUN else grid.seeds


def total_cost(planned: list[Cell]) -> float:
    """Nominal cost of a table in N-epochs, where N is the number of training images of each row's own data set."""
    return sum(cell.cost for cell in planned)


class Size(NamedTuple):
    """What a table comes to; the same as of its cells, without making them."""

    settings: int
    runs: int
    cost: float
    epochs: tuple[int, ...]
    models: tuple[str, ...]


def size(grid: Grid, scale: str = "paper") -> Size:
    """Settings, runs and nominal cost of a table at a scale."""
    named, runs, cost = proxies(grid), 0, 0.0
    epochs, models = dict[int, None](), dict[str, None]()
    settings = list(places(grid, scale))
    for row, dataset, model, fields in settings:
        length = fields.get("epochs") or _epochs(dataset)
        seeds = _seeds(grid, dataset, scale) + (row.label in named)
        runs, cost = runs + seeds, cost + seeds * length * method_of(row, dataset).cost
        epochs[length] = models[model] = None
    return Size(len(settings), runs, cost, tuple(epochs), tuple(models))


@functools.cache
def demo_twins() -> dict[str, str]:
    """The tables whose demonstration trains the networks of an earlier table again, and that table.

    They differ in data set or network as published, or in what is measured.
    """
    first: dict[frozenset[Any], str] = {}
    twins = {}
    for name, grid in GRIDS.items():
        trained = frozenset(
            (method_of(row, dataset), model, tuple(sorted(fields.items())))
            for row, dataset, model, fields in places(grid, "demo")
        )
        if trained in first:
            twins[name] = first[trained]
        else:
            first[trained] = name
    return twins


@functools.cache
def _epochs(dataset: str) -> int:
    epochs = dataset_entry(dataset).recipe["epochs"]
    assert isinstance(epochs, int)
    return epochs


def cells_at(table: str, place: tuple[Any, ...]) -> list[Cell]:
    """The published table's configurations, on the place's data set where it is one of ours."""
    grid = GRIDS[table]
    dataset = place[0] if place[0] in DATASETS else grid.datasets[0]
    model = place[1] if place[1] in grid.models else grid.models[0]
    return cells(table, {"dataset": dataset, "model": model})
