"""Durations in the units of formats."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.converters.units import AGE, GO, MILLISECONDS, PROTO, SECONDS, SPRING, TIME_SPAN, WHOLE_SECONDS, Unit
from sim.kernel.durations import NS_PER_S

S = NS_PER_S


@pytest.mark.parametrize(
    ("unit", "value", "ns"),
    [
        (PROTO, "1.5s", 1_500_000_000),
        (PROTO, "0.000000001s", 1),
        (PROTO, "-1s", -S),
        (GO, "1m30s", 90 * S),
        (GO, "1h0.5s", 3600 * S + S // 2),
        (GO, "25ms", 25_000_000),
        (GO, "0", 0),
        (TIME_SPAN, "00:00:02", 2 * S),
        (TIME_SPAN, "00:00:00.0250000", 25_000_000),
        (TIME_SPAN, "1.02:03:04", 93_784 * S),
        (TIME_SPAN, "-00:00:01", -S),
        (TIME_SPAN, "01:30", 5400 * S),
        (TIME_SPAN, "2", 172_800 * S),
        (SPRING, "500ms", S // 2),
        (SPRING, 500, S // 2),
        (SPRING, "500", S // 2),
        (SPRING, "2S", 2 * S),
        (SPRING, "PT0.5S", S // 2),
        (SPRING, "P1DT1H", 90_000 * S),
        (SECONDS, 0.1, S // 10),
        (SECONDS, 3, 3 * S),
        (WHOLE_SECONDS, "30", 30 * S),
        (MILLISECONDS, 2.5, 2_500_000),
        (AGE, "2d", 172_800 * S),
    ],
)
def test_a_duration_is_read(unit: Unit, value: Any, ns: int) -> None:
    assert unit.read_ns(value) == ns


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        (PROTO, "1.5"),
        (PROTO, "100ms"),
        (PROTO, 2),
        (PROTO, "1.0000000001s"),
        (GO, "1.5"),
        (GO, "1 s"),
        (GO, "2d"),
        (GO, 5),
        (TIME_SPAN, "2s"),
        (TIME_SPAN, "00:61:00"),
        (TIME_SPAN, "25:00:00"),
        (TIME_SPAN, 2),
        (SPRING, "1.5s"),
        (SPRING, "PT"),
        (SPRING, "P"),
        (SECONDS, "2s"),
        (SECONDS, True),
        (SECONDS, float("nan")),
        (SECONDS, float("inf")),
        (WHOLE_SECONDS, 1.5),
        (MILLISECONDS, None),
        (MILLISECONDS, []),
        (AGE, "2"),
        (GO, "1s" * 40),
        (SECONDS, 1e12),
        (PROTO, "99999999999s"),
    ],
)
def test_what_is_no_duration_of_a_unit_is_refused(unit: Unit, value: Any) -> None:
    with pytest.raises(ValueError, match=r"not a duration|at most 100 years"):
        unit.read_ns(value)


@pytest.mark.parametrize("unit", [PROTO, GO, SECONDS, MILLISECONDS, AGE], ids=["proto", "go", "s", "ms", "age"])
@given(ns=st.integers(0, 10**15))
def test_what_a_unit_writes_it_reads_back(unit: Unit, ns: int) -> None:
    if unit is AGE and ns % S:
        ns -= ns % S  # it writes part seconds in decimals, which are read, too, but not all of them are short
    assert unit.read_ns(unit.write(ns)) == ns


@given(ns=st.integers(0, 10**13))
def test_a_time_span_counts_in_100_ns(ns: int) -> None:
    assert TIME_SPAN.read_ns(TIME_SPAN.write(ns * 100)) == ns * 100


def test_a_unit_that_cannot_hold_a_duration_says_so() -> None:
    with pytest.raises(ValueError, match="100 ns"):
        TIME_SPAN.write(1)
    with pytest.raises(ValueError, match="whole seconds"):
        WHOLE_SECONDS.write(1)
