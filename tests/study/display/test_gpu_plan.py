"""What a study would take of GPUs that are not here."""

import pytest

from study.config.make_study import make_study
from study.display.gpu_plan import GPUS, Work, a100_hours, gpu_lines, memory_gb
from study.display.plan import plan_text
from trainables.config import make_method, with_recipe


def imagenet(**changes):
    return with_recipe(make_method("vanilla", {}), "imagenet", **changes)


def test_resnet50_takes_what_nvidia_published():
    """90 epochs of ImageNet at 2,470 images/s, which the same page gives as about 14 hours with reading of images."""
    assert a100_hours(Work(imagenet(epochs=90), 1, 90.0, 0)) == pytest.approx(12.9, abs=0.1)
    assert a100_hours(Work(imagenet(epochs=90), 2, 180.0, 2)) > 2 * 12.9


def test_small_and_unknown_data_have_no_lines_and_faster_gpus_take_fewer_hours():
    assert gpu_lines([Work(with_recipe(make_method("vanilla", {})), 8, 80.0, 0)]) == []
    assert gpu_lines([Work(with_recipe(make_method("vanilla", {}), "cifar10"), 1, 1.0, 0)]) == []
    assert GPUS["RTX 4090"].speed < GPUS["A100"].speed < GPUS["H100"].speed < GPUS["H200"].speed


def test_a_process_that_has_half_a_batch_keeps_half_as_much():
    whole, half = memory_gb(imagenet(precision="bf16")), memory_gb(imagenet(precision="bf16"), processes=2)
    assert whole - half == pytest.approx(256 * 43.3e-3 / 2)
    assert memory_gb(imagenet()) > whole


def test_the_plan_of_the_papers_imagenet_table_names_hours_memory_and_processes(monkeypatch, tmp_path):
    monkeypatch.setenv("ENTPROP_DATA", str(tmp_path))
    text = " ".join(plan_text(make_study(table="entprop/2", out=str(tmp_path / "s"))).split())
    assert "GPU-hours on A100 351, H100 214" in text
    assert "with --processes-per-trial 8, about 16 hours and 4.7 GB on each" in text
    assert "trials that fit on a GPU: A100 31" in " ".join(plan_text(make_study(table="entprop/16")).split())
