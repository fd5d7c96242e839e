"""Laws of waits: each against numbers drawn from it, and its formula where that overflows."""

import math
from typing import Any

import numpy as np
import pytest

from sim.kernel.draws import Draws
from sim.measure.chances import kolmogorov
from sim.promises.promises import bounds_after, growing, poll_bounds_after
from sim.promises.waits import (
    Decorrelated,
    Exponential,
    Quantiles,
    Sum,
    Uniform,
    Wait,
    decorrelated_jitter,
    equal_jitter,
    full_jitter,
    no_jitter,
    spread,
)

COUNT = 2000


def chance(stream: str) -> Any:
    return Draws(3).uniforms(stream, np.arange(COUNT, dtype=np.int64))


U, V = chance("u"), chance("v")


@pytest.mark.parametrize(
    ("law", "waits"),
    [
        (Uniform(100, 300), 100 + 200 * U),
        (Exponential(50), -50 * np.log1p(-U)),
        (Quantiles(lambda u: 10 * u * u), 10 * U * U),
        (Quantiles(lambda u: 10 * (1 - u)), 10 * (1 - U)),
        (Sum(Uniform(100, 300), Uniform(0, 50)), 100 + 200 * U + 50 * V),
        (Sum(Uniform(7, 7), Uniform(0, 50)), 7 + 50 * V),
        (Decorrelated(100, 3, 1e9, 2).given(200), 100 + 500 * U),
    ],
    ids=["uniform", "exponential", "quantiles", "falling quantiles", "sum", "sum with a constant", "decorrelated"],
)
def test_the_shares_of_what_is_drawn_are_uniform(law: Wait, waits: Any) -> None:
    shares = law.up_to(waits)
    assert kolmogorov(shares, shares) > 1e-4
    assert law[0] <= waits.min()
    assert waits.max() <= law[1]


def test_a_cap_is_a_step_of_the_law() -> None:
    law = Quantiles(lambda u: min(100 * (0.5 + u), 120))
    at = np.array([119.0, 120.0])
    assert law.below(at).tolist() == pytest.approx([0.69, 0.7])
    assert law.up_to(at).tolist() == pytest.approx([0.69, 1.0])
    assert law == pytest.approx((50, 120))


def test_a_law_of_one_wait_is_one_step() -> None:
    law, at = Uniform(5, 5), np.array([4.0, 5.0, 6.0])
    assert (law.below(at).tolist(), law.up_to(at).tolist()) == ([0, 0, 1], [0, 1, 1])


def test_a_law_is_a_pair_of_bounds() -> None:
    low_ms, high_ms = Uniform(1, 2)
    assert (low_ms, high_ms) == Uniform(1, 2) == (1, 2)


@pytest.mark.parametrize("bounds", [(2, 1), (0.0, -1.0)])
def test_bounds_the_wrong_way_round_are_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="cannot be at most"):
        Uniform(*bounds)


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="lies above 0"):
        Exponential(0)


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        (full_jitter(100), [(0, 100), (0, 200), (0, 400)]),
        (full_jitter(100, 3, cap_ms=250), [(0, 100), (0, 250), (0, 250)]),
        (equal_jitter(100), [(50, 100), (100, 200), (200, 400)]),
        (no_jitter(100, 1), [(100, 100)] * 3),
        (spread(10, 2, 0.5, 1.5), [(5, 15), (10, 30), (20, 60)]),
        (decorrelated_jitter(100, 3, cap_ms=1000), [(100, 300), (100, 900), (100, 1000)]),
    ],
)
def test_a_backoff_grows_after_each_failure(law: Any, expected: Any) -> None:
    assert [law(failure) for failure in (1, 2, 3)] == expected


def test_decorrelated_jitter_cannot_be_told_without_the_wait_before() -> None:
    law = decorrelated_jitter(100, 3, cap_ms=1000)(2)
    assert isinstance(law, Decorrelated)
    assert law.given(None) is None
    assert law.given(200) == (100, 600)
    assert law.given(0) == (100, 300)


# Formulas that overflow.


def test_a_law_that_has_grown_to_infinity_never_comes() -> None:
    assert full_jitter(100, 1000)(10_000) == (0, math.inf)
    assert no_jitter(0)(10_000) == (0, 0)
    assert not no_jitter(100, 1000)(10_000)[0] < math.inf


def test_a_law_that_overflows_stays_at_its_cap() -> None:
    def law(failure: int) -> tuple[float, float]:
        return min(2.0 ** (failure - 1), 500.0), min(2.0**failure, 1000.0)

    with pytest.raises(OverflowError):
        law(1025)
    assert bounds_after(law, 1026) == bounds_after(law, 1_000_000) == (500, 1000)


def test_a_law_that_overflows_without_a_cap_never_comes() -> None:
    assert bounds_after(lambda failure: (2.0**failure, 2.0**failure), 2000)[0] > 1e300


def test_a_law_that_always_overflows_says_nothing() -> None:
    assert bounds_after(lambda _: (math.exp(1000), math.exp(1000)), 3) == (0, math.inf)


def test_a_bound_that_is_no_number_is_no_bound() -> None:
    assert bounds_after(lambda _: (math.nan, math.nan), 1) == (0, math.inf)


def test_no_jitter_at_all_of_an_infinite_delay_is_a_number() -> None:
    assert growing(1, 1000, low=0.0)(2000) == (0, math.inf)


def test_a_law_of_looks_that_overflows_stays_what_it_was() -> None:
    def law(waits: int, failure: int) -> tuple[float, float]:
        return 0, min(2.0**waits, 900.0) + min(2.0**failure, 50.0)

    assert poll_bounds_after(law, 5, 0) == (0, 33)
    assert poll_bounds_after(law, 3000, 1) == (0, 902)
    assert poll_bounds_after(law, 0, 3000) == (0, 51)
