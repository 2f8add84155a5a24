"""Search, race and confirmation in one run of workers."""

import dataclasses

from study.files.results import Results
from tests.support.study_helpers import phases_of, play, tiny_study


def both(folder, trials=2, **options):
    study, results = tiny_study(folder, trials=trials, **{"confirm": 1, "seeds": 1, "race": 0, **options})
    source, tally = phases_of(study, results)
    return source, results, tally


def reasons(results):
    return sorted(row["why"] for row in results.confirm)


def test_a_worker_that_finds_no_trial_left_begins_with_the_controls_and_the_best_wait_for_the_last_trial(tmp_path):
    source, results, tally = both(tmp_path / "s")
    first, last = source.next(), source.next()
    play(source, first, 60.0)
    controls = []
    while (job := source.next()) is not None:
        controls.append(job)
    assert {job.measure for job in controls} == {"all"}
    assert [job.config["method"]["name"] for job in controls][-2:] == ["vanilla", "mixup"]
    assert not source.finished  # the best is not known yet
    for job in controls:
        play(source, job, 0.0)
    play(source, last, 70.0)
    while (job := source.next()) is not None:
        play(source, job, 0.0)
    assert source.finished
    assert source.complete
    names = [row["why"] for row in results.confirm]
    assert sum("best-1" in why for why in names) == 1
    assert {"vanilla", "mixup"} <= set(names)
    assert tally.phases["confirm"].total == len(names)


def test_a_published_setting_that_turns_out_best_is_trained_once_and_said_to_be_both(tmp_path):
    source, results, _ = both(tmp_path / "s", trials=1)
    play(source, source.next(), 60.0)  # published settings are proposed first
    while (job := source.next()) is not None:
        play(source, job, 0.0)
    assert reasons(results)[0] == "best-1, published"


def test_without_a_trial_that_came_to_its_end_no_further_control_is_trained(tmp_path):
    for race in (0, 6):
        source, results, _ = both(tmp_path / f"{race}", trials=1, race=race)
        job = source.next()
        source.on_end(job, None, "it broke")
        assert source.next() is None
        assert source.complete
        assert (results.race, results.confirm) == ([], [])


def test_what_was_best_before_there_were_more_trials_is_called_so(tmp_path):
    source, results, _ = both(tmp_path / "s", trials=5)
    h = iter([60.0, 61.0, 62.0, 63.0, 70.0])  # the fifth is no published setting
    while (job := source.next()) is not None:
        play(source, job, next(h) if job.measure != "all" else 0.0)
    assert "best-1" in reasons(results)
    study, _ = tiny_study(tmp_path / "t", trials=6, confirm=1, seeds=1, race=0)
    source, _ = phases_of(dataclasses.replace(study, out=str(tmp_path / "s"), resume=True), Results(tmp_path / "s"))
    while (job := source.next()) is not None:
        play(source, job, 80.0)
    results = Results(tmp_path / "s")
    assert reasons(results).count("best-1") == 1
    assert reasons(results).count("earlier best") == 1
