"""The commands that a study prints: they run as they stand, from any folder, with the interpreter in use."""

import os
import shlex
import shutil
import sys
from pathlib import Path

PROGRAM = "python study/run.py"  # on pages, which know neither folder nor interpreter
SCRIPT = "entprop"  # the console script of an installation


def command(*words: object) -> str:
    """The study's program with these words, quoted for a shell; a path becomes absolute."""
    return shlex.join([*_program(), *map(_word, words)])


def module(name: str, *words: object) -> str:
    """`python -m NAME` with these words, for a package of the project."""
    return shlex.join([sys.executable, "-m", name, *map(_word, words)])


def tool(name: str, *words: object) -> str:
    """A program of another package, of this environment if it is there."""
    beside = Path(sys.executable).with_name(name)
    return shlex.join([str(beside) if beside.is_file() else name, *map(_word, words)])


def _program() -> list[str]:
    script = Path(sys.argv[0]) if sys.argv else Path()
    if script.stem == SCRIPT:
        found = shutil.which(SCRIPT)
        return [SCRIPT] if found and os.path.samefile(found, script) else [str(script.absolute())]
    return [sys.executable, str(Path(__file__).with_name("run.py").resolve())]


def _word(word: object) -> str:
    return str(word.absolute()) if isinstance(word, Path) else str(word)
