"""Asynchronous guests of shared worlds: one event loop for each client process, and any number of requests at once."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import pytest
from greenlet import greenlet
from guests_support import MS, S, run, world

from sim.guests import GuestRefused, GuestRetrier
from sim.guests.strands import this_host


def test_code_that_blocks_lets_all_requests_of_its_process_wait_and_no_other() -> None:
    async def guest(call: Any) -> None:
        number = len(began)
        began.append(time.monotonic_ns())
        if number == 0:
            await asyncio.sleep(0.01)
            time.sleep(1)
        else:
            await asyncio.sleep(0.5)
        await call()

    began: list[int] = []
    ran = run(guest, shared=True, count=4, clients={"count": 2})
    clients = ran.requests.client.tolist()
    blocked = clients[0]
    assert sorted(set(clients)) == [0, 1]
    assert [end for end, client in zip(ran.ends(), clients, strict=True) if client == blocked] == [
        1110 * MS
    ] * clients.count(blocked)
    assert [end for end, client in zip(ran.ends(), clients, strict=True) if client != blocked] == [
        600 * MS
    ] * clients.count(1 - blocked)


class OneAtATime(GuestRetrier):
    """Lets one request of a client call at a time."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.lock = asyncio.Lock()
        self.limit = asyncio.Semaphore(2)

    async def retry(self, call: Any) -> None:
        async with self.limit, self.lock:
            await call()


def test_the_requests_of_a_client_share_its_lock_and_no_others() -> None:
    ran = run(OneAtATime, shared=True, count=6, clients={"count": 2})
    for client in (0, 1):
        ends = sorted(int(end) for end, of in zip(ran.ends(), ran.requests.client, strict=True) if of == client)
        assert ends == [100 * MS * (k + 1) for k in range(len(ends))]


