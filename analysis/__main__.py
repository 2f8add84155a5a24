"""Write the report of a study: one page, tables and figures, in seconds, without training and without a GPU.

python -m analysis runs/DIR            writes runs/DIR/report/: report.html, tables/, figures/
python -m analysis runs/A runs/B       merges studies of one protocol and lists their differences
python -m analysis runs/DIR --watch    rewrites the report while the study runs; the page reloads itself
"""

import argparse
import sys
import time
from pathlib import Path

from trainables.options import OneLineParser

EVERY_S = 30.0  # a report takes some seconds of a core that the study may want


def main(arguments: list[str] | None = None) -> int:
    """Print the summary, write the report; 2 for wrong input."""
    parser = OneLineParser(
        prog="python -m analysis",
        usage="python -m analysis RESULTS… [--out DIR] [--mix] [--watch]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="RESULTS", help="folders of studies")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the report [RESULTS/report; of several studies: report]"
    )
    parser.add_argument("--mix", action="store_true", help="merge studies of different protocols, too")
    parser.add_argument("--watch", action="store_true", help="rewrite the report until the study ends or Ctrl-C")
    asked = parser.parse(arguments)
    try:
        running = report(asked.folders, asked.out, asked.mix, asked.watch)
        while asked.watch and running:
            time.sleep(EVERY_S)
            running = report(asked.folders, asked.out, asked.mix, asked.watch)
        return 0
    except KeyboardInterrupt:
        return 0 if asked.watch else 130
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def report(folders: list[Path], out: Path | None, mix: bool, watch: bool = False) -> bool:
    """Read, print, write; returns whether a study is running."""
    if out and out.exists() and not out.is_dir():
        raise ValueError(f"out must be a folder, got {out}")
    from analysis.inputs.several import circumstances, protocol_differences, read_named, read_studies
    from analysis.report.report import summary, write_report
    from study.files.results import Results

    for folder in folders:
        Results(folder).check()  # what a kill left behind is read; a damaged file is said, and nothing is written
    parts = read_named(folders)  # first, so that a study that ends meanwhile is read once more
    found = read_studies(folders, mix)
    print(summary(found, parts))
    for line in [*protocol_differences(parts), *circumstances(parts)]:
        print(f"differs: {line}")
    running = any(each.record.get("state") == "running" for each in parts)
    where = out or (folders[0] / "report" if len(folders) == 1 else Path("report"))
    path = write_report(found, where, parts, live=watch and running)
    print(f"\nwrote {path}, and tables and figures beside it", flush=True)
    return running


if __name__ == "__main__":
    sys.exit(main())
