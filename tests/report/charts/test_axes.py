import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.report.charts.axes import axis_of, linear_ticks, log_axis, log_ticks

UNITS = st.sampled_from(["duration", "share", "count"])
FINITE = st.just(0.0) | st.floats(1e-9, 1e18)


@given(values=st.lists(FINITE, min_size=1), unit=UNITS, log=st.booleans(), from_zero=st.booleans())
def test_every_value_has_a_place_on_its_axis_in_order(
    values: list[float], unit: str, *, log: bool, from_zero: bool
) -> None:
    axis = axis_of([*values, math.inf], unit, "x", log=log, from_zero=from_zero)
    places = [axis.at(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)
    assert axis.at(math.inf) > max(axis.at(value) for value in values) - 1e-9


@given(values=st.lists(FINITE, min_size=1), unit=UNITS, log=st.booleans())
def test_ticks_ascend_are_few_and_lie_on_the_axis(values: list[float], unit: str, *, log: bool) -> None:
    axis = axis_of(values, unit, "x", log=log)
    places = [value for value, _ in axis.ticks]
    assert places == sorted(set(places))
    assert len(places) <= 12
    assert all(axis.low * (1 - 1e-9) <= place <= axis.high * (1 + 1e-9) for place in places)


@pytest.mark.parametrize(
    ("high_ns", "texts"),
    [
        (50e6, ["0", "10 ms", "20 ms", "30 ms", "40 ms", "50 ms"]),
        (90e9, ["0", "15 s", "30 s", "45 s", "60 s", "75 s", "90 s"]),
        (30 * 60e9, ["0", "5 min", "10 min", "15 min", "20 min", "25 min", "30 min"]),
        (12 * 3600e9, ["0", "2 h", "4 h", "6 h", "8 h", "10 h", "12 h"]),
    ],
)
def test_linear_ticks_are_round_in_the_unit_that_people_read(high_ns: float, texts: list[str]) -> None:
    assert [text for _, text in linear_ticks(0, high_ns, "duration")] == texts


def test_logarithmic_ticks_of_shares_are_decades() -> None:
    assert [text for _, text in log_ticks(1e-4, 1, "share")] == ["0.01 %", "0.1 %", "1 %", "10 %", "100 %"]


def test_zero_has_a_place_of_its_own_on_a_logarithmic_axis() -> None:
    axis = log_axis(1e6, 1e9, "duration", "x", zero=2e6)
    assert axis.at(0) == axis.at(2e6)
    assert axis.ticks[0] == (2e6, "0")
