"""All published tables that are trained, by paper and number: a line here for each paper, a file for its rows."""

from study.papers import ceb, entprop, mixprop, mixture, uncertainty
from study.papers.grid import Grid

GRIDS: dict[str, Grid] = {
    **entprop.TABLES,
    **mixprop.TABLES,
    **ceb.TABLES,
    **mixture.TABLES,
    **uncertainty.TABLES,
}
