"""What may import what: rooms one way, no circle of files, training without Ray and Optuna, names without torch."""

import ast
import functools
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("trainables", "search_spaces", "study", "analysis")
# Who may import whom; a folder is read by a person in this order.
MAY_IMPORT = {
    "trainables": set(),
    "search_spaces": set(),
    "study": {"trainables", "search_spaces"},
    "analysis": {"trainables", "study"},
}
CORE_NEEDS = {"torch", "torchvision", "numpy", "scipy", "sklearn", "PIL"}
OPTIONAL = {"pyautoattack", "timm"}  # extras of pyproject.toml that are not locked, imported where they are used
ORACLES = {"imagecorruptions", "captum", "foolbox", "hypothesis", "pytest"}
HEAVY = {"torch", "torchvision", "numpy", "scipy", "sklearn", "pandas", "matplotlib", "ray", "optuna"}

# None in sys.modules is Python's own mark of a module that cannot be imported, for import and find_spec alike.
IMPORT_WITHOUT = """
import importlib, sys

sys.modules.update(dict.fromkeys(["ray", "optuna", "pandas", "matplotlib"]))
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{name}: {error!r}")
"""


def modules_of(package):
    """A package and everything in it, by name; nothing is imported."""
    names = [package]
    for found in pkgutil.iter_modules([str(ROOT / package.replace(".", "/"))]):
        name = f"{package}.{found.name}"
        names += modules_of(name) if found.ispkg else [name]
    return names


