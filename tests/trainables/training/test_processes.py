"""Several processes that share every batch take the step that one process takes, and train as one does."""

import pytest
import torch
import torch.multiprocessing as mp

from tests.support import shared_steps

SIZES = (4, 2)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The steps of all settings by groups of four and of two processes, which are started once."""
    folder = tmp_path_factory.mktemp("shared")
    mp.spawn(shared_steps.in_processes, (str(folder), SIZES, list(shared_steps.SETTINGS)), max(SIZES))
    return {size: torch.load(folder / f"steps-{size}.pt") for size in SIZES}


@pytest.mark.parametrize("name", shared_steps.SETTINGS)
@pytest.mark.parametrize("size", SIZES)
def test_processes_that_share_a_batch_take_the_step_of_one(shared, size, name):
    alone, together = shared_steps.step(name), shared[size][name]
    assert alone.keys() == together.keys()
    for what, value in alone.items():
        torch.testing.assert_close(
            together[what], value, rtol=1e-9, atol=1e-9, msg=lambda text, what=what: f"{what}: {text}"
        )
