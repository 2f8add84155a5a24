"""Judge what was found on this machine: plain values in, findings with a fix out."""

import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from study.files.aligned import aligned

GIB = 2**30
ROOT = Path(__file__).resolve().parents[2]
MAKE = shlex.join(["make", "-C", str(ROOT)])
REINSTALL = f"{MAKE} clean && {MAKE} env (with conda: conda env update -f {shlex.quote(str(ROOT / 'environment.yml'))})"
MATCHING_WHEEL = (
    shlex.quote(sys.executable) + ' -m uv pip install --reinstall --torch-backend auto "torch>={0}" "torchvision>={1}"'
)
# The oldest NVIDIA driver that runs what was built with a CUDA of this major version.
OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}
NOT_TRIED = "not tried: an earlier import ended the process"


class Finding(NamedTuple):
    """The result of one check, and what to do about it; only a problem makes the doctor fail."""

    name: str
    state: Literal["ok", "note", "problem"]
    text: str
    fix: str = ""


class Torch(NamedTuple):
    """What torch reports about its build and the accelerators."""

    cuda: str | None  # the CUDA of the build, None for a CPU build
    hip: str | None
    devices: list[str]
    mps: bool
    failure: str  # of a first small computation on device 0; empty if it succeeded
    warning: str  # of torch's search for devices


class Smi(NamedTuple):
    """One run of nvidia-smi."""

    code: int
    output: str


def judge_python(version: tuple[int, ...], executable: str) -> Finding:
    """Python must be a supported version."""
    text = f"{'.'.join(map(str, version[:3]))}, {executable}"
    if (3, 11) <= version[:2] <= (3, 14):
        return Finding("python", "ok", text)
    return Finding("python", "problem", f"{text}: must be 3.11 to 3.14", f"PYTHON=python3.12 {MAKE} env")


def judge_package(name: str, bound: str, installed: str | None, needed: bool) -> Finding:
    """An installed version must meet its lower bound; a missing development tool is only a note."""
    if installed is None:
        return Finding(name, "problem" if needed else "note", f"not installed, must be {bound} or newer", REINSTALL)
    if _release(installed) < _release(bound):
        return Finding(name, "problem", f"{installed}: must be {bound} or newer", REINSTALL)
    return Finding(name, "ok", installed)


def judge_lock(locked: Mapping[str, set[str]], installed: Mapping[str, str]) -> Finding:
    """Versions other than the locked ones can be intended (conda, another torch build): a note."""
    both = sorted(set(locked) & set(installed))
    other = [f"{name} {installed[name]}" for name in both if installed[name] not in locked[name]]
    if not other:
        return Finding("lock", "ok", f"{len(both)} packages, all as locked")
    some = ", ".join(other[:3]) + (", …" if len(other) > 3 else "")
    text = f"{len(other)} of {len(both)} packages differ from the lock: {some}"
    return Finding("lock", "note", text, f"if that was not intended: {REINSTALL}")


def judge_import(name: str, failure: str) -> Finding:
    """A package must also import: only that shows mismatched wheels, missing libraries and too old processors."""
    if failure and failure != NOT_TRIED:
        return Finding(f"import {name}", "problem", failure, REINSTALL)
    return Finding(f"import {name}", "note" if failure else "ok", failure or "works")


def judge_project(imported_from: str, root: Path) -> Finding:
    """The installed project must be this folder, not another copy of it."""
    if imported_from and Path(imported_from).resolve() == root:
        return Finding("project", "ok", f"installed from {root}")
    where = f"installed from {imported_from}" if imported_from else "not installed"
    return Finding("project", "problem", f"{where}, must be {root}", REINSTALL)


def judge_gpu(torch: Torch | None, smi: Smi | None, visible: str | None, bounds: Mapping[str, str]) -> Finding:
    """A missing accelerator is a note; one that does not work is a problem, with its likely cause."""
    if torch is None:
        return Finding("gpu", "note", "not checked: torch cannot be imported")
    wheel = MATCHING_WHEEL.format(bounds["torch"], bounds["torchvision"])
    if torch.devices:
        build = f"ROCm {torch.hip}" if torch.hip else f"CUDA {torch.cuda}"
        driver = f", driver {_driver(smi)}" if _driver(smi) else ""
        seen = f"{', '.join(torch.devices)}; seen by torch ({build}){driver}"
        if not torch.failure:
            return Finding("gpu", "ok", seen)
        fix = f"if the GPU is too old for this build: {wheel}"
        return Finding("gpu", "problem", f"{seen}, but cannot compute: {torch.failure}", fix)
    if torch.mps:
        return Finding("gpu", "ok", "Apple GPU, seen by torch (MPS)")
    if smi is None:
        return Finding("gpu", "note", "none: training runs on the CPU")
    return _unseen_gpu(torch, smi, visible, wheel)


