"""A request that is alone in its world runs the world itself where it waits, which changes nothing of what happens."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from guests_support import S, world

from sim.clients.failures import CallFailed
from sim.engine.world import World
from sim.guests import GuestRefused
from sim.history.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable


def retries(call: Any) -> Any:
    for _ in range(9):
        try:
            return call(timeout=0.15)
        except CallFailed:
            time.sleep(random.random())
    raise TimeoutError


async def retries_in_a_loop(call: Any) -> Any:
    for _ in range(9):
        try:
            return await call(timeout=0.15)
        except CallFailed:
            await asyncio.sleep(random.random())
    raise TimeoutError


def returns_something_to_await(call: Any) -> Any:
    call()

    async def later() -> None:
        await asyncio.sleep(1)
        time.sleep(0.5)
        await call()

    return later()


async def blocks_its_loop(call: Any) -> Any:
    other = asyncio.create_task(asyncio.sleep(2))
    time.sleep(3)
    await other
    return await call()


async def leaves_a_task(call: Any) -> Any:
    async def beat() -> None:
        while True:
            await asyncio.sleep(0.03)

    task = asyncio.create_task(beat())
    await call()
    assert not task.done()
    return await call()


def waits_for_ever(call: Any) -> None:
    call()
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


async def waits_for_ever_in_a_loop(call: Any) -> None:
    await call()
    await asyncio.get_running_loop().create_future()


def calls_for_ever(call: Any) -> None:
    while True:
        try:
            call(timeout=0.05)
        except CallFailed:
            time.sleep(1)


GUESTS = (
    *(retries, retries_in_a_loop, returns_something_to_await, blocks_its_loop, leaves_a_task),
    *(waits_for_ever, waits_for_ever_in_a_loop, calls_for_ever),
)


@pytest.mark.parametrize("until", [None, "1s"])
@pytest.mark.parametrize("guest", GUESTS, ids=lambda one: one.__name__)
def test_the_same_happens_as_if_the_world_ran_it(
    guest: Callable[[Any], Any], until: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def played() -> tuple[list[Any], list[Any]]:
        recorder = Recorder()
        composed = world(
            guest,
            recorder=recorder,
            latency={"exponential": {"mean": "100ms"}},
            outcomes={"fail": 0.3},
            limits={"polls_per_request": 40},
            **({} if until is None else {"until": until}),
        )
        ended = composed.isolated(range(4))
        return [(one.outcome, one.settled_ns, one.attempts) for one in ended], recorder.raw

    alone = played()
    monkeypatch.setattr(World, "_is_alone", property(lambda _: False))
    assert alone == played()


# Errors of the simulation meet code of a guest that stands above it.


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_of_the_simulation_comes_out_as_it_is_and_the_guest_tidies_up(
    error: type[BaseException], *, is_async: bool
) -> None:
    tidied: list[float] = []

    def guest(call: Any) -> None:
        try:
            call()
            time.sleep(9)
        finally:
            tidied.append(time.monotonic())

    async def guest_in_a_loop(call: Any) -> None:
        try:
            await call()
            await asyncio.sleep(9)
        finally:
            tidied.append(time.monotonic())

    composed = world(guest_in_a_loop if is_async else guest)
    _let_fail(composed, 2 * S, error("of the simulation"))
    with pytest.raises(error, match="of the simulation"):
        composed.isolated([0])
    assert tidied == [2.0]
    assert not composed.clock.is_lent


def _let_fail(composed: World, at_ns: int, error: BaseException) -> None:
    """Let an error be raised at an instant of each of its requests."""
    clock, reset = composed.clock, composed.clock.reset

    def fail() -> None:
        raise error

    def resetting() -> None:
        reset()
        clock.call_after(at_ns, fail)

    clock.reset = resetting  # type: ignore[method-assign]  # it is called at the start of each request


def calls_itself(call: Any) -> Any:
    try:
        return call()
    except CallFailed:
        time.sleep(1)
        return calls_itself(call)


async def calls_itself_in_a_loop(call: Any) -> Any:
    try:
        return await call()
    except CallFailed:
        await asyncio.sleep(1)
        return await calls_itself_in_a_loop(call)


@pytest.mark.parametrize("is_alone", [True, False])
@pytest.mark.parametrize("guest", [calls_itself, calls_itself_in_a_loop])
def test_a_guest_that_leaves_no_stack_to_the_simulation_has_a_mistake(
    guest: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch, *, is_alone: bool
) -> None:
    if not is_alone:
        monkeypatch.setattr(World, "_is_alone", property(lambda _: False))
    with pytest.raises(GuestRefused, match=r"the guest has a mistake: RecursionError: .*test_alone\.py:\d+"):
        world(guest, outcomes={"fail": 1.0}).isolated([0])


def test_a_call_of_another_simulation_is_refused_with_its_line() -> None:
    def guest(call: Any) -> None:
        def guest_of_its_own(_: Any) -> None:
            call()

        world(guest_of_its_own).isolated([0])

    with pytest.raises(GuestRefused, match=r"of another simulation, .*test_alone\.py:\d+"):
        world(guest).isolated([0])
