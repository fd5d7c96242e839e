"""Clients outside the deployment: what a `LoopRetrier` can do, and how its loop ends."""

from collections.abc import Callable
from typing import Any

import pytest
from written_loop import Body, Loop

from sim.clients.client import CallFailed, CallTimedOut
from sim.engine.world import World
from sim.scenario.load import from_dict

MS = 1_000_000
Play = Callable[..., Any]


def looped(play: Play, body: Body, *attempts: str, more: str = "", **numbers: Any) -> tuple[Any, list[Any]]:
    loop = Loop(body)
    return play("none", *attempts, retrier=loop, more=more, **numbers), loop.noted


# The baseline.


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        ("success 50ms", ("success", 50)),
        ("fail 50ms", ("gave_up", 50)),
        ("ack_lost 50ms", ("gave_up", 50)),
        ("crash_after_effect 50ms", ("gave_up", 50)),
        ("lost_contact 50ms", ("gave_up", 12.5)),
    ],
)
def test_none_calls_once_and_takes_what_comes(play: Play, attempt: str, expected: tuple[str, float]) -> None:
    played = play("none", attempt, death=0.25)
    assert (played.end, played.request.attempts) == (expected, 1)


def test_none_waits_for_ever_for_a_call_that_hangs(play: Play) -> None:
    assert play("none", "hang").end[0] == "stuck"


def test_what_was_given_up_goes_on_and_has_its_effect(play: Play) -> None:
    played = play("none", "lost_contact 50ms", death=0.25)
    assert (played.end, played.when("effect")) == (("gave_up", 12.5), [50])


# Calls.


async def until_it_succeeds(call: Any, ctx: Any, noted: list[Any]) -> None:
    while True:
        try:
            noted.append((await call(), ctx.now_ms))
        except CallFailed as error:
            noted.append((str(error), ctx.now_ms))
            await ctx.sleep(100)
        else:
            return


def test_a_call_returns_the_number_of_its_attempt_or_fails(play: Play) -> None:
    played, noted = looped(play, until_it_succeeds, "fail 50ms", "crash_before_effect 0ms", "success 50ms")
    assert (noted, played.end) == (
        [("the call failed", 50), ("the call failed", 150), (3, 300)],
        ("success", 300),
    )


def test_calls_take_no_slot_and_no_mutation(play: Play) -> None:
    played, _ = looped(play, until_it_succeeds, "fail 50ms", "success 50ms")
    request = played.request
    assert (request.actions, request.mutations, request.polls, request.action_ns) == (2, 0, 0, 100_000_000)


async def twice(call: Any, _ctx: Any, noted: list[Any]) -> None:
    noted.append(await call())
    noted.append(await call())


@pytest.mark.parametrize("latency", ["0ms", "50ms"])
def test_a_call_after_a_success_repeats_an_effect_of_which_nothing_was_lost(play: Play, latency: str) -> None:
    played, noted = looped(play, twice, f"success {latency}", f"success {latency}")
    assert (noted, played.causes) == ([1, 2], {"repeated": 1})


def test_without_latency_a_loop_needs_no_step_at_all(play: Play) -> None:
    async def thousand(call: Any, _ctx: Any, _noted: list[Any]) -> None:
        for _ in range(1000):
            await call()

    assert looped(play, thousand, "success 0ms")[0].request.attempts == 1000


def test_the_time_limit_of_the_platform_does_not_reach_a_client(play: Play) -> None:
    assert play("none", "success 700s").end == ("success", 700_000)


# What errors say.


async def until_final(call: Any, ctx: Any, noted: list[Any]) -> None:
    while True:
        try:
            await call()
        except CallFailed as error:
            noted.append((error.final, error.retry_after_ms))
            if error.final:
                raise
            await ctx.sleep(error.retry_after_ms or 10)
        else:
            return


def scripted(body: Body, *entries: dict[str, Any]) -> tuple[Any, list[Any]]:
    """Play a loop against a script; returns the request and what the loop noted."""
    loop = Loop(body)
    cell = from_dict({"retrier": "none", "requests": {"count": 1}, "action": {"script": entries}})
    return World(cell, retrier=loop).isolated([0])[0], loop.noted


def test_an_error_says_nothing_by_default(play: Play) -> None:
    _, noted = looped(play, until_final, "fail 50ms", "success 50ms")
    assert noted == [(False, None)]


