"""What this machine has, asked without torch, so that a wrong device is named at once."""

import ctypes
import os
from pathlib import Path

from study.config.study_config import Study


def check_device(study: Study) -> None:
    """ValueError if the study wants a GPU of this machine and there is none; what a cluster has is not known here."""
    on_cluster = study.address or os.environ.get("RAY_ADDRESS")
    wanted = f"device {study.device}" if study.device == "cuda" else ""
    wanted = wanted or (f"gpus_per_trial {study.gpus_per_trial:g}" if study.gpus_per_trial else "")
    if wanted and not on_cluster and not has_gpu():
        raise ValueError(f"{wanted} needs a GPU that torch can use, this machine has none; omit it to train on the CPU")


def has_gpu() -> bool:
    """Whether NVIDIA's driver finds a GPU, or AMD's is there."""
    if Path("/dev/kfd").exists():
        return True
    try:
        driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except OSError:
        return False
