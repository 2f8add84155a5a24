"""A row of trials.csv, as a search of EntProp within 4N writes it."""

from study.config.budget import Budget
from study.config.space import trial_config
from study.config.study_config import Study
from study.files.configs import config_row

STUDY = Study(budget=Budget(4.0))
CONFIG = trial_config(STUDY, {"method": "entprop", "k": 0.2, "n": 5}, 3)


def trial(number, **values):
    base = {"status": "finished", "epochs": 10, "spent": 20.0, "val_sa": 98.5, "val_ra": 90.25, "val_h": 94.2}
    return {**config_row(CONFIG), "config": f"c{number}", "trial": number, **base, **values}
