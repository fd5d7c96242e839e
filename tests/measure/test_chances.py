"""Tests of chance: exact where they can be compared, and striking as seldom as they say."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import special

from sim.kernel.draws import Draws
from sim.measure.chances import at_least, kolmogorov, none_near, share_of, so_many_alike, too_many_at

RUNS = 2000


def uniforms(count: int) -> Any:
    """Return `RUNS` samples, shape (RUNS, count)."""
    drawn = Draws(11).uniforms("chances", np.arange(RUNS * count, dtype=np.int64))
    return drawn.reshape(RUNS, count)


@pytest.mark.parametrize("test", [kolmogorov, none_near, too_many_at])
@pytest.mark.parametrize("count", [6, 50])
def test_a_test_strikes_no_more_often_than_it_says(test: Any, count: int) -> None:
    found = np.array([test(sample, sample) for sample in uniforms(count)])
    for level in (0.3, 0.05, 0.01):
        share = np.count_nonzero(found <= level) / RUNS
        assert share <= level + 4 * math.sqrt(level / RUNS)


def test_the_distance_is_that_of_kolmogorov_and_smirnov() -> None:
    sample = np.array([0.9, 0.95, 0.97, 0.99, 0.995, 0.999, 0.9995, 0.9999])
    assert kolmogorov(sample, sample) == pytest.approx(2 * special.smirnov(8, 0.9))


def test_for_many_draws_the_law_of_the_distance_is_near_the_exact_one() -> None:
    count = 4000
    sample = np.linspace(0, 1, count) ** 1.2
    distance = np.max(np.abs(np.arange(1, count + 1) / count - sample))
    assert kolmogorov(sample, sample) == pytest.approx(2 * special.smirnov(count, distance), rel=0.05)


def test_intervals_speak_for_the_law() -> None:
    nothing, everything = np.zeros(100), np.ones(100)
    assert kolmogorov(nothing, everything) == 1
    assert none_near(nothing, everything) == 1
    assert too_many_at(nothing, everything) == 1


def test_draws_that_keep_away_from_an_end_are_noticed() -> None:
    sample = np.linspace(0, 0.9, 400)
    assert none_near(sample, sample) == pytest.approx(2 * 0.9**400)
    assert none_near(1 - sample, 1 - sample) == pytest.approx(2 * 0.9**400)


def test_draws_that_pile_up_at_an_end_are_noticed() -> None:
    low = np.concatenate([np.linspace(0.01, 0.99, 990), np.full(10, 0.9999)])
    high = np.concatenate([np.linspace(0.01, 0.99, 990), np.ones(10)])
    assert too_many_at(low, high) < 1e-10
    assert too_many_at(1 - high, 1 - low) < 1e-10


@pytest.mark.parametrize(("hits", "count", "share"), [(60, 100, 0.3), (10, 20, 0.02), (999, 1000, 0.97)])
def test_a_tail_of_the_binomial_law_is_exact_where_it_matters(hits: int, count: int, share: float) -> None:
    exact = special.bdtrc(hits - 1, count, share)
    assert at_least(hits, count, share) >= exact
    assert at_least(hits, count, share) <= max(exact * 1.000001, math.exp(-8) * 1.0001)


@pytest.mark.parametrize(
    ("hits", "share", "expected"), [(0, 0.0, 1.0), (1, 0.0, 0.0), (10, 1.0, 1.0), (9, 1.0, 0.0), (5, 0.5, 1.0)]
)
def test_shares_at_the_ends_are_certain(hits: int, share: float, expected: float) -> None:
    assert share_of(hits, 10, share) == expected


def test_pairs_that_agree_are_counted_against_their_expectation() -> None:
    assert so_many_alike(0, 0.0) == so_many_alike(0, 0.1) == 1
    assert so_many_alike(1, 0.0) == 0
    assert special.pdtrc(4, 0.1) <= so_many_alike(5, 0.1) < 1e-6
