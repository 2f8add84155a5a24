"""What stands at the end of a study: confirmed settings with their intervals, the front, and the answer in words.

Standard library only, so that `show` answers at once; `analysis` has the rest of the statistics.
"""

from collections.abc import Iterable
from pathlib import Path

from study.config.budget import format_cost
from study.config.study_config import PROGRAM
from study.confirm.comparisons import CONTROLS, Confirmed, Interval, confirmed, difference, reference
from study.display.chart import Bar, interval_chart
from study.display.rows import points, setting, spent_of
from study.files.ranking import finished, front
from study.files.results import Row

# --------------------------------------------------------------------------------------------------- the final text


def confirmed_table(rows: Iterable[Row]) -> str:
    """Mean ± 95 % confidence interval over seeds, and paired differences to vanilla and to mixup alone."""
    groups = confirmed(rows)
    if not groups:
        return "nothing confirmed yet"
    several = len({(group.row["dataset"], group.row["model"]) for group in groups}) > 1
    lines: list[tuple[str, ...]] = [("setting", "cost", "seeds", "SA", "RA", "H", "− vanilla", "− mixup")]
    for group in sorted(groups, key=_order):
        name = _name(group) + (f" ({group.row['dataset']}, {group.row['model']})" if several else "")
        seeds = f"{len(group.h)}" + (f" ({group.failed} failed)" if group.failed else "")
        measured = [with_interval(each) for each in (group.sa, group.ra, group.interval)]
        differences = [_difference_cell(groups, method, group) for method in ("vanilla", "mixup")]
        lines.append((name, format_cost(round(group.row["cost"], 3)), seeds, *measured, *differences))
    return aligned(lines)


def confirmed_chart(rows: Iterable[Row]) -> str:
    """H of each setting with its interval, the cheapest first; a picture for each data set and network."""
    groups = sorted(confirmed(rows), key=lambda group: (group.row["cost"] * group.row["epochs"], -group.interval.mean))
    blocks: dict[tuple[str, str], list[Bar]] = {}
    for group in groups:
        found, label = group.interval, f"{format_cost(round(group.row['cost'], 3)):>6}  {_name(group)}"
        bar = Bar(label, found.low, found.mean, found.high)
        blocks.setdefault((group.row["dataset"], group.row["model"]), []).append(bar)
    return "\n\n".join(
        interval_chart("H by cost" + (f" ({', '.join(where)})" if len(blocks) > 1 else ""), bars)
        for where, bars in blocks.items()
    )


def _name(group: Confirmed) -> str:
    name = f"{group.row['why']}: {setting(group.row)}"
    if group.row["why"].startswith(CONTROLS):
        name += f" lr={group.row['lr']:g} epochs={group.row['epochs']}"
    return name


def _order(group: Confirmed) -> tuple[str, str, bool]:
    """Data sets and networks together, the best first; else as confirmed."""
    return group.row["dataset"], group.row["model"], not group.row["why"].startswith("best")


def _difference_cell(groups: list[Confirmed], method: str, group: Confirmed) -> str:
    other = reference(groups, method, group)
    if other is None or other is group:
        return ""
    found = difference(group, other)
    return "" if found is None else with_interval(found, signed=True)


def with_interval(found: Interval, signed: bool = False) -> str:
    """A mean with the half width of its interval, where there is one."""
    mean = f"{found.mean:+.2f}" if signed else f"{found.mean:.2f}"
    return mean if found.half is None else f"{mean} ± {found.half:.2f}"


def aligned(lines: list[tuple[str, ...]]) -> str:
    """Columns divided by two blanks, the first flush left, the others flush right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
    )


def verdict(rows: Iterable[Row]) -> list[str]:
    """In plain words: whether the best setting beats vanilla, and whether it beats mixup alone."""
    groups = confirmed(rows)
    top = next((group for group in groups if group.row["why"].startswith("best-1")), None)
    if top is None:
        return []
    named = [("vanilla", reference(groups, "vanilla", top)), ("mixup alone", reference(groups, "mixup", top))]
    named += [(f"vanilla, {group.row['why']}", group) for group in groups if group.row["why"].startswith(CONTROLS)]
    return [_compared(top, name, other) for name, other in named]


def _compared(top: Confirmed, name: str, other: Confirmed | None) -> str:
    if other is top:
        return f"The best setting found is {name} itself."
    found = difference(top, other) if other is not None else None
    return _in_words(found, name) if found else f"{name} was not confirmed beside the best setting."


def _in_words(found: Interval, name: str) -> str:
    if found.half is None:
        return f"The best setting differs from {name} by {found.mean:+.2f} H with one seed, which shows nothing."
    numbers = f"{found.mean:+.2f} H, 95 % CI {found.low:+.2f} to {found.high:+.2f}, {found.seeds} paired seeds"
    if not found.excludes_zero:
        return f"The best setting does not beat {name}: {numbers}, which holds 0."
    return f"The best setting {'beats' if found.mean > 0 else 'is worse than'} {name}: {numbers}."


def front_table(trials: Iterable[Row]) -> str:
    """The best H for each cost, of trials at full length."""
    rows = front(trials)
    if not rows:
        return "no trial has finished yet"
    lines: list[tuple[str, ...]] = [("validation H by cost", "cost", "H", "SA", "RA")]
    lines += [
        (
            setting(row),
            format_cost(round(row["cost"], 3)),
            *(points(row[name]) for name in ("val_h", "val_sa", "val_ra")),
        )
        for row in rows
    ]
    return aligned(lines)


def counts_line(trials: Iterable[Row]) -> str:
    """How many trials there are of each status, and what they have cost."""
    rows = list(trials)
    found = {
        status: sum(row["status"] == status for row in rows) for status in ("finished", "stopped", "failed", "running")
    }
    named = ", ".join(f"{count} {status}" for status, count in found.items() if count)
    return f"{len(rows)} trials: {named or 'none'}; spent {format_cost(round(sum(spent_of(row) for row in rows), 1))}"


def final_text(folder: Path | str, trials: list[Row], confirm: list[Row]) -> str:
    """What stands at the end of a study: the confirmed table, the front, where things lie, what to do next."""
    parts = []
    if confirm:
        parts.append(
            "On test images and the 15 corruptions, mean ± 95 % CI over seeds; differences in H, paired by seed:"
        )
        parts += [confirmed_table(confirm), confirmed_chart(confirm), "\n".join(verdict(confirm))]
    if trials:
        parts += [front_table(trials), counts_line(trials)]
        short = len([row for row in trials if row["status"] == "finished"]) - len(finished(trials))
        parts += [f"{short} finished trials were shorter than the others and are not ranked"] if short else []
    files = sorted(path.name for path in Path(folder).glob("*.csv"))
    parts.append(f"everything lies in {folder}: {', '.join(['study.json', *files])}")
    parts.append(
        f"next: {PROGRAM} show {folder}" + (f"   or: {PROGRAM} --resume {folder} --extend 24" if trials else "")
    )
    return "\n\n".join(filter(None, parts))
