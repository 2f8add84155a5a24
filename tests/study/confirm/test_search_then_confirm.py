"""A search and its confirmation in one run of workers."""

import io

import pytest

from study.config.make_study import make_study
from study.confirm.search_then_confirm import with_confirmation
from study.display.progress import Progress
from study.files.results import Results
from study.ray_tune.gauges import StudyGauges
from study.search.search import Search
from study.workers.watched import Watched
from tests.support.study_helpers import Silent, finish, row_of, tiny_study

MEASURED = {"sa": 97.0, "ra": 90.0, "h": 93.0, "ece": 2.0, "measured": []}


class Beside(Silent):
    """Progress of two phases that nobody sees."""

    def __init__(self):
        super().__init__()
        self.later = Silent()
        self.later.begin = lambda *report_errors: None
        self.later.take_over = lambda total, planned, done: setattr(self, "taken_over", (total, planned))

    def beside(self):
        return self.later

    def end(self):
        pass


def both(folder, trials=2, **options):
    study, results = tiny_study(folder, trials=trials, **{"confirm": 1, "seeds": 1, **options})
    return behind(study, results)


def behind(study, results):
    progress = Beside()
    search = Watched(Search(study, results, progress), "search", StudyGauges("s").show, 0.0)
    return with_confirmation(search, study, results, progress), results, progress


def measured(source, job):
    row = {**row_of(job, 2), **MEASURED}
    source.on_result(job, row)
    source.on_end(job, row, "")


def reasons(results):
    return sorted(row["why"] for row in results.confirm)


def test_a_worker_that_finds_no_trial_left_begins_with_the_controls_and_the_best_wait_for_the_last_trial(tmp_path):
    source, results, progress = both(tmp_path / "s")
    first, last = source.next(), source.next()
    finish(source, first, 60.0)
    controls = []
    while (job := source.next()) is not None:
        controls.append(job)
    assert {job.measure for job in controls} == {"all"}
    assert [job.config["method"]["name"] for job in controls][-2:] == ["vanilla", "mixup"]
    assert not source.finished  # the best is not known yet
    for job in controls:
        measured(source, job)
    finish(source, last, 70.0)
    while (job := source.next()) is not None:
        measured(source, job)
    assert source.finished
    assert source.complete
    names = [row["why"] for row in results.confirm]
    assert sum("best-1" in why for why in names) == 1
    assert {"vanilla", "mixup"} <= set(names)
    assert progress.taken_over[0] == len(names)


def test_a_published_setting_that_turns_out_best_is_trained_once_and_said_to_be_both(tmp_path):
    source, results, _ = both(tmp_path / "s", trials=1)
    finish(source, source.next(), 60.0)  # published settings are proposed first
    while (job := source.next()) is not None:
        measured(source, job)
    assert reasons(results)[0] == "best-1, published"


def test_without_a_trial_that_came_to_its_end_no_further_control_is_trained(tmp_path):
    source, results, _ = both(tmp_path / "s", trials=1)
    job = source.next()
    source.on_end(job, None, "it broke")
    assert source.next() is None
    assert source.complete
    assert results.confirm == []


def test_what_was_best_before_there_were_more_trials_is_called_so(tmp_path):
    source, results, _ = both(tmp_path / "s", trials=5)
    h = iter([60.0, 61.0, 62.0, 63.0, 70.0])  # the fifth is no published setting
    while (job := source.next()) is not None:
        finish(source, job, next(h)) if job.measure != "all" else measured(source, job)
    assert "best-1" in reasons(results)
    study, _ = tiny_study(tmp_path / "t", trials=6, confirm=1, seeds=1)
    source, results, _ = behind(dict_study(study, tmp_path / "s"), Results(tmp_path / "s"))
    while (job := source.next()) is not None:
        finish(source, job, 80.0) if job.measure != "all" else measured(source, job)
    assert reasons(results).count("best-1") == 1
    assert reasons(results).count("earlier best") == 1


def dict_study(study, folder):
    """The same study in another folder."""
    import dataclasses

    return dataclasses.replace(study, out=str(folder), resume=True)


def test_progress_never_runs_past_its_total_after_more_trials_have_brought_another_best(tmp_path):
    def play(study, results, h):
        """The progress of the search and of the confirmation at each moment at which they are shown."""
        progress = Progress(io.StringIO())
        rows = results.trials
        progress.begin("search", study.trials, rows)
        search = Watched(Search(study, results, progress), "search", StudyGauges("s").show, 0.0)
        source = with_confirmation(search, study, results, progress)
        while (job := source.next()) is not None:
            if job.measure == "all":
                measured(source, job)
            else:
                finish(source, job, h + int(job.name[-1]))  # the last trial is the best
        return progress.state, source.confirm.source.progress.state

    study, results = tiny_study(tmp_path / "s", trials=4, confirm=1, seeds=2)
    play(study, results, 60.0)
    results.update_study(state="finished")
    longer = make_study(resume=str(tmp_path / "s"), extend=3)
    search, confirm = play(longer, results, 70.0)  # each new trial is better than the earlier best
    assert (search.done, search.total) == (7, 7)
    assert confirm.done == confirm.total < len(results.confirm)
    assert confirm.spent == pytest.approx(confirm.planned)


def test_progress_counts_a_failed_run_once_when_it_is_trained_again(tmp_path):
    source, *_ = both(tmp_path / "s")
    while (job := source.next()) is not None:
        if job.config["method"]["name"] == "mixup":
            source.on_end(job, None, "out of memory")
        elif job.measure == "all":
            measured(source, job)
        else:
            finish(source, job, 60.0)
    study = make_study(resume=str(tmp_path / "s"), retry_failed=True)
    progress = Progress(io.StringIO())
    progress.begin("confirm", 0)
    again = with_confirmation(source.search, study, Results(tmp_path / "s"), progress)
    trained = []
    while (job := again.next()) is not None:
        trained.append(job.config["method"]["name"])
        measured(again, job)
    state = again.confirm.source.progress.state
    assert trained == ["mixup"]
    assert (state.done, state.failed) == (state.total, 0)
