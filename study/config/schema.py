"""The JSON Schema of study.json, made from the options; `python -m study.config.schema` writes it anew, and with it
the typed options of `study.run`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.config import signature
from study.config.study_config import MOMENTARY, STUDY_FIELDS, TRIAL_FIELDS
from study.files.study_json import STUDY_ENTRIES
from trainables.methods import METHODS
from trainables.options import Option

KINDS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", tuple: "array",
         dict: "object", list: "array"}  # fmt: skip
OTHERWISE: dict[str, dict[str, Any]] = {  # options that study.json writes in another form than their type
    "budget": {"type": ["string", "null"], "pattern": "^[0-9.]+N$"},
    "fix": {"type": "object"},
    "milestones": {"type": "array", "items": {"type": "integer", "minimum": 1}},
}


def schema() -> dict[str, Any]:
    """The schema, with the help text of each option as its description."""
    entries = {name: {**_type(entry.kinds), "description": entry.meaning} for name, entry in STUDY_ENTRIES.items()}
    trial = _object(TRIAL_FIELDS) | {"description": "what a trial trains"}
    options = _object({name: each for name, each in STUDY_FIELDS.items() if name not in MOMENTARY})
    options["properties"] |= {
        "trial": trial,
        "given": {"type": "array", "items": {"enum": [*TRIAL_FIELDS]}, "description": "fields of trial asked for"},
        "methods": {"type": "array", "items": {"enum": [*METHODS]}, "minItems": 1},
        "tensorboard": {"type": "boolean", "description": "of older studies; now a logger"},
    }
    entries["options"] = {**options, "required": ["budget", "trial"], "description": STUDY_ENTRIES["options"].meaning}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "study.json",
        "description": "What a study was asked for, on which machine, with which code and data",
        "type": "object",
        "properties": entries,
        "required": ["options", "state"],
    }


def _type(kinds: tuple[type, ...]) -> dict[str, Any]:
    return {"type": [*dict.fromkeys(KINDS[kind] for kind in (*kinds, type(None)))]}


def _object(options: Mapping[str, Option]) -> dict[str, Any]:
    properties = {name: _property(each) for name, each in options.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _property(each: Option) -> dict[str, Any]:
    found: dict[str, Any] = OTHERWISE.get(each.name) or _plain(each)
    return {**found, "description": each.help}


def _plain(each: Option) -> dict[str, Any]:
    names = [KINDS[kind] for kind in each.types if kind in KINDS]
    if "number" in names and "integer" in names:
        names.remove("integer")
    if each.choices:
        return {"enum": [*each.choices, *([None] if "null" in names else [])]}
    if "array" in names:
        return {"type": "array", "items": {"type": KINDS[each.of or str]}}
    limits = {"minimum": each.low, "maximum": each.high, "exclusiveMinimum": each.above}
    return {"type": names, **{name: value for name, value in limits.items() if value is not None}}


def text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    here = Path(__file__)
    here.with_name("study.schema.json").write_text(text(), encoding="utf-8")
    here.with_name("typed_options.py").write_text(signature.text(), encoding="utf-8")
