"""`python -m trainables.evaluate`: a checkpoint becomes a table and a CSV."""

import csv
import dataclasses
import json
import weakref

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.data_files import write_folder
from trainables.__main__ import main as train_main
from trainables.config import TrialConfig
from trainables.corruptions.functions import REPORTED
from trainables.data import batches
from trainables.data.batches import ImageBatches, pixel_blocks
from trainables.data.datasets import load_dataset
from trainables.data.images import Files, Images
from trainables.evaluate import __main__ as command
from trainables.evaluate.__main__ import main
from trainables.evaluate.measure import measure
from trainables.evaluate.options import read_evaluation
from trainables.measures.distribution_shift import read_class_map, right_among
from trainables.methods.entprop import EntProp
from trainables.models import modes
from trainables.training.run_folder import Trained
from trainables.training.state import TrainState


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two runs of 200 digits with two classes' worth of epochs; the corrupted images are kept in one place."""
    base = tmp_path_factory.mktemp("runs")
    short = ["--dataset", "digits", "--epochs", "4", "--train-images", "200", "--batch-size", "20", "--quiet"]
    assert train_main([*short, "--out", str(base / "entprop")]) == 0
    assert train_main([*short, "--method", "vanilla", "--out", str(base / "vanilla")]) == 0
    return base / "entprop"


def rows_of(run, norm="main"):
    with open(run / f"evaluation-{norm}.csv", newline="") as file:
        return list(csv.DictReader(file))


def value(rows, measure):
    return next(float(row["value"]) for row in rows if row["measure"] == measure)


def test_all_75_sets_make_ra_and_h(run, capsys):
    assert main([str(run), "--corrupted-images", "20"]) == 0
    rows = rows_of(run)
    sets = [float(row["value"]) for row in rows if row["measure"] == "corruption"]
    assert len(sets) == 75
    assert value(rows, "ra") == pytest.approx(sum(sets) / 75)
    sa, ra = value(rows, "sa"), value(rows, "ra")
    assert value(rows, "h") == pytest.approx(2 * sa * ra / (sa + ra))
    assert {row["name"] for row in rows if row["measure"] == "corruption"} == set(REPORTED)
    assert "frost from" in next(row["source"] for row in rows if row["measure"] == "ra")
    out = capsys.readouterr().out
    assert "gaussian_noise" in out
    assert f"H {value(rows, 'h'):.2f}" in out


def test_progress_counts_corrupted_images_to_the_end(run, monkeypatch):
    shown = []
    monkeypatch.setattr(command, "show_progress", lambda *line: shown.append(line))
    assert main([str(run), "--corrupted-images", "20", "--severities", "1,5"]) == 0
    counts = [done for done, _, _ in shown]
    assert counts == sorted(set(counts))
    assert {total for _, total, _ in shown} == {20 * 15 * 2} == {counts[-1]}
    assert {what for _, _, what in shown} == {f"{name}-{severity}" for name in REPORTED for severity in (1, 5)}


def test_the_search_looks_at_validation_images_and_other_corruptions(run):
    assert main([str(run), "--corruptions", "veils"]) == 0
    rows = rows_of(run)
    sets = {(row["name"], row["severity"]) for row in rows if row["measure"] == "corruption"}
    names = {"speckle_noise", "gaussian_blur", "spatter", "saturate", "grey_veil", "colour_cast", "haze"}
    assert sets == {(name, severity) for name in names for severity in "135"}
    assert not names & set(REPORTED)
    assert {row["images"] for row in rows} == {"200"}
    assert "validation images" in rows[0]["source"]
    assert main([str(run), "--corruptions", "imagenet-c"]) == 0
    four = {row["name"] for row in rows_of(run) if row["measure"] == "corruption"}
    assert four == {"speckle_noise", "gaussian_blur", "spatter", "saturate"}


def test_main_and_auxiliary_norms_differ(run):
    assert main([str(run), "--corruptions", "none"]) == 0
    assert main([str(run), "--corruptions", "none", "--norm", "aux"]) == 0
    assert value(rows_of(run), "entropy") != value(rows_of(run, "aux"), "entropy")


