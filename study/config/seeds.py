"""The seeds of a study. Search, race and confirmation share none, so that luck in one is not counted twice."""

from study.config.study_config import Study

LARGEST = 2**31  # exclusive
RACE, REPEATS = 100_000, 200_000  # how far above the study's own seed those of the race and of repeated settings begin


def confirm_seeds(study: Study) -> tuple[int, ...]:
    """The fresh seeds of the confirmation."""
    return tuple((study.seed + 1 + i) % LARGEST for i in range(study.seeds or 6))


def race_seeds(study: Study, count: int) -> tuple[int, ...]:
    """The seeds of the race, of which the first is that of its first round."""
    return tuple((study.seed + RACE + i) % LARGEST for i in range(count))
