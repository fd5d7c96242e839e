"""Guests are held to the contracts: no law breaks for code that does no wrong, and each wrong is told."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

import sim
from sim.contracts.catalogue import INVARIANTS
from sim.contracts.platform.numbers import rows_collected
from sim.guests import GuestRetrier, guest_of
from sim.scenario.load import parse
from tests.support.guests_support import run

tenacity = pytest.importorskip("tenacity")

ACTION = "action: {latency: {uniform: {low: 50ms, high: 700ms}}, outcomes: {fail: 0.4, ack_lost: 0.1, hang: 0.05}}"
ARRIVALS = "world: shared\nrequests: {count: 40, arrivals: {poisson: {rate: 20/s}}}\n"
WORLDS = {
    "isolated": f"requests: {{count: 12}}\n{ACTION}",
    "canceled": f"requests: {{count: 12}}\ncancel: {{share: 0.6, after: {{uniform: {{low: 0s, high: 2s}}}}}}\n{ACTION}",
    "resubmitted": "requests: {count: 12}\n"
    f"resubmit: {{after: {{constant: 1s}}, share: 0.8, at_most: 2, silent_after: 2s}}\n{ACTION}",
    "shared": f"{ARRIVALS}{ACTION}",
    "cut": f"{ARRIVALS}until: 1s\n{ACTION}",
    "clients": f"{ARRIVALS}clients: {{count: 3}}\naction: {{service: api}}\n"
    "services: {api: {servers: 2, queue: {limit: 5}, latency: {uniform: {low: 50ms, high: 400ms}},"
    " outcomes: {fail: 0.2}}}",
}
LAWS = tuple(one for one in INVARIANTS if one is not rows_collected)
"""Without one of the platform's, its probe does not run each time."""
FAILURES = {"failed": ConnectionError, "timed_out": TimeoutError, "rejected": BlockingIOError}


def broken(guest: Any, text: str) -> list[str]:
    """Return what breaks in a world whose requests a guest serves."""
    scenario = parse(f"schema: 1\nname: guests\nseed: 5\nretrier: none\n{text}\n")
    guest.stateless = True
    made = guest if isinstance(guest, type) else guest_of(guest)
    checked = sim.check(scenario, retrier=made, invariants=LAWS)
    cell = checked.cells[0]
    return [*cell.broken, *(one.name for one in cell.unseen)]


# Code that does no wrong.


@tenacity.retry(stop=tenacity.stop_after_attempt(4), wait=tenacity.wait_random_exponential(0.1, max=5))
def in_a_thread(call: Any) -> Any:
    return call(timeout=1.0)


in_a_thread.errors = FAILURES  # type: ignore[attr-defined]  # what its client raises


@tenacity.retry(stop=tenacity.stop_after_delay(5), wait=tenacity.wait_fixed(0.7))
async def in_a_loop(call: Any) -> Any:
    return await call(timeout=1.0)


