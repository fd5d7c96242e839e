"""Bulkheads and rate limits of a caller."""

from collections import deque
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.clients.policy.gates import (
    NO_LIMIT,
    Bulkhead,
    BulkheadOptions,
    CallerRateLimit,
    CallerRateLimitOptions,
    EncodedBulkhead,
    EncodedRateLimit,
)
from sim.kernel.durations import NS_PER_S
from sim.kernel.errors import InternalError

S = NS_PER_S


def bulkhead(**options: Any) -> Bulkhead:
    return Bulkhead(BulkheadOptions.model_validate(options).encoded())


def rate_limit(**options: Any) -> CallerRateLimit:
    return CallerRateLimit(CallerRateLimitOptions.model_validate(options).encoded())


# Bulkhead


def test_without_a_queue_one_more_is_refused() -> None:
    gate = bulkhead(at_most=2)
    assert [gate.enter(waiter) for waiter in "abc"] == ["in", "in", "full"]
    assert (gate.in_use, gate.waiting) == (2, 0)


def test_a_queue_takes_so_many() -> None:
    gate = bulkhead(at_most=1, queue=2)
    assert [gate.enter(waiter) for waiter in "abcd"] == ["in", "queued", "queued", "full"]


def test_a_queue_may_be_unlimited() -> None:
    gate = bulkhead(at_most=1, queue="unlimited")
    gate.enter(0)
    assert {gate.enter(waiter) for waiter in range(1, 100)} == {"queued"}


def test_a_place_goes_to_the_one_who_has_waited_longest() -> None:
    gate = bulkhead(at_most=1, queue=2)
    for waiter in "abc":
        gate.enter(waiter)
    assert [gate.leave(), gate.leave(), gate.leave()] == ["b", "c", None]
    assert gate.in_use == 0


def test_a_place_that_passes_on_is_not_free_meanwhile() -> None:
    gate = bulkhead(at_most=1, queue=1)
    gate.enter("a")
    gate.enter("b")
    gate.leave()
    assert gate.enter("c") == "queued"


def test_one_who_withdraws_makes_room_in_the_queue() -> None:
    gate = bulkhead(at_most=1, queue=1)
    gate.enter("a")
    gate.enter("b")
    gate.withdraw("b")
    assert gate.enter("c") == "queued"
    assert gate.leave() == "c"


def test_the_longest_wait_is_told() -> None:
    assert bulkhead(at_most=1, queue=1, max_wait="1s").max_wait_ns == S
    assert bulkhead(at_most=1).max_wait_ns == NO_LIMIT


def test_one_who_waits_cannot_wait_twice() -> None:
    gate = bulkhead(at_most=1, queue=5)
    gate.enter("a")
    gate.enter("b")
    with pytest.raises(InternalError, match="'b' waits already"):
        gate.enter("b")
    assert gate.waiting == 1


def test_a_place_that_is_not_taken_cannot_be_left() -> None:
    with pytest.raises(InternalError, match="given back that is not taken"):
        bulkhead(at_most=1).leave()


def test_one_who_does_not_wait_cannot_withdraw() -> None:
    gate = bulkhead(at_most=1, queue=1)
    gate.enter("a")
    with pytest.raises(InternalError, match="'a' does not wait"):
        gate.withdraw("a")


@given(
    at_most=st.integers(1, 3),
    queue=st.one_of(st.integers(0, 3), st.just("unlimited")),
    steps=st.lists(st.one_of(st.just("enter"), st.just("leave"), st.integers(0, 5)), max_size=60),
)
def test_a_bulkhead_is_two_lists(at_most: int, queue: Any, steps: list[str | int]) -> None:
    options = BulkheadOptions.model_validate({"at_most": at_most, "queue": queue})
    gate = Bulkhead(EncodedBulkhead(*tuple(options.encoded())))
    inside: list[int] = []
    waiting: deque[int] = deque()
    for number, step in enumerate(steps):
        if step == "enter":
            said = gate.enter(number)
            if len(inside) < at_most:
                assert said == "in"
                inside.append(number)
            elif queue == "unlimited" or len(waiting) < queue:
                assert said == "queued"
                waiting.append(number)
            else:
                assert said == "full"
        elif step == "leave" and inside:
            inside.pop(0)
            following = gate.leave()
            assert following == (waiting.popleft() if waiting else None)
            if following is not None:
                inside.append(following)
        elif isinstance(step, int) and step < len(waiting):
            gate.withdraw(waiting[step])
            del waiting[step]
        assert (gate.in_use, gate.waiting) == (len(inside), len(waiting))


# Rate limit


