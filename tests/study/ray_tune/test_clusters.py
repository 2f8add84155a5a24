"""The templates for clusters: each is what its reader accepts, asks for a token and keeps a study where all see it."""

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).parents[3]
CLUSTERS = ROOT / "study" / "clusters"
SCRIPTS = sorted(CLUSTERS.glob("*.sh"))
GUIDE = (ROOT / "docs" / "cluster.md").read_text()


def read(name):
    return yaml.safe_load((CLUSTERS / name).read_text())


def test_each_template_has_its_place_in_the_guide():
    named = {path.name for path in CLUSTERS.iterdir() if f"study/clusters/{path.name}" in GUIDE}
    assert named == {path.name for path in CLUSTERS.iterdir()} - {"start_or_resume.sh"}


# ------------------------------------------------------------------------------------------------------- ray up


def test_ray_up_accepts_its_file():
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(read("ray-up.yaml"))
    validate_config(config)
    assert config["available_node_types"]
    with pytest.raises(jsonschema.ValidationError, match="'colour' was unexpected"):
        validate_config({**config, "colour": "red"})


def test_ray_up_turns_the_token_on_everywhere_and_shows_the_dashboard_to_nobody():
    config = read("ray-up.yaml")
    starts = [
        line for name in ("head", "worker") for line in config[f"{name}_start_ray_commands"] if "ray start" in line
    ]
    assert len(starts) == 2
    assert all(line.startswith("RAY_AUTH_MODE=token ") for line in starts)
    assert "--dashboard-host=127.0.0.1" in starts[0]
    assert config["file_mounts"] == {"~/.ray/auth_token": "~/.ray/auth_token"}
    assert "chmod 600 ~/.ray/auth_token" in config["setup_commands"]


# ------------------------------------------------------------------------------------------------------ KubeRay

# Of the fields of KubeRay's definition of a RayJob (v1), those that a study needs, with their types.
RAYJOB = {
    "entrypoint": str, "submissionMode": str, "backoffLimit": int, "shutdownAfterJobFinishes": bool,
    "ttlSecondsAfterFinished": int, "rayClusterSpec": dict,
}  # fmt: skip
CLUSTER = {"rayVersion": str, "authOptions": dict, "headGroupSpec": dict, "workerGroupSpecs": list}
HEAD = {"rayStartParams": dict, "template": dict}
WORKERS = {**HEAD, "groupName": str, "replicas": int, "minReplicas": int, "maxReplicas": int}


def check(found, fields):
    assert {name: type(value) for name, value in found.items()} == fields


def test_the_rayjob_has_the_fields_of_its_definition():
    job = read("kuberay-rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert set(job) == {"apiVersion", "kind", "metadata", "spec"}
    check(job["spec"], RAYJOB)
    cluster = job["spec"]["rayClusterSpec"]
    check(cluster, CLUSTER)
    check(cluster["headGroupSpec"], HEAD)
    for group in cluster["workerGroupSpecs"]:
        check(group, WORKERS)
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())  # numbers are refused


