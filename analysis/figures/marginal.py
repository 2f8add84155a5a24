"""How H depends on each hyper-parameter, from the search itself: the marginal curves of its Gaussian process."""

from statistics import fmean
from typing import Any

from matplotlib.axes import Axes

from analysis.comparisons.settings import records
from analysis.figures.searches import ranked
from analysis.figures.style import Drawing, Missing, look, new
from analysis.inputs.studies import StudyFrames
from study.files.results import Row
from study.race.marginal import Curve, marginals
from study.race.standings import Standings, standings

LEAST_RUNS = 5  # on validation images; with fewer the bands hold everything
TITLES = {"epsilon": "ε", "alpha": "α"}


def marginal(folder: StudyFrames) -> Drawing:
    """A panel for each searched name: mean validation H with its 95 % band, and the trials."""
    done, race = ranked(folder), records(folder.race)
    if folder.options is None or folder.options.table:
        raise Missing("needs the options of a search, but study.json has none")
    method = max({row["method"] for row in done}, key=lambda name: sum(row["method"] == name for row in done))
    several = [row for row in done if row["method"] == method]
    if len(several) < LEAST_RUNS:
        raise Missing(f"needs at least {LEAST_RUNS} finished trials of one method, got {len(several)}")
    known = standings(folder.options, done, race)
    assert known is not None, "there are finished trials"
    curves = marginals(folder.options, known, method)
    several = _without_shift(several, known)
    if not curves:
        raise Missing("needs trials that differ in a searched hyper-parameter")
    rows = -(-len(curves) // 2)
    figure, axes = new(rows, height=0.5 + 1.9 * rows, columns=2, sharey=True)
    for axis, (name, curve) in zip(axes, curves.items(), strict=False):
        _panel(axis, name, curve, several, look(method)[0])
    for axis in axes[len(curves) :]:
        axis.set_visible(False)
    for axis in axes[::2]:
        axis.set_ylabel("validation H")
    told = [name for name, curve in curves.items() if _told(curve)]
    return Drawing(figure, _caption(len(several), len([row for row in race if row["val_h"] is not None]), told))


def _without_shift(trials: list[Row], known: Standings) -> list[Row]:
    """The trials less what their seed adds to all of them, so that they lie around the curves."""
    means = {row["config"]: known.mean[place] for place, row in enumerate(known.rows)}
    known_trials = [row for row in trials if row["config"] in means]
    shift = fmean(row["val_h"] - means[row["config"]] for row in known_trials)
    return [{**row, "val_h": row["val_h"] - shift} for row in trials]


def _panel(axis: Axes, name: str, curve: Curve, several: list[Row], colour: str) -> None:
    words = isinstance(curve.values[0], str)
    places: list[Any] = list(range(len(curve.values))) if words else list(curve.values)
    by_value = dict(zip(curve.values, places, strict=True))
    axis.scatter(
        [by_value[row[name]] if words else row[name] for row in several], [row["val_h"] for row in several],
        s=9, color="#999999", zorder=2,
    )  # fmt: skip
    if words:
        axis.errorbar(places, curve.mean, yerr=curve.half, fmt="o", color=colour, capsize=3, zorder=3)
        axis.set_xticks(places, [str(value).replace("_", "\n") for value in curve.values], fontsize=6.5)
        axis.set_xlim(-0.5, len(places) - 0.5)
    else:
        axis.fill_between(places, curve.mean - curve.half, curve.mean + curve.half, color=colour, alpha=0.2, lw=0)
        axis.plot(places, curve.mean, color=colour, zorder=3)
    if name == "epsilon":
        axis.set_xscale("log", base=2)
        axis.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    axis.set_xlabel(TITLES.get(name, name))


def _told(curve: Curve) -> bool:
    """Whether some value's band lies above another's."""
    return bool((curve.mean - curve.half).max() > (curve.mean + curve.half).min())


def _caption(trials: int, race: int, told: list[str]) -> str:
    names = " and ".join(TITLES.get(name, name) for name in told)
    said = (
        f"The values of {names} differ by more than these bands."
        if told
        else "No hyper-parameter has an effect beyond these bands."
    )
    runs = f"{trials} trials" + (f" and {race} runs of the race" if race else "")
    return (
        f"Mean validation H over all settings within the budget, from a Gaussian process fitted to {runs}. Bands: 95 % "
        f"for the difference from the curve's mean. Dots: trials, corrected for their seed. {said}"
    )
