"""A table of real runs for `benchmarks.search`: every point of a grid trained to its end, with H at every rung.

    python -m benchmarks.search_table                    # 108 trainings on the digits, 15 minutes of two cores
    python -m benchmarks.search_table --weights sum      # the same grid under the loss weights of Algorithm 1
    python -m benchmarks.search_table --data npz:cifar10.npz --train-images 1000 --epochs 15

The grid spans what `python study/run.py --budget 4N` searches: four metrics, three n, a third, two thirds and the whole
of the k that 4N pays for, three radii. It is trained by the study's own search with its points in place of proposals,
measured at the rungs of `--scheduler asha` but never stopped. The study lies in `--out`; cut off, the same command goes
on. Its measured epochs become `results/search-DATA-WEIGHTS.csv`: the setting, the epoch, what was spent, H.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import csv
from pathlib import Path

from benchmarks.report import RESULTS, data_label
from study.config.make_study import make_study
from study.display.progress import Progress
from study.files.results import Results
from study.files.study_json import study_record
from study.ray_tune import session, trainable, tuner
from study.ray_tune.gauges import StudyGauges
from study.search.halving import rung_costs
from study.search.sampling import grid_points
from study.search.search import Search
from study.workers.watched import Watched
from trainables.training.loop import load_splits

GRID = {
    "entprop/n": [1, 3, 5],
    "entprop/k_frac": [1 / 3, 2 / 3, 1.0],
    "entprop/epsilon": [1.0, 3.0, 8.0],
    "entprop/metric": ["entropy", "cross_entropy", "confidence", "margin"],
}
COLUMNS = ("n", "k", "epsilon", "metric", "weights", "cost", "epoch", "spent", "val_h")


def train_grid(folder: Path, asked: argparse.Namespace, points: list) -> Results:
    """Train what is not yet trained of the grid."""
    sizes = {"train_images": asked.train_images, "epochs": asked.epochs}
    study = make_study(budget="4N", trials=len(points), sampler="random", confirm=0, fix=f"weights={asked.weights}",
                       dataset=asked.data, out=str(folder),
                       **{name: value for name, value in sizes.items() if value is not None})  # fmt: skip
    results = Results(folder)
    if not (folder / "study.json").exists():
        results.write_study(study_record(study.as_dict(), ["benchmarks.search_table"]))
    splits = load_splits(study.trial)
    search = Search(study, results, Progress(), rung_costs(study.per_epoch, study.trial.epochs))
    search.first = points
    source = Watched(search, "search", StudyGauges(folder.name).show, 0.0)
    if not source.finished:
        with session.ray_session():
            worker = trainable.worker_for(splits, folder.name)
            tuner.run_jobs(source, worker, name=folder.name, folder=folder / "ray", slots=session.slots_of(1, 0))
    return results


def write_table(path: Path, results: Results) -> int:
    """The measured epochs of all finished trials; how many trials there are."""
    done = {row["trial"]: row for row in results.trials if row["status"] == "finished"}
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for epoch in results.epochs:
            if epoch["trial"] in done and epoch["val_h"] is not None:
                row = {**done[epoch["trial"]], **{name: epoch[name] for name in ("epoch", "spent", "val_h")}}
                writer.writerow([row[name] for name in COLUMNS])
    return len(done)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="instance")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--train-images", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--out", type=Path, help="folder of the study [runs/search-DATA-WEIGHTS]")
    asked = parser.parse_args()
    name = f"search-{data_label(asked.data)}-{asked.weights}"
    points = grid_points([GRID], seed=0)
    results = train_grid(asked.out or Path("runs") / name, asked, points)
    count = write_table(RESULTS / f"{name}.csv", results)
    print(f"{count} of {len(points)} runs stand in {RESULTS / name}.csv")


if __name__ == "__main__":
    main()
