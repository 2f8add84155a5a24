"""Measures of single images and of sets of features: rows of the evaluation's table, and a file for each figure.

A file holds all that its figure needs, so that drawing needs neither the network nor torch: `geometry`, `surface` and
`selections` are CSV, a line per image, point or count; `cam` is an .npz of images with their maps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from trainables.attacks.robustness import residual_attack
from trainables.attacks.spec import attack_name
from trainables.data.batches import make_batches, pixel_blocks
from trainables.evaluate.report import Found, Source
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

FRECHET_BATCH = 128  # of which EntProp selects a share, as in training


def diagnose(asked: Evaluation, trained: Trained, images: Source) -> Found:
    """The numbers and tables of every measure of this file that was asked for."""
    found = Found([], {})
    for field, measure in DIAGNOSTICS.items():
        if getattr(asked, field):
            rows, tables = measure(asked, trained, images)
            found.rows.extend(rows)
            found.tables.update(tables)
    return found


def _geometry(asked: Evaluation, trained: Trained, images: Source) -> Found:
    assert asked.geometry is not None
    found = list(image_geometry(_net(asked, trained), images.first(asked.geometry).batches(trained.device)))
    rows = [(row, count, images.name) for row, count in summarise_geometry(found)]
    return Found(rows, {"geometry": [row._asdict() for row in found]})


def _surface(asked: Evaluation, trained: Trained, images: Source) -> Found:
    net, numbers = _net(asked, trained), torch.tensor(asked.surface)
    batches = _chosen(images, asked.surface, "surface").batches(trained.device, 8)
    points = [point for x, y, index in batches for point in surface_points(net, (x, y, numbers[index.cpu()]))]
    return Found([], {"surface": [point._asdict() for point in points]})


def _cam(asked: Evaluation, trained: Trained, images: Source) -> Found:
    blocks = list(pixel_blocks(_chosen(images, asked.cam, "cam").part))
    pixels, labels = (torch.cat(column).numpy() for column in zip(*blocks, strict=True))
    found = activation_maps(_net(asked, trained), pixels, labels, list(asked.cam))
    return Found([], {"cam": {**found, "classes": np.array(trained.splits.classes)}})


def _legacy(asked: Evaluation, trained: Trained, images: Source) -> Found:
    source = f"{images.name}, measured as the mixture paper's code does"
    rows = measure_legacy(trained.net, images.batches(trained.device, BATCH), asked.norm)
    return Found([(row, len(images.part), source) for row in rows], {})


def _frechet(asked: Evaluation, trained: Trained, images: Source) -> Found:
    assert asked.fid is not None
    train, source = trained.splits.train, f"training images of {trained.splits.source}"
    batches = make_batches(train, trained.device).shuffled(min(FRECHET_BATCH, len(train)), seed=0)
    settings = f"(k={asked.fid.k:g}, n={asked.fid.n})"
    found = measure_frechet(_net(asked, trained), batches, asked.fid)
    rows = [(Measurement("fid", f"{name} {settings}", None, value), count, source) for name, count, value in found]
    return Found(rows, {})


def _left_over(asked: Evaluation, trained: Trained, images: Source) -> Found:
    assert asked.then is not None
    net, rows = _net(asked, trained), []
    shown = images.first(asked.attacked_images)
    for attack in asked.attacks:
        left, fallen = residual_attack(net, shown.batches(trained.device), attack, asked.then)
        name, then = attack_name(attack), attack_name(asked.then)
        rows.append((Measurement("left", name, None, left), len(shown.part), images.name))
        rows.append((Measurement("fallen", f"{name} then {then}", None, fallen), left, images.name))
    return Found(rows, {})


def _selections(asked: Evaluation, trained: Trained, images: Source) -> Found:
    selected = read_selected(asked.run, len(trained.splits.train))
    histogram = [
        {"times": times, "images": count, "epochs": len(selected)} for times, count in selection_histogram(selected)
    ]
    return Found([], {"selections": histogram})


DIAGNOSTICS: dict[str, Callable[[Evaluation, Trained, Source], Found]] = {
    "geometry": _geometry,
    "surface": _surface,
    "cam": _cam,
    "legacy": _legacy,
    "fid": _frechet,
    "then": _left_over,
    "selections": _selections,
}


def _net(asked: Evaluation, trained: Trained) -> DeployedNet:
    return DeployedNet(trained.net, asked.norm).to(trained.device)


def _chosen(images: Source, rows: tuple[int, ...], flag: str) -> Source:
    """These images; ValueError, which names the flag, for one that is not there."""
    for row in rows:
        if row >= len(images.part):
            raise ValueError(f"{flag} must name images in [0, {len(images.part) - 1}], got {row}")
    return images._replace(part=images.part.take(np.array(rows)))
