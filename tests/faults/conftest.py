"""What all fault tests share: the table of what was tried and lost, a disk that is small, a clock that is wrong."""

import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.support.study_process import STARTED

TRIED = []  # (fault, results lost, trials repeated, seconds to recover or None)


@pytest.fixture
def note():
    """Writes down one fault that was tried: what it cost."""

    def write(fault, lost, repeated, seconds=None):
        TRIED.append((fault, lost, repeated, seconds))

    return write


@pytest.fixture(autouse=True)
def no_worker_outlives_its_study():
    """It would write into the folder that the next one goes on with."""
    yield
    left = outlived(30, lambda name: name.startswith(("ray::StudyTrial", "ray::IDLE")))
    for process in left:
        process.kill()
    assert not left


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left():
    yield
    assert not outlived(120, bool)  # Ray's agents look for their master now and then


def outlived(seconds, matter):
    """Which processes of studies, by their names, are still there after so long."""
    deadline = time.monotonic() + seconds
    while True:
        left = [process for process in STARTED if matter(name_of(process))]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.5)


def name_of(process):
    """Its command line; nothing once it has ended."""
    try:
        return " ".join(process.cmdline()) if process.is_running() else ""
    except psutil.Error:
        return ""


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """The environment in which shim.c stands between programs and their C library."""
    compiler = shutil.which("cc")
    if compiler is None or not os.path.exists("/proc"):
        pytest.skip("needs a C compiler and Linux")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), "RAY_LD_PRELOAD_ON_WORKERS": "1"}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB of its own; `fill` in tests/faults/test_disk.py takes what is left of it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", folder]
    if os.geteuid() != 0 or subprocess.run(command, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    for _ in range(50):  # programs that were killed let go of it a little later
        if subprocess.run(["umount", folder], check=False, capture_output=True).returncode == 0:
            return
        time.sleep(0.2)
    subprocess.run(["umount", "--lazy", folder], check=True)


def pytest_terminal_summary(terminalreporter):
    if not TRIED:
        return
    table = fault_table(summed(TRIED))
    terminalreporter.write_sep("=", "faults")
    terminalreporter.write_line(table)
    if os.environ.get("FAULTS_REPORT"):
        from benchmarks.report import write_report

        failed = len(terminalreporter.stats.get("failed", ()))
        figures = {"failed_tests": failed, "faults": summed(TRIED)}
        write_report("faults", figures, table, "What is lost when something dies: `make test-faults`")


def summed(tried):
    """A row for each fault."""
    rows = []
    for fault in dict.fromkeys(row[0] for row in tried):
        group = [row for row in tried if row[0] == fault]
        seconds = [row[3] for row in group if row[3] is not None]
        rows.append(
            {
                "fault": fault,
                "tried": len(group),
                "lost": sum(row[1] for row in group),
                "repeated": sum(row[2] for row in group),
                "median_s": round(statistics.median(seconds), 1) if seconds else None,
                "most_s": round(max(seconds), 1) if seconds else None,
            }
        )
    return rows


def fault_table(rows):
    lines = [
        "| fault | tried | results lost | trials repeated | seconds to recover, median (most) |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        recovered = "–" if row["median_s"] is None else f"{row['median_s']} ({row['most_s']})"
        lines.append(f"| {row['fault']} | {row['tried']} | {row['lost']} | {row['repeated']} | {recovered} |")
    return "\n".join(lines)
