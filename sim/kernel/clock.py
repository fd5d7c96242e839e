"""Simulated time: the one module that knows SimPy.

Time is a whole number of nanoseconds from 0. What happens at one instant happens in order of creation of its timers,
except that urgent timers (scripted cancels, restarts) precede all others of their instant.

Two ways to wait. A *timer* is any object with the attributes `callbacks` and `_ok`; it is its own SimPy event, so
that scheduling it costs one heap entry and nothing else (jobs and attempts are such objects); SimPy sets `callbacks`
to None when it fires, and who schedules it again sets it again. A *task* runs a coroutine. Tasks are not SimPy
processes: a process resumes in an event of its own, behind whatever else is due at the instant, while the recorded
libraries go on inside the step that completed what they waited for.
"""

from __future__ import annotations

from heapq import heapify, heappush
from itertools import count, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from simpy.core import Environment
from simpy.events import NORMAL, URGENT

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator


Timer = tuple[Any, Any, Any, Any]
"""An entry of SimPy's queue: instant, urgency, number, and the event itself."""

FIRST = -1
"""A number that no timer has: before all others of an instant."""


class Clock(Environment):
    """A SimPy environment in whole nanoseconds that can be used again for the next world."""

    def __init__(self) -> None:
        super().__init__(initial_time=0)
        self.background = 0

    now_ns: int = property(attrgetter("_now"), doc="The present instant.")  # type: ignore[assignment]

    def reset(self) -> None:
        """Forget all timers and go back to 0."""
        self._now = 0
        self._queue.clear()
        self._eid = count()
        self.background = 0

    def call_after(self, delay_ns: int, function: Callable[[], None], *, urgent: bool = False) -> None:
        """Call `function` `delay_ns` from now; once asked for, it cannot be taken back."""
        self.schedule(Call(function), URGENT if urgent else NORMAL, delay_ns)  # type: ignore[arg-type]

    def call_in_background(self, delay_ns: int, function: Callable[[], None]) -> None:
        """Call `function` `delay_ns` from now if anything else keeps the world going until then."""

        def fire() -> None:
            self.background -= 1
            function()

        self.background += 1
        self.call_after(delay_ns, fire, urgent=True)

    @property
    def drained(self) -> bool:
        """Whether nothing but background work remains."""
        return len(self._queue) <= self.background

    def next_timers(self) -> list[Timer]:
        """Return the timers that are due next, of one instant and urgency, in order of creation: (t, _, _, timer)."""
        first = self._queue[0]
        return sorted(entry for entry in self._queue if entry[:2] == first[:2])

    def timers(self) -> list[Timer]:
        """Return all timers in the order in which they fire."""
        return sorted(self._queue)

    def fire(self, timer: Timer) -> None:
        """Let one of `next_timers` fire before the others of its instant."""
        queue = self._queue
        if queue[0] is not timer:
            queue.remove(timer)
            heapify(queue)
            heappush(queue, (timer[0], timer[1], FIRST, timer[3]))
        self.step()

    def drain(self, end_ns: int | None, steps: int) -> bool:
        """Go on until only background work remains, or `end_ns` is past, or `steps` timers have fired.

        What is due at `end_ns` itself still happens. Returns whether nothing but background work remains.
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

    What completes it goes on with the awaiting task inside the same step. A pending that never completes leaves its
    task where it is, which is how the death of a machine looks from inside.
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
        """Run until the next thing that is not there yet."""
        if self._stopped:
            return
        self._running = True
        try:
            awaited = self._coroutine.send(None)
        except StopIteration as stop:
            self._stopped = True
            self._finished(stop.value, None)
        except Exception as error:  # noqa: BLE001  # whoever started the task judges its errors
            self._stopped = True
            self._finished(None, error)
        else:
            self._running = False
            if self._stopped:
                self._coroutine.close()
            else:
                awaited.resume_when_done(self)

    def stop(self) -> None:
        """Never run again; the coroutine is closed, at once or where it next waits."""
        if not self._stopped:
            self._stopped = True
            if not self._running:
                self._coroutine.close()
