"""How narrow intervals have to be: what is written, and when it is reached."""

import math

import pytest

from sim.expect.expectations import ExpressionError
from sim.expect.targets import half_width, parse_target
from sim.measure.estimates import Estimate

MS = 1_000_000


@pytest.mark.parametrize(
    ("text", "width", "relative"),
    [
        ("time_to_effect.p99 +- 5%", 0.05, True),
        ("time_to_effect.p99+-20ms", 20 * MS, False),
        ("time_to_effect.p99 \u00b1 20ms", 20 * MS, False),
        ("duplicates.rate +- 0.1%", 0.001, False),
        ("duplicates.rate +- 0.1pp", 0.001, False),
        ("duplicates.rate +- 0.001", 0.001, False),
        ("attempts.mean +- 0.05", 0.05, False),
        ("attempts.mean +- 2%", 0.02, True),
    ],
)
def test_a_width_is_an_amount_or_a_share_of_the_value(text: str, width: float, *, relative: bool) -> None:
    read = parse_target(text)
    assert (read.width, read.relative) == (width, relative)


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", 1, "write METRIC +- WIDTH, such as time_to_effect.p99 +- 5%"),
        ("sucess.rate +- 1%", 1, "unknown metric 'sucess.rate'; did you mean 'success.rate'?"),
        ("attempts.max +- 1", 1, "a maximum has no interval"),
        ("success.rate <= 1%", 14, "after the metric comes +- and a width: 0.1% (percentage points)"),
        ("success.rate 1%", 14, "after the metric comes +- and a width: 0.1% (percentage points)"),
        ("success.rate +- 1s", 17, "'1s' is not a width of success.rate: write 0.1% (percentage points)"),
        ("attempts.mean +- 0", 18, "no interval is that narrow: write 0.05 or 5% (of the value)"),
        (
            "time_to_effect.p50 +- 20",
            23,
            "not a duration; write a number with a unit, such as 250ms, 1.5s or 1m30s",
        ),
    ],
)
def test_what_is_no_target_is_told_with_its_column(text: str, column: int, reason: str) -> None:
    with pytest.raises(ExpressionError) as told:
        parse_target(text)
    assert (told.value.column, told.value.reason) == (column, reason)


@pytest.mark.parametrize(
    ("text", "estimate", "reached"),
    [
        ("duplicates.rate +- 1%", Estimate(0.02, 0.012, 0.03), True),
        ("duplicates.rate +- 1%", Estimate(0.02, 0.012, 0.031), False),
        ("time_to_effect.p50 +- 10%", Estimate(100.0, 90.0, 109.0), True),
        ("time_to_effect.p50 +- 10%", Estimate(100.0, 89.0, 109.0), False),
        ("time_to_effect.p50 +- 10%", Estimate(0.0, 0.0, 0.0), True),
        ("time_to_effect.p50 +- 10%", Estimate(100.0, 90.0, math.inf), False),
        ("time_to_effect.p50 +- 10%", Estimate(math.inf, 90.0, math.inf), False),
        ("time_to_effect.p50 +- 10%", Estimate(math.inf, math.inf, math.inf), True),
        ("time_to_effect.p50 +- 10%", Estimate(100.0), False),
        ("time_to_effect.p50 +- 10%", Estimate(None), False),
    ],
)
def test_a_target_is_reached_when_neither_end_is_further_off(text: str, estimate: Estimate, *, reached: bool) -> None:
    assert parse_target(text).is_reached(estimate) is reached


def test_the_half_width_is_that_of_the_longer_side() -> None:
    assert half_width(Estimate(10.0, 7.0, 12.0)) == 3.0
