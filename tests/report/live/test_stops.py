"""The values of a slider: texts that files take, in order, with the value that there is among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.kernel.durations import NS_PER_MS, NS_PER_S, UNITS_NS, parse_duration, parse_rate
from sim.report.live.stops import Bounds, Kind, stops_around

FREE = Bounds()


def value_of(kind: Kind, text: str) -> float:
    if kind == "duration":
        return parse_duration(text)
    return parse_rate(text) if kind == "rate" else float(text)


@given(
    st.one_of(
        st.tuples(st.just("duration"), st.integers(0, UNITS_NS["d"])),
        st.tuples(st.just("rate"), st.floats(1e-6, 1e6)),
        st.tuples(st.just("share"), st.floats(0, 1)),
        st.tuples(st.just("whole"), st.integers(0, 10**6)),
        st.tuples(st.just("number"), st.floats(0, 1e4)),
    )
)
def test_stops_are_values_of_files_in_order_and_the_own_one_is_exact(case: tuple[Kind, float]) -> None:
    kind, value = case
    stops, at = stops_around(kind, value, Bounds(0, 1) if kind == "share" else FREE)
    found = [value_of(kind, text) for text in stops]
    assert found == sorted(set(found))
    assert value_of(kind, stops[at]) == value
    assert len(stops) <= 160


def test_durations_go_on_a_logarithmic_scale_to_a_hundred_times_and_begin_at_zero() -> None:
    stops, _ = stops_around("duration", 250 * NS_PER_MS, FREE)
    assert (stops[0], stops[1], stops[-1]) == ("0s", "2.5ms", "25s")


@pytest.mark.parametrize(("kind", "value"), [("share", 0.0), ("whole", 0), ("number", 0.0), ("duration", 0)])
def test_what_is_zero_can_grow(kind: Kind, value: float) -> None:
    stops, at = stops_around(kind, value, FREE)
    assert at == 0
    assert len(stops) > 9


def test_no_stop_lies_beyond_the_bounds_and_open_ends_are_left_out() -> None:
    stops, _ = stops_around("duration", NS_PER_S, Bounds(0, 2 * NS_PER_S, low_open=True, high_open=True))
    assert stops[0] == "10ms"
    assert stops[-1] == "1.5s"


def test_a_percentile_has_the_places_that_matter() -> None:
    stops, at = stops_around("number", 95, Bounds(0, 100, low_open=True, high_open=True))
    assert stops[at] == "95"
    assert {"50", "99", "99.9"} <= set(stops)
