"""H against cost: every confirmed setting with its interval, and the paper's figure 3."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, ScalarFormatter

from analysis.comparisons.settings import SPELLED, data_name, settings, short
from analysis.figures.labels import label_points
from analysis.figures.searches import budget_of
from analysis.figures.style import Drawing, Mark, Missing, error_point, look, new
from analysis.inputs.published import published
from analysis.inputs.studies import StudyFrames
from study.config.budget import format_cost
from study.confirm.comparisons import Setting, baseline, by_place
from study.display.advice import cheapest, recommended
from study.display.rows import setting
from study.display.summary import with_interval
from study.papers.baselines import BASELINES

NEEDS = "needs runs on test images; python study/run.py --budget 4N"
TICKS = (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16)
LABELLED = 14  # of more settings than these, only the marked ones and the baselines have labels
RINGS = {"recommended": ("o", "#000000"), "highest mean": ("o", "#000000"), "cheapest equivalent": ("s", "#009E73")}


def shown_place(folder: StudyFrames) -> list[Setting]:
    """The settings that the answer is about: those beside the recommended one, else the largest group."""
    places = by_place(settings(folder.done))
    if not places:
        raise Missing(NEEDS)
    top = recommended(each for group in places.values() for each in group)
    return places[top.place] if top is not None else max(places.values(), key=len)


def cost_against_h(folder: StudyFrames) -> Drawing:
    """H against cost of all confirmed settings, with baselines, budget, and what is recommended."""
    group = shown_place(folder)
    first = recommended(group)
    top = first or max(group, key=_mean)
    marked = {"recommended" if first else "highest mean": top}
    if found := cheapest(group, top):
        marked["cheapest equivalent"] = found[0]
    controls = [each for each in settings(folder.done) if each.control and each.place[:2] == top.place[:2]]
    figure, (axis,) = new(height=3.6)
    seen: set[str] = set() if len(group) > LABELLED else {each.row["method"] for each in [*group, *controls]}
    for each in [*group, *controls]:
        method = each.row["method"]
        _point(axis, each, top, None if method in seen else SPELLED.get(method, method))
        seen.add(method)
    _baselines(axis, group)
    for name, each in marked.items():
        marker, colour = RINGS[name]
        axis.plot(
            _cost(each, top), _mean(each), marker, markersize=11, markerfacecolor="none", markeredgecolor=colour,
            markeredgewidth=1.4, linestyle="none", label=name, zorder=5,
        )  # fmt: skip
    budget = budget_of(folder)
    if budget is not None:
        axis.axvline(
            budget, color="#888888", linestyle=(0, (1, 1)), linewidth=1.2, label=f"budget, {format_cost(budget)}"
        )
    _cost_axis(axis, [*(_cost(each, top) for each in [*group, *controls]), *([budget] if budget else [])])
    axis.set_ylabel("H on test images, percent")
    axis.set_title(f"{data_name(top.place[0])}, {top.place[1]}, {top.place[3]} epochs", loc="left")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3, handlelength=2.2)
    _labels(axis, [*group, *controls], top, list(marked.values()))
    marks = tuple(Mark(axis, _cost(each, top), _mean(each), _told(each)) for each in [*group, *controls])
    return Drawing(figure, _caption(group, bool(controls)), marks)


def _mean(found: Setting) -> float:
    mean = found.interval()
    assert mean is not None, "a setting has a result"
    return mean.mean


def _cost(found: Setting, top: Setting) -> float:
    """The cost of an epoch; of a baseline that is trained for longer, spread over the epochs of the others."""
    return float(found.row["cost"] * found.row["epochs"] / top.row["epochs"])


def _point(axis: Axes, found: Setting, top: Setting, label: str | None) -> None:
    mean = found.interval()
    assert mean is not None, "a setting has a result"
    error_point(axis, _cost(found, top), mean.mean, mean.half, found.row["method"], label, found.control)


def _baselines(axis: Axes, group: Sequence[Setting]) -> None:
    """Lines at the means of the two baselines, so that every other point can be read against them."""
    for (method, name), dash in zip(BASELINES.items(), ("--", "-."), strict=True):
        found = baseline(group, method)
        if found is not None:
            axis.axhline(_mean(found), color=look(method)[0], linestyle=dash, linewidth=0.8, label=f"mean of {name}")


def _cost_axis(axis: Axes, costs: Sequence[float]) -> None:
    axis.set_xscale("log")
    low, high = min(costs), max(costs)
    axis.set_xlim(low / 1.12, high * max(1.15, (high / low) ** 0.12))
    axis.set_xticks([tick for tick in TICKS if low / 1.05 <= tick <= high * 1.1])
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel("cost per epoch, in N (log scale)")


def _labels(axis: Axes, found: Sequence[Setting], top: Setting, marked: Sequence[Setting]) -> None:
    chosen = list(found)
    if len(chosen) > LABELLED:
        kept = [*marked, *(each for name in BASELINES if (each := baseline(found, name)))]
        chosen = [each for each in found if any(each is one for one in kept)]
    bars = [(_cost(each, top), mean.low, mean.high) for each in found if (mean := each.interval())]
    label_points(axis, [(_cost(each, top), _mean(each), short(each)) for each in chosen], bars)


def _told(found: Setting) -> str:
    mean = found.interval()
    assert mean is not None, "a setting has a result"
    cost = format_cost(round(found.row["cost"], 3))
    return f"{short(found)}: H {with_interval(mean)}, {cost} per epoch; {setting(found.row)}"


def _caption(group: Sequence[Setting], controls: bool) -> str:
    counts = sorted({len(each.h) for each in group})
    seeds = (
        f"{counts[0]} seed{'s' if counts[0] > 1 else ''}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    )
    text = f"Mean over {seeds}, with the 95 % confidence interval." if counts[-1] > 1 else "One seed, no interval."
    if controls:
        text += " Open markers: baselines at other learning rates or lengths, placed by their total cost."
    return text + " Settings left of and above a point are cheaper and better."


# ------------------------------------------------------------------------------------------------ the paper's figure 3


def printed_costs(_: StudyFrames) -> Drawing:
    """The paper's figure 3: H against cost, mean of four data sets."""
    figure, (axis,) = new(height=2.8)
    points = figure3_points()
    for label, cost, printed, recomputed in points:
        error_point(axis, cost, recomputed, None, label.split(" (")[0].lower().replace(" ", "_"), open_=True)
        if abs(printed - recomputed) > 0.02:
            axis.plot([cost], [printed], marker="x", color="#444444", markersize=4, linestyle="none")
    _cost_axis(axis, [cost for _, cost, _, _ in points])
    axis.set_title("printed: mean of four data sets, ResNet-50", loc="left")
    axis.set_ylabel("H, percent")
    label_points(axis, [(cost, recomputed, label) for label, cost, _, recomputed in points])
    marks = tuple(Mark(axis, cost, h, f"{label}: H {h:.2f} as printed, {cost:g}N") for label, cost, _, h in points)
    return Drawing(
        figure,
        "Figure 3 of the EntProp paper, from its table 2 without ImageNet, with H of the printed SA and RA; a cross is "
        "the mean of H as printed, where it differs.",
        marks,
    )


def figure3_points() -> list[tuple[str, float, float, float]]:
    """Label, cost, mean printed H and mean recomputed H over the four data sets of figure 3."""
    rows = [row for row in published("entprop/2") if row.dataset != "imagenet"]
    found = []
    for label in dict.fromkeys(row.label for row in rows):
        several = [row for row in rows if row.label == label]
        printed = [row.h for row in several if row.h is not None]
        recomputed = [row.recomputed_h for row in several if row.recomputed_h is not None]
        cost = several[0].cost or 0.0
        found.append((label, cost, sum(printed) / len(printed), sum(recomputed) / len(recomputed)))
    return found
