"""Run a study: python study/run.py --budget 4N

Searches for the training recipe with the highest H that a compute budget allows, then confirms it with fresh seeds on
test images. On the embedded digits this takes under 6 minutes on two CPU cores and ends with a table in which the best
setting found beats plain training by about 3 points of H. `--help` tells all options, `--dry-run` the plan.

In a notebook: `import study; study.run(budget="4N", trials=8)`.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from study.config.cli import Command, read_study
from study.config.make_study import make_study
from study.config.study_config import Study
from study.driver import DONE, FAILED, INTERRUPTED, WRONG_INPUT, conduct, confirm_again
from study.workers.jobs import ClusterError

if TYPE_CHECKING:
    from study.files.results import Results


def main(arguments: list[str] | None = None) -> int:
    """The command line; an exit code."""
    asked = read_study(arguments)
    return report_errors(lambda: carry_out(asked))


def carry_out(asked: Study | Command) -> int:
    """Answer, plan or run; an exit code."""
    if isinstance(asked, Command) and asked.study:
        return confirm_again(asked.study)
    if isinstance(asked, Command):
        print(answer(asked))
        return DONE
    if asked.dry_run:
        from study.display.plan import plan_text

        print(plan_text(asked))
        return DONE
    return conduct(asked)


def report_errors(action: Callable[[], int]) -> int:
    """The exit code of an action, or of what went wrong with it, which is said in one line."""
    try:
        return action()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_INPUT
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED


def run(**options: Any) -> "Results":
    """A study in a notebook or a program: options as on the command line, the results as an object.

    `run(budget="4N", trials=8)`, `run(resume="runs/DIR")`. What is wrong raises ValueError; Ctrl-C or the stop button
    ends it early, and `run(resume=…)` goes on.
    """
    from study.files.results import Results

    study = make_study(**options)
    code = conduct(study)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return Results(study.out or "")


def answer(asked: Command) -> str:
    """What a command prints that runs nothing."""
    if asked.name == "tables":
        from study.papers import list_tables

        return list_tables()
    if asked.name == "table":
        from study.papers import computed_text

        return computed_text(asked.table)
    from study.display.show import list_studies, show_study

    assert asked.folder is not None
    return show_study(asked.folder) if asked.name == "show" else list_studies(asked.folder)


if __name__ == "__main__":
    sys.exit(main())
