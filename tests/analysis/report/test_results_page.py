"""The page of what has been shown: every published table has its row, and claims are judged by paired differences."""

import re

import numpy as np
import pytest
from scipy import stats

from analysis.comparisons.claims import CLAIMS, PGD, judge_claims, printed_difference
from analysis.comparisons.settings import settings
from analysis.inputs.several import read_studies
from analysis.inputs.studies import read_folder
from analysis.report.index import index
from analysis.report.results_page import (
    INDEX,
    PAGE,
    README,
    ROOT,
    documentation,
    front,
    least_visible,
    page,
    pictures,
    stored,
)
from study.confirm.comparisons import ALPHA, Interval, paired_test
from study.papers import COMPUTED, GRIDS
from tests.support.analysis_folders import stored as copy_of_a_study
from tests.support.analysis_rows import config, run, runs

BY_TEXT = {claim.text: claim for claim in CLAIMS}
MORE_STEPS = "more attack steps are better: n = 5 above n = 1 at k = 0.6"
ONE, FIVE = (config("entprop", k=0.6, n=n) for n in (1, 5))


def judged(frame, text):
    (found,) = [each for each in judge_claims(frame) if each.claim.text == text]
    return found


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.text)
def test_a_claim_names_two_rows_of_its_table(claim):
    labels = [row.label for row in GRIDS[claim.table].rows]
    assert claim.above in labels
    assert claim.below in labels


def test_the_printed_difference_is_the_mean_over_all_that_is_printed():
    assert printed_difference(BY_TEXT[MORE_STEPS]) == pytest.approx(66.30 - 65.40)
    assert printed_difference(BY_TEXT["MixUp adds to selection"]) is None  # lost
    # CIFAR-100, CUB, Pets and Cars; of ImageNet, AdvProp's H is not printed
    above = BY_TEXT["MixProp is above vanilla"]
    gains = [66.18 - 62.08, 67.70 - 60.85, 72.82 - 64.82, 65.55 - 56.43, 54.23 - 52.07]
    assert printed_difference(above) == pytest.approx(sum(gains) / 5)


@pytest.mark.parametrize(
    ("ones", "fives", "verdict"),
    [
        ((89, 91, 91), (91, 93, 93.1), "holds"),
        ((91, 92, 91), (89, 90, 89.1), "fails"),
        ((90, 92, 90), (92, 91, 90), "open"),
    ],
)
def test_a_claim_holds_fails_or_is_open(ones, fives, verdict):
    rows = [run(method, seed, h) for method, several in ((ONE, ones), (FIVE, fives)) for seed, h in enumerate(several)]
    found = judged(runs(*rows), MORE_STEPS)
    assert found.judged.difference.seeds == 3
    assert found.judged.difference.mean == pytest.approx(sum(fives) / 3 - sum(ones) / 3)
    assert found.verdict == verdict


def test_a_claim_may_be_about_an_attack():
    text = "under PGD-20, k = 1 is above vanilla"
    assert printed_difference(BY_TEXT[text]) == pytest.approx(7.25 - 6.14)
    plain, whole = config("vanilla"), config("entprop", k=1.0, n=1)
    rows = [run(method, seed, 90.0, **{PGD: value + seed}) for method, value in ((plain, 60.0), (whole, 80.0))
            for seed in range(2)]  # fmt: skip
    rows.append(run(whole, 2, 90.0))  # not attacked
    found = judged(runs(*rows), text)
    assert (found.judged.difference.mean, found.judged.difference.seeds) == (20.0, 2)


def test_a_claim_without_runs_of_both_settings_is_not_run():
    assert judged(runs(run(ONE, 0, 90.0)), MORE_STEPS).verdict == "not run"
    different_seeds = runs(run(ONE, 0, 90.0), run(FIVE, 1, 95.0))
    assert judged(different_seeds, MORE_STEPS).judged is None
    one_seed = runs(run(ONE, 0, 90.0), run(FIVE, 0, 95.0))
    assert judged(one_seed, MORE_STEPS).verdict == "open"  # one difference has no interval


def test_the_least_visible_difference_is_found_in_80_of_100_simulated_studies():
    least = least_visible(Interval(0.0, float(stats.t.ppf(0.975, 5)) / 6**0.5, 6))  # six seeds, standard deviation 1
    draws = np.random.default_rng(0).normal(least, 1, (4000, 6))
    assert 0.78 <= np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05) <= 0.82


def test_the_page_has_a_row_for_every_table(tmp_path):
    copy_of_a_study(tmp_path / "small")
    text = page(stored(tmp_path))
    for table in (*GRIDS, *COMPUTED):
        assert text.count(f"\n| {table} | {(COMPUTED if table in COMPUTED else GRIDS)[table].title} |") == 1
    assert "| `results/small` | fashion |" in text
    assert text.count("| computed |") == len(COMPUTED)


def test_the_stored_page_is_that_of_the_stored_studies():
    assert PAGE.read_text() == page(stored(ROOT / "results"))


def test_the_readme_counts_the_claims_as_the_page_does():
    (counts,) = re.findall(r"Of \d+ judged here, .* fails?\.", PAGE.read_text())
    assert counts in README.read_text()


def test_mixup_makes_entprop_more_robust_at_the_radius_that_the_readme_names():
    every = settings(read_folder(ROOT / "results" / "cifar10-entprop-11").done)
    found = {each.why: each.values["PGD20-2:entprop"] for each in every}
    test = paired_test(found["selection, MixUp, free attack"], found["selection, free attack"])
    assert test.difference.low > 0
    assert 57 * test.p < ALPHA
    assert "At 2/255, nearly as close to the printed accuracy, one fails: mixup" in README.read_text()


def test_the_readme_shows_the_final_table_and_the_findings_of_the_stored_studies():
    text, every = README.read_text(), read_studies(stored(ROOT / "results"), mix=True)
    assert front(text, every) == text
    for pattern in (r"(?m)^vanilla: .*$", r"(?m)^\| mixup alone − vanilla, H.*$"):
        spoilt = re.sub(pattern, "99.99", text)
        assert spoilt != text
        assert front(spoilt, every) == text


def test_the_index_names_every_page_with_its_first_sentence():
    text = INDEX.read_text()
    assert text == index(ROOT, documentation())
    assert len(re.findall(r"^- \[.+\]\(.+\.md\): .{20,}$", text, re.MULTILINE)) == len(documentation())


def test_the_pictures_of_the_readme_are_those_of_the_stored_studies():
    drawn = pictures()
    shown = set(re.findall(r'src="([^"]+)"', README.read_text()))
    assert {f"docs/figures/{path.name}" for path in drawn} == shown - {"docs/figures/entprop-step.svg"}
    for path, text in drawn.items():
        assert path.read_text() == text, path
