"""An event loop serves another process only if nothing tells it from a new one."""

from __future__ import annotations

import asyncio
import gc
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pytest
from guests_support import run

from sim.guests import idle_loops, processes
from sim.guests.strands import this_host

if TYPE_CHECKING:
    from sim.guests.loop import SimulatedLoop

a_library: Any = ModuleType("a_library")
"""Modules of libraries are not run anew for each request."""


@pytest.fixture(autouse=True)
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the loops of the requests, in turn."""
    found: list[int] = []
    real = processes.loop_on

    def loop_on(*args: Any) -> SimulatedLoop:
        loop = real(*args)
        found.append(id(loop))
        kept.append(loop.strand)  # no other loop gets its place in memory meanwhile
        return loop

    kept: list[Any] = []
    monkeypatch.setattr(processes, "loop_on", loop_on)
    a_library.known, a_library.kept, a_library.own = WeakKeyDictionary(), [], threading.local()
    return found


async def plain(call: Any) -> int:
    await asyncio.sleep(1)
    return await call()


def test_one_loop_serves_requests_one_after_another(used: list[int]) -> None:
    run(plain, count=4)
    assert len(used) == 4
    assert len(set(used)) < 3


def test_a_loop_that_a_library_keeps_serves_no_other_request(used: list[int]) -> None:
    async def guest(call: Any) -> int:
        loop = asyncio.get_running_loop()
        assert all(other is not loop and other.is_closed() for other in a_library.kept)
        a_library.kept.append(loop)
        return await call()  # type: ignore[no-any-return]  # the number of the attempt

    run(guest, count=3)
    assert len(a_library.kept) == 3


def test_what_a_library_notes_for_a_loop_is_not_found_by_the_next_request() -> None:
    async def guest(call: Any) -> int:
        loop = asyncio.get_running_loop()
        assert loop not in a_library.known
        a_library.known[loop] = True
        assert not hasattr(loop, "mine")
        loop.mine = True  # type: ignore[attr-defined]  # that is the point
        return await call()  # type: ignore[no-any-return]  # as above

    run(guest, count=3)


def test_a_setting_of_a_loop_is_not_found_by_the_next_request() -> None:
    async def guest(call: Any) -> int:
        loop = asyncio.get_running_loop()
        assert not loop.get_debug()
        assert loop.slow_callback_duration == 0.1
        loop.set_debug(True)
        loop.slow_callback_duration = 1
        return await call()  # type: ignore[no-any-return]  # as above

    run(guest, count=3)


def test_a_thread_local_value_is_not_found_by_the_next_request() -> None:
    async def guest(call: Any) -> int:
        assert not hasattr(a_library.own, "value")
        a_library.own.value = True
        return await call()  # type: ignore[no-any-return]  # as above

    run(guest, count=3)


def test_a_task_left_over_does_not_come_into_the_next_request(used: list[int]) -> None:
    async def guest(call: Any) -> int:
        assert len(asyncio.all_tasks()) == 1
        a_library.kept.append(1)
        asyncio.get_running_loop().create_task(asyncio.sleep(1000))
        return await call()  # type: ignore[no-any-return]  # as above

    run(guest, count=3)
    assert len(a_library.kept) == 3


def test_requests_of_asynchronous_guests_leave_no_cycles() -> None:
    run(plain, count=2)
    gc.collect()
    gc.disable()
    try:
        run(plain, count=20)
        gc.collect()  # of the world itself
        gc.set_debug(gc.DEBUG_SAVEALL)
        run(plain, count=20)
        gc.collect()
        left = [one for one in gc.garbage if type(one).__module__ == "sim.guests.processes"]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert len(left) <= 2, "the world keeps its last request, which is one client and its process"


def test_nothing_waits_for_other_code_in_a_thread_that_may_end() -> None:
    async def guest(call: Any) -> None:
        await call()

    def blocking(call: Any) -> None:
        call()

    def simulate() -> None:
        run(guest, count=3)
        run(blocking, count=3)
        host = this_host()
        left.append((len(host.idle) > 0, host in idle_loops._idle))  # noqa: SLF001  # what waits shows nowhere else

    left: list[tuple[bool, bool]] = []
    simulate()
    thread = threading.Thread(target=simulate)
    thread.start()
    thread.join()
    assert left == [(True, True), (False, False)]
