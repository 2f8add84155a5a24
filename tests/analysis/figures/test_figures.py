"""Each figure is drawn from what it needs, or says what that is; the same input gives the same bytes."""

import dataclasses

import pandas as pd
import pytest

from analysis.comparisons.settings import data_name, records, settings
from analysis.figures.costs import figure3_points
from analysis.figures.importance import importances
from analysis.figures.registry import FIGURES, draw, draw_all
from analysis.figures.searches import ranked
from analysis.figures.sensitivity import varying
from analysis.figures.style import Missing, png_bytes, svg_text
from analysis.inputs.studies import read_folder
from study.confirm.comparisons import baseline, paired_test
from study.display.rows import setting
from study.files.results import Results
from study.papers import cells
from tests.support.analysis_folders import RACED, STORED, killed, stored
from tests.support.analysis_rows import config, run, runs

FROM_THE_STORED = {
    "cost", "printed", "pareto", "space", "parallel", "marginal", "importance", "deciding", "corruptions", "entropy",
    "anytime",
}  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return read_folder(STORED)


def table_runs(table):
    """Three seeds of every row of a table on digits, with an H that grows along the table."""
    return runs(*(
        run(cell.config, seed, 90 + index / 10 + seed / 20)
        for index, cell in enumerate(cells(table, scale="demo")) for seed in range(3)
    ))  # fmt: skip


def with_runs(study, table):
    return dataclasses.replace(study, runs=table_runs(table))


def lines(drawing, axis=0):
    """The plotted lines of a panel, by their label."""
    return {line.get_label(): line for line in drawing.figure.axes[axis].lines}


# ----------------------------------------------------------------------------------------------- what can be drawn


def test_stored_study_gives_eleven_figures_and_says_what_the_others_need(study):
    drawn, missing = draw_all(study)
    assert set(drawn) == FROM_THE_STORED
    assert set(missing) == set(FIGURES) - FROM_THE_STORED
    assert "--table entprop/8 --scale demo" in missing["metric"]
    assert "--scheduler asha" in missing["rungs"]
    assert all(drawing.caption.endswith(".") for drawing in drawn.values())


@pytest.mark.parametrize(
    ("name", "table"), [("epsilon", "entprop/epsilon"), ("metric", "entprop/8"), ("selection", "entprop/figure4")]
)
def test_runs_of_a_table_give_its_figure(study, name, table):
    assert draw(name, with_runs(study, table)).figure.axes


def test_killed_study_is_drawn_from_its_finished_trials(tmp_path):
    found = read_folder(killed(tmp_path / "s"))
    drawn, missing = draw_all(found)
    assert {"space", "anytime", "pareto", "entropy"} <= set(drawn)
    assert {"k", "n", "cost", "deciding", "corruptions"} <= set(missing)
    assert "needs at least 20 finished trials of one method, got 8" in missing["importance"]


def test_unknown_figure_lists_the_known_ones(study):
    with pytest.raises(ValueError, match="unknown figure 'pareta'; did you mean 'pareto'"):
        draw("pareta", study)


# -------------------------------------------------------------------------------------------------- the right numbers


def test_k_curve_shows_paired_gains_beside_those_of_table_16(study):
    drawing = draw("k", with_runs(study, "entprop/16"))
    ours, printed = lines(drawing)["ours: fashion, resnet8"], lines(drawing)["printed: CIFAR-100, ResNet-18"]
    assert list(ours.get_xdata()) == [tenth / 10 for tenth in range(1, 11)]
    assert list(ours.get_ydata()) == pytest.approx([tenth / 10 for tenth in range(1, 11)])
    assert list(printed.get_xdata()) == [tenth / 10 for tenth in range(1, 11)]
    assert list(printed.get_ydata())[:2] == pytest.approx([64.41 - 61.04, 65.15 - 61.04])


def test_n_curve_shows_table_17_over_the_vanilla_of_table_16(study):
    printed = lines(draw("n", with_runs(study, "entprop/17")))["printed: CIFAR-100, ResNet-18"]
    assert list(printed.get_ydata()) == pytest.approx([h - 61.04 for h in (65.40, 66.72, 66.44, 67.06, 66.30)])


def test_varying_takes_settings_that_differ_in_that_one_thing():
    group = settings(runs(
        run(config("entprop", k=0.3, n=1), 0, 93.0), run(config("entprop", k=0.1, n=1), 0, 92.0),
        run(config("entprop", k=0.2, n=1, metric="margin"), 0, 92.0), run(config("entprop", k=0.2, n=5), 0, 92.0),
    ))  # fmt: skip
    assert [value for value, _ in varying(group, "k", n=1)] == [0.1, 0.3]


def test_pictures_of_ones_own_are_called_by_the_end_of_their_path():
    names = ["digits", "npz:/a/long/path/few.npz", "folder:pictures"]
    assert [data_name(name) for name in names] == ["digits", "few", "pictures"]


