"""What the EntProp paper says of two of its settings, and whether our runs say so too.

A claim is that one row of a published table lies above another in H, or under PGD-20. Ours is the difference of the
two settings over their common seeds, for each data set and protocol on which both were run. It holds if the 95 %
interval lies above 0, fails if it lies below, and is open if it holds 0: then these seeds cannot tell.
"""

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import NamedTuple

import pandas as pd

from analysis.comparisons.intervals import Interval
from analysis.comparisons.settings import Protocol, Setting, by_place, compare, method_key, method_of_setting, settings
from analysis.inputs.published import path_of, published
from study.papers.expand import cells_at

HOLDS, FAILS, OPEN = "holds", "fails", "open"


class Claim(NamedTuple):
    """The row `above` of a published table lies above the row `below`."""

    text: str
    table: str
    above: str
    below: str
    measure: str = "h"


PGD = "PGD20-8:entprop"  # of the attacks of our runs the strongest: the paper does not say its radius (A19)
CLAIMS = (
    Claim("EntProp (0.2, 1) is above plain training", "entprop/2", "EntProp (0.2, 1)", "Vanilla"),
    Claim("EntProp (0.6, 5) is above plain training", "entprop/2", "EntProp (0.6, 5)", "Vanilla"),
    Claim("MixProp is above plain training", "entprop/2", "MixProp", "Vanilla"),
    Claim("EntProp (0.2, 1) is above Fast AdvProp, which costs the same", "entprop/2", "EntProp (0.2, 1)",
          "Fast AdvProp"),
    Claim("EntProp (0.6, 5) at 4N is above AdvProp at 7N", "entprop/2", "EntProp (0.6, 5)", "AdvProp"),
    Claim("EntProp (0.2, 1) is above mixup alone (not printed; else its gain is mixup's)", "entprop/2",
          "EntProp (0.2, 1)", "Mixup alone"),
    Claim("EntProp (0.6, 1) is above mixup alone (not printed)", "entprop/2", "EntProp (0.6, 1)", "Mixup alone"),
    Claim("EntProp (0.2, 5) is above mixup alone (not printed)", "entprop/2", "EntProp (0.2, 5)", "Mixup alone"),
    Claim("EntProp (0.6, 5) is above mixup alone (not printed)", "entprop/2", "EntProp (0.6, 5)", "Mixup alone"),
    Claim("a larger share is better: k = 0.6 above k = 0.2", "entprop/16", "k=0.6", "k=0.2"),
    Claim("… and k = 0.2 above k = 0.1", "entprop/16", "k=0.2", "k=0.1"),
    Claim("under PGD-20, k = 1 is above plain training", "entprop/16", "k=1", "k=0 (Vanilla)", PGD),
    Claim("… and above k = 0.1", "entprop/16", "k=1", "k=0.1", PGD),
    Claim("… and above mixup alone (not printed)", "entprop/16", "k=1", "Mixup alone", PGD),
    Claim("more attack steps are better: n = 5 above n = 1 at k = 0.6", "entprop/17", "n=5", "n=1"),
    Claim("entropy is above the margin as measure of uncertainty", "entprop/8", "entropy", "margin"),
    Claim("entropy is above cross-entropy", "entprop/8", "entropy", "cross_entropy"),
    Claim("confidence is above entropy", "entprop/8", "confidence", "entropy"),
    Claim("MixUp is above CutMix inside EntProp", "entprop/9", "MixUp", "CutMix"),
    Claim("selection alone is above plain training", "entprop/7", "selection", "Vanilla"),
    Claim("MixUp adds to selection", "entprop/7", "selection, MixUp", "selection"),
    Claim("the free attack adds to selection", "entprop/7", "selection, free attack", "selection"),
    Claim("the free attack adds to selection and MixUp", "entprop/7", "selection, MixUp, free attack",
          "selection, MixUp"),
    Claim("most uncertain is above random selection at k = 0.2, without MixUp and attack", "entprop/figure4",
          "k=0.2, highest entropy", "k=0.2, random"),
)  # fmt: skip


class Judged(NamedTuple):
    """A claim on one of our data sets; without runs of both settings the difference is missing."""

    claim: Claim
    printed: float | None  # the printed difference, a mean where several data sets or networks are printed
    place: Protocol | None = None
    difference: Interval | None = None

    @property
    def verdict(self) -> str:
        found = self.difference
        if found is None:
            return "not run"
        if found.low is None or found.high is None:
            return OPEN
        return HOLDS if found.low > 0 else FAILS if found.high < 0 else OPEN


def judge(runs: pd.DataFrame) -> list[Judged]:
    """Every claim on every data set and protocol of ours that has both of its settings, or once without any."""
    places = by_place(settings(runs))
    found = []
    for claim in CLAIMS:
        printed = printed_difference(claim)
        ours = [
            Judged(claim, printed, place, paired)
            for place, several in places.items()
            for paired in differences(claim, place, several)
        ]
        found += ours or [Judged(claim, printed)]
    return found


def differences(claim: Claim, place: Protocol, several: Sequence[Setting]) -> Iterator[Interval]:
    """The paired difference of the claim's two settings, if both are there with a seed in common."""
    keys = {cell.label: method_key(cell.config.method) for cell in cells_at(claim.table, place)}
    known = {method_key(method_of_setting(each)): each for each in several}
    above, below = (known.get(keys.get(label, ())) for label in (claim.above, claim.below))
    if above is None or below is None:
        return
    for found in compare([(above, below)], claim.measure):
        yield found.paired.difference


def printed_difference(claim: Claim) -> float | None:
    """How far apart the paper prints the two rows, over all data sets and networks that have both."""
    if not path_of(claim.table).is_file():
        return None
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for row in published(claim.table):
        value = row.pgd20 if claim.measure == PGD else row.h if row.h is not None else row.recomputed_h
        if value is not None and row.model != "average":
            rows.setdefault((row.dataset, row.model), {})[row.label] = value
    both = [each[claim.above] - each[claim.below] for each in rows.values() if {claim.above, claim.below} <= set(each)]
    return fmean(both) if both else None