def test_a_burst_passes_at_once_and_then_each_waits_for_its_own_token() -> None:
    gate = rate_limit(rate="4/s", burst=2)
    assert [gate.take(0) for _ in range(4)] == [0, 0, S // 4, S // 2]


def test_a_reserved_token_is_spent() -> None:
    gate = rate_limit(rate="4/s")
    gate.take(0)
    gate.take(0)
    assert gate.take(S // 4) == S // 4


def test_a_refusal_takes_nothing() -> None:
    gate = rate_limit(rate="4/s", empty="refuse")
    assert [gate.take(0) for _ in range(4)] == [0, S // 4, S // 4, S // 4]
    assert gate.take(S // 4) == 0


@pytest.mark.parametrize(("empty", "refuses"), [("wait", False), ("refuse", True)])
def test_the_machine_is_told_whether_a_wait_is_a_refusal(*, empty: str, refuses: bool) -> None:
    assert rate_limit(rate="1/s", empty=empty).refuses is refuses


def test_time_does_not_go_back() -> None:
    gate = rate_limit(rate="1/s", burst=2)
    gate.take(5)
    with pytest.raises(InternalError, match="goes back, from 5 ns to 4 ns"):
        gate.take(4)
    assert gate.take(5) == 0


@given(
    rate=st.sampled_from(["3/s", "7/m", "0.5/s", "1000/s"]),
    burst=st.integers(1, 4),
    gaps_ns=st.lists(st.sampled_from([0, 1, S // 7, S, 5 * S]), max_size=50),
)
def test_each_who_waits_passes_at_the_first_nanosecond_of_its_token(rate: str, burst: int, gaps_ns: list[int]) -> None:
    options = CallerRateLimitOptions.model_validate({"rate": rate, "burst": burst})
    gate = CallerRateLimit(EncodedRateLimit(*tuple(options.encoded())))
    gap_ns = (
        NS_PER_S / {"3/s": Fraction(3), "7/m": Fraction(7, 60), "0.5/s": Fraction(1, 2), "1000/s": Fraction(1000)}[rate]
    )
    now_ns = 0
    full_from_ns = Fraction(-burst) * gap_ns
    """When the bucket would have been empty: tokens are the gaps since, at most `burst`."""
    for wait_ns in gaps_ns:
        now_ns += wait_ns
        full_from_ns = max(full_from_ns, now_ns - burst * gap_ns) + gap_ns
        assert gate.take(now_ns) == max(0, -((now_ns - full_from_ns) // 1))


# What files write


@pytest.mark.parametrize(
    ("model", "written"),
    [
        (BulkheadOptions, {"at_most": 20, "queue": 10, "max_wait": "1s", "scope": "service"}),
        (BulkheadOptions, {"at_most": 20, "queue": "unlimited"}),
        (CallerRateLimitOptions, {"rate": "500/s", "burst": 100, "empty": "refuse", "scope": "world"}),
    ],
)
def test_options_are_written_as_they_were_read(model: Any, written: dict[str, Any]) -> None:
    options = model.model_validate(written)
    assert options.model_dump(mode="json", exclude_unset=True) == written
    assert model.model_validate(options.model_dump(mode="json")) == options


@pytest.mark.parametrize(
    ("model", "options", "place", "reason"),
    [
        (BulkheadOptions, {}, ("at_most",), "Field required"),
        (BulkheadOptions, {"at_most": 0}, ("at_most",), "Input should be greater than or equal to 1"),
        (
            BulkheadOptions,
            {"at_most": 1, "queue": -1},
            ("queue",),
            "must be a whole number from 0 to 10,000,000, or 'unlimited', not -1",
        ),
        (
            BulkheadOptions,
            {"at_most": 1, "max_wait": "1s"},
            (),
            "max_wait cannot matter without a queue: one that finds no place is refused at once",
        ),
        (
            BulkheadOptions,
            {"at_most": 1, "queue": 1, "max_wait": "0s"},
            ("max_wait",),
            "Input should be greater than 0",
        ),
        (CallerRateLimitOptions, {}, ("rate",), "Field required"),
        (
            CallerRateLimitOptions,
            {"rate": "fast"},
            ("rate",),
            "not a rate; write NUMBER/s, NUMBER/min, NUMBER/h or NUMBER/day, such as 50/s",
        ),
        (
            CallerRateLimitOptions,
            {"rate": "1/s", "burst": 0},
            ("burst",),
            "Input should be greater than or equal to 1",
        ),
        (CallerRateLimitOptions, {"rate": "1/s", "empty": "drop"}, ("empty",), "Input should be 'wait' or 'refuse'"),
    ],
)
def test_wrong_options_are_refused_with_place_and_reason(
    model: Any, options: dict[str, Any], place: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(options)
    (error,) = caught.value.errors()
    assert (error["loc"], error["msg"].removeprefix("Value error, ")) == (place, reason)
