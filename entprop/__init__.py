"""The study as an installed package: `entprop.run(budget="4N")`, in a terminal `entprop --budget 4N`.

A wheel holds the packages trainables, search_spaces, study and analysis in the folder `code` beside this file, and they
are importable once this package is imported; in a checkout they lie beside this folder.
"""

import os
import sys
from pathlib import Path

_code = Path(__file__).with_name("code")
if _code.is_dir() and str(_code) not in sys.path:
    sys.path.insert(0, str(_code))
    inherited = os.environ.get("PYTHONPATH")  # by the workers of a study
    os.environ["PYTHONPATH"] = os.pathsep.join([str(_code), *([inherited] if inherited else [])])

from study import InputError, StudyFailed, run  # noqa: E402  now that it can be found

__all__ = ["InputError", "StudyFailed", "run"]
