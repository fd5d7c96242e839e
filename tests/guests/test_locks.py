"""Synchronous guests wait for the locks, events, conditions and queues of `threading` in simulated time."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

import pytest
from guests_support import MS, run

from sim.guests import GuestRetrier


def seen_by(body: Any, **more: Any) -> list[Any]:
    """Run a guest that notes what it sees in a list, and return that."""
    seen: list[Any] = []

    def guest(call: Any) -> None:
        body(seen)
        call()

    run(guest, **more)
    return seen


# Limits of time, in one thread.


def test_waits_with_a_limit_last_exactly_as_long() -> None:
    def body(seen: list[Any]) -> None:
        lock, event, condition = threading.Lock(), threading.Event(), threading.Condition()
        limited, items = threading.Semaphore(0), queue.Queue(maxsize=1)
        lock.acquire()
        seen.extend((lock.acquire(timeout=1), time.monotonic()))
        seen.extend((event.wait(0.5), time.monotonic()))
        with condition:
            seen.extend((condition.wait(0.25), time.monotonic()))
            seen.extend((condition.wait_for(lambda: False, timeout=0.25), time.monotonic()))
        seen.extend((limited.acquire(timeout=1), time.monotonic()))
        items.put(1)
        for attempt in (lambda: items.put(2, timeout=1), lambda: (items.get(), items.get(timeout=1))):
            try:
                attempt()
            except (queue.Full, queue.Empty) as error:
                seen.extend((type(error), time.monotonic()))

    assert seen_by(body) == [
        *(False, 1.0, False, 1.5, False, 1.75, False, 2.0, False, 3.0),
        *(queue.Full, 4.0, queue.Empty, 5.0),
    ]


def test_what_does_not_wait_takes_no_time() -> None:
    def body(seen: list[Any]) -> None:
        lock, event = threading.Lock(), threading.Event()
        seen.append(lock.acquire(blocking=False))
        seen.append(lock.acquire(blocking=False))
        seen.append(lock.acquire(timeout=0))
        seen.append(lock.locked())
        lock.release()
        event.set()
        seen.append(event.wait(10))
        for wrong in (lambda: lock.acquire(blocking=False, timeout=1), lambda: lock.acquire(timeout=-2), lock.release):
            with pytest.raises((ValueError, RuntimeError)):
                wrong()
        seen.append(time.monotonic_ns())

    assert seen_by(body) == [True, False, False, True, True, 0]


@pytest.mark.parametrize("shared", [False, True])
def test_an_rlock_can_be_taken_again_by_its_owner(shared: bool) -> None:
    def body(seen: list[Any]) -> None:
        lock = threading.RLock()
        with lock, lock:
            seen.append(lock.acquire(timeout=1))
            lock.release()
        with pytest.raises(RuntimeError):
            lock.release()
        condition = threading.Condition(lock)
        with condition, condition:
            seen.append(condition.wait(1))
        seen.append(time.monotonic())

    assert seen_by(body, shared=shared) == [True, False, 1.0]


def test_simple_queues_and_bounded_semaphores_wait_too() -> None:
    def body(seen: list[Any]) -> None:
        simple: queue.SimpleQueue[int] = queue.SimpleQueue()
        bounded = threading.BoundedSemaphore(1)
        with pytest.raises(queue.Empty):
            simple.get(timeout=1)
        simple.put(5)
        seen.extend((simple.get(), time.monotonic()))
        bounded.acquire()
        seen.append(bounded.acquire(timeout=1))
        bounded.release()
        with pytest.raises(ValueError, match="released too many"):
            bounded.release()
        seen.append(time.monotonic())

    assert seen_by(body) == [5, 1.0, False, 2.0]


# Requests of one client.


class Sharing(GuestRetrier):
    """What requests of one client share, as threads of a process do."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.seen = log
        self.lock = threading.Lock()
        self.rlock = threading.RLock()
        self.event = threading.Event()
        self.condition = threading.Condition()
        self.semaphore = threading.Semaphore(2)
        self.barrier = threading.Barrier(3)
        self.queue: queue.Queue[Any] = queue.Queue(1)
        self.begun = 0

    def number(self) -> int:
        self.begun += 1
        return self.begun - 1


