"""Numbers and tables as the generated Markdown pages write them."""

from collections.abc import Iterable, Sequence

from study.confirm.comparisons import Interval


def difference(found: Interval) -> str:
    """A difference with its sign and the half width of its interval, where it has one."""
    return f"{found.mean:+.2f}".replace("-", "−") + (f" ± {found.half:.2f}" if found.half is not None else "")


def mean(found: Interval) -> str:
    """A mean with the half width of its interval, where it has one."""
    return f"{found.mean:.2f}" + (f" ± {found.half:.2f}" if found.half is not None else "")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars inside cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
