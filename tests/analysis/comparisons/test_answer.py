"""The answer says what the numbers say: what beats what, what is not shown, and when nothing may be quoted."""

from analysis.comparisons.answer import answer, between
from analysis.comparisons.settings import settings
from analysis.inputs.studies import read_folder
from analysis.tables.registry import TABLES
from study.confirm.comparisons import LOWER, compare_with_baselines
from study.files.results import Results
from tests.support.analysis_folders import BEST, BEST_COST, BEST_VALIDATION_H, keep_rows, killed, stored
from tests.support.analysis_rows import config, run, runs


def of(folder):
    told = answer(read_folder(folder))
    return " ".join([told.headline, *told.details])


def test_answer_of_the_stored_study_names_setting_cost_interval_and_both_baselines(tmp_path):
    told = answer(read_folder(stored(tmp_path / "s")))
    assert told.headline == (
        f"Recommended within 4N per epoch: {BEST} ({BEST_COST}), H 76.83 ± 2.25 (95 % CI, 6 seeds) on held-out test "
        "images, statistically indistinguishable from vanilla (+3.34) and mixup alone (+0.61)."
    )
    text = " ".join(told.details)
    assert "It is not shown to differ from vanilla: +3.34 H, 95 % CI +1.24 to +5.44" in text
    assert "It is not shown to differ from mixup alone: +0.61 H, 95 % CI -0.79 to +2.00" in text
    assert told.cautions == (
        "Higher mean H on test images, which must not be used to choose: entprop k=0.6 n=5 ε=6 entropy (77.56).",
    )
    assert [role for role, _ in told.settings] == ["recommended", "vanilla", "mixup alone"]
    assert [line.budget for line in told.budgets] == [1.2, 3.0, 4.0]


def test_p_of_the_answer_is_that_of_the_table(tmp_path):
    found = read_folder(stored(tmp_path / "s"))
    tested = compare_with_baselines(settings(found.runs))
    table = TABLES["cost"](found.runs)
    best = table[table["why"] == "best-1"].iloc[0]
    ours = [each.judged.p for each in tested if each.setting.why == "best-1"]
    assert ours == [best["over_vanilla_p"], best["over_mixup_p"]]


def test_one_seed_gives_no_verdict(tmp_path):
    text = of(keep_rows(stored(tmp_path / "s"), "confirm", lambda row: row["seed"] == 1))
    assert "(one seed, no interval)" in text
    assert "It cannot be tested against vanilla" in text
    assert "a test needs 3 seeds, got 1 common seed." in text
    assert "beats" not in text
    assert "±" not in text


def test_study_without_vanilla_says_so(tmp_path):
    text = of(keep_rows(stored(tmp_path / "s"), "confirm", lambda row: row["method"] != "vanilla"))
    assert "Vanilla was not confirmed, so there is no comparison with it." in text


def test_study_without_confirmation_quotes_nothing(tmp_path):
    text = of(stored(tmp_path / "s", "confirm.csv"))
    assert text.startswith("There is no result to quote yet")
    assert f"{BEST_COST} per epoch: validation H {BEST_VALIDATION_H}, one seed" in text
    assert "test images" in text
    assert "±" not in text


def test_killed_study_ranks_finished_trials_alone(tmp_path):
    assert "The best of 8 finished trials" in of(killed(tmp_path / "s"))


def test_trials_that_were_stopped_early_are_not_called_the_best(tmp_path):
    results = Results(stored(tmp_path / "s", "confirm.csv"))
    best = max(results.trials, key=lambda row: row["val_h"])
    results.put_trial({**best, "status": "stopped", "epochs": 3})
    assert "The best of 23 finished trials" in of(tmp_path / "s")
    assert BEST not in of(tmp_path / "s")


def test_study_with_nothing_finished_has_no_number(tmp_path):
    results = Results(stored(tmp_path / "s", "confirm.csv"))
    for row in results.trials:
        results.put_trial({**row, "status": "failed", "val_h": None, "error": "x"})
    text = of(tmp_path / "s")
    assert text == "There is no result yet: no trial has finished, and nothing was measured on test images."


def test_table_without_a_search_says_that_its_best_was_picked_by_the_test_images(tmp_path):
    results = Results(stored(tmp_path / "s", "trials.csv", "epochs.csv"))
    for row in results.confirm:
        results.put_confirm({**row, "why": "a row"})
    text = of(tmp_path / "s")
    assert text.startswith("Highest mean H of 5 settings: entprop k=0.6 n=5 ε=6 entropy (4N per epoch), 77.56")
    assert "chosen on the test images, so its H is optimistically biased" in text


def test_a_setting_that_is_worse_is_called_worse():
    rows = [run(config("vanilla"), seed, 90.0 + seed / 10, why="vanilla") for seed in range(6)]
    rows += [run(config("entprop", k=0.6, n=5), seed, 89.0 + seed % 2 / 10, why="best-1") for seed in range(6)]
    (tested,) = compare_with_baselines(settings(runs(*rows)))
    assert tested.judged.verdict == LOWER


def test_a_cheaper_setting_that_loses_less_than_the_margin_is_named(tmp_path):
    results = Results(stored(tmp_path / "s"))
    best = {row["seed"]: row["h"] for row in results.confirm if row["why"] == "best-1"}
    for row in results.confirm:
        if row["why"] == "mixup":
            results.put_confirm({**row, "h": best[row["seed"]] - 0.1 - row["seed"] / 50})
    text = of(tmp_path / "s")
    assert f"Use mixup alone: it costs 1N instead of {BEST_COST} and loses less than 0.5 H" in text
    assert "(the 95 % CI of the loss ends at +0." in text


def test_best_settings_of_two_studies_are_compared_over_their_common_seeds(tmp_path):
    one, other = stored(tmp_path / "a"), stored(tmp_path / "b")
    results = Results(other)
    for row in results.confirm:
        if row["why"] == "best-1":
            results.put_confirm({**row, "h": row["h"] - 1})
    assert between([read_folder(one), read_folder(other)]) == [
        "The best of a cannot be tested against the best of b: +1.00 H, 95 % CI +1.00 to +1.00; "
        "the difference is the same for all 6 common seeds."
    ]
