"""Which of the PGD-20 attacks that were run stands for the paper's, whose radius is not printed (A19)."""

from collections.abc import Iterable
from statistics import fmean

from analysis.comparisons.settings import ATTACK
from analysis.inputs.published import published
from study.confirm.comparisons import Setting, baseline


def printed_vanilla(table: str = "entprop/16") -> float | None:
    """The accuracy that a table prints for vanilla under PGD-20."""
    return next((row.pgd20 for row in published(table) if "Vanilla" in row.label and row.pgd20 is not None), None)


def nearest_attack(group: Iterable[Setting], target: float | None, within: float = 100.0) -> str | None:
    """The attack under which vanilla is nearest the printed accuracy; None if it is further off than `within`."""
    vanilla = baseline(group, "vanilla")
    if vanilla is None or target is None:
        return None
    attacks = [name for name, values in vanilla.values.items() if name.startswith(ATTACK) and values]
    off = {name: abs(fmean(vanilla.values[name].values()) - target) for name in attacks}
    nearest = min(off, key=lambda name: off[name], default=None)
    return nearest if nearest and off[nearest] <= within else None
