"""What Ray is told through environment variables; nothing here imports it."""

import logging
import os

SETTINGS = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run`, workers use this environment instead of building their own
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # trials stay where the study was started, so that relative paths mean the same
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # their files are not read
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # `JobSearcher` holds jobs back; every job that it hands out may start
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # between rungs, and after a failure, a row holds no H
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


def configure() -> None:
    """Set what the user has not set. Ray reads the first of the settings when it is imported: call this before."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a failure is reported once, by the study
