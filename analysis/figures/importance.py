"""Which hyper-parameter the validation H of a search depends on, by fANOVA and by PED-ANOVA."""

import random
import warnings
from collections.abc import Sequence
from typing import Any

from analysis.figures.searches import ranked
from analysis.figures.style import Drawing, Missing, legend_below, new
from analysis.inputs.studies import StudyFrames
from study.files.results import Row

LEAST_TRIALS = 20
SHUFFLES = 19  # the largest of so many is exceeded by chance once in twenty times
SEARCHED = ("k", "n", "epsilon", "alpha", "metric", "p_adv", "mixing", "weights", "aux_target")


def importance(folder: StudyFrames) -> Drawing:
    """Two answers side by side: what explains H everywhere, and what tells the best tenth from the rest."""
    done = ranked(folder)
    method = max({row["method"] for row in done}, key=lambda name: sum(row["method"] == name for row in done))
    several = [row for row in done if row["method"] == method]
    if len(several) < LEAST_TRIALS:
        raise Missing(f"needs at least {LEAST_TRIALS} finished trials of one method, got {len(several)}")
    searched = folder.options.searched.get(method) if folder.options else None
    shares = importances(several, searched or SEARCHED)
    floors = noise_floors(several, searched or SEARCHED)
    names = sorted(shares["fANOVA"], key=lambda name: shares["fANOVA"][name])
    figure, (axis,) = new(height=3.0)
    for index, (kind, colour, hatch) in enumerate((("fANOVA", "#0072B2", ""), ("PED-ANOVA", "#E69F00", "////"))):
        heights = [row + 0.2 - 0.4 * index for row in range(len(names))]
        axis.barh(
            heights,
            [shares[kind][name] for name in names],
            0.38,
            color=colour,
            hatch=hatch,
            edgecolor="black",
            linewidth=0.5,
            label=kind,
        )
        for height, name in zip(heights, names, strict=True):
            label = "by chance in one of 20" if (index, name) == (0, names[0]) else None
            axis.plot([floors[kind][name]] * 2, [height - 0.19, height + 0.19], color="black", lw=2, label=label)
    axis.set_yticks(range(len(names)), [{"epsilon": "ε", "alpha": "α"}.get(name, name) for name in names])
    axis.set_xlabel("share of importance")
    axis.set_xlim(0, 1)
    legend_below(axis)
    return Drawing(
        figure,
        f"{_told(shares, floors)} From {len(several)} finished trials of {method}, one seed each. Marks: the largest "
        f"share after shuffling H {SHUFFLES} times. fANOVA: share of the variance of H over the whole space. "
        "PED-ANOVA: how much the best trials differ from all others. The budget ties k to n, so their shares overlap.",
    )


def _told(shares: dict[str, dict[str, float]], floors: dict[str, dict[str, float]]) -> str:
    names = [name for name in shares["fANOVA"] if all(shares[kind][name] > floors[kind][name] for kind in shares)]
    listed = ", ".join(names)
    return f"Above chance by both measures: {listed}." if names else "By both measures, no share is above chance."


def noise_floors(rows: list[Row], searched: Sequence[str]) -> dict[str, dict[str, float]]:
    """The share that each name exceeds once in twenty times where H depends on nothing: of trials with H shuffled."""
    shuffle, values = random.Random(0), [row["val_h"] for row in rows]
    found: dict[str, dict[str, float]] = {}
    for _ in range(SHUFFLES):
        shuffle.shuffle(values)
        mixed = [{**row, "val_h": value} for row, value in zip(rows, values, strict=True)]
        for kind, shares in importances(mixed, searched).items():
            floor = found.setdefault(kind, {})
            for name, share in shares.items():
                floor[name] = max(share, floor.get(name, 0.0))
    return found


def importances(rows: list[Row], searched: Sequence[str] = SEARCHED) -> dict[str, dict[str, float]]:
    """Shares of each hyper-parameter that varied, by either way."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # in a notebook its progress bars ask for a package that is not needed
            import optuna
            import sklearn  # noqa: F401  (fANOVA's forest)
    except ImportError as error:
        raise Missing(f"needs optuna and scikit-learn, got: {error}") from None
    names = [
        name
        for name in searched
        if len({row.get(name) for row in rows} - {None}) > 1 and all(row.get(name) is not None for row in rows)
    ]
    if not names:
        raise Missing("needs trials that differ in a hyper-parameter")
    spread: dict[str, Any] = {name: _distribution(optuna, name, [row[name] for row in rows]) for name in names}
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else a line for each study in memory
    try:
        return _evaluated(optuna, rows, spread)
    finally:
        optuna.logging.set_verbosity(level)


def _evaluated(optuna: Any, rows: list[Row], spread: dict[str, Any]) -> dict[str, dict[str, float]]:
    study = optuna.create_study(direction="maximize")
    for row in rows:
        parameters = {name: row[name] for name in spread}
        study.add_trial(optuna.trial.create_trial(params=parameters, distributions=spread, value=row["val_h"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluators = {
            "fANOVA": optuna.importance.FanovaImportanceEvaluator(seed=0),
            "PED-ANOVA": optuna.importance.PedAnovaImportanceEvaluator(),
        }
    found = {}
    for kind, each in evaluators.items():
        found[kind] = dict(optuna.importance.get_param_importances(study, evaluator=each))
    return found


def _distribution(optuna: Any, name: str, values: list[Any]) -> Any:
    if isinstance(values[0], str):
        return optuna.distributions.CategoricalDistribution(sorted(set(values)))
    if isinstance(values[0], int):
        return optuna.distributions.IntDistribution(min(values), max(values))
    return optuna.distributions.FloatDistribution(min(values), max(values), log=name == "epsilon")