def test_standard_accuracy_is_that_of_the_training_command(run, capsys):
    state_line = [
        "--dataset",
        "digits",
        "--epochs",
        "4",
        "--train-images",
        "200",
        "--batch-size",
        "20",
        "--quiet",
        "--out",
        str(run),
    ]
    assert train_main(state_line) == 0
    printed = capsys.readouterr().out.split("test accuracy ")[1].split(" %")[0]
    assert main([str(run), "--corruptions", "none"]) == 0
    assert float(printed) == pytest.approx(value(rows_of(run), "sa"), abs=0.01)


def test_attacks_curves_and_transfer(run):
    base = [str(run), "--corruptions", "none", "--attacked-images", "40"]
    assert main([*base, "--attack", "PGD5-8:restarts=1,FGSM4"]) == 0
    names = [row["name"] for row in rows_of(run) if row["measure"] == "attack"]
    assert len(names) == 2
    assert main([*base, "--attack", "PGD5-8:restarts=1", "--radii", "1,4,16"]) == 0
    curve = [float(row["value"]) for row in rows_of(run) if row["measure"] == "attack"]
    assert len(curve) == 3
    assert curve[0] >= curve[1] >= curve[2]
    assert curve[0] > curve[2]
    assert main([*base, "--attack", "PGD5-8:restarts=1", "--step-counts", "1,3"]) == 0
    assert len([row for row in rows_of(run) if row["measure"] == "attack"]) == 2
    assert main([*base, "--attack", "PGD5-8:restarts=1", "--transfer-from", str(run.parent / "vanilla")]) == 0
    assert [row["measure"] for row in rows_of(run)][-1] == "transfer"


def test_attacks_and_diagnostics_hold_no_more_than_two_batches_at_once(run, monkeypatch):
    alive, most, sequential = weakref.WeakSet(), [], ImageBatches.sequential

    def counted(self, size):
        for x, y, index in sequential(self, 10):
            alive.add(x)
            most.append(len(alive))
            yield x, y, index
            del x

    monkeypatch.setattr(ImageBatches, "sequential", counted)
    flags = ["--attack", "FGSM4,FGSM8", "--attacked-images", "60", "--then", "RS2-8", "--geometry", "60"]
    assert main([str(run), "--corruptions", "none", *flags]) == 0
    assert len(most) > 4 * 6
    assert max(most) == 2


def test_mce_needs_a_named_normaliser(run, capsys):
    vanilla = run.parent / "vanilla"
    assert main([str(vanilla), "--corrupted-images", "20"]) == 0
    assert not [row for row in rows_of(vanilla) if row["measure"] == "mce"]
    assert main([str(vanilla), "--corrupted-images", "20", "--normaliser", str(vanilla)]) == 0
    assert value(rows_of(vanilla), "mce") == pytest.approx(100)
    assert f"normaliser: {vanilla}" in capsys.readouterr().out
    assert main([str(vanilla), "--corrupted-images", "20", "--normaliser", "alexnet"]) == 0
    assert value(rows_of(vanilla), "mce") > 0


def test_published_archives_are_read_in_place_of_our_own(run, tmp_path):
    test = load_dataset("digits").test
    np.save(tmp_path / "labels.npy", np.tile(test.labels, 5).astype(np.uint8))
    for name in REPORTED:
        np.save(tmp_path / f"{name}.npy", np.tile(test.pixels, (5, 1, 1, 1)))
    assert main([str(run), "--cifar-c", str(tmp_path)]) == 0
    rows = rows_of(run)
    assert "published archives" in next(row["source"] for row in rows if row["measure"] == "ra")
    # every "corrupted" set holds the same clean images
    assert len({row["value"] for row in rows if row["measure"] == "corruption"}) == 1


