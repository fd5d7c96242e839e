"""Guest code is stopped where it waits, has thread-local values of its own, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from asyncio import _get_running_loop
from typing import Any

import pytest
from greenlet import greenlet
from guests_support import MS, run, world

from sim.clients.failures import CallFailed
from sim.guests import GuestRefused, GuestRetrier
from sim.guests.strands import this_host

CANCELED = {"cancel": {"share": 1.0, "after": "50ms"}}


# Stopping.


def waits_in_call(call: Any) -> None:
    call()


def waits_in_sleep(call: Any) -> None:
    time.sleep(1)


def waits_for_a_lock(call: Any) -> None:
    threading.Event().wait()


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("waits", [waits_in_call, waits_in_sleep, waits_for_a_lock])
def test_a_canceled_request_is_stopped_where_it_waits_and_tidies_up(waits: Any, shared: bool) -> None:
    def guest(call: Any) -> None:
        try:
            waits(call)
        except Exception:  # noqa: BLE001  # it must not stop this
            seen.append("caught")
        finally:
            seen.append(time.monotonic_ns())
            time.sleep(1)
            seen.append("slept")

    seen: list[Any] = []
    ran = run(guest, shared=shared, count=2, **CANCELED)
    assert ran.outcomes == ["canceled", "canceled"]
    assert seen == [50 * MS, 50 * MS]


async def awaits_call(call: Any) -> None:
    await call()


async def awaits_sleep(call: Any) -> None:
    await asyncio.sleep(1)


async def awaits_event(call: Any) -> None:
    await asyncio.Event().wait()


async def blocks(call: Any) -> None:
    time.sleep(1)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("waits", [awaits_call, awaits_sleep, awaits_event])
def test_a_canceled_task_is_stopped_where_it_waits_and_tidies_up(waits: Any, shared: bool) -> None:
    async def guest(call: Any) -> None:
        try:
            await waits(call)
        except Exception:  # noqa: BLE001  # as above
            seen.append("caught")
        finally:
            seen.append(time.monotonic_ns())
            try:
                await waits(call)
            finally:
                await asyncio.sleep(0)
            seen.append("waited")

    seen: list[Any] = []
    ran = run(guest, shared=shared, count=2, **CANCELED)
    assert ran.outcomes == ["canceled", "canceled"]
    assert seen == [50 * MS, 50 * MS]
    assert ran.seen("timed_out") == []


def test_a_call_of_a_canceled_request_goes_on_and_has_its_effect() -> None:
    for guest in (waits_in_call, awaits_call):
        ran = run(guest, **CANCELED)
        assert ran.seen("settled", "effect") == [(50 * MS, "settled", "canceled"), (100 * MS, "effect", "applied")]


def test_a_task_that_blocks_its_loop_is_canceled_as_it_goes_on() -> None:
    async def guest(call: Any) -> None:
        try:
            time.sleep(1)
            await call()
        finally:
            seen.append(time.monotonic())

    seen: list[Any] = []
    assert run(guest, **CANCELED).outcomes == ["canceled"]
    assert seen == [1.0]


def calls_for_ever(call: Any) -> None:
    while True:
        try:
            call()
        except BaseException:  # noqa: BLE001, S110  # the mistake to be found
            pass


def sleeps_for_ever(call: Any) -> None:
    while True:
        try:
            time.sleep(0.02)
        except BaseException:  # noqa: BLE001, S110  # as above
            pass


async def calls_in_a_loop_for_ever(call: Any) -> None:
    while True:
        try:
            await call()
        except BaseException:  # noqa: BLE001, S110  # as above
            pass


async def sleeps_in_a_loop_for_ever(call: Any) -> None:
    while True:
        try:
            await asyncio.sleep(0.02)
        except BaseException:  # noqa: BLE001, S110  # as above
            pass


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    "guest", [calls_for_ever, sleeps_for_ever, calls_in_a_loop_for_ever, sleeps_in_a_loop_for_ever]
)
def test_a_guest_that_catches_what_stops_it_and_goes_on_is_refused(guest: Any, shared: bool) -> None:
    with pytest.raises(GuestRefused, match="goes on although") as raised:
        run(guest, shared=shared, count=3, **CANCELED)
    assert "let through" in str(raised.value)


@pytest.mark.parametrize("guest", [calls_for_ever, calls_in_a_loop_for_ever])
def test_a_guest_that_goes_on_at_the_end_of_the_world_is_refused(guest: Any) -> None:
    with pytest.raises(GuestRefused, match="goes on although"):
        run(guest, shared=True, count=3, until="2s")


def test_a_guest_that_gives_up_at_the_end_is_no_mistake() -> None:
    def guest(call: Any) -> None:
        try:
            time.sleep(100)
        except BaseException:  # noqa: BLE001  # as above
            raise ValueError("something else") from None

    assert run(guest, shared=True, count=3, until="2s").outcomes == ["open"] * 3


def test_sys_exit_in_a_guest_ends_no_process() -> None:
    def guest(call: Any) -> None:
        call()
        sys.exit(1)

    def in_finally(call: Any) -> None:
        try:
            call()
        finally:
            sys.exit(1)

    with pytest.raises(GuestRefused, match=r"calls sys\.exit"):
        run(guest)
    run(in_finally, **CANCELED)


def test_an_interrupt_by_the_user_ends_the_run() -> None:
    def guest(call: Any) -> None:
        call()
        raise KeyboardInterrupt

    async def in_loop(call: Any) -> None:
        await call()
        raise KeyboardInterrupt

    for one in (guest, in_loop):
        with pytest.raises(KeyboardInterrupt):
            run(one)


def test_a_world_that_was_opened_leaves_no_greenlet_as_it_is_concluded() -> None:
    def guest(call: Any) -> None:
        try:
            call()
            time.sleep(10)
        finally:
            time.sleep(1)

    def left() -> int:
        gc.collect()
        return sum(1 for one in gc.get_objects() if isinstance(one, greenlet) and not one.dead and one.parent) - len(
            this_host().idle
        )

    before = left()
    composed = world(guest, shared=True, count=10)
    with composed.around():
        requests = composed.open()
        composed.clock.drain(500 * MS, 1000)
    assert left() == before + 10
    composed.conclude(requests)
    del composed
    assert left() == before


# Thread-local values.


class Counting(GuestRetrier):
    """Counts its attempts in a thread-local value, as Tenacity does."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.local = threading.local()

    def retry(self, call: Any) -> None:
        assert not hasattr(self.local, "count")
        self.local.count = 0
        while True:
            self.local.count += 1
            try:
                number = call()
            except CallFailed:
                time.sleep(0.1)
            else:
                assert self.local.count == number
                return


