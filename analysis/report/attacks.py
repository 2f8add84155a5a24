"""Accuracy under attack by setting: a table, and what it says."""

from collections.abc import Sequence

from analysis.comparisons.attacks import nearest_attack, printed_vanilla
from analysis.comparisons.settings import ATTACK, counted, short
from analysis.figures.attacks import attack_names, attack_text
from analysis.tables.layout import Block, Cell, Layout
from study.config.budget import format_cost
from study.confirm.comparisons import HIGHER, LOWER, Comparison, Setting, baseline, compare_with_baselines
from study.display.summary import with_interval
from study.papers.baselines import BASELINES

PRESETS = {"entprop": "no random start, step size 2.5·ε/20, one restart"}


def attack_table(group: Sequence[Setting]) -> Layout | None:
    """Accuracy under each attack by setting; None where fewer than two settings were attacked."""
    names = attack_names(group)
    rows = []
    for each in sorted(group, key=lambda each: each.row["cost"]):
        means = [each.interval(name) for name in names]
        if any(means):
            cells = [Cell(short(each)), Cell(format_cost(round(each.row["cost"], 3)))]
            rows.append((*cells, *(Cell(with_interval(mean) if mean else "–") for mean in means)))
    if not rows:
        return None
    header = ("setting", "cost", *(attack_text(name) for name in names))
    norms = {name.removeprefix(ATTACK).partition(":")[2] for name in names} - {""}
    presets = [f"{name}: {PRESETS[name]}" for name in sorted(norms) if name in PRESETS]
    caption = " ".join([
        "Accuracy under attack in percent, mean over seeds ± half width of the 95 % confidence interval.",
        *(f"Attack preset {preset}." for preset in presets),
    ])  # fmt: skip
    return Layout("attacks", "Accuracy under attack", header, (Block("", tuple(rows)),), caption)


def attack_reading(group: Sequence[Setting]) -> list[str]:
    """The highest accuracy, and the settings against the baselines, under the attack that is nearest the paper's."""
    name = nearest_attack(group, printed_vanilla())
    known = [(mean, each) for each in group if name and (mean := each.interval(name))]
    if name is None or len(known) < 2:
        return []
    mean, top = max(known, key=lambda pair: pair[0].mean)
    lines = [f"{attack_text(name)}: highest accuracy for {short(top)}, {with_interval(mean)} %."]
    compared = compare_with_baselines(group, name)
    for method, called in BASELINES.items():
        found = baseline(group, method)
        own = found.interval(name) if found else None
        tests = [each for each in compared if each.baseline is found]
        if own and tests:
            lines.append(f"{called.capitalize()} has {with_interval(own)} %. {_counts(tests)}")
    return lines


def _counts(tests: Sequence[Comparison]) -> str:
    """How many settings are told from a baseline."""
    above, below = ([each for each in tests if each.judged.verdict == verdict] for verdict in (HIGHER, LOWER))
    total = counted(len(tests), "other setting")
    return f"Significantly above it: {len(above) or 'none'} of {total}; below: {len(below) or 'none'}."