def pictures(base, names, count=3, side=32):
    rng = np.random.default_rng(0)
    for name in names:
        (base / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(base / name / f"{i}.png")
    return base


def test_other_pictures_of_the_same_classes(run, tmp_path):
    data = pictures(tmp_path / "shift", ["drei", "vier"])
    (tmp_path / "map.json").write_text(json.dumps({"drei": "3", "vier": "4"}))
    command = [
        str(run),
        "--corruptions",
        "none",
        "--shift",
        f"folder:{data}",
        "--class-map",
        str(tmp_path / "map.json"),
    ]
    assert main(command) == 0
    assert 0 <= value(rows_of(run), "shift") <= 100
    assert rows_of(run)[-1]["images"] == "6"


def test_only_classes_that_the_pictures_have_are_named():
    logits = torch.tensor([[9.0, 1.0, 2.0], [9.0, 3.0, 2.0]])
    assert right_among(logits, torch.tensor([2, 1]), torch.tensor([0, 1])) == 2


def test_a_class_map_must_name_training_classes(tmp_path):
    with pytest.raises(ValueError, match="class folder 'x' must map to a class of the training data"):
        read_class_map(None, ("x",), ("a", "b"))
    (tmp_path / "map.json").write_text("[]")
    with pytest.raises(ValueError, match="must be a JSON object"):
        read_class_map(tmp_path / "map.json", ("x",), ("a",))


BAD = [
    (["--severities", "0"], "severities must be whole numbers in [1, 5], got 0"),
    (["--severities", "6"], "severities must be whole numbers in [1, 5], got 6"),
    (["--severities", "x"], "severities must be whole numbers in [1, 5], got 'x'"),
    (["--attack", "PGD20"], "attack 'PGD20': "),
    (["--attack", "PGDx-8"], "attack 'PGDx-8': "),
    (["--attack", "PDG20-8"], "unknown attack 'PDG20-8'"),
    (["--attack", "PGD20-0"], "attack 'PGD20-0': "),
    (["--cifar-c", "/no/such"], "/no/such must hold the published archives"),
    (["--norm", "auxiliary"], "unknown norm 'auxiliary'; known: aux, main"),
    (["--corruptions", "some"], "unknown corruptions 'some'"),
    (["--precision", "fp8"], "unknown precision 'fp8'"),
    (["--corrupted-images", "0"], "corrupted_images must be a whole number of at least 1, got 0"),
    (["--radii", "1,2"], "radii and step_counts need attack"),
    (["--attack", "FGSM4", "--radii", "a"], "radii and step_counts must be numbers"),
    (["--transfer-from", "x"], "transfer_from needs attack"),
    (["--class-map", "x"], "class_map needs shift"),
    (["--shift", "pictures"], "shift must be folder:PATH"),
    (["--normaliser", "/no/such"], "/no/such/evaluation-main.csv must be there"),
    (["--atack", "PGD20-8"], "unknown argument '--atack'; did you mean --attack?"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_a_bad_flag_gets_one_line_and_writes_nothing(arguments, message, run, capsys):
    (run / "evaluation-main.csv").unlink(missing_ok=True)
    quick = ["--corrupted-images", "20"] if "--corrupted-images" not in arguments else []
    try:
        code = main([str(run), *quick, *arguments])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert not (run / "evaluation-main.csv").exists()


def test_a_folder_without_a_checkpoint(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "must hold a checkpoint.pt" in capsys.readouterr().err


def test_evaluation_leaves_modes_alone(run):
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2).eval())
    with pytest.raises(ZeroDivisionError), modes.evaluating(net):
        raise ZeroDivisionError
    assert net.training
    assert not net[1].training


def test_images_that_are_read_while_they_are_measured_give_the_rows_of_images_in_memory(tmp_path, monkeypatch):
    splits = load_dataset(f"folder:{write_folder(tmp_path, side=240, count=3)}")
    assert isinstance(splits.test, Files)
    pixels, labels = zip(*pixel_blocks(splits.test), strict=True)
    in_memory = Images(torch.cat(pixels).numpy(), torch.cat(labels).numpy())
    config = TrialConfig(EntProp(), splits.name, model="resnet8", batch_size=4, augment="none")
    net = TrainState(config, splits).net
    asked = read_evaluation({"run": tmp_path, "severities": "3"})
    monkeypatch.setattr(batches, "FILES_AT_ONCE", 4)  # blocks of 4 and of 2
    found = [
        measure(asked, Trained(config, dataclasses.replace(splits, test=test), net, 1), lambda *line: None)
        for test in (splits.test, in_memory)
    ]
    (streamed, kept) = ([row for row, _, _ in each.rows] for each in found)
    assert [row.measure for row in streamed].count("corruption") == 15
    assert [row[:3] for row in streamed] == [row[:3] for row in kept]
    assert [row.value for row in streamed] == pytest.approx([row.value for row in kept], rel=1e-5)
    assert found[0].tables["images"] == found[1].tables["images"]
