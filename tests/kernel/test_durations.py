"""Literals of durations and rates, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.kernel.durations import (
    LONGEST_NS,
    MAX_LITERAL,
    RATE_LEAST,
    RATE_MOST,
    format_duration,
    format_rate,
    parse_duration,
    parse_rate,
)


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("0s", 0),
        ("1ns", 1),
        ("50us", 50_000),
        ("250ms", 250_000_000),
        ("1.5s", 1_500_000_000),
        ("1m30s", 90_000_000_000),
        ("2h", 7_200_000_000_000),
        ("7d", 604_800_000_000_000),
        ("1d2h3m4s5ms6us7ns", 93_784_005_006_007),
        (" 10ms ", 10_000_000),
        ("250 ms", 250_000_000),
        ("5min", 300_000_000_000),
        ("1 hour 30 minutes", 5_400_000_000_000),
        ("1_000us", 1_000_000),
        ("7 µs", 7_000),
        ("36500d", LONGEST_NS),
        (42, 42),
    ],
)
def test_a_literal_is_read_as_nanoseconds(text: object, expected_ns: int) -> None:
    assert parse_duration(text) == expected_ns


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [("0.1us", 100), ("0.000000001s", 1), ("2.0000000015s", 2_000_000_002), ("0.4ns", 0), ("0.1h", 360_000_000_000)],
)
def test_fractions_are_exact_and_rounded_once(text: str, expected_ns: int) -> None:
    assert parse_duration(text) == expected_ns


@pytest.mark.parametrize(
    "value",
    [
        "",
        "250",
        "ms",
        "250MS",
        "1e3ms",
        "+5ms",
        ".5s",
        "5.s",
        "1,5s",
        "\u0665ms",
        "5month",
        "1s\x00",
        "1:30",
        None,
        True,
        1.5,
        [],
        {},
        float("nan"),
    ],
)
def test_what_is_not_a_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@pytest.mark.parametrize("value", ["-5ms", " -1s", -1])
def test_a_negative_duration_is_called_negative(value: object) -> None:
    with pytest.raises(ValueError, match="a duration cannot be negative"):
        parse_duration(value)


@pytest.mark.parametrize("value", ["36500d1ns", "36501d", "9" * 60 + "d", LONGEST_NS + 1])
def test_more_than_100_years_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="at most 100 years"):
        parse_duration(value)


@pytest.mark.parametrize("value", ["30s1m", "1s1s", "1ms1s"])
def test_units_in_another_order_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="from large to small, each once"):
        parse_duration(value)


def test_an_endless_literal_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration("0" * MAX_LITERAL + "1s")


@pytest.mark.parametrize(
    ("duration_ns", "expected"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5us"),
        (250_000_000, "250ms"),
        (1_500_000_000, "1.5s"),
        (90_000_000_000, "1m30s"),
        (3_600_000_000_000, "1h"),
        (86_400_000_000_001, "1d0.000000001s"),
        (-5_000_000, "-5ms"),
    ],
)
def test_a_duration_is_written_as_people_write_it(duration_ns: int, expected: str) -> None:
    assert format_duration(duration_ns) == expected


@given(st.integers(0, LONGEST_NS))
def test_a_written_duration_reads_back_the_same(duration_ns: int) -> None:
    assert parse_duration(format_duration(duration_ns)) == duration_ns


@pytest.mark.parametrize(
    ("text", "per_second"),
    [
        ("50/s", 50.0),
        ("3/m", 0.05),
        ("1/h", 1 / 3600),
        ("0.5/s", 0.5),
        (" 2/s ", 2.0),
        (7.5, 7.5),
        ("86400/day", 1.0),
        ("3 / min", 0.05),
        ("1.2e3/s", 1200.0),
        ("3_600/hour", 1.0),
    ],
)
def test_a_rate_is_read_as_events_per_second(text: object, per_second: float) -> None:
    assert parse_rate(text) == per_second


def test_a_negative_rate_is_called_that() -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        parse_rate("-1/s")


@pytest.mark.parametrize(
    "value", ["50", "50/w", "50/month", "1e-3/s", "1e999/s", "/s", "fast", 50, None, True, "\u0665/s"]
)
def test_what_is_not_a_rate_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a rate"):
        parse_rate(value)


@pytest.mark.parametrize(
    "value", ["0/s", "0.0/h", "1000000001/s", 0.0, -1.0, float("nan"), float("inf"), "9999999999/s"]
)
def test_a_rate_out_of_bounds_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="a rate lies above 0"):
        parse_rate(value)


@pytest.mark.parametrize("digits", [400, 5000])
def test_an_endless_rate_is_a_plain_error(digits: int) -> None:
    with pytest.raises(ValueError, match="not a rate"):
        parse_rate("9" * digits + "/s")


@pytest.mark.parametrize(
    ("per_second", "expected"),
    [(50.0, "50/s"), (1 / 60, "1/m"), (1 / 3600, "1/h"), (0.5, "0.5/s"), (RATE_MOST, "1000000000/s")],
)
def test_a_rate_is_written_as_people_write_it(per_second: float, expected: str) -> None:
    assert format_rate(per_second) == expected


@given(st.floats(RATE_LEAST, RATE_MOST))
def test_a_written_rate_reads_back_the_same(per_second: float) -> None:
    assert parse_rate(format_rate(per_second)) == per_second


def test_a_law_in_the_place_of_a_duration_is_told_apart_from_a_number_without_a_unit() -> None:
    with pytest.raises(ValueError, match="expected one duration"):
        parse_duration({"constant": "5ms"})
