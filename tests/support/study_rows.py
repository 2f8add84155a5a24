"""Rows of made-up trials and confirmed runs."""

from study.config.budget import Budget
from study.config.space import trial_config
from study.config.study_config import Study
from study.files.configs import config_row

STUDY = Study(budget=Budget(4.0))


def row(values, **more):
    return {**config_row(trial_config(STUDY, values, 0)), **more}


def trial(number, values=None, **more):
    base = {"trial": number, "status": "finished", "epochs": 10, "spent": 20.0, "seconds": 8.4, "error": None}
    accuracies = {"val_sa": 98.5, "val_ra": 90.26, "val_h": 94.2}
    return row(values or {"method": "entprop", "k": 0.35, "n": 3, "epsilon": 2.5}, **{**base, **accuracies, **more})


def runs(why, values, scores, **more):
    base = {"why": why, "epochs": 10, "sa": 98.0, "ra": 90.0, "seconds": 9.0, "error": None}
    return [row(values, **{**base, "seed": seed, "h": h, **more}) for seed, h in enumerate(scores, start=1)]


BEST = {"method": "entprop", "k": 0.35, "n": 3, "epsilon": 2.5}
VANILLA, MIXUP = {"method": "vanilla"}, {"method": "mixup"}


CONFIRMED = [
    *runs("vanilla", VANILLA, [90.0, 90.5, 91.0]),
    *runs("mixup", MIXUP, [94.5, 93.0, 94.2]),
    *runs("best-1", BEST, [94.0, 94.2, 94.4]),
]
