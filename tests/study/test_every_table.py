"""Every published table from its name to its side-by-side table, through Ray: one epoch, one seed, few images."""

import numpy as np
import pytest

from analysis.comparisons.settings import records
from analysis.inputs.studies import read_folder
from analysis.tables.long_tables import BESIDE
from analysis.tables.registry import TABLES
from analysis.tables.writers import write_table
from study.papers import GRIDS, cells
from study.run import main
from trainables.data.datasets import load_dataset

FEW = {"train": 160, "test": 30}
FLAGS = ("--scale", "demo", "--epochs", "1", "--seeds", "1", "--batch-size", "16", "--quiet")
# What a demonstration cannot measure: pictures that only ImageNet's classes have, as they are and stylized.
ELSEWHERE = ("shift", "aux shift")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Some of the digits, as a file of one's own."""
    digits, path = load_dataset("digits"), tmp_path_factory.mktemp("data") / "few.npz"
    parts = {name: getattr(digits, name).take(np.arange(count)) for name, count in FEW.items()}
    np.savez(
        path,
        **{f"{name}_images": part.pixels for name, part in parts.items()},
        **{f"{name}_labels": part.labels for name, part in parts.items()},
        classes=np.array(digits.classes),
    )
    return path


@pytest.mark.slow
@pytest.mark.parametrize("table", GRIDS)
def test_a_table_runs_to_its_side_by_side_table(table, pictures, tmp_path):
    out = tmp_path / table.replace("/", "-")
    assert main(["--table", table, *FLAGS, "--dataset", f"npz:{pictures}", "--out", str(out)]) == 0
    found = read_folder(out)
    assert len(found.done) == sum(cell.seeds for cell in cells(table, {"epochs": 1}, "demo", 1))

    lines = records(TABLES[table](found.runs))
    ours = [line for line in lines if line["dataset"]]
    places = {(line["published_dataset"], line["published_model"]) for line in ours}
    assert {line["label"] for line in ours} == {row.label for row in GRIDS[table].rows}
    for line in lines:
        if (line["published_dataset"], line["published_model"]) in places and is_printed(table, line):
            assert line["dataset"] == f"npz:{pictures}", line
            assert line["same_protocol"] == "no"
            assert "1 epoch instead of" in line["why_not"]
    if table in ("entprop/11", "entprop/16"):
        assert all(line["pgd20"] is not None for line in ours)

    half = "ours_half" if table in BESIDE else "h_half"
    assert all((line[half] is None) == (line["seeds"] == 1) for line in ours)  # a proxy has a second seed

    shown = write_table(table, TABLES[table](found.runs), tmp_path / "tables")
    texts = [cell.text for block in shown.blocks for row in block.rows for cell in row]
    assert ("lost" in texts) == GRIDS[table].lost


def is_printed(table, line):
    """Whether a number stands in this line of the published table that a demonstration can measure."""
    if table not in BESIDE:
        return any(line[f"published_{name}"] is not None for name in ("sa", "ra", "h", "pgd20"))
    return line["published"] is not None and not line["quantity"].startswith(ELSEWHERE)
