"""The study itself: budgets, the search, confirmation, result files, and the doctor of the installation.

`study.run(budget="4N", trials=8)` does in a notebook what `python study/run.py` does in a terminal.
"""

from study.errors import InputError, StudyFailed

# Imported here and not at the first call: a later import of the module would replace the function of its name.
from study.run import run
from study.workers.listener import Listener

__all__ = ["InputError", "Listener", "StudyFailed", "run"]
