"""The command line of a study: defaults, contradictions, what is stored and what may change when it goes on."""

import dataclasses
import datetime
import json
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.config.budget import Budget
from study.config.cli import Command, build_parser, read_study
from study.config.make_study import default_out, make_study
from study.config.space import control_configs, trial_config
from study.config.study_config import Study
from study.files.results import Results
from study.files.study_json import study_record
from trainables.config import TrialConfig
from trainables.methods import METHODS, method_name

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refused(capsys, line):
    """The one line with which a command line is refused."""
    with pytest.raises(SystemExit) as ended:
        read_study(line.split(" "))
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def stored(tmp_path, **options):
    """The folder of a study with these options, as it lies there after its start."""
    study = make_study(**{"budget": "4N", "out": str(tmp_path / "old"), **options})
    Results(study.out).write_study(study_record(study.as_dict(), ["run.py"]))
    return study


def test_defaults_are_those_of_the_documentation():
    study = read_study(["--budget", "4N"])
    expected = {
        "budget": Budget(4.0), "methods": ("entprop",), "trials": 8, "total_budget": None, "scheduler": "none",
        "sampler": "tpe", "objective": "h", "confirm": 1, "seeds": 6, "table": None, "cpus_per_trial": 1.0,
        "trials_per_gpu": 1, "seed": 0, "concurrency": None, "dry_run": False,
    }  # fmt: skip
    assert {name: getattr(study, name) for name in expected} == expected
    assert (study.trial.dataset, study.trial.model, study.trial.epochs) == ("fashion", "resnet8", 15)
    assert study.out == f"runs/{datetime.date.today().isoformat()}-fashion-4N"
    assert study.searched == {"entprop": ("k", "n", "epsilon", "metric")}


def test_defaults_follow_data_scheduler_and_methods():
    assert (make_study(budget="4N").confirm, make_study(budget="4N").race) == (1, 4)
    assert make_study(budget="4N", objective="pareto").confirm == 3
    assert make_study(budget="4N", confirm=0).race == 0  # there is nothing to be chosen for
    assert make_study(budget="4N", dataset="cifar10").trial.epochs == 200
    assert make_study(budget="4N", dataset="cifar10").controls
    assert make_study(budget="4N", scheduler="asha").sampler == "tpe"
    assert make_study(budget="4N", methods="entprop,mixup").sampler == "tpe"
    assert make_study(budget="4N", trials=200).sampler == "tpe"
    assert make_study(budget="4N", trials=201).sampler == "tpe"
    assert make_study(budget="4N", total_budget="2010N").sampler == "tpe"
    assert make_study(budget="4N", sampler="gp").sampler == "gp"
    assert make_study(budget="4N", methods=["entprop", "fast_advprop"]).methods == ("entprop", "fast_advprop")
    assert make_study(budget="4N", sampler="grid", search="k,n").trials == 25
    assert make_study(budget="4N", total_budget="500N").trials == 33


def test_all_methods_are_those_that_the_budget_pays_for():
    cheap = make_study(budget="1.2N", methods="all").methods
    assert {"vanilla", "mixup", "cutmix", "fast_advprop", "entprop"} <= set(cheap)
    assert not {"mixprop", "advprop"} & set(cheap)
    assert make_study(budget="8N", methods="all").methods == tuple(METHODS)


def test_values_of_python_are_read_like_texts():
    text = make_study(budget="4N", methods="entprop,mixup", fix="k=0.5,beta=2", total_budget="500N")
    options = {"methods": ["entprop", "mixup"], "fix": {"k": 0.5, "beta": 2.0}, "total_budget": 500}
    assert make_study(budget=4, **options) == make_study(budget=Budget(4.0), **options) == text
    assert make_study(budget="4N", fix={"k": "0.5"}).fix == (("k", 0.5),)


