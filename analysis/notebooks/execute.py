"""Execute the notebooks without a browser: `make notebooks`, or with other results `make notebooks RESULTS=runs/DIR`.

A notebook is a percent script in `analysis/notebooks`; beside it lies what it shows for the results of this repository.
With other results the executed notebooks go to RESULTS/notebooks, so that the ones of the repository stay as they are;
without, docs/results.md is written anew, too.
Nothing that changes from run to run is kept: executing twice gives the same bytes.
"""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from analysis.report import results_page
from trainables.disk import write_atomically

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
PARAMETER = re.compile(r'^RESULTS = ".*"$', flags=re.MULTILINE)
TIMEOUT = 170  # seconds, of one notebook


def main(arguments: list[str] | None = None) -> int:
    """Execute all notebooks on the given results, by default those of the repository."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.notebooks.execute",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", nargs="*", type=Path, help="a folder of studies [those of this repository]")
    given = parser.parse_args(arguments).results
    if len(given) > 1:
        print(f"error: one folder of results at most, got {' '.join(map(str, given))}", file=sys.stderr)
        return 2
    if given and not given[0].is_dir():
        print(f"error: RESULTS must be a folder, got {given[0]}", file=sys.stderr)
        return 2
    results = given[0].resolve() if given else None
    out = FOLDER if results is None else results / "notebooks"
    out.mkdir(exist_ok=True)
    for script in scripts():
        path = execute(script, out, results)
        print(f"executed {path}", flush=True)
    return 0 if results else results_page.main()


def scripts() -> list[Path]:
    """The notebooks, as percent scripts: the files here that begin with jupytext's header."""
    return [path for path in sorted(FOLDER.glob("*.py")) if path.read_text(encoding="utf-8").startswith("# ---\n")]


def execute(script: Path, out: Path, results: Path | None = None) -> Path:
    """Run one script as a notebook, write it with its outputs."""
    import jupytext
    import nbformat
    from nbclient import NotebookClient
    from traitlets.config import Config

    text = script.read_text(encoding="utf-8")
    if results is not None:
        text = PARAMETER.sub(lambda _: f"RESULTS = {str(results)!r}", text)
    book = jupytext.reads(text, fmt="py:percent")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as sockets:  # in a folder of one's own: ports are open to all on the machine
        client = NotebookClient(
            book, timeout=TIMEOUT, kernel_name="python3", record_timing=False,
            resources={"metadata": {"path": str(ROOT)}},
            config=Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"}),
        )  # fmt: skip
        client.execute(env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"})
    target = out / f"{script.stem}.ipynb"
    write_atomically(target, nbformat.writes(_repeatable(book)) + "\n", to_disk=False)
    return target


def _repeatable(book: Any) -> Any:
    """Without what differs from run to run or from machine to machine."""
    book.metadata = {
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {}
    return book


if __name__ == "__main__":
    sys.exit(main())
