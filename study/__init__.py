"""The study itself: budgets, the search, confirmation, result files, and the doctor of the installation.

`results = study.run("4N", trials=8)` does in a notebook what `python study/run.py` does in a terminal, and
`study.Results("runs/DIR")` reads a folder.
"""

from typing import TYPE_CHECKING

from study.errors import InputError, StudyFailed

# Imported here and not at the first call: a later import of the module would replace the function of its name.
from study.run import run
from study.workers.listener import Listener
from trainables.lazy import lazy_names

if TYPE_CHECKING:
    from study.notebook import Results
else:
    __getattr__ = lazy_names(__name__, {"notebook": "Results"})

__all__ = ["InputError", "Listener", "Results", "StudyFailed", "run"]
