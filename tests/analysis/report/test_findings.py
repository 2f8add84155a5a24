"""The page of findings agrees with the stored studies, and its sentences with rows made by hand."""

from analysis.comparisons.claims import Claim
from analysis.comparisons.settings import settings
from analysis.inputs.several import read_studies
from analysis.report.findings import _best_and_cheapest, _rates, _steps, findings
from analysis.report.results_page import FINDINGS, ROOT, stored
from study.confirm.comparisons import by_place
from tests.support.analysis_rows import config, run, runs

VANILLA, MIXUP = config("vanilla"), config("mixup")
SMALL, LARGE = config("entprop", k=0.2, n=1), config("entprop", k=0.6, n=1)


def of(method, *values):
    return [run(method, seed, h) for seed, h in enumerate(values)]


def test_the_stored_page_is_that_of_the_stored_studies():
    found = read_studies(stored(ROOT / "results"), mix=True)
    assert FINDINGS.read_text() == findings(found, ROOT / "benchmarks" / "results")


def test_a_difference_is_bold_and_counted_only_if_it_is_significant():
    frame = runs(*of(VANILLA, 70, 71, 72, 73), *of(MIXUP, 74, 75.1, 76, 77), *of(SMALL, 75, 70, 80, 77))
    claims = (
        Claim("mixup", "entprop/16", "Mixup alone", "k=0 (Vanilla)"),
        Claim("EntProp", "entprop/16", "k=0.2", "Mixup alone"),
        Claim("never run", "entprop/16", "k=0.6", "k=0.2"),
    )
    _, table, words = _steps(claims, by_place(settings(frame)), "H")
    assert "| mixup | **+4.02 ± 0.08** |" in table
    assert "| EntProp | −0.02 ± " in table
    assert "never run" not in table
    assert words == "Significant: 1 of 2 on digits."


def test_the_cheapest_setting_that_is_not_shown_to_be_worse_is_found():
    frame = runs(
        *of(VANILLA, 70, 71, 72, 73), *of(SMALL, 75, 80, 70, 77), *of(LARGE, 77, 78, 76, 79),
        *of(MIXUP, 71, 72, 73.1, 74),
    )  # fmt: skip
    best, cheapest = _best_and_cheapest(settings(frame), "h")
    assert best.startswith("entprop k=0.6 n=1 ε=1 entropy, 1.6N: 77.50")
    assert cheapest.startswith("entprop k=0.2 n=1 ε=1 entropy, 1.2N: 75.50")


def test_rates_are_means_over_the_seeds_of_a_benchmark(tmp_path):
    lines = [
        "setting,sa,test fog,test snow",
        '"mixup, lr 0.2",80,70,90',
        '"mixup, lr 0.2",60,50,70',
        '"mixup, lr 0.4",80,80,80',
    ]
    (tmp_path / "confirm-toys.csv").write_text("\n".join(lines))
    _, table = _rates(tmp_path)
    (row,) = [line for line in table.splitlines() if line.startswith("| mixup")]
    assert row.startswith("| mixup | toys | – | 70.00 ± ")
    assert row.endswith("| 80.00 | 2 |")
