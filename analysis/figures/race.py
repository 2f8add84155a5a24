"""The race: each contender's runs on validation images, and what all runs together say of it."""

from analysis.comparisons.settings import records
from analysis.figures.style import Drawing, Mark, Missing, new, wrapped
from analysis.inputs.studies import StudyFrames
from study.config.budget import format_cost
from study.display.rows import setting
from study.race.contenders import ranking

ROUNDS = {1: ("o", "white", "round 1"), 2: ("o", "#0072B2", "round 2, further seeds")}


def race(folder: StudyFrames) -> Drawing:
    """Validation H of each contender by seed, with the posterior mean and its standard error, the best on top."""
    runs = [row for row in records(folder.race) if row["val_h"] is not None]
    if folder.options is None or not runs:
        raise Missing("needs a study with a race; python study/run.py --budget 4N")
    order = ranking(folder.options, records(folder.trials), runs)
    figure, (axis,) = new(height=1.0 + 0.36 * len(order))
    seen: set[int] = set()
    for place, each in enumerate(order):
        for row in (row for row in runs if row["config"] == each["config"]):
            marker, face, name = ROUNDS[row["round"]]
            axis.plot(
                row["val_h"], place, marker, markersize=4, color="#0072B2", markerfacecolor=face, linestyle="none",
                label=None if row["round"] in seen else name,
            )  # fmt: skip
            seen.add(row["round"])
        axis.errorbar(
            [each["mean"]], [place], xerr=[each["spread"]], fmt="D", color="#D55E00", capsize=3, markersize=5, zorder=4,
            label="all runs together ± standard error" if place == 0 else None,
        )  # fmt: skip
    axis.set_yticks(range(len(order)), [wrapped(_name(each), 26) for each in order], fontsize=7)
    axis.set_ylim(len(order) - 0.5, -0.5)
    axis.set_xlabel("validation H, percent")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    marks = tuple(
        Mark(
            axis, each["mean"], place,
            f"{setting(each)}: validation H {each['mean']:.2f} ± {each['spread']:.2f} after {each['runs']} runs, "
            f"{format_cost(round(each['cost'], 3))}",
        )
        for place, each in enumerate(order)
    )  # fmt: skip
    return Drawing(
        figure,
        "All settings of the race are retrained with one seed, the best with two more. A Gaussian process over all "
        "runs of search and race ranks them; the first is confirmed on test images.",
        marks,
    )


def _name(row: dict[str, object]) -> str:
    return setting(row) + (" (published)" if row["why"] == "published" else "")
