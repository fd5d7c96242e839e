"""`call.hedged`: several copies of a call in one try, the first success counts."""

from collections.abc import Callable
from typing import Any

import pytest
from played import Played, scripted
from written_loop import Loop

from sim.clients import CallFailed

Play = Callable[..., Any]


def hedged(play: Play, *attempts: str, more: str = "", **arguments: Any) -> tuple[Any, list[Any]]:
    """Play one hedged try of these attempts."""

    async def once(call: Any, ctx: Any, noted: list[Any]) -> int:
        del ctx
        number: int = await call.hedged(**arguments)
        noted.append(number)
        return number

    loop = Loop(once)
    return play("none", *attempts, retrier=loop, more=more), loop.noted


def test_a_fast_first_call_sends_no_copy(play: Play) -> None:
    played, noted = hedged(play, "success 20ms", after_ms=50)
    assert (played.end, noted, played.request.attempts) == (("success", 20), [1], 1)


def test_the_copy_wins_if_it_is_faster(play: Play) -> None:
    played, noted = hedged(play, "success 200ms", "success 20ms", after_ms=50)
    assert (played.end, noted, played.request.attempts) == (("success", 70), [2], 2)


def test_the_loser_goes_on_and_has_its_effect(play: Play) -> None:
    played, _ = hedged(play, "success 200ms", "success 20ms", after_ms=50)
    assert played.when("effect") == [70, 200]


def test_the_receiver_of_a_loser_hears_a_cancel(play: Play) -> None:
    played, _ = hedged(play, "success 200ms", "success 20ms", after_ms=50, cancels=True)
    assert played.when("effect") == [70]


def test_each_copy_goes_after_the_last_one_started(play: Play) -> None:
    played, noted = hedged(play, "hang", "hang", "success 5ms", after_ms=50, at_most=2)
    assert (played.end, noted, played.when("copy")) == (("success", 105), [3], [50, 100])


def test_no_more_copies_go_than_allowed(play: Play) -> None:
    played, _ = hedged(play, "hang", "hang", "hang", after_ms=50, at_most=1)
    assert (played.end[0], played.request.attempts) == ("stuck", 2)


def test_a_failed_copy_sends_the_next_at_once(play: Play) -> None:
    played, _ = hedged(play, "fail 10ms", "success 20ms", after_ms=50)
    assert (played.end, played.when("copy")) == (("success", 30), [10])


def test_a_failed_copy_lets_the_next_wait_for_its_time(play: Play) -> None:
    played, _ = hedged(play, "fail 10ms", "success 20ms", after_ms=50, at_failure="wait")
    assert (played.end, played.when("copy")) == (("success", 70), [50])


def test_without_a_time_only_failures_send_copies(play: Play) -> None:
    played, _ = hedged(play, "fail 10ms", "success 20ms", after_ms=None)
    assert (played.end, played.when("copy")) == (("success", 30), [10])


def test_copies_of_no_time_apart_start_together(play: Play) -> None:
    played, noted = hedged(play, "success 30ms", "success 20ms", "success 10ms", after_ms=0, at_most=2)
    assert (played.end, noted) == (("success", 10), [3])


def test_the_last_failure_is_raised_when_all_have_failed(play: Play) -> None:
    played, _ = hedged(play, "fail 80ms", "fail 10ms", after_ms=50)
    assert (played.end, played.request.attempts) == (("gave_up", 80), 2)


def test_each_copy_has_its_own_timeout(play: Play) -> None:
    played, _ = hedged(play, "hang", "hang", after_ms=50, timeout_ms=80)
    assert (played.end, played.when("timed_out")) == (("gave_up", 130), [80, 130])


def test_the_timeout_of_a_loser_that_was_left_says_nothing(play: Play) -> None:
    played, _ = hedged(play, "success 200ms", "success 20ms", after_ms=50, timeout_ms=100)
    assert (played.end, played.when("timed_out")) == (("success", 70), [])


def test_a_final_failure_ends_the_try() -> None:
    async def once(call: Any, ctx: Any, noted: list[Any]) -> int:
        del ctx, noted
        number: int = await call.hedged(after_ms=50)
        return number

    final = scripted("none", "fail 10ms", "success 20ms").replace("10ms}", "10ms, final: true}")
    played = Played(final, Loop(once))
    assert (played.end, played.request.attempts) == (("gave_up", 10), 1)


def test_a_canceled_loop_sends_no_more_copies(play: Play) -> None:
    played, _ = hedged(play, "hang", "success 5ms", after_ms=50, more="cancel: {share: 1, after: {constant: 20ms}}")
    assert (played.end, played.request.attempts) == (("canceled", 20), 1)


@pytest.mark.parametrize(
    "wrong",
    [{"after_ms": -1}, {"after_ms": float("nan")}, {"after_ms": 5, "timeout_ms": -1}, {"after_ms": 1, "at_most": -1}],
)
def test_wrong_numbers_are_refused(play: Play, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="negative"):
        hedged(play, "success 5ms", **wrong)


# Budgets of hedges.


async def paid(call: Any, ctx: Any, noted: list[Any]) -> int:
    budget = ctx.budget({"tokens": {"capacity": 1, "cost": 1}})
    try:
        number: int = await call.hedged(after_ms=50, at_most=3, budget=budget)
    finally:
        noted.append(budget.level.have)
    return number


def test_a_budget_pays_for_each_copy_and_then_allows_none(play: Play) -> None:
    loop = Loop(paid)
    played = play("none", "success 300ms", "success 300ms", retrier=loop)
    assert (played.end, played.when("copy"), loop.noted) == (("success", 300), [50], [0])


async def charged(call: Any, ctx: Any, noted: list[Any]) -> None:
    budget = ctx.budget({"tokens": {"capacity": 10, "cost": 1, "charges": "on_failure"}})
    try:
        await call.hedged(after_ms=50, budget=budget)
    except CallFailed:
        noted.append(budget.level.have)


def test_a_budget_hears_of_each_copy_that_fails(play: Play) -> None:
    loop = Loop(charged)
    play("none", "fail 10ms", "fail 10ms", retrier=loop)
    assert loop.noted == [8]
