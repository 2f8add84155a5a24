"""The confirmed settings that figures show."""

import pandas as pd

from analysis.comparisons.settings import settings
from analysis.figures.style import Missing
from study.confirm.comparisons import Protocol, Setting, baseline, by_place


def richest(runs: pd.DataFrame, needed: str) -> tuple[Protocol, list[Setting]]:
    """The place (data set, network, epochs …) with the most settings, which must have a vanilla."""
    places = {place: group for place, group in by_place(settings(runs)).items() if baseline(group, "vanilla")}
    if not places:
        raise Missing(f"needs runs on test images that include vanilla; {needed}")
    place = max(places, key=lambda each: len(places[each]))
    return place, places[place]
