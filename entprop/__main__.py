"""The commands of an installation: `entprop`, or `python -m entprop`, runs a study; the others have own names."""

import importlib
import sys


def main() -> int:
    """`entprop`: what `python study/run.py` is in a checkout."""
    return _main_of("study.run")


def train() -> int:
    """`entprop-train`: python -m trainables."""
    return _main_of("trainables.__main__")


def evaluate() -> int:
    """`entprop-evaluate`: python -m trainables.evaluate."""
    return _main_of("trainables.evaluate.__main__")


def analyse() -> int:
    """`entprop-analysis`: python -m analysis."""
    return _main_of("analysis.__main__")


def _main_of(module: str) -> int:
    return int(importlib.import_module(module).main() or 0)


if __name__ == "__main__":
    sys.exit(main())
