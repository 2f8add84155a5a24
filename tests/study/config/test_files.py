"""Studies as files: options taken from another study or a file, the schema of study.json, and edits by hand."""

import json
from pathlib import Path

import pytest

from study.config import schema
from study.config.contradictions import check_rows, contradictions
from study.config.make_study import make_study
from study.config.study_config import Study
from study.display.show import show_study
from study.files.results import Results
from study.files.study_json import study_record
from study.run import main
from tests.support.study_rows import CONFIRMED, trial

ROOT = Path(__file__).parents[3]
STORED = sorted((ROOT / "results").glob("*/study.json"))


def written(folder, **options):
    study = make_study(**{"budget": "4N", "epochs": 10, "out": str(folder), **options})
    results = Results(folder)
    results.write_study(study_record(study.as_dict(), ["run.py"]))
    return study, results


# ------------------------------------------------------------------------------------------------------------ --like


def test_a_study_like_another_has_its_options_and_a_folder_of_its_own(tmp_path):
    first, _ = written(tmp_path / "a", dataset="digits", epochs=3, fix="weights=sum", trials=5, lr=0.2, seeds=4)
    for source in (tmp_path / "a", tmp_path / "a" / "study.json"):
        again = make_study(like=str(source), out=str(tmp_path / "b"))
        assert {**again.as_dict(), "out": None, "given": None} == {**first.as_dict(), "out": None, "given": None}
    assert make_study(like=str(tmp_path / "a")).out != first.out


def test_what_is_given_beside_it_comes_on_top(tmp_path):
    written(tmp_path / "a", dataset="digits", epochs=3, trials=5)
    study = make_study(like=str(tmp_path / "a"), budget="2N", seed=7, batch_size=32)
    assert (study.per_epoch, study.seed, study.trial.seed) == (2, 7, 7)
    assert (study.trial.dataset, study.trial.epochs, study.trial.batch_size, study.trials) == ("digits", 3, 32, 5)


def test_another_data_set_brings_its_own_recipe(tmp_path):
    written(tmp_path / "a", dataset="digits", epochs=3)
    study = make_study(like=str(tmp_path / "a"), dataset="cifar10")
    assert (study.trial.model, study.trial.epochs, study.trial.batch_size) == ("resnet18", 3, 128)


def test_a_yaml_file_holds_options_by_name(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("budget: 2N\ntrials: 3\nmethods: [entprop, mixup]\nbatch-size: 32\nfix: {weights: sum}\n")
    study = make_study(like=str(file))
    assert (study.per_epoch, study.trials, study.methods) == (2, 3, ("entprop", "mixup"))
    assert (study.trial.batch_size, study.fix) == (32, (("weights", "sum"),))


@pytest.mark.parametrize(
    ("text", "message"),
    [("- 4N\n", "options by name"), ("{", "must be YAML or JSON"), ("colour: red\n", "unknown option 'colour'")],
)
def test_a_file_of_something_else_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        make_study(like=str(tmp_path / "mine.yaml"))
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------------------------------------- the schema


def test_the_stored_schema_is_that_of_the_options():
    stored = (ROOT / "study" / "config" / "study.schema.json").read_text()
    assert stored == schema.text(), "run python -m study.config.schema"


@pytest.mark.parametrize("file", STORED, ids=lambda file: file.parent.name)
def test_every_stored_study_follows_the_schema(file):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(json.loads(file.read_text()), schema.schema())


def test_a_new_study_follows_the_schema_and_a_wrong_one_does_not(tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    written(tmp_path / "a", resize=32, fix="n=1", scheduler="asha", warm_start="")
    record = json.loads((tmp_path / "a" / "study.json").read_text())
    jsonschema.validate(record, schema.schema())
    for name, value in (("trials", 0), ("sampler", "tpe2"), ("colour", "red"), ("budget", 4)):
        wrong = {**record, "options": {**record["options"], name: value}}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema.schema())


# ------------------------------------------------------------------------------------------------------- edits by hand


@pytest.mark.parametrize("file", STORED, ids=lambda file: file.parent.name)
def test_no_stored_study_contradicts_its_rows(file):
    results = Results(file.parent)
    assert contradictions(Study.from_dict(results.read_study()["options"]), results) == []


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"budget": "1.5N"}, "trial 0 costs 2.05N an epoch, budget is 1.5N"),
        ({"trials": 1}, "trials is 1, there are 2"),
        ({"methods": ["advprop"]}, "trial 0 trains entprop, methods is advprop"),
        ({"fix": {"n": 1}}, "trial 0 has n=3, fix is n=1"),
        ({"trial": {"epochs": 12}}, "trial 0 has 10 epochs, epochs is 12"),
        ({"trial": {"lr": 0.05}}, "trial 0 has lr 0.4, lr is 0.05"),
        ({"trial": {"model": "resnet18"}}, "model is resnet18, a confirmed run has resnet8"),
    ],
)
def test_an_edit_that_contradicts_the_rows_is_named(tmp_path, capsys, edit, message):
    _, results = written(tmp_path / "s")
    for number in range(2):
        results.put_trial(trial(number))
    for row in CONFIRMED:
        results.put_confirm(row)
    assert contradictions(Study.from_dict(results.read_study()["options"]), results) == []
    options = results.read_study()["options"]
    trial_options = {**options["trial"], **edit.get("trial", {})}
    results.update_study(options={**options, **edit, "trial": trial_options})
    study = Study.from_dict(results.read_study()["options"])
    with pytest.raises(ValueError, match="contradicts the rows beside it") as caught:
        check_rows(study, results)
    assert message in str(caught.value)
    assert message in show_study(results.folder)
    assert main(["--resume", str(results.folder)]) == 2
    assert message in capsys.readouterr().err
