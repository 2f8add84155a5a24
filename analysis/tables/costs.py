"""What settings cost: the papers' formulas beside our code and what was measured, and all settings on one axis."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from analysis.comparisons.settings import settings
from analysis.inputs.published import published
from analysis.tables.rows import ALL_COLUMNS, COST_COLUMNS, against, as_frame, best_of, measured
from study.confirm.comparisons import Setting, baseline, by_place, method_key, method_of_setting
from study.display.rows import setting
from study.files.configs import method_row
from trainables.config import make_method

FORMULAS: dict[str, tuple[tuple[str, dict[str, Any], float], ...]] = {
    # label -> our method, its values, and what the printed formula gives for them
    "Vanilla": (("vanilla", {}, 1.0),),
    "AdvProp": (("advprop", {"n": 5, "epsilon": 4.0}, 2.0 + 5),),
    "Fast AdvProp": (("fast_advprop", {"p_adv": 0.2, "n": 1}, 1 + 0.2),),
    "MixProp": (("mixprop", {}, 2.0),),
    "EntProp": tuple(("entprop", {"k": k, "n": n}, 1 + k * n) for n in (1, 5) for k in (0.2, 0.6)),
    "Mixup": (("mixup", {"half": True}, 1.0),),
    "AdvProp PGD-1": (("advprop", {"n": 1, "epsilon": 1.0}, 3.0),),
    "AdvProp PGD-3": (("advprop", {"n": 3, "epsilon": 2.0}, 5.0),),
    "AdvProp PGD-4": (("advprop", {"n": 4, "epsilon": 3.0}, 6.0),),
}


def formulas(table: str, runs: pd.DataFrame) -> pd.DataFrame:
    """A published table of costs: printed, of our code, and measured where that method was run."""
    ran = {method_key(method_of_setting(each)): each for each in settings(runs) if not each.control}
    lines = []
    for row in published(table):
        for name, values, expected in FORMULAS[row.label]:
            method = make_method(name, values)
            found = ran.get(method_key(method))
            given = row.cost if row.cost is not None else expected
            lines.append(
                {
                    "label": row.label, "setting": setting(method_row(method)), "formula": row.formula,
                    "published_cost": given, "cost": method.cost, "difference": method.cost - given,
                    "measured_cost": found and found.row.get("measured_cost"),
                    "seconds": found and found.row.get("seconds"), "seeds": len(found.h) if found else 0,
                    "note": row.note,
                }
            )  # fmt: skip
    return as_frame(lines, COST_COLUMNS)


def all_costs(runs: pd.DataFrame) -> pd.DataFrame:
    """Every confirmed setting on one axis of cost; on the front is what nothing cheaper reaches in H."""
    lines: list[dict[str, Any]] = []
    found = settings(runs)
    places = {each.place[:2] for each in found}
    for dataset, model in sorted(places):
        group = sorted((each for each in found if each.place[:2] == (dataset, model)), key=_rank)
        lines += _cost_lines(group)
    return as_frame(lines, ALL_COLUMNS)


def _spent(found: Setting) -> float:
    """N-epochs of one run: what it really takes, whatever its length."""
    return float(found.row["cost"] * found.row["epochs"])


def _rank(found: Setting) -> tuple[float, float]:
    """The cheapest first, of equals the best."""
    return _spent(found), -fmean(found.h.values())


def _cost_lines(group: Sequence[Setting]) -> list[dict[str, Any]]:
    tests = {key: test for place in by_place(group).values() for key, test in against(place).items()}
    vanillas = {place: baseline(several, "vanilla") for place, several in by_place(group).items()}
    best, lines, bold = float("-inf"), [], best_of(group)
    for each in group:
        line = {
            "setting": setting(each.row),
            "why": each.why,
            **measured(each),
            "spent": _spent(each),
            **tests.get(id(each), {}),
            **bold.get(id(each), {}),
        }
        vanilla, h = vanillas.get(each.place), list(each.h.values())
        line["h_iqm"] = interquartile_mean(h) if len(h) >= 4 else None
        line["ece"] = fmean(each.values["ece"].values()) if each.values.get("ece") else None
        if vanilla not in (None, each):
            line["beats_vanilla"] = probability_of_improvement(h, list(vanilla.h.values()))
        line["on_front"] = line["h"] > best
        best = max(best, line["h"])
        lines.append(line)
    return lines


def interquartile_mean(values: Sequence[float]) -> float:
    """The mean of the middle half: a quarter of the values, rounded down, is left out at each end."""
    cut = len(values) // 4
    return fmean(sorted(values)[cut : len(values) - cut])


def probability_of_improvement(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The share of all pairs of runs in which ours is better; a tie counts half."""
    return fmean((a > b) + 0.5 * (a == b) for a in ours for b in theirs)