class Queued(GuestRetrier):
    """Lets one task serve all requests of a client."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.worker: Any = None

    async def serve(self) -> None:
        while True:
            call, answer = await self.queue.get()
            await asyncio.sleep(0.5)
            answer.set_result(await call())

    async def retry(self, call: Any) -> None:
        if self.worker is None:
            self.worker = asyncio.create_task(self.serve())
        answer = asyncio.get_running_loop().create_future()
        await self.queue.put((call, answer))
        await answer


def test_a_task_of_the_first_request_serves_those_after_it() -> None:
    ran = run(Queued, shared=True, count=3)
    assert ran.ends() == [600 * MS, 1200 * MS, 1800 * MS]


def test_a_request_for_which_a_task_of_another_one_still_works_is_open_at_the_end() -> None:
    assert run(Queued, shared=True, count=3, until="1s").outcomes == ["success", "open", "open"]


def test_a_request_that_waits_for_nothing_more_to_come_is_stuck() -> None:
    async def guest(call: Any) -> None:
        await call()
        await asyncio.Event().wait()

    assert run(guest, shared=True, count=2).outcomes == ["stuck", "stuck"]
    assert run(guest, count=2).outcomes == ["stuck", "stuck"]


def test_a_heartbeat_that_outlives_its_request_keeps_no_world_going() -> None:
    async def beats() -> None:
        while True:
            await asyncio.sleep(0.3)
            beat.append(time.monotonic_ns())

    async def guest(call: Any) -> None:
        tasks.append(asyncio.create_task(beats()))
        await asyncio.sleep(0.5)
        await call()

    beat: list[int] = []
    tasks: list[Any] = []
    assert run(guest).ends() == [600 * MS]
    assert beat == [300 * MS, 600 * MS, 900 * MS] or beat == [300 * MS, 600 * MS]
    beat.clear()
    run(guest, shared=True, count=2, arrivals={"constant": {"rate": "1/s"}}, clients={"count": 1})
    assert beat[-1] < 4 * S


def test_a_task_that_outlives_its_request_may_not_call() -> None:
    async def late(call: Any) -> None:
        await asyncio.sleep(1)
        await call()

    async def guest(call: Any) -> None:
        tasks.append(asyncio.create_task(late(call)))
        await call()

    tasks: list[Any] = []
    with pytest.raises(GuestRefused, match="calls although its request 0 is over") as raised:
        run(guest)
    assert f"{__file__}:" in str(raised.value)


def test_thousands_of_requests_at_once_each_end_at_their_instant() -> None:
    async def guest(call: Any) -> None:
        await asyncio.wait_for(asyncio.sleep(1), 5)
        await asyncio.gather(call(), asyncio.sleep(0.05))

    ran = run(guest, shared=True, count=2000)
    assert set(ran.ends()) == {1100 * MS}


def test_a_loop_that_serves_thousands_at_one_instant_has_not_run_away() -> None:
    async def guest(call: Any) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        await call()

    ran = run(guest, shared=True, count=100, limits={"polls_per_request": 50})
    assert set(ran.outcomes) == {"success"}


def test_a_task_that_never_lets_time_pass_blocks_its_process_alone() -> None:
    async def guest(call: Any) -> None:
        await asyncio.sleep(0.1)
        if not first:
            first.append(True)
            while True:
                await asyncio.sleep(0)
        await call()

    first: list[bool] = []
    ran = run(guest, shared=True, count=6, clients={"count": 2}, limits={"polls_per_request": 500})
    spinning = ran.outcomes.index("runaway")
    of_it = ran.requests.client[spinning]
    for client, outcome in zip(ran.requests.client, ran.outcomes, strict=True):
        assert outcome in ({"runaway", "stuck"} if client == of_it else {"success"})
    assert ran.outcomes.count("runaway") == 1


# What is left when a world is over.


def greenlets_and_tasks() -> int:
    gc.collect()
    idle = set(map(id, this_host().idle))  # which wait for other code to run; some may be frozen, and not found
    found = [one for one in gc.get_objects() if isinstance(one, (greenlet, asyncio.Task)) and not _is_over(one)]
    return sum(1 for one in found if id(one) not in idle)


def _is_over(one: Any) -> bool:
    return one.done() if isinstance(one, asyncio.Task) else bool(one.dead) or one.parent is None


async def _asynchronous(call: Any) -> None:
    await asyncio.gather(call(), asyncio.sleep(0.2))


def _synchronous(call: Any) -> None:
    call()
    time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("guest", [_asynchronous, _synchronous])
@pytest.mark.parametrize("shared", [False, True])
def test_nothing_is_left_after_many_requests(guest: Any, shared: bool) -> None:
    before = greenlets_and_tasks()
    run(guest, shared=shared, count=300)
    assert greenlets_and_tasks() <= before  # fewer, if what a test before has left is gone meanwhile


@pytest.mark.parametrize("sleeps", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("synchronous", [True, False])
def test_nothing_is_left_if_a_mistake_ends_a_world_in_which_many_wait(
    sleeps: bool, synchronous: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    async def in_loop(call: Any) -> None:
        try:
            await call()
            started.append(call)
            if len(started) == 500:
                raise TypeError("a mistake")
            await (asyncio.sleep(10) if sleeps else asyncio.Event().wait())
        finally:
            await asyncio.sleep(1)

    def as_thread(call: Any) -> None:
        import threading

        try:
            call()
            started.append(call)
            if len(started) == 500:
                raise TypeError("a mistake")
            if sleeps:
                time.sleep(10)
            else:
                threading.Event().wait()
        finally:
            time.sleep(1)

    started: list[Any] = []
    before = greenlets_and_tasks()
    composed = world(as_thread if synchronous else in_loop, shared=True, count=500)
    with pytest.raises(GuestRefused, match="a mistake"):
        composed.shared()
    started.clear()
    del composed
    assert greenlets_and_tasks() <= before  # fewer, if what a test before has left is gone meanwhile
    assert capsys.readouterr() == ("", "")


def test_tasks_that_are_left_at_the_end_are_canceled_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    async def left() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("canceled")
            raise

    async def fails() -> None:
        raise OSError("nobody looks at this")

    async def guest(call: Any) -> None:
        asyncio.create_task(left())  # noqa: RUF006  # as code does that forgets its tasks
        asyncio.create_task(fails())  # noqa: RUF006  # as above
        await call()
        asyncio.create_task(left())  # noqa: RUF006  # it never begins

    ended: list[str] = []
    run(guest, count=2)
    gc.collect()
    assert ended.count("canceled") >= 2
    assert capsys.readouterr() == ("", "")


def test_a_task_that_goes_on_though_the_world_is_over_is_refused() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                pass

    async def guest(call: Any) -> None:
        tasks.append(asyncio.create_task(stubborn(), name="stubborn"))
        await call()

    tasks: list[Any] = []
    with pytest.raises(GuestRefused, match=r"goes on although its simulation is over \(task stubborn\)"):
        run(guest)


def test_a_stubborn_task_that_never_waits_is_refused_too() -> None:
    async def stubborn() -> None:
        await asyncio.sleep(1)
        while True:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                pass

    async def guest(call: Any) -> None:
        tasks.append(asyncio.create_task(stubborn(), name="stubborn"))
        await call()

    tasks: list[Any] = []
    with pytest.raises(GuestRefused, match=r"goes on although"):
        run(guest, limits={"polls_per_request": 100})
