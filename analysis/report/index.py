"""llms.txt: what the project is, and every page with its first sentence, for programs that read documentation."""

import re
from collections.abc import Iterable
from pathlib import Path

SUMMARY = """\
# EntProp Study

> A distributed hyper-parameter study with Ray Tune and Optuna. It searches dual-batch-norm training recipes (EntProp,
> MixProp, AdvProp and others) for accuracy and robustness under a training-cost budget, and confirms the best with
> fresh seeds on held-out test images.
> Run it with `python study/run.py --budget 4N`; from Python with `study.run(budget="4N")`.

## Pages
"""


def index(root: Path, pages: Iterable[Path]) -> str:
    """The text of llms.txt."""
    return SUMMARY + "\n" + "".join(f"- [{title}]({page.relative_to(root)}): {first}\n"
                                    for page in pages for title, first in [_opening(page)])  # fmt: skip


def _opening(page: Path) -> tuple[str, str]:
    """The title of a page and its first sentence."""
    title, _, text = page.read_text(encoding="utf-8").partition("\n")
    paragraphs = [
        each
        for each in re.split(r"\n\s*\n", text)
        if each.strip() and not each.lstrip().startswith(("|", "```", "#", "<", "*"))
    ]
    sentence = re.match(r"(?:[^.:]|[.:](?!\s|$))*[.:]?", " ".join(paragraphs[0].split()))
    plain = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", sentence[0] if sentence else "")
    return title.lstrip("# "), plain.rstrip(":")
