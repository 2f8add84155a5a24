"""How many samples a share selects, and which a random subset does."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
import torch

from trainables.functional.selection import random_subset, selected_count


def test_a_share_selects_the_nearest_whole_number_and_a_half_is_rounded_up():
    assert selected_count(0.7, 45) == 32, "31.5, though .7 · 45 is below it in floating point"
    for hundredths in range(1, 101):
        for batch in range(1, 1025):
            exact = (Decimal(hundredths) * batch / 100).quantize(Decimal(1), ROUND_HALF_UP)
            found = selected_count(hundredths / 100, batch)
            assert found == max(1, int(exact)), f"k = {hundredths / 100}, {batch} images"


def test_the_shares_of_the_papers_select_what_they_always_did():
    counts = {
        20: [4, 8, 12, 16, 20],
        32: [6, 13, 19, 26, 32],
        64: [13, 26, 38, 51, 64],
        100: [20, 40, 60, 80, 100],
        128: [26, 51, 77, 102, 128],
        512: [102, 205, 307, 410, 512],
    }
    for batch, expected in counts.items():
        assert [selected_count(k, batch) for k in (0.2, 0.4, 0.6, 0.8, 1.0)] == expected, f"{batch} images"


def test_no_share_selects_nothing_and_any_other_at_least_one():
    assert (selected_count(0, 128), selected_count(1e-6, 128)) == (0, 1)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_random_subset_is_drawn_on_the_cpu_and_lies_on_its_device(device):
    rng, same = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    subset = random_subset(10, 4, rng, device)
    assert (subset.device.type, subset.shape) == (device, (4,))
    torch.randperm(10, generator=same)
    assert torch.equal(rng.get_state(), same.get_state())