def test_a_loop_can_wait_as_long_as_an_error_asks() -> None:
    asking = {"outcome": "fail", "latency": "50ms", "retry_after": "1.5s"}
    request, noted = scripted(until_final, asking, {"outcome": "success", "latency": "50ms"})
    assert (noted, request.outcome.name, request.settled_ns / MS) == ([(False, 1500)], "success", 1600)


def test_a_loop_can_stop_at_an_error_that_is_final() -> None:
    final = {"outcome": "fail", "latency": "50ms", "final": True}
    request, noted = scripted(until_final, final, {"outcome": "success"})
    assert (noted, request.outcome.name, request.settled_ns / MS) == ([(True, None)], "gave_up", 50)


def test_an_error_can_be_final_and_name_a_wait() -> None:
    assert scripted(until_final, {"outcome": "fail", "final": True, "retry_after": "1s"})[1] == [(True, 1000)]


async def timing_out(call: Any, _ctx: Any, noted: list[Any]) -> None:
    try:
        await call(timeout_ms=30)
    except CallFailed as error:
        noted.append((type(error), error.final, error.retry_after_ms))


def test_a_call_that_timed_out_has_not_heard_what_its_error_says() -> None:
    entry = {"outcome": "fail", "final": True, "retry_after": "1s"}
    assert scripted(timing_out, entry)[1] == [(CallTimedOut, False, None)]


@pytest.mark.parametrize("attempt", ["crash_before_effect 50ms", "lost_contact 50ms"])
def test_a_call_that_died_or_was_lost_says_nothing(play: Play, attempt: str) -> None:
    assert looped(play, until_final, attempt, "success 50ms")[1] == [(False, None)]


def test_a_loop_that_tries_often_enough_succeeds_once_the_world_has_healed(play: Play) -> None:
    played, _ = looped(play, until_it_succeeds, "fail 50ms", more="heals_at: 1s")
    assert (played.end, played.request.attempts) == (("success", 1100), 8)


# Timeouts.


async def with_timeout(call: Any, ctx: Any, noted: list[Any]) -> None:
    try:
        await call(timeout_ms=30)
    except CallTimedOut:
        noted.append(("timed out", ctx.now_ms))
    await call()


def test_a_call_that_takes_too_long_times_out(play: Play) -> None:
    played, noted = looped(play, with_timeout, "success 50ms", "success 100ms")
    assert (noted, played.end) == ([("timed out", 30)], ("success", 130))


def test_a_call_that_ends_in_time_does_not_time_out(play: Play) -> None:
    played, noted = looped(play, with_timeout, "success 20ms", "success 100ms")
    assert (noted, played.end) == ([], ("success", 120))


def test_a_call_that_timed_out_goes_on_and_the_second_effect_is_charged_to_timeout(play: Play) -> None:
    played, _ = looped(play, with_timeout, "success 50ms", "success 100ms")
    assert (played.when("effect"), played.causes) == ([50, 130], {"timeout": 1})


def test_an_effect_done_before_the_timeout_makes_the_next_one_a_duplicate_by_timeout_too(play: Play) -> None:
    played = play("none", "success 50ms", "success 100ms", retrier=Loop(with_timeout), effect_at=0.5)
    assert (played.when("effect"), played.causes) == ([25, 80], {"timeout": 1})


def test_a_hang_times_out(play: Play) -> None:
    played, noted = looped(play, with_timeout, "hang", "success 100ms")
    assert (noted, played.end) == ([("timed out", 30)], ("success", 130))


# Sleeping and drawing.


@pytest.mark.parametrize("delay_ms", [-1, float("nan"), float("inf")])
def test_a_sleep_must_be_finite_and_not_negative(play: Play, delay_ms: float) -> None:
    async def sleeping(_call: Any, ctx: Any, _noted: list[Any]) -> None:
        await ctx.sleep(delay_ms)

    with pytest.raises(ValueError, match="finite and not negative"):
        looped(play, sleeping, "success 0ms")


def test_sleeps_are_in_the_history(play: Play) -> None:
    played, _ = looped(play, until_it_succeeds, "fail 50ms", "success 50ms")
    assert [(event.t_ns, event.duration_ns) for event in played.events("sleep")] == [(50_000_000, 100_000_000)]


def test_a_draw_has_the_address_that_the_loop_gives_it(play: Play) -> None:
    async def drawing(_call: Any, ctx: Any, noted: list[Any]) -> None:
        noted.append(ctx.uniform("jitter", 7))

    played, noted = looped(play, drawing, "success 0ms", jitter=0.75)
    assert (played.drawn, noted, len(played.events("draw"))) == ([("jitter", 0, 7, 0)], [0.75], 1)


