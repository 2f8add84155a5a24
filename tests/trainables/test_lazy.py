"""Lazy names of packages: what a type checker reads is what a program finds, and nothing is imported before its use."""

import ast
import importlib
from pathlib import Path

import pytest

PACKAGES = ["attacks", "functional", "models"]


@pytest.mark.parametrize("room", PACKAGES)
def test_a_package_has_the_names_that_type_checkers_read(room):
    package = importlib.import_module(f"trainables.{room}")
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    imports = [node for block in tree.body if isinstance(block, ast.If) for node in block.body]
    typed = {alias.name: node.module for node in imports for alias in node.names}
    listed = ast.literal_eval(next(node for node in ast.walk(tree) if isinstance(node, ast.Dict)))
    assert typed == {name: f"trainables.{room}.{module}" for module in listed for name in listed[module].split()}
    for name, module in typed.items():
        assert getattr(package, name) is getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("room", PACKAGES)
def test_an_unknown_name_is_an_attribute_error(room):
    package = importlib.import_module(f"trainables.{room}")
    with pytest.raises(AttributeError, match=f"module 'trainables.{room}' has no attribute 'nothing'"):
        _ = package.nothing
