"""Training: the loop, its state, the folder of a run."""

from typing import Any

Row = dict[str, Any]  # an epoch's numbers by column name
