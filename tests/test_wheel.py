"""What an installation brings: one name beside the packages of others, and everything that the study needs."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the files that git knows, built without a network."""
    pytest.importorskip("setuptools")
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs the repository")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    kept = ("entprop/", "study/", "trainables/", "search_spaces/", "analysis/", "benchmarks/", "tests/test_")
    for name in listed.split("\0"):
        if name.startswith(kept) or name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    code = f"from setuptools import build_meta; print(build_meta.build_wheel({str(out)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, check=True)
    return next(out.glob("*.whl"))


def test_a_wheel_has_one_name_and_its_data(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"entprop"}
    code = {name.removeprefix("entprop/code/") for name in names}
    needed = {
        "trainables/data/fashion.npz", "trainables/data/fashion.LICENSE", "analysis/published/entprop_16.csv",
        "analysis/report/page.html", "study/config/study.schema.json", "study/grafana/study.json", "study/run.py",
    }  # fmt: skip
    assert needed <= code
    in_repository = {str(path.relative_to(ROOT)) for top in ("study", "trainables", "analysis", "search_spaces")
                     for path in (ROOT / top).rglob("*.py")}  # fmt: skip
    assert in_repository <= code


def test_an_installed_study_plans_and_prints_commands_of_its_own(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # -I would leave out what the tests' own environment has; the site folder comes before the checkout's
    run = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); "
           "from entprop.__main__ import main; sys.exit(main())"]  # fmt: skip
    done = subprocess.run(
        [*run, "--budget", "4N", "--dry-run"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "data     2,000 images of 10 classes" in done.stdout
    listed = subprocess.run(
        [*run, "--tables"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert listed.stdout.splitlines()[-1] == (
        f"the plan of one: {sys.executable} -m entprop --table entprop/16 --scale demo --dry-run"
    )


def test_the_container_is_made_of_files_that_are_there():
    text = (ROOT / "Dockerfile").read_text()
    copied = next(line for line in text.splitlines() if line.startswith("COPY Makefile")).split()[1:-1]
    assert all((ROOT / name).exists() for name in copied)
    assert "make env" in text
    assert "make env" in (ROOT / ".devcontainer" / "devcontainer.json").read_text()
