"""Draw a figure of single runs: python -m analysis.diagnostics KIND RUN [RUN …] [--out figures]

    KIND           what it shows                                            the papers' figures of this kind
    entropy        entropy of the images in each norm set, by epoch         EntProp 1, 5, 7
    selections     how often training images were selected: a histogram     EntProp 6
    cam            class activation maps over images                        MixProp 3
    loss-surface   loss on a plane through an image                         Uncertainty 5
    margin-surface margin on the same plane                                 Uncertainty 6
    margins        normalised margin and distortion of every image          Uncertainty 4
    epsilon-curve  accuracy by perturbation radius                          Uncertainty 1
    steps-curve    accuracy by attack steps                                 Uncertainty 2
    radii          accuracy by perturbation radius, one panel per norm      CEB 3
    sweep          measures by a hyper-parameter, --against rho --value sa  CEB 1, 2; Uncertainty 3; EntProp 4
    trade-off      accuracy under attack against clean accuracy             Mixture 4
    activations    ReLU and the parametric softplus; needs no run           Mixture 3

A RUN is FOLDER or LABEL=FOLDER. The command writes KIND.svg and KIND.png; the same data give the same bytes.
docs/figures.md lists the command that makes the data of each figure.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.diagnostics import plots
from analysis.inputs.run_files import Row, Run, parse_run, read_config, read_epochs, read_pictures, read_table
from trainables.attacks.spec import Attack, parse_attack
from trainables.options import OneLineParser, unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Asked = argparse.Namespace


def entropy(runs: list[Run], asked: Asked) -> "Figure":
    """Entropy by epoch of each branch."""
    return plots.draw_entropy([(run.label, read_epochs(run)) for run in runs])


def selections(runs: list[Run], asked: Asked) -> "Figure":
    """Images by how often they were selected."""
    return plots.draw_selections([(run.label, read_table(run, "selections", "--selections")) for run in runs])


def cam(runs: list[Run], asked: Asked) -> "Figure":
    """Class activation maps of the same pictures."""
    pictures = [(run.label, read_pictures(run)) for run in runs]
    for label, arrays in pictures[1:]:
        for name in ("image", "kind"):
            if arrays[name].tolist() != pictures[0][1][name].tolist():
                raise ValueError(f"all runs must show the same images, got others for {label}")
    return plots.draw_maps(pictures)


def loss_surface(runs: list[Run], asked: Asked) -> "Figure":
    """The loss on a plane through an image."""
    return plots.draw_surface(surfaces(runs), "loss")


def margin_surface(runs: list[Run], asked: Asked) -> "Figure":
    """The margin on that plane."""
    return plots.draw_surface(surfaces(runs), "margin")


def surfaces(runs: list[Run]) -> list[tuple[str, list[Row]]]:
    """What `--surface` measured, run by run."""
    return [(run.label, read_table(run, "surface", "--surface 0,1")) for run in runs]


def margins(runs: list[Run], asked: Asked) -> "Figure":
    """Margin against distortion."""
    return plots.draw_margins([(run.label, read_table(run, "geometry", "--geometry 2000")) for run in runs])


def epsilon_curve(runs: list[Run], asked: Asked) -> "Figure":
    """Accuracy by radius of the attack."""
    return plots.draw_curves(curves(runs, "epsilon", lambda attack: ""), "epsilon (1/255)", log=False)


def steps_curve(runs: list[Run], asked: Asked) -> "Figure":
    """Accuracy by steps of the attack."""
    return plots.draw_curves(curves(runs, "steps", lambda a: f"epsilon {a.epsilon:g}/255"), "steps", log=True)


def curves(runs: list[Run], x: str, panel: Callable[[Attack], str]) -> dict[str, plots.Series]:
    """The points of the runs' curves by panel and line; an adaptive attack has a line of its own."""
    found: dict[str, plots.Series] = {}
    for run in runs:
        flag = f"--attack PGD20-8 --curve {x}"
        rows = [row for row in read_table(run, "evaluation", flag) if row["measure"] == f"{x}_curve"]
        if not rows:
            raise ValueError(f"{run.file('evaluation', 'csv')} must hold a curve; add {flag} to its command")
        for row in rows:
            attack = parse_attack(row["name"])
            line = run.label, "adaptive" if attack.adaptive else ""
            points = found.setdefault(panel(attack), {}).setdefault(line, [])
            points.append((getattr(attack, x), row["value"]))
    return found


def radii(runs: list[Run], asked: Asked) -> "Figure":
    """Accuracy by epsilon of what --attack and --transfer-from measured, a line for each number of steps."""
    found: dict[str, plots.Series] = {}
    for run in runs:
        for row in read_table(run, "evaluation", "--attack PGD20-8:ceb --radii 1,2,4,8"):
            if row["measure"] in ("attack", "transfer"):
                attack = parse_attack(row["name"])
                steps = f"{attack.steps} step{'' if attack.steps == 1 else 's'}"
                line = run.label, steps + (", transfer" if row["measure"] == "transfer" else "")
                panel = {"linf": "within L∞", "l2": "within L2"}[attack.norm]
                found.setdefault(panel, {}).setdefault(line, []).append((attack.epsilon, row["value"]))
    if not found:
        raise ValueError("at least one run must have been attacked, got none; measure with --attack and --radii")
    return plots.draw_curves(found, "epsilon (1/255)", log=True)


