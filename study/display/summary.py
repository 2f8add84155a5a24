"""The final text of a study: confirmed settings with intervals, and the answer in words."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from study.commands import command
from study.config.budget import format_cost
from study.config.study_config import Study
from study.confirm.comparisons import (
    HIGHER,
    LEAST_PAIRS,
    NOT_SHOWN,
    NOT_TESTED,
    Interval,
    Judged,
    Setting,
    baseline,
    compare_with_baselines,
    compare_with_controls,
    paired_test,
    settings_of,
)
from study.display.advice import advice, alike, recommended
from study.display.chart import Bar, interval_chart
from study.display.rows import counted, setting
from study.files.aligned import fitted, in_lines
from study.files.ranking import finished, spent_of
from study.files.results import Results, Row
from study.papers.baselines import BASELINES


def confirmed_table(rows: Iterable[Row]) -> str:
    """The confirmed settings in a table that fits the terminal."""
    lines = confirmed_lines(rows)
    narrow = ("work", "seeds", "SA", "RA", "cost")  # what a narrow terminal can do without
    return fitted(lines, narrow, numbers=True) if lines else "nothing confirmed yet"


def confirmed_lines(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    """Mean ± 95 % confidence interval over seeds, and paired differences to vanilla and to mixup alone."""
    found = settings_of(rows)
    if not found:
        return []
    several = len({each.place[:2] for each in found}) > 1
    lines: list[tuple[str, ...]] = [("setting", "cost", "work", "seeds", "SA", "RA", "H", "− vanilla", "− mixup")]
    for each in sorted(found, key=_order):
        name = _name(each) + (f" ({', '.join(each.place[:2])})" if several else "")
        seeds = f"{len(each.h)}" + (f" ({each.failed} failed)" if each.failed else "")
        measured = [with_interval(mean) if (mean := each.interval(name)) else "" for name in ("sa", "ra", "h")]
        differences = [_difference_cell(found, method, each) for method in BASELINES]
        costs = (format_cost(round(each.row["cost"], 3)), work_cell(each.row))
        lines.append((name, *costs, seeds, *measured, *differences))
    return lines


def ra_sources(rows: Iterable[Row]) -> list[str]:
    """How the corrupted images were made; with other pictures of frost, RA is another number."""
    return [f"RA: corruptions {source}" for source in sorted({row.get("ra_source") or "" for row in rows} - {""})]


def work_cell(row: Row) -> str:
    """The work that was measured, in N an epoch."""
    measured = row.get("measured_cost")
    return "" if measured is None else format_cost(round(measured, 2))


def confirmed_chart(rows: Iterable[Row]) -> str:
    """H of each setting with its interval, the cheapest first; a chart for each data set and network."""
    means = [(each, mean) for each in settings_of(rows) if (mean := each.interval())]
    blocks: dict[tuple[str, str], list[Bar]] = {}
    for each, mean in sorted(means, key=lambda pair: (pair[0].row["cost"] * pair[0].row["epochs"], -pair[1].mean)):
        label = f"{format_cost(round(each.row['cost'], 3)):>6}  {_name(each)}"
        bar = Bar(label, mean.low, mean.mean, mean.high)
        blocks.setdefault((each.row["dataset"], each.row["model"]), []).append(bar)
    return "\n\n".join(
        interval_chart("H by cost" + (f" ({', '.join(where)})" if len(blocks) > 1 else ""), bars)
        for where, bars in blocks.items()
    )


def _name(found: Setting) -> str:
    name = f"{found.why}: {setting(found.row)}"
    if found.control:
        return f"{name} lr={found.row['lr']:g} epochs={found.row['epochs']}"
    return f"{name} lr={found.row['lr']:.3g}" if found.row.get("lr_searched") in (True,) else name


def _order(found: Setting) -> tuple[str, str, bool]:
    """Data sets and networks together, the best first; else as confirmed."""
    return found.row["dataset"], found.row["model"], not found.why.startswith("best")


def _difference_cell(found: Sequence[Setting], method: str, each: Setting) -> str:
    other = baseline(alike(found, each), method)
    test = paired_test(each.h, other.h) if other and other is not each else None
    return with_interval(test.difference, signed=True) if test else ""


def with_interval(found: Interval, signed: bool = False) -> str:
    """A mean with the half width of its interval, where there is one."""
    mean = f"{found.mean:+.2f}" if signed else f"{found.mean:.2f}"
    return mean if found.half is None else f"{mean} ± {found.half:.2f}"


def verdict(rows: Iterable[Row], budget: float | None = None) -> list[str]:
    """What is recommended, and whether it is above vanilla, above mixup alone, and above both under each control."""
    found = settings_of(rows)
    top = recommended(found)
    if top is None:
        return []
    group = alike(found, top)
    compared = {id(each.baseline): each.judged for each in compare_with_baselines(group) if each.setting is top}
    named = [(name, baseline(group, method)) for method, name in BASELINES.items()]
    within = f" within {format_cost(budget)} an epoch" if budget else ""
    mean = top.interval()
    lines = [f"Recommended{within}: {_name(top).partition(': ')[2]}" + (f", H {with_interval(mean)}." if mean else ".")]
    lines += [_compared(top, name, other, compared) for name, other in named]
    controls = compare_with_controls(top, found)
    return lines + [sentence(each.judged, "It", control_name(each.baseline)) for each in controls]


def control_name(found: Setting) -> str:
    """A baseline at another rate or length, as sentences call it."""
    return f"{BASELINES[found.row['method']]}, {found.why}"


def _compared(top: Setting, name: str, other: Setting | None, compared: Mapping[int, Judged]) -> str:
    if other is top:
        return f"The recommended setting is {name} itself."
    if id(other) not in compared:
        return f"{name} was not confirmed, so there is no comparison with it."
    return sentence(compared[id(other)], "It", name)


def sentence(found: Judged, subject: str, name: str) -> str:
    """The verdict on a difference in H, with its interval, p and the family of tests."""
    numbers = f"{found.difference.mean:+.2f} H"
    if found.difference.half is not None:
        numbers += f", 95 % CI {found.difference.low:+.2f} to {found.difference.high:+.2f}"
    seeds = counted(found.difference.seeds, "common seed")
    if found.verdict == NOT_TESTED:
        reason = (
            f"a test needs {LEAST_PAIRS} seeds, got {seeds}"
            if found.difference.seeds < LEAST_PAIRS
            else f"the difference is the same for all {seeds}"
        )
        return f"{subject} cannot be tested against {name}: {numbers}; {reason}."
    verb = "beats" if found.verdict == HIGHER else "is worse than"
    verb = "is not shown to differ from" if found.verdict == NOT_SHOWN else verb
    return f"{subject} {verb} {name}: {numbers}, p = {found.p:.2g} (paired t test over {seeds}, {found.family})."


def counts_line(trials: Iterable[Row]) -> str:
    """The number of trials by status, and their cost."""
    rows = list(trials)
    found = Counter(row["status"] for row in rows)
    named = ", ".join(f"{found[name]} {name}" for name in ("finished", "stopped", "failed", "running") if found[name])
    spent = format_cost(round(sum(map(spent_of, rows)), 1))
    return f"{counted(len(rows), 'trial')}: {named or 'none'}; spent {spent}"


def runs_lines(results: Results) -> list[str]:
    """The number of runs of race and confirmation, and their cost."""
    several = (("race", results.race), ("confirmation", results.confirm))
    return [
        f"{name}: {counted(len(rows), 'run')}; spent {format_cost(round(sum(spent_of(row) for row in rows), 1))}"
        for name, rows in several
        if rows
    ]


def final_text(study: Study, results: Results) -> str:
    """The final text of a study: the confirmed table, the answer, the files and the next commands."""
    trials, confirm, folder = results.trials, results.confirm, results.folder
    parts = []
    if confirm:
        title = "On test images and the 15 corruptions, mean ± 95 % CI over seeds; differences in H, paired by seed:"
        sources = map(in_lines, ra_sources(confirm))
        parts += [in_lines(title), "\n".join([confirmed_table(confirm), *sources]), confirmed_chart(confirm)]
        parts.append("\n".join(map(in_lines, verdict(confirm, study.per_epoch if study.budget else None))))
    if trials:
        parts += advice(study, results)
        parts.append("\n".join([counts_line(trials), *runs_lines(results)]))
        short = sum(row["status"] == "finished" for row in trials) - len(finished(trials))
        few = f"{counted(short, 'finished trial')} had fewer epochs than the others and {'is' if short == 1 else 'are'}"
        parts += [f"{few} not ranked"] if short else []
    files = sorted(path.name for path in folder.glob("*.csv"))
    parts.append(in_lines(f"all files are in {folder}: {', '.join(['study.json', *files])}"))
    more = f"\nor:   {command('--resume', folder, '--extend', 24)}" if trials else ""
    parts.append(f"next: {command('show', folder)}{more}")
    return "\n\n".join(filter(None, parts))
