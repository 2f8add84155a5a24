"""Where a benchmark leaves its figures: results/NAME.json with machine and commit, results/NAME.md to read.

`BENCHMARKS_OUT` names another folder than results/, for short runs that should not replace what is stored.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def write_report(name: str, figures: dict[str, Any], table: str, title: str = "") -> None:
    """Write both files and say where they are."""
    folder = Path(os.environ.get("BENCHMARKS_OUT", RESULTS))
    folder.mkdir(parents=True, exist_ok=True)
    machine = describe_machine()
    (folder / f"{name}.json").write_text(json.dumps({"machine": machine, **figures}, indent=1) + "\n")
    made = f"{machine['cpu']}, {machine['cores']} cores, GPU: {machine['gpu'] or 'none'}, torch {machine['torch']}"
    (folder / f"{name}.md").write_text(f"# {title or name}\n\n{table}\n\nMade {machine['date']} on {made}.\n")
    print(f"\nwritten: {folder / name}.json and .md")


def data_label(dataset: str) -> str:
    """What a file of figures is called after: the data set, or the name of the file that holds it."""
    return Path(dataset.partition(":")[2] or dataset).stem


def describe_machine() -> dict[str, Any]:
    """What a figure depends on besides the code, and which code it was."""
    import torch

    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "platform": platform.platform(),
        "python": platform.python_version(),
        **{name: installed(name) for name in ("torch", "torchvision", "numpy", "scipy", "ray", "optuna")},
        "commit": commit(),
    }


def installed(package: str) -> str | None:
    """The version of an installed package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def cpu_name() -> str:
    """The processor's own name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def commit() -> str | None:
    """The checked-out commit, marked where files differ from it."""
    command = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
