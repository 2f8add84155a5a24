"""Files that a disk or a lost machine spoilt: a study mends what it can make anew and comes to the same rows."""

import shutil
import time
from pathlib import Path

import pytest

from study.files.results import Results
from tests.faults.losses import held, lost, recovered, repeated, same
from tests.support.study_process import StudyProcess, check_whole, statuses

pytestmark = pytest.mark.faults

FLAGS = ("--epochs", "4", "--train-images", "256", "--budget", "2N", "--trials", "5", "--confirm", "0",
         "--sampler", "random", "--concurrency", "1")  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "s"
    with StudyProcess(*FLAGS, "--out", str(out)) as study:
        assert study.wait() == 0, study.text()
    return Results(out)


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory):
    """A study that was killed while a trial had done an epoch but not all."""
    base = tmp_path_factory.mktemp("cut-off")
    out = base / "s"
    with StudyProcess(*FLAGS, "--out", str(out)) as study:
        study.wait_for(lambda: statuses(out).count("finished") >= 2 and running(out), often=0.01)
        study.kill()
    time.sleep(3)  # its worker has ended, too
    return base


def running(out):
    """The folder of the trial that has begun and has not ended, once it has a checkpoint."""
    for row in Results(out).trials:
        folder = out / "checkpoints" / f"trial-{row['trial']:04d}"
        if row["status"] == "running" and (folder / "checkpoint.pt").exists():
            return folder
    return None


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def tear(path):
    """As if power had gone in the middle of a line."""
    with open(path, "a") as file:
        file.write(path.read_text().splitlines()[-1][:17])


def spoil_journal(path):
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], '{"op_code": 4, "worker_id"', *lines[3:], ""]))


DAMAGES = {
    "a checkpoint cut short, a torn journal, a torn table": lambda out: [
        halve(running(out) / "checkpoint.pt"), tear(out / "optuna.log"), tear(out / "trials.csv"),
        tear(out / "epochs.csv"),
    ],
    "a checkpoint with another byte, a spoilt journal": lambda out: [
        flip(running(out) / "checkpoint.pt"), spoil_journal(out / "optuna.log"),
    ],
    "a run's rows and configuration lost, locks and halves left behind": lambda out: [
        (running(out) / "epochs.csv").write_text("epoch\n"), (running(out) / "config.json").write_text("{"),
        (out / "trials.csv.1234.part").write_text("half"), (out / "optuna.log.lock").symlink_to("optuna.log"),
        (running(out) / "checkpoint.pt.12.part").write_text("half"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_study_with_damaged_files_comes_to_the_same_rows(tmp_path, cut_off, undisturbed, damage, note):
    base = tmp_path / "base"
    shutil.copytree(cut_off, base, symlinks=True)
    out = base / "s"
    before = held(out)
    assert running(out)
    DAMAGES[damage](out)
    began = time.monotonic()
    with StudyProcess("--resume", str(out)) as study:
        seconds = recovered(study, out, began)
        assert study.wait() == 0, study.text()
    check_whole(out, 5)
    assert same(Results(out).trials) == same(undisturbed.trials)
    now = held(out)
    for part in damage.split(", "):
        note(f"damage: {part}", lost(before, now), repeated(before, now), seconds)
    assert lost(before, now) == 0
    assert not [path for path in Path(out).rglob("*") if path.suffix in (".part", ".lock") and path.name != ".lock"]
