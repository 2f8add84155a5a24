"""Measure a trained run: python -m trainables.evaluate RUN"""

import json
import sys

from trainables.evaluate.measure import measure
from trainables.evaluate.options import build_parser, read_evaluation
from trainables.evaluate.report import render, write_csv, write_tables
from trainables.training.run_folder import read_run
from trainables.training.state import resolve_device


def show_progress(done: int, total: int, what: str) -> None:
    """One live line while corrupted images are measured."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r\033[Kmeasuring corrupted images {done:,} of {total:,}: {what}", end=end, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Measure a trained run; an exit code."""
    parser = build_parser()
    values = vars(parser.parse(arguments))
    try:
        asked = read_evaluation(values)
        trained = read_run(asked.run, asked.data_root, resolve_device(asked.device))
        found = measure(asked, trained, show_progress)
        table = asked.file("evaluation", "csv")
        write_csv(table, asked.norm, found.rows)
        written = [table, *write_tables(asked, found.tables)]
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written", file=sys.stderr)
        return 130
    method = json.dumps(trained.config.as_dict()["method"]).strip("{}").replace('"', "")
    print(f"{asked.run}: {method}; epoch {trained.epoch}; {asked.norm} norms\n")
    print(render(found.rows))
    print(f"written: {', '.join(str(path) for path in written)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
