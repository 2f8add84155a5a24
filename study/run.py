"""Run a study: python study/run.py --budget 4N

Searches for the training recipe with the highest H that a compute budget allows, lets the best settings race on
validation images, and confirms the winner with fresh seeds on test images. On the embedded images this takes under 6
minutes on two CPU cores. `--help` lists all options, `--dry-run` prints the plan.

In a notebook: `import study; study.run(budget="4N", trials=8)`.
"""

import inspect
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from study.commands import command
from study.config.cli import Command, read_study
from study.config.make_study import make_study
from study.config.signature import signature
from study.config.study_config import Study
from study.config.typed_options import Options
from study.ending import forget_output
from study.errors import InputError, Interrupted, StudyFailed, reading_input
from study.workers.listener import Listener
from study.workers.own import Own, own_of

if TYPE_CHECKING:
    from study import notebook
    from study.files.results import Results
    from trainables.data.images import Splits

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


class Plan(str):
    """The text of a plan; a notebook shows its lines as they are."""

    def __repr__(self) -> str:
        return str(self)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code. An error is one line on stderr."""
    asked = read_study(arguments)
    try:
        carry_out(asked)
        sys.stdout.flush()
    except BrokenPipeError:
        forget_output()
    except InputError as error:
        return _say(f"error: {error}", WRONG_INPUT)
    except StudyFailed as error:
        resume = f"; resume with: {command('--resume', error.folder)}" if error.folder else ""
        return _say(f"error: {error}{resume}", FAILED)
    except KeyboardInterrupt as stop:
        return _say(str(stop) or "\ninterrupted", INTERRUPTED)
    return DONE


def _say(line: str, code: int) -> int:
    print(line, file=sys.stderr)
    return code


@overload
def run(budget: str | float | None = None, *, dry_run: Literal[True], **options: Unpack[Options]) -> Plan: ...
@overload
def run(
    budget: str | float | None = None,
    *,
    dry_run: Literal[False] = False,
    callbacks: Sequence[Any] = (),
    listeners: Sequence[Listener] = (),
    **options: Unpack[Options],
) -> "notebook.Results": ...
def run(
    budget: str | float | None = None,
    *,
    dry_run: bool = False,
    callbacks: Sequence[Any] = (),
    listeners: Sequence[Listener] = (),
    **options: Any,
) -> "notebook.Results | Plan":
    """Run a study from a notebook or a program, with the options of the command line; returns its results.

    `run("4N", trials=8)`, `run(resume="runs/DIR")`; with `dry_run=True` nothing runs and the plan is returned.
    `sampler` may also be a sampler of Optuna and `scheduler` one of Ray Tune's that stops or pauses trials; give them
    again on resume. `callbacks` are Ray Tune's, such as its loggers; `listeners` hear what happens as it happens.
    Raises InputError (a ValueError) for wrong input and StudyFailed for a study that could not go on. Ctrl-C or the
    stop button ends it early: what is there is returned, and `run(resume=…)` resumes it.
    """
    from study import notebook

    own = own_of(options, callbacks, listeners)
    given = {**options, **({} if budget is None else {"budget": budget}), "dry_run": dry_run}
    with reading_input():
        study = make_study(**given)
    if study.dry_run:
        return plan(study)
    try:
        conduct(study, own=own)
    except Interrupted as stop:
        print(stop, file=sys.stderr)
    return notebook.Results(study.out or "")


run.__signature__ = signature(inspect.signature(run))  # type: ignore[attr-defined]  # notebooks complete its names


def carry_out(asked: Study | Command) -> None:
    """Answer, plan or run."""
    if isinstance(asked, Command) and asked.study:
        conduct(asked.study, searching=False)
    elif isinstance(asked, Command) and asked.watch and asked.folder:
        from study.display.watch import watch

        watch(asked.folder)
    elif isinstance(asked, Command):
        print(answer(asked))
    elif asked.dry_run:
        print(plan(asked))
    else:
        conduct(asked)


def plan(study: Study) -> Plan:
    """What the study would do; nothing runs."""
    from study.config.machine import check_device
    from study.display.data_lines import read_data
    from study.display.plan import plan_text

    with reading_input():
        check_device(study)
        if address := study.address or os.environ.get("RAY_ADDRESS"):
            from study.ray_tune.session import check_reachable

            check_reachable(address)
        splits = read_data(study)
        if study.probe:
            time_here(study, splits)
        return Plan(plan_text(study, splits=splits))


def time_here(study: Study, splits: "Splits | None") -> None:
    """Time training and measuring here, and keep it for this plan and later ones."""
    if splits is None:
        what = study.table or study.trial.dataset
        raise ValueError(f"--probe needs the images of a search to be on this machine, got {what}")
    from study.files.timings import remember_timing
    from study.workers.probe import probe

    timing, device = probe(study, splits)
    remember_timing(study.trial, device, timing)


def conduct(study: Study, searching: bool = True, own: Own | None = None) -> "Results":
    """Run a study, or only its confirmation; torch and Ray are imported here, now that the options are right.

    A study that is resumed after its end is only shown.
    """
    from study.config.contradictions import check_rows
    from study.config.machine import check_device
    from study.display.finished import nothing_left, result_text
    from study.files.results import Results

    with reading_input():
        check_device(study)
        if study.resume:
            Results(study.out or "").check()
            check_rows(study, Results(study.out or ""))
        if searching and nothing_left(study):
            results = Results(study.out or "")
            print(result_text(study, results))
            return results
    from study.ray_tune.settings import configure

    configure()
    from study.driver import StudyDriver

    return StudyDriver(study, own or Own()).run(searching)


def answer(asked: Command) -> str:
    """What a command prints that runs nothing."""
    from study.display.show import list_studies, show_study
    from study.papers import computed_text, list_tables

    with reading_input():
        if asked.name == "tables":
            return list_tables()
        if asked.name == "table":
            return computed_text(asked.table)
        assert asked.folder is not None
        if asked.name == "export":
            from study.export import export_mlflow

            return export_mlflow(asked.folder)
        return show_study(asked.folder) if asked.name == "show" else list_studies(asked.folder)


if __name__ == "__main__":
    sys.exit(main())
