"""Loops that are canceled, loops at the end of a world, and loops that wait by an event loop that is not there."""

import asyncio
import gc
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from written_loop import Body, Loop

from sim.clients.client import CallFailed
from sim.convex.contexts import MutationContext
from sim.convex.functions import Function, action
from sim.engine.event import simulate
from sim.history.recorder import Recorder
from sim.kernel.foreign import ForeignAwait
from sim.retriers.base import ScheduledRetrier
from sim.scenario.load import from_dict

Play = Callable[..., Any]
CANCELED = "cancel: {share: 1, after: {constant: 20ms}}"


def canceled(play: Play, body: Body) -> tuple[Any, list[Any]]:
    """Play one request that is canceled after 20 ms, of a call that takes 50 ms."""
    loop = Loop(body)
    return play("none", "success 50ms", retrier=loop, more=CANCELED), loop.noted


# A canceled loop can tidy up, but not wait.


async def tidies(call: Any, ctx: Any, noted: list[Any]) -> None:
    try:
        await call()
    finally:
        noted.append(ctx.now_ms)


async def waits_at_last(call: Any, ctx: Any, noted: list[Any]) -> None:
    try:
        await call()
    finally:
        noted.append("before")
        await ctx.sleep(5)
        noted.append("after")


async def calls_at_last(call: Any, _ctx: Any, noted: list[Any]) -> None:
    try:
        await call()
    finally:
        noted.append("before")
        await call()


async def draws_at_last(call: Any, ctx: Any, noted: list[Any]) -> None:
    try:
        await call()
    finally:
        noted.append("before")
        ctx.uniform("jitter")


async def swallows_once(call: Any, ctx: Any, noted: list[Any]) -> None:
    try:
        await call()
    except BaseException:  # noqa: BLE001  # the case in question
        noted.append("before")
        await ctx.sleep(1)


async def returns_at_last(call: Any, _ctx: Any, noted: list[Any]) -> Any:
    try:
        return await call()
    except GeneratorExit:
        noted.append("before")
        return 7


async def gives_up_at_last(call: Any, _ctx: Any, noted: list[Any]) -> Any:
    try:
        return await call()
    finally:
        noted.append("before")
        raise CallFailed("no more")


def test_a_canceled_loop_can_tidy_up(play: Play) -> None:
    played, noted = canceled(play, tidies)
    assert (noted, played.end) == ([20], ("canceled", 20))


@pytest.mark.parametrize(
    "body", [waits_at_last, calls_at_last, draws_at_last, swallows_once, returns_at_last, gives_up_at_last]
)
def test_what_a_canceled_loop_awaits_does_not_take_place(play: Play, body: Body) -> None:
    played, noted = canceled(play, body)
    assert (noted, played.end, played.request.attempts) == (["before"], ("canceled", 20), 1)
    assert (played.events("sleep"), played.events("draw")) == ([], [])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it cannot be closed, ever
@pytest.mark.parametrize("sleeping", [True, False])
def test_a_loop_that_goes_on_for_ever_although_it_is_canceled_is_told_so(play: Play, *, sleeping: bool) -> None:
    async def goes_on(call: Any, ctx: Any, _noted: list[Any]) -> None:
        while True:
            try:
                await (ctx.sleep(100) if sleeping else call())
            except BaseException:  # noqa: BLE001, S112  # the mistake in question
                continue

    with pytest.raises(RuntimeError, match="the loop goes on although it is canceled") as caught:
        canceled(play, goes_on)
    assert "raised by the loop of retrier 'loop' for request 0 at 20ms" in caught.value.__notes__[0]


def test_a_mistake_while_a_loop_tidies_up_stops_the_simulation(play: Play) -> None:
    async def mistaken(call: Any, _ctx: Any, _noted: list[Any]) -> None:
        try:
            await call()
        finally:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        canceled(play, mistaken)
    assert "for request 0 at 20ms" in caught.value.__notes__[0]


def test_a_loop_that_has_not_ended_is_stopped_with_its_world() -> None:
    loop = Loop(calls_at_last)
    cell = from_dict({"action": {"script": [{"outcome": "hang"}]}, "retrier": "none", "requests": {"count": 3}})
    recorder = Recorder()
    requests = simulate(cell, retrier=loop, recorder=recorder)
    assert (loop.noted, requests.attempts.tolist()) == (["before"] * 3, [1, 1, 1])
    assert [event.request for event in recorder.history() if event.kind == "attempt"] == [0, 1, 2]


