"""A device that this machine does not have is named before anything slow is imported."""

import subprocess
import sys
import time

import pytest

from study.config.machine import check_device, has_gpu
from study.config.make_study import make_study


@pytest.mark.skipif(has_gpu(), reason="this machine has a GPU")
@pytest.mark.parametrize(
    "flags", [("--device", "cuda"), ("--gpus-per-trial", "0.5"), ("--device", "cuda", "--dry-run")]
)
def test_a_gpu_that_is_not_there_is_named_within_a_second(flags, tmp_path):
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "study/run.py", "--budget", "4N", "--out", str(tmp_path / "s"), *flags],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert time.perf_counter() - began < 5  # a tenth of it where the machine is idle
    assert done.returncode == 2
    assert "needs a GPU that torch can use, this machine has none" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_gpus_of_a_cluster_are_not_those_of_this_machine(monkeypatch):
    check_device(make_study(budget="4N", device="cuda", address="auto"))
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    check_device(make_study(budget="4N", device="cuda"))
