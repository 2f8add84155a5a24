"""The table and the words at the end of a study."""

from study.commands import command
from study.confirm.comparisons import settings_of
from study.display.summary import confirmed_chart, confirmed_table, counts_line, final_text, verdict
from study.files.results import Results
from tests.support.study_rows import BEST, CONFIRMED, MIXUP, STUDY, VANILLA, runs, trial


def test_a_seed_that_failed_is_counted_and_not_averaged():
    rows = runs("vanilla", VANILLA, [90.0, 92.0])
    rows[1].update(h=None, sa=None, ra=None, error="boom")
    group = settings_of(rows)[0]
    assert (group.interval().mean, group.failed) == (90.0, 1)
    assert "1 (1 failed)" in confirmed_table(rows)


def test_the_confirmed_table_shows_means_intervals_and_differences_with_the_best_first():
    lines = confirmed_table(CONFIRMED).splitlines()
    assert lines[0].split() == ["setting", "cost", "work", "seeds", "SA", "RA", "H", "−", "vanilla", "−", "mixup"]
    assert lines[1].startswith("best-1: entprop k=0.35 n=3 ε=2.5 entropy")
    assert "94.20 ± 0.50" in lines[1]
    worked = confirmed_table([{**each, "measured_cost": 1.5333} for each in CONFIRMED])
    assert worked.count("1.53N") == 3
    assert "+3.70 ± 0.75" in lines[1]  # differences 4.0, 3.7, 3.4
    assert lines[2].startswith("vanilla: vanilla")


def test_the_picture_has_a_line_a_setting_from_the_cheapest_and_one_picture_for_each_network():
    title, first, *_, last = confirmed_chart(CONFIRMED).splitlines()
    found = [group.interval() for group in settings_of(CONFIRMED)]
    low, high = min(each.low for each in found), max(each.high for each in found)
    assert title.split() == ["H", "by", "cost", f"{low:.2f}", f"{high:.2f}"]
    assert first.split()[:2] == ["1N", "mixup:"]
    assert last.split()[1] == "best-1:"
    other = [{**each, "model": "resnet18", "config": each["config"] + "x"} for each in CONFIRMED]
    assert confirmed_chart([*CONFIRMED, *other]).count("H by cost (fashion, ") == 2
    assert confirmed_chart([]) == ""


def test_it_is_said_in_words_where_the_best_beats_and_where_it_does_not():
    named, first, second = verdict(CONFIRMED, 4.0)
    assert named == "Recommended within 4N an epoch: entprop k=0.35 n=3 ε=2.5 entropy, H 94.20 ± 0.50."
    assert first.startswith("It beats vanilla: +3.70 H, 95 % CI +2.95 to +4.45, p = 0.0066 (paired t test")
    assert first.endswith("over 3 common seeds, Holm over 3 comparisons with the baselines).")
    assert second.startswith("It is not shown to differ from mixup alone: +0.30 H")


def test_it_is_said_where_the_best_is_worse_or_is_the_reference_itself():
    worse = [*runs("mixup", MIXUP, [95.0, 95.1, 95.2]), *runs("best-1", BEST, [94.0, 94.2, 94.1])]
    assert "is worse than mixup alone" in verdict(worse)[2]
    assert "was not confirmed" in verdict(worse)[1]
    itself = [*runs("vanilla", VANILLA, [90.0, 91.0]), *runs("best-1, mixup", MIXUP, [94.0, 94.2])]
    assert verdict(itself)[2] == "The recommended setting is mixup alone itself."
    assert (
        "a test needs 3 seeds, got 1 common seed"
        in verdict([*runs("vanilla", VANILLA, [90.0]), *runs("best-1", BEST, [94.0])])[1]
    )


def test_controls_are_compared_with_and_are_never_taken_for_vanilla():
    slow = runs("lr × 1/2", MIXUP, [93.0, 93.5, 94.0], lr=0.2, config="slow")
    long = runs("equal cost", VANILLA, [92.0, 92.1, 92.2], epochs=40, config="long")
    lines = verdict([*CONFIRMED, *slow, *long])
    assert lines[:3] == verdict(CONFIRMED)
    assert "mixup alone, lr × 1/2" in lines[3]
    assert "beats vanilla, equal cost" in lines[4]
    assert "equal cost: vanilla lr=0.4 epochs=40" in confirmed_table([*CONFIRMED, *long])


def test_a_searched_rate_stands_in_the_name_of_its_setting():
    text = confirmed_table([{**each, "lr_searched": True, "lr": 0.31234} for each in CONFIRMED])
    assert "mixup: mixup lr=0.312 " in text
    assert "lr=" not in confirmed_table(CONFIRMED)


def folder_of(path, trials=(), confirm=()):
    """A study's folder with these rows."""
    results = Results(path)
    for row in trials:
        results.put_trial(row)
    for row in confirm:
        results.put_confirm(row)
    return results


def test_the_source_of_frost_stands_beside_ra(tmp_path):
    made = "made here with cifar-c constants, seed 0; frost from procedural ice"
    results = folder_of(tmp_path / "a", confirm=[{**each, "ra_source": made} for each in CONFIRMED])
    assert final_text(STUDY, results).count(f"RA: corruptions {made}") == 1
    # of studies that are older than the column
    assert "RA: corruptions" not in final_text(STUDY, folder_of(tmp_path / "b", confirm=CONFIRMED))


def test_rows_of_several_networks_are_compared_within_their_own():
    other = [{**each, "model": "resnet18", "config": each["config"] + "x", "h": each["h"] - 20} for each in CONFIRMED]
    text = confirmed_table([*CONFIRMED, *other])
    assert text.count("+3.70 ± 0.75") == 2
    assert "(fashion, resnet18)" in text


def test_the_counts_are_of_what_became_of_the_trials():
    trials = [
        trial(0, VANILLA, val_h=90.0, config="v"),
        trial(1, val_h=93.0),
        trial(2, status="stopped", val_h=99.0, epochs=3),
    ]
    assert counts_line(trials) == "3 trials: 2 finished, 1 stopped; spent 60N"


def test_the_final_text_ends_with_where_things_lie_and_what_to_do_next(tmp_path):
    results = folder_of(tmp_path / "x", [trial(0)], CONFIRMED)
    text = final_text(STUDY, results)
    assert text.index("best-1") < text.index("It beats vanilla") < text.index("Best setting found within each budget")
    assert "confirmation: 9 runs" in text
    assert text.splitlines()[-2:] == [
        f"next: {command('show', results.folder)}",
        f"or:   {command('--resume', results.folder, '--extend', 24)}",
    ]
    assert f"all files are in {results.folder}: study.json, confirm.csv, trials.csv" in text
