"""How benchmarks time a step: at its turn it is taken once unseen, then several times in a row."""

import pytest

from benchmarks.step import MOST, TURN, Turn


class Slow(Turn):
    """Something that takes so many seconds by its own clock, and ten more when it is new."""

    def __init__(self, seconds):
        super().__init__("cpu")
        self.now, self.taken, self.seconds = 0.0, 0, seconds
        self.clock = lambda: self.now

    def once(self):
        self.taken += 1
        self.now += self.seconds

    def wait(self):
        if self.taken == 1:
            self.now += 10


@pytest.mark.parametrize(("seconds", "count"), [(TURN / 4, 4), (10 * TURN, 1), (TURN / 10_000, MOST)])
def test_a_turn_gives_the_seconds_of_one_step(seconds, count):
    step = Slow(seconds)
    assert step() == pytest.approx(seconds)
    assert (step.taken, step.count) == (2, count)
    assert step() == pytest.approx(seconds)
    assert step.taken == 2 + 1 + count
