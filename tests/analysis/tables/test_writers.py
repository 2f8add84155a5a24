"""A table is the same in Markdown, LaTeX and CSV; what is best is bold, and the caption says which test was made."""

import csv
import io
import shutil
import subprocess

import pytest

from analysis.comparisons.settings import records
from analysis.tables.columns import NONE
from analysis.tables.layout import layout
from analysis.tables.registry import COMPARED, TABLES
from analysis.tables.writers import latex, markdown, write_table
from tests.support.analysis_rows import config, five_rows, run, runs

NO_RUNS = runs()

PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[landscape,margin=1cm]{geometry}
\usepackage{booktabs}
\usepackage{graphicx}
\begin{document}
"""


def texts(found, header):
    """The cells of one column of the first block, by the text of the first."""
    index = found.header.index(header)
    return {row[0].text: row[index] for row in found.blocks[0].rows}


def six_seeds():
    """By seed: vanilla 90, 90.1, 90.2 twice; mixup 93 and 93.1 in turn; EntProp 93.02 three times, then 93.12."""
    rows = [run(config("vanilla"), seed, 90 + seed % 3 / 10) for seed in range(6)]
    rows += [run(config("mixup"), seed, 93 + seed % 2 / 10) for seed in range(6)]
    rows += [run(config("entprop", k=0.2, n=1), seed, 93.02 + seed // 3 / 10) for seed in range(6)]
    return layout("entprop/2", TABLES["entprop/2"](runs(*rows)))


def test_cells_hold_means_with_intervals_and_marks():
    found = six_seeds()
    # half widths: t(5) = 2.5706 times sd / sqrt(6), with sd² = 0.04/5 of vanilla, 0.055/5 and 0.02/5 of the differences
    assert texts(found, "H")["Vanilla"].text == "90.10 ± 0.09"
    assert texts(found, "− Vanilla")["EntProp (0.2, 1)"].text == "+2.97 ± 0.11*"
    assert texts(found, "− Mixup")["EntProp (0.2, 1)"].text == "+0.02 ± 0.07"
    assert "difference" not in found.header  # digits are not the printed data set
    assert texts(found, "printed H")["EntProp (0.6, 1)"].text == "66.12‡"


def test_why_a_protocol_is_not_the_same_stands_once_below_the_table():
    found = six_seeds()
    assert {cell.text for cell in texts(found, "same protocol").values()} == {"no (a)", NONE}
    assert found.notes[0].startswith("(a) digits instead of CIFAR-100; ")
    assert sum("instead of" in note for note in found.notes) == 1


def test_best_of_a_block_is_bold_with_all_that_is_not_shown_to_be_worse():
    found = six_seeds()
    ranks = {name: cell.rank for name, cell in texts(found, "H").items() if cell.text != NONE}
    assert ranks == {"Vanilla": 0, "Mixup alone (added)": 1, "EntProp (0.2, 1)": 1}  # mixup is not shown to be worse
    assert r"\textbf{93.07 $\pm$ 0.06}" in latex(found)
    assert r"\textbf{93.05 $\pm$ 0.06}" in latex(found)
    assert r"\underline{" in latex(found)  # the second of the printed numbers
    assert "**93.07 ± 0.06**" in markdown(found)


def test_a_difference_to_a_printed_number_of_another_protocol_is_in_brackets():
    frame, (vanilla, *_) = five_rows("entprop/2")
    assert texts(layout("entprop/2", TABLES["entprop/2"](frame)), "difference")[vanilla].text == "(−1.08)"


def test_one_seed_is_ranked_with_no_interval_and_no_mark():
    rows = [run(config("vanilla"), 0, 90.0), run(config("entprop", k=0.2, n=1), 0, 95.0)]
    found = layout("entprop/2", TABLES["entprop/2"](runs(*rows)))
    assert texts(found, "− Vanilla")["EntProp (0.2, 1)"].text == "+5.00"
    assert "No test was made: it needs 3 common seeds" in found.caption


def test_caption_names_test_seeds_and_correction():
    assert (
        "* differs from Vanilla, † differs from Mixup alone: two-sided paired t test over the 6 common seeds, "
        "p below 0.05 after correction (Holm over 3 comparisons with the baselines)."
    ) in six_seeds().caption


def test_caption_names_paper_table_and_page():
    assert "Printed: EntProp, UAI 2024, table 2, page 6." in six_seeds().caption
    assert "No published numbers exist." in layout("entprop/epsilon", TABLES["entprop/epsilon"](NO_RUNS)).caption
    assert "page" not in layout("mixprop/4", TABLES["mixprop/4"](NO_RUNS)).caption.split("Cost:")[0]


def test_three_flagged_rows_of_table_2_carry_their_mark_and_its_reason():
    found = layout("entprop/2", TABLES["entprop/2"](NO_RUNS))
    marked = [row[0].text for row in found.blocks[0].rows if row[found.header.index("printed H")].text.endswith("‡")]
    assert marked == ["Fast AdvProp", "EntProp (0.6, 1)", "EntProp (0.2, 5)"]
    assert sum(note.startswith("‡") for note in found.notes) == 3
    assert all("‡" not in cell.text for block in found.blocks[1:] for row in block.rows for cell in row)


def test_table_of_nothing_says_that_nothing_of_ours_is_there():
    found = layout("entprop/16", TABLES["entprop/16"](NO_RUNS))
    assert "No runs of ours yet; python study/run.py --table entprop/16 --scale demo" in found.caption
    assert "SA" not in found.header
    assert "printed SA" in found.header


@pytest.mark.parametrize("table", TABLES)
def test_rows_of_all_writers_agree(table, tmp_path):
    frame = five_rows(table)[0] if table in COMPARED else five_rows("entprop/2")[0]
    filled = TABLES[table](frame)
    found = write_table(table, filled, tmp_path)
    stem = table.replace("/", "-")
    count = sum(len(block.rows) for block in found.blocks)
    assert (tmp_path / f"{stem}.tex").read_text().count(r" \\") == count + 1 + sum(
        bool(b.heading) for b in found.blocks
    )
    cells = [line for line in (tmp_path / f"{stem}.md").read_text().splitlines() if line.startswith("| ")]
    assert len(cells) == count + len(found.blocks) * 2 - sum(not b.rows for b in found.blocks)
    rows = list(csv.DictReader(io.StringIO((tmp_path / f"{stem}.csv").read_text())))
    assert len(rows) == count == len(filled)
    for row, record in zip(rows, records(filled), strict=True):
        assert {name: cell or None for name, cell in row.items()} == {
            name: None if value in (None, "") else str(value) for name, value in record.items()
        }


def test_latex_escapes_what_it_would_read_as_its_own():
    found = layout("entprop/8", TABLES["entprop/8"](NO_RUNS))
    assert r"cross\_entropy" in latex(found)
    assert "cross_entropy" not in latex(found)


@pytest.mark.slow
def test_latex_compiles(tmp_path):
    compiler = next((shutil.which(name) for name in ("tectonic", "pdflatex") if shutil.which(name)), None)
    if compiler is None:
        pytest.skip("needs tectonic or pdflatex")
    tables = [
        layout(name, table(frame)) for name, table in TABLES.items()
        for frame in (NO_RUNS, five_rows(name if name in COMPARED else "entprop/2")[0])
    ]  # fmt: skip
    (tmp_path / "tables.tex").write_text(
        PREAMBLE + "\n\\clearpage\n".join(map(latex, tables)) + "\\end{document}\n", encoding="utf-8"
    )
    flags = [] if compiler.endswith("tectonic") else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run(
        [compiler, *flags, "tables.tex"], cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "tables.pdf").stat().st_size > 10_000