# How a loop ends.


def test_a_loop_that_returns_has_succeeded(play: Play) -> None:
    async def returning(_call: Any, ctx: Any, _noted: list[Any]) -> None:
        await ctx.sleep(5)

    assert looped(play, returning, "success 0ms")[0].end == ("success", 5)


def test_a_mistake_in_a_loop_stops_the_simulation(play: Play) -> None:
    async def mistaken(_call: Any, _ctx: Any, _noted: list[Any]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        looped(play, mistaken, "success 0ms")


def test_a_cancel_stops_the_loop_and_the_call_in_flight_goes_on(play: Play) -> None:
    more = "cancel: {share: 1, after: {constant: 20ms}}"
    played, noted = looped(play, until_it_succeeds, "success 50ms", more=more)
    assert (played.end, noted, played.when("effect")) == (("canceled", 20), [], [50])


def test_a_cancel_of_a_loop_that_has_ended_changes_nothing(play: Play) -> None:
    more = "cancel: {share: 1, after: {constant: 80ms}}"
    assert looped(play, until_it_succeeds, "success 50ms", more=more)[0].end == ("success", 50)


def test_a_loop_that_only_sleeps_runs_away(play: Play) -> None:
    async def sleeps(_call: Any, ctx: Any, noted: list[Any]) -> None:
        while True:
            await ctx.sleep(0)
            noted.append(ctx.now_ms)

    played, noted = looped(play, sleeps, "success 1ms", more="limits: {polls_per_request: 100}")
    assert (played.end[0], len(noted), [event.limit for event in played.events("runaway")]) == (
        "runaway",
        100,
        ["sleeps"],
    )


def test_a_loop_that_calls_too_often_runs_away(play: Play) -> None:
    more = "limits: {polls_per_request: 100}"
    played, noted = looped(play, until_it_succeeds, "fail 0ms", more=more)
    assert (played.end[0], played.request.attempts, len(noted)) == ("runaway", 100, 100)


def test_a_loop_that_sleeps_beyond_the_end_of_time_runs_away(play: Play) -> None:
    async def dozing(_call: Any, ctx: Any, _noted: list[Any]) -> None:
        await ctx.sleep(2**62 / 1e6 + 1)

    played, _ = looped(play, dozing, "success 0ms")
    assert (played.end[0], [event.limit for event in played.events("runaway")]) == ("runaway", ["time"])


# What a loop must not ask for.


@pytest.mark.parametrize("timeout_ms", [-1, -0.001, float("nan"), float("-inf")])
def test_a_timeout_that_is_negative_or_no_number_is_refused(play: Play, timeout_ms: float) -> None:
    async def body(call: Any, _ctx: Any, _noted: list[Any]) -> None:
        await call(timeout_ms=timeout_ms)

    with pytest.raises(ValueError, match=f"a timeout must not be negative, not {timeout_ms} ms"):
        looped(play, body, "success 50ms")


def test_an_infinite_timeout_is_none(play: Play) -> None:
    async def body(call: Any, _ctx: Any, _noted: list[Any]) -> Any:
        return await call(timeout_ms=float("inf"))

    played, _ = looped(play, body, "success 50ms")
    assert played.end == ("success", 50)


def test_a_timeout_says_after_how_long_it_was_asked_for(play: Play) -> None:
    async def body(call: Any, _ctx: Any, _noted: list[Any]) -> Any:
        return await call(timeout_ms=12.5)

    played, _ = looped(play, body, "success 50ms")
    assert [(event.t_ns, event.timeout_ns) for event in played.events("timed_out")] == [(12_500_000, 12_500_000)]


def test_an_error_of_the_loops_own_says_where_it_was_raised_and_how_to_give_up(play: Play) -> None:
    async def body(call: Any, _ctx: Any, _noted: list[Any]) -> None:
        try:
            await call()
        except CallFailed as error:
            raise TimeoutError("out of attempts") from error

    with pytest.raises(TimeoutError) as caught:
        looped(play, body, "fail 50ms")
    (note,) = caught.value.__notes__
    assert note == (
        "raised by the loop of retrier 'loop' for request 0 at 50ms. A loop gives up by letting CallFailed through, or "
        "by raising an error derived from it; any other error counts as a mistake."
    )
