"""The picture of characters at the end of a study."""

from hypothesis import given
from hypothesis import strategies as st

from study.display.chart import Bar, interval_chart

numbers = st.floats(0, 100)
bars = st.lists(
    st.builds(lambda values: Bar("x", *sorted(values)), st.tuples(numbers, numbers, numbers)), min_size=1, max_size=9
)


def test_bars_stand_on_one_scale():
    drawn = interval_chart("H", [Bar("one", 90, 91, 92), Bar("another", 94, 95, 96), Bar("a seed", 93, 93, 93)], 25)
    assert drawn.splitlines() == [
        "H        90.00               96.00",
        "one      ├───●───┤",
        "another                  ├───●───┤",
        "a seed               ●",
    ]


@given(bars)
def test_whatever_is_drawn_stays_within_the_scale_and_shows_every_mean(several):
    title, *lines = interval_chart("", several, 40).splitlines()
    assert len(title) == 1 + 2 + 40
    assert len(lines) == len(several)
    assert all(len(line) <= 1 + 2 + 40 and line.count("●") == 1 for line in lines)
