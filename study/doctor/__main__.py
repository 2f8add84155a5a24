"""Check the installation and the machine, and print a fix for each problem: `python -m study.doctor`.

Takes about ten seconds and ends with `ok` (exit 0) or `N problems` (exit 1). It needs only the standard library: torch
and Ray are imported in another process, which may crash.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
import warnings
from pathlib import Path

from study.doctor import findings
from study.doctor.findings import GIB, Finding, Smi, Torch
from trainables.disk import cache_folder

ROOT = Path(__file__).resolve().parents[2]
IMPORTS = ("torch", "torchvision", "ray.tune", "optuna", "matplotlib.pyplot", "scipy.stats", "sklearn.datasets")


def lower_bounds(pyproject: str) -> dict[str, dict[str, str]]:
    """The lower bound of each package by name, for `core` and for each extra."""
    project = tomllib.loads(pyproject)["project"]
    groups = {"core": project["dependencies"], **project["optional-dependencies"]}
    return {group: dict(_requirement(line) for line in lines) for group, lines in groups.items()}


def locked_versions(lock: str) -> dict[str, set[str]]:
    """The pinned versions of each package by name; several if they depend on the Python version."""
    locked: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE):
        locked.setdefault(_plain(name), set()).add(version)
    return locked


def _requirement(line: str) -> tuple[str, str]:
    match = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*>=\s*([0-9.]+)", line)
    if match is None:
        raise ValueError(f"a dependency must read name>=version, got {line!r}")
    return _plain(match.group(1)), match.group(2)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def look_at_imports() -> tuple[dict[str, str], Torch | None]:
    """Why each of IMPORTS fails (empty if it works), and what torch reports; imported in a separate process."""
    command = [sys.executable, "-c", "from study.doctor.__main__ import import_all; import_all()"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        return read_imports(done.stdout, done.returncode)
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        return read_imports(output if isinstance(output, str) else output.decode(), None)


def read_imports(output: str, code: int | None) -> tuple[dict[str, str], Torch | None]:
    """What the process reported before it ended with this exit code, None after a timeout."""
    reports = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    failures = {report["name"]: report["failure"] for report in reports if "name" in report}
    torch = next((Torch(**report) for report in reports if "cuda" in report), None)
    missing = [name for name in IMPORTS if name not in failures]
    if missing:
        failures[missing[0]] = _ending(code)
        failures |= dict.fromkeys(missing[1:], findings.NOT_TRIED)
    return failures, torch


def _ending(code: int | None) -> str:
    if code is None:
        return "hangs: no answer in 300 s"
    return f"crashes: {signal.strsignal(-code) or code}" if code < 0 else f"ends Python with exit {code}"


def import_all() -> None:
    for name in IMPORTS:
        failure = ""
        try:
            importlib.import_module(name)
        except Exception as error:  # a broken package may raise anything
            failure = f"{type(error).__name__}: {findings.first_line(str(error))}"
        print(json.dumps({"name": name, "failure": failure}), flush=True)
    if "torch" in sys.modules:
        print(json.dumps(_describe_torch()._asdict()), flush=True)


def _describe_torch() -> Torch:
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    devices = [torch.cuda.get_device_properties(index) for index in range(count)]
    failure = ""
    try:
        if devices:
            torch.ones(64, 64, device="cuda").matmul(torch.ones(64, 64, device="cuda")).sum().item()
    except RuntimeError as error:
        failure = findings.first_line(str(error))
    return Torch(
        cuda=torch.version.cuda,
        hip=torch.version.hip,
        devices=[f"{device.name} {device.total_memory / GIB:.0f} GiB" for device in devices],
        mps=torch.backends.mps.is_available(),
        failure=failure,
        warning=" ".join(str(entry.message) for entry in caught),
    )


def look_at_smi() -> Smi | None:
    """The output of nvidia-smi, None if it is not installed."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        return None
    except (OSError, subprocess.TimeoutExpired) as error:
        return Smi(1, str(error))
    return Smi(done.returncode, done.stdout or done.stderr)


def look_at_project() -> str:
    """The folder from which a script elsewhere imports the project; empty if it cannot."""
    code = "import pathlib, study; print(pathlib.Path(study.__file__).resolve().parents[1])"
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run([sys.executable, "-c", code], cwd=elsewhere, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def look_at_memory() -> tuple[int | None, int | None]:
    """Available and total memory in bytes, within the limit of a container."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    except OSError:
        return None, None
    available, total = (int(lines[key].split()[0]) * 1024 for key in ("MemAvailable", "MemTotal"))
    limit, used = _cgroup("memory.max"), _cgroup("memory.current")
    if limit.isdigit() and used.isdigit():
        return min(available, int(limit) - int(used)), min(total, int(limit))
    return available, total


def look_at_cpus() -> tuple[int, float | None]:
    """The cores that this process may use, and the quota of its container in cores, if there is one."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _cgroup("cpu.max").partition(" ")
    return usable, int(quota) / int(period) if quota.isdigit() else None


def _cgroup(name: str) -> str:
    path = Path("/sys/fs/cgroup") / name
    return path.read_text().strip() if path.is_file() else ""


def look_at_disk(name: str, folder: Path) -> Finding:
    """The finding for a folder, or for its nearest parent that exists."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return findings.judge_disk(name, folder, shutil.disk_usage(there).free, os.access(there, os.W_OK))


def examine() -> list[Finding]:
    """All findings about this installation and this machine."""
    import resource  # not on Windows

    failures, torch = look_at_imports()
    bounds = lower_bounds((ROOT / "pyproject.toml").read_text())
    installed = {_plain(dist.name): dist.version for dist in importlib.metadata.distributions()}
    needed = {**bounds["core"], **bounds["cluster"], **bounds["notebooks"]}
    tools = [findings.judge_package(name, bound, installed.get(name), False) for name, bound in bounds["dev"].items()]
    shm = Path("/dev/shm")
    return [
        findings.judge_python(sys.version_info[:3], sys.executable),
        Finding("platform", "ok", platform.platform()),
        findings.judge_project(look_at_project(), ROOT),
        *(findings.judge_package(name, bound, installed.get(name), True) for name, bound in needed.items()),
        *([tool for tool in tools if tool.state != "ok"] or [Finding("tools", "ok", ", ".join(bounds["dev"]))]),
        findings.judge_lock(locked_versions((ROOT / "requirements.lock").read_text()), installed),
        *(findings.judge_import(name, failure) for name, failure in failures.items()),
        findings.judge_gpu(torch, look_at_smi(), os.environ.get("CUDA_VISIBLE_DEVICES"), bounds["core"]),
        findings.judge_cpus(*look_at_cpus()),
        findings.judge_memory(*look_at_memory()),
        look_at_disk("disk, studies", ROOT / "runs"),
        look_at_disk("disk, data", Path(os.environ.get("ENTPROP_DATA") or cache_folder())),
        findings.judge_shared_memory(shutil.disk_usage(shm).free if shm.is_dir() else None),
        findings.judge_open_files(*resource.getrlimit(resource.RLIMIT_NOFILE)),
    ]


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m study.doctor", description=__doc__).parse_args()
    text, status = findings.report(examine())
    print(text)
    sys.exit(status)
