"""Runs made by hand: what confirm.csv would hold, with numbers that can be worked out on paper."""

import dataclasses

from analysis.inputs.studies import frame
from study.files.configs import config_row
from study.papers import cells
from trainables.config import make_method, with_recipe

PGD = "PGD20-1:entprop"


def run(config, seed, h, sa=80.0, ra=60.0, **values):
    """One run of a configuration; h is given, so that a test says which number it means."""
    row = {**config_row(dataclasses.replace(config, seed=seed)), "why": "", "epochs": config.epochs}
    return {**row, "measured_cost": row["cost"], "seconds": 10.0, "h": h, "sa": sa, "ra": ra, "ece": 1.0, **values}


def config(method, dataset="digits", **values):
    """A configuration by the recipe of its data set."""
    trial = {name: values.pop(name) for name in ("model", "epochs", "lr", "train_images") if name in values}
    return with_recipe(make_method(method, values), dataset, **trial)


def runs(*rows):
    """Runs as a frame, with what is not a column of confirm.csv beside it."""
    found = frame(list(rows), "confirm")
    extra = {name: [row.get(name) for row in rows] for row in rows for name in row if name not in found}
    return found.assign(**extra)


def five_rows(table):
    """Vanilla and another row of a published table with two seeds each, and a third row with one; and their labels.

    In H: vanilla 60 and 62, the second 66 and 67, the third 70. SA 78 and 80, RA 50 and 54 of the first two.
    """
    several = cells(table)
    vanilla = next(cell for cell in several if cell.config.method == make_method("vanilla", {}))
    first, *_ = (cell for cell in several if cell.config.model == vanilla.config.model and not cell.added)
    others = [
        cell for cell in several
        if cell is not vanilla and cell.label != "Mixup alone"
        and (cell.config.model, cell.config.dataset) == (first.config.model, first.config.dataset)
    ]  # fmt: skip
    second, third = others[0].config, others[1].config
    rows = [
        run(vanilla.config, 0, 60.0, 78.0, 50.0, **{PGD: 6.0}), run(vanilla.config, 1, 62.0, 80.0, 54.0, **{PGD: 8.0}),
        run(second, 0, 66.0, 78.0, 50.0, **{PGD: 10.0}), run(second, 1, 67.0, 80.0, 54.0, **{PGD: 13.0}),
        run(third, 0, 70.0, **{PGD: 20.0}),
    ]  # fmt: skip
    return runs(*rows), (vanilla.label, others[0].label, others[1].label)
