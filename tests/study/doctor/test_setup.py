"""The files that make an environment agree with each other, and the doctor names what is wrong and how to fix it."""

import os
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from study.doctor import __main__, findings

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()

# What conda-forge calls the packages of pyproject.toml.
CONDA_NAMES = {
    "torch": "pytorch",
    "torchvision": "torchvision",
    "ray[tune]": "ray-tune",
    "ray[default]": "ray-default",
    "optuna": "optuna",
    "optuna-dashboard": "optuna-dashboard",
    "matplotlib": "matplotlib-base",
    "scipy": "scipy",
    "scikit-learn": "scikit-learn",
    **{name: name for name in ("numpy", "pandas", "pyarrow", "pillow", "jinja2", "markupsafe")},
    "jupytext": "jupytext",
    "nbclient": "nbclient",
    "ipykernel": "ipykernel",
}


def dependencies(*extras):
    lines = PROJECT["dependencies"] + [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    return [Requirement(line) for line in lines]


# ---- environment.yml, lock, Makefile --------------------------------------------------------------------------------


def test_conda_environment_asks_for_the_same_versions():
    text = (ROOT / "environment.yml").read_text()
    listed = re.findall(r"^  - ([^\s:]+)$", text.partition("dependencies:")[2], flags=re.MULTILINE)
    expected = [f"{CONDA_NAMES[str(r).split('>=')[0]]}{r.specifier}" for r in dependencies("cluster", "notebooks")]
    python = ",".join(sorted(PROJECT["requires-python"].split(","), reverse=True))
    assert sorted(listed) == sorted([*expected, f"python{python}", "pip"])


def test_conda_environment_ends_with_the_project_in_editable_form():
    yaml = pytest.importorskip("yaml")
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    assert environment["dependencies"][-1] == {"pip": ["-e ."]}


@pytest.mark.parametrize("requirement", dependencies("cluster", "notebooks", "dev"), ids=str)
def test_lock_meets_the_bounds_of_the_project(requirement):
    versions = __main__.locked_versions(LOCK)[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(version) for version in versions)


def test_lock_pins_every_package_by_hash():
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) > 100
    assert [entry.splitlines()[0] for entry in entries if not re.match(r"\S+==\S+ .*\\\n +--hash=sha256:", entry)] == []


def test_lock_holds_no_address():
    unhashed = "\n".join(line for line in LOCK.splitlines() if not line.lstrip().startswith("--hash=sha256:"))
    assert re.findall(r"://|\bgit\+|\bfile:|--[a-z-]*index|--find-links|\w\.(?:com|org|net|io)\b", unhashed) == []


def test_lock_pins_the_installer_and_the_builder():
    assert {"uv", "setuptools"} <= set(__main__.locked_versions(LOCK))


def test_makefile_lists_every_target():
    targets = re.search(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.MULTILINE).group(1).split()
    listed = re.findall(r"^([a-z-]+):.* ## \S", MAKEFILE, flags=re.MULTILINE)
    assert sorted([*listed, "FORCE"]) == sorted(targets)


def test_make_alone_prints_its_targets(make):
    listed = re.findall(r"^make ([a-z-]+)", make().stdout, flags=re.MULTILINE)
    assert {"help", "env", "test", "check", "lint", "lock", "clean"} <= set(listed)


def test_floor_environment_takes_the_oldest_promised_versions():
    floors = dict(re.findall(r'"([a-z-]+)==([0-9.]+)\.\*"', MAKEFILE))
    bounds = __main__.lower_bounds((ROOT / "pyproject.toml").read_text())["core"]
    assert set(floors) == {"torch", "torchvision", "scipy", "scikit-learn"}
    assert floors == {name: bounds[name] for name in floors}


def test_continuous_integration_runs_make_test():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    assert script.read_text().splitlines()[-1] == "exec make test"


@pytest.fixture
def make(tmp_path):
    """Run make in a folder that holds the Makefile alone."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "PYTHON"}

    def run(*arguments, **variables):
        command = ["make", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=clean | variables, capture_output=True, text=True, check=False)

    return run


def fake_python(folder, body):
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("version", ["Python 3.10.4", "Python 3.15.0"])
def test_make_env_refuses_other_pythons_in_one_line(make, tmp_path, version):
    python = fake_python(tmp_path, f'[ "$1" = --version ] && echo {version} && exit 0; exit 1')
    done = make("env", PYTHON=python)
    assert done.returncode != 0
    expected = f"needs Python 3.11 to 3.14, got {version}; name one: PYTHON=python3.12 make env"
    assert done.stderr.splitlines()[0] == expected
    assert not (tmp_path / ".venv").exists()


def test_make_env_says_how_to_get_the_venv_module(make, tmp_path):
    done = make("env", PYTHON=fake_python(tmp_path, '[ "$1" = -c ]'))
    assert done.returncode != 0
    assert "sudo apt install python3-venv" in done.stderr


def settled(folder):
    """An environment that looks made for this folder."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    fake_python(folder / ".venv" / "bin", "exit 0")
    (folder / ".venv" / ".synced").write_text(f"{folder}\npython3\n")


