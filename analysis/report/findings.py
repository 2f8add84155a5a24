"""docs/findings.md: what the stored studies teach about EntProp, worked out of their rows.

    python -m analysis.report.results_page    # writes it with docs/results.md; part of `make notebooks`

Every sentence that depends on a number is made from it, so that the page agrees with the studies.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from analysis.comparisons.claims import PGD, Claim, tests_of
from analysis.comparisons.settings import settings
from analysis.figures.style import data_name
from analysis.inputs.studies import StudyFrames
from study.config.budget import format_cost
from study.confirm.comparisons import (
    HIGHER,
    LOWER,
    NOT_SHOWN,
    Interval,
    Judged,
    Protocol,
    Setting,
    baseline,
    by_place,
    interval,
    judge,
    paired_test,
)
from study.display.rows import setting

INTRODUCTION = """\
# What the studies teach

Written by `python -m analysis.report.results_page` from the studies in `results/`; `make notebooks` writes it anew.

N is the cost of an epoch of vanilla training. SA is accuracy on clean test images, RA the mean accuracy on 15
corruptions of them, H their harmonic mean, all in percent. EntProp (k, n) sends the share k of each batch, attacked in
n steps, through auxiliary norms. Every difference is paired by seed, with its 95 % confidence interval. **Bold** is
significant: p < 0.05 by a paired t test, after Holm's correction over the table. [results.md](results.md) has the
papers' claims one by one."""

STEPS = (  # what is added, one thing at a time
    Claim("mixup alone, at the cost of vanilla", "entprop/16", "Mixup alone", "k=0 (Vanilla)"),
    Claim("selection alone, k = 0.2: no mixup, no attack", "entprop/7", "selection", "Vanilla"),
    Claim("selection by entropy instead of at random, k = 0.2, no mixup, no attack", "entprop/figure4",
          "k=0.2, highest entropy", "k=0.2, random"),
    Claim("selection on top of mixup, no attack", "entprop/7", "selection, MixUp", "Mixup alone"),
    Claim("the free attack on top of both: EntProp (0.2, 1)", "entprop/7", "selection, MixUp, free attack",
          "selection, MixUp"),
    Claim("a share of 0.6 instead of 0.2", "entprop/16", "k=0.6", "k=0.2"),
    Claim("five attack steps instead of one, at k = 0.6", "entprop/17", "n=5", "n=1"),
    Claim("all of EntProp (0.6, 5) against mixup alone", "entprop/17", "n=5", "Mixup alone"),
    Claim("EntProp (0.2, 1) against mixup alone", "entprop/16", "k=0.2", "Mixup alone"),
    Claim("entropy instead of the margin as uncertainty", "entprop/8", "entropy", "margin"),
    Claim("mixup instead of CutMix inside EntProp", "entprop/9", "MixUp", "CutMix"),
)  # fmt: skip
ATTACKED = (
    Claim("mixup alone against vanilla", "entprop/16", "Mixup alone", "k=0 (Vanilla)", PGD),
    Claim("EntProp (0.2, 1) against mixup alone", "entprop/16", "k=0.2", "Mixup alone", PGD),
    Claim("EntProp (0.6, 1) against mixup alone", "entprop/16", "k=0.6", "Mixup alone", PGD),
    Claim("EntProp (1, 1) against mixup alone", "entprop/16", "k=1", "Mixup alone", PGD),
    Claim("EntProp (1, 1) against vanilla", "entprop/16", "k=1", "k=0 (Vanilla)", PGD),
)
GOALS = (("sa", "SA"), ("ra", "RA"), ("h", "H"), (PGD, "accuracy under PGD-20, ε = 8/255"))
LEAST_SETTINGS = 6  # of a data set, for a recommendation among them
RATES = ("0.1", "0.2", "0.4")


def findings(folder: StudyFrames, benchmarks: Path) -> str:
    """The whole page."""
    places = {place: found for place, found in by_place(settings(folder.done)).items() if not place[4]}
    parts = [INTRODUCTION, "## Where the gain comes from", *_steps(STEPS, places, "H")]
    parts += ["## What the learning rate does", *_rates(benchmarks)]
    parts += ["## Which corruptions", *_corruptions(places)]
    parts += ["## Under attack", *_steps(ATTACKED, places, "accuracy under PGD-20 within 8/255")]
    parts += ["## When to use what", *_goals(places)]
    return "\n\n".join(parts) + "\n"


# --------------------------------------------------------------------------------------------------------- one by one


class Found(NamedTuple):
    """A claim's difference on one data set."""

    claim: Claim
    data: str
    judged: Judged


def _steps(claims: Sequence[Claim], places: Mapping[Protocol, Sequence[Setting]], what: str) -> Iterator[str]:
    """A row for each claim, a column for each data set that has both of its settings."""
    tested = [(claim, data_name(place[0]), test) for claim in claims for place, test in tests_of(claim, places)]
    judged = judge([test for *_, test in tested], "differences")
    found = [Found(claim, data, each) for (claim, data, _), each in zip(tested, judged, strict=True)]
    names = sorted({each.data for each in found})
    cells = {(each.claim.text, each.data): _cell(each.judged) for each in found}
    rows = [[claim.text, *(cells.get((claim.text, name), "–") for name in names)] for claim in claims]
    yield f"Differences in {what}, points:"
    yield _table(("what is added", *names), [row for row in rows if set(row[1:]) != {"–"}])
    yield " ".join(_in_words(found, names))


def _cell(found: Judged) -> str:
    text = _difference(found.difference)
    return f"**{text}**" if found.verdict in (HIGHER, LOWER) else text


def _difference(found: Interval) -> str:
    return f"{found.mean:+.2f}" + (f" ± {found.half:.2f}" if found.half is not None else "")