def test_the_rayjob_asks_for_a_token_and_keeps_the_study_on_a_claim():
    spec = read("kuberay-rayjob.yaml")["spec"]
    cluster = spec["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert tuple(map(int, cluster["rayVersion"].split("."))) >= (2, 52, 0)  # the first with a token
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        claims = {volume["name"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == claims
            assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/shared"}
    assert spec["entrypoint"].startswith("env -C /shared/entprop bash study/clusters/start_or_resume.sh ")
    assert spec["shutdownAfterJobFinishes"]
    assert spec["backoffLimit"] > 0


# ------------------------------------------------------------------------------------------------------ scripts


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.name for path in SCRIPTS])
def test_a_script_is_whole_and_stops_at_its_first_error(path):
    subprocess.run(["bash", "-n", path], check=True)
    assert "\nset -euo pipefail\n" in path.read_text()
    assert os.access(path, os.X_OK)


@pytest.fixture
def place(tmp_path):
    """A copy of the project's folder in which the outer programs only note how they were called."""
    shutil.copytree(CLUSTERS, tmp_path / "study" / "clusters")
    (tmp_path / "bin").mkdir()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(shutil.which("python3"))
    note = '#!/usr/bin/env bash\nprintf "%s\\n" "$@" >"{to}"\nenv >"{to}.env"\n'
    scripts = {
        "bin/srun": '#!/usr/bin/env bash\nls -l "$RAY_AUTH_TOKEN_PATH" >token.txt\nshift\nexec "$@"\n',
        "bin/scontrol": "#!/usr/bin/env bash\nprintf 'node1\\nnode2\\n'\n",
        ".venv/bin/ray": note.format(to=tmp_path / "ray.txt"),
        "python": note.format(to=tmp_path / "python.txt"),
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def call(place, script, *words, **environment):
    base = {"PATH": f"{place / 'bin'}:{os.environ['PATH']}", "HOME": str(place)}
    command = ["bash", f"study/clusters/{script}", *words]
    return subprocess.run(
        command, cwd=place, env={**base, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def test_slurm_starts_a_cluster_of_its_own_with_a_token_that_only_its_owner_reads(place):
    job = {
        "SLURM_SUBMIT_DIR": str(place),
        "SLURM_JOB_ID": "31",
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
    }
    done = call(place, "slurm.sh", "--budget", "4N", OUT="runs/a b", **job)
    assert done.returncode == 0, done.stderr
    words = (place / "ray.txt").read_text().splitlines()
    assert words[:5] == ["symmetric-run", "--address", "node1:20031", "--min-nodes", "2"]
    command = ["env", "RAY_ADDRESS=node1:20031", "bash", "study/clusters/start_or_resume.sh", "runs/a b"]
    assert words[5:] == ["--", *command, "--budget", "4N"]
    assert "RAY_AUTH_MODE=token\n" in (place / "ray.txt.env").read_text()
    assert (place / "token.txt").read_text().startswith("-rw------- ")
    assert list((place / ".ray").iterdir()) == []  # it ends with the job


def test_submitting_sends_the_code_without_what_is_large_and_needs_the_token(place):
    refused = call(place, "submit.sh", "first", "--budget", "4N", STORAGE="/shared")
    assert refused.returncode == 2
    assert "token must be in" in refused.stderr
    (place / ".ray").mkdir()
    (place / ".ray" / "auth_token").write_text("word")
    done = call(place, "submit.sh", "first", "--budget", "4N", STORAGE="/shared")
    assert done.returncode == 0, done.stderr
    words = (place / "ray.txt").read_text().splitlines()
    assert words[:2] == ["job", "submit"]
    assert words[words.index("--") + 1 :] == [
        "bash",
        "study/clusters/start_or_resume.sh",
        "/shared/first",
        "--budget",
        "4N",
    ]
    assert json.loads(words[words.index("--runtime-env-json") + 1])["excludes"] == [".venv", ".git", "runs"]
    assert json.loads(words[words.index("--metadata-json") + 1]) == {"job_name": "first"}
    assert "RAY_AUTH_MODE=token\n" in (place / "ray.txt.env").read_text()


def test_what_a_scheduler_starts_again_goes_on(place):
    python = {"PYTHON": str(place / "python")}
    assert call(place, "start_or_resume.sh", "runs/x", "--budget", "4N", **python).returncode == 0
    assert (place / "python.txt").read_text().splitlines() == ["study/run.py", "--out", "runs/x", "--budget", "4N"]
    (place / "runs" / "x").mkdir(parents=True)
    (place / "runs" / "x" / "study.json").write_text("{}")
    assert call(place, "start_or_resume.sh", "runs/x", "--budget", "4N", **python).returncode == 0
    assert (place / "python.txt").read_text().splitlines() == ["study/run.py", "--resume", "runs/x"]


def test_the_scripts_are_executable_for_all():
    assert all(path.stat().st_mode & stat.S_IXOTH for path in SCRIPTS)
