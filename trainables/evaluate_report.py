"""How the evaluator prints what it measured."""

from trainables import evaluate
from trainables.evaluate import Measurement
from trainables.metrics import by_corruption, by_severity

FIRST = {"sa": " %", "ra": " %", "h": "", "ece": " %", "entropy": " nats", "rate": " nats"}  # of the first line
# how the numbers of one line are printed
UNITS = {
    **dict.fromkeys(("attack", "transfer", "shift", "epsilon_curve", "steps_curve", "legacy"), "{:.2f} %"),
    **dict.fromkeys(("left", "fallen"), "{:.0f}"),
    **dict.fromkeys(("geometry", "fid"), "{:.4g}"),
}


def render(rows: list[tuple[Measurement, int, str]]) -> str:
    """The table that is printed."""
    values = {row.measure: row.value for row, _, _ in rows if row.measure in FIRST}
    names = {"ece": "ECE", "entropy": "entropy", "rate": "rate"}
    lines = ["   ".join(f"{names.get(m, m.upper())} {value:.2f}{FIRST[m]}" for m, value in values.items())]
    accuracies = evaluate.corruption_accuracies(row for row, _, _ in rows)
    if accuracies:
        lines += ["", *corruption_lines(accuracies)]
    for row, images, source in rows:
        if row.measure == "mce":
            normaliser = "AlexNet on ImageNet-C" if row.name == "alexnet" else row.name
            lines.append(f"mCE {row.value:.2f} %, normaliser: {normaliser}")
        elif row.measure in UNITS:
            lines.append(
                f"{row.measure} {row.name}: {UNITS[row.measure].format(row.value)} of {images} images ({source})"
            )
    sources = dict.fromkeys(f"{images} images, {source}" for row, images, source in rows if row.measure in ("sa", "ra"))
    return "\n".join([*lines, *sources])


def corruption_lines(accuracies: dict[tuple[str, int], float]) -> list[str]:
    """Accuracy by corruption and severity, with the means at the edges."""
    severities = sorted({severity for _, severity in accuracies})
    lines = [f"{'accuracy %':20}" + "".join(f"{severity:>7}" for severity in severities) + "   mean"]
    for name, mean in by_corruption(accuracies).items():
        cells = "".join(f"{accuracies[name, severity]:7.1f}" for severity in severities)
        lines.append(f"{name:20}{cells}{mean:7.1f}")
    means = by_severity(accuracies)
    overall = sum(accuracies.values()) / len(accuracies)
    return [*lines, f"{'mean':20}" + "".join(f"{means[severity]:7.1f}" for severity in severities) + f"{overall:7.1f}"]
