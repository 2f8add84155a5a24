"""The evaluator's measures of single images and of sets of features: rows of its table, and a file for each figure.

A file holds what a figure needs, so that drawing needs neither the network nor torch: `geometry`, `surface` and
`selections` are CSV, a line per image, point or count; `cam` is an .npz of pictures with their maps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from trainables.attacks.robustness import residual_attack
from trainables.attacks.spec import attack_name
from trainables.data.batches import make_batches, pixel_blocks
from trainables.data.images import Split
from trainables.evaluate.report import Found, Tables
from trainables.functional.batch import Batch
from trainables.measures.accuracy import Measurement
from trainables.measures.class_activation import activation_maps
from trainables.measures.frechet import measure_frechet
from trainables.measures.geometry import image_geometry, summarise_geometry
from trainables.measures.loss_surface import surface_points
from trainables.measures.mixture_paper import BATCH, measure_legacy
from trainables.models.deploy import DeployedNet
from trainables.training.selections import read_selected, selection_histogram

if TYPE_CHECKING:
    from trainables.evaluate.options import Evaluation
    from trainables.training.run_folder import Trained


FRECHET_BATCH = 128  # of which EntProp chooses a share, as in its training


def diagnose(asked: Evaluation, trained: Trained, part: Split, source: str, tables: Tables) -> Iterator[Found]:
    """Every measure of this file that was asked for; `tables` gets what the files will hold."""
    for field, measure in DIAGNOSTICS.items():
        if getattr(asked, field):
            yield from measure(asked, trained, part, source, tables)


def _geometry(asked: Evaluation, trained: Trained, part: Split, source: str, tables: Tables) -> Iterator[Found]:
    assert asked.geometry is not None
    rows = list(image_geometry(_net(asked, trained), _first(part, asked.geometry, trained)))
    tables["geometry"] = [row._asdict() for row in rows]
    yield from ((row, images, source) for row, images in summarise_geometry(rows))


def _surface(asked: Evaluation, trained: Trained, part: Split, source: str, tables: Tables) -> Iterator[Found]:
    net, numbers = _net(asked, trained), torch.tensor(asked.surface)
    batches = make_batches(_chosen(part, asked.surface, "surface"), trained.state.device).sequential(8)
    tables["surface"] = [
        point._asdict() for x, y, index in batches for point in surface_points(net, (x, y, numbers[index.cpu()]))
    ]
    yield from ()


def _cam(asked: Evaluation, trained: Trained, part: Split, source: str, tables: Tables) -> Iterator[Found]:
    blocks = list(pixel_blocks(_chosen(part, asked.cam, "cam")))
    pixels, labels = (torch.cat(column).numpy() for column in zip(*blocks, strict=True))
    found = activation_maps(_net(asked, trained), pixels, labels, list(asked.cam))
    tables["cam"] = {**found, "classes": np.array(trained.splits.classes)}
    yield from ()


def _legacy(asked: Evaluation, trained: Trained, part: Split, source: str, tables: Tables) -> Iterator[Found]:
    batches = make_batches(part, trained.state.device).sequential(BATCH)
    for row in measure_legacy(trained.state.net, batches, asked.norm):  # type: ignore[arg-type]
        yield row, len(part), f"{source}, measured as the mixture paper's code does"


def _frechet(asked: Evaluation, trained: Trained, part: Split, source: str, tables: Tables) -> Iterator[Found]:
    assert asked.fid is not None
    train = trained.splits.train
    batches = make_batches(train, trained.state.device).shuffled(min(FRECHET_BATCH, len(train)), seed=0)
    for name, images, value in measure_frechet(_net(asked, trained), batches, asked.fid):
        row = Measurement("fid", f"{name} (k={asked.fid.k:g}, n={asked.fid.n})", None, value)
        yield row, images, f"training images of {trained.splits.source}"


def _left_over(asked: Evaluation, trained: Trained, part: Split, source: str, tables: Tables) -> Iterator[Found]:
    assert asked.then is not None
    net, count = _net(asked, trained), min(asked.attacked_images or len(part), len(part))
    for attack in asked.attacks:
        left, fallen = residual_attack(net, _first(part, count, trained), attack, asked.then)
        name = attack_name(attack)
        yield Measurement("left", name, None, left), count, source
        yield Measurement("fallen", f"{name} then {attack_name(asked.then)}", None, fallen), left, source


def _selections(asked: Evaluation, trained: Trained, part: Split, source: str, tables: Tables) -> Iterator[Found]:
    selected = read_selected(asked.run, len(trained.splits.train))
    tables["selections"] = [
        {"times": times, "images": images, "epochs": len(selected)} for times, images in selection_histogram(selected)
    ]
    yield from ()


DIAGNOSTICS: dict[str, Callable[[Evaluation, Trained, Split, str, Tables], Iterator[Found]]] = {
    "geometry": _geometry,
    "surface": _surface,
    "cam": _cam,
    "legacy": _legacy,
    "fid": _frechet,
    "then": _left_over,
    "selections": _selections,
}


def _net(asked: Evaluation, trained: Trained) -> DeployedNet:
    return DeployedNet(trained.state.net, asked.norm).to(trained.state.device)  # type: ignore[arg-type]


def _first(part: Split, count: int, trained: Trained) -> Iterator[Batch]:
    """The first images of a part, in batches."""
    first = part.take(np.arange(min(count, len(part))))
    return make_batches(first, trained.state.device).sequential(250)


def _chosen(part: Split, rows: tuple[int, ...], flag: str) -> Split:
    """These images of a part."""
    for row in rows:
        if row >= len(part):
            raise ValueError(f"{flag} must name images in [0, {len(part) - 1}], got {row}")
    return part.take(np.array(rows))
