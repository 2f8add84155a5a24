"""What a plan says of the images: how many, of how many classes, how large, how split, and why they are so trained."""

from pathlib import Path

from study.config.study_config import Study
from study.display.table_plan import wrapped
from trainables.data.datasets import DATASETS, EMBEDDED, dataset_entry, load_dataset
from trainables.data.images import Splits

AT_HAND = (EMBEDDED, "digits")  # nothing is downloaded for these


def read_data(study: Study) -> Splits | None:
    """The images of a search, if they can be read without a download; ValueError if they are not as they must be."""
    trial = study.trial
    own = trial.dataset not in DATASETS
    there = Path(trial.dataset.partition(":")[2]).exists() if own else trial.dataset in AT_HAND
    if study.table is not None or not there:
        return None
    root = Path(study.data_root) if study.data_root else None
    splits = load_dataset(trial.dataset, root, limit=trial.train_images, resize=trial.resize)
    if trial.batch_size > len(splits.train):
        from trainables.training.loop import check_batch_size

        check_batch_size(trial, splits)
    return splits


def data_lines(study: Study, splits: Splits | None) -> list[str]:
    """The data line of a search, and the reason of its recipe where the images are somebody's own."""
    if study.table is not None:
        return []
    entry = dataset_entry(study.trial.dataset, study.trial.resize)
    lines = wrapped("data", entry.description if splits is None else data_text(splits))
    return lines + (wrapped("recipe", entry.reason) if entry.reason else [])


def data_text(splits: Splits) -> str:
    """Images, classes, size, split and source."""
    parts = splits.train, splits.validation, splits.test
    train, validation, test = (f"{len(part):,}" for part in parts)
    return (
        f"{sum(map(len, parts)):,} images of {len(splits.classes)} classes, {splits.size} px: {train} for training, "
        f"{validation} for validation, {test} for test; {splits.source}"
    )