def _unseen_gpu(torch: Torch, smi: Smi, visible: str | None, wheel: str) -> Finding:
    """Why torch sees no GPU although nvidia-smi is installed."""
    if smi.code != 0 or not smi.output.strip():
        text = f"nvidia-smi fails: {first_line(smi.output) or f'exit {smi.code}'}"
        return Finding("gpu", "problem", text, "restart after a driver update; else reinstall the NVIDIA driver")
    gpus = first_line(smi.output)
    if visible is not None and visible.strip() in ("", "-1"):
        text = f"{gpus}: hidden by CUDA_VISIBLE_DEVICES={visible!r}"
        return Finding("gpu", "note", text, "unset CUDA_VISIBLE_DEVICES to train on it")
    if torch.cuda is None:
        return Finding("gpu", "problem", f"{gpus}: torch is a build without CUDA", wheel)
    driver = _driver(smi)
    oldest = OLDEST_DRIVER.get(_release(torch.cuda)[0])
    if driver and oldest and _release(driver)[0] < oldest:
        text = f"{gpus}: torch does not see it, the driver is too old for its CUDA {torch.cuda}"
        return Finding("gpu", "problem", text, f"update the driver to {oldest} or newer; or, for this driver: {wheel}")
    reason = first_line(torch.warning) or "torch gives no reason"
    if visible is not None:
        reason += f" (CUDA_VISIBLE_DEVICES={visible})"
    fix = "in a container, start it with --gpus all; else restart the machine"
    return Finding("gpu", "problem", f"{gpus}: torch does not see it: {reason}", fix)


def judge_cpus(usable: int, quota: float | None) -> Finding:
    """A container's quota below the visible cores slows every thread pool down."""
    if quota is not None and quota < usable:
        text = f"{usable} visible, but this container may use {quota:g}"
        return Finding("cpu", "note", text, f"limit a study's workers to {max(1, int(quota))}")
    return Finding("cpu", "ok", f"{usable} cores")


def judge_memory(available: int | None, total: int | None) -> Finding:
    """One worker of a study needs about 1 GiB."""
    if available is None or total is None:
        return Finding("memory", "note", "unknown on this system")
    text = f"{available / GIB:.1f} of {total / GIB:.1f} GiB available"
    if available < 2 * GIB:
        return Finding("memory", "problem", f"{text}, must be 2 GiB or more", "close other programs")
    return Finding("memory", "ok", text)


def judge_disk(name: str, folder: Path, free: int, writable: bool) -> Finding:
    """A folder must be writable; little space is enough for the embedded data only."""
    text = f"{free / GIB:.0f} GiB free in {folder}"
    if not writable:
        chown = f"sudo chown $USER {shlex.quote(str(folder))}"
        return Finding(name, "problem", f"{folder} is not writable", f"chown it: {chown}")
    if free < GIB:
        return Finding(name, "problem", f"{text}, must be 1 GiB or more", "free some space")
    if free < 10 * GIB:
        return Finding(name, "note", f"{text}: enough for the embedded data", "CIFAR with its checkpoints needs 10 GiB")
    return Finding(name, "ok", text)


def judge_shared_memory(size: int | None) -> Finding:
    """Ray keeps its objects in /dev/shm, or on the slower disk if that is small."""
    if size is None:
        return Finding("shared memory", "ok", "no /dev/shm on this system")
    text = f"{size / GIB:.2g} GiB in /dev/shm"
    if size < GIB:
        return Finding("shared memory", "note", f"{text}: Ray will use the disk", "in a container: --shm-size=2g")
    return Finding("shared memory", "ok", text)


def judge_open_files(soft: int, hard: int) -> Finding:
    """Ray opens thousands of files and sockets, and raises the soft limit to the hard one."""
    limit = "unlimited" if hard < 0 or hard > 2**62 else str(hard)
    text = f"{soft}, can be raised to {limit}"
    if limit != "unlimited" and hard < 4096:
        return Finding("open files", "problem", f"{text}, must be 4096 or more", "sudo prlimit --pid $$ --nofile=65536")
    return Finding("open files", "ok", text)


def report(findings: Iterable[Finding]) -> tuple[str, int]:
    """The text to print and the exit status."""
    findings = list(findings)
    mark = {"ok": " ", "note": "-", "problem": "!"}
    rows = []
    for finding in findings:
        rows.append((f"{mark[finding.state]} {finding.name}", finding.text))
        rows += [("", f"-> {finding.fix}")] if finding.fix else []
    problems = sum(finding.state == "problem" for finding in findings)
    verdict = f"{problems} problem{'s' if problems > 1 else ''}" if problems else "ok"
    return f"{aligned(rows)}\n{verdict}", int(problems > 0)


def _release(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", version)
    if match is None:
        raise ValueError(f"a version must begin with a number, got {version!r}")
    return tuple(int(part) for part in match.group().split("."))


def first_line(text: str) -> str:
    return text.strip().splitlines()[0].strip() if text.strip() else ""


def _driver(smi: Smi | None) -> str:
    found = re.search(r"\b\d{3,}\.\d+(\.\d+)?", smi.output) if smi and smi.code == 0 else None
    return found.group() if found else ""
