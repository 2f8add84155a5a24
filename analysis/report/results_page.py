"""What has been shown and what has not: docs/results.md, and README's table and figures, from the studies in results/.

    python -m analysis.results_page        # part of `make notebooks`

Every published table has one row that says how much of it stands here; every claim the printed difference beside ours,
with its seeds and spread.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from analysis.comparisons.claims import FAILS, HOLDS, OPEN, JudgedClaim, judge_claims
from analysis.comparisons.settings import settings
from analysis.figures.registry import draw
from analysis.figures.style import data_name, svg_text
from analysis.inputs.studies import StudyFrames, read_folder, read_studies
from study.config.budget import format_cost
from study.confirm.comparisons import LEVEL, Interval
from study.display.summary import confirmed_lines, ra_sources, verdict
from study.files.aligned import aligned
from study.files.results import Results
from study.papers import COMPUTED, GRIDS, demo_twins, size
from study.papers.listing import PAPERS, table_order
from trainables.data.datasets import dataset_entry
from trainables.disk import write_atomically

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results.md"
README = ROOT / "README.md"
PICTURES = ROOT / "docs" / "figures"
SHOWN = ("cost", "k", "n", "pareto")  # of the README
FRONT = re.compile(r"(<!-- from results/(\S+) -->\n```text\n).*?(```\n<!-- end -->)", flags=re.DOTALL)

INTRODUCTION = """\
# What has been shown, and what has not

Written by `python -m analysis.results_page` from the studies in `results/`; `make notebooks` writes it anew.

None of the papers' tables has been trained at its printed size here: that takes GPUs for days to months, and images
of their own. What is kept was trained on two CPU cores, on the embedded part of Fashion-MNIST. Such runs show that the
code does what the papers describe, and which way an effect points where vanilla fits its training images; they are no
evidence about training at the papers' size. On digits and CIFAR-10 images, at several learning rates:
`benchmarks/results/signal.md`.
`python study/run.py --table ID` runs any table at its printed size."""
JUDGED = """\
Differences in points of H, or of accuracy where a claim is about PGD-20 (here within 8/255, on 100 test images); ours
paired by seed, mean ± half of the 95 % confidence interval, which is not corrected. A claim holds if the first setting
is significantly higher, and fails if it is significantly lower: paired t test over common seeds, p below 0.05 after
Holm's correction over all claims judged here. Otherwise it is open. *Visible*: the
least true difference that such a test finds with 80 % power, without correction. *Excludes printed*: whether our
interval excludes the printed difference."""
ELSEWHERE = """\
The claims of the CEB, mixture and uncertainty papers are about attacks: `benchmarks/results/claims-digits.md`,
made with the training attacks of version 0.1.
What the open choices of EntProp change: `docs/decisions.md`."""
STATUS = """\
*computed*: worked out of the code, nothing is trained. *kept*: trained on the data named, at demonstration size, with
the rows in `results/`. *runs*: `--scale demo` trains it on the embedded images in minutes, nothing is kept. The last
column is what the printed size takes: the compute, and where a folder is named the data, that we lack."""


def main() -> int:
    """Write them all."""
    texts = {PAGE: page(stored(ROOT / "results")), README: front(README.read_text(encoding="utf-8")), **pictures()}
    PICTURES.mkdir(exist_ok=True)
    for path, text in texts.items():
        write_atomically(path, text, to_disk=False)
        print(f"written {path}", flush=True)
    return 0


def front(readme: str) -> str:
    """The README with the final table of the study that it names."""
    return FRONT.sub(lambda found: found[1] + _confirmed(ROOT / "results" / found[2]) + "\n" + found[3], readme)


def _confirmed(folder: Path) -> str:
    """What the study's output ended with: the table of what was confirmed, and the verdicts."""
    rows = Results(folder).confirm
    return "\n".join([aligned(confirmed_lines(rows), numbers=True), *ra_sources(rows), "", *verdict(rows)])


def pictures() -> dict[Path, str]:
    """The figures of the README, from all stored studies."""
    found = read_studies(stored(ROOT / "results"), mix=True)
    drawn = {name: draw(name, found) for name in SHOWN}
    return {PICTURES / f"{name}.svg": svg_text(each.figure) for name, each in drawn.items()}


def stored(folder: Path) -> list[Path]:
    """The studies of a folder."""
    return sorted(each.parent for each in folder.glob("*/study.json"))


