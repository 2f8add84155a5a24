"""Ray itself is lost in a confirmation: no run counts as failed, and the study says how to resume."""

import time

import psutil
import pytest

from study.files.results import Results
from tests.faults.losses import held, lost, recovered, repeated
from tests.support.study_process import StudyProcess, check_whole, confirmed, statuses

pytestmark = pytest.mark.faults

TRIALS = 4
FLAGS = ("--epochs", "2", "--train-images", "64", "--budget", "2N", "--sampler", "random", "--trials", str(TRIALS),
         "--race", "0", "--seeds", "3", "--max-failures", "0")  # fmt: skip
PARTS = {"raylet": "raylet/raylet", "gcs": "gcs/gcs_server", "workers": "ray::"}
SAYS = {"raylet": "its process on this machine (raylet) has ended", "gcs": "its head (GCS) has not answered for 3 s"}


def kill(study, parts):
    """The worker processes last: they end by themselves when they lose the others."""
    for child in psutil.Process(study.process.pid).children(recursive=True):
        try:
            if any(PARTS[part] in child.cmdline()[0] for part in parts):
                child.kill()
        except (psutil.Error, IndexError):  # it has just ended
            continue


@pytest.mark.parametrize("parts", [("raylet",), ("gcs",), ("raylet", "gcs", "workers")], ids="-".join)
def test_a_study_that_loses_ray_has_no_failed_runs_and_goes_on(tmp_path, note, parts):
    out = tmp_path / "s"
    with StudyProcess(*FLAGS, "--out", str(out)) as study:
        study.wait_for(lambda: statuses(out).count("finished") == TRIALS and confirmed(out) >= 2, seconds=900)
        study.look()
        kill(study, parts)
        assert study.wait(120) == 1
        last = study.text().strip().splitlines()[-1]
    assert last.startswith(f"error: Ray was lost: {SAYS[parts[0]]}; resume with: "), study.text()
    assert last.endswith(f"run.py --resume {out}")
    assert [row["error"] for row in Results(out).confirm if row["error"]] == []
    assert Results(out).read_study()["state"] == "failed"
    before, began = held(out), time.monotonic()
    with StudyProcess("--resume", str(out)) as study:
        seconds = recovered(study, out, began)
        assert study.wait() == 0, study.text()
    check_whole(out, TRIALS)
    note(f"loss of Ray: {' and '.join(parts)}", lost(before, held(out)), repeated(before, held(out)), seconds)
    assert lost(before, held(out)) == 0
