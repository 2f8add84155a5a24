"""What README and docs/decisions.md say about validation signals and loss weights is what the stored rows say."""

from pathlib import Path

from benchmarks.choose_signal import OLD, Runs, correlation, default_table, joined_table, more_table, weights_table
from benchmarks.report import RESULTS
from benchmarks.signal import JOINED

ROOT = Path(__file__).parents[2]
DECISIONS, README = (" ".join((ROOT / name).read_text().split()) for name in ("docs/decisions.md", "README.md"))
NEW = {name: Runs(RESULTS / f"confirm-{name}.csv") for name in ("cifar10b", "digits_anew", "fashion")}


def both(runs, names):
    """The correlation over all settings, and in brackets over EntProp's."""
    return f"{correlation(runs, names):.2f} ({correlation(runs, names, runs.entprop):.2f})".replace("-", "−")


def test_the_correlations_are_those_of_the_rows():
    for names in (OLD, JOINED):
        assert f"| {' | '.join(both(runs, names) for runs in NEW.values())} |" in DECISIONS
    fashion, digits, cifar = (
        f"{correlation(NEW[name], JOINED):.2f}" for name in ("fashion", "digits_anew", "cifar10b")
    )
    assert (
        f"rank correlation of {fashion} on the clothes, {digits} on the digits and {cifar} on CIFAR-10 images" in README
    )


def test_the_veils_keep_what_was_written_down_before():
    for name in ("cifar10b", "fashion"):
        assert correlation(NEW[name], JOINED) >= 0.8
    for runs in NEW.values():
        assert correlation(runs, JOINED, runs.entprop) > correlation(runs, OLD, runs.entprop)


def test_the_loss_weights_are_those_of_the_rows():
    several = [*NEW.values(), *(Runs(RESULTS / f"signal-{name}.csv") for name in ("cifar10", "digits", "fashion"))]
    rows = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ") for line in weights_table(several, JOINED)}
    for weights in ("instance", "pass_mean", "sum"):
        new_cifar, new_digits, new_fashion, cifar, digits, fashion, mean = rows[weights][1:]
        shown = f"{cifar}, {new_cifar} | {digits}, {new_digits} | {fashion}, {new_fashion} | {mean} |"
        assert shown.replace("-", "−") in DECISIONS
    means = (rows[weights][-1].removeprefix("+") for weights in ("pass_mean", "sum"))
    assert "gains {} H over mixup alone, Algorithm 1's plain sum {},".format(*means) in README


def test_the_default_data_set_keeps_its_criteria():
    lines = {line.split(" | ")[0]: line for line in default_table([NEW["fashion"]])}
    _, fitted, predicted, moved, gain = (cell.strip(" |") for cell in lines["| new fashion"].split(" | "))
    assert float(fitted.removesuffix(" %")) >= 95
    assert float(predicted) >= 0.8
    assert int(moved) >= 10
    assert f"| {fitted} | {predicted} | {moved} | {gain.split(': ')[1]} H" in DECISIONS


def test_there_is_a_row_for_each_data_set():
    assert len(joined_table(list(NEW.values()))) == 2 + len(NEW)


def test_the_free_shares_and_advprops_rates_are_those_of_the_rows():
    assert "\n".join(more_table()) in (ROOT / "docs" / "decisions.md").read_text()