def imports_of(package):
    """(file, imported top-level name) for every import statement of a package, at any depth."""
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((str(path.relative_to(ROOT)), alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                yield str(path.relative_to(ROOT)), node.module.partition(".")[0]


def run_python(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LIGHT = [
    name
    for name in modules_of("trainables")
    if name
    in {
        "trainables",
        "trainables.choices",
        "trainables.config",
        "trainables.data.datasets",
        "trainables.models.registry",
    }
    or (name.startswith("trainables.methods") and name.rpartition(".")[2] not in {"bottleneck", "contrast"})
]


def test_training_core_imports_without_ray_optuna_pandas_and_matplotlib():
    assert run_python(IMPORT_WITHOUT, *modules_of("trainables")) == ""


# What help, plans, listings and checks of the options need; the rest of `study` brings torch, Ray or Optuna along.
LIGHT_STUDY = [
    name
    for name in modules_of("study")
    if not name.startswith(("study.ray_tune.", "study.search."))
    and name.rpartition(".")[2]
    not in {
        "driver", "phases", "worker", "datasets", "confirm", "gpu_sharing", "work_folder", "race", "posterior",
        "points", "marginal", "probe", "network",
    }
] + ["study.confirm", "study.race", "study.ray_tune.settings", "study.search.halving"]  # fmt: skip


@pytest.mark.parametrize("name", [*LIGHT, *LIGHT_STUDY, *modules_of("search_spaces")])
def test_light_modules_load_nothing_heavy(name):
    loaded = set(run_python(f"import sys, {name}; print(*sys.modules)").split())
    assert loaded & HEAVY == set()


# Rooms from the ground up. A file may import from its own room, and from the floors below its own.
FLOORS = {
    "trainables": [
        {"lazy"},
        {"functional", "options", "choices", "disk"},
        {"data", "corruptions"},
        {"models"},
        {"attacks"},
        {"methods"},
        {"config", "measures"},
        {"training"},
        {"evaluate"},
        {"__main__"},
    ],
    "search_spaces": [{"spaces"}, {"cheapest", "describe"}, {"__main__"}],
    "study": [
        {"errors", "commands", "ending"},
        {"files"},
        {"papers"},
        {"config"},
        {"workers"},
        {"race", "search"},
        {"confirm"},
        {"ray_tune"},
        {"display", "export"},
        {"network"},
        {"notebook"},
        {"phases"},
        {"driver"},
        {"run"},
        {"doctor", "__main__"},
    ],
    "analysis": [
        {"inputs"},
        {"comparisons"},
        {"figures", "tables"},
        {"diagnostics", "report"},
        {"notebooks"},
        {"__main__"},
    ],
}


@functools.cache
def graph():
    """Which modules each module of the product and of the benchmarks imports, at any depth, lazily or not."""
    names = {name for package in (*PACKAGES, "benchmarks") for name in modules_of(package)}
    found = {}
    for name in names:
        path = ROOT.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        imported = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                imported |= (inner & names) | ({node.module} if inner - names else set())
        found[name] = imported & names - {name}
    return found


def room(name):
    """The room of a module: the folder or file right below its package."""
    return name.split(".")[1] if "." in name else ""


def circles(imports):
    """The modules in circles, and their importers: modules without imports go until every one left has some."""
    left = dict(imports)
    while leaves := {name for name, targets in left.items() if not targets & left.keys()}:
        left = {name: targets for name, targets in left.items() if name not in leaves}
    return sorted(left)


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_import_from_the_floors_below_them(package):
    floor = {name: level for level, rooms in enumerate(FLOORS[package]) for name in rooms}
    inside = [name for name in graph() if name.startswith(f"{package}.")]
    assert {room(name) for name in inside} == set(floor)
    against = [
        f"{name} -> {target}"
        for name in inside
        for target in graph()[name]
        if target.startswith(f"{package}.") and room(target) != room(name) and floor[room(target)] >= floor[room(name)]
    ]
    assert against == []


def test_no_files_import_each_other_in_a_circle():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": set()}) == ["a", "b", "c", "d"]
    assert circles(graph()) == []


def test_packages_import_each_other_one_way():
    against = [
        f"{name} -> {target}"
        for name, targets in graph().items()
        for target in targets
        if (own := name.partition(".")[0]) in MAY_IMPORT and target.partition(".")[0] not in {own, *MAY_IMPORT[own]}
    ]
    assert against == []


def test_rooms_and_files_have_a_size_that_a_reader_can_hold():
    folders = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    modules = {folder: len(list(folder.glob("*.py"))) - 1 for folder in folders}  # without __init__.py
    full = [str(folder.relative_to(ROOT)) for folder, count in modules.items() if count > 14]
    assert full == ["trainables/methods"]
    files = [path for folder in folders for path in folder.glob("*.py")]
    long = [path.name for path in files if len(path.read_text(encoding="utf-8").splitlines()) > 350]
    assert long == []


def test_training_core_imports_only_what_the_floor_environment_has():
    allowed = CORE_NEEDS | OPTIONAL | {"trainables"} | sys.stdlib_module_names
    assert [(path, name) for path, name in imports_of("trainables") if name not in allowed] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_product_imports_no_oracle_of_its_tests(package):
    assert [(path, name) for path, name in imports_of(package) if name in ORACLES] == []


ANALYSE_WITHOUT = """
import importlib, sys

sys.modules.update(dict.fromkeys(["torch", "torchvision", "ray"]))
for name in sys.argv[1:]:
    importlib.import_module(name)
from analysis.inputs.studies import read_folder
from analysis.tables.registry import TABLES

runs = read_folder("results/fashion-4N").runs
print(sum(len(table(runs)) > 0 for table in TABLES.values()), len(TABLES), "optuna" in sys.modules)
"""


def test_analysis_imports_and_makes_its_tables_without_torch_and_ray():
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    notebooks = {f"analysis.notebooks.{path.stem}" for path in (ROOT / "analysis" / "notebooks").glob("*.ipynb")}
    names = [name for name in modules_of("analysis") if not name.endswith("__main__") and name not in notebooks]
    with_rows, tables, optuna = run_python(ANALYSE_WITHOUT, *names, "analysis.__main__").split()
    assert with_rows == tables
    assert optuna == "False"  # only the figure of importance needs it


def test_analysis_names_torch_and_ray_nowhere():
    assert {name for _, name in imports_of("analysis")} & {"torch", "torchvision", "ray"} == set()


@pytest.mark.parametrize(("package", "home"), [("ray", "study/ray_tune/"), ("optuna", "study/search/")])
def test_in_a_study_ray_and_optuna_each_have_one_home(package, home):
    files = {path for path, name in imports_of("study") if name == package}
    assert files
    assert {path for path in files if not path.startswith(home)} == set()


def test_ray_settings_are_made_by_a_call_and_not_by_an_import(monkeypatch):
    monkeypatch.delenv("TUNE_GLOBAL_CHECKPOINT_S", raising=False)  # other tests of this process may have made them
    code = "import os, study.ray_tune.tuner as t; print('TUNE_GLOBAL_CHECKPOINT_S' in os.environ)"
    assert run_python(code) == "False"
    assert run_python("from study.ray_tune.settings import configure as c; c();" + code) == "True"
