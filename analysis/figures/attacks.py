"""Robustness to attacks: accuracy under PGD-20 against the share k, and against accuracy under corruption."""

from collections.abc import Sequence
from statistics import fmean

from analysis.comparisons.attacks import nearest_attack, printed_vanilla
from analysis.comparisons.settings import ATTACK, data_name, short
from analysis.figures.confirmed import richest
from analysis.figures.costs import shown_place
from analysis.figures.labels import label_points
from analysis.figures.sensitivity import RUN, SERIES, varying
from analysis.figures.style import Drawing, Mark, Missing, error_point, new
from analysis.inputs.published import published
from analysis.inputs.studies import StudyFrames
from study.confirm.comparisons import Interval, Setting, baseline
from study.display.rows import setting
from study.display.summary import with_interval

NEEDS = "needs runs with attacks; python study/run.py --table entprop/16 --scale demo"


def attack_names(group: Sequence[Setting]) -> list[str]:
    """The attacks that more than one setting was measured under, the strongest first (by mean accuracy)."""
    names = dict.fromkeys(name for each in group for name in each.values if name.startswith(ATTACK))
    means = {name: [mean.mean for each in group if (mean := each.interval(name))] for name in names}
    several = {name: fmean(values) for name, values in means.items() if len(values) > 1}
    return sorted(several, key=lambda name: several[name])


def attack_text(name: str) -> str:
    """PGD20-8:entprop as figures and tables call it."""
    radius = name.removeprefix(ATTACK).partition(":")[0]
    return f"PGD-20, ε = {radius}/255" if radius.replace(".", "").isdigit() else name


def pgd_curve(folder: StudyFrames) -> Drawing:
    """Accuracy under PGD-20 against the share k at n = 1, a line for each radius, with table 16."""
    place, group = richest(folder.done, RUN.format("entprop/16"))
    vanilla, names = baseline(group, "vanilla"), attack_names(group)
    points = [*([(0.0, vanilla)] if vanilla else []), *varying(group, "k", n=1)]
    if not names or len(points) < 3:
        raise Missing(f"needs attacked runs that differ only in k; {RUN.format('entprop/16')}")
    figure, (axis,) = new(height=3.4)
    marks: list[Mark] = []
    for name, (colour, dash, marker) in zip(names, SERIES, strict=False):
        known = [(k, mean) for k, each in points if (mean := each.interval(name))]
        axis.errorbar(
            [k for k, _ in known], [mean.mean for _, mean in known], yerr=[mean.half or 0.0 for _, mean in known],
            color=colour, linestyle=dash, marker=marker, capsize=2, elinewidth=0.8, label=f"ours: {attack_text(name)}",
        )  # fmt: skip
        marks += [
            Mark(axis, k, mean.mean, f"k = {k:g}, {attack_text(name)}: {with_interval(mean)} %") for k, mean in known
        ]
    printed = [(_share(row.label), row.pgd20) for row in published("entprop/16") if row.pgd20 is not None]
    axis.plot(
        [k for k, _ in printed], [value for _, value in printed], color="#444444", linestyle="--", marker="o",
        markerfacecolor="white", label="printed: CIFAR-100, ResNet-18",
    )  # fmt: skip
    axis.set_ylim(bottom=0)
    axis.set_xlabel("share k of each batch (n = 1; k = 0 is vanilla)")
    axis.set_ylabel("accuracy under attack, percent")
    axis.set_title(f"{data_name(place[0])}, {place[1]}, {place[3]} epochs", loc="left")
    handles, labels = axis.get_legend_handles_labels()
    figure.legend([*handles[1:], handles[0]], [*labels[1:], labels[0]], loc="outside lower center", ncols=2)
    return Drawing(
        figure,
        "Mean over seeds with the 95 % confidence interval. Table 16 of the EntProp paper does not print the radius of "
        "its attack.",
        tuple(marks),
    )


def _share(label: str) -> float:
    """The share k of a row of table 16: `k=0.6`, or `k=0 (Vanilla)`."""
    return float(label.partition("=")[2].split()[0]) if "=" in label else 0.0


def trade_off(folder: StudyFrames) -> Drawing:
    """Accuracy under corruption against accuracy under attack, one point per setting."""
    group = shown_place(folder)
    names = attack_names(group)
    if not names:
        raise Missing(NEEDS)
    name = nearest_attack(group, printed_vanilla()) or names[0]
    known = [
        (each, attacked, corrupted)
        for each in group
        if (attacked := each.interval(name)) and (corrupted := each.interval("ra"))
    ]
    figure, (axis,) = new(height=3.4)
    for each, attacked, corrupted in known:
        error_point(axis, attacked.mean, corrupted.mean, None, each.row["method"])
        axis.errorbar(
            [attacked.mean], [corrupted.mean], xerr=[attacked.half or 0.0], yerr=[corrupted.half or 0.0], fmt="none",
            ecolor="#bbbbbb", elinewidth=0.7, zorder=1,
        )  # fmt: skip
    axis.margins(0.12)
    axis.set_xlabel(f"accuracy under {attack_text(name)}, percent")
    axis.set_ylabel("RA, percent")
    label_points(axis, [(attacked.mean, corrupted.mean, short(each)) for each, attacked, corrupted in known])
    marks = tuple(Mark(axis, a.mean, c.mean, _told(each, name, a, c)) for each, a, c in known)
    caption = (
        "Mean over seeds with 95 % confidence intervals; up and to the right is better. Of the radii that were run, "
        "this one brings vanilla nearest its printed accuracy."
    )
    return Drawing(figure, caption, marks)


def _told(found: Setting, name: str, attacked: Interval, corrupted: Interval) -> str:
    h = found.interval()
    return (
        f"{short(found)}: RA {with_interval(corrupted)}, {attack_text(name)} {with_interval(attacked)}"
        + (f", H {with_interval(h)}" if h else "") + f"; {setting(found.row)}"
    )  # fmt: skip
