"""The evaluator's files for figures, and the flags that ask for them."""

import csv

import numpy as np
import pytest

from trainables.__main__ import main as train_main
from trainables.data.datasets import load_dataset
from trainables.evaluate.__main__ import main


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 200 digits with its selections."""
    folder = tmp_path_factory.mktemp("runs") / "entprop"
    short = [
        "--dataset",
        "digits",
        "--epochs",
        "3",
        "--train-images",
        "200",
        "--batch-size",
        "20",
        "--quiet",
        "--selections",
    ]
    assert train_main([*short, "--k", "0.4", "--out", str(folder)]) == 0
    return folder


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def evaluate(run, *flags):
    """The rows of an evaluation named t."""
    assert main([str(run), "--corruptions", "none", "--name", "t", *flags]) == 0
    return rows_of(run / "evaluation-main-t.csv")


def values(rows, measure):
    return {row["name"]: (float(row["value"]), int(row["images"])) for row in rows if row["measure"] == measure}


def test_geometry_has_a_row_for_each_image_and_its_means(run):
    found = values(evaluate(run, "--geometry", "12"), "geometry")
    images = rows_of(run / "geometry-main-t.csv")
    assert [int(row["image"]) for row in images] == list(range(12))
    assert [int(row["label"]) for row in images] == load_dataset("digits").test.labels[:12].tolist()
    assert found["margin"] == (pytest.approx(np.mean([float(row["margin"]) for row in images])), 12)
    known = [float(row["distortion"]) for row in images if row["distortion"]]
    assert found["distortion"] == (pytest.approx(np.mean(known)), len(known))


def test_surfaces_and_maps_name_their_images(run):
    evaluate(run, "--surface", "5,2", "--cam", "3,0")
    points = rows_of(run / "surface-main-t.csv")
    assert list(dict.fromkeys(row["image"] for row in points)) == ["5", "2"]
    assert len(points) == 2 * 41 * 41
    alone = evaluate(run, "--surface", "2") and rows_of(run / "surface-main-t.csv")
    assert alone[0]["along_random"] == points[41 * 41]["along_random"]
    assert float(alone[-1]["loss"]) == pytest.approx(float(points[-1]["loss"]), rel=1e-4)
    maps = np.load(run / "cam-main-t.npz")
    assert maps["image"].tolist() == [3, 0] * 3
    assert maps["kind"].tolist() == ["clean"] * 2 + ["fog"] * 2 + ["glass_blur"] * 2
    test = load_dataset("digits").test
    np.testing.assert_array_equal(maps["pixels"][:2], test.pixels[[3, 0]])
    assert maps["label"].tolist() == test.labels[[3, 0] * 3].tolist()
    assert maps["classes"].tolist() == [str(digit) for digit in range(10)]


def test_the_distances_and_the_legacy_columns_are_rows(run):
    rows = evaluate(run, "--fid", "k=0.4,n=2", "--legacy")
    distances = values(rows, "fid")
    assert {images for _, images in distances.values()} == {51}  # 0.4 of the one batch of 128
    assert list(distances)[-1] == "entprop (k=0.4, n=2)"
    assert list(values(rows, "legacy")) == ["clean", "FGSM 0.1", "PGD 0.1 step 2/255", "FGSM 0.5", "PGD 0.5 step 0.5"]
    assert "as the mixture paper's code does" in next(row["source"] for row in rows if row["measure"] == "legacy")


def test_what_an_attack_leaves_is_shown_to_another(run):
    flags = ["--attack", "PGD2-4:restarts=1", "--then", "RS20-60", "--attacked-images", "30"]
    rows = evaluate(run, *flags)
    (left, images), (fallen, among) = *values(rows, "left").values(), *values(rows, "fallen").values()
    assert left == pytest.approx(0.3 * values(rows, "attack")["PGD2-4:restarts=1"][0])
    assert (images, among) == (30, left)
    assert 0 <= fallen <= left
    assert list(values(rows, "fallen")) == ["PGD2-4:restarts=1 then RS20-60"]


def test_curves_are_the_papers(run):
    rows = evaluate(
        run, "--attack", "PGD1-8:restarts=1", "--curve", "epsilon", "--radii", "2,3", "--attacked-images", "9"
    )
    assert list(values(rows, "epsilon_curve")) == ["PGD2-2:step=2,restarts=1", "PGD3-3:step=2,restarts=1"]
    flags = ["--attack", "PGD1-8:restarts=1", "--curve", "steps", "--step-counts", "4,64", "--attacked-images", "9"]
    assert list(values(evaluate(run, *flags), "steps_curve")) == [
        "PGD4-8:step=4,restarts=1",
        "PGD64-8:step=0.5,restarts=1",
    ]


def test_selections_become_a_histogram(run, capsys):
    evaluate(run, "--selections")
    rows = rows_of(run / "selections-main-t.csv")
    assert [(int(row["times"]), int(row["epochs"])) for row in rows] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert sum(int(row["images"]) for row in rows) == 200
    assert sum(int(row["times"]) * int(row["images"]) for row in rows) == 240  # 3 epochs, 0.4 of 200 images
    assert "selections-main-t.csv" in capsys.readouterr().out


def test_a_name_leaves_earlier_results_alone(run):
    assert main([str(run), "--corruptions", "none", "--legacy"]) == 0
    before = (run / "evaluation-main.csv").read_bytes()
    evaluate(run)
    assert (run / "evaluation-main.csv").read_bytes() == before


BAD = [
    (["--geometry", "0"], "geometry must be a whole number of at least 1, got 0"),
    (["--geometry", "many"], "geometry must be a whole number of at least 1, got 'many'"),
    (["--surface", "600"], "surface must name images in [0, 596], got 600"),
    (["--surface", "-1"], "surface must be whole numbers of at least 0, got -1"),
    (["--cam", "a"], "cam must be whole numbers of at least 0, got 'a'"),
    (["--cam", "0,700"], "cam must name images in [0, 596], got 700"),
    (["--fid", "k=2"], "k must be a number in [0, 1], got 2.0"),
    (["--fid", "k=0"], "k must be above 0 for fid"),
    (["--fid", "q=1"], "unknown option of fid 'q'; known: alpha, beta, eps_rule, epsilon, k, metric, n"),
    (["--fid", "k=0.2,mixing=none"], "unknown option of fid 'mixing'"),
    (["--attack", "PGD2-8", "--then", "RS9-8", "--transfer-from", "x"], "then does not apply to transfer_from"),
    (["--then", "RS10-8"], "then needs attack"),
    (["--attack", "PGD2-8", "--then", "RS-8"], "attack 'RS-8': "),
    (["--curve", "epsilon"], "curve needs attack"),
    (["--attack", "PGD2-8", "--curve", "radius"], "unknown curve 'radius'; known: epsilon, steps"),
    (["--attack", "PGD2-8", "--curve", "epsilon", "--radii", "1.5"], "radii must be whole numbers of at least 1 for a"),
    (
        ["--attack", "PGD2-8", "--curve", "epsilon", "--step-counts", "2"],
        "step_counts does not apply to curve epsilon",
    ),
    (["--name", "a/b"], "name must be of letters, digits, dots, dashes and underscores, got 'a/b'"),
]


@pytest.mark.parametrize(("flags", "message"), BAD, ids=[" ".join(flags) for flags, _ in BAD])
def test_a_bad_flag_gets_one_line_and_writes_nothing(flags, message, run, capsys):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    assert main([str(run), "--corruptions", "none", *flags]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_selections_must_have_been_kept(tmp_path, capsys):
    assert train_main(["--epochs", "1", "--train-images", "100", "--quiet", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main([str(tmp_path), "--corruptions", "none", "--selections"]) == 2
    assert "selected.npy must be there; it is written by python -m trainables --selections" in capsys.readouterr().err
