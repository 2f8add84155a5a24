"""Where the spread of a difference comes from: training seeds, the cut into training and validation, test images.

Two studies of the same table tell: one in which all seeds share their training images, and one in which each seed draws
its own (`--resplit`). What the second varies more than the first is the share of the cut. The share of the test images
comes from the rows of images.csv, by a bootstrap.
"""

from collections.abc import Iterator, Sequence
from statistics import variance
from typing import NamedTuple

from analysis.comparisons.settings import settings
from analysis.inputs.studies import StudyFrames
from study.confirm.comparisons import Setting, baseline
from study.confirm.over_images import image_spread
from study.files.results import Results

LEAST_SEEDS = 6  # a variance of fewer says nothing


class Spread(NamedTuple):
    """Variances of one run's difference in H between two settings, by source; the fewer seeds of the two studies."""

    above: Setting
    below: Setting
    runs: int
    seeds: float
    cut: float
    images: float

    @property
    def shares(self) -> tuple[float, ...]:
        """Of the sum of the three."""
        parts = self.seeds, self.cut, self.images
        return tuple(part / max(sum(parts), 1e-12) for part in parts)


def paired_studies(folders: Sequence[StudyFrames]) -> Iterator[tuple[StudyFrames, StudyFrames]]:
    """Studies of one table, data set and length: with shared training images, and with those of each seed."""
    for shared in folders:
        for drawn in folders:
            first, second = shared.options, drawn.options
            if first and second and first.table and first.table == second.table:
                ours, theirs = first.trial, second.trial
                same = (ours.dataset, ours.epochs, ours.lr) == (theirs.dataset, theirs.epochs, theirs.lr)
                if same and theirs.resplit and not ours.resplit:
                    yield shared, drawn


def spreads(shared: StudyFrames, drawn: StudyFrames) -> Iterator[Spread]:
    """Mixup less vanilla, and every other setting less mixup, where both studies have them and images.csv is there."""
    images = Results(shared.paths[0]).images
    found, others = settings(shared.done), {each.row["why"]: each for each in settings(drawn.done)}
    vanilla, mixup = baseline(found, "vanilla"), baseline(found, "mixup")
    pairs = [(each, vanilla if each is mixup else mixup) for each in found if each is not vanilla]
    for above, below in pairs:
        if below is None or not {above.why, below.why} <= others.keys():
            continue
        first, second = _differences(above, below), _differences(others[above.why], others[below.why])
        moved = image_spread(images, above.row["config"], below.row["config"])
        if moved and min(len(first), len(second)) >= LEAST_SEEDS:
            by_seed = variance(first)
            cut = max(0.0, variance(second) - by_seed)
            yield Spread(above, below, min(len(first), len(second)), by_seed, cut, moved[0] ** 2)


def _differences(above: Setting, below: Setting) -> list[float]:
    return [above.h[seed] - below.h[seed] for seed in above.h if seed in below.h]