def page(paths: Sequence[Path]) -> str:
    """The whole page."""
    judged = judge_claims(read_studies(paths, mix=True).done)
    each = [read_folder(path) for path in paths]
    parts = [
        INTRODUCTION, "## Studies that are kept", _studies(each), "## What the EntProp paper says, and our runs",
        f"{JUDGED} {_counts(judged)}", _claims(judged), ELSEWHERE, "## The published tables", STATUS, *_tables(each),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


# ------------------------------------------------------------------------------------------------------- studies


def _studies(folders: Iterable[StudyFrames]) -> str:
    rows = []
    for each in folders:
        data = ", ".join(each.done["dataset"].map(data_name).unique())
        cost = (each.done["cost"] * each.done["epochs"]).sum()
        count = len(settings(each.done))
        rows.append([f"`results/{each.name}`", data, f"{count}", _seeds(each.done), format_cost(round(cost))])
    return _table(("study", "data", "settings measured on test images", "seeds of each", "spent on them"), rows)


# -------------------------------------------------------------------------------------------------------- claims


def _counts(judged: Sequence[JudgedClaim]) -> str:
    verdicts = [each.verdict for each in judged if each.judged is not None]
    words = ((HOLDS, "hold"), (OPEN, "are open"), (FAILS, "fail"))
    return f"Of {len(verdicts)} judged here, {', '.join(f'{verdicts.count(name)} {word}' for name, word in words)}."


def _claims(judged: Sequence[JudgedClaim]) -> str:
    rows = []
    for each in judged:
        found, place = each.judged and each.judged.difference, each.place
        lost = "lost" if GRIDS[each.claim.table].lost else "–"
        where = "–" if place is None else f"{data_name(place[0])}, {place[1]}, {place[3]} epochs"
        seeds = f"{found.seeds}" if found else "–"
        printed = lost if each.printed is None else f"{each.printed:+.2f}"
        rows.append([each.claim.table, each.claim.text, printed, _difference(found), seeds, where, each.verdict])
        rows[-1] += [_least(found), _excludes(found, each.printed)]
    header = ("table", "claim", "printed", "ours", "seeds", "on", "here", "visible", "excludes printed")
    return _table(header, rows)


def _least(found: Interval | None) -> str:
    return "–" if found is None or found.half is None else f"{least_visible(found):.2f}"


def least_visible(found: Interval, power: float = 0.8) -> float:
    """The true difference that a paired t test finds with that power, given the spread over seeds; not corrected."""
    from scipy.optimize import brentq
    from scipy.stats import nct, t

    assert found.half is not None, "one seed has no spread"
    critical = t.ppf((1 + LEVEL) / 2, found.seeds - 1)
    shift = brentq(lambda shift: nct.sf(critical, found.seeds - 1, shift) - power, 0, 100)
    return float(shift * found.half / critical)


def _excludes(found: Interval | None, printed: float | None) -> str:
    if found is None or found.half is None or printed is None:
        return "–"
    return "no" if found.low <= printed <= found.high else "yes"


def _difference(found: Interval | None) -> str:
    if found is None:
        return "–"
    return f"{found.mean:+.2f}" + (f" ± {found.half:.2f}" if found.half is not None else "")


# -------------------------------------------------------------------------------------------------------- tables


def _tables(folders: Sequence[StudyFrames]) -> Iterator[str]:
    for paper, name in PAPERS.items():
        tables = sorted((each for each in (*GRIDS, *COMPUTED) if each.startswith(f"{paper}/")), key=table_order)
        titles = {each: (COMPUTED[each] if each in COMPUTED else GRIDS[each]).title for each in tables}
        rows = [[each, titles[each], status(each, folders), _size(each)] for each in tables]
        yield f"### {name}"
        yield _table(("table", "what", "status", "printed size"), rows)


def status(table: str, folders: Sequence[StudyFrames]) -> str:
    """How much of a published table stands here."""
    if table in COMPUTED:
        return "computed"
    own = [each for each in folders if each.options and each.options.table == table]
    if not own:
        twin = demo_twins().get(table)
        return "runs" + (f" (the networks of {twin})" if twin else "")
    kept = [
        f"{', '.join(each.done['dataset'].map(data_name).unique())}, {_seeds(each.done)} seeds, `results/{each.name}`"
        for each in own
    ]
    return f"kept: {'; '.join(kept)}"


def _seeds(runs: pd.DataFrame) -> str:
    return " or ".join(map(str, sorted({len(each.h) for each in settings(runs)})))


def _size(table: str) -> str:
    if table in COMPUTED:
        return "–"
    grid = GRIDS[table]
    asked = size(grid)
    data = ", ".join(name + (" (a folder)" if dataset_entry(name).folder_only else "") for name in grid.datasets)
    text = f"{asked.runs} runs, {asked.cost:,.0f}N; {', '.join(asked.models)} on {data}"
    return text + (f"; {grid.needs}" if grid.needs else "") + ("; printed numbers lost" if grid.lost else "")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
