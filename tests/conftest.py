"""One thread a process, no display, no accelerator: the suite means the same thing on every machine."""

import os

# Before torch, numpy or matplotlib is imported, here and in every process that a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# `CUDA_VISIBLE_DEVICES=0 make test` lets the tests see a GPU.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import importlib.util

from hypothesis import settings

# Without Ray, Optuna and pandas, which Ray brings along, as on a machine that only trains, the tests of what needs them
# are left out.
if importlib.util.find_spec("ray") is None or importlib.util.find_spec("optuna") is None:
    needs_them = ("confirm", "monitor", "phases", "run", "search", "tuner")
    needs_pandas = ("answer", "figures", "notebooks", "report", "results_page", "studies", "tables", "writers")
    collect_ignore = ["faults", *(f"test_{name}.py" for name in (*needs_them, *needs_pandas))]

# The same examples in every run, and no time limit for one: a shared machine is slow now and then.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
