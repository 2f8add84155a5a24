"""What a person sees of a study: lines while it runs, the table at its end, and folders in any state."""

import io

import pytest
from scipy import stats

from study.budget import Budget
from study.options import Study, trial_config
from study.progress import (
    Progress,
    State,
    confirmed,
    confirmed_line,
    confirmed_table,
    counts_line,
    difference,
    duration,
    ended_line,
    final_text,
    front_table,
    interval,
    live_line,
    setting,
    t_quantile,
    verdict,
)
from study.results import Results, config_row, study_record
from study.show import list_studies, show_study

STUDY = Study(budget=Budget(4.0))


def row(values, **more):
    return {**config_row(trial_config(STUDY, values, 0)), **more}


def trial(number, values=None, **more):
    base = {"trial": number, "status": "finished", "epochs": 10, "spent": 20.0, "seconds": 8.4, "error": None}
    accuracies = {"val_sa": 98.5, "val_ra": 90.26, "val_h": 94.2}
    return row(values or {"method": "entprop", "k": 0.35, "n": 3, "epsilon": 2.5}, **{**base, **accuracies, **more})


def runs(why, values, scores, **more):
    base = {"why": why, "epochs": 10, "sa": 98.0, "ra": 90.0, "seconds": 9.0, "error": None}
    return [row(values, **{**base, "seed": seed, "h": h, **more}) for seed, h in enumerate(scores, start=1)]


BEST = {"method": "entprop", "k": 0.35, "n": 3, "epsilon": 2.5}
VANILLA, MIXUP = {"method": "vanilla"}, {"method": "mixup"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


# --------------------------------------------------------------------------------------------------------- lines


def test_a_setting_shows_what_was_chosen_and_nothing_else():
    assert setting(row(BEST)) == "entprop k=0.35 n=3 ε=2.5 entropy"
    assert (
        setting(row({**BEST, "weights": "sum", "alpha": 1.5})) == "entprop k=0.35 n=3 ε=2.5 entropy α=1.5 weights=sum"
    )
    assert setting(row(VANILLA)) == "vanilla"
    assert setting(row({"method": "mixup", "beta": 0.2})) == "mixup beta=0.2"


def test_a_trial_that_ended_is_one_line_whatever_became_of_it():
    assert ended_line(trial(3)) == (
        "trial   3  entprop k=0.35 n=3 ε=2.5 entropy  2.05N × 10  8 s  H 94.20 (SA 98.50, RA 90.26)"
    )
    assert ended_line(trial(4, status="stopped", epochs=4)).endswith("stopped after epoch 4 at H 94.20")
    failed = trial(5, status="failed", error="out of memory: 3 GiB\nTraceback …", val_h=None)
    assert ended_line(failed).endswith("failed: out of memory: 3 GiB")
    assert confirmed_line(runs("best-1", BEST, [94.1])[0]).startswith("confirm  best-1  entprop k=0.35")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_the_live_line_tells_progress_best_cost_and_time():
    state = State(
        "search", total=24, done=7, running=2, failed=1, spent=140.0, planned=500.0, best=trial(3), seconds_left=95
    )
    assert live_line(state) == (
        "search: 7/24 done, 2 running, 1 failed  best H 94.20: entprop k=0.35 n=3 ε=2.5 entropy  "
        "spent 140N of 500N  1 min 35 s left"
    )
    assert len(live_line(state, width=40)) < 40


# -------------------------------------------------------------------------------------------------- the stream


def progress(stream, **more):
    times = iter(range(0, 1000, 10))
    return Progress(stream=stream, clock=lambda: float(next(times)), **more)


def test_in_a_file_there_are_only_lines_that_stay():
    stream = io.StringIO()
    shown = progress(stream)
    shown.begin("search", 2)
    shown.started("trial-0000")
    shown.epoch("trial-0000", {"spent": 2.0, "cost": 2.0})
    shown.ended(trial(0))
    shown.end()
    assert stream.getvalue() == ended_line(trial(0)) + "\n"


def test_in_a_terminal_one_live_line_is_written_over():
    stream = Terminal()
    shown = progress(stream)
    shown.begin("search", 2)
    shown.started("trial-0000")
    shown.ended(trial(0))
    shown.end()
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\r\033[K")
    assert "1/2 done, 0 running" in text


def test_quiet_says_nothing():
    stream = Terminal()
    shown = progress(stream, quiet=True)
    shown.begin("search", 2)
    shown.ended(trial(0))
    shown.end()
    assert stream.getvalue() == ""


def test_what_was_spent_counts_each_epoch_once_also_after_going_on():
    shown = progress(io.StringIO())
    shown.begin("search", 3, [trial(0, spent=20.0), trial(1, status="running", spent=6.0)])
    assert (shown.state.done, shown.state.spent) == (1, 20.0)
    for spent in (8.0, 10.0, 10.0):  # the last row is handed out again
        shown.epoch("trial-0001", {"spent": spent, "cost": 2.0})
    assert shown.state.spent == 30.0


def test_time_left_is_the_cost_that_is_left_at_the_pace_of_this_call():
    shown = progress(Terminal())
    shown.begin("confirm", 2, planned=40.0)
    shown.epoch("a", {"spent": 10.0, "cost": 10.0})  # the clock says 10 s more each time it is asked
    assert shown.state.seconds_left == pytest.approx(30.0 / 10.0 * 10.0)


def test_the_best_of_the_live_line_is_never_a_stopped_trial():
    shown = progress(io.StringIO())
    shown.begin("search", 3)
    shown.ended(trial(0, val_h=90.0))
    shown.ended(trial(1, val_h=99.0, status="stopped", epochs=3))
    shown.ended(trial(2, val_h=91.0))
    assert shown.state.best["trial"] == 2
    assert (shown.state.done, shown.state.stopped) == (3, 1)


# ---------------------------------------------------------------------------------------------------- statistics


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 30, 101])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_students_quantiles_are_those_of_scipy(freedom, level):
    assert t_quantile(freedom, level) == pytest.approx(stats.t.ppf(0.5 + level / 2, freedom), rel=1e-9)


