"""How many trials share a device: real processes that train, on the CPU here; NVIDIA's service is stood in for."""

import dataclasses
import os
import stat

import pytest

from study.config.make_study import make_study
from study.workers import gpu_sharing
from study.workers.gpu_sharing import Tried, best_number, heaviest, packing_text, sharing_service, try_out
from tests.support.study_helpers import tiny_study
from trainables.config import with_recipe
from trainables.methods.vanilla import Vanilla
from trainables.training.loop import load_splits

SMALL = with_recipe(Vanilla(), train_images=64, batch_size=32)


def test_processes_train_side_by_side_until_more_bring_nothing():
    tried = try_out(SMALL, load_splits(SMALL), "cpu", most=2, seconds=0.2)
    assert [each.trials for each in tried] == [1, 2]
    assert all(each.images_per_s > 0 for each in tried)
    assert f"{best_number(tried)} share a GPU" in packing_text(tried)


def test_a_trial_that_does_not_run_alone_is_wrong_input():
    broken = dataclasses.replace(SMALL, batch_size=65)
    with pytest.raises(ValueError, match="a trial must run on the device cpu, but ValueError: batch_size must be at"):
        try_out(broken, load_splits(SMALL), "cpu", most=4)


@pytest.mark.parametrize(
    ("rates", "best"),
    [([100], 1), ([100, 190, 350, 380], 8), ([100, 190, 360, 370], 4), ([100, 60], 1), ([100, 104], 1)],
)
def test_the_smallest_number_within_a_twentieth_of_the_most_is_taken(rates, best):
    assert best_number([Tried(2**index, rate, 1.0) for index, rate in enumerate(rates)]) == best


def test_no_more_are_tried_than_fit_into_memory_or_bring_something(monkeypatch):
    def tries(rates, gigabytes, total=10.0, most=64):
        asked = []

        def together(count, *others):
            asked.append(count)
            return Tried(count, rates[len(asked) - 1], gigabytes)

        monkeypatch.setattr(gpu_sharing, "together", together)
        monkeypatch.setattr(gpu_sharing.torch.cuda, "mem_get_info", lambda: (0, total * 1e9))
        try_out(SMALL, load_splits(SMALL), "cuda", most)
        return asked

    rising = [100, 190, 370, 700, 1300, 2500, 5000]
    assert tries(rising, 1.0) == [1, 2, 4, 8]  # 16 GB of 10 do not fit
    assert tries(rising, 0.1) == [1, 2, 4, 8, 16, 32, 64]
    assert tries(rising, 0.1, most=6) == [1, 2, 4]
    assert tries([100, 180, 190, 0], 0.1) == [1, 2, 4]


def test_the_dearest_setting_is_tried():
    assert heaviest(make_study(budget="4N"), []).method.cost == 4
    assert heaviest(make_study(budget="2N", methods="vanilla,mixprop"), []).method.cost <= 2


def test_auto_is_a_number_of_trials_that_may_change_when_a_study_goes_on(tmp_path):
    assert make_study(budget="4N", trials_per_gpu="auto").trials_per_gpu is None
    with pytest.raises(ValueError, match="--gpus-per-trial and --trials-per-gpu can be set, got 1 and auto"):
        make_study(budget="4N", trials_per_gpu="auto", gpus_per_trial="1")
    _, results = tiny_study(tmp_path / "s")
    assert make_study(resume=str(results.folder), trials_per_gpu="auto").trials_per_gpu is None


SERVICE = """#!/bin/sh
echo "$@ $(test "$1" = -d || cat) $CUDA_MPS_PIPE_DIRECTORY" >> {log}
exit {code}
"""


@pytest.fixture
def service(tmp_path, monkeypatch):
    """A stand-in that writes down how it was called."""
    log = tmp_path / "log"

    def install(code):
        program = tmp_path / gpu_sharing.SERVICE
        program.write_text(SERVICE.format(log=log, code=code))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.delenv("CUDA_MPS_PIPE_DIRECTORY", raising=False)
        return log

    return install


def test_the_service_of_several_processes_begins_and_ends_with_the_study(service):
    log = service(0)
    with sharing_service(True) as there:
        assert there
        folder = os.environ["CUDA_MPS_PIPE_DIRECTORY"]
        assert os.path.isdir(folder)
    assert [line.split() for line in log.read_text().splitlines()] == [["-d", folder], ["quit", folder]]
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    assert not os.path.exists(folder)


def test_a_service_that_does_not_start_is_done_without(service):
    log = service(1)
    with sharing_service(True) as there:
        assert not there
        assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    assert len(log.read_text().splitlines()) == 1


def test_a_service_that_is_not_wanted_or_runs_already_is_left_alone(service, monkeypatch):
    log = service(0)
    with sharing_service(False) as there:
        assert not there
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", "/theirs")
    with sharing_service(True) as there:
        assert there
    assert os.environ["CUDA_MPS_PIPE_DIRECTORY"] == "/theirs"
    assert not log.exists()