async def hedged_by_hand(call: Any) -> Any:
    tasks = {asyncio.create_task(call(timeout=2.0))}
    for further in (True, True, False):
        done, tasks = await asyncio.wait(tasks, timeout=0.2 if further else None, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            if one.exception() is None:
                for other in tasks:
                    other.cancel()
                return one.result()
        if further:
            tasks.add(asyncio.create_task(call(timeout=2.0)))
        elif not tasks:
            break
    for other in tasks:
        other.cancel()
    raise ConnectionError("no copy has succeeded")


async def limited(call: Any) -> Any:
    async with asyncio.timeout(2):
        while True:
            try:
                return await asyncio.wait_for(call(), 0.4)
            except OSError:
                await asyncio.sleep(0.4)


async def with_a_heartbeat(call: Any) -> Any:
    async def beat() -> None:
        while True:  # as such code does
            await asyncio.sleep(0.1)

    asyncio.create_task(beat())  # noqa: RUF006  # it outlives the request, which is what is tested
    for left in (2, 1, 0):
        try:
            return await call(timeout=0.5)
        except OSError:
            if not left:
                raise
            await asyncio.sleep(0.35)
    return None


async def in_a_group(call: Any) -> Any:
    async def tries() -> Any:
        while True:
            try:
                return await call(timeout=0.4)
            except OSError:
                await asyncio.sleep(0.1)

    async def gives_up() -> None:
        await asyncio.sleep(0.8)
        raise TimeoutError

    async with asyncio.TaskGroup() as group:
        task = group.create_task(tries())
        limit = group.create_task(gives_up())
        task.add_done_callback(lambda _: limit.cancel())
    return task.result()


class OneAtATime(GuestRetrier):
    """Requests of one client wait for each other in threads."""

    kind = "one_at_a_time"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.places = threading.Semaphore(1)

    def retry(self, call: Any) -> Any:
        """Call within the one place."""
        for left in (2, 1, 0):
            if not self.places.acquire(timeout=0.5):
                raise ConnectionError("no place")
            try:
                return call(timeout=0.4)
            except OSError:
                if not left:
                    raise
            finally:
                self.places.release()
            time.sleep(0.1)
        return None


class Refilled(GuestRetrier):
    """Background code that one request has started lets the others go on."""

    kind = "refilled"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.tokens, self.filling = 2, None
        self.change = asyncio.Condition()

    async def fill(self) -> None:
        """Add tokens for ever."""
        while True:
            await asyncio.sleep(0.05)
            async with self.change:
                self.tokens = min(self.tokens + 2, 5)
                self.change.notify_all()

    async def retry(self, call: Any) -> Any:
        """Call with a token."""
        self.filling = self.filling or asyncio.create_task(self.fill())  # type: ignore[assignment]
        for left in (2, 1, 0):
            async with self.change:
                await self.change.wait_for(lambda: self.tokens > 0)
                self.tokens -= 1
            try:
                return await call(timeout=0.5)
            except OSError:
                if not left:
                    raise
        return None


for one in (hedged_by_hand, limited, with_a_heartbeat, in_a_group, OneAtATime, Refilled):
    one.errors = FAILURES  # type: ignore[attr-defined]  # as above

GUESTS = (in_a_thread, in_a_loop, hedged_by_hand, limited, with_a_heartbeat, in_a_group, OneAtATime, Refilled)


@pytest.mark.parametrize(
    "world",
    # Every guest in every world takes ten times as long.
    [world if world == "isolated" else pytest.param(world, marks=pytest.mark.slow) for world in WORLDS],
)
@pytest.mark.parametrize("guest", GUESTS, ids=lambda guest: guest.__name__)
def test_code_that_does_no_wrong_breaks_nothing(guest: Any, world: str) -> None:
    assert broken(guest, WORLDS[world]) == []


def test_tasks_are_canceled_in_the_same_order_in_every_run() -> None:
    async def many(call: Any) -> Any:
        tasks = {asyncio.create_task(call()) for _ in range(20)}
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for one in rest:
            one.cancel()
        return done.pop().result()

    def left() -> list[Any]:
        raw = run(many, latency={"uniform": {"low": "50ms", "high": "700ms"}}).raw
        return [event[3] for event in raw if event[1] == "timed_out"]

    found = left()
    assert len(found) == 19
    kept = [bytearray(100_000) for _ in range(50)]  # other addresses for what comes now
    assert left() == found
    del kept


# Code that does wrong.


def sleeps_in_vain(call: Any) -> Any:
    for _ in range(3):
        try:
            return call(timeout=0.4)
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("gives up")


def goes_on_after_success(call: Any) -> int:
    for _ in range(2):
        call(timeout=1.0)
    return 1


async def waits_for_all(call: Any) -> Any:
    found = await asyncio.gather(call(), call(), return_exceptions=True)
    raise ConnectionError(str(found))


sleeps_in_vain.errors = FAILURES  # type: ignore[attr-defined]  # as above


@pytest.mark.parametrize(
    ("guest", "law"),
    [
        (sleeps_in_vain, "no-sleep-after-last-attempt"),
        (goes_on_after_success, "no-retry-after-success"),
        (waits_for_all, "result-is-true"),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_code_that_does_wrong_is_told(guest: Any, law: str) -> None:
    found = broken(guest, "requests: {count: 12}\naction: {latency: 100ms, outcomes: {fail: 0.5}}")
    assert law in found


def test_a_breaker_that_refuses_the_last_call_is_no_wrong_of_its_guest() -> None:
    pybreaker = pytest.importorskip("pybreaker")

    class Breaks(GuestRetrier):
        kind = "breaks"

        def __init__(self, options: Any = None) -> None:
            super().__init__(options)
            self.breaker = pybreaker.CircuitBreaker(fail_max=2, reset_timeout=60)

        def retry(self, call: Any) -> Any:
            retries = tenacity.Retrying(stop=tenacity.stop_after_attempt(4), wait=tenacity.wait_fixed(0.3))
            return retries(self.breaker.call, call, timeout=0.4)

    assert broken(Breaks, WORLDS["isolated"]) == []
