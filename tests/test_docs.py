"""What the pages say exists: links, files, make targets, options, and an entry for each open place of the papers."""

import re
import subprocess
import typing
from pathlib import Path

import pytest

from study.config.study_config import Study
from trainables.config import TrialConfig
from trainables.methods import METHODS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "results" / "README.md"]
CODE = [path for folder in ("trainables", "study", "analysis", "search_spaces", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))]  # fmt: skip
NUMBER = re.compile(r"\bA\d{1,2}\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
    for link in links:
        assert link.startswith("https://") or (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page):
    named = re.findall(r"`((?:docs|results|benchmarks|analysis|study|trainables|tests)/[\w./-]+)`", page.read_text())
    for name in named:
        there = (ROOT / name).exists() or (page.parent / name).exists()
        assert there or "NAME" in name, name


def test_make_targets_that_are_named_are_there():
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE)) <= known, page


def test_every_open_place_that_the_code_names_is_explained():
    explained = NUMBER.findall((ROOT / "docs" / "decisions.md").read_text())
    assert set(explained) >= {f"A{number}" for number in range(1, 65)}
    assert {number for path in CODE for number in NUMBER.findall(path.read_text())} <= set(explained)


def test_options_of_the_decisions_can_be_given():
    text = (ROOT / "docs" / "decisions.md").read_text()
    fields = {name for kind in (*METHODS.values(), TrialConfig, Study) for name in typing.get_type_hints(kind)}
    cells = re.findall(r"^\| A.*\| (.*) \|$", text, re.MULTILINE)
    values = re.findall(r"`([a-z_]+)(?:=([a-z_0-9]+))?`", "\n".join(cells))
    assert {name for name, _ in values} <= fields
    source = "\n".join(path.read_text() for path in CODE)
    assert all(f'"{value}"' in source or value == "false" for _, value in values if value)


def test_no_page_names_a_machine():
    files = subprocess.run(["git", "-C", ROOT, "ls-files", "*.md"], capture_output=True, text=True, check=True)
    for name in files.stdout.split():
        assert not re.search(r"/(home|root|work)/", (ROOT / name).read_text()), name