class Careful(ScheduledRetrier):
    """An action that asks for things when it is dying."""

    kind = "careful"
    action_jobs = ("work",)

    def bind(self, user: Function) -> None:
        self.user = user
        self.work = action("work", self.run)
        self.seen: list[str] = []

    def submit(self, ctx: MutationContext) -> None:
        ctx.run_after(0, self.work)

    async def run(self, ctx: Any, _: Any) -> None:
        try:
            await ctx.run_action(self.user)
        finally:
            self.seen.append("dying")
            await ctx.run_after(0, self.work)
            self.seen.append("alive")


@pytest.mark.parametrize("outcome", ["crash_before_effect", "hang"])
def test_a_dead_handler_schedules_nothing_more(outcome: str) -> None:
    retrier = Careful()
    cell = from_dict(
        {"action": {"script": [{"outcome": outcome}]}, "retrier": "helpers", "requests": {"count": 1}, "until": "1h"}
    )
    requests = simulate(cell, retrier=retrier)
    assert (retrier.seen, requests.actions.tolist(), requests.mutations.tolist()) == (["dying"], [1], [1])


def test_a_coroutine_that_is_thrown_away_complains_of_nothing(play: Play) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        played, noted = play("none", "hang", retrier=Loop(waits_at_last)), None
        del played
        gc.collect()
    assert noted is None


# Waiting by an event loop.


async def asyncio_sleep(_call: Any, _ctx: Any, _noted: list[Any]) -> None:
    await asyncio.sleep(1)


async def asyncio_sleep_0(_call: Any, _ctx: Any, _noted: list[Any]) -> None:
    await asyncio.sleep(0)


async def wait_for(call: Any, _ctx: Any, _noted: list[Any]) -> None:
    made = call()
    try:
        await asyncio.wait_for(made, 1)
    finally:
        made.close()


async def asyncio_timeout(call: Any, _ctx: Any, _noted: list[Any]) -> None:
    async with asyncio.timeout(1):
        await call()


async def a_future(_call: Any, _ctx: Any, _noted: list[Any]) -> None:
    loop = asyncio.new_event_loop()
    try:
        await loop.create_future()
    finally:
        loop.close()


async def asyncio_sleep_after_a_failure(call: Any, _ctx: Any, _noted: list[Any]) -> None:
    try:
        await call()
    except CallFailed:
        await asyncio.sleep(0)


async def swallowed(_call: Any, _ctx: Any, _noted: list[Any]) -> None:
    with suppress(Exception):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "body",
    [asyncio_sleep, asyncio_sleep_0, wait_for, asyncio_timeout, a_future, asyncio_sleep_after_a_failure, swallowed],
)
def test_waiting_by_asyncio_is_told_to_be_ctx_sleep(play: Play, body: Body) -> None:
    with pytest.raises((RuntimeError, ForeignAwait)) as caught:
        play("none", "fail 5ms", retrier=Loop(body))
    (note,) = caught.value.__notes__
    assert "raised by the loop of retrier 'loop' for request 0" in note
    assert "use `await ctx.sleep(ms)` in place of asyncio.sleep" in note
    assert "CallFailed" not in note


def test_waiting_by_asyncio_is_told_within_a_running_event_loop_too(play: Play) -> None:
    async def main() -> None:
        play("none", "fail 5ms", retrier=Loop(asyncio_sleep))

    with pytest.raises(ForeignAwait, match="awaits a Future") as caught:
        asyncio.run(main())
    assert "use `await ctx.sleep(ms)`" in caught.value.__notes__[0]


def test_a_handler_of_the_deployment_is_told_the_same() -> None:
    class Foreign(Careful):
        async def run(self, ctx: Any, _: Any) -> None:
            del ctx
            await asyncio.sleep(0)

    with pytest.raises(ForeignAwait) as caught:
        simulate(from_dict({"retrier": "helpers", "requests": {"count": 1}}), retrier=Foreign())
    assert "use `await ctx.sleep(ms)`" in "".join(caught.value.__notes__)


def test_the_line_that_waits_is_in_the_traceback(play: Play) -> None:
    with pytest.raises(ForeignAwait) as caught:
        play("none", "fail 5ms", retrier=Loop(asyncio_sleep_0))
    names = []
    traceback = caught.value.__traceback__
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert "asyncio_sleep_0" in names
