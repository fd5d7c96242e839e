"""Simulated time: the one module that knows SimPy.

Time is a whole number of nanoseconds from 0. The timers of one instant fire in the order in which they were set, but
urgent ones (scripted cancels, restarts) precede all others of their instant.

There are two ways to wait. A *timer* is any object with the attributes `callbacks` and `_ok`: it is its own SimPy
event, so that setting it costs one heap entry and nothing else. Jobs, attempts and calls of mutations are such objects.
`callbacks` is None once a timer has fired, so they are set again before the timer is. A *task* runs a coroutine. Tasks
are not SimPy processes: a process resumes in an event of its own, after all else that is due at the instant, but the
recorded libraries go on inside the step that completed what they waited for.

Timers that all wait equally long come in the order in which they were set. So a *line* keeps them without sorting them,
and only its first one is in the heap. A time limit that every execution has, and hardly any reaches, would else fill
the heap with thousands of timers that make each step slower.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from heapq import heapify, heappop, heappush
from itertools import count, repeat
from typing import TYPE_CHECKING, Any, Protocol

from simpy.core import Environment
from simpy.events import NORMAL, URGENT

from sim.kernel.durations import RUNAWAY_NS
from sim.kernel.foreign import ForeignAwait

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator


QueueEntry = tuple[Any, Any, Any, Any]
"""An entry of SimPy's queue: instant, urgency, number, and the timer itself."""

FIRST = -1
"""A number that no entry has: it sorts before all others of an instant."""


class Timer(Protocol):
    """What the clock can fire: it calls `callbacks`, each with the timer, and sets them to None."""

    callbacks: Any
    _ok: bool


