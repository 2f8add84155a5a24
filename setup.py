"""Where the packages lie: an editable installation puts this folder on the path, and a wheel keeps them all under one
name, so that nothing called `study` or `analysis` appears beside the packages of somebody else."""

import sys

from setuptools import find_packages, setup

TOPS = ("trainables", "search_spaces", "study", "analysis")
DATA = {
    "analysis": ["published/*.csv"],
    "analysis.report": ["*.html", "*.css"],
    "study": ["grafana/*", "clusters/*", "config/*.json"],
    "trainables.data": ["fashion.npz", "fashion.LICENSE"],
}

found = find_packages(include=[pattern for top in TOPS for pattern in (top, f"{top}.*")])
if "bdist_wheel" in sys.argv:
    inside = {name: f"entprop.code.{name}" for name in found}
    setup(
        packages=["entprop", *inside.values()],
        package_dir={"entprop": "entprop", **{there: name.replace(".", "/") for name, there in inside.items()}},
        package_data={"entprop": ["py.typed"], **{inside[name]: files for name, files in DATA.items()}},
    )
else:  # one line on the path instead of an import hook: a new package is found at once
    setup(packages=["entprop", *found], package_dir={"": "."}, package_data=DATA)
