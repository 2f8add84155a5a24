"""How far a difference would move with other test images: a bootstrap over those that were measured.

The intervals over seeds hold the chance of training alone: all seeds are measured on the same images. This is the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from study.files.results import Row

if TYPE_CHECKING:
    import numpy as np

DRAWS = 1000  # the spread is then known to 2 %


def image_spread(images: Iterable[Row], ours: str, theirs: str) -> tuple[float, int] | None:
    """The standard deviation, over draws of test images, of the mean difference in H; and how many images there are.

    `images` are rows of images.csv, `ours` and `theirs` two configurations. None without a seed that both have.
    """
    rows = {(row["config"], row["seed"]): row for row in images}
    seeds = [seed for config, seed in rows if config == ours and (theirs, seed) in rows]
    if not seeds:
        return None
    found = [[rows[config, seed] for seed in seeds] for config in (ours, theirs)]
    lengths = {len(row["clean"]) for several in found for row in several}
    if len(lengths) > 1:  # other images: nothing is paired
        return None
    counts = _draws(lengths.pop())
    difference = _mean_h(found[0], counts) - _mean_h(found[1], counts)
    return float(difference.std(ddof=1)), counts.shape[1]


def _draws(images: int) -> np.ndarray:
    """How often each image is in each draw (draws, images)."""
    import numpy as np

    random = np.random.RandomState(0)
    return random.multinomial(images, np.full(images, 1 / images), size=DRAWS).astype(np.float32)


def _mean_h(rows: Sequence[Row], counts: np.ndarray) -> np.ndarray:
    """H in percent of each draw, the mean over seeds."""
    import numpy as np

    clean = np.array([_digits(row["clean"]) for row in rows], dtype=np.float32)
    pairs = np.array([_digits(row["corrupted"]) for row in rows], dtype=np.float32)
    copies = np.array([row["copies"] for row in rows], dtype=np.float32)
    corrupted = (10 * pairs[:, ::2] + pairs[:, 1::2]) / copies[:, None]
    sa, ra = (100 * counts @ part.T / counts.shape[1] for part in (clean, corrupted))
    return (2 * sa * ra / np.maximum(sa + ra, 1e-9)).mean(axis=1)


def _digits(text: str) -> np.ndarray:
    import numpy as np

    return np.frombuffer(text.encode("ascii"), dtype=np.uint8) - ord("0")
