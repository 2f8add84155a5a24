"""The summary, the answer of a report, the claims page and the tables' marks give one verdict on the same rows."""

import pytest

from analysis.comparisons.answer import answer
from analysis.comparisons.claims import judge_claims
from analysis.comparisons.settings import records
from analysis.inputs.studies import StudyFrames, frame
from analysis.tables.registry import TABLES
from study.confirm.comparisons import paired_test
from study.display.summary import verdict
from tests.support.analysis_rows import config, run, runs

MIXUP = (90.0, 91.0, 90.5, 91.2, 90.1, 90.7)
BORDERLINE = (0.2, 0.5, 0.1, 0.8, 0.9, -0.05)  # p = 0.04 uncorrected: the interval excludes 0
CLEAR = (1.2, 1.5, 1.1, 1.8, 1.9, 1.0)


def everywhere(gains, order=(1, 0, 3, 2, 5, 4)):
    """What each of the callers says of EntProp (0.2, 1) against mixup alone: beats, worse or not shown."""
    best = [h + gain for h, gain in zip(MIXUP, gains, strict=True)]
    vanilla = [h - gains[place] for h, place in zip(best, order, strict=True)]
    several = {"vanilla": vanilla, "mixup": MIXUP, "best-1": best}
    configs = {"vanilla": config("vanilla"), "mixup": config("mixup"), "best-1": config("entprop", k=0.2, n=1)}
    rows = [run(configs[why], seed, h, why=why) for why, found in several.items() for seed, h in enumerate(found)]
    done = runs(*rows).assign(changes="", table="")
    empty = {name: frame([], name) for name in ("trials", "epochs", "race", "corruptions")}
    folder = StudyFrames("s", {}, runs=done, selections=frame([], "measures"), **empty)
    marks = {}
    for name in ("cost", "entprop/2"):
        line = next(each for each in records(TABLES[name](done)) if each.get("k") == 0.2 or "0.2" in str(each))
        marks[name] = "not shown" if not line["over_mixup_mark"] else "beats" if line["over_mixup"] > 0 else "worse"
    (claim,) = [each for each in judge_claims(done) if each.claim.above == "EntProp (0.2, 1)"
                and each.claim.below == "Mixup alone"]  # fmt: skip
    return {
        "summary": said(verdict(records(done))[2]),
        "answer": said(next(line for line in answer(folder).details if line.startswith("It") and "mixup" in line)),
        "claims": {"holds": "beats", "fails": "worse", "open": "not shown"}[claim.verdict],
        **marks,
    }


def said(text):
    """The verdict of a sentence, which names the family of tests that it was corrected over."""
    assert "mixup alone" in text
    assert "Holm over 3 comparisons with the baselines" in text
    return "not shown" if "is not shown to differ" in text else "beats" if "beats" in text else "worse"


@pytest.mark.parametrize(
    ("gains", "expected"),
    [(CLEAR, "beats"), (BORDERLINE, "not shown"), ([-gain for gain in CLEAR], "worse")],
)
def test_all_callers_give_one_verdict_on_the_same_rows(gains, expected):
    assert set(everywhere(gains).values()) == {expected}


def test_the_borderline_difference_would_be_significant_without_correction():
    found = paired_test(dict(enumerate(BORDERLINE)), dict.fromkeys(range(6), 0.0))
    assert found.difference.low > 0
    assert 0.025 < found.p < 0.05
