"""The rows of a benchmark that trains many networks, kept as each is done, so that it goes on where it stopped."""

import csv
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def read(path: Path, texts: Sequence[str]) -> list[Row]:
    """The rows that are there, numbers as numbers but for the columns of `texts`."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [{k: v if k in texts else float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def add(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Append rows, with the header if they are the first."""
    is_new = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerows(rows)


def run(measure: Callable[[Any], list[Row]], jobs: Sequence[Any], workers: int) -> Iterator[list[Row]]:
    """The rows of each job when it ends, in processes of one core each, with a line for each."""
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for count, rows in enumerate(pool.imap_unordered(measure, jobs), 1):
            print(f"{count}/{len(jobs)} {', '.join(f'{k} {v}' for k, v in list(rows[0].items())[:2])}", flush=True)
            yield rows