def test_gain_is_paired_over_common_seeds():
    rows = [run(config("vanilla"), seed, 90.0 + seed) for seed in (1, 2, 3)]
    rows += [run(config("mixup"), seed, 92.0 + 2 * seed) for seed in (2, 3, 4)]
    group = settings(runs(*rows))
    found = paired_test(baseline(group, "mixup").h, baseline(group, "vanilla").h)
    assert (found.difference.mean, found.difference.seeds) == (4.5, 2)


def test_published_points_of_figure_3_are_means_over_four_data_sets():
    points = {
        label: (cost, round(printed, 2), round(recomputed, 2)) for label, cost, printed, recomputed in figure3_points()
    }
    assert points["Vanilla"] == (1, 61.05, 61.05)
    assert points["Fast AdvProp"] == (1.2, 63.98, 63.81)
    assert points["EntProp (0.6, 1)"] == (1.6, 70.13, 70.34)
    assert points["EntProp (0.2, 5)"] == (2, 68.98, 68.77)
    assert points["EntProp (0.6, 5)"] == (4, 71.31, 71.31)
    assert points["AdvProp"][0] == 7


def test_each_confirmed_setting_is_a_point_with_name_cost_and_h(study):
    drawing = draw("cost", study)
    found = {each.row["config"]: each for each in settings(study.done)}
    assert {(mark.x, mark.y) for mark in drawing.marks} == {
        (each.row["cost"], each.interval().mean) for each in found.values()
    }
    assert any(mark.text.startswith("mixup alone: H 75.88 ± 1.18, 1N per epoch") for mark in drawing.marks)
    labels = {text.get_text() for text in drawing.figure.axes[0].texts}
    assert labels == {"vanilla", "mixup alone", "EntProp k=0.2 n=1", "EntProp k=0.6 n=5", "EntProp k=0.527 n=4"}


def test_recommended_setting_and_a_cheaper_one_that_is_as_good_are_marked(study):
    several = [("vanilla", config("vanilla"), 70.0), ("mixup", config("mixup"), 75.0)]
    several.append(("best-1", config("entprop", k=0.6, n=5), 75.2))
    rows = [run(each, seed, h + seed / 10 + (seed % 2) / 50, why=why) for why, each, h in several for seed in range(4)]
    marked = lines(draw("cost", dataclasses.replace(study, runs=runs(*rows))))
    assert list(marked["recommended"].get_xdata()) == [4.0]
    assert list(marked["cheapest equivalent"].get_xdata()) == [1.0]
    assert list(marked["budget, 4N"].get_xdata()) == [4.0, 4.0]


def test_a_baseline_that_trained_for_longer_stands_at_what_it_cost(study):
    rows = [run(config("vanilla"), 0, 70.0, why="vanilla"), run(config("entprop", k=0.6, n=5), 0, 75.0, why="best-1")]
    longer = {**run(config("vanilla"), 0, 73.0, why="equal cost"), "config": "longer", "epochs": 60}
    drawing = draw("cost", dataclasses.replace(study, runs=runs(*rows, longer)))
    assert [(mark.x, mark.y) for mark in drawing.marks][-1] == (60 / rows[0]["epochs"], 73.0)


def test_deciding_corruptions_are_sorted_by_what_they_add_to_the_difference(study):
    drawing = draw("deciding", study)
    gains = [mark.x for mark in drawing.marks if "against vanilla" in mark.text]
    assert len(gains) == 15
    assert gains == sorted(gains, reverse=True)
    chosen = {each.why: each for each in settings(study.done)}
    snow = [each.interval("corruption snow").mean for each in (chosen["best-1"], chosen["vanilla"])]
    assert gains[0] == pytest.approx(snow[0] - snow[1])
    assert "make up half of the gain in RA over vanilla, which is +7.06" in drawing.caption


def test_race_shows_every_run_and_the_best_setting_on_top():
    race = read_folder(RACED)
    drawing = draw("race", race)
    points = [line for line in drawing.figure.axes[0].lines if line.get_marker() == "o"]
    assert sorted(line.get_xdata()[0] for line in points) == sorted(race.race["val_h"])
    means = [mark.x for mark in drawing.marks]
    assert means == sorted(means, reverse=True)
    chosen = next(each for each in settings(race.done) if each.why == "best-1")
    assert drawing.marks[0].text.startswith(setting(chosen.row))


def test_attacks_are_drawn_by_radius_from_vanilla_to_the_whole_batch():
    attacked = read_folder(STORED.parent / "fashion-entprop-16")
    axis = draw("pgd", attacked).figure.axes[0]
    labels = [text.get_text() for text in axis.figure.legends[0].texts]
    assert labels[0] == "ours: PGD-20, ε = 8/255"  # the strongest first, the printed series last
    assert labels[-1].startswith("printed")
    assert len(draw("attacks", attacked).marks) == len(settings(attacked.done))


