import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.promises.promises import Promises, attempts_of, growing


@pytest.mark.parametrize(
    ("retries", "attempts"), [(0, 1), (4, 5), (-3, 1), (1.5, 3), (-0.5, 1), (math.inf, None), (-math.inf, 1)]
)
def test_a_budget_of_retries_is_one_attempt_more(retries: float, attempts: int | None) -> None:
    assert attempts_of(retries) == attempts


@given(st.floats(-20, 20))
def test_a_budget_is_what_counting_down_spends(retries: float) -> None:
    left, attempts = retries, 1
    while left > 0:
        left, attempts = left - 1, attempts + 1
    assert attempts_of(retries) == attempts


def test_a_growing_delay_is_multiplied_after_each_failure() -> None:
    law = growing(100, 3)
    assert [law(failure) for failure in (1, 2, 3)] == [(100, 100), (300, 300), (900, 900)]


def test_a_spread_lies_around_the_delay() -> None:
    assert growing(100, 2, low=0.5, high=1.5)(3) == (200, 600)


def test_a_law_can_be_asked_in_any_order() -> None:
    law = growing(0.1, 1.1)
    assert (law(50), law(2), law(50)) == (law(50), (0.1 * 1.1, 0.1 * 1.1), law(50))


def test_a_delay_without_bound_becomes_infinite() -> None:
    assert growing(1, 1000)(200) == (math.inf, math.inf)


def test_nothing_is_promised_unless_it_is_stated() -> None:
    assert Promises() == Promises(
        attempts_at_most=None,
        backoff_ms=None,
        polls_ms=None,
        deadline_ns=None,
        callback=False,
        hedges=False,
        action_jobs=(),
        poll_jobs=(),
    )
