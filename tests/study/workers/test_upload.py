"""A study in an object store is resumed where its folder is lost: here one on the disk, and S3 on this machine."""

import importlib.util
import shutil

import pytest

import study
from study.config.make_study import make_study
from study.files.results import Results
from study.files.store import Copy, above, below
from study.phases import phases
from study.workers.upload import Upload
from tests.support.study_helpers import play, row_of, tiny_study
from tests.support.study_process import StudyProcess, check_whole, statuses

S3 = "s3://bucket/studies?endpoint_override=http://h:1&scheme=http"


def test_addresses_keep_their_settings():
    assert below(S3, "s") == "s3://bucket/studies/s?endpoint_override=http://h:1&scheme=http"
    assert above(below(S3, "s")) == (S3, "s")
    assert below(below("s3://bucket/", "s"), "trial-0000") == "s3://bucket/s/trial-0000"
    assert below("/a/b", "s") == "/a/b/s"


def h_of(job):
    return 60.0 + 10 * job.config["method"].get("k", 0.0) + job.config["seed"]


def run(asked, folder, place, end=10**6):
    """Play so many jobs; those that the last one left behind."""
    said = []
    copy = Upload(Copy(folder, place), said.append)
    source, count = phases(asked, Results(folder), [copy]), 0
    while (job := source.next()) is not None:
        count += 1
        if count > end:
            source.on_result(job, row_of(job, 1))  # and here the machine was lost
            return job, said
        play(source, job, h_of(job))
    copy.update()
    return None, said


def test_a_lost_folder_is_made_again_from_the_store(tmp_path):
    options = {"trials": 4, "confirm": 1, "seeds": 1, "race": 2}
    whole, _ = tiny_study(tmp_path / "whole", **options)
    run(whole, tmp_path / "whole", f"file://{tmp_path}/elsewhere")
    store = f"file://{tmp_path}/store"
    asked, _ = tiny_study(tmp_path / "s", storage=store, **options)
    lost, said = run(asked, tmp_path / "s", below(store, "s"), end=3)
    assert said == []
    shutil.rmtree(tmp_path / "s")
    again = make_study(resume=below(store, "s"), out=str(tmp_path / "new" / "s"))
    assert (again.out, again.storage) == (str(tmp_path / "new" / "s"), store)
    results = Results(tmp_path / "new" / "s")
    assert [row["status"] for row in results.trials] == ["finished"] * 3 + ["running"]
    source = phases(again, results)
    job = source.next()
    assert (job.name, job.known) == (lost.name, 0)  # the store has no row of it yet: all that it did are asked for
    play(source, job, h_of(job))
    run(again, tmp_path / "new" / "s", below(store, "s"))
    for name in ("trials", "race", "confirm"):
        assert getattr(Results(tmp_path / "new" / "s"), name) == getattr(Results(tmp_path / "whole"), name)


def test_a_store_without_a_study_and_a_folder_that_exists_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"resume must name a study, got file://.*/none"):
        make_study(resume=f"file://{tmp_path}/none")
    asked, _ = tiny_study(tmp_path / "runs" / "s", storage=f"file://{tmp_path}/store", trials=2)
    run(asked, tmp_path / "runs" / "s", f"file://{tmp_path}/store/s")
    with pytest.raises(ValueError, match=r"resume it: .*--resume .*/runs/s"):
        make_study(resume=f"file://{tmp_path}/store/s")
    with pytest.raises(ValueError, match="other options"):
        make_study(resume=f"file://{tmp_path}/store/s", out="new/s", budget="1N")
    assert not (tmp_path / "new" / "s").exists()


def test_a_store_that_is_out_of_reach_is_said_once_and_tried_again(tmp_path):
    (tmp_path / "store").write_text("a file in the way")
    asked, _ = tiny_study(tmp_path / "s", trials=2)
    _, said = run(asked, tmp_path / "s", f"file://{tmp_path}/store/s")
    assert len(said) == 1
    assert "could not reach" in said[0]


@pytest.fixture
def s3(monkeypatch):
    """The address of a folder in an S3 on this machine."""
    import socket

    from moto.server import ThreadedMotoServer

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    server = ThreadedMotoServer("127.0.0.1", port)
    server.start()
    yield f"s3://bucket/studies?endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1&allow_bucket_creation=true"
    server.stop()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("moto") is None, reason="needs the package moto")
def test_a_study_whose_machine_is_lost_goes_on_from_s3_alone(tmp_path, s3):
    out, new = tmp_path / "s", tmp_path / "new" / "s"
    flags = ("--budget", "2N", "--epochs", "2", "--train-images", "64", "--trials", "4", "--seeds", "1")
    with StudyProcess(*flags, "--storage", s3, "--out", str(out)) as process:
        process.wait_for(lambda: statuses(out).count("finished") >= 2)
        process.kill()
    shutil.rmtree(out)
    study.run(resume=below(s3, "s"), out=str(new), quiet=True)
    check_whole(new, 4)
    assert {row["h"] is None for row in Results(new).confirm} == {False}
    assert not (new / "checkpoints").exists()
