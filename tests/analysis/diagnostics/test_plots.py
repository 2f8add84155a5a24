"""Figures of single runs: what is drawn is what the files hold, twice the same bytes; bad input gets one line."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from analysis.diagnostics import plots
from analysis.diagnostics.__main__ import KINDS, main
from analysis.inputs.run_files import parse_run, read_rows


def write(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def evaluation(*rows):
    """Rows of an evaluation: (measure, name, value)."""
    keys = ("norm", "measure", "name", "severity", "value", "images", "source")
    return [
        dict(zip(keys, ("main", measure, name, "", value, 10, "test"), strict=True)) for measure, name, value in rows
    ]


def surface(image, tilt):
    places = (-0.04, 0.0, 0.04)
    return [
        {
            "image": image,
            "label": 1,
            "along_gradient": a,
            "along_random": b,
            "loss": tilt * (a + 0.1),
            "margin": b + a / 2,
        }
        for a in places
        for b in places
    ]


def pictures(images=(0, 5)):
    count = len(images)
    return {
        "pixels": np.arange(count * 8 * 8 * 3, dtype=np.uint8).reshape(count, 8, 8, 3),
        "image": np.array(images),
        "kind": np.array(["clean"] * count),
        "label": np.array([0] * count),
        "predicted": np.array([0, 1][:count]),
        "confidence": np.array([0.75, 0.5][:count]),
        "map": np.arange(count * 4.0).reshape(count, 2, 2),
        "classes": np.array(["cat", "dog"]),
    }


@pytest.fixture
def run(tmp_path):
    """A folder with a little of everything."""
    folder = tmp_path / "run"
    folder.mkdir()
    method = {"name": "entprop", "k": 0.2}
    (folder / "config.json").write_text(json.dumps({"config": {"method": method, "seed": 0, "lr": 0.1}}))
    epochs = [
        {"epoch": e, "entropy_main": 2 / e, "entropy_main_sd": 0.1, "entropy_aux": 3 / e, "entropy_aux_sd": 0.2}
        for e in (1, 2, 3)
    ]
    write(folder / "epochs.csv", epochs)
    write(folder / "selections-main.csv", [{"times": t, "images": i, "epochs": 2} for t, i in enumerate((4, 2, 2))])
    write(folder / "surface-main.csv", surface(0, 1) + surface(3, 2))
    geometry = [
        {"image": i, "normalised_margin": i / 10, "distortion": i / 9 if i else "", "nonlinearity": float(i)}
        for i in range(6)
    ]
    write(folder / "geometry-main.csv", geometry)
    write(
        folder / "evaluation-main.csv",
        evaluation(
            ("sa", "", 90.0),
            ("attack", "FGSM4", 50.0),
            ("attack", "PGD20-8:ceb", 30.0),
            ("attack", "PGD20-4:ceb", 60.0),
            ("attack", "PGD20-64:ceb,norm=l2", 40.0),
            ("transfer", "PGD20-8:ceb", 70.0),
            ("epsilon_curve", "PGD10-10:step=2", 20.0),
            ("epsilon_curve", "PGD5-5:step=2", 35.0),
            ("steps_curve", "PGD8-8:step=2", 33.0),
            ("steps_curve", "PGD8-8:step=2,adaptive", 31.0),
            ("steps_curve", "PGD8-16:step=4", 13.0),
        ),
    )
    np.savez(folder / "cam-main.npz", **pictures())
    return folder


def flags(kind, run):
    sweep = ["--against", "k", "--value", "sa", "--value", "PGD20-8:ceb"] if kind == "sweep" else []
    return [kind, *([] if kind == "activations" else [f"ours={run}", str(run)]), *sweep]


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_written(kind, run, tmp_path, capsys):
    assert main([*flags(kind, run), "--out", str(tmp_path / "out"), "--as", "figure"]) == 0
    assert (tmp_path / "out" / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert b"</svg>" in (tmp_path / "out" / "figure.svg").read_bytes()
    assert f"written: {tmp_path / 'out' / 'figure.svg'}" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["cam", "margins"])  # pictures, and text with lines
def test_the_same_files_make_the_same_bytes(kind, run, tmp_path):
    for out in ("one", "two"):
        assert main([*flags(kind, run), "--out", str(tmp_path / out)]) == 0
    for ending in ("svg", "png"):
        one, two = ((tmp_path / out / f"{kind}.{ending}").read_bytes() for out in ("one", "two"))
        assert one == two


def drawn(kind, run, monkeypatch, tmp_path, *more):
    """The figure that a command draws."""
    kept = []
    monkeypatch.setattr(plots, "write_figure", lambda figure, folder, name: kept.append(figure) or [])
    assert main([*flags(kind, run), *more]) == 0
    return kept[0]


def lines(ax):
    return {line.get_label(): line.get_xydata().tolist() for line in ax.lines}


def test_curves_have_their_points_in_order_and_a_panel_for_each_radius(run, monkeypatch, tmp_path):
    (ax,) = drawn("epsilon-curve", run, monkeypatch, tmp_path).axes
    assert lines(ax) == {label: [[5, 35], [10, 20]] for label in ("ours", "run")}
    panels = drawn("steps-curve", run, monkeypatch, tmp_path).axes
    assert [ax.get_title() for ax in panels] == ["epsilon 8/255", "epsilon 16/255"]
    assert lines(panels[0])["ours"] == [[8, 33]]
    assert lines(panels[0])["ours, adaptive"] == [[8, 31]]


def test_radii_have_a_panel_for_each_norm_and_a_line_for_each_kind(run, monkeypatch, tmp_path):
    panels = drawn("radii", run, monkeypatch, tmp_path).axes
    assert [ax.get_title() for ax in panels] == ["within L∞", "within L2"]
    found = lines(panels[0])
    assert found["ours, 20 steps"] == [[4, 60], [8, 30]]
    assert found["ours, 1 step"] == [[4, 50]]
    assert found["ours, 20 steps, transfer"] == [[8, 70]]


def test_the_selections_show_their_mean(run, monkeypatch, tmp_path):
    ax = drawn("selections", run, monkeypatch, tmp_path).axes[0]
    assert [bar.get_height() for bar in ax.patches] == [4, 2, 2]
    assert ax.lines[0].get_xdata()[0] == pytest.approx(6 / 8)


def test_entropy_is_drawn_by_epoch(run, monkeypatch, tmp_path):
    figure = drawn("entropy", run, monkeypatch, tmp_path)
    ax = figure.axes[0]
    assert ax.lines[0].get_xydata().tolist() == [[1, 2], [2, 1], [3, pytest.approx(2 / 3)]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["to main norms", "to auxiliary norms"]


def test_the_first_runs_least_linear_images_stand_alone(run, monkeypatch, tmp_path):
    left, right = drawn("margins", run, monkeypatch, tmp_path).axes
    assert len(left.collections[0].get_offsets()) == 5  # one image has no distortion
    # Q is 1 … 5, of which two fifths lie below 2.4
    assert right.collections[0].get_offsets()[:, 0].tolist() == pytest.approx([0.3, 0.4, 0.5])
    assert len(right.collections[1].get_offsets()) == 5
    assert right.get_legend().get_texts()[0].get_text() == "ours, Q > 2.4"


def test_a_surface_lies_as_its_points_do(run, monkeypatch, tmp_path):
    figure = drawn("loss-surface", run, monkeypatch, tmp_path)
    heights = figure.axes[0].collections[0].get_array()
    np.testing.assert_allclose(heights[:, 0], [0.06, 0.1, 0.14])  # the gradient's direction goes up
    np.testing.assert_allclose(heights[0], [0.06, 0.06, 0.06])


def test_maps_are_stretched_over_their_pictures(run, monkeypatch, tmp_path):
    figure = drawn("cam", run, monkeypatch, tmp_path)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["clean\ncat"] * 2 + ["cat 0.75", "dog 0.50 ✗"] * 2
    np.testing.assert_allclose(figure.axes[2].images[1].get_array(), [[0, 1 / 3], [2 / 3, 1]])


def test_a_sweep_has_mean_and_error_by_method_and_a_line_without_the_option(tmp_path, monkeypatch):
    def make(name, method, value, **options):
        folder = tmp_path / name
        folder.mkdir()
        config = {"method": {"name": method, **options}, "seed": 0}
        (folder / "config.json").write_text(json.dumps({"config": config}))
        write(folder / "evaluation-main.csv", evaluation(("sa", "", value)))
        return str(folder)

    runs = [
        make("a", "ceb", 50, rho=1),
        make("b", "ceb", 70, rho=1),
        make("c", "ceb", 80, rho=3),
        make("d", "vanilla", 55),
    ]
    kept = []
    monkeypatch.setattr(plots, "write_figure", lambda figure, folder, name: kept.append(figure) or [])
    assert main(["sweep", *runs, "--against", "rho", "--value", "sa"]) == 0
    (ax,) = kept[0].axes
    assert ax.containers[0].lines[0].get_xydata().tolist() == [[1, 60], [3, 80]]
    bars = ax.containers[0].lines[2][0].get_segments()
    assert bars[0][:, 1].tolist() == pytest.approx([50, 70])  # standard error: √200 / √2 = 10
    assert ax.lines[-1].get_ydata()[0] == 55


def test_the_legacy_columns_stand_over_their_own_clean_accuracy(run, monkeypatch, tmp_path):
    rows = evaluation(
        ("sa", "", 90.0), ("legacy", "clean", 80.0), ("legacy", "FGSM 0.1", 40.0), ("attack", "FGSM4", 30.0)
    )
    write(run / "evaluation-main.csv", rows)
    figure = drawn("trade-off", run, monkeypatch, tmp_path)
    assert [ax.get_title() for ax in figure.axes] == ["FGSM 0.1", "FGSM4"]
    assert [lines(ax)["ours"] for ax in figure.axes] == [[[80, 40]], [[90, 30]]]


def test_the_softplus_goes_through_a_half_at_zero():
    derivative = plots.draw_activations((10.0,)).axes[1].lines[1]
    assert dict(derivative.get_xydata().round(6).tolist())[0.0] == 0.5
    value = plots.draw_activations((10.0,)).axes[0].lines[1]
    assert dict(value.get_xydata().round(6).tolist())[0.0] == pytest.approx(np.log(2) / 10, abs=1e-6)


def test_cells_keep_their_types(tmp_path):
    write(tmp_path / "a.csv", [{"a": 1, "b": 0.5, "c": "", "d": "PGD20-8", "e": True}])
    assert read_rows(tmp_path / "a.csv", "") == [{"a": 1, "b": 0.5, "c": None, "d": "PGD20-8", "e": True}]


def test_a_run_is_found_by_label_norm_and_name(tmp_path):
    run = parse_run(f"ours={tmp_path}", "aux", "night")
    assert (run.label, run.file("geometry", "csv")) == ("ours", tmp_path / "geometry-aux-night.csv")
    assert parse_run(str(tmp_path)).label == tmp_path.name


BAD = [
    (["entropi"], "unknown figure 'entropi'; did you mean 'entropy'?"),
    (["entropy"], "entropy must be given at least one of the runs' folders, got 0"),
    (["activations", "RUN"], "activations must be given none of the runs' folders, got 1"),
    (["entropy", "/no/such"], "a run must be a folder that is there, FOLDER or LABEL=FOLDER, got '/no/such'"),
    (
        ["cam", "RUN", "--name", "x"],
        "RUN/cam-main-x.npz must be there; write it with python -m trainables.evaluate RUN",
    ),
    (["margins", "RUN", "--norm", "aux"], "RUN/geometry-aux.csv must be there"),
    (["sweep", "RUN"], "a sweep must name --against OPTION and at least one --value MEASURE"),
    (["sweep", "RUN", "--against", "k", "--value", "h"], "unknown value of RUN/evaluation-main.csv 'h'"),
    (["sweep", "RUN", "--against", "rho", "--value", "sa"], "at least one run must have an option 'rho'"),
    (["entropy", "RUN", "--oout", "x"], "unknown argument '--oout'; did you mean --out?"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_input_gets_one_line_and_writes_nothing(arguments, message, run, tmp_path, capsys):
    out = tmp_path / "figures"
    try:
        code = main([text.replace("RUN", str(run)) for text in arguments] + ["--out", str(out)])
    except SystemExit as stop:
        code = stop.code
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith(f"error: {message.replace('RUN', str(run))}")
    assert error.count("\n") == 1
    assert not out.exists()


def test_runs_without_a_curve_or_with_other_pictures_are_refused(run, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    np.savez(other / "cam-main.npz", **pictures((0, 6)))
    write(other / "evaluation-main.csv", evaluation(("sa", "", 90.0)))
    write(other / "surface-main.csv", surface(4, 1))
    for kind, message in (
        ("cam", "all runs must show the same images, got others for other"),
        ("epsilon-curve", f"{other}/evaluation-main.csv must hold a curve; add --attack PGD20-8 --curve epsilon"),
        ("loss-surface", "every run must hold the same images, got one without image 0"),
    ):
        assert main([kind, str(run), str(other)]) == 2
        assert capsys.readouterr().err == f"error: {message}" + (" to its command\n" if "curve;" in message else "\n")


def test_drawing_needs_no_torch():
    code = "import sys, analysis.diagnostics; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
