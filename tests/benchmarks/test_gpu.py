"""The command for a GPU, on a CPU: every stage leaves rows, and a second call repeats none of them."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(folder, *flags):
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", *flags]
    environment = {**os.environ, "BENCHMARKS_OUT": str(folder), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_stage_leaves_rows_and_a_second_call_repeats_none(tmp_path):
    for _ in range(2):
        done = run(tmp_path, "--minutes", "0.1")
        assert done.returncode == 0, done.stderr
        with open(tmp_path / "gpu-cpu-fashion.csv", newline="") as file:
            rows = [(row["stage"], row["what"]) for row in csv.DictReader(file)]
        assert len(rows) == len(set(rows))
        assert {stage for stage, _ in rows} == {"checks", "steps", "epochs", "packing", "table"}


def test_an_unknown_stage_and_a_missing_device_are_one_line(tmp_path):
    done = run(tmp_path, "--stages", "checks,speed")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "stages must be some of checks, steps, epochs, packing, table, got speed" in done.stderr
    assert not list(tmp_path.iterdir())
