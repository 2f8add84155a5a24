"""Names of a package that are imported when they are first used, since most of them need torch."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package (PEP 562): its names, listed for each of its modules, come from there.

    Nothing is kept in the package, so that a name is always what its module says.
    """
    home = {name: f"{package}.{module}" for module, names in modules.items() for name in names.split()}

    def from_its_module(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(home[name]), name)

    return from_its_module
