"""What comes from others can be wrong, but it cannot run code, leave its folder or learn a secret."""

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from packaging.version import Version

from study.config.make_study import make_study
from study.config.study_config import Study
from study.display.show import list_studies, show_study
from study.files.results import Results
from study.files.study_json import study_record
from study.search.search import Search
from tests.support.bad_files import Malicious
from tests.support.study_helpers import tiny_study
from trainables.training.state import read_checkpoint

ROOT = Path(__file__).parents[1]
PACKAGES = ("trainables", "search_spaces", "study", "analysis")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


# --------------------------------------------------------------------------------------------------- nothing runs


def test_a_malicious_checkpoint_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"config": {}, "net": {}, "optimizer": {}, "epoch": 1, "spent": Malicious()}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "c.pt")
    assert not (tmp_path / "owned").exists()
    torch.load(tmp_path / "c.pt", weights_only=False)
    assert (tmp_path / "owned").exists()  # it would have


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}


def dangers_of(tree):
    """What a module imports or calls that could run code from a file."""
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    yield from imported & {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    for name, words in calls(tree):
        if name in ("eval", "exec", "os.system", "pd.read_pickle", "pandas.read_pickle", "yaml.load"):
            yield name
        if name == "torch.load" and words.get("weights_only") != "True":
            yield "torch.load without weights_only"
        if name == "np.load" and words.get("allow_pickle", "False") != "False":  # it is so by default
            yield "np.load with allow_pickle"
        if words.get("shell") == "True":
            yield f"{name} with a shell"


def test_nothing_that_is_read_can_bring_code_along():
    found = {path: list(dangers_of(ast.parse(path.read_text(encoding="utf-8")))) for path in SOURCES}
    assert len(found) > 100
    assert {str(path.relative_to(ROOT)): dangers for path, dangers in found.items() if dangers} == {}
    for bad in ("import pickle", "from dill import load", "eval('1')", "torch.load(p)", "np.load(p, allow_pickle=True)",
                "subprocess.run(c, shell=True)"):  # fmt: skip
        assert list(dangers_of(ast.parse(bad))), bad


# ------------------------------------------------------------------------------------------- nothing leaves its folder


def test_a_name_in_a_results_file_leads_nowhere(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=2)
    search = Search(study, results)
    job = search.next()
    assert Path(job.folder).parent == (tmp_path / "s" / "checkpoints").absolute()
    table = results.table("trials").path
    table.write_text(table.read_text().replace("\n0,", "\n../../elsewhere,"))
    with pytest.raises(ValueError, match=r"must hold values of type int, got '\.\./\.\./elsewhere'"):
        Results(tmp_path / "s").trials  # noqa: B018


def test_a_study_that_was_moved_works_where_it_is_and_not_where_it_was(tmp_path):
    tiny_study(tmp_path / "s")
    content = json.loads((tmp_path / "s" / "study.json").read_text())
    content["options"]["out"] = str(tmp_path / "elsewhere")
    (tmp_path / "s" / "study.json").write_text(json.dumps(content))
    assert make_study(resume=str(tmp_path / "s")).out == str(tmp_path / "s")


def test_a_link_out_of_the_folder_is_read_as_what_it_is(tmp_path):
    tiny_study(tmp_path / "s")
    (tmp_path / "secret.txt").write_text("a secret\nof two lines\n")
    (tmp_path / "s" / "trials.csv").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(ValueError, match="must have the columns trial"):
        show_study(tmp_path / "s")
    assert "damaged" in list_studies(tmp_path)


# ------------------------------------------------------------------------------------------------ nothing is told

SECRET = "c0rrect-h0rse"


def test_nothing_of_the_environment_stands_in_a_manifest(tmp_path, monkeypatch):
    for name in ("RAY_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "PASSWORD"):
        monkeypatch.setenv(name, SECRET)
    tiny_study(tmp_path / "s")
    assert SECRET not in (tmp_path / "s" / "study.json").read_text()


def test_an_address_with_a_password_is_refused_and_not_repeated_and_any_other_is_kept():
    for storage in (
        f"s3://me:{SECRET}@bucket/x", f"s3://{SECRET}@bucket/x", f"s3://bucket/x?secret_key={SECRET}",
        f"abfs://container/x?sig={SECRET}", f"gs://bucket/x?access_token={SECRET}",
    ):  # fmt: skip
        with pytest.raises(ValueError, match="storage must hold no password") as refusal:
            make_study(budget="4N", storage=storage)
        assert SECRET not in str(refusal.value), storage
    for storage in ("s3://bucket/x", "gs://anonymous@bucket/x", "s3://b/x?region=eu&scheme=http", "/nfs"):
        assert make_study(budget="4N", storage=storage).storage == storage


def test_every_option_in_a_manifest_is_one_that_the_help_names():
    record = study_record(Study.from_dict(make_study(budget="4N").as_dict()).as_dict(), ["run.py"])
    assert set(record["options"]) <= set(Study.__dataclass_fields__)


@pytest.mark.slow
def test_a_report_shows_what_it_is_given_as_text(tmp_path):
    from analysis.inputs.several import read_named, read_studies
    from analysis.report.report import write_report
    from tests.support.study_rows import CONFIRMED, trial

    bad = "<script>alert(1)</script>"
    folder = tmp_path / "a<b>&"
    _, results = tiny_study(folder)
    results.put_trial(trial(0))
    results.put_trial(trial(1, status="failed", error=bad, val_h=None))
    for row in CONFIRMED:
        results.put_confirm({**row, "why": f"{row['why']}{bad}", "dataset": bad})
    results.update_study(command=[bad], host={"name": bad})
    page = write_report(read_studies([folder], False), tmp_path / "report", read_named([folder])).read_text()
    assert "<script" not in page
    assert "<b>&" not in page
    assert "&lt;script&gt;" in page


# -------------------------------------------------------------------------------------------------- nobody gets in

MENDED_IN = {  # by the advisories: checkpoints that run code in spite of weights_only, files and jobs by the dashboard
    "torch": "2.10.1",  # GHSA-63cw-57p8-fm3p up to 2.9, PYSEC-2026-139 up to 2.10.0
    "ray": "2.55.0",  # CVE-2026-27482, CVE-2026-32981
}


@pytest.mark.parametrize("package", MENDED_IN)
def test_no_version_with_a_known_hole_can_be_installed(package):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    asked = [Requirement(line) for line in (*project["dependencies"], *extras)]
    floors = [one.version for each in asked if each.name == package for one in each.specifier if one.operator == ">="]
    assert floors
    assert min(map(Version, floors)) >= Version(MENDED_IN[package])


LISTEN = """
import json, subprocess, psutil
from study.ray_tune import session
with session.ray_session(cpus=1) as url:
    me = psutil.Process()
    names = {child.pid: child.name() + " " + " ".join(child.cmdline()[:4]) for child in me.children(recursive=True)}
    ports = [(pid, names[pid], one.laddr.ip, one.laddr.port) for pid in names
             for one in psutil.Process(pid).net_connections(kind="inet") if one.status == "LISTEN"]
    import urllib.request, urllib.error
    def status(token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return urllib.request.urlopen(urllib.request.Request(f"http://{url}/api/jobs/", headers=headers)).status
        except urllib.error.HTTPError as error:
            return error.code
    token = subprocess.run(["ray", "get-auth-token"], capture_output=True, text=True).stdout.split()[-1]
    print(json.dumps({"url": url, "ports": ports, "without": status(), "with": status(token)}))
"""


@pytest.mark.slow
def test_the_dashboard_listens_on_this_machine_alone_and_asks_for_the_token(tmp_path):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment = {name: value for name, value in environment.items() if not name.startswith("RAY_AUTH")}
    done = subprocess.run(
        [sys.executable, "-c", LISTEN],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["url"].startswith("127.0.0.1:")
    port = int(found["url"].rpartition(":")[2])
    assert [ip for _, _, ip, its in found["ports"] if its == port] == ["127.0.0.1"]
    assert (found["without"], found["with"]) == (401, 200)
