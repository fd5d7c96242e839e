"""Intervals over replications: they are the sample, also where they agree."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from sim.history.vocabulary import NEVER
from sim.measure.estimates import Estimate, Sample
from sim.measure.means import NEVER_DIFFERS
from sim.measure.possible import SHARE, Bounds
from sim.measure.replications import correlation_below, over_replications, quantile_over_replications

HALF, P99 = Fraction(1, 2), Fraction(99, 100)
UNSEEN_OF_10 = 1 - 0.025**0.1


def quantile_of(parts: Sequence[Sequence[int]], share: Fraction, **more: str) -> Estimate:
    samples = [Sample.of(np.array(part, dtype=np.int64)) for part in parts]
    pooled = Sample.of(np.array([value for part in parts for value in part], dtype=np.int64))
    return quantile_over_replications(pooled, samples, share, **more)


def test_replications_give_at_least_a_t_interval_about_the_pooled_value() -> None:
    got = over_replications(101.0, [90.0, 100.0, 110.0])
    assert (got.value, (got.low or 0) <= 101 - 24.84, (got.high or 0) >= 101 + 24.84) == (101.0, True, True)


def test_one_replication_gives_no_interval() -> None:
    assert over_replications(0.5, [0.5]) == Estimate(0.5)


def test_replications_that_agree_on_a_rate_leave_room_for_those_that_do_not() -> None:
    got = over_replications(1.0, [1.0] * 10, SHARE)
    assert (got.low, got.high) == (pytest.approx(1 - UNSEEN_OF_10), 1.0)


def test_replications_that_agree_on_what_has_no_bounds_give_no_interval() -> None:
    assert over_replications(7.0, [7.0] * 10) == Estimate(7.0, reason=NEVER_DIFFERS)


def test_replications_that_are_all_infinite_are_infinite_beyond_doubt() -> None:
    assert over_replications(math.inf, [math.inf, math.inf]) == Estimate(math.inf, math.inf, math.inf)


def test_replications_of_which_some_are_infinite_say_nothing() -> None:
    assert over_replications(9.0, [8.0, math.inf]) == Estimate(9.0, 0.0, math.inf)


def test_a_share_stays_within_0_and_1() -> None:
    got = over_replications(0.5, [0.1, 0.9], SHARE)
    assert (got.low, got.high) == (0.0, 1.0)


def test_an_interval_down_to_a_bound_begins_at_it_whatever_rounding_leaves_of_the_difference() -> None:
    values = [0.1, 0.7, 13.3]
    pooled = math.nextafter(math.fsum(values) / 3, math.inf)
    assert over_replications(pooled, values, Bounds(0.0, math.inf)).low == 0.0


def test_replications_that_see_too_few_turns_have_at_least_the_interval_of_those_that_agree() -> None:
    values = [0.9, 0.91, 0.89, 0.9, 0.9, 0.91, 0.89, 0.9, 0.92, 0.88]
    got = over_replications(0.9, values, SHARE, few_turns="too few")
    assert (got.low, got.high) == (pytest.approx(0.9 - 0.9 * UNSEEN_OF_10), pytest.approx(0.9 + 0.1 * UNSEEN_OF_10))


def test_what_has_no_bounds_has_no_interval_if_too_few_turns_are_seen() -> None:
    assert over_replications(9.0, [8.0, 10.0], few_turns="too few") == Estimate(9.0, reason="too few")


def test_a_quantile_of_replications_that_differ_spans_their_values() -> None:
    got = quantile_of([[10 * number] * 20 for number in range(1, 12)], HALF)
    assert (got.value, got.low, got.high) == (60.0, 20.0, 100.0)


def test_a_quantile_of_one_replication_has_no_interval() -> None:
    assert quantile_of([[1, 2, 3]], HALF) == Estimate(2.0)


def test_a_high_quantile_needs_more_replications_than_agree_here() -> None:
    got = [quantile_of([[7] * 20] * 10, share) for share in (HALF, P99)]
    assert got == [Estimate(7.0, 7.0, 7.0), Estimate(7.0, 7.0, math.inf)]


def test_a_quantile_with_infinite_values_above_it_is_bounded() -> None:
    got = quantile_of([[value, value + 1, value + 2, NEVER] for value in range(20)], HALF)
    assert math.isfinite(got.high or math.inf)


def test_replications_that_share_their_chance_are_correlated_less_one_standard_error() -> None:
    samples = [Sample.of(np.arange(10) + shift) for shift in range(12)]
    found = correlation_below((12.0, 12.0), (samples, samples))
    assert 0.99 < found < 1.0


def test_few_replications_or_such_as_agree_show_no_correlation() -> None:
    alike = [Sample.of(np.arange(10))] * 12
    few = [Sample.of(np.arange(10) + shift) for shift in range(4)]
    assert [correlation_below((5.0, 5.0), (one, one)) for one in (alike, few)] == [0.0, 0.0]


def test_a_quantile_over_independent_replications_is_covered_as_often_as_promised() -> None:
    generator = np.random.default_rng(3)
    hits = 0
    for _ in range(300):
        # Replications differ by a common factor, so that requests of one depend on each other.
        values = np.exp(generator.normal(0, 0.3, (20, 1)) + generator.normal(0, 1, (20, 50))) * 1e6
        got = quantile_of(values.astype(np.int64).tolist(), Fraction(9, 10))
        hits += (got.low or 0) <= 1e6 * math.exp(1.2815515655446004 * math.sqrt(1.09)) <= (got.high or 0)
    assert 0.92 <= hits / 300 <= 0.99
