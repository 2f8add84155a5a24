"""The parts of a table's row: what was measured, how it compares over seeds, and whether the protocol is the published.

Marks stand at a difference, never at a mean: a paired t test over the seeds that both settings have, held to Holm's
correction over all comparisons of the block of rows.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.comparisons.settings import counted, data_name
from analysis.inputs.published import NAMES
from analysis.inputs.studies import changed_options
from study.confirm.comparisons import HIGHER, LOWER, NOT_SHOWN, Judged, Setting, compare, compare_with_baselines
from study.papers import cells
from trainables.data.datasets import dataset_entry

MARKS = {"vanilla": "*", "mixup": "†"}
FLAG = "‡"


BEST = ("sa_best", "ra_best", "h_best", "pgd20_best")  # whether in bold
PRINTED = ("cost", "sa", "ra", "h", "pgd20")
COLUMNS = (
    "label", "added", "published_dataset", "published_model", "dataset", "model", "lr", "epochs", "seeds", "failed",
    "cost", "measured_cost", "seconds", "sa", "sa_half", "ra", "ra_half", "h", "h_half", "pgd20", "pgd20_half",
    "pgd20_attack", "over_vanilla", "over_vanilla_half", "over_vanilla_seeds", "over_vanilla_p", "over_vanilla_mark",
    "over_mixup", "over_mixup_half", "over_mixup_seeds", "over_mixup_p", "over_mixup_mark", "family", *BEST,
    *(f"published_{name}" for name in PRINTED), "published_h_recomputed", "published_over_vanilla", "difference",
    "same_protocol", "why_not", "flag", "mark", "lost", "note",
)  # fmt: skip


COST_COLUMNS = (
    "label", "setting", "formula", "published_cost", "cost", "difference", "measured_cost", "seconds", "seeds", "note",
)  # fmt: skip
ALL_COLUMNS = (
    "setting", "why", "dataset", "model", "lr", "epochs", "seeds", "failed", "cost", "measured_cost", "spent",
    "seconds", "sa", "sa_half", "ra", "ra_half", "h", "h_half", "h_iqm", "ece",
    *(name for name in COLUMNS if name.startswith("over_")), "family", *BEST, "beats_vanilla", "on_front",
)  # fmt: skip
COUNTS = ("epochs", "seeds", "failed", "images", "over_vanilla_seeds", "over_mixup_seeds")


def as_frame(lines: list[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Lines as a frame of these columns; counts stay whole numbers where some are missing."""
    found = pd.DataFrame(lines, columns=list(columns))
    return found.astype({name: "Int64" for name in COUNTS if name in found})


def measured(found: Setting, attack: str | None = None) -> dict[str, Any]:
    """What was measured of a setting."""
    line = {
        name: found.row.get(name) for name in ("dataset", "model", "lr", "epochs", "cost", "measured_cost", "seconds")
    }
    line |= {"seeds": len(found.h), "failed": found.failed}
    for name, measure in (("sa", "sa"), ("ra", "ra"), ("h", "h"), ("pgd20", attack)):
        interval = found.interval(measure) if measure else None
        line |= {name: interval and interval.mean, f"{name}_half": interval and interval.half}
    return {**line, "pgd20_attack": attack if line["pgd20"] is not None else None}


# -------------------------------------------------------------------------------------------------- tests and protocol


def against(group: Sequence[Setting], measure: str = "h") -> dict[int, dict[str, Any]]:
    """For each setting of one place, its paired differences to vanilla and to mixup alone, with marks."""
    found: dict[int, dict[str, Any]] = {}
    for each in compare_with_baselines(group, measure):
        name = each.baseline.row["method"]
        found.setdefault(id(each.setting), {}).update(
            _test(f"over_{name}", each.judged, MARKS[name]) | {"family": each.judged.family}
        )
    return found


def best_of(group: Sequence[Setting], attack: str | None = None) -> dict[int, dict[str, bool]]:
    """For each setting of a block and each measure, whether it is the best or not shown to be worse than the best."""
    found: dict[int, dict[str, bool]] = {}
    for name, measure in (("sa", "sa"), ("ra", "ra"), ("h", "h"), ("pgd20", attack)):
        means = [(mean.mean, each) for each in group if measure and (mean := each.interval(measure))]
        if measure and len(means) > 1:
            top = max(means, key=lambda pair: pair[0])[1]
            tested = compare([(each, top) for _, each in means], "comparisons with the best", measure)
            equal = [top, *(each.setting for each in tested if each.judged.verdict == NOT_SHOWN)]
            for each in equal if len(equal) < len(means) else []:
                found.setdefault(id(each), {})[f"{name}_best"] = True
    return found


def _test(name: str, found: Judged, mark: str) -> dict[str, Any]:
    return {
        name: found.difference.mean,
        f"{name}_half": found.difference.half,
        f"{name}_seeds": found.difference.seeds,
        f"{name}_p": found.p,
        f"{name}_mark": mark if found.verdict in (HIGHER, LOWER) else "",
    }


def protocol(found: Setting, table: str, place: tuple[str, str], label: str = "") -> dict[str, str]:
    """Whether a setting was trained and measured as published; if not, in what it differs.

    `label` is the table's row, where rows are trained in different ways.
    """
    reasons = protocol_reasons(found, table, place, label)
    if reasons:
        return {"same_protocol": "no", "why_not": "; ".join(reasons)}
    return {"same_protocol": "yes", "why_not": _held_out(place[0])}


def protocol_reasons(found: Setting, table: str, place: tuple[str, str], label: str = "") -> list[str]:
    """What is not as published, each as `ours instead of theirs`."""
    dataset, model = place
    several = cells(table, {"dataset": dataset, **({} if model == "average" else {"model": model})})
    theirs = next((cell for cell in several if cell.label == label), several[0])
    row, reasons = found.row, []
    for name, value in (("dataset", dataset), ("model", model)):
        if row[name] != value:
            reasons.append(f"{data_name(row[name])} instead of {NAMES.get(value, value)}")
    if row["epochs"] != theirs.config.epochs:
        reasons.append(f"{counted(row['epochs'], 'epoch')} instead of {theirs.config.epochs}")
    if row["dataset"] == dataset and row.get("lr") is not None and row["lr"] != theirs.config.lr:
        reasons.append(f"learning rate {row['lr']:g} instead of {theirs.config.lr:g}")
    ours, printed = row.get("changes") or "", changed_options(theirs.config) if row["dataset"] == dataset else ""
    if ours != printed:
        reasons.append(ours or f"the recipe of the data set instead of {printed}")
    if "procedural" in (row.get("ra_source") or ""):
        reasons.append("procedural frost instead of the published pictures")
    if len(found.h) < theirs.seeds:
        reasons.append(f"{counted(len(found.h), 'seed')} instead of {theirs.seeds}")
    return reasons


def _held_out(dataset: str) -> str:
    """The one thing that never is as published: choices need images that the test does not see."""
    part = dataset_entry(dataset).validation
    share = (
        f"{part:.0%} of the training images, at most 5,000," if isinstance(part, float) else f"{part} training images"
    )
    return f"but {share} are held out for validation"
