"""The short form of all benchmarks, one after the other; stored figures stay as they are.

    make bench        # some minutes on two idle cores; tables and figures in runs/bench

Fewer rounds than the stored figures of `benchmarks/results` have, so the spread is wider. The long forms, each with its
own `--help`: python -m benchmarks.NAME. Beyond these: `peers` (needs the published code), `epoch`, `packing` (a GPU),
`gpu` (all that only a GPU can tell), `scheduler`, `noise`, `loss_weights`, `claims`, `soak`, and `search_table`, from
whose runs `search` simulates (these
train for long); `same_rows` compares the numbers of two checkouts; `signal` asks what predicts the reported H, and
`choose_signal` answers from its rows.
"""

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
