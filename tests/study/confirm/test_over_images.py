"""How far a difference would move with other test images."""

import math

import numpy as np
import pytest

from study.confirm.over_images import image_spread


def run(config, clean, corrupted, seed=1, copies=75):
    return {
        "config": config,
        "seed": seed,
        "clean": "".join(map(str, clean)),
        "corrupted": "".join(f"{count:02}" for count in corrupted),
        "copies": copies,
    }


def test_one_network_against_a_perfect_one_moves_as_a_share_of_images_does():
    right = np.arange(400) % 5 > 0  # 80 %
    rows = [run("a", right.astype(int), 75 * right), run("b", [1] * 400, [75] * 400)]
    spread, images = image_spread(rows, "a", "b")
    assert images == 400
    assert spread == pytest.approx(100 * math.sqrt(0.8 * 0.2 / 400), rel=0.08)


def test_what_two_networks_share_does_not_move():
    right = np.arange(400) % 5 > 0
    same = [run(name, right.astype(int), 60 * right) for name in ("a", "b")]
    assert image_spread(same, "a", "b") == (0.0, 400)
    other = np.roll(right, 1)
    spread, _ = image_spread([same[0], run("b", other.astype(int), 60 * other)], "a", "b")
    assert spread > 1


def test_seeds_that_err_on_different_images_move_less():
    random = np.random.RandomState(0)
    several = [random.rand(400) > 0.2 for _ in range(8)]
    perfect = [run("b", [1] * 400, [75] * 400, seed) for seed in range(8)]
    rows = [run("a", right.astype(int), 75 * right, seed) for seed, right in enumerate(several)]
    alone, _ = image_spread([rows[0], perfect[0]], "a", "b")
    together, _ = image_spread([*rows, *perfect], "a", "b")
    assert together == pytest.approx(alone / math.sqrt(8), rel=0.2)


def test_nothing_is_said_without_common_seeds_or_images():
    a, b = run("a", [1, 0], [75, 3]), run("b", [1, 0, 1], [75, 3, 2])
    assert image_spread([], "a", "b") is None
    assert image_spread([a, {**b, "seed": 2}], "a", "b") is None
    assert image_spread([a, b], "a", "b") is None
