"""Train the real runs on which `benchmarks.search` is based: settings of the default space, with several seeds each.

    python -m benchmarks.search_table                    # 54 trainings on the embedded images
    python -m benchmarks.search_table --data npz:cifar10.npz --train-images 1000 --epochs 15

The settings are the four published ones of EntProp and 14 drawn from the space that `python study/run.py --budget 4N`
searches. Each seed is a separate study in a folder below `--out`, with these settings as its proposals. The same
command resumes. The runs become `results/search-DATA.csv`: setting, seed, cost, and H on validation images.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import csv
from pathlib import Path

from benchmarks.report import RESULTS, data_label
from study.config.make_study import make_study
from study.config.space import first_proposals, space_of
from study.config.study_config import Study
from study.display.progress import Progress
from study.files.results import Results
from study.files.study_json import study_record
from study.ray_tune import session, trainable, tuner
from study.search.sampling import Proposals
from study.search.search import Search
from study.workers.in_turn import InTurn
from study.workers.tally import Tally
from trainables.data.datasets import EMBEDDED
from trainables.training.loop import load_splits

PUBLISHED, DRAWN = 4, 14
COLUMNS = ("n", "k", "epsilon", "metric", "seed", "cost", "epochs", "val_sa", "val_ra", "val_h")


def points_of(study: Study) -> list[dict]:
    """The settings as parameters of proposals."""
    drawn = Proposals(space_of(study), "random", 0)
    return first_proposals(study, PUBLISHED) + [drawn.draw(number) for number in range(DRAWN)]


def train(folder: Path, asked: argparse.Namespace, seed: int) -> Results:
    """Train what is not yet trained with one seed."""
    sizes = {"train_images": asked.train_images, "epochs": asked.epochs}
    study = make_study(budget="4N", trials=PUBLISHED + DRAWN, sampler="random", confirm=0, seed=seed,
                       dataset=asked.data, out=str(folder),
                       **{name: value for name, value in sizes.items() if value is not None})  # fmt: skip
    results = Results(folder)
    if not (folder / "study.json").exists():
        results.write_study(study_record(study.as_dict(), ["benchmarks.search_table"]))
    splits = load_splits(study.trial)
    search = Search(study, results)
    search.first = points_of(study)
    tally = Tally()
    source = InTurn([search], [tally, Progress(tally)])
    source.begin()
    if not source.finished:
        with session.ray_session():
            worker = trainable.worker_for(splits, folder.name)
            tuner.run_jobs(source, worker, name=folder.name, folder=folder / "ray", slots=session.Slots(1, 0))
    return results


def write_table(path: Path, several: list[Results]) -> int:
    """The finished trials of all seeds; how many they are."""
    rows = [row for results in several for row in results.trials if row["status"] == "finished"]
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([row[name] for name in COLUMNS] for row in rows)
    return len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=EMBEDDED)
    parser.add_argument("--train-images", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder of the studies [runs/search-DATA]")
    asked = parser.parse_args()
    name = f"search-{data_label(asked.data)}"
    several = []
    for seed in range(asked.seeds):
        several.append(train((asked.out or Path("runs") / name) / f"seed-{seed}", asked, seed))
        count = write_table(RESULTS / f"{name}.csv", several)
    print(f"{count} of {(PUBLISHED + DRAWN) * asked.seeds} runs stand in {RESULTS / name}.csv")


if __name__ == "__main__":
    main()
