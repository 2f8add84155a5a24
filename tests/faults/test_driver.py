"""The driver is killed at any moment, interrupted once and twice: the study ends as if nothing had happened."""

import random
import time

import pytest

from study.files.results import Results
from tests.faults.losses import half_written, held, lost, recovered, repeated, same
from tests.support.study_process import StudyProcess, check_whole, confirmed, statuses

pytestmark = pytest.mark.faults

TRIALS = 32
FLAGS = ("--epochs", "2", "--train-images", "64", "--budget", "2N", "--sampler", "random", "--trials", str(TRIALS),
         "--seeds", "2")  # fmt: skip
SLOW_DISK = {"ENTPROP_FSYNC_MS": "60"}  # so that there is a moment in which a file is half written


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The same study, left alone."""
    out = tmp_path_factory.mktemp("undisturbed") / "s"
    with StudyProcess(*FLAGS, "--out", str(out)) as study:
        assert study.wait() == 0, study.text()
    return Results(out)


def after(seconds):
    """A moment so long after the study went on."""

    def wait(study, out):
        time.sleep(seconds)

    return wait


def while_writing(where, pattern):
    """A moment at which such a file is half written."""

    def wait(study, out):
        study.wait_for(lambda: half_written(where(out), pattern), often=0.004)

    return wait


def in_confirm(runs):
    def wait(study, out):
        study.wait_for(lambda: statuses(out).count("finished") == TRIALS and confirmed(out) >= runs)
        time.sleep(0.5)

    return wait


def in_race(runs):
    """While the race runs, with so many of its runs written down."""

    def wait(study, out):
        study.wait_for(lambda: statuses(out).count("finished") == TRIALS and confirmed(out, "race") >= runs, often=0.01)

    return wait


def in_both(study, out):
    """While the last trials run, and beside them the baselines of the race."""
    study.wait_for(lambda: any(out.glob("checkpoints/race-*")) and "running" in statuses(out), often=0.01)


def here(out):
    return out


chance = random.Random(8)
BEFORE_ANYTHING = [("kill of the driver: before its first trial", after(seconds)) for seconds in (0.2, 2.5)]
SEARCH = [("kill of the driver: at a random moment", after(chance.uniform(0.0, 2.0))) for _ in range(7)]
STATE = "checkpoints/trial-*/checkpoint.pt.*.part"
CHECKPOINT = [("kill of the driver: while a checkpoint is written", while_writing(here, STATE))] * 3
RESULT = [("kill of the driver: while a result is written", while_writing(here, "trials.csv.*.part"))] * 3
BOTH = [("kill of the driver: in search and race", in_both)]
RACE = [("kill of the driver: in the race", in_race(runs)) for runs in (3, 8, 11)]
CONFIRM = [("kill of the driver: in the confirmation", in_confirm(runs)) for runs in (0, 2, 4)]
STARTING = set(BEFORE_ANYTHING)
SERIES = {
    "early": [*BEFORE_ANYTHING, *SEARCH[:5], *CHECKPOINT],
    "late": [*SEARCH[5:], *RESULT, *BOTH, *RACE, *CONFIRM],
}


@pytest.mark.parametrize("moments", SERIES.values(), ids=SERIES)
def test_killed_at_ten_moments_it_ends_as_if_nothing_had_happened(tmp_path, shim, note, undisturbed, moments):
    """Must hold: every trial once, each as in the undisturbed study, and nothing that had ended is done again."""
    assert len(moments) >= 10
    out = tmp_path / "s"
    elsewhere = {**shim, **SLOW_DISK, "ENTPROP_CACHE": str(out.with_name("cache"))}
    before, fault = held(out), ""
    for next_fault, moment in [*moments, ("", None)]:
        flags = ("--resume", str(out)) if (out / "study.json").exists() else (*FLAGS, "--out", str(out))
        began = time.monotonic()
        with StudyProcess(*flags, **elsewhere) as study:
            starting = (next_fault, moment) in STARTING
            seconds = None if starting else recovered(study, out, began)
            if moment is None:
                assert study.wait() == 0, study.text()
            else:
                moment(study, out)
                study.kill()
        now = held(out)
        if fault:
            note(fault, lost(before, now), repeated(before, now), seconds)
        assert lost(before, now) == 0
        before, fault = now, next_fault
    check_whole(out, TRIALS)
    results = Results(out)
    assert same(results.trials) == same(undisturbed.trials)
    assert same(results.race) == same(undisturbed.race)
    assert same(results.confirm) == same(undisturbed.confirm)
    assert len(results.corruptions) == 75 * len(results.confirm)
    assert not list(out.rglob("*.part"))


def test_the_final_table_of_a_killed_study_is_that_of_an_undisturbed_one(tmp_path, note):
    """With a sampler that learns: one trial at a time, so that each proposal knows the same results."""
    flags = ("--epochs", "1", "--train-images", "64", "--budget", "4N", "--sampler", "gp", "--trials", "8",
             "--seeds", "1", "--concurrency", "1")  # fmt: skip
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    with StudyProcess(*flags, "--out", str(alone)) as study:
        assert study.wait() == 0, study.text()
    for ended in (3, 6):
        words = ("--resume", str(killed)) if killed.exists() else (*flags, "--out", str(killed))
        with StudyProcess(*words) as study:
            study.wait_for(lambda ended=ended: statuses(killed).count("finished") >= ended)
            study.kill()
    before, began = held(killed), time.monotonic()
    with StudyProcess("--resume", str(killed)) as study:
        seconds = recovered(study, killed, began)
        assert study.wait() == 0, study.text()
        text = study.text()
    now = held(killed)
    note("kill of the driver: with a sampler that learns", lost(before, now), repeated(before, now), seconds)
    assert same(Results(killed).trials) == same(Results(alone).trials)
    assert same(Results(killed).race) == same(Results(alone).race)
    assert same(Results(killed).confirm) == same(Results(alone).confirm)
    assert "On test images and the 15 corruptions" in text


@pytest.mark.parametrize("times", [1, 2])
def test_interrupted_it_says_how_to_go_on_and_does(tmp_path, times, note):
    out = tmp_path / "s"
    flags = ("--epochs", "2", "--train-images", "256", "--budget", "2N", "--trials", "6", "--confirm", "0")
    with StudyProcess(*flags, "--sampler", "random", "--out", str(out)) as study:
        study.wait_for(lambda: "finished" in statuses(out))
        for _ in range(times):
            study.interrupt()
            time.sleep(0.3)
        assert study.wait(120) == 130
        assert study.text().count(f"run.py --resume {out}") == 1, study.text()
        assert "Traceback" not in study.text()
    assert Results(out).read_study()["state"] == "interrupted"
    before, began = held(out), time.monotonic()
    with StudyProcess("--resume", str(out)) as study:
        seconds = recovered(study, out, began)
        assert study.wait() == 0, study.text()
    check_whole(out, 6)
    note(f"Ctrl-C {'once' if times == 1 else 'twice'}", lost(before, held(out)), repeated(before, held(out)), seconds)
    assert lost(before, held(out)) == 0
