"""`study.run` in a notebook: its parameters, and what it returns."""

import inspect
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import study
from study.config import signature
from study.config.study_config import STUDY_FIELDS, TRIAL_FIELDS
from study.config.typed_options import Options

ROOT = Path(__file__).parents[2]
STORED = ROOT / "results" / "fashion-4N-race"


def test_the_typed_options_are_those_of_the_command_line():
    stored = (ROOT / "study" / "config" / "typed_options.py").read_text()
    assert stored == signature.text(), "run python -m study.config.schema"
    assert set(Options.__annotations__) >= ({*STUDY_FIELDS, *TRIAL_FIELDS} - {"budget", "dry_run"})


def test_run_has_a_parameter_for_every_option():
    parameters = inspect.signature(study.run).parameters
    assert next(iter(parameters)) == "budget"
    assert parameters["dataset"].default == "fashion"
    assert "Literal" in str(parameters["device"].annotation)
    assert {"resume", "like", "lr", "trials"} <= set(parameters)
    assert all((package / "py.typed").is_file() for package in (ROOT / "study", ROOT / "trainables", ROOT / "entprop"))


def test_the_tables_of_a_study_are_data_frames():
    results = study.Results(STORED)
    assert all(isinstance(each, pd.DataFrame) for each in (results.trials, results.race, results.confirm))
    assert results.trials["val_h"].dtype == "float64"
    assert results.trials["n"].dtype == "Int64"
    assert len(results.confirm) == len(results.files.confirm)
    assert results.epochs.columns[0] == "trial"


def test_the_best_is_what_the_study_recommends():
    best = study.Results(STORED).best
    assert (best["method"], best["n"], best["metric"], best["seeds"]) == ("entprop", 5, "cross_entropy", 10)
    assert best["h"] == pytest.approx(76.50, abs=0.01)
    assert "Recommended within 4N an epoch: entprop k=0.501 n=5" in str(study.Results(STORED))
    assert repr(study.Results(STORED)).endswith("24 trials, finished")


def test_a_notebook_shows_the_answer_and_a_figure():
    html = study.Results(STORED)._repr_html_()
    assert "Recommended: entprop k=0.501 n=5" in html
    assert html.count("<circle") == len({row["config"] for row in study.Results(STORED).files.confirm})
    import xml.etree.ElementTree as tree

    tree.fromstring(html[html.index("<svg") : html.index("</svg>") + 6])


def test_a_study_without_a_confirmation_says_so(tmp_path):
    folder = tmp_path / "s"
    shutil.copytree(STORED, folder)
    (folder / "confirm.csv").unlink()
    results = study.Results(folder)
    assert "nothing is confirmed yet" in results._repr_html_()
    assert results.best["val_h"] == max(results.trials["val_h"])
    with pytest.raises(ValueError, match="no setting is confirmed"):
        results.network()
    (folder / "trials.csv").unlink()
    with pytest.raises(ValueError, match="no trial has finished"):
        _ = results.__class__(folder).best
    with pytest.raises(ValueError, match=r"no study\.json"):
        study.Results(tmp_path)


def test_the_network_of_the_winner_classifies_images_of_any_kind(tmp_path):
    results = study.run(
        "1N", methods="vanilla", trials=1, race=0, seeds=2, epochs=3, train_images=400, quiet=True, device="cpu",
        out=str(tmp_path / "s"),
    )  # fmt: skip
    assert (results.state, results.options.trial.epochs) == ("finished", 3)
    net = results.network()
    with np.load(ROOT / "trainables" / "data" / "fashion.npz") as file:
        images, labels = file["test_images"], file["test_labels"]
    bordered = np.repeat(np.pad(images, ((0, 0), (2, 2), (2, 2)))[..., None], 3, axis=3)
    pictures = [net.transform(each) for each in bordered]
    probabilities = net(torch.stack(pictures))
    assert probabilities.sum(1).allclose(torch.ones(len(pictures)), atol=1e-5)
    accuracy = 100 * float((probabilities.argmax(1).numpy() == labels).mean())
    rows = results.confirm[results.confirm["why"].str.startswith("best")]
    expected = rows.sort_values("seed")["sa"].iloc[0]  # the first seed's network
    assert accuracy == pytest.approx(expected, abs=0.3)
    Image.fromarray(bordered[0]).resize((90, 120)).save(tmp_path / "a.png")
    kinds = [bordered[0], Image.fromarray(bordered[0]), torch.from_numpy(bordered[0]).permute(2, 0, 1)]
    assert len(set(net.predict(*kinds))) == 1
    assert net.predict(tmp_path / "a.png")[0] in net.classes
    with pytest.raises(ValueError, match="seed must be one of the confirmed 1, 2, got 9"):
        results.network(seed=9)


@pytest.mark.slow
def test_the_notebook_cells_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)
    Image.new("RGB", (50, 70), (200, 30, 30)).save(tmp_path / "photo.png")
    found = {}
    for block in blocks[:2]:
        exec(block, found)
    assert len(found["results"].confirm) >= 2
