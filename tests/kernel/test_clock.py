"""The clock: order within an instant, what keeps it going, and tasks that go on inside the step they waited for."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from sim.kernel.clock import Clock, Pending, Task


class Timer:
    """The smallest timer: its own event, used again and again."""

    _ok = True

    def __init__(self, fired: list[Any], name: str = "", again: int = 0) -> None:
        self.fired = fired
        self.name = name
        self.again = again
        self.callbacks: Any = (self.fire,)

    def fire(self, event: Any) -> None:
        assert event is self
        self.fired.append(self.name)


# What rests on SimPy.


def test_the_version_of_simpy_is_the_one_whose_step_was_read() -> None:
    assert simpy.__version__ == "4.1.2"


def test_simpy_takes_any_object_with_callbacks_and_ok_for_an_event() -> None:
    clock, fired = Clock(), list[str]()
    clock.schedule(Timer(fired, "fired"), delay=5)
    clock.drain(None, 10)
    assert (fired, clock.now_ns) == (["fired"], 5)


def test_a_timer_that_has_fired_has_no_callbacks_until_it_is_set_again() -> None:
    clock, fired = Clock(), list[str]()
    timer = Timer(fired, "fired")
    clock.schedule(timer, delay=5)
    clock.drain(None, 10)
    spent = timer.callbacks
    timer.callbacks = (timer.fire,)
    clock.schedule(timer, delay=5)
    clock.drain(None, 10)
    assert (spent, fired, clock.now_ns) == (None, ["fired", "fired"], 10)


def test_an_error_in_a_timer_stops_the_clock_and_is_seen() -> None:
    clock = Clock()
    clock.call_after(5, lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        clock.drain(None, 10)


# Order.


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=20))
def test_timers_fire_by_time_then_urgent_ones_first_then_in_order_of_creation(timers: list[tuple[int, bool]]) -> None:
    clock, fired = Clock(), list[int]()
    for number, (delay_ns, urgent) in enumerate(timers):
        clock.call_after(delay_ns, lambda number=number: fired.append(number), urgent=urgent)
    clock.drain(None, 100)
    expected = sorted(range(len(timers)), key=lambda number: (timers[number][0], not timers[number][1], number))
    assert fired == expected


def test_what_is_set_within_an_instant_comes_after_what_is_due_already() -> None:
    clock, fired = Clock(), list[str]()
    clock.call_after(5, lambda: clock.call_after(0, lambda: fired.append("child")))
    clock.call_after(5, lambda: fired.append("second"))
    clock.drain(None, 10)
    assert fired == ["second", "child"]


def test_time_is_a_whole_number_of_nanoseconds() -> None:
    clock = Clock()
    clock.call_after(2**62, lambda: None)
    clock.drain(None, 10)
    assert (clock.now_ns, type(clock.now_ns)) == (2**62, int)


# What keeps it going.


def test_it_is_drained_when_nothing_is_left() -> None:
    clock = Clock()
    clock.call_after(5, lambda: None)
    assert (clock.drain(None, 10), clock.now_ns) == (True, 5)


def test_what_is_due_at_the_end_still_happens_and_later_things_do_not() -> None:
    clock, fired = Clock(), list[int]()
    for at_ns in (4, 5, 6):
        clock.call_after(at_ns, lambda at_ns=at_ns: fired.append(at_ns))
    assert (clock.drain(5, 10), fired) == (False, [4, 5])


def test_it_stops_after_so_many_steps() -> None:
    clock, fired = Clock(), list[int]()

    def again() -> None:
        fired.append(0)
        clock.call_after(0, again)

    clock.call_after(0, again)
    assert (clock.drain(None, 7), len(fired)) == (False, 7)


@pytest.mark.parametrize("end_ns", [None, 1000])
def test_a_clock_that_is_drained_with_its_last_step_says_so(end_ns: int | None) -> None:
    clock = Clock()
    clock.call_after(5, lambda: None)
    assert clock.drain(end_ns, 1)


@pytest.mark.parametrize("end_ns", [None, 1000])
def test_background_work_happens_while_other_work_goes_on_and_does_not_keep_it_going(end_ns: int | None) -> None:
    clock, fired = Clock(), list[int]()

    def again() -> None:
        fired.append(clock.now_ns)
        clock.call_in_background(10, again)

    clock.call_in_background(10, again)
    clock.call_after(35, lambda: None)
    assert (clock.drain(end_ns, 100), fired, clock.now_ns) == (True, [10, 20, 30], 35)


def test_background_work_that_sets_foreground_work_keeps_it_going_until_that_is_done() -> None:
    clock, fired = Clock(), list[int]()
    clock.call_in_background(10, lambda: clock.call_after(7, lambda: fired.append(clock.now_ns)))
    clock.call_after(10, lambda: None)
    assert (clock.drain(None, 100), fired) == (True, [17])


def test_background_work_precedes_whatever_else_is_due_at_its_instant() -> None:
    clock, fired = Clock(), list[str]()
    clock.call_after(10, lambda: fired.append("work"))
    clock.call_in_background(10, lambda: fired.append("background"))
    clock.drain(None, 10)
    assert fired == ["background", "work"]


def test_a_reset_clock_is_a_new_one() -> None:
    clock, fired = Clock(), list[str]()
    clock.call_after(5, lambda: None)
    clock.drain(None, 10)
    clock.call_after(9, lambda: fired.append("from before"))
    clock.call_in_background(9, lambda: None)
    clock.reset()
    clock.call_after(3, lambda: fired.append("after"))
    assert (clock.drain(None, 10), clock.now_ns, fired, clock.background) == (True, 3, ["after"], 0)


# Limits.


def limited(clock: Clock, delay_ns: int, fired: list[Any], name: Any) -> None:
    clock.set_limit(Timer(fired, name), delay_ns)


def in_background(clock: Clock, delay_ns: int, fired: list[Any], name: Any) -> None:
    clock.call_in_background(delay_ns, lambda: fired.append(name))


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["limit", "urgent", "normal"]), st.integers(0, 3))))
def test_limits_fire_as_background_calls_do_among_all_other_timers(timers: list[tuple[int, str, int]]) -> None:
    def played(set_limit: Callable[..., None]) -> list[Any]:
        clock, fired = Clock(), list[Any]()

        def set_timer(number: int, kind: str, delay_ns: int) -> None:
            if kind == "limit":
                set_limit(clock, delay_ns, fired, number)
            else:
                clock.call_after(delay_ns, lambda: fired.append(number), urgent=kind == "urgent")

        for number, (at_ns, kind, delay_ns) in enumerate(timers):
            clock.call_after(at_ns, partial(set_timer, number, kind, delay_ns))
        fired.append((clock.drain(None, 1000), clock.now_ns, clock.drained))
        return fired

    assert played(limited) == played(in_background)


def test_limits_alone_keep_nothing_going() -> None:
    clock, fired = Clock(), list[str]()
    limited(clock, 10, fired, "first")
    limited(clock, 10, fired, "second")
    clock.call_after(5, lambda: None)
    assert (clock.drain(None, 10), clock.now_ns, fired) == (True, 5, [])


def test_limits_are_among_all_timers_and_any_of_an_instant_can_go_first() -> None:
    clock, fired = Clock(), list[str]()
    for name in ("a", "b", "c"):
        limited(clock, 10, fired, name)
    clock.call_after(10, lambda: fired.append("normal"))
    clock.call_after(20, lambda: None)
    assert [entry[3] for entry in clock.timers()[:3]] == [entry[3] for entry in clock.next_timers()]
    clock.fire(clock.next_timers()[1])
    assert [entry[3].name for entry in clock.next_timers()] == ["a", "c"]
    clock.fire(clock.next_timers()[1])
    clock.drain(None, 10)
    assert (fired, clock.background) == (["b", "c", "a", "normal"], 0)


def test_a_clock_that_is_reset_forgets_its_limits() -> None:
    clock, fired = Clock(), list[str]()
    limited(clock, 10, fired, "before")
    clock.reset()
    limited(clock, 10, fired, "after")
    clock.call_after(20, lambda: None)
    assert (clock.drain(None, 10), fired, clock.background) == (True, ["after"], 0)


# A clock that is lent.


def lent(*due_ns: int, end_ns: int | None = None, steps: int = 10) -> tuple[Clock, list[Any]]:
    """Return a clock that is lent, with timers at some instants, and the list in which they note themselves."""
    clock, fired = Clock(), list[Any]()
    for at_ns in due_ns:
        clock.call_after(at_ns, lambda: fired.append(clock.now_ns))
    clock.lend(end_ns, steps)
    return clock, fired


def test_code_to_which_a_clock_is_lent_fires_one_timer_after_the_other() -> None:
    clock, fired = lent(7, 3)
    assert [clock.fire_next() for _ in range(3)] == [True, True, False]
    assert fired == [3, 7]


def test_a_timer_at_the_end_still_fires_and_none_behind_it() -> None:
    clock, fired = lent(3, 7, 8, end_ns=7)
    while clock.fire_next():
        pass
    assert (fired, clock.now_ns, clock.drained) == ([3, 7], 7, False)


def test_no_more_timers_fire_than_were_lent() -> None:
    clock, fired = lent(1, 2, 3, steps=2)
    while clock.fire_next():
        pass
    assert fired == [1, 2]


def test_background_work_alone_is_nothing_to_wait_for() -> None:
    clock, fired = lent()
    clock.call_in_background(5, lambda: fired.append("background"))
    assert not clock.fire_next()
    assert fired == []


def test_what_is_left_when_a_clock_is_taken_back_is_drained_as_ever() -> None:
    clock, fired = lent(1, 2, 3)
    clock.fire_next()
    clock.take_back()
    assert not clock.is_lent
    assert clock.drain(None, 10)
    assert fired == [1, 2, 3]


# Tasks.


def run(coroutine: Any) -> tuple[Task, list[tuple[Any, Exception | None]]]:
    ends: list[tuple[Any, Exception | None]] = []
    task = Task(coroutine, lambda value, error: ends.append((value, error)))
    task.go_on()
    return task, ends


async def waiting(pending: Pending, steps: list[str]) -> Any:
    steps.append("before")
    value = await pending
    steps.append("after")
    return value


def test_a_task_runs_until_what_it_awaits_is_not_there() -> None:
    steps: list[str] = []
    _, ends = run(waiting(Pending(), steps))
    assert (steps, ends) == (["before"], [])


def test_what_completes_a_pending_goes_on_with_the_task_inside_the_same_step() -> None:
    pending, steps = Pending(), list[str]()
    _, ends = run(waiting(pending, steps))
    pending.succeed(7)
    assert (steps, ends) == (["before", "after"], [(7, None)])


def test_a_pending_that_has_completed_is_not_waited_for() -> None:
    pending, steps = Pending(), list[str]()
    pending.succeed(7)
    assert run(waiting(pending, steps))[1] == [(7, None)]


def test_an_error_is_raised_where_it_is_awaited() -> None:
    pending = Pending()
    error = ValueError("no")
    _, ends = run(waiting(pending, []))
    pending.fail(error)
    assert ends == [(None, error)]


@pytest.mark.parametrize("complete", [lambda p: p.succeed(8), lambda p: p.fail(ValueError("late"))])
def test_a_pending_completes_once(complete: Callable[[Pending], None]) -> None:
    pending = Pending()
    pending.succeed(7)
    complete(pending)
    assert (run(waiting(pending, []))[1], pending.done) == ([(7, None)], True)


def test_a_stopped_task_never_goes_on_and_never_finishes() -> None:
    pending, steps = Pending(), list[str]()
    task, ends = run(waiting(pending, steps))
    task.stop()
    pending.succeed(7)
    assert (steps, ends) == (["before"], [])


def test_stopping_closes_the_coroutine() -> None:
    closed: list[str] = []

    async def careful() -> None:
        try:
            await Pending()
        finally:
            closed.append("closed")

    run(careful())[0].stop()
    assert closed == ["closed"]


def test_a_task_that_is_stopped_while_it_runs_is_closed_where_it_next_waits() -> None:
    steps: list[str] = []
    tasks: list[Task] = []

    async def stopped_inside() -> None:
        tasks[0].stop()
        steps.append("still running")
        await Pending()
        steps.append("never")

    ends: list[Any] = []
    tasks.append(Task(stopped_inside(), lambda *end: ends.append(end)))
    tasks[0].go_on()
    assert (steps, ends) == (["still running"], [])


def test_a_task_that_is_stopped_while_it_runs_may_leave_by_a_generator_exit() -> None:
    tasks: list[Task] = []

    async def asks_for_more() -> None:
        tasks[0].stop()
        raise GeneratorExit

    ends: list[Any] = []
    tasks.append(Task(asks_for_more(), lambda *end: ends.append(end)))
    tasks[0].go_on()
    assert ends == []


def test_a_generator_exit_of_a_task_that_nothing_has_stopped_is_seen() -> None:
    async def leaves() -> None:
        raise GeneratorExit

    with pytest.raises(GeneratorExit):
        run(leaves())


def test_a_task_can_wait_many_times() -> None:
    clock = Clock()

    async def sleeping() -> int:
        for _ in range(1000):
            pending = Pending()
            clock.call_after(1, pending.succeed)
            await pending
        return clock.now_ns

    _, ends = run(sleeping())
    clock.drain(None, 10_000)
    assert ends == [(1000, None)]


class TestOneByOne:
    def test_the_next_timers_are_those_of_one_instant_in_order_of_creation(self) -> None:
        clock, fired = Clock(), []
        for name, delay_ns in (("late", 2), ("first", 1), ("second", 1)):
            clock.call_after(delay_ns, partial(fired.append, name))
        for timer in clock.next_timers():
            timer[3].function()
        assert fired == ["first", "second"]

    def test_urgent_timers_of_an_instant_come_alone(self) -> None:
        clock = Clock()
        clock.call_after(1, print)
        clock.call_after(1, print, urgent=True)
        assert len(clock.next_timers()) == 1

    def test_any_of_them_can_go_first_and_the_others_keep_their_order(self) -> None:
        clock, fired = Clock(), []
        for name in ("a", "b", "c"):
            clock.call_after(5, partial(fired.append, name))
        clock.fire(clock.next_timers()[1])
        clock.drain(None, 10)
        assert (fired, clock.now_ns) == (["b", "a", "c"], 5)

    def test_all_timers_come_in_the_order_in_which_they_fire(self) -> None:
        clock = Clock()
        for delay_ns in (3, 1, 2):
            clock.call_after(delay_ns, print)
        assert [timer[0] for timer in clock.timers()] == [1, 2, 3]
