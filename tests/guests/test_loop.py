"""Asynchronous guests find asyncio as it is, on the simulation's clock."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import time
from typing import Any, Self

import pytest
from guests_support import MS, S, run

from sim.clients.failures import CallFailed, CallTimedOut
from sim.guests import GuestRefused


def seen_by(body: Any, **more: Any) -> list[Any]:
    """Run a guest that notes what it sees in a list, and return that; `body` takes `call` and the list."""
    seen: list[Any] = []

    async def guest(call: Any) -> None:
        await body(call, seen)
        await call()

    run(guest, **more)
    return seen


# Sleeping, and the instants of timers.


def test_asyncio_sleep_lasts_exactly_as_long_as_it_says() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        for seconds in (0.1, 0.2, 0.3, 1e-9, 3.0, 1 / 3):
            await asyncio.sleep(seconds)
            seen.append(time.monotonic_ns())

    steps = [100 * MS, 200 * MS, 300 * MS, 1, 3 * S, 333_333_333]
    assert seen_by(body) == [sum(steps[: k + 1]) for k in range(len(steps))]


def test_a_sleep_of_nothing_only_lets_others_go_first() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        task = asyncio.create_task(note("other", seen))
        await asyncio.sleep(0)
        seen.append(("self", time.monotonic_ns()))
        await task

    assert seen_by(body) == [("other", 0), ("self", 0)]


async def note(name: str, seen: list[Any]) -> None:
    seen.append((name, time.monotonic_ns()))


def test_a_timeout_at_a_sum_of_floats_fires_at_the_instant_that_the_loop_shows() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.1)
        try:
            async with asyncio.timeout_at(loop.time() + 0.2):
                await asyncio.sleep(1)
        except TimeoutError:
            seen.extend((loop.time(), time.monotonic(), time.monotonic_ns()))

    assert seen_by(body) == [0.3, 0.3, 300 * MS]


def test_code_that_sleeps_until_a_deadline_comes_past_it_though_floats_do_not_add_up() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.1)
        deadline = loop.time() + 0.2  # 0.30000000000000004
        while loop.time() < deadline:
            await asyncio.sleep(deadline - loop.time())
            seen.append(time.monotonic_ns())

    assert seen_by(body) == [300 * MS, 300 * MS + 1]


def test_timers_of_one_instant_fire_in_the_order_in_which_they_were_set() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_at(0.3, seen.append, "first")
        loop.call_later(0.1 + 0.2, seen.append, "second")
        loop.call_later(0.2, seen.append, "early")
        off = loop.call_later(0.25, seen.append, "called off")
        off.cancel()
        await asyncio.sleep(0.3)
        seen.append("sleeper")
        loop.call_soon(seen.append, "soon")
        loop.call_at(0.1, seen.append, "past")
        await asyncio.sleep(0.001)

    assert seen_by(body) == ["early", "first", "second", "sleeper", "soon", "past"]


@pytest.mark.parametrize(("seconds", "ends"), [(0.1, "timed out"), (0.100000001, "answered")])
def test_a_limit_at_the_very_instant_at_which_the_call_ends_comes_first_since_it_was_set_first(
    seconds: float, ends: str
) -> None:
    async def guest(call: Any) -> None:
        try:
            await asyncio.wait_for(call(), seconds)
            seen.append("answered")
        except TimeoutError:
            seen.append("timed out")
            await call()

    seen: list[str] = []
    run(guest)
    assert seen == [ends]


def test_a_limit_set_after_the_call_began_comes_after_its_end() -> None:
    async def guest(call: Any) -> None:
        task = asyncio.ensure_future(call())
        await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.shield(task), 0.1)

    assert run(guest).seen("timed_out", "settled") == [(100 * MS, "settled", "success")]


def test_the_timeout_of_a_call_and_a_limit_around_it_come_in_the_order_in_which_they_were_set() -> None:
    async def guest(call: Any) -> None:
        try:
            async with asyncio.timeout(0.05):
                await call(timeout=0.05)
        except CallTimedOut:
            seen.append("the call's")
        except TimeoutError:
            seen.append("the limit around it")
        await call()

    seen: list[str] = []
    run(guest)
    assert seen == ["the limit around it"]


# Limits.


def test_wait_for_cancels_a_call_which_goes_on() -> None:
    async def guest(call: Any) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call(), 0.05)
        await call()

    ran = run(guest)
    assert ran.seen("timed_out", "effect", "attempt_end", "settled") == [
        (50 * MS, "timed_out", ""),
        (100 * MS, "effect", "applied"),
        (100 * MS, "attempt_end", "returned"),
        (150 * MS, "effect", "timeout"),
        (150 * MS, "attempt_end", "returned"),
        (150 * MS, "settled", "success"),
    ]


def test_wait_for_ends_a_loop_of_retries_while_it_sleeps() -> None:
    async def retries(call: Any) -> None:
        while True:
            try:
                await call()
            except CallFailed:
                await asyncio.sleep(1)

    async def guest(call: Any) -> None:
        await asyncio.wait_for(retries(call), 2.5)

    ran = run(guest, outcomes={"fail": 1.0})
    assert ran.outcomes == ["gave_up"]
    assert ran.ends() == [2500 * MS]
    assert ran.requests.attempts.tolist() == [3]
    assert ran.seen("woken", "sleep") == [
        (100 * MS, "sleep", ""),
        (1200 * MS, "sleep", ""),
        (2300 * MS, "sleep", ""),
        (2500 * MS, "woken", "timer"),
        (2500 * MS, "woken", "cut"),
    ]


def test_nested_limits_end_by_the_one_that_comes_first() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        async with asyncio.timeout(1) as outer:
            try:
                async with asyncio.timeout(0.5) as inner:
                    await asyncio.wait_for(asyncio.sleep(10), 5)
            except TimeoutError:
                seen.append((time.monotonic(), inner.expired(), outer.expired()))
            try:
                await asyncio.sleep(10)
            finally:
                seen.append(time.monotonic())

    seen: list[Any] = []

    async def guest(call: Any) -> None:
        with pytest.raises(TimeoutError):
            await body(call, seen)
        await call()

    run(guest)
    assert seen == [(0.5, True, False), 1.0]


def test_a_timeout_can_be_rescheduled() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(1) as limit:
                await asyncio.sleep(0.9)
                limit.reschedule(loop.time() + 2)
                await asyncio.sleep(10)
        except TimeoutError:
            seen.append(time.monotonic())
        async with asyncio.timeout(None) as limit:
            await asyncio.sleep(5)
            seen.append(limit.when())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.sleep(1)
        seen.append(time.monotonic())

    assert seen_by(body) == [2.9, None, 7.9]


def test_a_task_that_suppresses_its_cancellation_goes_on() -> None:
    async def stubborn(call: Any) -> int:
        try:
            await call()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
        return int(await call())

    async def guest(call: Any) -> None:
        task = asyncio.create_task(stubborn(call))
        await asyncio.sleep(0.03)
        task.cancel()
        seen.append(await task)

    seen: list[int] = []
    ran = run(guest)
    assert seen == [2]
    assert ran.seen("timed_out", "settled") == [(30 * MS, "timed_out", ""), (130 * MS, "settled", "success")]


def test_a_sleep_without_end_is_ended_by_a_limit_and_no_timer_of_the_simulation() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(float("inf")), 3)
        seen.append(time.monotonic())

    assert seen_by(body) == [3.0]


# Several things at once.


def test_gather_calls_at_once_and_returns_in_order() -> None:
    async def guest(call: Any) -> None:
        seen.append(await asyncio.gather(call(), call(), call()))

    seen: list[Any] = []
    ran = run(guest)
    assert seen == [[1, 2, 3]]
    assert ran.ends() == [100 * MS]


def test_gather_returns_exceptions_if_asked_to() -> None:
    async def guest(call: Any) -> None:
        found = await asyncio.gather(call(), fails(), asyncio.sleep(1, "slept"), return_exceptions=True)
        seen.extend((found[0], str(found[1]), found[2], time.monotonic()))

    async def fails() -> None:
        await asyncio.sleep(0.2)
        raise OSError("no")

    seen: list[Any] = []
    run(guest)
    assert seen == [1, "no", "slept", 1.0]


def test_the_first_error_leaves_gather_while_the_others_go_on() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        other = asyncio.create_task(asyncio.sleep(1, "slept"))
        with pytest.raises(OSError, match="no"):
            await asyncio.gather(other, fails())
        seen.append((time.monotonic(), other.done()))
        seen.append((await other, time.monotonic()))

    async def fails() -> None:
        await asyncio.sleep(0.2)
        raise OSError("no")

    assert seen_by(body) == [(0.2, False), ("slept", 1.0)]


def test_a_group_of_tasks_cancels_the_siblings_of_one_that_fails() -> None:
    async def guest(call: Any) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(call(), name="calling")
                group.create_task(fails())
        except* OSError as group_error:
            seen.append((time.monotonic(), len(group_error.exceptions)))
        async with asyncio.TaskGroup() as group:
            done = [group.create_task(call()) for _ in range(2)]
        seen.append([one.result() for one in done])

    async def fails() -> None:
        await asyncio.sleep(0.03)
        raise OSError("no")

    seen: list[Any] = []
    ran = run(guest)
    assert seen == [(0.03, 1), [2, 3]]
    assert ran.seen("timed_out") == [(30 * MS, "timed_out", "")]


def test_wait_returns_with_the_first_and_as_completed_in_the_order_of_their_ends() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        tasks = [asyncio.create_task(asyncio.sleep(seconds, seconds)) for seconds in (3, 1, 2)]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        seen.append(([one.result() for one in done], len(pending), time.monotonic()))
        done, pending = await asyncio.wait(tasks, timeout=1.5)
        seen.append((len(done), len(pending), time.monotonic()))
        for one in asyncio.as_completed([asyncio.sleep(0.3, "c"), asyncio.sleep(0.1, "a"), asyncio.sleep(0.2, "b")]):
            seen.append(await one)
        with pytest.raises(TimeoutError):
            for one in asyncio.as_completed([asyncio.sleep(5)], timeout=1):
                await one
        seen.append(time.monotonic())

    assert seen_by(body) == [([1], 2, 1.0), (2, 1, 2.5), "a", "b", "c", 3.8]


def test_shield_lets_a_call_be_heard_later() -> None:
    async def guest(call: Any) -> None:
        task = asyncio.ensure_future(call())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 0.05)
        seen.append(await task)

    seen: list[Any] = []
    ran = run(guest)
    assert seen == [1]
    assert ran.seen("timed_out") == []
    assert ran.ends() == [100 * MS]


def test_a_hedge_that_cancels_the_slower_call_makes_two_attempts() -> None:
    async def guest(call: Any) -> None:
        tasks = {asyncio.ensure_future(call())}
        done, _ = await asyncio.wait(tasks, timeout=0.04)
        if not done:
            tasks.add(asyncio.ensure_future(call()))
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for one in pending:
                one.cancel()

    ran = run(guest)
    assert ran.requests.attempts.tolist() == [2]
    assert ran.ends() == [100 * MS]
    assert ran.requests.effects.tolist() == [2]


# What tasks wait for.


def test_events_locks_conditions_semaphores_and_queues_are_asyncios_own() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        event, lock, semaphore = asyncio.Event(), asyncio.Lock(), asyncio.Semaphore(2)
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        condition, ready = asyncio.Condition(), []

        async def waiter(name: str) -> None:
            await event.wait()
            async with lock:
                await asyncio.sleep(1)
                seen.append((name, time.monotonic()))

        async def limited(name: str) -> None:
            async with semaphore:
                await asyncio.sleep(1)
            seen.append((name, time.monotonic()))

        async def puts() -> None:
            for number in range(3):
                await queue.put(number)
                await asyncio.sleep(1)

        async def prepares() -> None:
            await asyncio.sleep(1)
            async with condition:
                ready.append(True)
                condition.notify_all()

        async with asyncio.TaskGroup() as group:
            group.create_task(waiter("a"))
            group.create_task(waiter("b"))
            await asyncio.sleep(2)
            event.set()
        async with asyncio.TaskGroup() as group:
            for name in "cde":
                group.create_task(limited(name))
        task = asyncio.create_task(puts())
        for _ in range(3):
            seen.append((await queue.get(), time.monotonic()))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 2)
        await task
        seen.append(time.monotonic())
        task = asyncio.create_task(prepares())
        async with condition:
            await condition.wait_for(lambda: ready)
        seen.append(time.monotonic())

    assert seen_by(body) == [
        *(("a", 3.0), ("b", 4.0)),
        *(("c", 5.0), ("d", 5.0), ("e", 6.0)),
        *((0, 6.0), (1, 7.0), (2, 8.0)),
        *(10.0, 11.0),
    ]


def test_asynchronous_generators_and_context_managers_tidy_up() -> None:
    async def numbers(seen: list[Any]) -> Any:
        try:
            for number in range(10):
                yield number
                await asyncio.sleep(1)
        finally:
            await asyncio.sleep(0.5)
            seen.append(("closed", time.monotonic()))

    class Resource:
        async def __aenter__(self) -> Self:
            await asyncio.sleep(1)
            return self

        async def __aexit__(self, *_: object) -> None:
            await asyncio.sleep(1)

    async def body(call: Any, seen: list[Any]) -> None:
        async for number in numbers(seen):
            if number == 2:
                break
        seen.append(("left", time.monotonic()))
        async with Resource():
            seen.append(("inside", time.monotonic()))
        seen.append(("after", time.monotonic()))

    assert seen_by(body) == [("left", 2.0), ("closed", 2.5), ("inside", 3.0), ("after", 4.0)]


def test_tasks_have_names_and_contexts_and_are_known() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

    async def child(seen: list[Any]) -> None:
        seen.append(variable.get())
        variable.set("child's")

    async def body(call: Any, seen: list[Any]) -> None:
        variable.set("mine")
        other = contextvars.copy_context()
        other.run(variable.set, "other")
        task = asyncio.create_task(child(seen), name="of mine")
        seen.append((task.get_name(), task in asyncio.all_tasks(), len(asyncio.all_tasks())))
        await task
        await asyncio.create_task(child(seen), context=other)
        seen.append((variable.get(), other.get(variable)))
        current = asyncio.current_task()
        seen.append(current is not None and current.get_coro() is not None)

    assert seen_by(body) == [("of mine", True, 2), "mine", "other", ("mine", "child's"), True]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
@pytest.mark.parametrize("shared", [False, True])
def test_eager_tasks_begin_at_once(shared: bool) -> None:
    async def guest(call: Any) -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        task = asyncio.create_task(calls(call))
        seen.append("main")
        await task

    async def calls(call: Any) -> None:
        seen.append("begun")
        await call()
        seen.append("answered")

    seen: list[str] = []
    ran = run(guest, shared=shared, count=2)
    assert seen.count("begun") == 2
    assert seen[:2] == ["begun", "main"]
    assert ran.outcomes == ["success", "success"]


def test_an_own_factory_of_tasks_is_used() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        def factory(loop: Any, coro: Any, **more: Any) -> Any:
            seen.append("made")
            return asyncio.Task(coro, loop=loop, **more)

        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        assert loop.get_task_factory() is factory
        await asyncio.create_task(asyncio.sleep(1), name="own")

    assert seen_by(body) == ["made"]


# Anyio.


def test_anyio_runs_in_the_loop() -> None:
    anyio = pytest.importorskip("anyio")
    sniffio = pytest.importorskip("sniffio")

    async def body(call: Any, seen: list[Any]) -> None:
        seen.append(sniffio.current_async_library())
        await anyio.sleep(1)
        with anyio.move_on_after(2) as scope:
            await anyio.sleep(10)
        seen.append((scope.cancelled_caught, time.monotonic()))
        with pytest.raises(TimeoutError), anyio.fail_after(2):
            await anyio.sleep_forever()
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 3)
            group.start_soon(note, "child", seen)
        seen.append((anyio.current_time(), time.monotonic()))
        with anyio.move_on_after(1):
            try:
                await anyio.sleep(5)
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(1)
        seen.append(time.monotonic())

    assert seen_by(body) == ["asyncio", (True, 3.0), ("child", 5 * S), (8.0, 8.0), 10.0]


# What is refused.


async def _in_a_thread(call: Any) -> None:
    await asyncio.to_thread(time.sleep, 1)


async def _in_an_executor(call: Any) -> None:
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, 1)


async def _from_another_thread(call: Any) -> None:
    asyncio.run_coroutine_threadsafe(call(), asyncio.get_running_loop())


def _own_loop(call: Any) -> None:
    async def main() -> None:
        await call()

    asyncio.run(main())


def _own_runner(call: Any) -> None:
    with asyncio.Runner() as runner:
        runner.run(asyncio.sleep(1))


async def _until_complete(call: Any) -> None:
    asyncio.get_running_loop().run_until_complete(None)


async def _connects(call: Any) -> None:
    await asyncio.open_connection("localhost", 80)


async def _exits(call: Any) -> None:
    await call()
    sys.exit(3)


@pytest.mark.parametrize(
    ("guest", "text"),
    [
        (_in_a_thread, "runs sleep in a thread"),
        (_in_an_executor, "runs sleep in a thread"),
        (_from_another_thread, "calls asyncio.run_coroutine_threadsafe: there is no other thread"),
        (_own_loop, "calls asyncio.run: the simulation has the event loop of a guest"),
        (_own_runner, "calls asyncio.new_event_loop: the simulation has the event loop of a guest"),
        (_until_complete, "asks its event loop for run_until_complete: the simulation runs and ends it"),
        (_connects, "asks its event loop for"),
        (_exits, "calls sys.exit, which would end the simulation"),
    ],
)
def test_what_would_leave_the_simulation_is_refused_with_its_line(guest: Any, text: str) -> None:
    with pytest.raises(GuestRefused, match=text) as raised:
        run(guest)
    assert f"{__file__}:" in str(raised.value)


def test_a_task_that_never_lets_time_pass_runs_away() -> None:
    async def guest(call: Any) -> None:
        await call()
        while True:
            await asyncio.sleep(0)

    ran = run(guest, limits={"polls_per_request": 1000})
    assert ran.outcomes == ["runaway"]


def test_a_callback_that_asks_for_itself_runs_away_and_ends_with_its_simulation() -> None:
    async def guest(call: Any) -> None:
        loop = asyncio.get_running_loop()

        def again() -> None:
            loop.call_soon(again)

        again()
        await call()

    ran = run(guest, limits={"polls_per_request": 1000})
    assert ran.outcomes == ["runaway"]


def test_a_request_that_may_make_few_calls_may_await_many_things_at_once() -> None:
    async def guest(call: Any) -> None:
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(50)), call())

    ran = run(guest, limits={"polls_per_request": 2})
    assert ran.outcomes == ["success"]


def test_requests_that_may_make_few_calls_are_stopped_together() -> None:
    async def guest(call: Any) -> None:
        try:
            await asyncio.gather(*(asyncio.Event().wait() for _ in range(5)))
        finally:
            await asyncio.sleep(1)

    ran = run(guest, shared=True, count=4, limits={"polls_per_request": 2})
    assert ran.outcomes == ["stuck"] * 4


@pytest.mark.parametrize("shared", [False, True])
def test_tasks_have_the_same_names_in_each_run(shared: bool) -> None:
    def names() -> list[str]:
        seen = []

        async def guest(call: Any) -> None:
            tasks = [asyncio.current_task(), asyncio.create_task(asyncio.sleep(1))]
            seen.extend([task.get_name() for task in tasks if task is not None])
            await call()

        run(guest, shared=shared, count=2)
        return seen

    first = names()
    assert first[:2] == ["Task-1", "Task-2"]
    assert names() == first


def test_a_loop_that_sleeps_for_ever_runs_away_by_its_number_of_sleeps() -> None:
    async def guest(call: Any) -> None:
        while True:
            try:
                await call()
            except CallFailed:
                for _ in range(100):
                    await asyncio.sleep(1)

    ran = run(guest, outcomes={"fail": 1.0}, limits={"polls_per_request": 1000})
    assert ran.outcomes == ["runaway"]
    assert ran.requests.attempts.tolist() == [11]


def test_a_limit_does_not_let_a_request_go_on_that_has_run_away() -> None:
    async def guest(call: Any) -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(100.5):
                    while True:
                        await asyncio.sleep(1)
            await call()

    ran = run(guest, limits={"polls_per_request": 150})
    assert ran.outcomes == ["runaway"]
    assert ran.requests.attempts.tolist() == [1]


def test_a_callback_that_raises_is_told_to_the_handler_inside_the_request() -> None:
    async def body(call: Any, seen: list[Any]) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.append((str(context["exception"]), time.monotonic())))
        loop.call_later(1, lambda: 1 / 0)
        await asyncio.sleep(2)

    assert seen_by(body) == [("division by zero", 1.0)]