def test_make_env_does_nothing_when_nothing_changed(make, tmp_path):
    settled(tmp_path)
    assert make("--question", "env").returncode == 0


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_make_env_updates_after_an_edit(make, tmp_path, name):
    settled(tmp_path)
    later = (tmp_path / ".venv" / ".synced").stat().st_mtime + 5
    os.utime(tmp_path / name, (later, later))
    assert make("--question", "env").returncode == 1


def test_make_env_starts_anew_for_a_copied_folder_or_another_python(make, tmp_path):
    settled(tmp_path)
    assert make("--question", "env", PYTHON="python3.12").returncode == 1
    (tmp_path / ".venv" / ".synced").write_text("/elsewhere\npython3\n")
    assert make("--question", "env").returncode == 1


# ---- the doctor -----------------------------------------------------------------------------------------------------

BOUNDS = {"torch": "2.11", "torchvision": "0.26"}
SMI = findings.Smi(0, "NVIDIA H200, 143771 MiB, 580.95.05\n")
OLD_SMI = findings.Smi(0, "NVIDIA A100, 81920 MiB, 550.54.15\n")


def torch_says(**fields):
    plain = findings.Torch(cuda="13.2", hip=None, devices=[], mps=False, failure="", warning="")
    return plain._replace(**fields)


def test_gpu_that_torch_sees_is_named_with_its_driver():
    found = findings.judge_gpu(torch_says(devices=["NVIDIA H200 140 GiB"]), SMI, None, BOUNDS)
    assert found == ("gpu", "ok", "NVIDIA H200 140 GiB; seen by torch (CUDA 13.2), driver 580.95.05", "")


def test_apple_gpu_is_named():
    assert findings.judge_gpu(torch_says(cuda=None, mps=True), None, None, BOUNDS).state == "ok"


@pytest.mark.parametrize(
    ("torch", "smi", "visible", "text"),
    [
        (torch_says(), None, None, "none: training runs on the CPU"),
        (torch_says(), SMI, "", "hidden by CUDA_VISIBLE_DEVICES=''"),
        (torch_says(), SMI, "-1", "hidden by CUDA_VISIBLE_DEVICES='-1'"),
        (None, SMI, None, "torch cannot be imported"),
    ],
)
def test_gpu_that_is_absent_or_hidden_is_only_a_note(torch, smi, visible, text):
    found = findings.judge_gpu(torch, smi, visible, BOUNDS)
    assert found.state == "note"
    assert text in found.text


@pytest.mark.parametrize(
    ("torch", "smi", "visible", "text", "fix"),
    [
        (torch_says(), OLD_SMI, None, "the driver is too old for its CUDA 13.2", "update the driver to 580 or newer"),
        (torch_says(), OLD_SMI, "0", "the driver is too old", "--torch-backend auto"),
        (torch_says(cuda=None), SMI, None, "torch is a build without CUDA", "--torch-backend auto"),
        (torch_says(), findings.Smi(9, "Failed to initialize NVML\nmore"), None, "nvidia-smi fails: Failed", "restart"),
        (torch_says(), findings.Smi(0, ""), None, "nvidia-smi fails: exit 0", "restart"),
        (torch_says(warning="CUDA unknown error"), SMI, None, "CUDA unknown error", "--gpus all"),
        (torch_says(), SMI, "7", "torch gives no reason (CUDA_VISIBLE_DEVICES=7)", "--gpus all"),
        (
            torch_says(devices=["GTX 1080"], failure="no kernel image"),
            SMI,
            None,
            "cannot compute: no kernel",
            "too old",
        ),
    ],
)
def test_gpu_that_does_not_work_is_a_problem_with_its_cause(torch, smi, visible, text, fix):
    found = findings.judge_gpu(torch, smi, visible, BOUNDS)
    assert found.state == "problem"
    assert text in found.text
    assert fix in found.fix


