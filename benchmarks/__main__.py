"""Run the short form of all benchmarks, one after the other: python -m benchmarks

    make bench        # some minutes on two idle cores; tables and JSON in runs/bench

Stored results in benchmarks/results stay unchanged. The short forms have fewer rounds than those, so their spread is
wider. `python -m benchmarks.NAME` runs one benchmark in full; each has its own --help. These run only by name:

    gpu, epoch, packing                           need a GPU
    peers                                         needs the published Fast AdvProp code
    noise, loss_weights, claims, signal,          train for minutes to hours
    search_table, scheduler, soak
    choose_signal                                 reads the rows of signal
    same_rows                                     compares the numbers of two checkouts
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

SHORT = {
    "step": "--rounds 5",
    "data": "--rounds 3",
    "corruptions": "--images 1000 --rounds 1",
    "evaluate": "--short",
    "attack": "--short",
    "study": "--trials 6",
    "scale": "--trials 200 --sampler random",
    "search": "--surfaces 2 --limit 200",
}
OUT = Path("runs/bench")


def main() -> int:
    """Run all; 1 if one failed."""
    argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    failed = []
    for name, flags in SHORT.items():
        print(f"\n== benchmarks.{name} {flags}", flush=True)
        started = time.monotonic()
        command = [sys.executable, "-m", f"benchmarks.{name}", *flags.split()]
        done = subprocess.run(command, env={**os.environ, "BENCHMARKS_OUT": str(OUT)}, check=False)
        print(f"-- {time.monotonic() - started:.0f} s", flush=True)
        failed += [name] if done.returncode else []
    if failed:
        print(f"error: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
