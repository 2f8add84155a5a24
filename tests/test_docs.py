"""What the pages say exists: links, files, make targets, options, and an entry for each open place of the papers."""

import re
import subprocess
from pathlib import Path

import pytest

from study.config.budget import format_cost
from study.config.cli import build_parser as study_parser
from study.config.study_config import Study
from study.confirm.comparisons import paired_test, settings_of
from study.display.summary import with_interval
from study.files.results import Results
from trainables.__main__ import build_parser as training_parser
from trainables.config import TrialConfig, make_method
from trainables.evaluate.options import build_parser as evaluation_parser
from trainables.methods import METHODS
from trainables.options import options_of

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "results" / "README.md",
]
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


def option_cells():
    """What the table of open places says about the options that do otherwise."""
    return "\n".join(re.findall(r"^\| A.*\| (.*) \|$", (ROOT / "docs" / "decisions.md").read_text(), re.MULTILINE))


def is_alternative(one, text):
    """Whether an option takes this text as a value other than its default."""
    return text in (one.choices or ("true", "false") * (bool in one.types)) and text != str(one.default).lower()


def test_options_of_the_decisions_take_the_named_value_and_do_not_have_it_by_default():
    kinds = [options_of(kind) for kind in (*METHODS.values(), TrialConfig, Study)]
    named = re.findall(r"`([a-z_]+)(?:=([a-z_0-9]+))?`", option_cells())
    assert len(named) > 20
    for name, value in named:
        owners = [options[name] for options in kinds if name in options]
        assert owners, name
        assert not value or any(is_alternative(one, value) for one in owners), f"{name}={value}"


def test_flags_of_the_decisions_are_those_of_a_command():
    helps = "".join(make().format_help() for make in (study_parser, training_parser, evaluation_parser))
    flags = set(re.findall(r"`(--[a-z-]+)", option_cells()))
    assert len(flags) > 10
    assert flags <= set(re.findall(r"--[a-z-]+", helps))


def test_costs_with_the_defaults_are_those_of_the_methods():
    rows = re.findall(
        r"^\| ([a-z_, ]+) \| .*N.* \| ([\dN., ]+) \|$", (ROOT / "docs" / "usage.md").read_text(), re.MULTILINE
    )
    assert len(rows) > 5
    for names, costs in rows:
        expected = [format_cost(make_method(name, {}).cost) for name in names.split(", ")]
        assert set(costs.split(", ")) == set(expected), names
        assert len(costs.split(", ")) in (1, len(expected)), names


def test_every_method_has_a_row_on_its_page():
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "methods.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(METHODS)


def test_no_page_names_a_machine():
    files = subprocess.run(["git", "-C", ROOT, "ls-files", "*.md"], capture_output=True, text=True, check=True)
    for name in files.stdout.split():
        assert not re.search(r"/(home|root|work)/", (ROOT / name).read_text()), name


def test_what_is_said_of_the_attack_agrees_with_its_study():
    text = (ROOT / "docs" / "decisions.md").read_text().partition("(A1, A2)\n")[2].partition("\n## ")[0]
    rows = Results(ROOT / "results" / "fashion-entprop-epsilon").confirm
    found = {each.why: each for each in settings_of(rows)}
    pgd, letter = found["n=5, epsilon=6, alpha=1"], found["n=5, cumulative attack of Algorithm 1"]
    strong, weak = found["n=1, epsilon=8, alpha=4"], found["n=1, epsilon=1, alpha=1"]
    assert [with_interval(each.interval()) in text for each in (pgd, letter, strong)] == [True] * 3
    for ours, theirs in ((pgd, letter), (letter, found["Mixup alone"]), (strong, weak)):
        difference = paired_test(ours.h, theirs.h).difference
        assert f"{abs(difference.mean):.2f} ± {difference.half:.2f}" in text
