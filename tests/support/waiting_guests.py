"""Guests that wait for ever; each line says in a comment that it is the one where they wait."""

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

from sim.guests import GuestRetrier

Call = Callable[..., Any]
AsyncCall = Callable[..., Awaitable[Any]]


def event(call: Call) -> None:
    call()
    threading.Event().wait()  # event


def empty_queue(call: Call) -> None:
    call()
    queue.Queue[int]().get()  # empty_queue


def taken_lock(call: Call) -> None:
    call()
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()  # taken_lock


def future(call: Call) -> None:
    call()
    Future[int]().result()  # future


def before_a_call(call: Call) -> None:
    del call
    wait_for(threading.Condition())


def wait_for(condition: threading.Condition) -> None:
    with condition:
        condition.wait()  # before_a_call


async def async_event(call: AsyncCall) -> None:
    await call()
    await asyncio.Event().wait()  # async_event


async def async_queue(call: AsyncCall) -> None:
    await call()
    await inner(asyncio.Queue[int]())


async def inner(items: asyncio.Queue[int]) -> int:
    return await items.get()  # async_queue


async def gathered(call: AsyncCall) -> None:
    await call()
    await asyncio.gather(asyncio.Event().wait(), asyncio.sleep(1))  # gathered


async def blocked_loop(call: AsyncCall) -> None:
    await call()
    threading.Event().wait()  # blocked_loop


class OfAClass(GuestRetrier):
    """Waits in a method."""

    kind = "of-a-class"

    def retry(self, call: Call) -> None:
        """Wait."""
        call()
        threading.Event().wait()  # OfAClass


def now_and_then(call: Call) -> Any:
    """Wait only if the call has failed, at one of two lines."""
    try:
        call()
    except Exception:  # noqa: BLE001  # of any kind
        threading.Event().wait()  # now_and_then


def hanging_call(call: Call) -> Any:
    return call()


async def hanging_calls(call: AsyncCall) -> None:
    await asyncio.gather(call(), call())


def with_a_timeout(call: Call) -> Any:
    threading.Event().wait(timeout=60)
    queue_of_one = queue.Queue[int]()
    queue_of_one.put(1)
    queue_of_one.get()
    return call()
