"""The dashboard for Grafana asks for metrics that the study serves."""

import json
import re
from pathlib import Path

from study.ray_tune.gauges import STUDY, TRIAL

DASHBOARD = Path(__file__).parents[3] / "study" / "grafana" / "study.json"


def test_the_dashboard_shows_every_metric_but_the_epoch_and_no_other():
    asked = set(re.findall(r"ray_(entprop_\w+)", json.dumps(json.loads(DASHBOARD.read_text())["panels"])))
    served = {name for name, _ in [*TRIAL.values(), *STUDY.values()]}
    assert asked == served - {"entprop_epoch"}
