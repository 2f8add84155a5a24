"""Every command that the tool prints runs as it stands, from any folder."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from study.commands import command, module, tool
from study.config.make_study import make_study
from study.display.show import list_studies, show_study
from study.display.summary import final_text
from study.doctor import findings
from study.files.results import Results
from study.files.study_json import study_record
from study.papers import list_tables
from tests.support.data_files import labels, pictures, write_folder, write_npz
from tests.support.study_rows import CONFIRMED, trial

ROOT = Path(__file__).parents[2]
PROGRAM = command()
TINY = ("--epochs", "1", "--train-images", "128", "--budget", "2N", "--quiet")


def pasted(line, folder, code=0):
    """Run a line in a shell that knows neither the project's folder nor its environment's programs."""
    environment = {**os.environ, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, (line, done.stderr)
    return done.stdout


def commands_in(text):
    """The commands of the program in a text, each to the end of its line or of what it is said in."""
    return [
        PROGRAM + end for end in re.findall(re.escape(PROGRAM) + r"([^;\n]*?)(?=;|\n|$| writes one| makes one)", text)
    ]


@pytest.fixture
def spaced(tmp_path):
    """A study in a folder whose name needs quotes, with a trial and confirmed rows."""
    folder = tmp_path / "my studies" / "it's one"
    study = make_study(budget="4N", out=str(folder))
    results = Results(folder)
    results.write_study(study_record(study.as_dict(), ["run.py", "--budget", "4N"]))
    results.put_trial(trial(0))
    for row in CONFIRMED:
        results.put_confirm(row)
    return study, results


def test_a_command_is_quoted_and_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command("show", Path("a b")))
    assert words == [sys.executable, str(ROOT / "study" / "run.py"), "show", str(tmp_path / "a b")]
    assert shlex.split(module("analysis", Path("x"))) == [sys.executable, "-m", "analysis", str(tmp_path / "x")]
    assert Path(shlex.split(tool("ray", "status"))[0]).is_file()
    assert tool("no-such-tool", "x") == "no-such-tool x"


def test_the_console_script_names_itself(monkeypatch, tmp_path):
    script = tmp_path / "bin" / "entprop"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(script), "--budget", "4N"])
    monkeypatch.setenv("PATH", "/usr/bin")
    assert command("ls") == f"{script} ls"
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin")
    assert command("ls") == "entprop ls"


def test_the_commands_after_a_study_and_of_show_and_ls_run_as_they_stand(spaced, tmp_path):
    study, results = spaced
    after = commands_in(final_text(study, results))
    assert [shlex.split(line)[2] for line in after] == ["show", "--resume"]
    assert "entprop within 4N" in pasted(after[0], "/")
    assert "run" in pasted(f"{after[1]} --dry-run", "/")  # 24 more trials would take minutes
    shown = commands_in(show_study(results.folder))
    assert [shlex.split(line)[2] for line in shown] == ["--resume"]
    pasted(f"{shown[0]} --dry-run", "/")
    (first,) = commands_in(list_studies(tmp_path))
    assert "budget 4N per epoch" in pasted(f"{first} --dry-run", tmp_path)


def test_the_command_of_an_error_runs_as_it_stands(spaced, tmp_path):
    study, results = spaced
    with pytest.raises(ValueError, match="resume it") as caught:
        make_study(budget="4N", out=study.out)
    (resume,) = commands_in(str(caught.value))
    assert shlex.split(resume)[2:] == ["--resume", str(results.folder)]
    with pytest.raises(ValueError, match="writes one") as caught:
        Results(tmp_path / "no study").read_study()
    (makes,) = commands_in(str(caught.value))
    assert f"in {tmp_path / 'no study'}" in " ".join(pasted(f"{makes} --dry-run", "/").split())


def test_the_commands_of_the_tables_run_as_they_stand():
    (plan,) = commands_in(list_tables())
    assert "table entprop/16" in pasted(plan, "/")


def test_the_examples_of_the_help_run_as_they_stand(spaced, tmp_path):
    from study.config.cli import build_parser

    (tmp_path / "runs").mkdir()
    spaced[1].folder.rename(tmp_path / "runs" / "DIR")
    text = build_parser().format_help()
    found = re.findall(rf"^  ({re.escape(PROGRAM)} .*)$", text.partition("examples:")[2], re.MULTILINE)
    assert len(found) >= 8
    for line in found:
        words = shlex.split(line)[2:]
        if words[0] in ("confirm", "export"):
            continue  # trains: the slow test runs it; needs MLflow
        pasted(line if words[0] in ("show", "ls") or "--dry-run" in words else f"{line} --dry-run", tmp_path)


def test_make_commands_of_the_doctor_name_the_folder():
    texts = [findings.REINSTALL, findings.judge_python((3, 9, 0), "python").fix]
    made = [line for text in texts for line in re.findall(r"(make -C .*?)(?= &&| \(|$)", text)]
    assert len(made) == 3
    for line in made:
        pasted(f"{line} --dry-run", "/")


def test_the_commands_of_the_readme_and_of_the_page_on_usage_run_as_they_stand():
    """Those that train are planned only; make targets are those of the Makefile (tests/test_docs.py)."""
    planned = [line for line in page_lines("study/run.py") if "--help" not in line]
    assert len(planned) >= 4
    for line in planned:
        words = line.replace("--address auto", "").replace("/shared/runs/first", "/tmp/no-such-run")
        pasted(f"{shlex.quote(sys.executable)} {words}" + " --dry-run" * ("--dry-run" not in line), ROOT)


@pytest.mark.slow
def test_a_study_in_a_folder_with_blanks_is_resumed_and_confirmed_by_what_was_printed(tmp_path):
    folder = tmp_path / "a study"
    text = pasted(command(*TINY, "--trials", "2", "--seeds", "1", "--race", "0", "--out", folder), tmp_path)
    show, extend = commands_in(text)
    assert "finished" in pasted(show, "/")
    pasted(extend.replace(" 24", " 1"), "/")
    assert len(Results(folder).trials) == 3
    pasted(command("confirm", folder, "--seeds", 2, "--quiet"), "/")
    assert {row["seed"] for row in Results(folder).confirm} == {1, 2}


@pytest.mark.slow
def test_make_study_and_every_command_that_it_prints_run(tmp_path):
    """The recipe of the target as make would run it, made small by further flags; so are the commands it leads to."""
    if shutil.which("make") is None:
        pytest.skip("needs make")
    made = subprocess.run(
        ["make", "--dry-run", "--assume-old=env", "study"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    recipe = made.stdout.splitlines()[-1]
    assert recipe == ".venv/bin/python study/run.py --budget 4N"
    here = recipe.replace(".venv/bin/python", shlex.quote(sys.executable))
    small = "--epochs 1 --train-images 128 --quiet --trials 2 --seeds 1 --race 0"
    text = pasted(f"{here} {small} --out {shlex.quote(str(tmp_path / 's'))}", ROOT)
    after = commands_in(text)
    assert [shlex.split(line)[2] for line in after] == ["show", "--resume"]
    for line in (*after, *commands_in(pasted(after[0], "/"))):
        pasted(line.replace(" 24", " 1"), "/")
    again = pasted(command("confirm", tmp_path / "s", "--seeds", 2, "--quiet"), "/")
    for line in commands_in(again):
        pasted(line.replace(" 24", " 1"), "/")


@pytest.mark.slow
def test_studies_of_the_pages_run_on_images_that_are_there(tmp_path):
    """The lines of the README and of the page on usage, each made small; without those of a cluster."""
    write_folder(tmp_path / "images", count=30, side=16)
    write_npz(
        tmp_path / "images.npz",
        train_images=pictures(60, 16), train_labels=labels(60), test_images=pictures(20, 16), test_labels=labels(20),
    )  # fmt: skip
    lines = [line for line in dict.fromkeys(page_lines("study/run.py")) if "--help" not in line and "auto" not in line]
    assert len(lines) >= 4
    small = {
        "--epochs": 1, "--batch-size": 8, "--trials": 2, "--seeds": 1, "--race": 0, "--controls": "false",
        "--model": "resnet8", "--train-images": 40,
    }  # fmt: skip
    for number, line in enumerate(lines):
        words = shlex.split(line.replace("study/run.py", str(ROOT / "study" / "run.py")))
        if "--table" in words:
            words = overridden(words, {"--dry-run": None})
        else:
            data = {"--dataset": "fashion"} if "cifar" in line else {}  # nothing is downloaded here
            words = overridden(
                [word for word in words if word != "--dry-run"], {**small, **data, "--out": f"s{number}"}
            )
        pasted(shlex.join([sys.executable, *words]), tmp_path)


def overridden(words, options):
    """Words with these options, which take the place of the same ones; None is an option without a value."""
    kept = list(words)
    for name, value in options.items():
        if name in kept:
            place = kept.index(name)
            del kept[place : place + (1 if value is None else 2)]
        kept += [name] if value is None else [name, str(value)]
    return kept


def test_the_analysis_of_the_pages_runs(tmp_path):
    """On copies, since a report is written beside the tables."""
    lines = [line for line in dict.fromkeys(page_lines("-m analysis")) if "results/" in line]
    assert len(lines) >= 2
    for line in lines:
        study = Path(line.split()[-1])
        shutil.copytree(ROOT / study, tmp_path / study, dirs_exist_ok=True)
        assert pasted(f"{shlex.quote(sys.executable)} {line}", tmp_path)
        assert (tmp_path / study / "report" / "report.html").is_file()


def page_lines(program):
    """What the README and the page on usage have a reader type after the interpreter, of one program."""
    text = "\n".join((ROOT / page).read_text() for page in ("README.md", "docs/usage.md"))
    lines = re.findall(r"^\.venv/bin/python (.*?)(?:  +#.*)?$", text, re.MULTILINE)
    return [line for line in lines if line.startswith(program)]


def test_a_reader_that_goes_away_is_no_error(spaced):
    line = f"{command('show', spaced[1].folder)} | head -n 1"
    done = subprocess.run(
        line,
        shell=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