@pytest.mark.parametrize("shared", [False, True])
def test_each_request_has_thread_local_values_of_its_own(shared: bool) -> None:
    ran = run(Counting, shared=shared, count=50, outcomes={"fail": 0.7})
    assert set(ran.outcomes) == {"success"}
    assert len(set(ran.requests.attempts.tolist())) > 3


def test_the_host_keeps_its_thread_local_values_and_guests_do_not_see_them() -> None:
    def guest(call: Any) -> None:
        seen.append(hasattr(local, "value"))
        local.value = "guest's"
        call()
        seen.append(local.value)

    local, seen = threading.local(), []
    local.value = "host's"
    run(guest, count=2)
    run(guest, shared=True, count=2)
    assert local.value == "host's"
    assert seen.count("guest's") == 4
    assert True not in seen


def test_the_tasks_of_a_loop_share_thread_local_values_as_they_share_a_thread() -> None:
    async def guest(call: Any) -> None:
        seen.append(getattr(local, "value", None))
        local.value = "a task's"
        await call()

    local, seen = threading.local(), []
    run(guest, shared=True, count=2)
    assert seen == [None, "a task's"]
    assert not hasattr(local, "value")


def test_asking_which_thread_runs_does_no_harm() -> None:
    def guest(call: Any) -> None:
        seen.append((threading.get_ident(), threading.current_thread().name, threading.get_native_id()))
        call()

    seen: list[Any] = []
    run(guest, shared=True, count=3)
    assert len(seen) == 3
    assert not [one for one in threading.enumerate() if type(one).__name__ == "_DummyThread"]


def test_synchronous_code_has_no_running_loop_even_if_the_host_has() -> None:
    def guest(call: Any) -> None:
        seen.append(_get_running_loop())
        call()
        seen.append(_get_running_loop())

    async def in_loop(call: Any) -> None:
        await call()
        seen.append(type(asyncio.get_running_loop()).__name__)

    async def host() -> None:
        loop = asyncio.get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        run(guest, shared=True, count=2)
        run(in_loop, count=2)
        assert asyncio.get_running_loop() is loop
        assert sys.get_asyncgen_hooks() == hooks
        await asyncio.sleep(0)

    seen: list[Any] = []
    asyncio.run(host())
    assert seen == [None] * 4 + ["SimulatedLoop"] * 2


def test_guests_can_run_in_another_thread_of_the_host() -> None:
    def runs() -> None:
        ends.extend(run(Counting, shared=True, count=5, outcomes={"fail": 0.5}).ends())

    ends: list[int] = []
    for _ in range(2):
        thread = threading.Thread(target=runs)
        thread.start()
        thread.join()
    assert ends[:5] == ends[5:]