def sweep(runs: list[Run], asked: Asked) -> "Figure":
    """Runs that differ in one hyper-parameter and in the seed."""
    if not asked.against or not asked.value:
        raise ValueError("a sweep must name --against OPTION and at least one --value MEASURE, got too few")
    series: dict[str, dict[str, plots.Sweep]] = {}
    for quantity in asked.value:
        for run in runs:
            config = read_config(run)
            place = {**config, **config["method"]}.get(asked.against)
            of_method = series.setdefault(quantity, {}).setdefault(config["method"]["name"], {})
            of_method.setdefault(place, []).append(measured(run, quantity))
    if all(place is None for methods in series.values() for points in methods.values() for place in points):
        raise ValueError(f"at least one run must have an option {asked.against!r}, got none")
    return plots.draw_sweep(series, asked.against)


def trade_off(runs: list[Run], asked: Asked) -> "Figure":
    """Every attack that the first run was measured under, or those of --value."""
    rows = read_table(runs[0], "evaluation", "--attack FGSM8")
    names = asked.value or [
        row["name"] for row in rows if row["measure"] in ("attack", "legacy") and row["name"] != "clean"
    ]
    if not names:
        raise ValueError(f"{runs[0].file('evaluation', 'csv')} must hold an attack; measure with --attack or --legacy")
    # the columns of the legacy protocol belong to its own clean accuracy
    legacy = {row["name"] for row in rows if row["measure"] == "legacy"}
    return plots.draw_trade_off(
        {
            name: [(run.label, measured(run, "clean" if name in legacy else "sa"), measured(run, name)) for run in runs]
            for name in names
        }
    )


def measured(run: Run, quantity: str) -> float:
    """The number that a run's evaluation has for a measure (sa, h …) or a name (PGD20-8, margin …)."""
    rows = read_table(run, "evaluation", "--attack PGD20-8")
    found = {row["name"] or row["measure"]: row["value"] for row in rows if row["measure"] != "corruption"}
    if quantity not in found:
        raise ValueError(unknown(f"value of {run.file('evaluation', 'csv')}", quantity, map(str, found)))
    return found[quantity]


def activations(runs: list[Run], asked: Asked) -> "Figure":
    """ReLU and the parametric softplus."""
    return plots.draw_activations()


KINDS: dict[str, Callable[[list[Run], Asked], "Figure"]] = {
    "entropy": entropy,
    "selections": selections,
    "cam": cam,
    "loss-surface": loss_surface,
    "margin-surface": margin_surface,
    "margins": margins,
    "epsilon-curve": epsilon_curve,
    "steps-curve": steps_curve,
    "radii": radii,
    "sweep": sweep,
    "trade-off": trade_off,
    "activations": activations,
}


def build_parser() -> OneLineParser:
    """The flags of the command."""
    parser = OneLineParser(
        prog="python -m analysis.diagnostics",
        usage="python -m analysis.diagnostics KIND RUN [RUN …] [options]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("kind", metavar="KIND", help="one of the figures above")
    add("runs", metavar="RUN", nargs="*", help="FOLDER or LABEL=FOLDER of a training run")
    add("--norm", default="main", metavar="{main,aux}", help="the norms that were measured [main]")
    add("--name", default="", metavar="NAME", help="the --name of the evaluations")
    add("--against", metavar="OPTION", help="the hyper-parameter of a sweep")
    add(
        "--value",
        action="append",
        default=[],
        metavar="MEASURE",
        help="what to show: sa, h, PGD20-8 …; may be repeated",
    )
    add("--out", type=Path, default=Path("figures"), metavar="FOLDER", help="where the figure goes [figures]")
    add("--as", dest="file", metavar="NAME", help="the name of its files [KIND]")
    return parser


def draw(asked: Asked) -> list[Path]:
    """Read, draw and write."""
    if asked.kind not in KINDS:
        raise ValueError(unknown("figure", asked.kind, KINDS))
    if bool(asked.runs) == (asked.kind == "activations"):
        must = "none" if asked.runs else "at least one"
        raise ValueError(f"{asked.kind} must be given {must} of the runs' folders, got {len(asked.runs)}")
    runs = [parse_run(text, asked.norm, asked.name) for text in asked.runs]

    import matplotlib as mpl

    with mpl.rc_context(plots.STYLE):  # type: ignore[arg-type]
        return plots.write_figure(KINDS[asked.kind](runs, asked), asked.out, asked.file or asked.kind)


def main(arguments: list[str] | None = None) -> int:
    """Draw one kind of figure; an exit code."""
    asked = build_parser().parse(arguments)
    try:
        written = draw(asked)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"written: {', '.join(str(path) for path in written)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
