"""`python -m trainables`: what it prints, what it keeps, how it goes on, and how it refuses."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from trainables.__main__ import main
from trainables.training.run_folder import read_rows

SHORT = ["--epochs", "2", "--train-images", "160", "--batch-size", "20"]


def refused(capsys, *arguments):
    """The one line that a bad command line gets."""
    try:
        code = main(list(arguments))
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert code == 2, (code, out, err)
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    return err


def test_it_trains_and_says_what_it_cost(capsys):
    assert main(["--method", "entprop", "--k", "0.2", "--n", "1", "--dataset", "digits", *SHORT]) == 0
    out = capsys.readouterr().out
    assert "cost 1.2N an epoch, 2.4N in all" in out
    assert "1.200 full, 0.000 to the input only, 0.000 forward only = 1.200N of work" in out
    assert "epoch 2/2  loss " in out
    assert "test accuracy " in out


def test_the_list_names_everything(capsys):
    assert main(["--list"]) == 0
    out = capsys.readouterr().out
    for name in ("entprop", "fast_advprop", "digits", "cifar100", "resnet8", "vit_b_16", "npz:PATH"):
        assert f"  {name} " in out


def test_a_run_is_kept_and_gone_on_with(tmp_path, capsys):
    command = ["--method", "entprop", *SHORT, "--out", str(tmp_path / "run")]
    assert main(command) == 0
    whole = [
        {k: v for k, v in row.items() if k not in ("seconds", "images_per_s")}
        for row in read_rows(tmp_path / "run/epochs.csv")
    ]
    assert [row["epoch"] for row in whole] == [1, 2]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "best.pt",
        "checkpoint.pt",
        "config.json",
        "epochs.csv",
    ]
    description = json.loads((tmp_path / "run/config.json").read_text())
    assert (description["config"]["method"]["name"], description["config"]["method"]["k"]) == ("entprop", 0.2)
    capsys.readouterr()
    assert main(command) == 0
    assert "after epoch 2" in capsys.readouterr().out


def test_a_killed_run_loses_no_finished_epoch(tmp_path):
    command = [sys.executable, "-m", "trainables", "--epochs", "60", "--train-images", "160", "--batch-size", "20"]
    whole = subprocess.run(
        [*command, "--quiet", "--out", tmp_path / "whole"], check=True, capture_output=True, text=True
    )
    killed = subprocess.Popen([*command, "--out", tmp_path / "killed"], stdout=subprocess.PIPE, text=True)
    for line in killed.stdout:
        if line.startswith("epoch 7/"):
            os.kill(killed.pid, signal.SIGKILL)
            break
    killed.wait()
    done = len(read_rows(tmp_path / "killed/epochs.csv"))
    assert 7 <= done < 60
    again = subprocess.run([*command, "--out", tmp_path / "killed"], check=True, capture_output=True, text=True)
    assert "after epoch " in again.stdout
    strip = {"seconds", "images_per_s"}
    ours, theirs = (
        [{k: v for k, v in row.items() if k not in strip} for row in read_rows(tmp_path / f"{name}/epochs.csv")]
        for name in ("killed", "whole")
    )
    assert ours == theirs
    assert whole.stdout.splitlines()[0].split(",")[:2] == again.stdout.splitlines()[-3].split(",")[:2]


def test_an_interrupted_run_exits_with_130(tmp_path):
    command = [sys.executable, "-m", "trainables", "--epochs", "500", "--train-images", "160", "--batch-size", "20"]
    running = subprocess.Popen(
        [*command, "--out", tmp_path / "run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell starts what runs in its background with Ctrl-C ignored, and the tests may run there
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for line in running.stdout:
        if line.startswith("epoch 2/"):
            break
    time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert err.strip() == "interrupted; the same command resumes after the last whole epoch"


def test_a_diverged_run_exits_with_1(capsys):
    assert main([*SHORT, "--lr", "1e9", "--quiet"]) == 1
    assert "with a learning rate of" in capsys.readouterr().err


def arrays(count=40):
    rng = np.random.default_rng(0)
    return {
        "train_images": rng.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8),
        "train_labels": np.arange(count) % 2,
        "test_images": rng.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8),
        "test_labels": np.arange(8) % 2,
    }


def save(path, **changes):
    values = {name: value for name, value in {**arrays(), **changes}.items() if value is not None}
    np.savez(path, **values)
    return f"npz:{path}"


def test_own_arrays_train(tmp_path, capsys):
    assert main(["--dataset", save(tmp_path / "own.npz"), "--epochs", "1", "--batch-size", "8", "--quiet"]) == 0
    assert "cost 1.2N" in capsys.readouterr().out


BAD_FLAGS = [
    (["--method", "entprob"], "unknown method 'entprob'; did you mean 'entprop'? known: adp, advprop"),
    (["--dataset", "digit"], "unknown dataset 'digit'; did you mean 'digits'?"),
    (["--model", "resnet"], "unknown model 'resnet'; did you mean 'resnet8'"),
    (["--metric", "entropi"], "unknown metric 'entropi'; did you mean 'entropy'? known: confidence, cross_entropy"),
    (["--k", "1.5"], "k must be a number in [0, 1], got 1.5"),
    (["--k", "-0.1"], "k must be a number in [0, 1], got -0.1"),
    (["--k", "nan"], "k must be a number in [0, 1], got nan"),
    (["--k", "a fifth"], "k must be a number in [0, 1], got 'a fifth'"),
    (["--n", "0"], "n must be a whole number of at least 1, got 0"),
    (["--n", "1.5"], "n must be a whole number of at least 1, got '1.5'"),
    (["--epsilon", "0"], "epsilon must be a number in (0, 255], got 0"),
    (["--epsilon", "256"], "epsilon must be a number in (0, 255], got 256"),
    (["--epochs", "0"], "epochs must be a whole number of at least 1, got 0"),
    (["--batch-size", "1201"], "batch_size must be at most the 1200 training images of fashion, got 1201"),
    (["--method", "mixup", "--k", "0.2"], "method mixup has no option 'k'; it has beta, half"),
    (["--epoch", "3"], "unknown argument '--epoch'; did you mean --epochs?"),
    (["--epochs"], "argument --epochs: expected one argument"),
    (["--device", "tpu"], "device must be auto, cpu, cuda"),
    (["--train-images", "5"], ""),
    (["--dataset", "npz:/no/such.npz"], ""),
    (["--dataset", "folder:/no/such/folder"], ""),
    (["--dataset", "cub", "--data-root", "/no/such"], ""),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_FLAGS, ids=[" ".join(arguments) for arguments, _ in BAD_FLAGS])
def test_a_bad_flag_gets_one_line_and_writes_nothing(arguments, message, tmp_path, capsys):
    line = refused(capsys, *arguments, "--out", str(tmp_path / "run"))
    assert line.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


BAD_ARRAYS = {
    "without test_labels": {"test_labels": None},
    "of floats": {"train_images": arrays()["train_images"].astype(np.float32)},
    "without channels": {"train_images": arrays()["train_images"][..., 0]},
    "with labels out of range": {"train_labels": np.full(40, -1)},
    "with fewer labels": {"train_labels": np.zeros(39, dtype=np.int64)},
    "of objects": {"classes": np.array([{"a": 1}], dtype=object)},
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_a_bad_npz_gets_one_line_and_writes_nothing(case, tmp_path, capsys):
    data = save(tmp_path / "own.npz", **BAD_ARRAYS[case])
    refused(capsys, "--dataset", data, "--batch-size", "8", "--out", str(tmp_path / "run"))
    assert [path.name for path in tmp_path.iterdir()] == ["own.npz"]


def test_something_else_named_npz(tmp_path, capsys):
    (tmp_path / "own.npz").write_text("hello")
    refused(capsys, "--dataset", f"npz:{tmp_path / 'own.npz'}")


def test_an_empty_data_folder(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    refused(capsys, "--dataset", f"folder:{tmp_path / 'data'}")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "run"
    assert main([*SHORT, "--quiet", "--out", str(path)]) == 0
    return path


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_a_folder_of_another_configuration_is_refused(kept, capsys):
    capsys.readouterr()
    before = contents(kept)
    line = refused(capsys, *SHORT, "--k", "0.6", "--out", str(kept))
    assert "belongs to another configuration (k: 0.6 and 0.2 there)" in line
    assert contents(kept) == before


def test_a_folder_of_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    line = refused(capsys, *SHORT, "--out", str(tmp_path))
    assert "must be a new folder or a run's own" in line
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_as_folder_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    refused(capsys, *SHORT, "--out", str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("damage", ["cut", "replaced", "config"])
def test_a_damaged_run_is_refused(damage, kept, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    for name, content in contents(kept).items():
        (run / name).write_bytes(content)
    capsys.readouterr()
    if damage == "cut":
        (run / "checkpoint.pt").write_bytes((run / "checkpoint.pt").read_bytes()[:1000])
    elif damage == "replaced":
        (run / "checkpoint.pt").write_text("hello")
    else:
        (run / "config.json").write_text("{")
    before = contents(run)
    line = refused(capsys, *SHORT, "--out", str(run))
    assert ("config.json is damaged" if damage == "config" else "checkpoint.pt is not a readable checkpoint") in line
    assert contents(run) == before
