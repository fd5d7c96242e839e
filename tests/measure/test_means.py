"""Intervals of means: by hand, the same for values and their histograms, and as often right as they say."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.history.vocabulary import NEVER
from sim.measure.estimates import NOTHING, Estimate, Sample, rate, share_limits
from sim.measure.histograms import Histogram
from sim.measure.means import NEVER_DIFFERS, TOO_HEAVY, Shape, interval, mean
from sim.measure.possible import Bounds

lawful = settings(derandomize=True, deadline=None, max_examples=60)
Draw = Callable[[np.random.Generator, int], np.ndarray]


def sample(*values: int) -> Sample:
    return Sample.of(np.array(values, dtype=np.int64))


def test_no_values_have_no_mean() -> None:
    assert mean(sample()) == NOTHING


def test_one_value_has_no_interval() -> None:
    assert mean(sample(4)) == Estimate(4.0)


def test_one_infinite_value_makes_a_mean_infinite_beyond_doubt() -> None:
    assert mean(sample(1, NEVER)) == Estimate(math.inf, math.inf, math.inf)


def test_equal_values_without_bounds_say_nothing_of_rarer_ones() -> None:
    assert mean(sample(*[2**60 + 1] * 3)) == Estimate(float(2**60), reason=NEVER_DIFFERS)


def test_equal_values_within_bounds_leave_room_for_what_was_not_seen() -> None:
    unseen = 1 - 0.025 ** (1 / 400)
    got = mean(sample(*[1] * 400), Bounds(1, 5))
    assert (got.low, got.high) == (1.0, pytest.approx(1 + 4 * unseen))


def test_equal_values_of_what_is_certain_leave_no_doubt() -> None:
    assert mean(sample(7, 7, 7), certain=True) == Estimate(7.0, 7.0, 7.0)


def test_the_mean_of_noughts_and_ones_is_a_rate() -> None:
    got, as_rate = mean(sample(*[1] * 3, *[0] * 397), Bounds(0, 1)), rate(3, 400)
    assert (got.value, got.low, got.high) == (as_rate.value, as_rate.low, as_rate.high)


def test_a_mean_of_two_values_above_an_open_end_makes_room_for_larger_ones() -> None:
    bounded, open_ended = (mean(sample(*[1] * 3, *[0] * 397), *bounds) for bounds in ([Bounds(0, 1)], []))
    assert (open_ended.high or 0) > 1.5 * (bounded.high or 0)


def test_bounds_that_a_value_disproves_are_none() -> None:
    values = sample(*[1] * 90, *[2] * 10)
    assert mean(values, Bounds(1, 1)) == mean(values)
    assert mean(sample(2, 2, 2), Bounds(1, 1)) == mean(sample(2, 2, 2))


def test_a_mean_lies_within_what_is_possible() -> None:
    got = mean(sample(*[1] * 2, *[3] * 2, 2), Bounds(1, 3))
    assert (got.low, got.high) == (1.0, 3.0)


def test_a_few_values_have_at_least_students_interval() -> None:
    # Mean 3, standard deviation 1.5811, t(4) = 2.776445.
    got = mean(sample(1, 2, 3, 4, 5))
    assert ((got.low or 0) <= 3 - 1.9632, (got.high or 0) >= 3 + 1.9632) == (True, True)


def test_many_light_values_have_students_interval_nearly() -> None:
    values = np.random.default_rng(1).integers(0, 10**9, 100_000)
    got, half = mean(Sample.of(values)), 1.96 * values.std() / math.sqrt(100_000)
    assert (got.high or 0) - (got.low or 0) == pytest.approx(2 * half, rel=0.02)


def test_values_that_crowd_at_the_upper_end_are_judged_upside_down() -> None:
    # Of the largest value nothing more may come, of the least a rarer request may have more.
    values = np.array([5.0] * 480 + [4.0] * 15 + [1.0] * 5)
    up, down = interval(Shape.of_values(6 - values)), interval(Shape.of_values(values), Bounds(0, 5))
    assert (down.value or 0) - (down.low or 0) > (down.high or 0) - (down.value or 0)
    assert 6 - (up.value or 0) == pytest.approx(down.value)


@lawful
@given(
    values=st.lists(st.one_of(st.integers(0, 40), st.integers(0, 10**15)), min_size=2, max_size=150),
    times=st.integers(1, 4),
)
def test_a_histogram_of_times_gives_the_interval_of_the_times_themselves(values: list[int], times: int) -> None:
    array = np.array(values * times, dtype=np.int64)
    assert mean(Histogram.of(array)) == mean(Sample.of(array))


@lawful
@given(values=st.lists(st.integers(0, 30), min_size=2, max_size=150))
def test_a_histogram_of_counts_gives_the_interval_of_the_counts_themselves(values: list[int]) -> None:
    array = np.array(values, dtype=np.int64)
    assert mean(Histogram.of(array, exact=True)) == mean(Sample.of(array))


def test_values_of_one_bin_have_an_interval() -> None:
    got = mean(sample(2048, 2049))
    assert ((got.low or 0) < 2048, (got.high or 0) > 2049) == (True, True)


@lawful
@given(values=st.lists(st.integers(0, 10**12), min_size=2, max_size=200), most=st.integers(10**12, 10**13))
def test_an_interval_contains_the_value_and_lies_within_its_bounds(values: list[int], most: int) -> None:
    got = mean(Sample.of(np.array(values, dtype=np.int64)), Bounds(0, most))
    assert got.value is not None
    if got.low is not None and got.high is not None:
        assert 0 <= got.low <= got.value <= got.high <= most


# As often right as they say: samples of laws whose mean is known. That the seed is fixed makes it never or always.

REPETITIONS = 500
LEAST = 0.93 - 2 * math.sqrt(0.93 * 0.07 / REPETITIONS)


def covered(draw: Draw, count: int, truth: float, bounds: Bounds) -> tuple[float, float]:
    """Return the share of samples that were given an interval, and the share of these that contain the truth."""
    generator = np.random.default_rng(20261127)
    given_one = hits = 0
    for _ in range(REPETITIONS):
        got = interval(Shape.of_values(draw(generator, count).astype(np.float64)), bounds)
        if got.low is not None and got.high is not None:
            given_one += 1
            hits += got.low <= truth <= got.high
    return given_one / REPETITIONS, hits / max(1, given_one)


OPEN = Bounds(0, math.inf)


@pytest.mark.parametrize(
    ("draw", "count", "truth", "bounds"),
    [
        *((lambda g, n, p=p: g.random(n) < p, 400, p, Bounds(0, 1)) for p in (0.0005, 0.001, 0.003, 0.01, 0.3)),
        (lambda g, n: g.geometric(0.7, n), 400, 1 / 0.7, OPEN),
        (lambda g, n: g.exponential(1, n), 100, 1.0, OPEN),
        (lambda g, n: g.random(n), 100, 0.5, OPEN),
        (lambda g, n: g.lognormal(0, 1, n), 400, math.exp(0.5), OPEN),
        (lambda g, n: g.lognormal(0, 1.5, n), 1000, math.exp(1.125), OPEN),
        (lambda g, n: (1 - g.random(n)) ** (-1 / 2.2), 1000, 2.2 / 1.2, OPEN),
        (lambda g, n: g.weibull(0.5, n), 400, 2.0, OPEN),
        (lambda g, n: g.lognormal(0, 0.9, n) + 300 * (g.random(n) < 0.01), 1000, math.exp(0.405) + 3, OPEN),
        (lambda g, n: 5 - 4 * (g.random(n) < 0.01) * g.random(n), 1000, 4.98, Bounds(0, 5)),
    ],
)
def test_an_interval_contains_the_truth_as_often_as_promised(
    draw: Draw, count: int, truth: float, bounds: Bounds
) -> None:
    given_one, hits = covered(draw, count, truth, bounds)
    assert (given_one > 0.9, hits >= LEAST) == (True, True)


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda g, n: g.lognormal(0, 2, n), math.exp(2)),
        (lambda g, n: g.lognormal(0, 3, n), math.exp(4.5)),
        (lambda g, n: (1 - g.random(n)) ** (-1 / 1.1), 11.0),
    ],
)
def test_a_tail_too_heavy_for_an_interval_is_mostly_given_none_and_seldom_a_wrong_one(draw: Draw, truth: float) -> None:
    given_one, hits = covered(draw, 1000, truth, OPEN)
    assert (given_one < 0.5, given_one * (1 - hits) < 0.15) == (True, True)


def test_too_heavy_a_tail_is_told_as_the_reason() -> None:
    values = np.random.default_rng(5).lognormal(0, 4, 1000)
    assert interval(Shape.of_values(values)).reason == TOO_HEAVY


def test_no_interval_of_a_rate_is_narrower_than_one_of_a_mean_of_noughts_and_ones() -> None:
    for ones in (0, 1, 5):
        got = mean(sample(*[1] * ones, *[0] * (400 - ones)), Bounds(0, 1))
        assert (got.low, got.high) == share_limits(ones, 400)
