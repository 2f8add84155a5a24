"""Check that another checkout of this project computes bitwise identical results on a CPU.

    python -m benchmarks.same_rows ../entprop-0.1            # all runs and corruptions: eight minutes
    python -m benchmarks.same_rows ../entprop-0.1 trades ceb # only these runs

Each checkout trains every run for two epochs on the digits and evaluates it, from its own command line. Rows (without
times), checkpoints, measured numbers and corrupted images must be equal; otherwise the exit code is 1. Both checkouts
run with this Python. The result of all runs is written to `results/same-rows.md`.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.report import write_report

OURS = Path(__file__).parents[1]
SETTINGS = ["--dataset", "digits", "--epochs", "2", "--batch-size", "32", "--train-images", "300", "--deterministic"]
RUNS = {
    "vanilla": [],
    "vanilla, Adam, crops": ["--method", "vanilla", "--optimizer", "adam", "--lr", "0.001", "--augment", "crop"],
    "mixup": [],
    "cutmix": [],
    "mixprop": [],
    "advprop": ["--n", "2"],
    "advprop, ALS and SAT": ["--method", "advprop", "--n", "2", "--loss", "als", "--sat"],
    "fast_advprop": [],
    "entprop": [],
    "entprop, k = .6, n = 5": ["--method", "entprop", "--k", "0.6", "--n", "5", "--epsilon", "6"],
    "entprop, margin, sum": ["--method", "entprop", "--k", "0.4", "--metric", "margin", "--weights", "sum"],
    "entprop, confidence, cutmix": ["--method", "entprop", "--metric", "confidence", "--mixing", "cutmix"],
    "entprop, cross-entropy, random": ["--method", "entprop", "--metric", "cross_entropy", "--selection", "random"],
    "entprop, resnet18": ["--method", "entprop", "--model", "resnet18", "--train-images", "64", "--epochs", "1"],
    "entm": [],
    "label_smoothing": [],
    "als": [],
    "pat": ["--n", "2"],
    "trades": ["--n", "2"],
    "adp": [],
    "ceb": [],
    "vib": [],
    "deterministic": [],
    "gpaco": [],
}
EVALUATION = ["--corrupted-images", "40", "--attacked-images", "40", "--attack", "FGSM4,PGD3-4", "--geometry", "40"]
TIMES = {"seconds", "images_per_s"}
CORRUPTED = """
import hashlib, torch
try:
    from trainables.corruptions.functions import CORRUPTIONS, corrupt
except ImportError:  # version 0.1
    from trainables.corruptions import CORRUPTIONS, corrupt
for side, images in ((32, 7), (64, 3), (224, 2)):
    clean = torch.randint(0, 256, (images, side, side, 3), generator=torch.Generator().manual_seed(side)).byte()
    for name in CORRUPTIONS:
        for severity in range(1, 6):
            made = corrupt(clean, name, severity, seed=3, first_index=5)
            print(side, name, severity, hashlib.sha256(made.numpy().tobytes()).hexdigest())
"""


def python(checkout: Path, *arguments: str) -> str:
    """What Python prints with these arguments in a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{checkout}: python {' '.join(arguments)[:200]} failed:\n{done.stderr}")
    return done.stdout


def trained(checkout: Path, name: str, folder: Path) -> dict[str, object]:
    """The files of one run that a checkout has trained and evaluated, by name: rows without times, and tensors."""
    flags = RUNS[name] if "--method" in RUNS[name] else ["--method", name, *RUNS[name]]
    python(checkout, "-m", "trainables", *SETTINGS, *flags, "--device", "cpu", "--quiet", "--out", str(folder))
    python(checkout, "-m", "trainables.evaluate", str(folder), *EVALUATION)
    tables = {path.name: rows_of(path) for path in sorted(folder.glob("*.csv"))}
    return tables | {"checkpoint.pt": torch.load(folder / "checkpoint.pt", weights_only=True)}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if key not in TIMES} for row in csv.DictReader(file)]


def difference(ours: object, theirs: object, place: str = "") -> str | None:
    """Where two values differ first, as a path of keys; None where they are equal."""
    if isinstance(ours, torch.Tensor) and isinstance(theirs, torch.Tensor):
        return None if ours.dtype == theirs.dtype and torch.equal(ours, theirs) else place
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if ours.keys() ^ theirs.keys():
            return f"{place}: {', '.join(map(str, ours.keys() ^ theirs.keys()))}"
        pairs = [(ours[key], theirs[key], f"{place}/{key}") for key in ours if key not in TIMES]
    elif isinstance(ours, list | tuple) and isinstance(theirs, list | tuple) and len(ours) == len(theirs):
        pairs = [(a, b, f"{place}/{index}") for index, (a, b) in enumerate(zip(ours, theirs, strict=True))]
    else:
        return None if ours == theirs or (ours != ours and theirs != theirs) else place  # NaN equals NaN here
    return next((found for pair in pairs if (found := difference(*pair))), None)


def compare(other: Path, names: list[str]) -> list[dict[str, str]]:
    """A row for each run, and one for the corruptions: what was compared, and where it differs."""
    table = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = (trained(each, name, Path(folder, label)) for label, each in (("o", OURS), ("t", other)))
        table.append({"run": name, "compared": ", ".join(ours), "difference": difference(ours, theirs) or "none"})
        print(*table[-1].values(), sep=" | ", flush=True)
    made, their = (python(each, "-c", CORRUPTED).splitlines() for each in (OURS, other))
    first = next((line for line, same in zip(made, their, strict=True) if line != same), "none")
    table.append({"run": "corruptions", "compared": f"{len(made)} sets of images", "difference": first})
    print(*table[-1].values(), sep=" | ", flush=True)
    return table


def text_of(table: list[dict[str, str]]) -> str:
    lines = [" | ".join(row.values()) for row in (dict(zip(table[0], table[0], strict=True)), *table)]
    return "\n".join(f"| {line} |" for line in (lines[0], " | ".join("---" for _ in table[0]), *lines[1:]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("runs", nargs="*", help=f"runs to compare [all]: {'; '.join(RUNS)}")
    values = parser.parse_args()
    for name in values.runs:
        if name not in RUNS:
            parser.error(f"unknown run {name!r}; known: {', '.join(RUNS)}")
    table = compare(values.other.resolve(), values.runs or list(RUNS))
    if not values.runs:
        write_report("same-rows", {"runs": table}, text_of(table), "Rows, checkpoints and corrupted images as before")
    return int(any(row["difference"] != "none" for row in table))


if __name__ == "__main__":
    sys.exit(main())
