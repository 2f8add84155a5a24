"""The tables of the papers: which methods, settings, data sets and networks each compares, and what it measures.

`python study/run.py --table entprop/16` trains every row with every seed and measures it once on the test images; a
table selects nothing. The published protocol (data, network, epochs, seeds) can be made smaller: `--scale demo` takes
the embedded images and the small net; `--dataset`, `--model`, `--epochs`, `--seeds` and the other flags of a trial
override the rest. Vanilla and mixup alone stand in every table that compares methods, also where the paper leaves them
out: whatever a row gains, it must gain over these two.

    entprop.py mixprop.py ceb.py mixture.py uncertainty.py    the rows, a file for each paper
    computed.py      the tables that are formulas or settings, and train nothing
    grid.py          what a table is made of
    baselines.py     vanilla and mixup, and their rates as controls
    registry.py      all of them by name
    expand.py        from a table to its configurations
    listing.py       what --tables prints
"""

from study.papers.computed import COMPUTED, computed_text
from study.papers.expand import Cell, cells, cells_of, demo_twins, size, total_cost
from study.papers.grid import Grid, GridRow
from study.papers.listing import list_tables
from study.papers.registry import GRIDS

__all__ = [
    "COMPUTED", "GRIDS", "Cell", "Grid", "GridRow", "cells", "cells_of", "computed_text", "demo_twins", "list_tables",
    "size", "total_cost",
]  # fmt: skip
