"""The study itself: budgets, the search, confirmation, result files, and the doctor of the installation.

`study.run(budget="4N", trials=8)` does in a notebook what `python study/run.py` does in a terminal.
"""

# Now and not at the first call: importing the module later would put it in the place of the function of its name.
from study.run import run

__all__ = ["run"]
