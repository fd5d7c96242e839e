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
    hull,
    interval_ranks,
    largest,
    mean,
    over_replications,
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
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_has_the_published_values(hits: int, trials: int, low: float, high: float) -> None:
    assert rounded(rate(hits, trials)) == (low, high)


@lawful
@given(trials=st.integers(1, 10**9), part=st.integers(0, 10**6), bound=st.floats(0.001, 0.999))
def test_wilsons_interval_holds_what_the_score_test_does_not_refuse(trials: int, part: int, bound: float) -> None:
    hits = trials * part // 10**6
    estimate = rate(hits, trials)
    distance = abs(hits / trials - bound) - Z * math.sqrt(bound * (1 - bound) / trials)
    assert estimate.low is not None
    assert estimate.high is not None
    if abs(distance) > 1e-9:
        assert (estimate.low <= bound <= estimate.high) == (distance < 0)


def test_rates_of_none_and_of_all_have_ends_at_exactly_0_and_1() -> None:
    assert [rate(0, 7).low, rate(7, 7).high, rate(0, 0)] == [0.0, 1.0, NOTHING]


def test_a_mean_has_students_interval() -> None:
    got = mean(sample(1, 2, 3, 4, 5))
    assert (got.value, *rounded(got)) == (3.0, 1.0368, 4.9632)


def test_a_mean_of_equal_values_has_an_interval_of_width_zero() -> None:
    assert mean(sample(*[2**60 + 1] * 3)) == Estimate(float(2**60), float(2**60), float(2**60))


def test_a_mean_of_one_value_has_no_interval() -> None:
    assert mean(sample(4)) == Estimate(4.0)


def test_a_mean_with_one_infinite_value_is_infinite_beyond_doubt() -> None:
    assert mean(sample(1, NEVER)) == Estimate(math.inf, math.inf, math.inf)


def test_the_interval_of_a_mean_does_not_go_below_zero() -> None:
    assert mean(sample(0, 0, 10)).low == 0.0


def test_no_values_give_no_estimate() -> None:
    empty = sample()
    assert [mean(empty), quantile(empty, HALF), largest(empty)] == [NOTHING, NOTHING, NOTHING]


def test_replications_give_a_t_interval_about_the_pooled_value() -> None:
    got = over_replications(100.0, [90.0, 100.0, 110.0])
    assert (got.value, *rounded(got)) == (100.0, 75.1586, 124.8414)


def test_one_replication_gives_no_interval() -> None:
    assert over_replications(0.5, [0.5]) == Estimate(0.5)


def test_equal_replications_give_an_interval_of_width_zero() -> None:
    assert over_replications(0.5, [0.5, 0.5]) == Estimate(0.5, 0.5, 0.5)
    assert over_replications(math.inf, [math.inf, math.inf]) == Estimate(math.inf, math.inf, math.inf)


def test_replications_of_which_some_are_infinite_say_nothing() -> None:
    assert over_replications(9.0, [8.0, math.inf]) == Estimate(9.0, 0.0, math.inf)


def test_the_interval_of_a_share_over_replications_stays_within_0_and_1() -> None:
    assert rounded(over_replications(0.5, [0.1, 0.9], highest=1.0)) == (0.0, 1.0)


def test_a_hull_holds_both_intervals_and_keeps_the_first_value() -> None:
    assert hull(Estimate(3.0, 2.0, 4.0), Estimate(9.0, 1.0, 3.5)) == Estimate(3.0, 1.0, 4.0)
    assert hull(Estimate(3.0), Estimate(9.0, 1.0, 3.5)) == Estimate(3.0)
