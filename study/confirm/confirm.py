"""The confirmation: chosen settings are retrained with fresh seeds and evaluated once on held-out test images.

After search and race these are the best by validation H, the vanilla and mixup-only baselines and the published
settings within the budget; a published table is confirmed row by row. For a study that was searched before:

    python study/run.py confirm runs/DIR --confirm 3 --seeds 6

Each row of `confirm.csv` is written when its run ends. `--resume` repeats none of them and continues an interrupted run
after its last epoch.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from study.config.study_config import Study
from study.confirm.chosen import Candidate, choose, roles, run_name, shift_folder, size_of
from study.files.configs import config_id, config_row
from study.files.ranking import best, standing
from study.files.results import Results
from study.files.store import below
from study.race.contenders import ranking
from study.search.search import annotate
from study.workers.jobs import Job, Row
from study.workers.work_folder import base_of, keeping
from trainables.config import TrialConfig

MOST_IMAGES = 10_000  # that images.csv holds of a run: a line of 30,000 characters
IN_CONFIRM = ("sa", "ra", "h", "ece", "entropy")  # of the main norms; entropy is not reported


class Confirm:
    """A source of the runs that are left, the most expensive first, so that all workers end at about the same time.

    A proxy, a run whose network transfers attacks to others, comes first; the runs that need it wait for its end.
    """

    def __init__(self, study: Study, chosen: list[Candidate], results: Results, of: Sequence[Candidate] = ()) -> None:
        assert study.out is not None
        self.study, self.results = study, results
        self.name = "table" if study.table else "confirm"
        self.base = base_of(study.out, study.storage)
        self.of = of  # all rows of a table, of which these are some
        self.chosen: dict[str, Candidate] = {}
        self.asked: set[tuple[str, int]] = set()  # configuration and seed of every run so far
        self.proxies: set[str] = set()
        self.not_ended: set[str] = set()
        self.earlier: list[Row] = []
        self.waiting: list[tuple[Candidate, int]] = []
        self.seconds: dict[str, dict[int, float]] = {}
        self.add(chosen)

    def add(self, chosen: list[Candidate]) -> None:
        """Add chosen configurations; one that is already there may have got another role or more seeds."""
        done = standing(self.results.confirm, self.study.retry_failed)
        for each in chosen:
            self.proxies |= {measure["transfer_from"] for measure in each.measures if "transfer_from" in measure}
            key = config_id(each.config)
            new = [seed for seed in each.seeds if (key, seed) not in self.asked]
            self.waiting += [(each, seed) for seed in new if (key, seed) not in done]
            self.earlier += [done[key, seed] for seed in new if (key, seed) in done]
            self.asked |= {(key, seed) for seed in new}
            self.chosen[key] = each
        names = [run_name(each.config, seed) for each, seed in self.waiting]
        self.not_ended |= set(names) & self.proxies
        self.waiting.sort(
            key=lambda run: (run_name(run[0].config, run[1]) not in self.proxies, -run[0].config.method.cost)
        )

    def begin(self) -> None:
        """Search and race have ended: the best join the runs that were known before. Those of a table are all known."""
        if self.study.table:
            return
        trials = self.results.trials
        if not best(trials):
            self.waiting.clear()  # the baselines have nothing to be compared with
            return
        annotate(self.study, ranking(self.study, trials, self.results.race))
        chosen = choose(self.study, self.results)
        self.results.relabel(roles(chosen))
        self.add(chosen)

    @property
    def size(self) -> tuple[int, float | None]:
        """How many runs there are so far, and what they cost in N-epochs."""
        return size_of(self.of or self.chosen.values())

    @property
    def finished(self) -> bool:
        return not self.waiting

    def next(self) -> Job | None:
        ready = (run for run in self.waiting if not self._waits(*run))
        if (run := next(ready, None)) is None:
            return None
        self.waiting.remove(run)
        each, seed = run
        name = run_name(each.config, seed)
        config = dataclasses.replace(each.config, seed=seed)
        measures = tuple(self._located(measure) for measure in self._measures(each, name))
        kept = keeping(self.study) | ({"keep": "both"} if name in self.proxies else {})
        return Job(name, below(self.base, name), config.as_dict(), "all", measures=measures, **kept)

    def _waits(self, each: Candidate, seed: int) -> bool:
        """Whether the run needs a proxy that is not trained yet."""
        several = self._measures(each, run_name(each.config, seed))
        return any(measure.get("transfer_from") in self.not_ended for measure in several)

    def _measures(self, each: Candidate, name: str) -> list[Row]:
        """The further measures of a run; a proxy is not attacked through itself."""
        return [measure for measure in each.measures if measure.get("transfer_from") != name]

    def _located(self, measure: Row) -> Row:
        """The measure with a folder in place of the name of a run or data set."""
        if "transfer_from" in measure:
            return {**measure, "transfer_from": below(self.base, measure["transfer_from"])}
        return {**measure, "shift": f"folder:{shift_folder(self.study, measure)}"} if "shift" in measure else measure

    def on_result(self, job: Job, row: Row) -> None:
        self.seconds.setdefault(job.name, {})[row["epoch"]] = row["seconds"]

    def on_end(self, job: Job, row: Row | None, error: str) -> Row:
        config = TrialConfig.from_dict(job.config)
        self.not_ended.discard(job.name)
        each, last = self.chosen[config_id(config)], row or {}
        epochs = self.seconds.pop(job.name, {}).values()
        written = {
            **config_row(config),
            "why": each.why,
            "lr_searched": "lr" in self.study.search,
            "epochs": last.get("epoch"),
            "measured_cost": last.get("measured_cost"),
            **{name: last.get(name) for name in ("sa", "ra", "ra_source", "h", "ece")},
            "epoch_seconds": median(epochs) if epochs else None,
            "seconds": sum(epochs) + last.get("measuring_s", 0.0),
            "train_accuracy": last.get("train_accuracy"),
            "error": error or None,
        }
        key = {"config": written["config"], "seed": config.seed}
        files = measured_files(key, last.get("measured", ()))
        self.results.add_measured({**files, "images": image_rows(key, last.get("images", ()), files["corruptions"])})
        self.results.put_confirm(written)  # last: its row says that the others are complete
        return written


def image_rows(key: Row, images: Sequence[Row], corruptions: Iterable[Row]) -> list[Row]:
    """What is right of each test image, as the one row of images.csv that a run has."""
    if not images:
        return []
    shown = images[:MOST_IMAGES]
    return [
        {
            **key,
            "clean": "".join(str(row["clean"]) for row in shown),
            "corrupted": "".join(f"{row['corrupted']:02}" for row in shown),
            "copies": sum(row["norm"] == "main" for row in corruptions),
        }
    ]


def measured_files(key: Row, rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The measurements of a run by table, without what confirm.csv holds."""
    files: dict[str, list[Row]] = {"corruptions": [], "attacks": [], "measures": []}
    for row in rows:
        kind, name, value, images = row["measure"], row["name"], row["value"], row["images"]
        here = {**key, "norm": row["norm"]}
        if kind == "corruption":
            found = {**here, "corruption": name, "severity": row["severity"], "accuracy": value}
            files["corruptions"].append(found)
        elif row["norm"] == "main" and kind == "attack":
            files["attacks"].append({**key, "attack": name, "accuracy": value, "images": images})
        elif row["norm"] != "main" or kind not in IN_CONFIRM:
            shown = Path(name).name if kind == "shift" else name or "all"
            files["measures"].append({**here, "measure": kind, "name": shown, "value": value, "images": images})
    return files
