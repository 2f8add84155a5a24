"""Which trial is best: the one rule by which trials are ranked."""

from collections.abc import Iterable

from study.files.csv_table import Row


def finished(rows: Iterable[Row]) -> list[Row]:
    """Trials that came to their end at full length and have a result: the only ones that are ranked."""
    done = [row for row in rows if row["status"] == "finished" and row["val_h"] is not None and row["epochs"]]
    longest = max((row["epochs"] for row in done), default=0)
    return [row for row in done if row["epochs"] == longest]


def standing(rows: Iterable[Row], retry_failed: bool) -> dict[tuple[str, int], Row]:
    """The rows of runs that are not trained again, by configuration and seed: those that failed, only if asked to."""
    return {(row["config"], row["seed"]): row for row in rows if not (retry_failed and row["error"])}


def best(rows: Iterable[Row], count: int = 1) -> list[Row]:
    """The best trials by validation H, one for each configuration; of equals the cheaper, then the earlier."""
    ranked = sorted(finished(rows), key=lambda row: (-row["val_h"], row["cost"], row["trial"]))
    return list({row["config"] or row["trial"]: row for row in reversed(ranked)}.values())[::-1][:count]


def front(rows: Iterable[Row]) -> list[Row]:
    """The trials that no other beats in both H and cost, the cheapest first."""
    chosen: list[Row] = []
    for row in sorted(finished(rows), key=lambda row: (row["cost"], -row["val_h"], row["trial"])):
        if not chosen or row["val_h"] > chosen[-1]["val_h"]:
            chosen.append(row)
    return chosen


def spent(rows: Iterable[Row]) -> float:
    """What all trials have cost so far, in N-epochs: also those that were stopped or failed."""
    return sum(row["spent"] or 0.0 for row in rows)


def spent_of(row: Row) -> float:
    """The cost of a trial or a confirmed run, in N-epochs."""
    if row.get("spent") is not None:
        return float(row["spent"])
    return float(row["cost"] or 0.0) * (row.get("epochs") or 0)
