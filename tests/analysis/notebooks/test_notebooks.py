"""The notebooks are thin, lie beside what they show, and show the same each time they are executed."""

import ast
import re

import pytest

from analysis.figures.registry import FIGURES
from analysis.notebooks.execute import execute, main, scripts
from analysis.tables.long_tables import BESIDE
from analysis.tables.registry import TABLES

jupytext = pytest.importorskip("jupytext")
SCRIPTS = scripts()
NAMES = {
    "sensitivity",
    "uncertainty_metric",
    "cost_tradeoff",
    "ablation",
    "study_overview",
    "robustness",
    "from_python",
}


def code_cells(script):
    return [cell.source for cell in jupytext.read(script).cells if cell.cell_type == "code"]


def test_there_are_seven_notebooks_of_one_question_each():
    assert {script.stem for script in SCRIPTS} == NAMES
    titles = [jupytext.read(script).cells[0].source.splitlines()[0] for script in SCRIPTS]
    assert all(re.fullmatch(r"# .+\?", title) for title in titles)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_executed_notebook_has_the_cells_of_its_script(script):
    executed = jupytext.read(script.with_suffix(".ipynb"))
    plain = jupytext.read(script)
    assert [(cell.cell_type, cell.source) for cell in executed.cells] == [
        (cell.cell_type, cell.source) for cell in plain.cells
    ]
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in code)
    assert [out for cell in code for out in cell.outputs if out.output_type in ("error", "stream")] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_cells_are_a_few_lines_with_no_logic(script):
    for source in code_cells(script):
        assert len(source.splitlines()) <= 5
        for statement in ast.parse(source).body:
            assert isinstance(statement, ast.ImportFrom | ast.Assign | ast.Expr), source


def test_every_table_and_figure_is_shown_in_a_notebook():
    text = "\n".join(source for script in SCRIPTS for source in code_cells(script))
    # Of the tables in BESIDE a study has one at most; all settings by cost have a function of their own.
    assert set(re.findall(r'show_table\("([^"]+)"', text)) == set(TABLES) - set(BESIDE) - {"cost"}
    assert "show_settings(" in text
    assert set(re.findall(r'show_figure\("([^"]+)"', text)) == set(FIGURES)


def test_executed_notebooks_hold_no_time_and_no_path_of_a_machine():
    for script in SCRIPTS:
        text = script.with_suffix(".ipynb").read_text()
        assert "execution" not in re.sub(r'"execution_count": (\d+|null)', "", text)
        assert not re.search(r'"/(home|root|tmp|work|Users)/', text)


def test_wrong_results_are_one_line_and_exit_code_2(tmp_path, capsys):
    assert main([str(tmp_path / "nothing")]) == 2
    assert main(["a", "b"]) == 2
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_executing_again_gives_the_bytes_of_the_stored_notebook(script, tmp_path):
    assert execute(script, tmp_path).read_bytes() == script.with_suffix(".ipynb").read_bytes()
