"""One thread a process, no display, no accelerator: the suite means the same thing on every machine."""

import os

# Before torch, numpy or matplotlib is imported, here and in every process that a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.pop("COLUMNS", None)  # readline sets it in the processes of pytest-xdist; texts would take that width
# `CUDA_VISIBLE_DEVICES=0 make test` lets the tests see a GPU.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import importlib.util

from hypothesis import settings

# Without Ray, Optuna and pandas, which Ray brings along, as on a machine that only trains, the tests of what needs them
# are left out.
if importlib.util.find_spec("ray") is None or importlib.util.find_spec("optuna") is None:
    collect_ignore = ["analysis", "benchmarks", "faults", "study/confirm", "study/ray_tune", "study/search"]
    collect_ignore += ["study/test_run.py", "study/test_every_table.py"]

# The same examples in every run, and no time limit for one: a shared machine is slow now and then.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
