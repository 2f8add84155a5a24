"""The tables that print more than SA, RA and H: each printed number beside the same quantity of ours.

A row is one quantity of a row of the published table, by the name that our evaluation gives it: `sa`, `PGD10-8`,
`transfer PGD10-8`, `legacy FGSM 0.1`. A printed number is never changed; where it is printed otherwise than we measure
it, its name is a formula: the error rate `100 - sa`, the share `geometry accuracy_pgd20_l2_0.5 / 100`.

Ours are the runs of a study of that table, on whatever data, and any run on the table's own data set and network.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from analysis.comparisons.settings import settings
from analysis.inputs.published import PublishedValue, is_long, path_of, published_values
from analysis.inputs.studies import IMAGES_OF
from analysis.tables.rows import FLAG, as_frame, protocol
from study.confirm.comparisons import Setting, interval, method_key, method_of_setting
from study.papers import GRIDS, Grid
from study.papers.expand import method_of
from study.papers.grid import GridRow
from trainables.corruptions.severities import ALEXNET_ERRORS

Protocol = tuple[str, str]  # data set and network of the published table
ERROR, SHARE = "100 - ", " / 100"  # before and behind the name of what is printed as an error, and as a share
MCE = "mce alexnet"  # worked out of the corruptions where it was not measured
INNER = ("ece", "epoch_seconds")  # measured of every run, shown where they are printed
BESIDE = tuple(name for name in GRIDS if path_of(name).is_file() and is_long(name))
BESIDE_COLUMNS = (
    "label", "added", "published_dataset", "published_model", "quantity", "dataset", "model", "lr", "epochs", "seeds",
    "failed", "images", "cost", "measured_cost", "seconds", "ours", "ours_half", "published", "difference",
    "same_protocol", "why_not", "flag", "mark", "lost", "note",
)  # fmt: skip

# What is not as published even where data set, network, epochs and seeds are; by table, or table and network.
INSTEAD = {
    "ceb/1 wide_resnet50_2": "Wide ResNet-50-2 instead of a ResNet-50 with every layer twice as wide",
    "entprop/5": "weights of supervised training instead of masked autoencoding",
    "mixprop/2": "100 classes of one's own choice instead of theirs, which are not printed",
    "mixprop/3": "100 classes of one's own choice instead of theirs, which are not printed",
    "mixprop/5": "another machine, and with validation, instead of only training on theirs",
}


def beside(table: str, runs: pd.DataFrame) -> pd.DataFrame:
    """A published table in long form, with our numbers in it."""
    grid, printed = GRIDS[table], published_values(table)
    ours = _ours(table, settings(runs))
    places = dict.fromkeys([(each.dataset, each.model) for each in printed] + [place for _, place in ours])
    lines: list[dict[str, Any]] = []
    for place in places:
        for label, added in {row.label: row.added for row in grid.rows}.items():
            here = [each for each in printed if each.label == label and (each.dataset, each.model) == place]
            several: Sequence[Setting | None] = ours.get((label, place)) or [None]
            for found in several:
                for line in _lines(table, place, label, here, found):
                    lines.append({"label": label, "added": added, **line})
    return as_frame(lines, BESIDE_COLUMNS)


# ------------------------------------------------------------------------------------------- our settings by table row


def _ours(table: str, found: Iterable[Setting]) -> dict[tuple[str, Protocol], list[Setting]]:
    """Our settings by the row and the place of the table that they stand for."""
    grid = GRIDS[table]
    rows: dict[tuple[str, Protocol], list[Setting]] = {}
    for each in found:
        own = each.row["dataset"] in grid.datasets and each.row["model"] in grid.models
        row = _row_of(grid, each) if own or each.row.get("table") == table else None
        if row is not None and not each.control:
            rows.setdefault((row.label, _stands_for(grid, each)), []).append(each)
    return rows


def _stands_for(grid: Grid, found: Setting) -> Protocol:
    """The table's data set and network; those that it does not have stand for the first, demo networks for theirs."""
    dataset, model = found.row["dataset"], found.row["model"]
    networks = dict(zip(grid.demo_models, grid.models, strict=False)) | {name: name for name in grid.models}
    return dataset if dataset in grid.datasets else grid.datasets[0], networks.get(model, grid.models[0])


def _row_of(grid: Grid, found: Setting) -> GridRow | None:
    """The row with the setting's method; where several rows share one method, the one that it was trained as."""
    key, labels = method_key(method_of_setting(found)), {row.label for row in grid.rows}
    place = set(_stands_for(grid, found))
    for row in grid.rows:
        here = not row.only or place & set(row.only)
        named = found.why not in labels or found.why == row.label
        if here and named and method_key(method_of(row, found.row["dataset"])) == key:
            return row
    return None