log: list[Any] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


def test_a_lock_is_handed_over_in_the_order_in_which_it_was_asked_for() -> None:
    class Guest(Sharing):
        def retry(self, call: Any) -> None:
            number = self.number()
            with self.lock:
                log.append((number, time.monotonic()))
                call()

    run(Guest, shared=True, count=4)
    assert log == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)]


def test_one_that_comes_as_a_lock_is_released_does_not_overtake() -> None:
    class Guest(Sharing):
        def retry(self, call: Any) -> None:
            number = self.number()
            for _ in range(2):
                with self.lock:
                    log.append(number)
                    call()

    run(Guest, shared=True, count=3)
    assert log == [0, 1, 2, 0, 1, 2]


def test_an_rlock_belongs_to_a_request_and_not_to_the_process() -> None:
    class Guest(Sharing):
        def retry(self, call: Any) -> None:
            number = self.number()
            with self.rlock, self.rlock:
                log.append((number, time.monotonic()))
                call()

    run(Guest, shared=True, count=3)
    assert log == [(0, 0.0), (1, 0.1), (2, 0.2)]


def test_one_that_waits_with_a_limit_gives_up_its_place() -> None:
    class Guest(Sharing):
        def retry(self, call: Any) -> None:
            number = self.number()
            got = self.lock.acquire(timeout=0.15 if number == 1 else -1)
            log.append((number, got, time.monotonic()))
            if got:
                time.sleep(0.2)
                self.lock.release()
            call()

    run(Guest, shared=True, count=4)
    assert log == [(0, True, 0.0), (1, False, 0.15), (2, True, 0.2), (3, True, 0.4)]


@pytest.mark.parametrize(("limit", "got"), [(0.2, True), (0.199999999, False)])
def test_a_limit_at_the_instant_of_the_release_comes_after_it_if_it_was_set_after_the_sleep_that_ends_there(
    limit: float, got: bool
) -> None:
    class Guest(Sharing):
        def retry(self, call: Any) -> None:
            if self.number() == 0:
                with self.lock:
                    time.sleep(0.2)
            else:
                log.append(self.lock.acquire(timeout=limit))
            call()

    run(Guest, shared=True, count=2)
    assert log == [got]


def test_an_event_lets_all_go_on_that_wait_for_it() -> None:
    class Guest(Sharing):
        def retry(self, call: Any) -> None:
            number = self.number()
            if number == 2:
                time.sleep(0.5)
                self.event.set()
            log.append((number, self.event.wait(None if number else 10), time.monotonic()))
            call()

    run(Guest, shared=True, count=3)
    assert sorted(log) == [(0, True, 0.5), (1, True, 0.5), (2, True, 0.5)]


def test_conditions_semaphores_and_barriers_of_several_requests() -> None:
    class Guest(Sharing):
        def retry(self, call: Any) -> None:
            number = self.number()
            with self.semaphore:
                call()
            log.append(("limited", number, time.monotonic()))
            self.barrier.wait()
            log.append(("together", time.monotonic()))
            if number == 2:
                time.sleep(1)
            with self.condition:
                if number == 2:
                    self.condition.notify_all()
                else:
                    log.append(("notified", self.condition.wait(5), time.monotonic()))

    run(Guest, shared=True, count=3)
    assert [one for one in log if one[0] == "limited"] == [
        ("limited", 0, 0.1),
        ("limited", 1, 0.1),
        ("limited", 2, 0.2),
    ]
    assert [one for one in log if one[0] == "together"] == [("together", 0.2)] * 3
    assert [one for one in log if one[0] == "notified"] == [("notified", True, 1.2)] * 2


