"""The options of `study.run` as parameters with types, for completion in notebooks and editors."""

import inspect
from typing import Any

from study.config.study_config import MOMENTARY, STUDY_FIELDS, TRIAL_FIELDS
from trainables.options import Option

FURTHER = {  # options of a call that are no fields of the study
    "resume": ("str", "resume the study in this folder"),
    "extend": ("int", "with resume: run this many more trials"),
    "retry_failed": ("bool", "with resume: train failed trials and confirmation runs again"),
    "like": ("str", "read options from a study.json or a YAML file; other options override them"),
}
OBJECTS = ("sampler", "scheduler")  # these may also be objects of Optuna and of Ray Tune
KINDS = {"total_budget": "str | float | None", "fix": "str | Mapping[str, Any]"}
WORDS = {int: "int", float: "float", bool: "bool", str: "str", type(None): "None"}
HEADER = '''"""The options of `study.run`, made from those of the command line by `python -m study.config.schema`."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class Options(TypedDict, total=False):
    """Every option of the command line, texts as there or values of Python."""
'''


def options() -> dict[str, tuple[str, str]]:
    """The type and the help text of each option."""
    known = {**STUDY_FIELDS, **TRIAL_FIELDS}
    fields = {name: each for name, each in known.items() if name not in (*MOMENTARY, "budget")}
    shown = {name: (_kind(each), each.help) for name, each in fields.items()}
    momentary = {name: (_kind(STUDY_FIELDS[name]), STUDY_FIELDS[name].help) for name in ("quiet", "probe")}
    return {**shown, **momentary, **FURTHER}


def signature(own: inspect.Signature) -> inspect.Signature:
    """The signature of a function that takes the options as `**options`, with each as a parameter of its own."""
    before = [each for each in own.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    kind = inspect.Parameter.KEYWORD_ONLY
    further = [inspect.Parameter(name, kind, default=_default(name), annotation=types)
               for name, (types, _) in options().items()]  # fmt: skip
    return own.replace(parameters=[*before, *further])


def _default(name: str) -> Any:
    each = {**STUDY_FIELDS, **TRIAL_FIELDS}.get(name)
    return None if each is None else each.default


def _kind(each: Option) -> str:
    if each.name in KINDS:
        return KINDS[each.name]
    kinds = [WORDS[kind] for kind in each.types if kind in WORDS and kind is not type(None)]
    if each.choices and not each.of:
        names = ", ".join(f'"{choice}"' for choice in each.choices)
        kinds = [f"Literal[{names}]", *(["Any"] if each.name in OBJECTS else [])]
    elif tuple in each.types:
        kinds = ["str", f"Sequence[{WORDS[each.of or str]}]"]
    elif each.read:
        kinds.append("str")  # `auto`
    return " | ".join([*kinds, *(["None"] if type(None) in each.types else [])])


def text() -> str:
    """The module of typed options."""
    lines = [f"    {name}: {types}\n" for name, (types, _) in options().items()]
    return HEADER + "\n" + "".join(lines)
