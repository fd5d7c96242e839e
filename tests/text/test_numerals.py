import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.measure.estimates import Estimate
from sim.measure.quantities import Unit
from sim.text.numerals import duration_text, estimate_text, number_text, percent_text, value_text

S = 1_000_000_000


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0 s"),
        (7, "7 ns"),
        (999.6, "1.00 us"),
        (450_000_000, "450 ms"),
        (999_600_000, "1.00 s"),
        (1.234 * S, "1.23 s"),
        (59.94 * S, "59.9 s"),
        (59.96 * S, "1m00s"),
        (125 * S, "2m05s"),
        (3599.7 * S, "1h00m"),
        (86_399 * S, "1d00h"),
        (364 * 86_400 * S, "364d00h"),
        (2 * 365 * 86_400 * S, "2.00 y"),
        (math.inf, "never"),
    ],
)
def test_a_duration_has_three_digits_or_two_units_and_never_sixty_of_one(duration_ns: float, text: str) -> None:
    assert duration_text(duration_ns) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.9995, "99.95 %"),
        (0.25, "25.00 %"),
        (0.000004, "0.0004 %"),
        (0.999996, "99.9996 %"),
    ],
)
def test_a_percentage_never_rounds_to_0_or_100(share: float, text: str) -> None:
    assert percent_text(share) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1"), (1.333, "1.33"), (12.5, "12.5"), (999.7, "1000"), (123_456.7, "123457"), (2e6, "2e+06"), (0, "0")],
)
def test_a_count_has_three_digits_or_is_whole(number: float, text: str) -> None:
    assert number_text(number) == text


@settings(derandomize=True, deadline=None)
@given(st.floats(0, 2**63))
def test_any_duration_is_short(duration_ns: float) -> None:
    assert len(duration_text(duration_ns)) <= 7


def test_an_estimate_shows_its_interval_if_it_has_one_with_a_width() -> None:
    got = [
        estimate_text(estimate, Unit.share)
        for estimate in (Estimate(0.5, 0.25, 0.75), Estimate(0.5, 0.5, 0.5), Estimate(0.5), Estimate(None))
    ]
    assert got == ["50.00 % (25.00 % to 75.00 %)", "50.00 %", "50.00 %", "-"]


def test_a_value_is_written_in_its_unit() -> None:
    assert [value_text(1.5, unit) for unit in (Unit.count, Unit.share, Unit.duration)] == ["1.50", "100 %", "2 ns"]
