"""Simulated time: the one module that knows SimPy.

Time is a whole number of nanoseconds from 0. The timers of one instant fire in the order in which they were set, but
urgent ones (scripted cancels, restarts) precede all others of their instant.

There are two ways to wait. A *timer* is any object with the attributes `callbacks` and `_ok`: it is its own SimPy
event, so that setting it costs one heap entry and nothing else. Jobs and attempts are such objects. SimPy sets
`callbacks` to None when a timer fires, so they are set again before the timer is. A *task* runs a coroutine. Tasks are
not SimPy processes: a process resumes in an event of its own, after all else that is due at the instant, but the
recorded libraries go on inside the step that completed what they waited for.
"""

from __future__ import annotations

from contextlib import suppress
from heapq import heapify, heappush
from itertools import count, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from simpy.core import Environment
from simpy.events import NORMAL, URGENT

from sim.kernel.foreign import ForeignAwait

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator


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

    def __init__(self) -> None:
        super().__init__(initial_time=0)
        self.background = 0
        """How many timers of background work are set."""

    now_ns: int = property(attrgetter("_now"), doc="The present instant.")  # type: ignore[assignment]

    def reset(self) -> None:
        """Forget all timers and go back to 0."""
        self._now = 0
        self._queue.clear()
        self._eid = count()
        self.background = 0

    def set_timer(self, timer: Timer, delay_ns: int) -> None:
        """Let a timer fire `delay_ns` from now, after the other timers of that instant that are set by now."""
        # The work of SimPy's `schedule`, without asking for a priority: every job and every attempt passes here.
        heappush(self._queue, (self._now + delay_ns, NORMAL, next(self._eid), timer))  # type: ignore[misc]  # SimPy asks for its own class

    def call_after(self, delay_ns: int, function: Callable[[], None], *, urgent: bool = False) -> None:
        """Call `function` `delay_ns` from now; there is no way to call that off."""
        self.schedule(Call(function), URGENT if urgent else NORMAL, delay_ns)  # type: ignore[arg-type]

    def call_in_background(self, delay_ns: int, function: Callable[[], None]) -> None:
        """Call `function` `delay_ns` from now, if anything else keeps the world going until then."""

        def fire() -> None:
            self.background -= 1
            function()

        self.background += 1
        self.call_after(delay_ns, fire, urgent=True)

    @property
    def drained(self) -> bool:
        """Whether nothing but background work remains."""
        return len(self._queue) <= self.background

    def next_timers(self) -> list[QueueEntry]:
        """Return the timers that are due next, all of one instant and urgency, in the order in which they were set."""
        first = self._queue[0]
        return sorted(entry for entry in self._queue if entry[:2] == first[:2])

    def timers(self) -> list[QueueEntry]:
        """Return all timers in the order in which they fire."""
        return sorted(self._queue)

    def fire(self, entry: QueueEntry) -> None:
        """Let one of `next_timers` fire before the others of its instant."""
        queue = self._queue
        if queue[0] is not entry:
            queue.remove(entry)
            heapify(queue)
            heappush(queue, (entry[0], entry[1], FIRST, entry[3]))
        self.step()

    def drain(self, end_ns: int | None, steps: int) -> bool:
        """Go on until only background work remains, or `end_ns` is past, or `steps` timers have fired.

        Timers due at `end_ns` itself still fire. Returns whether nothing but background work remains.
        """
        queue, step = self._queue, self.step
        if end_ns is None:
            for _ in repeat(None, steps):
                if not queue or (self.background and len(queue) <= self.background):
                    return True
                step()
        else:
            for _ in repeat(None, steps):
                if len(queue) <= self.background:
                    return True
                if queue[0][0] > end_ns:
                    return False
                step()
        return len(queue) <= self.background


class Call:
    """A timer that calls a function."""

    __slots__ = ("callbacks", "function")
    _ok = True

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function
        self.callbacks: tuple[Callable[[Any], None], ...] | None = (Call.fire,)

    def fire(self) -> None:
        """Call it."""
        self.function()


class Pending:
    """Something a task can await: it completes once, with a value or an error.

    The awaiting task goes on inside the step that completes it. If it never completes, the task stays where it is: that
    is how the death of a machine looks from inside.
    """

    __slots__ = ("_done", "_error", "_task", "_value")

    def __init__(self) -> None:
        self._done = False
        self._value: Any = None
        self._error: Exception | None = None
        self._task: Task | None = None

    @property
    def done(self) -> bool:
        """Whether this has completed."""
        return self._done

    def succeed(self, value: object = None) -> None:
        """Complete with a value."""
        self._complete(value, None)

    def fail(self, error: Exception) -> None:
        """Complete with an error, raised where it is awaited."""
        self._complete(None, error)

    def _complete(self, value: object, error: Exception | None) -> None:
        if self._done:
            return
        self._done, self._value, self._error = True, value, error
        if self._task is not None:
            self._task.go_on()

    def __await__(self) -> Generator[Pending, None, Any]:
        if not self._done:
            yield self
        if self._error is not None:
            raise self._error
        return self._value

    def resume_when_done(self, task: Task) -> None:
        """Let `task` go on when this completes."""
        self._task = task


class Task:
    """A coroutine driven by what it awaits; `finished(value, error)` is called with its result, once."""

    __slots__ = ("_coroutine", "_finished", "_running", "_stopped")

    def __init__(
        self,
        coroutine: Coroutine[Pending, None, Any],
        finished: Callable[[Any, Exception | None], None],
    ) -> None:
        self._coroutine = coroutine
        self._finished = finished
        self._running = False
        self._stopped = False

    def go_on(self) -> None:
        """Run the coroutine until it awaits something that has not completed."""
        if self._stopped:
            return
        self._running = True
        try:
            awaited = self._coroutine.send(None)
        except StopIteration as stop:
            self._stopped = True
            self._finished(stop.value, None)
        except Exception as error:  # noqa: BLE001  # `finished` judges the error
            self._stopped = True
            self._finished(None, error)
        else:
            self._running = False
            if self._stopped:
                self._coroutine.close()
            elif isinstance(awaited, Pending):
                awaited.resume_when_done(self)
            else:
                self._refuse(awaited)

    def _refuse(self, awaited: object) -> None:
        """End with an error, raised where the coroutine awaits what is none of ours, whatever it does about that."""
        self._stopped = True
        error = ForeignAwait(awaited)
        with suppress(Exception, GeneratorExit):
            self._coroutine.throw(error)
        with suppress(Exception):
            self._coroutine.close()
        self._finished(None, error)

    def stop(self) -> Exception | None:
        """Never run again; the coroutine is closed, at once or at its next await.

        GeneratorExit is raised where it waits. Returns the error with which it answers that, if it does; a RuntimeError
        if it goes on waiting.
        """
        if not self._stopped:
            self._stopped = True
            if not self._running:
                try:
                    self._coroutine.close()
                except Exception as error:  # noqa: BLE001  # the caller judges the error
                    return error
        return None
