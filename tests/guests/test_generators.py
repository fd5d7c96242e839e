"""Asynchronous generators that are freed before their end are closed in the loop of the request that has begun them."""

import asyncio
import contextvars
import gc
import sys
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from guests_support import run

from sim.guests.generators import closed_in_loops
from sim.guests.inside import INSIDE

NAME: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="none")


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def numbers(seen: list[Any]) -> AsyncGenerator[int]:
    begins = INSIDE.get()
    try:
        yield 1
        yield 2
    finally:
        await asyncio.sleep(0.5)
        seen.append(("closed", INSIDE.get() is begins, NAME.get()))


def test_one_to_which_another_request_referred_last_is_closed_by_its_own() -> None:
    seen: list[Any] = []
    left: list[Any] = []

    async def guest(call: Any) -> None:
        if not left:
            left.append(numbers(seen))
            await anext(left[0])
            await asyncio.sleep(2)
        else:
            await asyncio.sleep(1)
            NAME.set("of the other")
            left.clear()
        await call()

    run(guest, shared=True, count=2)
    assert seen == [("closed", True, "none")]


@pytest.mark.parametrize("shared", [False, True])
def test_one_that_the_collector_frees_is_not_closed_whenever_that_is(shared: bool) -> None:
    seen: list[Any] = []

    async def guest(call: Any) -> None:
        gc.collect()
        generator = numbers(seen)
        held: list[Any] = [generator]
        held.append(held)
        await anext(generator)
        del generator, held
        await call()
        gc.collect()
        await call()

    run(guest, shared=shared, count=3)
    gc.collect()
    assert seen == []


def test_one_whose_loop_is_over_is_not_closed_by_the_next() -> None:
    seen: list[Any] = []
    left: list[Any] = []

    async def guest(call: Any) -> None:
        left.clear()
        left.append(numbers(seen))
        await anext(left[0])
        await call()

    run(guest, count=3)
    left.clear()
    assert seen == []


def test_one_that_its_own_request_frees_is_closed_among_its_variables() -> None:
    seen: list[Any] = []

    async def guest(call: Any) -> None:
        gc.collect()
        NAME.set("mine")
        async for _ in numbers(seen):
            break
        await asyncio.sleep(1)
        await call()

    run(guest)
    assert seen == [("closed", True, "mine")]


def test_those_of_the_host_are_left_to_its_hooks() -> None:
    told: list[str] = []
    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(lambda _: told.append("begins"), lambda _: told.append("is freed"))
    try:
        with closed_in_loops():
            generator = numbers([])
            with pytest.raises(StopIteration):
                generator.__anext__().send(None)
            del generator
    finally:
        sys.set_asyncgen_hooks(*before)
    assert told == ["begins", "is freed"]


def test_without_hooks_those_of_the_host_end_as_ever() -> None:
    seen: list[str] = []

    async def two() -> AsyncGenerator[int]:
        try:
            yield 1
            yield 2
        finally:
            seen.append("closed")

    with closed_in_loops():
        generator = two()
        with pytest.raises(StopIteration):
            generator.__anext__().send(None)
        del generator
    assert seen == ["closed"]


def test_of_hooks_in_one_another_the_outermost_stay_and_nothing_is_left() -> None:
    before, callbacks = sys.get_asyncgen_hooks(), gc.callbacks[:]
    with closed_in_loops():
        outer = sys.get_asyncgen_hooks()
        with closed_in_loops():
            assert sys.get_asyncgen_hooks() == outer != before
        assert sys.get_asyncgen_hooks() == outer
    assert (sys.get_asyncgen_hooks(), gc.callbacks) == (before, callbacks)