def test_an_interval_is_students_and_needs_two_values():
    values = [94.0, 93.0, 95.0, 94.5]
    found = interval(values)
    low, high = stats.t.interval(0.95, 3, loc=found.mean, scale=stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    one = interval([94.0])
    assert (one.half, one.excludes_zero) == (None, False)


def test_a_difference_is_paired_by_seed_and_leaves_out_what_has_no_partner():
    one = confirmed(runs("best-1", BEST, [94.0, 95.0, 99.0]))[0]
    other = confirmed(runs("vanilla", VANILLA, [91.0, 92.5]))[0]
    found = difference(one, other)
    assert (found.mean, found.seeds) == (pytest.approx(2.75), 2)


def test_a_seed_that_failed_is_counted_and_not_averaged():
    rows = runs("vanilla", VANILLA, [90.0, 92.0])
    rows[1].update(h=None, sa=None, ra=None, error="boom")
    group = confirmed(rows)[0]
    assert (group.interval.mean, group.failed) == (90.0, 1)
    assert "1 (1 failed)" in confirmed_table(rows)


# ----------------------------------------------------------------------------------------------- the final text

CONFIRMED = [
    *runs("vanilla", VANILLA, [90.0, 90.5, 91.0]),
    *runs("mixup", MIXUP, [94.5, 93.0, 94.2]),
    *runs("best-1", BEST, [94.0, 94.2, 94.4]),
]


def test_the_confirmed_table_shows_means_intervals_and_differences_with_the_best_first():
    lines = confirmed_table(CONFIRMED).splitlines()
    assert lines[0].split() == ["setting", "cost", "seeds", "SA", "RA", "H", "−", "vanilla", "−", "mixup"]
    assert lines[1].startswith("best-1: entprop k=0.35 n=3 ε=2.5 entropy")
    assert "94.20 ± 0.50" in lines[1]
    assert "+3.70 ± 0.75" in lines[1]  # differences 4.0, 3.7, 3.4
    assert lines[2].startswith("vanilla: vanilla")


def test_it_is_said_in_words_where_the_best_beats_and_where_it_does_not():
    first, second = verdict(CONFIRMED)
    assert first.startswith("The best setting beats vanilla: +3.70 H, 95 % CI +2.95 to +4.45, 3 paired seeds")
    assert second.startswith("The best setting does not beat mixup alone: +0.30 H")
    assert "which holds 0" in second


def test_it_is_said_where_the_best_is_worse_or_is_the_reference_itself():
    worse = [*runs("mixup", MIXUP, [95.0, 95.1, 95.2]), *runs("best-1", BEST, [94.0, 94.2, 94.1])]
    assert "is worse than mixup alone" in verdict(worse)[1]
    assert "was not confirmed" in verdict(worse)[0]
    itself = [*runs("vanilla", VANILLA, [90.0, 91.0]), *runs("best-1, mixup", MIXUP, [94.0, 94.2])]
    assert verdict(itself)[1] == "The best setting found is mixup alone itself."
    assert (
        "with one seed, which shows nothing"
        in verdict([*runs("vanilla", VANILLA, [90.0]), *runs("best-1", BEST, [94.0])])[0]
    )


def test_controls_are_compared_with_and_are_never_taken_for_vanilla():
    slow = runs("lr × 1/3", VANILLA, [93.0, 93.5, 94.0], lr=0.0333, config="slow")
    long = runs("equal cost", VANILLA, [92.0, 92.1, 92.2], epochs=40, config="long")
    lines = verdict([*CONFIRMED, *slow, *long])
    assert lines[:2] == verdict(CONFIRMED)
    assert "vanilla, lr × 1/3" in lines[2]
    assert "beats vanilla, equal cost" in lines[3]
    assert "equal cost: vanilla lr=0.1 epochs=40" in confirmed_table([*CONFIRMED, *long])


def test_rows_of_several_networks_are_compared_within_their_own():
    other = [{**each, "model": "resnet18", "config": each["config"] + "x", "h": each["h"] - 20} for each in CONFIRMED]
    text = confirmed_table([*CONFIRMED, *other])
    assert text.count("+3.70 ± 0.75") == 2
    assert "(digits, resnet18)" in text


def test_the_front_and_the_counts_are_of_what_was_finished():
    trials = [
        trial(0, VANILLA, val_h=90.0, config="v"),
        trial(1, val_h=93.0),
        trial(2, status="stopped", val_h=99.0, epochs=3),
    ]
    assert [line.split("  ")[0] for line in front_table(trials).splitlines()[1:]] == ["vanilla", setting(trials[1])]
    assert counts_line(trials) == "3 trials: 2 finished, 1 stopped; spent 60N"
    assert front_table([]) == "no trial has finished yet"


def test_the_final_text_ends_with_where_things_lie_and_what_to_do_next():
    text = final_text("runs/x", [trial(0)], CONFIRMED)
    assert text.index("best-1") < text.index("The best setting beats vanilla") < text.index("validation H by cost")
    assert text.splitlines()[-1].startswith("next: python study/run.py show runs/x")
    assert "everything lies in runs/x" in final_text("runs/x", [], [])


# ------------------------------------------------------------------------------------------------- show and ls


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "one"
    Results(path).write_study(study_record(STUDY.as_dict(), ["study/run.py", "--budget", "4N"]))
    return path


def test_a_study_that_has_just_begun_says_what_is_missing(folder):
    text = show_study(folder)
    assert "entprop within 4N on digits, resnet8, 10 epochs" in text
    assert "command: study/run.py --budget 4N" in text
    assert "no trial has begun yet" in text
    assert "missing: 24 of 24 trials" in text
    assert f"--resume {folder}" in text


def test_a_study_that_was_cut_off_shows_what_is_there(folder):
    results = Results(folder)
    results.put_trial(trial(0))
    results.put_trial(trial(1, status="failed", error="out of memory: much\nTraceback", val_h=None))
    results.put_trial(trial(2, status="running", epochs=4, val_h=None))
    for each in CONFIRMED[:3]:
        results.put_confirm(each)
    with open(folder / "trials.csv", "a") as file:
        file.write("3,abc")
    text = show_study(folder)
    assert "3 trials: 1 finished, 1 failed, 1 running" in text
    assert "trial 1  entprop k=0.35 n=3 ε=2.5 entropy: out of memory: much" in text
    assert "running, or cut off:" in text
    assert "vanilla: vanilla" in text
    assert "missing: 22 of 24 trials" in text


def test_a_whole_study_misses_nothing(folder):
    results = Results(folder)
    for number in range(24):
        results.put_trial(trial(number))
    for each in CONFIRMED:
        results.put_confirm(each)
    results.update_study(state="finished", end=results.read_study()["start"])
    text = show_study(folder)
    assert "missing" not in text
    assert "--resume" not in text
    assert "The best setting does not beat mixup alone" in text


def test_studies_are_listed_one_line_each_in_any_state(folder):
    Results(folder).put_trial(trial(0))
    (folder.parent / "two").mkdir()
    (folder.parent / "two" / "study.json").write_text("{")
    (folder.parent / "three").mkdir()
    Results(folder.parent / "three").write_study({})
    (folder.parent / "something else").mkdir()
    lines = list_studies(folder.parent).splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("one")
    assert "1/24" in lines[1]
    assert "94.20 entprop k=0.35" in lines[1]
    assert "damaged" in lines[3]
    assert list_studies(folder / "nothing").startswith("no studies in")
