"""Simulated studies: surfaces that follow the recorded runs, and what each way of searching spends and recommends."""

import csv
import random

import numpy as np
import pytest

from benchmarks.report import RESULTS
from benchmarks.search import AFTER, Simulated, recommended, surface_of
from benchmarks.search_table import COLUMNS
from benchmarks.surfaces import Recorded, replayed_study

SETTINGS = [(n, k, epsilon, metric) for n in (1, 3, 5) for k in (0.1, 0.35, 0.6) for epsilon, metric in
            ((1.0, "entropy"), (6.0, "margin"))]  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """H rises with k; each seed shifts all of its runs, and each run has noise."""
    path, rng = tmp_path_factory.mktemp("table") / "runs.csv", random.Random(0)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for seed in range(3):
            for n, k, epsilon, metric in SETTINGS:
                h = 70 + 6 * k + seed + rng.gauss(0, 0.3)
                writer.writerow([n, k, epsilon, metric, seed, 1 + k * n, 15, h, h, h])
    return Recorded(path)


@pytest.fixture
def study(tmp_path):
    return replayed_study(tmp_path / "study", seed=3, race=2)


def test_a_surface_is_the_same_each_time_and_follows_the_recorded_runs(table, study):
    surface = surface_of(table, study, 1)
    assert surface.true == pytest.approx(surface_of(table, study, 1).true)
    assert surface.true != pytest.approx(surface_of(table, study, 2).true)
    shares = [row["k"] for row in surface.rows]
    assert np.corrcoef(shares, surface.true)[0, 1] > 0.5
    assert len(table.settings) == len(SETTINGS)


def test_a_run_is_the_true_value_with_a_shift_of_its_seed_and_noise(table, study):
    surface = surface_of(table, study, 1)
    runs = {seed: [surface.run(surface.rows[0], seed) for _ in range(200)] for seed in (5, 6)}
    means = [np.mean(values) - surface.shifts[seed] for seed, values in runs.items()]
    assert means == pytest.approx([surface.true[0]] * 2, abs=5 * surface.noise / np.sqrt(200))
    assert np.std(runs[5]) == pytest.approx(surface.noise, rel=0.2)


@pytest.mark.parametrize("way", ["published", "old pick", "random, race of 4", "race of 4"])
def test_every_way_recommends_what_it_tried_for_what_it_was_allowed(table, study, way):
    surface = surface_of(table, study, 1)
    row, cost, tried = recommended(way, study, surface, limit=200)
    assert row["config"] in {each["config"] for each in tried}
    assert 0 < cost < 200 + AFTER + 60
    assert surface.value(row) <= surface.true.max()


def test_the_race_spends_its_runs_on_new_seeds(table, study):
    found = Simulated(study, surface_of(table, study, 1))
    found.search("random", 150)
    before = found.spent
    found.race_on()
    assert {row["seed"] for row in found.race} & {row["seed"] for row in found.trials} == set()
    assert found.spent > before
    assert {row["round"] for row in found.race} == {1, 2}


def test_the_page_shows_the_stored_figures():
    stored = (RESULTS / "search-fashion-ways.md").read_text()
    page = (RESULTS.parents[1] / "docs" / "performance.md").read_text()
    rows = [line for line in stored.splitlines() if line.startswith("|")]
    assert len(rows) > 10
    assert "\n".join(rows) in page