def test_a_queue_carries_work_from_one_request_to_another() -> None:
    class Guest(Sharing):
        def retry(self, call: Any) -> None:
            number = self.number()
            if number == 0:
                for item in range(3):
                    self.queue.put(item)
                    log.append(("put", item, time.monotonic()))
                self.queue.join()
                log.append(("joined", time.monotonic()))
            else:
                for _ in range(3):
                    time.sleep(1)
                    log.append(("got", self.queue.get(), time.monotonic()))
                    self.queue.task_done()
            call()

    run(Guest, shared=True, count=2)
    assert [one for one in log if one[0] == "got"] == [("got", 0, 1.0), ("got", 1, 2.0), ("got", 2, 3.0)]
    assert [one for one in log if one[0] == "put"] == [("put", 0, 0.0), ("put", 1, 1.0), ("put", 2, 2.0)]
    assert log[-1] == ("joined", 3.0)


def test_a_canceled_request_leaves_its_place_to_the_next() -> None:
    class Guest(Sharing):
        def retry(self, call: Any) -> None:
            number = self.number()
            with self.lock:
                log.append((number, time.monotonic()))
                time.sleep(1)
            call()

    ran = run(Guest, shared=True, count=6, cancel={"share": 0.5, "after": "500ms"})
    canceled = ran.outcomes.count("canceled")
    assert canceled
    done = [k for k, outcome in enumerate(ran.outcomes) if outcome != "canceled"]
    assert ran.outcomes.count("success") == len(done)
    first = 0.5 if ran.outcomes[0] == "canceled" else 0.0
    assert [time_s for number, time_s in log if number in done] == [first + k for k in range(len(done))]


# Waits without end.


@pytest.mark.parametrize("shared", [False, True])
def test_a_wait_that_nothing_ends_is_stuck(shared: bool) -> None:
    def guest(call: Any) -> None:
        call()
        threading.Event().wait()

    assert run(guest, shared=shared, count=2).outcomes == ["stuck", "stuck"]


def test_two_requests_that_wait_for_each_other_are_stuck() -> None:
    class Guest(Sharing):
        def retry(self, call: Any) -> None:
            locks = [self.lock, self.rlock]
            if self.number():
                locks.reverse()
            with locks[0]:
                call()
                with locks[1]:
                    call()

    ran = run(Guest, shared=True, count=2, clients={"count": 1})
    assert ran.outcomes == ["stuck", "stuck"]


def test_a_request_that_waits_for_the_lock_of_one_that_sleeps_is_open_at_the_end() -> None:
    class Guest(Sharing):
        def retry(self, call: Any) -> None:
            with self.lock:
                time.sleep(10)
                call()

    assert run(Guest, shared=True, count=2, until="5s").outcomes == ["open", "open"]


# The host.


def test_locks_of_the_host_are_real_during_a_run_and_after() -> None:
    kinds = type(threading.Lock()), type(threading.RLock()), queue.SimpleQueue
    makers = threading.Lock, threading.RLock, queue.SimpleQueue

    def guest(call: Any) -> None:
        made.append(type(threading.Lock()))
        found.append((isinstance(threading.Lock(), threading.Lock), isinstance(real, threading.Lock)))
        call()

    real, made, found = threading.Lock(), [], []
    run(guest)
    assert made[0] not in kinds
    assert found == [(True, True)]
    assert (threading.Lock, threading.RLock, queue.SimpleQueue) == makers
    assert (type(threading.Lock()), type(threading.RLock()), queue.SimpleQueue) == kinds


def test_waits_are_in_the_history() -> None:
    class Guest(Sharing):
        def retry(self, call: Any) -> None:
            if self.number() == 0:
                with self.lock:
                    time.sleep(0.5)
                time.sleep(0.2)
                self.event.set()
            else:
                self.lock.acquire(timeout=2)
                self.event.wait()
                self.event.clear()
                self.event.wait(1)
            call()

    ran = run(Guest, shared=True, count=2)
    assert ran.seen("sleep", "woken", request=1) == [
        (0, "sleep", "lock"),
        (500 * MS, "woken", "cut"),
        (700 * MS, "woken", "lock"),
        (700 * MS, "sleep", "lock"),
    ]
    assert ran.ends() == [800 * MS, 1800 * MS]
