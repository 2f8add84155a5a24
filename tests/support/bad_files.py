"""Files and folders that are nearly right, each spoilt in one way: what `bad_inputs` gives to every entry point."""

import contextlib
import io
import json

import numpy as np


def make_inputs(root):
    """Fill a folder with a whole study, a whole run, and spoilt copies of each."""
    (root / "empty").mkdir()
    (root / "text.npz").write_text("hello")
    make_studies(root)
    make_arrays(root)
    make_runs(root)
    pictures = root / "pictures"
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (pictures / part / name).mkdir(parents=True)
            (pictures / part / name / "1.png").write_text("no picture")


def make_studies(root):
    from study.config.make_study import make_study
    from study.files.results import Results
    from study.files.study_json import study_record
    from tests.support.study_rows import CONFIRMED, trial

    study = make_study(budget="4N", trials=4, epochs=2, seeds=3, out=str(root / "study"))
    record = study_record(study.as_dict(), ["run.py", "--budget", "4N"])
    table = study_record(make_study(table="entprop/8", scale="demo", out=str(root / "table")).as_dict(), ["run.py"])

    def whole(name, changed=record):
        results = Results(root / name)
        results.write_study(changed)
        for number in range(3):
            results.put_trial(trial(number))
        for row in CONFIRMED:
            results.put_confirm(row)
        return root / name

    whole("study")
    Results(root / "table").write_study(table)
    options = record["options"]
    for name, content in {
        "no-json": "hello", "list": "[1, 2]", "cut": json.dumps(record)[:200], "deep": "[" * 100_000,
        "options-list": json.dumps({**record, "options": ["4N"]}),
        "methods-number": json.dumps({**record, "options": {**options, "methods": 7}}),
        "versions-text": json.dumps({**record, "versions": "new"}),
        "no-options": json.dumps({**record, "options": {}}),
        "unknown-option": json.dumps({**record, "options": {**options, "colour": "red"}}),
        "missing-option": json.dumps({**record, "options": {k: v for k, v in options.items() if k != "budget"}}),
        "bad-option": json.dumps({**record, "options": {**options, "trials": 0}}),
        "bad-trial": json.dumps({**record, "options": {**options, "trial": {"colour": "red"}}}),
    }.items():  # fmt: skip
        (whole(name) / "study.json").write_text(content)
    (whole("latin") / "study.json").write_bytes(json.dumps(record).encode() + b"\xff")
    lines = (root / "study" / "trials.csv").read_text().splitlines()
    first = lines[1].split(",")
    for name, line in {
        "bad-cell": ["first", *first[1:]],
        "no-number": ["inf" if cell == "94.2" else cell for cell in first],
        "few-cells": first[:3],
        "quote": ['"0', *first[1:]],
        "method": [*first[:2], "sorcery", *first[3:]],
        "status": ["resting" if cell == "finished" else cell for cell in first],
        "setting": [*first[:3], "7", *first[4:]],
    }.items():
        (whole(name) / "trials.csv").write_text("\n".join([lines[0], ",".join(line), *lines[2:], ""]))
    (whole("no-key") / "trials.csv").write_text("number,h\n1,2\n")
    (whole("binary") / "trials.csv").write_bytes(bytes(range(256)) * 4 + b"\n")
    (whole("folder-csv") / "trials.csv").unlink()
    (root / "folder-csv" / "trials.csv").mkdir()
    text = (whole("confirm-cell") / "confirm.csv").read_text().replace("90.5,", "high,", 1)
    (root / "confirm-cell" / "confirm.csv").write_text(text)


def make_arrays(root):
    rng = np.random.default_rng(0)
    good = {
        "train_images": rng.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8), "train_labels": np.arange(40) % 2,
        "test_images": rng.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8), "test_labels": np.arange(8) % 2,
    }  # fmt: skip
    for name, changes in {
        "floats": {"train_images": good["train_images"].astype(np.float32)},
        "objects": {"classes": np.array([Malicious()], dtype=object)},
        "missing": {"test_labels": None},
        "grey": {"train_images": good["train_images"][..., 0]},
        "labels": {"train_labels": np.full(40, -1)},
        "fewer": {"train_labels": np.zeros(39, dtype=np.int64)},
        "one": {"train_images": good["train_images"][:2], "train_labels": np.arange(2)},
        "flat": {"train_images": np.zeros_like(good["train_images"])},
    }.items():
        values = {key: value for key, value in {**good, **changes}.items() if value is not None}
        np.savez(root / f"{name}.npz", **values)
    np.savez(root / "cut.npz", **good)
    (root / "cut.npz").write_bytes((root / "cut.npz").read_bytes()[:-2000])


class Malicious:
    """An object whose unpickling runs code: it makes a file named `owned` in the working directory."""

    def __reduce__(self):
        return open, ("owned", "w")


def make_runs(root):
    import shutil

    import torch

    from trainables.__main__ import main

    flags = ["--method", "vanilla", "--epochs", "1", "--train-images", "64", "--quiet", "--out", str(root / "run")]
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(flags) == 0
    content = torch.load(root / "run" / "checkpoint.pt", weights_only=True)

    def copy(name):
        shutil.copytree(root / "run", root / name)
        return root / name

    (copy("run-json") / "config.json").write_text("{")
    (copy("run-words") / "config.json").write_text('{"config": "all", "data": []}')
    whole = (copy("run-cut") / "checkpoint.pt").read_bytes()
    (root / "run-cut" / "checkpoint.pt").write_bytes(whole[: len(whole) // 2])
    (copy("run-text") / "checkpoint.pt").write_text("hello")
    torch.save({**content, "extra": Malicious()}, copy("run-pickle") / "checkpoint.pt")
    torch.save({"config": content["config"], "net": {}, "optimizer": {}}, copy("run-other") / "checkpoint.pt")
    torch.save({**content, "net": {}}, copy("run-shapes") / "checkpoint.pt")
    rows = (copy("run-rows") / "epochs.csv").read_text().splitlines()
    (root / "run-rows" / "epochs.csv").write_text(rows[0] + "\n")
    (copy("run-columns") / "epochs.csv").write_text("a,b\n1,2\n")
