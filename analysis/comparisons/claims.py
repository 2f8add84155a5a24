"""What the EntProp paper says of two of its settings, and whether our runs say so too.

A claim is that one row of a published table lies above another in H, or under PGD-20. Ours is the difference of the
two settings over their common seeds, for each data set and protocol on which both were run. It holds if the first is
significantly higher, fails if it is significantly lower, after Holm's correction over all claims that are judged
together, and is open otherwise: then these seeds cannot tell.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import pandas as pd

from analysis.comparisons.attacks import nearest_attack, printed_vanilla
from analysis.comparisons.settings import settings
from analysis.inputs.published import path_of, published
from study.confirm.comparisons import (
    HIGHER,
    LOWER,
    Judged,
    PairedTest,
    Protocol,
    Setting,
    by_place,
    judge,
    method_key,
    method_of_setting,
    paired_test,
)
from study.papers.expand import cells_at

HOLDS, FAILS, OPEN = "holds", "fails", "open"
WORDS = {HIGHER: HOLDS, LOWER: FAILS}


class Claim(NamedTuple):
    """The row `above` of a published table lies above the row `below`."""

    text: str
    table: str
    above: str
    below: str
    measure: str = "h"


PGD = "PGD-20"  # of the radii that were run, the one at which vanilla is nearest its printed accuracy (A19)
CLAIMS = (
    Claim("EntProp (0.2, 1) is above vanilla", "entprop/2", "EntProp (0.2, 1)", "Vanilla"),
    Claim("EntProp (0.6, 5) is above vanilla", "entprop/2", "EntProp (0.6, 5)", "Vanilla"),
    Claim("MixProp is above vanilla", "entprop/2", "MixProp", "Vanilla"),
    Claim("EntProp (0.2, 1) is above Fast AdvProp, which costs the same", "entprop/2", "EntProp (0.2, 1)",
          "Fast AdvProp"),
    Claim("EntProp (0.6, 5) at 4N is above AdvProp at 7N", "entprop/2", "EntProp (0.6, 5)", "AdvProp"),
    Claim("EntProp (0.2, 1) is above mixup alone (not printed; otherwise its gain is mixup's)", "entprop/2",
          "EntProp (0.2, 1)", "Mixup alone"),
    Claim("EntProp (0.6, 1) is above mixup alone (not printed)", "entprop/2", "EntProp (0.6, 1)", "Mixup alone"),
    Claim("EntProp (0.2, 5) is above mixup alone (not printed)", "entprop/2", "EntProp (0.2, 5)", "Mixup alone"),
    Claim("EntProp (0.6, 5) is above mixup alone (not printed)", "entprop/2", "EntProp (0.6, 5)", "Mixup alone"),
    Claim("a larger share is better: k = 0.6 above k = 0.2", "entprop/16", "k=0.6", "k=0.2"),
    Claim("… and k = 0.2 above k = 0.1", "entprop/16", "k=0.2", "k=0.1"),
    Claim("under PGD-20, k = 1 is above vanilla", "entprop/16", "k=1", "k=0 (Vanilla)", PGD),
    Claim("… and above k = 0.1", "entprop/16", "k=1", "k=0.1", PGD),
    Claim("… and above mixup alone (not printed)", "entprop/16", "k=1", "Mixup alone", PGD),
    Claim("more attack steps are better: n = 5 above n = 1 at k = 0.6", "entprop/17", "n=5", "n=1"),
    Claim("entropy is above the margin as measure of uncertainty", "entprop/8", "entropy", "margin"),
    Claim("entropy is above cross-entropy", "entprop/8", "entropy", "cross_entropy"),
    Claim("confidence is above entropy", "entprop/8", "confidence", "entropy"),
    Claim("MixUp is above CutMix inside EntProp", "entprop/9", "MixUp", "CutMix"),
    Claim("selection alone is above vanilla", "entprop/7", "selection", "Vanilla"),
    Claim("MixUp adds to selection", "entprop/7", "selection, MixUp", "selection"),
    Claim("the free attack adds to selection", "entprop/7", "selection, free attack", "selection"),
    Claim("the free attack adds to selection and MixUp", "entprop/7", "selection, MixUp, free attack",
          "selection, MixUp"),
    Claim("under PGD-20, selection with the free attack is above vanilla", "entprop/11", "selection, free attack",
          "Vanilla", PGD),
    Claim("… and above the same with MixUp", "entprop/11", "selection, free attack", "selection, MixUp, free attack",
          PGD),
    Claim("… entropy is above the margin", "entprop/11", "selection, MixUp, free attack", "all, margin", PGD),
    Claim("EntProp (0.2, 1) is above Fast AdvProp with MixUp, which costs the same", "entprop/13", "EntProp (0.2, 1)",
          "Fast AdvProp with MixUp"),
    Claim("AdvProp with EntProp's selection and MixUp, 4.6N, is above AdvProp, 7N", "entprop/15",
          "AdvProp with EntProp selection", "AdvProp"),
    Claim("most uncertain is above random selection at k = 0.2, without MixUp and attack", "entprop/figure4",
          "k=0.2, highest entropy", "k=0.2, random"),
)  # fmt: skip


class JudgedClaim(NamedTuple):
    """A claim on one of our data sets; without runs of both settings nothing is judged."""

    claim: Claim
    printed: float | None  # the printed difference, a mean where several data sets or networks are printed
    place: Protocol | None = None
    judged: Judged | None = None
    configs: tuple[str, str] | None = None  # identities of its two settings
    measure: str = "h"

    @property
    def verdict(self) -> str:
        return "not run" if self.judged is None else WORDS.get(self.judged.verdict, OPEN)


def judge_claims(runs: pd.DataFrame) -> list[JudgedClaim]:
    """Every claim on every data set and protocol of ours that has both of its settings, or once without any."""
    places = by_place(settings(runs))
    found = [(claim, tested) for claim in CLAIMS for tested in tests_of(claim, places)]
    judged = judge([tested.test for _, tested in found], "claims")
    ours = [
        JudgedClaim(claim, printed_difference(claim), tested.place, each, tested.configs, tested.measure)
        for (claim, tested), each in zip(found, judged, strict=True)
    ]
    return [
        each
        for claim in CLAIMS
        for each in [found for found in ours if found.claim is claim] or [JudgedClaim(claim, printed_difference(claim))]
    ]


class Tested(NamedTuple):
    """The paired test of a claim at one place, the identities of its two settings, and what was measured."""

    place: Protocol
    test: PairedTest
    configs: tuple[str, str]
    measure: str


def tests_of(claim: Claim, places: Mapping[Protocol, Sequence[Setting]]) -> Iterator[Tested]:
    """The paired test of the claim's two settings for each place that has both, with a seed in common."""
    for place, several in places.items():
        keys = {cell.label: method_key(cell.config.method) for cell in cells_at(claim.table, place)}
        known = {method_key(method_of_setting(each)): each for each in several}
        above, below = (known.get(keys.get(label, ())) for label in (claim.above, claim.below))
        if above and below and above is not below:
            measure = measure_at(claim.measure, several)
            ours, theirs = (each.values.get(measure, {}) for each in (above, below))
            if test := paired_test(ours, theirs):
                yield Tested(place, test, (above.row["config"], below.row["config"]), measure)


def measure_at(measure: str, several: Sequence[Setting]) -> str:
    """A measure as the settings of one place have it."""
    return nearest_attack(several, printed_vanilla()) or measure if measure == PGD else measure


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