def test_trials_that_were_stopped_early_are_in_no_figure_of_the_best(tmp_path):
    results = Results(stored(tmp_path / "s"))
    best = max(results.trials, key=lambda row: row["val_h"])
    results.put_trial({**best, "status": "stopped", "epochs": 3, "spent": 3 * best["cost"]})
    found = read_folder(tmp_path / "s")
    assert best["trial"] not in {row["trial"] for row in ranked(found)}
    (line,) = [line for line in draw("anytime", found).figure.axes[0].lines if line.get_label() == "s"]
    assert max(line.get_ydata()) < best["val_h"]
    assert max(line.get_xdata()) == pytest.approx(sum(row["spent"] for row in results.trials))


def test_front_never_falls_and_its_points_are_trials(study):
    line = lines(draw("pareto", study))["Pareto front"]
    assert list(line.get_ydata()) == sorted(line.get_ydata())
    assert set(line.get_ydata()) <= set(study.trials["val_h"])


def test_rung_plot_tells_stopped_trials_from_finished_ones(study):
    trials, epochs = study.trials.head(2).copy(), study.epochs[study.epochs["trial"] < 2].copy()
    trials["status"] = ["finished", "stopped"]
    epochs.loc[epochs["epoch"].isin([2, 4]), "val_h"] = 90.0
    epochs = epochs[(epochs["trial"] == 0) | (epochs["epoch"] <= 4)]
    found = lines(draw("rungs", dataclasses.replace(study, trials=trials, epochs=epochs)))
    assert (found["finished"].get_linestyle(), found["stopped"].get_linestyle()) == ("-", "--")
    assert len(found["stopped"].get_xdata()) == 2


def test_corruption_map_shows_means_over_seeds_and_their_difference(study):
    chosen = {each.row["method"] + each.why: each.row["config"] for each in settings(study.runs)}
    rows = study.corruptions
    cell = rows[(rows["corruption"] == "fog") & (rows["severity"] == 3)]
    ours, theirs = (
        cell[cell["config"] == chosen[name]]["accuracy"].mean() for name in ("entpropbest-1", "vanillavanilla")
    )
    texts = [[text.get_text() for text in axis.texts] for axis in draw("corruptions", study).figure.axes]
    at = list(dict.fromkeys(rows["corruption"])).index("fog") * 5 + 2
    assert (texts[0][at], texts[1][at]) == (f"{ours:.0f}", f"+{ours - theirs:.0f}")


def test_histogram_is_the_mean_over_seeds_of_how_many_images_were_selected_how_often(study):
    row = {"config": "a", "why": "k=0.5", "epochs": 4, "images": 8}
    counts = [(1, 0, 2), (1, 2, 4), (1, 4, 2), (2, 1, 4), (2, 2, 0), (2, 3, 4)]  # seed, times, images
    rows = [{**row, "seed": seed, "times": times, "value": float(value)} for seed, times, value in counts]
    (axis,) = draw("histogram", dataclasses.replace(study, selections=pd.DataFrame(rows))).figure.axes
    assert {patch.get_center()[0]: patch.get_height() for patch in axis.patches} == {0: 1, 1: 2, 2: 2, 3: 2, 4: 1}
    assert axis.get_title(loc="left") == "k=0.5: mean 2.0"
    assert axis.get_xlabel() == "times selected in 4 epochs"


def test_importance_finds_the_one_hyper_parameter_that_matters():
    rows = [
        {"k": k / 20, "n": 1 + index % 5, "metric": ("entropy", "margin")[index % 2], "val_h": 90.0 + 5 * k / 20}
        for index, k in enumerate(range(1, 21))
    ]
    found = importances(rows)
    for shares in found.values():
        assert max(shares, key=shares.get) == "k"
        assert sum(shares.values()) == pytest.approx(1.0)


def test_importance_needs_optuna_and_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(Missing, match="needs optuna and scikit-learn"):
        importances([{"k": 0.1, "val_h": 90.0}])


# --------------------------------------------------------------------------------------------------------- the files


@pytest.mark.parametrize("name", ["cost", "space", "corruptions", "entropy"])
def test_same_study_gives_the_same_bytes(study, name):
    first, second = draw(name, study).figure, draw(name, study).figure
    assert svg_text(first) == svg_text(second)
    assert png_bytes(first, 60) == png_bytes(second, 60)


def test_svg_holds_no_date_and_nothing_to_be_fetched(study):
    text = svg_text(draw("cost", study).figure)
    assert "dc:date" not in text
    assert "<image" not in text
    assert 'href="http' not in text


def test_importance_is_the_same_each_time(study):
    rows = [row for row in records(study.trials) if row["status"] == "finished"]
    assert importances(rows, ("k", "n")) == importances(rows, ("k", "n"))
