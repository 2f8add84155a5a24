"""Tables, figures and one page from the folder of a study; no training, no GPU, some seconds.

python -m analysis runs/DIR            writes runs/DIR/report/: report.html, tables/, figures/
python -m analysis runs/A runs/B       merges studies of one protocol, and says what differs between them
"""

import argparse
import sys
from pathlib import Path

from trainables.options import OneLineParser


def main(arguments: list[str] | None = None) -> int:
    """Print the summary, write the report; 2 for wrong input."""
    parser = OneLineParser(
        prog="python -m analysis",
        usage="python -m analysis RESULTS… [--out DIR] [--mix]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="RESULTS", help="folders of studies")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where the report goes [RESULTS/report; several: report]"
    )
    parser.add_argument("--mix", action="store_true", help="put studies of different protocols side by side")
    asked = parser.parse(arguments)
    try:
        return report(asked.folders, asked.out, asked.mix)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def report(folders: list[Path], out: Path | None, mix: bool) -> int:
    """Read, print, write."""
    if out and out.exists() and not out.is_dir():
        raise ValueError(f"out must be a folder, got {out}")
    from analysis.inputs.studies import circumstances, protocol_differences, read_named, read_studies
    from analysis.report.report import summary, write_report
    from study.files.results import Results

    for folder in folders:
        Results(folder).check()  # what a kill left behind is read; a damaged file is said, and nothing is written
    found = read_studies(folders, mix)
    parts = read_named(folders)
    print(summary(found, parts))
    for line in [*protocol_differences(parts), *circumstances(parts)]:
        print(f"differs: {line}")
    path = write_report(found, out or (folders[0] / "report" if len(folders) == 1 else Path("report")), parts)
    print(f"\nwrote {path}, and tables and figures beside it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
