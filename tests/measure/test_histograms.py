"""Histograms: what they keep exactly, and how far off the rest may be."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.measure.estimates import Sample
from sim.measure.histograms import WIDTH, Histogram, bins_of, ends_of
from sim.measure.sums import exact_sums

lawful = settings(derandomize=True, deadline=None, max_examples=100)
LONGEST = 2**62
# Of all sizes alike, and those at the ends of octaves and of what a double holds exactly.
whole = st.integers(0, 62).flatmap(lambda bits: st.integers(0, 2**bits - 1 if bits else 0))
edges = st.builds(lambda bits, by: max(0, 2**bits + by), st.integers(0, 61), st.integers(-2, 2))
times = whole | edges | st.just(LONGEST - 1)
columns = st.lists(times | st.just(-1), max_size=50)


def ints(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@lawful
@given(times)
def test_a_value_lies_in_its_bin_and_the_bin_is_at_most_a_thousandth_of_it_wide(value: int) -> None:
    (low,), (high,) = (end.tolist() for end in ends_of(bins_of(ints([value]))))
    assert low <= value <= high
    assert high - low <= WIDTH * low


@lawful
@given(st.lists(times, min_size=2, max_size=30).map(sorted))
def test_greater_values_never_lie_in_lesser_bins(values: list[int]) -> None:
    bins = bins_of(ints(values)).tolist()
    assert bins == sorted(bins)


def test_bins_leave_no_gap_and_do_not_overlap() -> None:
    values = [*range(5000), *(2**bits + step * 2 ** (bits - 10) for bits in range(12, 62) for step in range(1024))]
    lows, highs = (end.tolist() for end in ends_of(np.unique(bins_of(ints(values)))))
    gaps = [low - high for high, low in zip(highs, lows[1:], strict=False)]
    assert {gap for gap, low in zip(gaps, lows[1:], strict=False) if low < 5000 or low >= 2**13} == {1}


def test_whole_numbers_below_2_048_have_bins_of_their_own() -> None:
    lows, highs = ends_of(bins_of(np.arange(2048)))
    assert lows.tolist() == highs.tolist() == list(range(2048))


@lawful
@given(st.lists(times, max_size=50))
def test_sums_and_sums_of_squares_are_exact(values: list[int]) -> None:
    assert exact_sums(ints(values)) == (sum(values), sum(value**2 for value in values))


def test_sums_are_exact_beyond_the_block_that_is_added_at_once() -> None:
    values = np.full(150_000, LONGEST - 1)
    assert exact_sums(values) == (150_000 * (LONGEST - 1), 150_000 * (LONGEST - 1) ** 2)


@lawful
@given(values=columns, exact=st.booleans())
def test_a_histogram_has_the_length_the_sums_and_the_ends_of_its_values(values: list[int], exact: bool) -> None:  # noqa: FBT001
    got = Histogram.of(ints(values), exact=exact)
    finite = [value for value in values if value >= 0]
    assert (len(got), got.infinite, got.sums()) == (
        len(values),
        len(values) - len(finite),
        (sum(finite), sum(value**2 for value in finite)),
    )
    assert (got.least, got.greatest) == (min(finite, default=-1), max(finite, default=-1))


@lawful
@given(columns)
def test_the_value_of_each_rank_is_within_a_thousandth_and_surely_between_its_bounds(values: list[int]) -> None:
    got, sample = Histogram.of(ints(values)), Sample.of(ints(values))
    for rank in range(1, len(values) + 1):
        true, (low, high) = sample.ordered(rank), got.between(rank)
        assert low <= true <= high
        assert low <= got.ordered(rank) <= high
        assert high == math.inf or Fraction(high) - Fraction(low) <= Fraction(1, 1000) * Fraction(true)


@lawful
@given(values=st.lists(st.integers(0, 2047) | st.just(-1), min_size=1, max_size=60), bound=st.integers(0, 2048))
def test_small_values_answer_as_if_each_were_known(values: list[int], bound: int) -> None:
    sample = Sample.of(ints(values))
    for exact in (True, False):
        got = Histogram.of(ints(values), exact=exact)
        ranks = np.arange(1, len(values) - got.infinite + 1)
        assert [got.ordered(rank) for rank in range(1, len(values) + 1)] == [
            sample.ordered(rank) for rank in range(1, len(values) + 1)
        ]
        assert got.at(ranks).tolist() == sample.at(ranks).tolist()
        assert got.counts_up_to(ints([bound])).tolist() == sample.counts_up_to(ints([bound])).tolist()
        for side in (True, False):
            assert got.share_up_to(bound, inclusive=side) == sample.share_up_to(bound, inclusive=side)


@lawful
@given(values=columns, bound=times)
def test_the_share_up_to_a_bound_is_right_but_for_the_bin_of_the_bound(values: list[int], bound: int) -> None:
    values = [*values, 0]
    got = Histogram.of(ints(values)).share_up_to(bound, inclusive=True)
    less = sum(0 <= value <= bound * (1 - 2 * WIDTH) for value in values) / len(values)
    more = sum(0 <= value <= bound * (1 + 2 * WIDTH) for value in values) / len(values)
    assert less <= got <= more


@pytest.mark.parametrize("exact", [True, False])
@lawful
@given(values=columns, cut=st.integers(0, 50))
def test_histograms_of_parts_merge_to_that_of_the_whole(exact: bool, values: list[int], cut: int) -> None:  # noqa: FBT001
    whole_one = Histogram.of(ints(values), exact=exact)
    parts = [Histogram.of(ints(part), exact=exact) for part in (values[:cut], values[cut:])]
    for first, second in (parts, parts[::-1]):
        assert fields_of(first.merge(second)) == fields_of(whole_one)


def fields_of(histogram: Histogram) -> tuple[object, ...]:
    kept = (histogram.is_exact, histogram.infinite, histogram.least, histogram.greatest, *histogram.sums())
    return (*kept, histogram.keys.tolist(), histogram.counts.tolist())


@lawful
@given(columns)
def test_keys_are_ascending_and_only_those_that_occur(values: list[int]) -> None:
    got = Histogram.of(ints(values))
    assert all(one < other for one, other in pairwise(got.keys.tolist()))
    assert min(got.counts.tolist(), default=1) >= 1


def test_many_values_are_counted_as_few_are() -> None:
    values = np.arange(200_000) * 7919 % 100_003
    got = Histogram.of(values)
    parts = [Histogram.of(part) for part in np.array_split(values, 400)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    assert fields_of(got) == fields_of(merged)


def test_counts_of_values_make_the_histogram_of_the_values() -> None:
    assert fields_of(Histogram.of_counts([0, 1], [3, 2])) == fields_of(Histogram.of(ints([0, 0, 1, 1, 0]), exact=True))
    assert fields_of(Histogram.of_counts([0, 1], [0, 0])) == fields_of(Histogram.of(ints([]), exact=True))
