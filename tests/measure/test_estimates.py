import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.history.vocabulary import NEVER
from sim.measure.estimates import (
    NOTHING,
    Estimate,
    Sample,
    Z,
    interval_ranks,
    largest,
    quantile,
    quantile_rank,
    rate,
)

lawful = settings(derandomize=True, deadline=None, max_examples=60)
shares = st.sampled_from([Fraction(1, 2), Fraction(9, 10), Fraction(99, 100), Fraction(999, 1000)])
HALF = Fraction(1, 2)


def sample(*values: int) -> Sample:
    return Sample.of(np.array(values, dtype=np.int64))


def binomial(count: int, share: Fraction) -> list[Fraction]:
    return [math.comb(count, hits) * share**hits * (1 - share) ** (count - hits) for hits in range(count + 1)]


def rounded(estimate: Estimate) -> tuple[float | None, ...]:
    return tuple(None if number is None else round(number, 4) for number in (estimate.low, estimate.high))


@lawful
@given(values=st.lists(st.integers(0, 20), min_size=1, max_size=60), share=shares)
def test_a_quantile_is_the_smallest_value_with_enough_of_the_sample_at_or_below_it(
    values: list[int], share: Fraction
) -> None:
    enough = [value for value in sorted(values) if sum(other <= value for other in values) >= share * len(values)]
    assert quantile(sample(*values), share).value == enough[0]


def test_the_rank_of_a_quantile_is_exact_where_floats_would_round_up() -> None:
    assert [quantile_rank(1000, Fraction(999, 1000)), quantile_rank(100, Fraction(29, 100))] == [999, 29]


@lawful
@given(count=st.integers(1, 400), share=shares)
def test_each_end_of_a_quantile_interval_leaves_at_most_2_5_percent_and_no_closer_rank_does(
    count: int, share: Fraction
) -> None:
    lower, upper = interval_ranks(count, share)
    law, tail = binomial(count, share), Fraction(25, 1000)
    got = (
        sum(law[:lower]) <= tail,
        sum(law[: lower + 1]) > tail,
        sum(law[upper:]) <= tail,
        sum(law[upper - 1 :]) > tail,
    )
    assert got == (True, True, True, True)


@lawful
@given(count=st.integers(1, 200), share=shares, chance=st.integers(0, 20))
def test_a_quantile_interval_covers_laws_with_jumps_at_least_95_times_in_100(
    count: int, share: Fraction, chance: int
) -> None:
    of_zero = Fraction(chance, 20)
    true_quantile = 0 if of_zero >= share else 1
    covered = Fraction(0)
    for zeros, probability in enumerate(binomial(count, of_zero)):
        estimate = quantile(Sample(np.array([0] * zeros + [1] * (count - zeros), dtype=np.int64)), share)
        assert estimate.low is not None
        assert estimate.high is not None
        if estimate.low <= true_quantile <= estimate.high:
            covered += probability
    assert covered >= Fraction(95, 100)


def test_a_p99_has_no_upper_bound_below_368_requests() -> None:
    got = [quantile(Sample(np.arange(count)), Fraction(99, 100)).high for count in (367, 368)]
    assert got == [math.inf, 367.0]


def test_a_sample_too_small_for_a_lower_bound_is_bounded_by_zero() -> None:
    assert quantile(sample(7, 9), HALF) == Estimate(7.0, 0.0, math.inf)


def test_infinite_values_count_as_the_largest() -> None:
    assert Sample.of(np.array([NEVER, 5, NEVER, 3])).ordered(2) == 5.0
    assert quantile(Sample.of(np.array([NEVER] * 60 + [5] * 40)), HALF) == Estimate(math.inf, 5.0, math.inf)


def test_everything_infinite_is_infinite_beyond_doubt_where_the_sample_is_large() -> None:
    assert quantile(Sample.of(np.full(50, NEVER)), HALF) == Estimate(math.inf, math.inf, math.inf)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998),
        # table I, method 5.
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_the_exact_interval_of_a_rate_has_the_published_values(hits: int, trials: int, low: float, high: float) -> None:
    assert rounded(rate(hits, trials)) == (low, high)


@lawful
@given(trials=st.integers(1, 200), share=st.floats(0.0005, 0.9995))
def test_a_rate_is_covered_at_least_95_times_in_100(trials: int, share: float) -> None:
    covered = 0.0
    for hits in range(trials + 1):
        estimate = rate(hits, trials)
        if (estimate.low or 0) <= share <= (estimate.high or 0):
            covered += math.comb(trials, hits) * share**hits * (1 - share) ** (trials - hits)
    assert covered >= 0.95 - 1e-9


def test_wilsons_interval_would_cover_a_rare_rate_only_84_times_in_100() -> None:
    # Its lower limit for one hit lies above 0.17 / n, so that only samples without a hit cover that rate.
    hits, trials, rate_of_one = 1, 400, 0.17 / 400
    middle, spread = 1 + Z**2 / 2, Z * math.sqrt(hits * (1 - hits / trials) + Z**2 / 4)
    assert (middle - spread) / (1 + Z**2 / trials) / trials > rate_of_one
    assert round((1 - rate_of_one) ** trials, 2) == 0.84


def test_rates_of_none_and_of_all_have_ends_at_exactly_0_and_1() -> None:
    assert [rate(0, 7).low, rate(7, 7).high, rate(0, 0)] == [0.0, 1.0, NOTHING]


def test_no_values_give_no_estimate() -> None:
    empty = sample()
    assert [quantile(empty, HALF), largest(empty)] == [NOTHING, NOTHING]
