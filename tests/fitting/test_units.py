import math

import pytest

from sim.fitting.intervals import Found
from sim.fitting.units import duration, interval_text, p_text, percent, rate_text, share_text


@pytest.mark.parametrize(
    ("value_ns", "text"),
    [
        (12, "12 ns"),
        (1_500, "1.5 us"),
        (123_456_789, "123 ms"),
        (1_999_000_000, "2 s"),
        (90e9, "90 s"),
        (150e9, "2.5 min"),
        (3 * 3600e9, "3 h"),
        (math.inf, "no bound"),
    ],
)
def test_durations_have_three_digits_and_one_unit(value_ns: float, text: str) -> None:
    assert duration(value_ns) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.00012, "0.012 %"), (0.0304, "3.04 %"), (0.9632, "96.32 %"), (1, "100 %")]
)
def test_small_shares_keep_two_digits(share: float, text: str) -> None:
    assert percent(share) == text


def test_a_rate_is_told_in_the_unit_that_suits_it() -> None:
    assert rate_text(Found(20.0, 19.0, 21.0)) == "20/s (19 to 21)"
    assert rate_text(Found(0.25, 0.2, 0.3)) == "15/min (12 to 18)"
    assert rate_text(Found(0.001, 0.0005, 0.002)) == "3.6/h (1.8 to 7.2)"


def test_an_interval_without_an_end_says_so() -> None:
    assert interval_text(Found(1e9, 5e8, math.inf)) == "1 s (500 ms with no upper bound)"
    assert interval_text(Found(1e9, 0.0, math.inf)) == "1 s (too few for an interval)"
    assert share_text(Found(0.5, 0.25, 0.75)) == "50 % (25 % to 75 %)"
    assert p_text(1e-9) == "p < 1e-6"
    assert p_text(0.034) == "p = 0.034"
