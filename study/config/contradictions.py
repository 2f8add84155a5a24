"""Whether the tables of a folder are of the study that its study.json describes: somebody may have edited it."""

from collections.abc import Iterator

from study.config.budget import format_cost
from study.config.study_config import Study, fields_of
from study.files.results import Results, Row

NAMED = 5  # contradictions that a message lists


def check_rows(study: Study, results: Results) -> None:
    """ValueError that names what study.json says otherwise than the rows."""
    if found := contradictions(study, results):
        more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
        raise ValueError(
            f"{results.folder / 'study.json'} contradicts the rows beside it: {'; '.join(found[:NAMED])}{more}; undo "
            "the edit, or start a new study"
        )


def contradictions(study: Study, results: Results) -> list[str]:
    """One phrase for each option of a search that some row contradicts."""
    if study.table is not None:
        return []
    found: dict[str, str] = {}  # the first of each kind
    for row in results.trials:
        for kind, text in _of_trial(study, row):
            found.setdefault(kind, f"trial {row['trial']} {text}")
    for row in results.confirm:
        for name in ("dataset", "model"):
            if row[name] != getattr(study.trial, name):
                found.setdefault(name, f"{name} is {getattr(study.trial, name)}, a confirmed run has {row[name]}")
    count, wanted = len(results.trials), study.trials or 0
    if study.total_budget is None and count > wanted:
        found["trials"] = f"trials is {wanted}, there are {count}"
    return list(found.values())


def _of_trial(study: Study, row: Row) -> Iterator[tuple[str, str]]:
    if row["method"] not in study.methods:
        yield "methods", f"trains {row['method']}, methods is {','.join(study.methods)}"
        return
    if study.budget and not study.budget.allows(row["cost"] - 1e-6):
        yield "budget", f"costs {format_cost(row['cost'])} an epoch, budget is {format_cost(study.per_epoch)}"
    if row["status"] == "finished" and row["epochs"] != study.trial.epochs:
        yield "epochs", f"has {row['epochs']} epochs, epochs is {study.trial.epochs}"
    if "lr" not in study.search and row["lr"] is not None and abs(row["lr"] - study.trial.lr) > 1e-9:
        yield "lr", f"has lr {row['lr']:g}, lr is {study.trial.lr:g}"
    for name, value in study.fix:
        if name in fields_of(row["method"]) and row.get(name) not in (None, value):
            yield f"fix {name}", f"has {name}={row[name]}, fix is {name}={value}"