def test_all_methods_of_a_resumed_study_are_those_within_its_own_budget(tmp_path):
    old = stored(tmp_path, methods="all")
    assert make_study(resume=old.out, methods="all").methods == old.methods


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("--budget 4M", "budget must be a number of at least 1 followed by N, as in 4N or 1.2N, got '4M'"),
        ("--budget 0.5N", "got '0.5N'"),
        ("--budget nanN", "got 'nanN'"),
        ("--budget -1N", "got '-1N'"),
        ("--budget ", "got ''"),
        ("--trials 3", "a search needs a budget"),
        ("--budget 4N --trials 0", "trials must be a whole number of at least 1, got 0"),
        ("--budget 4N --sampler gpp", "unknown sampler 'gpp'; did you mean 'gp'?"),
        ("--budget 4N --methods entprob", "unknown method 'entprob'; did you mean 'entprop'?"),
        ("--budget 2N --methods advprop", "got advprop, which costs at least 3N"),
        ("--budget 4N --methods mixup,mixup", "each method once"),
        ("--budget 4N --scheduler asha --sampler gp", "sampler must be tpe or random"),
        ("--budget 4N --scheduler asha --objective pareto", "scheduler must be none"),
        ("--budget 4N --sampler grid --trials 24", "which tries all 400 settings"),
        ("--budget 4N --sampler grid --methods mixup", "search must name a parameter"),
        ("--budget 4N --sampler grid --methods mixup,cutmix", "one method with sampler grid"),
        ("--budget 4N --search k,q", "unknown searchable 'q'"),
        ("--budget 4N --search weights --fix weights=sum", "searched or fixed, got both"),
        ("--budget 4N --fix weights=summ", "unknown weights 'summ'; did you mean 'sum'?"),
        ("--budget 4N --fix p_adv=0.2", "unknown hyper-parameter 'p_adv'"),
        ("--budget 4N --fix k", "fix must be NAME=VALUE"),
        ("--budget 2N --fix k=1,n=5", "fixed values must fit the budget 2N, got entprop of at least 6N"),
        ("--budget 4N --total-budget 5N", "must pay for one vanilla trial of 15N"),
        ("--budget 4N --gpus-per-trial 1 --trials-per-gpu 2", "only one of --gpus-per-trial and --trials-per-gpu"),
        ("--budget 4N --epochs 0", "epochs must be a whole number of at least 1, got 0"),
        ("--budget 4N --no-norms", "norms must be true for entprop"),
        ("--budget 4N --dataste x", "did you mean --dataset?"),
        ("--budget 4N --extend 3", "--extend needs --resume"),
        ("--budget 4N --scale demo", "--scale demo needs --table"),
        ("--table entprop/99", "unknown table 'entprop/99'"),
        ("--table entprop/16 --budget 4N", "--budget does not apply to --table"),
        ("--table entprop/16 --methods mixup", "--methods does not apply to --table"),
        ("--table entprop/16 --confirm 2", "--confirm does not apply to --table"),
        ("--table entprop/16 --no-norms", "norms must be true for entprop"),
        ("--tables --budget 4N", "--tables takes no other options"),
        ("--resume nowhere", "must be a study's folder"),
        ("--budget 4N --warm-start nowhere", "must be a study's folder"),
        ("sho x", "did you mean 'show'?"),
        ("show", "takes one folder"),
        ("show .", "must be a study's folder"),
        ("ls nowhere", "takes an existing folder"),
    ],
)
def test_wrong_input_gives_one_line_and_writes_nothing(capsys, tmp_path, line, part):
    assert part in refused(capsys, line)
    assert list(tmp_path.iterdir()) == []


def test_commands_are_told_from_studies(tmp_path):
    folder = Path(stored(tmp_path).out)
    assert read_study(["show", str(folder)]) == Command("show", folder)
    assert read_study(["ls", str(tmp_path)]) == Command("ls", tmp_path)
    assert read_study(["--tables"]) == Command("tables")


def test_a_folder_that_exists_is_never_the_default_and_never_taken():
    first = make_study(budget="1.2N").out
    Path(first).mkdir(parents=True)
    assert make_study(budget="1.2N").out == f"{first}-2"
    with pytest.raises(ValueError, match="which exists; choose another"):
        make_study(budget="1.2N", out=first)


def test_a_study_that_exists_is_pointed_out(tmp_path):
    folder = stored(tmp_path).out
    with pytest.raises(ValueError, match=r"resume it: .*--resume"):
        make_study(budget="4N", out=folder)


def test_the_default_folder_names_date_data_and_budget_or_table():
    day = datetime.date(2026, 1, 31)
    assert default_out(make_study(budget="4N"), day) == Path("runs/2026-01-31-fashion-4N")
    assert default_out(make_study(table="entprop/16", scale="demo"), day) == Path("runs/2026-01-31-entprop-16-demo")
    npz = dataclasses.replace(make_study(budget="2N"), trial=TrialConfig(dataset="npz:/data/my shapes.npz"))
    assert default_out(npz, day).name == "2026-01-31-npz-my shapes-2N"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"methods": "entprop,mixup", "fix": "weights=sum", "search": "k,n,beta", "objective": "pareto"},
        {"scheduler": "asha", "total_budget": "500N", "epochs": 3, "lr": 0.05, "seed": 7},
        {"sampler": "grid", "search": "k", "cpus_per_trial": 0.5, "controls": True},
        {"budget": None, "table": "entprop/16", "scale": "demo", "epochs": 2},
    ],
)
def test_a_study_is_stored_as_plain_values_and_read_back(options):
    given = {"budget": "4N", **options}
    study = make_study(**{name: value for name, value in given.items() if value is not None})
    text = json.dumps(study.as_dict())
    assert Study.from_dict(json.loads(text)) == study
    assert pickle.loads(pickle.dumps(study)) == study


def test_a_proposal_becomes_a_complete_configuration():
    study = make_study(budget="4N", epochs=3, batch_size=32)
    config = trial_config(study, {"method": "entprop", "k": 0.5, "n": 2}, 17)
    assert (config.method.k, config.method.n, config.seed, config.epochs, config.batch_size) == (0.5, 2, 17, 3, 32)
    assert dataclasses.replace(config, method=study.trial.method, seed=0) == study.trial