class Clock(Environment):
    """A SimPy environment in whole nanoseconds; `reset` makes it new for the next world."""

    now_ns: int
    """The present instant: an attribute, since everything asks for it."""

    def __init__(self) -> None:
        super().__init__(initial_time=0)
        self.background = 0
        """How many entries of the queue are background work."""
        self.is_lent = False
        """Whether code that waits may fire timers itself."""
        self._lent_until_ns = 0
        self._lent_steps = 0
        self._lines: dict[int, Line] = {}

    @property
    def _now(self) -> int:
        """The present instant, as SimPy calls it."""
        return self.now_ns

    @_now.setter
    def _now(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def reset(self) -> None:
        """Forget all timers and go back to 0."""
        self.now_ns = 0
        self._queue.clear()
        self._eid = count()
        self.background = 0
        self._lines.clear()

    def set_timer(self, timer: Timer, delay_ns: int) -> None:
        """Let a timer fire `delay_ns` from now, after the other timers of that instant that are set by now."""
        # The work of SimPy's `schedule`, without asking for a priority: every job and every attempt passes here.
        heappush(self._queue, (self.now_ns + delay_ns, NORMAL, next(self._eid), timer))  # type: ignore[misc]  # SimPy asks for its own class

    def call_after(self, delay_ns: int, function: Callable[[], None], *, urgent: bool = False) -> None:
        """Call `function` `delay_ns` from now; there is no way to call that off."""
        urgency = URGENT if urgent else NORMAL
        heappush(self._queue, (self.now_ns + delay_ns, urgency, next(self._eid), Call(function)))  # type: ignore[misc]  # as above

    def call_in_background(self, delay_ns: int, function: Callable[[], None]) -> None:
        """Call `function` `delay_ns` from now, if anything else keeps the world going until then."""

        def fire() -> None:
            self.background -= 1
            function()

        self.background += 1
        self.call_after(delay_ns, fire, urgent=True)

    def set_limit(self, timer: Timer, limit_ns: int) -> None:
        """Let a timer fire `limit_ns` from now, in the background and urgently; many timers have the same limit."""
        line = self._lines.get(limit_ns)
        if line is None:
            line = self._lines[limit_ns] = Line(self)
        line.add((self.now_ns + limit_ns, URGENT, next(self._eid), timer))

    def call_off(self, timer: Timer) -> None:
        """Let a timer that is set do nothing at its instant, and keep no world going until then."""
        self.background += 1
        timer.callbacks = (self._let_pass,)

    def is_off(self, timer: Timer) -> bool:
        """Tell whether a timer was called off."""
        return bool(timer.callbacks == (self._let_pass,))

    def _let_pass(self, timer: Timer) -> None:
        del timer
        self.background -= 1

    @property
    def drained(self) -> bool:
        """Whether nothing but background work remains."""
        return len(self._queue) <= self.background

    def next_timers(self) -> list[QueueEntry]:
        """Return the timers that are due next, all of one instant and urgency, in the order in which they were set."""
        first = self._queue[0]
        return sorted(entry for entry in self._each() if entry[:2] == first[:2])

    def timers(self) -> list[QueueEntry]:
        """Return all timers in the order in which they fire."""
        return sorted(self._each())

    def _each(self) -> Iterator[QueueEntry]:
        for entry in self._queue:
            if isinstance(entry[3], Line):
                yield from entry[3].entries
            else:
                yield entry

    def fire(self, entry: QueueEntry) -> None:
        """Let one of `next_timers` fire before the others of its instant."""
        queue: list[Any] = self._queue  # SimPy asks for its own class
        line = next((line for line in self._lines.values() if entry in line.entries), None)
        if line is not None:
            # Its line leaves the queue and comes again, with another timer as its first.
            queue[:] = [other for other in queue if other[3] is not line]
            line.entries.remove(entry)
            line.entries.appendleft(entry)
            queue.append((entry[0], entry[1], FIRST, line))
            heapify(queue)
        elif queue[0] is not entry:
            queue.remove(entry)
            heapify(queue)
            heappush(queue, (entry[0], entry[1], FIRST, entry[3]))
        self.step()

    def drain(self, end_ns: int | None, steps: int) -> bool:
        """Go on until only background work remains, or `end_ns` is past, or `steps` timers have fired.

        Timers due at `end_ns` itself still fire. Returns whether nothing but background work remains.
        """
        queue: list[Any] = self._queue  # as above
        for _ in repeat(None, steps):
            if len(queue) <= self.background:
                return True
            if end_ns is not None and queue[0][0] > end_ns:
                return False
            # The work of SimPy's `step`, without its call: timers do not fail, they raise.
            self.now_ns, _, _, timer = heappop(queue)
            callbacks, timer.callbacks = timer.callbacks, None
            for callback in callbacks:
                callback(timer)
        return len(queue) <= self.background

    # A clock that is lent.

    def lend(self, end_ns: int | None, steps: int) -> None:
        """Let code that waits fire timers itself, within the bounds of `drain`, until the clock is taken back.

        Lend it only where nothing else is under way at this instant: time passes before `lend`'s caller goes on.
        """
        self.is_lent = True
        self._lent_until_ns = RUNAWAY_NS if end_ns is None else end_ns
        self._lent_steps = steps

    def take_back(self) -> None:
        """Let no other code fire timers."""
        self.is_lent = False

    def fire_next(self) -> bool:
        """Fire the next timer, for code to which the clock is lent; False if there is none, or a bound is reached."""
        queue: list[Any] = self._queue  # as above
        if len(queue) <= self.background or queue[0][0] > self._lent_until_ns or self._lent_steps <= 0:
            return False
        self._lent_steps -= 1
        # As in `drain`, which makes no call for each timer.
        self.now_ns, _, _, timer = heappop(queue)
        callbacks, timer.callbacks = timer.callbacks, None
        for callback in callbacks:
            callback(timer)
        return True


class Line:
    """Timers in the order in which they fire; as a timer itself it stands in the queue for the first of them."""

    __slots__ = ("_clock", "callbacks", "entries")
    _ok = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.entries: deque[QueueEntry] = deque()
        self.callbacks: tuple[Callable[[Any], None], ...] | None = None

    def add(self, entry: QueueEntry) -> None:
        """Add a timer that fires after all others of this line."""
        self.entries.append(entry)
        if len(self.entries) == 1:
            self._clock.background += 1
            self._stand()

    def _stand(self) -> None:
        """Enter the queue at the place of the first timer."""
        at_ns, urgency, number, _ = self.entries[0]
        self.callbacks = (Line.fire,)
        queue: list[Any] = self._clock._queue  # noqa: SLF001  # one machine in two classes
        heappush(queue, (at_ns, urgency, number, self))

    def fire(self) -> None:
        """Let the first timer fire."""
        timer = self.entries.popleft()[3]
        if self.entries:
            self._stand()
        else:
            self._clock.background -= 1
        callbacks, timer.callbacks = timer.callbacks, None
        for callback in callbacks:
            callback(timer)


class Call:
    """A timer that calls a function."""

    __slots__ = ("callbacks", "function")
    _ok = True

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function
        self.callbacks: tuple[Callable[[Any], None], ...] | None = _FIRE

    def fire(self) -> None:
        """Call it."""
        self.function()


_FIRE = (Call.fire,)


class Resumed(Protocol):
    """What can wait for something."""

    def go_on(self) -> None:
        """Go on: what it waited for is there."""
        ...


class Pending:
    """Something that one task can await, once: it completes with a value or an error.

    The awaiting task goes on inside the step that completes it. If it never completes, the task stays where it is: that
    is how the death of a machine looks from inside.

    A raised error refers to all frames that it came through, and to those that called them. So it must not be found
    from any of these, or each failure leaves a cycle that only the garbage collector can free: `fail` and its callers
    hold the error in no variable while the task goes on, and this lets go of it when it is raised.
    """

    __slots__ = ("_error", "_value", "done", "task")

    def __init__(self) -> None:
        self.done = False
        """Whether this has completed."""
        self._value: Any = None
        self._error: Exception | None = None
        self.task: Resumed | None = None
        """What goes on when this completes."""

    def succeed(self, value: object = None) -> None:
        """Complete with a value."""
        if self.done:
            return
        self.done = True
        self._value = value
        task, self.task = self.task, None
        if task is not None:
            task.go_on()

    def fail(self, error: Exception) -> None:
        """Complete with an error, raised where it is awaited."""
        if self.done:
            return
        self.done = True
        self._error = error
        del error  # see the class
        task, self.task = self.task, None
        if task is not None:
            task.go_on()

    def __await__(self) -> Generator[Pending, None, Any]:
        if not self.done:
            yield self
        return self.result()

    def result(self) -> Any:
        """Return the value with which this has completed, or raise the error."""
        error, self._error = self._error, None
        if error is None:
            return self._value
        try:
            raise error
        finally:
            del error


class Sleep(Pending):
    """A timer that can be awaited."""

    __slots__ = ("callbacks",)
    _ok = True

    def __init__(self) -> None:
        super().__init__()
        self.callbacks: tuple[Callable[[Any], None], ...] | None = _WAKE

    def fire(self) -> None:
        """Complete."""
        self.succeed()


_WAKE = (Sleep.fire,)


class Task:
    """A coroutine driven by what it awaits; `finished(value, error)` is called with its result, once."""

    __slots__ = ("_coroutine", "_finished", "_running", "stopped")

    def __init__(
        self,
        coroutine: Coroutine[Pending, None, Any],
        finished: Callable[[Any, Exception | None], None],
    ) -> None:
        self._coroutine = coroutine
        self._finished = finished
        self._running = False
        self.stopped = False
        """Whether it never runs again, or not beyond the step that runs now."""

    def go_on(self) -> None:
        """Run the coroutine until it awaits something that has not completed."""
        if self.stopped:
            return
        self._running = True
        try:
            awaited = self._coroutine.send(None)
        except StopIteration as stop:
            self.stopped = True
            self._let_go()(stop.value, None)
        except Exception as error:  # noqa: BLE001  # `finished` judges the error
            self.stopped = True
            self._let_go()(None, error)
        except GeneratorExit:
            if not self.stopped:
                raise
            self._let_go()  # it was stopped in this very step, and has asked for more
        else:
            self._running = False
            if self.stopped:
                self._let_go()
                self._coroutine.close()
            elif isinstance(awaited, Pending):
                awaited.task = self
            else:
                self._refuse(awaited)

    def _let_go(self) -> Callable[[Any, Exception | None], None]:
        """Return `finished`, and refer to it no more: it belongs to the owner of this task, which would be a cycle."""
        finished, self._finished = self._finished, _ignore
        return finished

    def _refuse(self, awaited: object) -> None:
        """End with an error, raised where the coroutine awaits what is none of ours, whatever it does about that."""
        self.stopped = True
        error = ForeignAwait(awaited)
        with suppress(Exception, GeneratorExit):
            self._coroutine.throw(error)
        with suppress(Exception):
            self._coroutine.close()
        self._let_go()(None, error)

    def stop(self) -> Exception | None:
        """Never run again; the coroutine is closed, at once or at its next await.

        GeneratorExit is raised where it waits. Returns the error with which it answers that, if it does; a RuntimeError
        if it goes on waiting.
        """
        if not self.stopped:
            self.stopped = True
            if not self._running:
                self._let_go()
                try:
                    self._coroutine.close()
                except Exception as error:  # noqa: BLE001  # the caller judges the error
                    return error
        return None


def _ignore(value: Any, error: Exception | None) -> None:
    """Stand for the `finished` of a task that is over."""