def _in_words(found: Sequence[Found], names: Sequence[str]) -> Iterator[str]:
    """What is significant and what is not, data set by data set."""
    for name in names:
        for what, verdict in (("higher", HIGHER), ("lower", LOWER), ("not shown to differ", NOT_SHOWN)):
            texts = [each.claim.text for each in found if each.data == name and each.judged.verdict == verdict]
            if texts:
                yield f"On {name}, {what}: {'; '.join(texts)}."


# ----------------------------------------------------------------------------------------------------- learning rates


def _rates(benchmarks: Path) -> Iterator[str]:
    """Mean test H by learning rate, of the runs that compared validation signals."""
    rows, header = [], ("method", "data", *(f"lr {rate}" for rate in RATES), "seeds")
    for path in sorted(benchmarks.glob("confirm-*.csv")):
        by_setting: dict[str, list[float]] = {}
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                by_setting.setdefault(row["setting"], []).append(_h(row))
        for method in ("vanilla", "mixup", "EntProp (0.6, 1), pass_mean"):
            found = [by_setting.get(f"{method}, lr {rate}") for rate in RATES]
            cells = [_mean(interval(each)) if each else "–" for each in found]
            seeds = max(len(each or ()) for each in found)
            rows.append([method, path.stem.removeprefix("confirm-"), *cells, f"{seeds}"])
    yield (
        "At a learning rate of 0.1 neither mixup nor EntProp is tuned, and comparing them says little. So every study "
        "here trains at 0.4, which is best for most methods, and `--controls true` adds vanilla and mixup at half and "
        "twice the rate. Mean H on test images, with the 95 % confidence interval:"
    )
    yield _table(header, rows)


def _h(row: Mapping[str, str]) -> float:
    sa = float(row["sa"])
    ra = fmean(float(value) for name, value in row.items() if name.startswith("test "))
    return 2 * sa * ra / (sa + ra)


def _mean(found: Interval) -> str:
    return f"{found.mean:.2f}" + (f" ± {found.half:.2f}" if found.half is not None else "")


# -------------------------------------------------------------------------------------------------------- corruptions


def _corruptions(places: Mapping[Protocol, Sequence[Setting]]) -> Iterator[str]:
    """By corruption: what mixup adds to vanilla, and the best EntProp of the published settings to mixup."""
    yield "Mean accuracy over five severities, points; bold after Holm's correction over the column:"
    names: list[str] = []
    columns: dict[str, dict[str, Judged]] = {}
    for place, found in places.items():
        vanilla, mixup = baseline(found, "vanilla"), baseline(found, "mixup")
        whole = next((each for each in found if _is_entprop(each, 0.6, 5)), None)
        for above, below, what in ((mixup, vanilla, "mixup − vanilla"), (whole, mixup, "EntProp (0.6, 5) − mixup")):
            if above is None or below is None or len(found) < LEAST_SETTINGS:
                continue
            own = [name for name in above.values if name.startswith("corruption ")]
            tested = [
                (name, test) for name in own if (test := paired_test(above.values[name], below.values.get(name, {})))
            ]
            judged = judge([test for _, test in tested], "corruptions")
            columns[f"{data_name(place[0])}: {what}"] = {
                name: each for (name, _), each in zip(tested, judged, strict=True)
            }
            names += [name for name in own if name not in names]
    rows = [
        [
            name.removeprefix("corruption ").replace("_", " "),
            *(_cell(column[name]) if name in column else "–" for column in columns.values()),
        ]
        for name in names
    ]
    yield _table(("corruption", *columns), rows)


def _is_entprop(found: Setting, k: float, n: int) -> bool:
    """Whether this is EntProp as published with that k and n."""
    row, published = found.row, {"metric": "entropy", "mixing": "mixup", "attack": "pgd", "selection": "top"}
    same = all(row.get(name) == value for name, value in published.items()) and row.get("attack_rule") == "pgd"
    return (
        row["method"] == "entprop"
        and (row["k"], row["n"]) == (k, n)
        and same
        and row["epsilon"] == (1.0 if n == 1 else n + 1)
    )


# -------------------------------------------------------------------------------------------------------------- goals


def _goals(places: Mapping[Protocol, Sequence[Setting]]) -> Iterator[str]:
    """For each data set and goal: the best setting, and the cheapest that is not shown to be worse."""
    yield (
        "The highest mean of many settings is optimistically biased. What matters is the last column: the cheapest "
        "setting that is statistically indistinguishable from it (Holm over all settings of the data set)."
    )
    rows = []
    for place, found in places.items():
        for measure, goal in GOALS:
            known = [each for each in found if len(each.values.get(measure, {})) >= LEAST_SETTINGS]
            if len(known) >= LEAST_SETTINGS:
                rows.append([data_name(place[0]), goal, *_best_and_cheapest(known, measure)])
    yield _table(("data", "goal", "highest mean", "the cheapest that is not shown to be worse"), rows)


def _best_and_cheapest(found: Sequence[Setting], measure: str) -> tuple[str, str]:
    best = max(found, key=lambda each: fmean(each.values[measure].values()))
    tested = [(each, test) for each in found if each is not best
              and (test := paired_test(each.values[measure], best.values[measure]))]  # fmt: skip
    judged = judge([test for _, test in tested], "settings")
    equal = [each for (each, _), verdict in zip(tested, judged, strict=True) if verdict.verdict == NOT_SHOWN]
    return _named(best, measure), _named(min([best, *equal], key=lambda each: each.row["cost"]), measure)


def _named(found: Setting, measure: str) -> str:
    mean = interval(found.values[measure].values())
    return f"{setting(found.row)}, {format_cost(round(found.row['cost'], 2))}: {_mean(mean)}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