def test_controls_are_the_baselines_at_other_rates_and_at_equal_cost():
    controls = control_configs(make_study(budget="4N"))
    found = {(method_name(config.method), why): (config.lr, config.epochs) for why, config in controls}
    assert found == {
        ("vanilla", "lr × 1/2"): (0.2, 15), ("vanilla", "lr × 2"): (0.8, 15), ("vanilla", "equal cost"): (0.4, 60),
        ("mixup", "lr × 1/2"): (0.2, 15), ("mixup", "lr × 2"): (0.8, 15),
    }  # fmt: skip


def test_a_table_takes_only_the_flags_that_were_given():
    study = make_study(table="entprop/16", epochs=5, dataset="cifar10")
    assert study.changes == {"epochs": 5, "dataset": "cifar10"}
    assert study.budget is None


# ------------------------------------------------------------------------------------------------------ going on


def test_a_study_goes_on_with_its_own_options(tmp_path):
    old = stored(tmp_path, epochs=3, trials=5, methods="entprop,mixup")
    study = make_study(resume=old.out)
    assert study.resume
    assert dataclasses.replace(study, resume=False) == old


def test_what_a_result_does_not_depend_on_may_change(tmp_path):
    old = stored(tmp_path)
    study = read_study(
        ["--resume", old.out, "--cpus-per-trial", "2", "--concurrency", "1", "--quiet", "--budget", "4N"]
    )
    assert (study.cpus_per_trial, study.concurrency, study.quiet) == (2.0, 1, True)


def test_what_a_result_depends_on_may_not_and_is_named(capsys, tmp_path):
    old = stored(tmp_path)
    message = refused(capsys, f"--resume {old.out} --budget 2N --epochs 5 --trials 8")
    assert "budget: 2N and 4N; epochs: 5 and 15 there" in message
    assert "trials" not in message


def test_a_study_is_extended_by_more_trials(tmp_path):
    old = stored(tmp_path, trials=5)
    study = make_study(resume=old.out, extend="3")
    assert (study.trials, study.extend) == (8, 3)
    with pytest.raises(ValueError, match="extend must be a whole number of at least 1, got '0'"):
        make_study(resume=old.out, extend="0")


def test_a_grid_and_a_table_cannot_be_extended(tmp_path):
    grid = stored(tmp_path, sampler="grid", search="n", out=str(tmp_path / "grid"))
    with pytest.raises(ValueError, match="tries all settings"):
        make_study(resume=grid.out, extend=1)
    study = make_study(table="entprop/9", scale="demo", out=str(tmp_path / "table"))
    Results(study.out).write_study(study_record(study.as_dict(), []))
    with pytest.raises(ValueError, match="--extend does not apply to --table"):
        make_study(resume=study.out, extend=1)


def test_a_moved_study_goes_on_where_it_lies(tmp_path):
    old = stored(tmp_path)
    moved = Path(old.out).rename(tmp_path / "moved")
    assert make_study(resume=str(moved)).out == str(moved)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"options": []}', '{"options": {}}', '{"options": {"budgett": 1}}']
)
def test_a_damaged_study_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(ValueError, match=r"study\.json is damaged|must hold|unknown option") as found:
        make_study(resume=str(tmp_path))
    assert "\n" not in str(found.value)


def test_a_warm_start_needs_searches_on_the_same_data(tmp_path):
    old = stored(tmp_path)
    assert make_study(budget="2N", warm_start=old.out).warm_start == (old.out,)
    with pytest.raises(ValueError, match="must name searches on cifar10"):
        make_study(budget="2N", dataset="cifar10", warm_start=old.out)


def test_unknown_options_of_a_notebook_are_named():
    with pytest.raises(ValueError, match="unknown option 'trails'; did you mean 'trials'"):
        make_study(budget="4N", trails=3)


# ---------------------------------------------------------------------------------------------------------- help


def test_help_names_every_option_and_its_examples_are_right():
    text = build_parser().format_help()
    words = {"resume", "extend", "tables"} | {field.name for field in dataclasses.fields(Study)}
    for name in words - {"trial", "given"}:
        assert "--" + name.replace("_", "-") in text
    for name in ("dataset", "model", "epochs", "batch-size", "lr", "precision"):
        assert f"--{name}" in text
    examples = [line.split("run.py ")[1] for line in text.splitlines() if "run.py --" in line and line[:2] == "  "]
    assert len(examples) >= 3
    for example in examples:
        if "DIR" not in example:
            assert isinstance(read_study(example.split()), Study)


def test_reading_a_command_line_loads_nothing_heavy_and_is_quick():
    code = (
        "import sys; from study.config.cli import read_study; import study.display.plan, study.display.show;"
        "read_study(['--budget', '4N']);"
        "heavy = {'torch', 'numpy', 'ray', 'optuna', 'pandas', 'scipy', 'matplotlib'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - began < 3  # 0.2 s on an idle core
