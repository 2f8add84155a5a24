"""The counts of all phases: none runs past its total, whatever an earlier call left."""

import pytest

from study.config.make_study import make_study
from study.files.results import Results
from tests.support.study_helpers import phases_of, play, tiny_study


def played(study, results, h, fail=()):
    """What ran, and the counts of each phase at its end; the last trial is the best."""
    (source, tally), ran = phases_of(study, results), []
    while (job := source.next()) is not None:
        ran.append(job.name)
        if job.config["method"]["name"] in fail and job.name.startswith("confirm"):
            source.on_end(job, None, "out of memory")
        else:
            play(source, job, h + (int(job.name[-1]) if job.name.startswith("trial") else 0))
    return ran, tally.phases


@pytest.mark.parametrize("race", [0, 2])
def test_no_phase_runs_past_its_total_after_more_trials_have_brought_another_best(tmp_path, race):
    study, results = tiny_study(tmp_path / "s", trials=4, confirm=1, seeds=2, race=race)
    played(study, results, 60.0)
    longer = make_study(resume=str(tmp_path / "s"), extend=3)
    _, states = played(longer, Results(tmp_path / "s"), 70.0)  # each new trial is better than the earlier best
    assert (states["search"].done, states["search"].total) == (7, 7)
    for phase in ("confirm", *(["race"] if race else [])):
        assert states[phase].done == states[phase].total > 0
        assert states[phase].spent == pytest.approx(states[phase].planned)
    assert states["confirm"].total < len(Results(tmp_path / "s").confirm)


def test_a_failed_run_is_trained_again_only_when_asked_to_and_counted_once(tmp_path):
    study, results = tiny_study(tmp_path / "s", trials=2, confirm=1, seeds=1, race=0)
    played(study, results, 60.0, fail=["mixup"])
    folder = str(tmp_path / "s")
    assert played(make_study(resume=folder), Results(folder), 60.0)[0] == []
    ran, states = played(make_study(resume=folder, retry_failed=True), Results(folder), 60.0)
    assert len(ran) == 1
    assert (states["confirm"].done, states["confirm"].failed) == (states["confirm"].total, 0)
