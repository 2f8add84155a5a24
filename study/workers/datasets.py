"""The data sets of a study: a search has one, a published table may have several."""

import dataclasses
from pathlib import Path
from typing import Any

from study.config.study_config import Study
from trainables.config import TrialConfig
from trainables.data.images import Splits
from trainables.training.loop import check_batch_size, load_splits


class Data:
    """The data sets of a study, each loaded once."""

    def __init__(self, study: Study) -> None:
        self.root = Path(study.data_root) if study.data_root else None
        self.splits: dict[Any, Splits] = {}

    def of(self, config: TrialConfig) -> Splits:
        """The images that a configuration is trained and measured on; ValueError if its batch is too large."""
        key = data_key(config)
        if key not in self.splits:
            shared = dataclasses.replace(config, resplit=False)  # a worker draws each run's own validation images
            self.splits[key] = load_splits(shared, self.root)
        check_batch_size(config, self.splits[key])
        return self.splits[key]


def data_key(config: TrialConfig) -> tuple[Any, ...]:
    """What two configurations must share to be trained on the same arrays."""
    return config.dataset, config.train_images, config.resize