# ------------------------------------------------------------------------------------------------------------ the lines


def _lines(
    table: str, place: Protocol, label: str, printed: Sequence[PublishedValue], found: Setting | None
) -> Iterable[dict[str, Any]]:
    """What is printed of a row, in its order, then what else we measured of it."""
    by_quantity = {each.quantity: each for each in printed}
    same = protocol(found, table, place, label) if found else {}
    for quantity in [*by_quantity, *(_others(found, by_quantity) if found else ())]:
        each = by_quantity.get(quantity) or PublishedValue(label, *place, quantity)
        line = _printed(each) | {"lost": GRIDS[table].lost and quantity in by_quantity and each.value is None}
        if found is not None and (values := quantity_values(found, quantity)):
            images = images_of(found, quantity)
            line |= _measured(found, values) | {"images": images}
            if each.value is not None:
                line["difference"] = line["ours"] - each.value
                line |= also(same, further_reasons(table, place, images))
        yield line


def _others(found: Setting, printed: Iterable[str]) -> list[str]:
    """The quantities that were measured and are not printed; single corruptions are in `ra`."""
    known = {name.removeprefix(ERROR).removesuffix(SHARE) for name in printed} | set(INNER)
    single = ("corruption ", "aux corruption ", IMAGES_OF)
    return [
        name for name, values in found.values.items() if values and name not in known and not name.startswith(single)
    ]


def quantity_values(found: Setting, quantity: str) -> dict[int, float]:
    """What we measured of a quantity by seed, as the table prints it: as it is, as an error or as a share."""
    values = found.values.get(quantity.removeprefix(ERROR).removesuffix(SHARE), {})
    if quantity.endswith(MCE) and not values:
        return _mce(found, quantity.removesuffix(MCE))
    if quantity.startswith(ERROR):
        return {seed: 100 - value for seed, value in values.items()}
    return {seed: value / (100 if quantity.endswith(SHARE) else 1) for seed, value in values.items()}


def _mce(found: Setting, norm: str) -> dict[int, float]:
    """mCE over AlexNet's errors by seed, of the seeds that all corruptions were measured of."""
    errors = [(found.values.get(f"{norm}corruption {name}", {}), error) for name, error in ALEXNET_ERRORS.items()]
    seeds = [seed for seed in errors[0][0] if all(seed in values for values, _ in errors)]
    return {seed: fmean((100 - values[seed]) / error for values, error in errors) for seed in seeds}


def _printed(each: PublishedValue) -> dict[str, Any]:
    return {
        "published_dataset": each.dataset, "published_model": each.model, "quantity": each.quantity,
        "published": each.value, "flag": each.flag, "mark": FLAG if each.flag else "", "note": each.note,
    }  # fmt: skip


def _measured(found: Setting, values: dict[int, float]) -> dict[str, Any]:
    """The mean over seeds with its interval, and what it was measured on and cost."""
    mean = interval(values.values())
    names = ("dataset", "model", "lr", "epochs", "cost", "measured_cost", "seconds")
    line = {name: found.row.get(name) for name in names}
    return {**line, "seeds": mean.seeds, "failed": found.failed, "ours": mean.mean, "ours_half": mean.half}


def images_of(found: Setting, quantity: str) -> int | None:
    """How many images the smallest of the runs stands on, where that is recorded."""
    counts = found.values.get(IMAGES_OF + quantity.removesuffix(SHARE), {})
    return int(min(counts.values())) if counts else None


def further_reasons(table: str, place: Protocol, images: int | None) -> list[str]:
    """What is not as published beside the training of the network."""
    found = [INSTEAD[key] for key in (table, f"{table} {place[1]}") if key in INSTEAD]
    grid = GRIDS[table]
    if images is not None and images == grid.demo_images:
        asked = [each.get("attacked_images") or each.get("geometry") for each in grid.measures]
        found.append(f"{images} images instead of {next((count for count in asked if count), 'all')}")
    return found


def also(same: dict[str, str], reasons: Sequence[str]) -> dict[str, str]:
    """The protocol with further reasons why it is not the published one."""
    if not reasons:
        return same
    known = [same["why_not"]] if same["same_protocol"] == "no" else []
    return {"same_protocol": "no", "why_not": "; ".join([*known, *reasons])}
