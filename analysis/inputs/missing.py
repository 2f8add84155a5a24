"""What a whole study would have and one has not, a line each."""

from analysis.inputs.several import read_named
from analysis.inputs.studies import StudyFrames
from study.commands import PROGRAM
from study.confirm.chosen import published_seeds
from study.papers import cells_of


def missing(folder: StudyFrames) -> list[str]:
    """What a whole study would have and this one has not, a line each; of several studies, for each of them."""
    if len(folder.paths) > 1:
        parts = read_named(folder.paths)
        return [*folder.problems, *(f"{each.name}: {line}" for each in parts for line in missing(each))]
    lines = list(folder.problems)
    state = folder.record.get("state", "unknown")
    if state != "finished":
        lines.append(f"the study is not finished (state: {state}); resume it with {PROGRAM} --resume {folder.paths[0]}")
    return lines + _missing_trials(folder) + _missing_runs(folder)


def _missing_trials(folder: StudyFrames) -> list[str]:
    counts = folder.trials["status"].value_counts()
    options = folder.options
    searched = options is not None and options.table is None
    lines = []
    wanted = options.trials if searched and options and options.total_budget is None else None
    ended = len(folder.trials) - int(counts.get("running", 0))
    if wanted and ended < wanted:
        lines.append(f"{wanted - ended} of {wanted} trials have not ended")
    for status, what in (("stopped", "were stopped early and are never ranked"), ("failed", "failed")):
        if counts.get(status, 0):
            lines.append(f"{counts[status]} of {len(folder.trials)} trials {what}")
    return lines


def _missing_runs(folder: StudyFrames) -> list[str]:
    done, lines = folder.done, []
    wanted = planned_runs(folder)
    if done.empty:
        return ["no run was measured on test images, so no number here may be quoted"] if wanted != 0 else []
    if wanted and len(done) < wanted:
        lines.append(f"{wanted - len(done)} of {wanted} runs on test images are missing")
    if broken := len(folder.runs) - len(done):
        lines.append(f"{broken} runs on test images failed")
    if int(done.groupby("config")["seed"].nunique().max()) == 1:
        lines.append("every setting has one seed: no interval and no test is possible")
    return lines


def planned_runs(folder: StudyFrames) -> int | None:
    """How many runs on test images there should be; None where that is not known."""
    options = folder.options
    if options is None:
        return None
    if options.table:
        return sum(cell.seeds for cell in cells_of(options))
    if options.confirm == 0:
        return 0
    seeds, fewer = options.seeds or 0, published_seeds(options)
    found = folder.runs.groupby("config")["why"].agg(["first", "size"])
    return sum(max(fewer, size) if why == "published" else seeds for why, size in found.itertuples(index=False)) or None
