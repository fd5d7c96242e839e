"""Slots of the budget `window` and what one request may use: corners by hand, and the code of its libraries retold."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.clients.policy.window_budget import EncodedWindow, WindowBudget, WindowOptions
from sim.kernel.durations import NS_PER_S
from sim.kernel.errors import InternalError

S = NS_PER_S
FINAGLE = {"share": 0.2, "of": "10s", "at_least": "10/s", "round": "down", "slots": 10}


def window(**options: Any) -> WindowBudget:
    return WindowBudget(WindowOptions.model_validate(options).encoded())


def start(budget: Any, count: int, now_ns: int) -> None:
    for _ in range(count):
        budget.request_started(now_ns)


@pytest.mark.parametrize(("rule", "counts_until_s"), [("finagle", 10), ("tower", 11)])
def test_a_slot_goes_as_a_whole_and_tower_keeps_one_more(rule: str, counts_until_s: int) -> None:
    budget = window(share=1, of="10s", slots=10, slot_rule=rule)
    start(budget, 1, 0)
    start(budget, 1, S - 1)
    for second in range(1, counts_until_s):
        assert budget.level(second * S).of == 2
    assert budget.level(counts_until_s * S).of == 0


@pytest.mark.parametrize(("now_ns", "requests"), [(10 * S + S // 2 - 1, 2), (10 * S + S // 2, 1)])
def test_a_slot_that_was_open_longer_makes_what_is_in_it_count_longer(now_ns: int, requests: int) -> None:
    budget = window(share=1, of="10s", slots=10)
    start(budget, 1, 0)
    start(budget, 1, S + S // 2)
    assert budget.level(now_ns).of == requests


@pytest.mark.parametrize(("rule", "left"), [("finagle", 1), ("tower", 0)])
def test_a_part_of_an_empty_slot_is_one_for_tower_alone(rule: str, left: int) -> None:
    budget = window(share=1, of="2s", slots=2, slot_rule=rule)
    start(budget, 1, 0)
    budget.level(S)
    later_ns = S + {"finagle": 0, "tower": S + 1}[rule]
    assert budget.level(later_ns).of == left


def test_retries_go_with_their_slot() -> None:
    budget = window(share=1, of="10s", slots=10)
    start(budget, 1, 0)
    budget.take(0, "failed")
    start(budget, 1, S)
    budget.take(S, "failed")
    assert budget.level(S)[:2] == (2, 2)
    assert budget.level(10 * S)[:2] == (1, 1)


def test_one_request_of_finagle_has_a_fifth_of_the_balance_rounded_up() -> None:
    budget = window(**FINAGLE, per_request=0.2)
    request = budget.for_request()
    request.request_started(0)
    for _ in range(20):
        request.take(0, "failed")
    assert not request.allows(0, "failed")
    assert request.level(0) == (20, 20, "retries of one request")
    with pytest.raises(InternalError, match="does not allow"):
        request.take(0, "failed")


def test_the_next_request_has_a_fifth_of_what_is_left() -> None:
    budget = window(**FINAGLE, per_request=0.2)
    first, second = budget.for_request(), budget.for_request()
    first.request_started(0)
    for _ in range(20):
        first.take(0, "failed")
    second.request_started(0)
    assert budget.most_of_one(0) == 16
    for _ in range(16):
        second.take(0, "failed")
    assert not second.allows(0, "failed")
    assert budget.allows(0, "failed")


def test_a_request_that_starts_with_an_empty_budget_has_no_retry() -> None:
    budget = window(share=0.2, per_request=0.2, round="down")
    request = budget.for_request()
    request.request_started(0)
    start(budget, 10, 0)
    assert not request.allows(0, "failed")
    assert budget.allows(0, "failed")


def test_without_a_bound_a_request_asks_the_budget_itself() -> None:
    budget = window(share=1)
    assert budget.for_request() is budget


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"per_request": 0}, "a per_request of 0 never allows a retry"),
        ({"slots": 3, "of": "1s"}, "of must be a multiple of 3 ns, so that the 3 slots are equal"),
        ({"slot_rule": "tower"}, "slot_rule cannot matter without slots: the window slides"),
        ({"slots": 1}, "greater than or equal to 2"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        WindowOptions.model_validate(options)


class Finagle:
    """The balance as `WindowedAdder` and `RetryBudget` of Finagle 0e26b576 keep it, told anew: cyclic buffers."""

    def __init__(self, slot_ns: int, slots: int, cost: int, reserve: int) -> None:
        self.slot_ns, self.cost, self.reserve = slot_ns, cost, reserve
        self.buffer, self.at, self.writer, self.old_ns = [0] * (slots - 1), 0, 0, 0

    def expire(self, now_ns: int) -> None:
        if now_ns - self.old_ns < self.slot_ns:
            return
        size = len(self.buffer)
        self.buffer[self.at], self.writer = self.writer, 0
        self.at = (self.at + 1) % size
        for _ in range(min((now_ns - self.old_ns) // self.slot_ns - 1, size)):
            self.buffer[self.at] = 0
            self.at = (self.at + 1) % size
        self.old_ns = now_ns

    def add(self, now_ns: int, amount: int) -> None:
        self.expire(now_ns)
        self.writer += amount

    def sum(self, now_ns: int) -> int:
        self.expire(now_ns)
        return self.writer + sum(self.buffer) + self.reserve


class Tower(Finagle):
    """The same of tower 0918d77f `tps_budget.rs`: one slot more, and every begun length is one."""

    def __init__(self, slot_ns: int, slots: int, cost: int, reserve: int) -> None:
        super().__init__(slot_ns, slots + 1, cost, reserve)

    def expire(self, now_ns: int) -> None:
        passed_ns = now_ns - self.old_ns
        if passed_ns < self.slot_ns:
            return
        self.buffer[self.at], self.writer = self.writer, 0
        self.at = (self.at + 1) % len(self.buffer)
        while passed_ns > self.slot_ns:
            self.buffer[self.at] = 0
            passed_ns -= self.slot_ns
            self.at = (self.at + 1) % len(self.buffer)
        self.old_ns = now_ns


@pytest.mark.parametrize(("rule", "library"), [("finagle", Finagle), ("tower", Tower)])
@given(
    events=st.lists(
        st.tuples(
            st.sampled_from([0, 1, S // 3, S - 1, S, S + 1, 5 * S // 2, 7 * S, 30 * S]),
            st.sampled_from(["request", "request", "request", "retry"]),
        ),
        max_size=60,
    ),
    reserve_a_second=st.sampled_from([0, 1]),
)
def test_slots_decide_as_the_code_of_the_library(
    rule: str, library: type[Finagle], events: list[tuple[int, str]], reserve_a_second: int
) -> None:
    options: dict[str, Any] = {"share": 0.2, "of": "10s", "round": "down", "slots": 10, "slot_rule": rule}
    if reserve_a_second:
        options["at_least"] = f"{reserve_a_second}/s"
    budget = WindowBudget(
        EncodedWindow(*tuple(WindowOptions.model_validate({**options, "per_request": 0.2}).encoded()))
    )
    theirs = library(S, 10, 5, reserve_a_second * 10 * 5)
    budget.request_started(0)
    theirs.add(0, 1)
    now_ns = 0
    for gap_ns, what in events:
        now_ns += gap_ns
        if what == "request":
            budget.request_started(now_ns)
            theirs.add(now_ns, 1)
            assert budget.most_of_one(now_ns) == max(math.ceil(0.2 * (theirs.sum(now_ns) // 5)), 0)
            continue
        allowed = theirs.sum(now_ns) >= 5
        assert budget.allows(now_ns, "failed") == allowed
        if allowed:
            budget.take(now_ns, "failed")
            theirs.add(now_ns, -5)
