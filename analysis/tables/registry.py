"""All tables by name."""

from collections.abc import Callable
from functools import partial

import pandas as pd

from analysis.inputs.published import is_long, path_of
from analysis.tables.compared import compared
from analysis.tables.costs import all_costs, formulas
from analysis.tables.long_tables import BESIDE, beside
from study.papers import COMPUTED, GRIDS
from study.papers.listing import PAPERS

Table = Callable[[pd.DataFrame], pd.DataFrame]


# ------------------------------------------------------------------------------------------------------- the registry

# Tables of SA, RA, H and PGD-20, and our own, which have no number; all others that are printed are in BESIDE.
COMPARED = tuple(
    name for name in GRIDS if (path_of(name).is_file() and not is_long(name)) or not name.partition("/")[2].isdigit()
)
TABLES: dict[str, Table] = {
    "entprop/1": partial(formulas, "entprop/1"),
    "mixprop/4": partial(formulas, "mixprop/4"),
    **{name: partial(compared, name) for name in COMPARED},
    **{name: partial(beside, name) for name in BESIDE},
    "cost": all_costs,
}


def title(table: str) -> str:
    """What a table shows, and where it is published."""
    if table == "cost":
        return "All confirmed settings by cost"
    paper, _, number = table.partition("/")
    text = (COMPUTED[table] if table in COMPUTED else GRIDS[table]).title
    return text[0].upper() + text[1:] + (f" ({PAPERS[paper]}, table {number})" if number.isdigit() else "")
