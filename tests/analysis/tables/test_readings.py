"""What tables say in words agrees with their numbers."""

import re
from statistics import fmean, stdev

import pytest
from scipy import stats

from analysis.tables.readings import reading, still_open
from study.confirm.comparisons import seeds_to_settle
from study.papers import cells
from tests.support.analysis_rows import five_rows, run, runs
from trainables.config import make_method

SEEDS = range(6)


def table_16(**h_of):
    """Six seeds of rows of table 16: mean H by label, each setting with a spread of its own below 0.3."""
    by_label = {cell.label: cell.config for cell in cells("entprop/16", scale="demo")}
    names = {"vanilla": "k=0 (Vanilla)", "mixup": "Mixup alone"}
    configs = {name: by_label[names.get(name, name.replace("_", "=0."))] for name in h_of}
    found = []
    for i, (name, h) in enumerate(h_of.items()):
        moves = [0.1 * ((seed * seed + i * seed) % 7 - 3) for seed in SEEDS]
        found += [run(configs[name], seed, h + moves[seed] - fmean(moves)) for seed in SEEDS]
    return runs(*found)


def test_the_best_row_the_baselines_and_the_printed_order_are_said():
    best, vanilla, mixup, order = reading(
        "entprop/16", table_16(vanilla=60.0, mixup=64.0, k_1=62.0, k_2=66.0, k_3=66.0, k_4=65.0)
    )
    assert re.fullmatch(
        r"Highest mean H: k=0\.2, 66\.00 ± 0\.\d\d \(6 seeds\)\. Not shown to be worse: 1 of the other 3 rows\.", best
    )
    assert vanilla == (
        "Significantly above vanilla: 4 of 4 rows; below: none. The mean differences lie between +2.00 and +6.00 "
        "points."
    )
    assert mixup == (
        "Significantly above mixup alone: 3 of 4 rows (k=0.2; k=0.3; k=0.4); below: 1 of 4 rows (k=0.1). The mean "
        "differences lie between −2.00 and +2.00 points."
    )
    ours, printed = (62.0, 66.0, 66.0, 65.0), (64.41, 65.15, 65.32, 65.20)
    rank = stats.spearmanr(ours, printed).statistic
    assert order == (
        f"Rank correlation of our mean with the printed H: {rank:+.2f} over 4 rows. The highest printed one is that of "
        "k=0.3."
    )


def test_rows_that_are_told_from_mixup_leave_open_what_is_not_measured():
    rows = table_16(vanilla=60.0, mixup=64.0, k_1=62.0, k_2=66.0)
    assert still_open("entprop/16", rows) == [
        "Table entprop/16: 2 of 10 rows measured. For all of them: "
        "`python study/run.py --table entprop/16 --scale demo`."
    ]


def test_rows_like_mixup_need_as_many_seeds_as_their_spread_says():
    rows = table_16(vanilla=60.0, mixup=64.0, k_2=64.0)
    mixup, ours = (rows[rows["h"].between(63, 65)].groupby("config")["h"].apply(list)).tolist()
    seeds = seeds_to_settle(stdev(a - b for a, b in zip(ours, mixup, strict=True)), 0.5)
    assert still_open("entprop/16", rows)[1] == (
        "Table entprop/16: no significant difference from mixup alone in 1 of 1 row (6 seeds). To show a true "
        f"difference of 0.5 points with 80 % power takes {seeds} seeds, depending on the row: "
        f"`python study/run.py --table entprop/16 --scale demo --seeds {seeds}`."
    )


def test_a_study_of_the_table_gets_more_seeds():
    rows = table_16(vanilla=60.0, mixup=64.0, k_2=64.0).assign(table="entprop/16", study="mine")
    assert re.search(r"`python study/run.py confirm mine --seeds \d+`\.$", still_open("entprop/16", rows)[1])


def test_a_table_about_pgd_is_read_under_pgd():
    frame, (_, second, third) = five_rows("entprop/11")
    lines = reading("entprop/11", frame)
    assert lines[0].startswith(f"Highest mean accuracy under PGD-20: {third}, 20.00 (1 seed).")
    assert second in " ".join(lines) or "2 rows" in " ".join(lines)


@pytest.mark.parametrize("table", ["entprop/16", "ceb/figure2"])
def test_a_table_without_rows_says_how_to_measure_it(table):
    vanilla = cells("entprop/16", scale="demo")[0].config
    assert vanilla.method == make_method("vanilla", {})
    rows = runs(run(vanilla, 0, 60.0))
    assert reading(table, rows) == []
    assert still_open(table, rows) == [
        f"Table {table} is not measured here: `python study/run.py --table {table} --scale demo`."
    ]
