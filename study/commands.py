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
    """The console script if it runs, else the module of an installed package, else the script of a checkout."""
    script, here = Path(sys.argv[0] if sys.argv else ""), Path(__file__).resolve()
    if script.stem == SCRIPT:
        found = shutil.which(SCRIPT)
        return [SCRIPT] if found and os.path.samefile(found, script) else [str(script.absolute())]
    if here.parents[1].name == "code" and here.parents[2].name == SCRIPT:
        return [sys.executable, "-m", SCRIPT]
    return [sys.executable, str(here.with_name("run.py"))]


def _word(word: object) -> str:
    return str(word.absolute()) if isinstance(word, Path) else str(word)
