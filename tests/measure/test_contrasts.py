"""Differences of means and rates: by hand, as published, and as often right as they say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.measure.contrasts import (
    Column,
    correlation_of,
    independent,
    independent_replications,
    of_infinite_means,
    paired_means,
    paired_replications,
    rates,
    signed_mean,
)
from sim.measure.estimates import Estimate, share_limits

lawful = settings(derandomize=True, deadline=None, max_examples=40)


def column(*values: int, counted: tuple[int, ...] | None = None) -> Column:
    return Column(
        np.array(values, dtype=np.int64),
        np.ones(len(values), np.bool_) if counted is None else np.array(counted, dtype=np.bool_),
    )


def rounded(estimate: Estimate, digits: int = 4) -> tuple[float | None, ...]:
    return tuple(
        None if number is None else round(number, digits) for number in (estimate.value, estimate.low, estimate.high)
    )


# Means.


def test_paired_means_have_at_least_students_interval_over_the_differences() -> None:
    # Differences 1, 2, 3, 6: mean 3, standard deviation 2.160247, times t(3) = 3.182446 over 2.
    got, half = paired_means(column(10, 20, 30, 40), column(11, 22, 33, 46)), 3.182446 * 2.160247 / 2
    assert (got.value, (got.low or 0) <= 3 - half, (got.high or 0) >= 3 + half) == (3.0, True, True)


def test_many_pairs_have_students_interval_nearly() -> None:
    noise = np.random.default_rng(2).normal(5, 100, 4000)
    got, half = signed_mean(float(noise.mean()), noise, 400.0), 1.96 * noise.std() / math.sqrt(4000)
    assert (got.high or 0) - (got.low or 0) == pytest.approx(2 * half, rel=0.05)


def test_pairs_that_all_differ_alike_leave_room_for_one_that_differs_as_much_the_other_way() -> None:
    unseen = share_limits(0, 3)[1]
    got = paired_means(column(1, 5, 9), column(3, 7, 11))
    assert (got.value, got.low, got.high) == (2.0, pytest.approx(2 - 4 * unseen), 2.0)


def test_pairs_that_agree_leave_room_on_both_sides() -> None:
    unseen = share_limits(0, 400)[1]
    got = paired_means(column(*[1] * 400), column(*[1] * 400))
    assert (got.value, got.low, got.high) == (0.0, pytest.approx(-unseen), pytest.approx(unseen))


def test_pairs_of_which_three_differ_have_about_the_interval_of_three_events() -> None:
    low, high = share_limits(3, 400)
    got = paired_means(column(*[1] * 400), column(*[1] * 397, *[2] * 3))
    assert ((got.low or 0) <= low, (got.high or 0) >= high) == (True, True)


def test_without_pairs_the_intervals_are_put_together_by_squaring_and_adding() -> None:
    got = independent(Estimate(10.0, 7.0, 14.0), Estimate(20.0, 17.0, 25.0))
    assert (got.value, got.low, got.high) == (10.0, 10 - 5.0, pytest.approx(10 + math.hypot(5, 3)))


def test_an_interval_without_an_upper_end_leaves_the_difference_open_on_that_side() -> None:
    got = independent(Estimate(10.0, 9.0, 11.0), Estimate(20.0, 17.0, math.inf), correlation=0.5)
    assert (got.high, got.low) == (math.inf, pytest.approx(10 - math.hypot(3, 1)))
    got = independent(Estimate(10.0, 9.0, math.inf), Estimate(20.0, 17.0, 25.0))
    assert (got.low, got.high) == (-math.inf, pytest.approx(10 + math.hypot(5, 1)))


def test_without_an_interval_of_one_there_is_none_of_the_difference() -> None:
    assert independent(Estimate(1.0, reason="why"), Estimate(2.0, 1.0, 3.0)) == Estimate(1.0, reason="why")


def test_a_request_that_counts_in_one_cell_only_is_no_pair_but_part_of_its_mean() -> None:
    got = paired_means(column(10, 20, 30, 99, counted=(1, 1, 1, 0)), column(11, 21, 31, 41))
    assert (got.value, got.low is not None and got.low < 6 < (got.high or 0)) == (6.0, True)


def test_a_mean_of_one_value_gives_no_interval() -> None:
    assert paired_means(column(4), column(7)) == Estimate(3.0)


def test_what_counts_nowhere_makes_no_difference() -> None:
    assert paired_means(column(4, counted=(0,)), column(7)).value is None


@pytest.mark.parametrize(
    ("never", "a", "b", "expected"),
    [
        (Estimate(0.1, 0.05, 0.2), False, True, Estimate(math.inf, math.inf, math.inf)),
        (Estimate(0.1, -0.05, 0.2), False, True, Estimate(math.inf, -math.inf, math.inf)),
        (Estimate(-0.1, -0.2, -0.05), True, False, Estimate(-math.inf, -math.inf, -math.inf)),
        (Estimate(0.0, -0.2, 0.2), True, True, Estimate(None)),
    ],
)
def test_an_infinite_mean_differs_for_certain_only_where_the_shares_of_never_do(
    never: Estimate, expected: Estimate, *, a: bool, b: bool
) -> None:
    assert of_infinite_means(never, a=a, b=b) == expected


# Rates.


@pytest.mark.parametrize(
    ("b", "a", "low", "high"),
    [
        # R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in
        # Medicine 17 (1998), table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0000),
    ],
)
def test_newcombes_interval_for_independent_rates_has_the_published_values(
    b: tuple[int, int], a: tuple[int, int], low: float, high: float
) -> None:
    assert rounded(rates(a, b))[1:] == (low, high)


def table(yes: int, only_a: int, only_b: int, no: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.repeat([True, True, False, False], [yes, only_a, only_b, no])
    b = np.repeat([True, False, True, False], [yes, only_a, only_b, no])
    return a, b


def paired_rates(yes: int, only_a: int, only_b: int, no: int) -> Estimate:
    a, b = table(yes, only_a, only_b, no)
    everybody = np.ones(len(a), np.bool_)
    found = correlation_of(a, everybody, b, everybody)
    return rates((int(a.sum()), len(a)), (int(b.sum()), len(b)), correlation=found)


def test_the_paired_interval_is_that_of_newcombes_method_10() -> None:
    # M. W. Fagerland, S. Lydersen and P. Laake, "Recommended tests and confidence intervals for paired binomial
    # proportions", Statistics in Medicine 33 (2014): airway reactivity, 1, 1, 7 and 12 of 21 children.
    got = paired_rates(1, 1, 7, 12)
    assert [round(-number, 3) for number in (got.high or 0, got.low or 0)] == [-0.507, -0.026]


def test_pairs_that_agree_narrow_the_interval() -> None:
    paired, alone = paired_rates(100, 0, 10, 19_890), rates((100, 20_000), (110, 20_000))
    assert (paired.low or 0) > 0 > (alone.low or 0)


def test_the_correlation_is_made_smaller_where_few_pairs_tell() -> None:
    a, b = table(1, 0, 0, 99)
    everybody = np.ones(100, np.bool_)
    assert correlation_of(a, everybody, b, everybody) == pytest.approx((99 - 50) / 99)


def test_requests_that_count_in_one_cell_only_loosen_the_pairing() -> None:
    a, b = table(40, 0, 0, 60)
    half = np.arange(100) % 2 == 0
    everybody = np.ones(100, np.bool_)
    assert correlation_of(a, everybody, b, half) == pytest.approx(
        correlation_of(a[half], half[half], b[half], half[half]) * 50 / math.sqrt(100 * 50)
    )


@lawful
@given(counts=st.lists(st.integers(0, 50), min_size=4, max_size=4).filter(any))
def test_paired_rates_are_antisymmetric(counts: list[int]) -> None:
    yes, only_a, only_b, no = counts
    forth, back = paired_rates(yes, only_a, only_b, no), paired_rates(yes, only_b, only_a, no)
    assert rounded(forth, 12) == rounded(Estimate(-(back.value or 0), -(back.high or 0), -(back.low or 0)), 12)


# Replications.


def test_paired_replications_are_judged_as_pairs_are() -> None:
    got = paired_replications(3.0, [10, 20, 30, 40], [11, 22, 33, 46])
    assert rounded(got) == rounded(paired_means(column(10, 20, 30, 40), column(11, 22, 33, 46)))


def test_paired_replications_that_agree_on_a_rate_leave_room_for_those_that_do_not() -> None:
    got, unseen = paired_replications(0.0, [1.0] * 10, [1.0] * 10, is_share=True), share_limits(0, 10)[1]
    assert (got.value, got.low, got.high) == (0.0, pytest.approx(-unseen), pytest.approx(unseen))


def test_times_of_replications_that_see_too_few_turns_have_no_interval() -> None:
    got = paired_replications(3.0, [1.0, 2.0], [4.0, 5.5], few_turns="too few")
    assert got == Estimate(3.0, reason="too few")


def test_one_replication_gives_no_interval() -> None:
    assert paired_replications(3.0, [1.0], [4.0]) == Estimate(3.0)
    assert independent_replications(3.5, Estimate(1.0), Estimate(4.5, 4.0, 5.0)) == Estimate(3.5)


def test_where_some_replications_never_come_nothing_is_certain() -> None:
    assert paired_replications(3.0, [1.0, 2.0], [4.0, math.inf]) == Estimate(3.0, -math.inf, math.inf)


# As often right as they say: 400 repetitions of worlds whose truth is known. An interval of exactly 95 % would fall
# below the bound once in 750 such tests; that the seed is fixed makes it never or always.

REPETITIONS = 400
LEAST_COVERAGE = 0.95 - 3 * math.sqrt(0.95 * 0.05 / REPETITIONS)


def test_a_paired_difference_of_rare_rates_is_covered_as_often_as_promised() -> None:
    generator = np.random.default_rng(3)
    hits = 0
    for _ in range(REPETITIONS):
        yes, only_a, only_b, no = generator.multinomial(1000, [0.01, 0.005, 0.012, 0.973])
        got = paired_rates(int(yes), int(only_a), int(only_b), int(no))
        hits += (got.low or 0) <= 0.007 <= (got.high or 0)
    assert hits / REPETITIONS >= LEAST_COVERAGE


def test_a_paired_difference_of_means_is_covered_as_often_as_promised() -> None:
    generator = np.random.default_rng(4)
    hits = 0
    for _ in range(REPETITIONS):
        a = generator.exponential(1e6, 400)
        b = a + generator.exponential(2e5, 400)
        got = paired_means(column(*a.astype(np.int64)), column(*b.astype(np.int64)))
        hits += (got.low or 0) <= 2e5 <= (got.high or 0)
    assert hits / REPETITIONS >= LEAST_COVERAGE


def test_means_of_requests_that_count_in_one_cell_only_are_covered_as_often_as_promised() -> None:
    generator = np.random.default_rng(5)
    hits = 0
    for _ in range(REPETITIONS):
        a = generator.exponential(1e6, 400)
        b = a + generator.exponential(2e5, 400)
        counted = [generator.random(400) < share for share in (0.6, 0.9)]
        columns = [Column(values.astype(np.int64), mask) for values, mask in zip((a, b), counted, strict=True)]
        got = paired_means(*columns)
        hits += (got.low or 0) <= 2e5 <= (got.high or 0)
    assert hits / REPETITIONS >= LEAST_COVERAGE
