"""A study's text that is refreshed until the study ends."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from study.config.cli import Command, read_study
from study.display.show import show_study
from study.display.watch import watch
from study.files.results import Results
from study.files.study_json import study_record
from tests.support.study_rows import STUDY, trial

ROOT = Path(__file__).parents[3]


@pytest.fixture
def results(tmp_path):
    """A study that says that it runs."""
    found = Results(tmp_path / "one")
    found.write_study(study_record(STUDY.as_dict(), ["study/run.py", "--budget", "4N"]))
    return found


class Steps:
    """Takes the place of waiting: does one thing each time."""

    def __init__(self, *steps):
        self.steps = list(steps)

    def __call__(self, seconds):
        self.steps.pop(0)()


def interrupt():
    raise KeyboardInterrupt


def show(results, output, **more):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "study" / "run.py"), "show", str(results.folder), "--watch"],
        stdout=output, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT), **more},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def test_a_file_gets_a_text_whenever_the_study_has_written_something_and_the_last_at_its_end(results, capsys):
    steps = Steps(
        lambda: None,  # nothing new, nothing is printed
        lambda: results.put_trial(trial(0)),
        lambda: results.update_study(state="finished", end=results.read_study()["start"]),
    )
    watch(results.folder, steps)
    text = capsys.readouterr().out
    assert steps.steps == []
    assert "\033" not in text
    assert text.count("missing: no run was evaluated") == 3
    assert text.count("no trial has started yet") == 1
    assert text.endswith(show_study(results.folder) + "\n")


def test_a_study_that_has_ended_is_shown_once(results, capsys):
    results.update_study(state="interrupted")
    watch(results.folder, Steps())
    assert capsys.readouterr().out.count("no trial has started yet") == 1


def test_ctrl_c_ends_it_quietly(results, capsys):
    watch(results.folder, Steps(interrupt))
    assert capsys.readouterr().err == ""


@pytest.fixture
def terminal(monkeypatch):
    """Both ends of a terminal of 12 lines; standard output goes there."""
    mine, its = pty.openpty()
    monkeypatch.setenv("LINES", "12")
    monkeypatch.setenv("COLUMNS", "80")
    yield mine, its
    for end in (mine, its):
        os.close(end)


def drain(mine, into):
    """Read what comes to a terminal, as long as there is one."""

    def read():
        try:
            while data := os.read(mine, 4096):
                into.append(data.decode(errors="replace"))
        except OSError:
            return

    threading.Thread(target=read, daemon=True).start()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_a_terminal_it_is_drawn_in_place_and_the_last_text_stays(results, terminal, number):
    for each in range(8):
        results.put_trial(trial(each))
    mine, its = terminal
    seen = []
    drain(mine, seen)
    with show(results, its) as process:
        deadline = time.monotonic() + 60
        while "Ctrl-C ends" not in "".join(seen):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(60) == 0
        assert process.stderr.read() == ""
    time.sleep(0.2)
    drawn, _, left = "".join(seen).replace("\r\n", "\n").partition("\033[?1049l")
    assert drawn.startswith("\033[?1049h")
    frame = re.sub(r"\033\[[?\d]*[A-Za-z]", "", drawn.rpartition("\033[H")[2]).splitlines()
    assert len(frame) == 12
    assert re.fullmatch(r"\d+ more lines below, enlarge the window; every 3 s, Ctrl-C ends", frame[-1])
    assert "missing: no run was evaluated on test images yet" in left
    assert "\033" not in left


def test_a_reader_that_goes_away_ends_it_at_once(results):
    with show(results, subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


def test_the_command_line_knows_it(results, capsys):
    folder = str(results.folder)
    assert read_study(["show", folder, "--watch"]) == Command("show", results.folder, watch=True)
    assert read_study(["show", folder]) == Command("show", results.folder)
    with pytest.raises(SystemExit):
        read_study(["show", "--help"])
    assert "until the study ends" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        read_study(["show", folder, "--wtach"])
    assert "did you mean --watch?" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["show", "ls", "export", "confirm"])
def test_each_command_has_a_help_of_its_own(name, capsys):
    with pytest.raises(SystemExit) as ended:
        read_study([name, "--help"])
    assert ended.value.code == 0
    assert f"run.py {name} " in capsys.readouterr().out
