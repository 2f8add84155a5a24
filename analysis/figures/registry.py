"""The figures by name: a study in, a drawing out, or a `Missing` that says what it would need."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import matplotlib

from analysis.figures import attacks, costs, importance, marginal, race, robustness, searches, sensitivity
from analysis.figures.style import STYLE, Drawing, Missing, save
from analysis.inputs.studies import StudyFrames
from trainables.options import unknown


class Entry(NamedTuple):
    """A figure: its title, and what draws it."""

    title: str
    draw: Callable[[StudyFrames], Drawing]


FIGURES: dict[str, Entry] = {
    "cost": Entry("H against cost", costs.cost_against_h),
    "printed": Entry("H against cost, as printed", costs.printed_costs),
    "pareto": Entry("The Pareto front of the search", searches.pareto),
    "k": Entry("The share k", sensitivity.k_curve),
    "n": Entry("The attack iterations n", sensitivity.n_curve),
    "epsilon": Entry("The radius ε", sensitivity.epsilon_curve),
    "metric": Entry("The measure of uncertainty", sensitivity.metric_comparison),
    "selection": Entry("Highest entropy or random selection", sensitivity.selection_curve),
    "space": Entry("The space under the budget", searches.space_map),
    "parallel": Entry("All trials by their hyper-parameters", searches.parallel),
    "marginal": Entry("Marginal curves of the hyper-parameters", marginal.marginal),
    "race": Entry("The race", race.race),
    "importance": Entry("Which hyper-parameter matters", importance.importance),
    "deciding": Entry("Which corruptions decide the difference", robustness.deciding),
    "pgd": Entry("Accuracy under PGD-20 by share k", attacks.pgd_curve),
    "attacks": Entry("Corruptions against attacks", attacks.trade_off),
    "corruptions": Entry("Accuracy by corruption and severity", robustness.corruption_map),
    "entropy": Entry("Entropy by epoch", robustness.entropies),
    "histogram": Entry("How often images are selected", robustness.selection_histogram),
    "anytime": Entry("Best H so far against cost spent", searches.anytime),
    "rungs": Entry("Trials at their rungs", searches.rungs),
}


def draw(name: str, folder: StudyFrames) -> Drawing:
    """One figure in the project's look."""
    if name not in FIGURES:
        raise ValueError(unknown("figure", name, FIGURES))
    with matplotlib.rc_context(STYLE):
        return FIGURES[name].draw(folder)


def draw_all(folder: StudyFrames) -> tuple[dict[str, Drawing], dict[str, str]]:
    """All figures that can be drawn, and for the others what they would need."""
    drawn, missing = {}, {}
    for name in FIGURES:
        try:
            drawn[name] = draw(name, folder)
        except Missing as error:
            missing[name] = str(error)
    return drawn, missing


def save_all(drawn: dict[str, Drawing], folder: Path) -> dict[str, str]:
    """SVG and PNG of each; the SVG texts by name."""
    return {name: save(drawing.figure, folder / name) for name, drawing in drawn.items()}
