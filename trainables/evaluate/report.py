"""What an evaluation finds, and how it is printed and written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from trainables.data.batches import make_batches
from trainables.data.images import Split
from trainables.disk import replacing, write_atomically
from trainables.evaluate.options import Evaluation
from trainables.functional.batch import Batch
from trainables.measures import accuracy
from trainables.measures.accuracy import Measurement
from trainables.measures.metrics import by_corruption, by_severity

Row = tuple[Measurement, int, str]  # a number, the count of images behind it, their source
Tables = dict[str, Any]  # name of a file -> its rows, each a dictionary, or its arrays by name


class Found(NamedTuple):
    """What was measured: numbers, and the tables that figures are drawn from."""

    rows: list[Row]
    tables: Tables


class Source(NamedTuple):
    """The images that are measured, and what they are called."""

    part: Split
    name: str

    def first(self, count: int | None) -> Source:
        """The first so many of them; all without a count."""
        return self if count is None else self._replace(part=self.part.take(np.arange(min(count, len(self.part)))))

    def batches(self, device: torch.device, size: int = 250) -> Iterator[Batch]:
        """One pass through them, in order and without augmentation."""
        return make_batches(self.part, device).sequential(size)


FIRST = {"sa": " %", "ra": " %", "h": "", "ece": " %", "entropy": " nats", "rate": " nats"}  # of the first line
# how the numbers of one line are printed
UNITS = {
    **dict.fromkeys(("attack", "transfer", "shift", "epsilon_curve", "steps_curve", "legacy"), "{:.2f} %"),
    **dict.fromkeys(("left", "fallen"), "{:.0f}"),
    **dict.fromkeys(("geometry", "fid"), "{:.4g}"),
}


def render(rows: list[Row]) -> str:
    """The table that is printed, as one text."""
    values = {row.measure: row.value for row, _, _ in rows if row.measure in FIRST}
    names = {"ece": "ECE", "entropy": "entropy", "rate": "rate"}
    lines = ["   ".join(f"{names.get(m, m.upper())} {value:.2f}{FIRST[m]}" for m, value in values.items())]
    accuracies = accuracy.corruption_accuracies(row for row, _, _ in rows)
    if accuracies:
        lines += ["", *corruption_lines(accuracies)]
    for row, images, source in rows:
        if row.measure == "mce":
            normaliser = "AlexNet on ImageNet-C" if row.name == "alexnet" else row.name
            lines.append(f"mCE {row.value:.2f} %, normaliser: {normaliser}")
        elif row.measure in UNITS:
            lines.append(
                f"{row.measure} {row.name}: {UNITS[row.measure].format(row.value)} of {images} images ({source})"
            )
    sources = dict.fromkeys(f"{images} images, {source}" for row, images, source in rows if row.measure in ("sa", "ra"))
    return "\n".join([*lines, *sources])


def corruption_lines(accuracies: dict[tuple[str, int], float]) -> list[str]:
    """Accuracy by corruption and severity, with the means at the edges."""
    severities = sorted({severity for _, severity in accuracies})
    lines = [f"{'accuracy %':20}" + "".join(f"{severity:>7}" for severity in severities) + "   mean"]
    for name, mean in by_corruption(accuracies).items():
        cells = "".join(f"{accuracies[name, severity]:7.1f}" for severity in severities)
        lines.append(f"{name:20}{cells}{mean:7.1f}")
    means = by_severity(accuracies)
    overall = sum(accuracies.values()) / len(accuracies)
    return [*lines, f"{'mean':20}" + "".join(f"{means[severity]:7.1f}" for severity in severities) + f"{overall:7.1f}"]


def table_file(content: Any) -> tuple[str, bytes]:
    """The ending of a table's file name and the bytes of the file."""
    if isinstance(content, dict):
        binary = io.BytesIO()
        np.savez_compressed(binary, **content)
        return "npz", binary.getvalue()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(content[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(content)
    return "csv", text.getvalue().encode()


COLUMNS = ("norm", "measure", "name", "severity", "value", "images", "source")


def write_csv(path: Path, norm: str, rows: list[Row]) -> None:
    """Write a CSV with a row per number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, images, source in rows:
        writer.writerow([norm, row.measure, row.name, row.severity, row.value, images, source])
    write_atomically(path, text.getvalue())


def write_tables(asked: Evaluation, tables: Tables) -> list[Path]:
    """Write a file for each figure that was asked for; their paths."""
    written = []
    for kind, content in tables.items():
        ending, data = table_file(content)
        written.append(asked.file(kind, ending))
        with replacing(written[-1]) as file:
            file.write(data)
    return written
