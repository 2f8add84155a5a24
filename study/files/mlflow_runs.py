"""Where a study's runs are in MLflow, for the logger and for the export."""

import os
from pathlib import Path
from typing import Any


def mlflow_place(folder: Path) -> str:
    """MLFLOW_TRACKING_URI, or a database in the study's folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.absolute()}/mlflow.db"


def run_ids(client: Any, experiment: str, identity: str) -> dict[str, str]:
    """The ids of a study's runs in MLflow by their names."""
    found: dict[str, str] = {}
    page = None
    while page is None or page:
        several = client.search_runs([experiment], f"tags.study_id = '{identity}'", page_token=page)
        found |= {run.data.tags["trial_name"]: run.info.run_id for run in several}
        page = several.token or ""
    return found
