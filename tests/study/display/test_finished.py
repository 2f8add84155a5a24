"""A study that is resumed after its end is shown again, and nothing else happens."""

import hashlib
import subprocess
import sys

import pytest

from study.config.make_study import make_study
from study.confirm.chosen import choose
from study.display.finished import nothing_left
from study.files.configs import config_row
from study.files.results import Results
from tests.support.study_helpers import tiny_study
from tests.support.study_process import ROOT
from tests.support.study_rows import trial

# What of a heavy package a resumed study has loaded, behind what it printed.
RESUME = """
import sys
from study.run import main
code = main(["--resume", sys.argv[1]])
print(*sorted({"ray", "torch", "optuna"} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture
def ended(tmp_path):
    """The folder of a study of two trials and its confirmation."""
    study, results = tiny_study(tmp_path / "s", trials=2, confirm=1, seeds=2, race=0)
    for number, values in enumerate(({"method": "entprop", "k": 0.2, "n": 1}, {"method": "entprop", "k": 0.5, "n": 2})):
        results.put_trial(trial(number, values, epochs=2, val_h=90.0 + number))
    for each in choose(study, results):
        for seed in each.seeds:
            scores = {"sa": 90.0, "ra": 80.0, "h": 84.7, "epochs": 2, "seconds": 1.0}
            results.put_confirm({**config_row(each.config), "why": each.why, "seed": seed, **scores})
    results.update_study(state="finished", end="2026-01-01T00:00:00+00:00")
    return tmp_path / "s"


def digests(folder):
    return {
        path.relative_to(folder): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_resuming_a_finished_study_prints_its_text_and_changes_no_byte(ended):
    before = digests(ended)
    done = subprocess.run([sys.executable, "-c", RESUME, ended], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")  # neither an error nor a heavy module
    assert "mean ± 95 % CI over seeds" in done.stdout
    assert "2 trials: 2 finished" in done.stdout
    assert digests(ended) == before


def test_it_goes_on_if_there_is_anything_to_do(ended):
    folder = str(ended)
    assert nothing_left(make_study(resume=folder))
    assert not nothing_left(make_study(resume=folder, extend=1))
    assert not nothing_left(make_study(resume=folder, retry_failed=True))
    assert not nothing_left(make_study(resume=folder, max_failures=5))
    for name in ("trials", "confirm"):
        path = ended / f"{name}.csv"
        whole = path.read_text()
        path.write_text(whole[: whole.rstrip().rfind("\n") + 1])  # without its last row
        assert not nothing_left(make_study(resume=folder))
        path.write_text(whole)
    Results(ended).update_study(state="interrupted")
    assert not nothing_left(make_study(resume=folder))