@pytest.mark.parametrize(
    ("found", "state", "text"),
    [
        (findings.judge_python((3, 12, 1), "python"), "ok", "3.12.1"),
        (findings.judge_python((3, 15, 0), "python"), "problem", "must be 3.11 to 3.14"),
        (findings.judge_package("torch", "2.11", "2.11.0+cu130", needed=True), "ok", "2.11.0+cu130"),
        (findings.judge_package("torch", "2.11", "2.9.1", needed=True), "problem", "must be 2.11 or newer"),
        (findings.judge_package("ray", "2.60", None, needed=True), "problem", "not installed"),
        (findings.judge_package("ruff", "0.17", None, needed=False), "note", "not installed"),
        (findings.judge_lock({"a": {"1"}, "b": {"1", "2"}}, {"a": "1", "b": "2", "c": "3"}), "ok", "2 packages"),
        (findings.judge_lock({"a": {"1"}, "b": {"1"}}, {"a": "2", "b": "1"}), "note", "1 of 2 packages"),
        (findings.judge_import("ray.tune", ""), "ok", "works"),
        (findings.judge_import("ray.tune", "ImportError: no"), "problem", "ImportError: no"),
        (findings.judge_project("/a", Path("/b")), "problem", "installed from /a, must be /b"),
        (findings.judge_project("", Path("/b")), "problem", "not installed"),
        (findings.judge_cpus(8, None), "ok", "8 cores"),
        (findings.judge_cpus(8, 1.5), "note", "this container may use 1.5"),
        (findings.judge_memory(4 * findings.GIB, 8 * findings.GIB), "ok", "4.0 of 8.0 GiB"),
        (findings.judge_memory(findings.GIB, 8 * findings.GIB), "problem", "must be 2 GiB or more"),
        (findings.judge_memory(None, None), "note", "unknown"),
        (findings.judge_disk("disk", Path("/a"), 50 * findings.GIB, True), "ok", "50 GiB free"),
        (findings.judge_disk("disk", Path("/a"), 5 * findings.GIB, True), "note", "enough for the embedded data"),
        (findings.judge_disk("disk", Path("/a"), 10**6, True), "problem", "must be 1 GiB or more"),
        (findings.judge_disk("disk", Path("/a"), 50 * findings.GIB, False), "problem", "not writable"),
        (findings.judge_shared_memory(8 * findings.GIB), "ok", "8 GiB"),
        (findings.judge_shared_memory(64 * 2**20), "note", "Ray will use the disk"),
        (findings.judge_shared_memory(None), "ok", "no /dev/shm"),
        (findings.judge_open_files(1024, 1048576), "ok", "1024"),
        (findings.judge_open_files(256, -1), "ok", "unlimited"),
        (findings.judge_open_files(1024, 1024), "problem", "must be 4096 or more"),
    ],
)
def test_findings(found, state, text):
    assert found.state == state
    assert text in found.text
    assert bool(found.fix) or state != "problem"


def test_report_ends_with_ok_when_there_are_only_notes():
    text, status = findings.report([findings.Finding("gpu", "note", "none"), findings.Finding("cpu", "ok", "2 cores")])
    assert (text.splitlines(), status) == (["- gpu  none", "  cpu  2 cores", "ok"], 0)


@pytest.mark.parametrize(("count", "verdict"), [(1, "1 problem"), (2, "2 problems")])
def test_report_ends_with_the_number_of_problems(count, verdict):
    text, status = findings.report([findings.Finding("ray", "problem", "missing", "make env")] * count)
    assert text.splitlines()[-2:] == ["       -> make env", verdict]
    assert status == 1


def test_import_that_kills_the_process_is_named():
    failures, torch = __main__.read_imports('{"name": "torch", "failure": ""}\nnoise\n', -4)
    assert failures["torch"] == ""
    assert failures["torchvision"] == "crashes: Illegal instruction"
    assert findings.judge_import("optuna", failures["optuna"]).state == "note"
    assert torch is None


def test_import_that_hangs_is_named():
    assert __main__.read_imports("", None)[0]["torch"].startswith("hangs")


def test_examination_speaks_when_nothing_can_be_imported(monkeypatch):
    failures = dict.fromkeys(__main__.IMPORTS, "ImportError: broken")
    monkeypatch.setattr(__main__, "look_at_imports", lambda: (failures, None))
    text, status = findings.report(__main__.examine())
    assert status == 1
    assert "! import torch" in text
    assert "not checked: torch cannot be imported" in text


def test_packages_of_the_lock_are_read_with_all_their_versions():
    lock = "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:0\nnumpy==2.5.5 \\\nRay_x==1\n# a==1\n"
    assert __main__.locked_versions(lock) == {"numpy": {"2.4.6", "2.5.5"}, "ray-x": {"1"}}


def test_dependency_without_a_lower_bound_is_refused():
    with pytest.raises(ValueError, match="must read name>=version, got 'torch'"):
        __main__.lower_bounds('[project]\ndependencies = ["torch"]\noptional-dependencies = {}')


@pytest.mark.slow
def test_doctor_finds_this_environment_sound():
    findings = {finding.name: finding for finding in __main__.examine()}
    machine = {"gpu", "memory", "disk, studies", "disk, data", "open files"}
    assert [finding for name, finding in findings.items() if finding.state == "problem" and name not in machine] == []
