"""Metrics against numbers worked out by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.corruptions.functions import REPORTED
from trainables.corruptions.severities import ALEXNET_ERRORS
from trainables.measures import metrics

ACCURACIES = {("fog", 1): 90.0, ("fog", 3): 70.0, ("snow", 1): 60.0, ("snow", 3): 20.0}


def test_robust_accuracy_is_the_plain_mean_over_sets():
    assert metrics.robust_accuracy(ACCURACIES) == 60.0
    assert metrics.by_corruption(ACCURACIES) == {"fog": 80.0, "snow": 40.0}
    assert metrics.by_severity(ACCURACIES) == {1: 75.0, 3: 45.0}


def test_h_is_the_harmonic_mean():
    assert metrics.h_score(79.41, 55.24) == pytest.approx(65.16, abs=0.005)  # the paper prints 65.15, of means
    assert metrics.h_score(60, 30) == pytest.approx(40)
    assert metrics.h_score(0, 0) == 0


@given(st.floats(0, 100), st.floats(0, 100))
def test_h_lies_between_its_parts(sa, ra):
    h = metrics.h_score(sa, ra)
    assert min(sa, ra) - 1e-9 <= h <= max(sa, ra) + 1e-9


def test_corruption_error_is_a_mean_of_ratios():
    errors = {"fog": 0.4, "snow": 0.8}
    assert metrics.mean_corruption_error(ACCURACIES, errors) == pytest.approx(100 * (0.2 / 0.4 + 0.6 / 0.8) / 2)


def test_alexnet_itself_has_an_error_of_a_hundred():
    accuracies = {(name, s): 100 * (1 - error) for name, error in ALEXNET_ERRORS.items() for s in range(1, 6)}
    assert metrics.mean_corruption_error(accuracies, ALEXNET_ERRORS) == pytest.approx(100)
    assert set(ALEXNET_ERRORS) == set(REPORTED)


def test_a_normaliser_of_other_corruptions_is_refused():
    with pytest.raises(ValueError, match=r"must hold the same corruptions .* differ in \['snow'\]"):
        metrics.mean_corruption_error(ACCURACIES, {"fog": 0.5})


def logits_of(probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log()


def calibration_of(logits, y):
    found = metrics.predictions_of(logits, y)
    return metrics.calibration_error(found.right, found.confidence)


def test_calibration_error_by_hand():
    # two in the bin around 0.9 (one right), two in the bin around 0.6 (both right)
    logits = logits_of([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    y = torch.tensor([0, 1, 0, 0])
    expected = 100 * (0.5 * abs(0.5 - 0.9) + 0.5 * abs(1.0 - 0.6))
    assert calibration_of(logits, y) == pytest.approx(expected)


def test_a_calibrated_network_has_no_calibration_error():
    logits = logits_of([[0.75, 0.25]] * 4)
    assert calibration_of(logits, torch.tensor([0, 0, 0, 1])) == pytest.approx(0, abs=1e-9)


def test_calibration_error_agrees_with_a_loop_over_bins():
    rng = torch.Generator().manual_seed(0)
    logits, y = 3 * torch.randn(500, 5, generator=rng), torch.randint(5, (500,), generator=rng)
    p = logits.double().softmax(1)
    expected = 0.0
    for low in range(15):
        inside = [i for i in range(500) if low / 15 < p[i].max() <= (low + 1) / 15]
        if inside:
            confidence = sum(float(p[i].max()) for i in inside) / len(inside)
            right = sum(int(p[i].argmax() == y[i]) for i in inside) / len(inside)
            expected += len(inside) / 500 * abs(right - confidence)
    assert calibration_of(logits, y) == pytest.approx(100 * expected)


def test_entropy_of_a_uniform_prediction_is_the_logarithm_of_the_classes():
    found = metrics.predictions_of(torch.zeros(3, 7), torch.zeros(3).long())
    assert found.entropy.tolist() == pytest.approx([math.log(7)] * 3)


def test_percent_right():
    assert metrics.share_right(metrics.predictions_of(torch.eye(4), torch.tensor([0, 1, 2, 0])).right) == 75
