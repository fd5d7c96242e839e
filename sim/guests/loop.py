"""An asyncio event loop on the simulation's clock.

It runs in a strand of its own, one for a client process. A timer of asyncio is a timer of the simulation, which fires
at its very instant; between timers the loop does not exist for the clock. A task that blocks, with `time.sleep` or a
lock of threads, blocks the whole loop for simulated time, as it does in production.

Whatever is ready runs until nothing is, in the order of asyncio: first come, first served. Timers and calls that end
at the same instant come in the order in which they were set and begun.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from contextvars import Context, copy_context
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from sim.guests.inside import INSIDE
from sim.guests.loop_base import FEW_TASKS, SLOW_S, GuestTask, Handle, LoopBase
from sim.guests.refused import GuestRefused, is_own
from sim.guests.strands import GuestStopped, Outside, Strand, keep_for_ever
from sim.guests.timers import Timer, Timers
from sim.guests.verdicts import mistake_of
from sim.guests.waits import NS_PER_S, ns_of_seconds
from sim.kernel.clock import Pending

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from sim.kernel.clock import Clock

IDLE: Final = None
"""What the loop asks for if nothing is ready."""
MOST_STEPS: Final = 100_000
"""How many steps a loop takes at one instant for each request that it serves; more, and a task goes on for ever."""
LEAST_STEPS: Final = 1000
"""So many at least, if requests may make fewer calls: to await several things at once takes many steps."""
MOST_CANCELS: Final = 100
"""How often a task is canceled that goes on although it is."""


class SimulatedLoop(LoopBase):
    """The event loop of one client process."""

    def __init__(self, clock: Clock, calls_at_most: int) -> None:
        """Make a loop; at one instant it takes as many steps for each request as that may make calls."""
        super().__init__()
        self._clock = clock
        self._ready: deque[asyncio.Handle] = deque()
        self._most_steps = _most_steps(calls_at_most)
        self._steps = 0
        """How many it has taken at this instant."""
        self._step_ns = -1
        self._allowed = 0
        """How many it may take at this instant: for each request that is open at its beginning."""
        self._is_served = False
        """Whether it runs, or the simulation does something for it."""
        self.is_blocked = False
        """Whether one of its tasks blocks it."""
        self.is_ending = False
        """Whether its tasks are canceled since the simulation is over."""
        self.timers = Timers(clock)
        self.strand = Strand(self._body, Context(), self)

    # What the simulation does.

    @property
    def is_clean(self) -> bool:
        """Whether nothing of its process is left in it, and its settings are as they were at its beginning."""
        return not (
            self._ready
            or self.timers.pending
            or self.is_blocked
            or self.is_ending
            or self._debug
            or self._closed
            or self._task_factory
            or self._handler
            or self.strand.is_over
            or self.slow_callback_duration != SLOW_S
            or self.tasks()
        )

    def rest(self) -> None:
        """Forget its process."""
        self._tasks.clear()
        self.strand.forget()

    def begin_anew(self, clock: Clock, calls_at_most: int) -> None:
        """Be as new, for another process."""
        self._clock = clock
        self._most_steps = _most_steps(calls_at_most)
        self._step_ns = -1
        self._tasks_made = 0
        self._sweep_at = FEW_TASKS
        self.timers = Timers(clock)

    def start(self, coroutine: Coroutine[Any, Any, Any], context: Context) -> GuestTask:
        """Return a task for a request; it begins when the loop wakes.

        It is made without a factory: an eager one would begin it here, outside of the strand.
        """
        self._check_open()
        self._tasks_made += 1
        task = GuestTask(self._tasks_made, coroutine, loop=self, context=context)
        self._note(task)
        return task

    def wake(self) -> None:
        """Run what is ready, unless the loop comes to that itself: it runs, or is blocked."""
        if self._ready and not (self._is_served or self.is_blocked or self.strand.is_over):
            self.go_on()

    def run_soon(self, handle: asyncio.Handle) -> None:
        """Run a timer that has fired."""
        self._ready.append(handle)
        self.wake()

    def go_on(self) -> None:
        """Let the loop go on, until it is idle or blocked by what one of its tasks waits for."""
        self.is_blocked = False
        self._is_served = True
        try:
            asked = self.strand.go_on()
            while asked is not IDLE and asked.done:
                asked = self.strand.go_on()
        finally:
            self._is_served = False
        if asked is not IDLE:
            self.is_blocked = True
            asked.task = self

    def end(self) -> None:
        """Cancel what still runs, and run nothing any more. Raises GuestRefused if a task goes on all the same."""
        self.is_ending = True
        try:
            for _ in range(MOST_CANCELS):
                tasks = self.tasks()
                if not tasks or self.strand.is_over:
                    break
                for task in tasks:
                    task.cancel()
                self._let_end()
            else:
                raise self._goes_on()
        finally:
            for task in self.tasks():
                keep_for_ever(task)  # as it is freed, its code would go on
            self._closed = True
            self._ready.clear()
            self._tasks.clear()
            self.strand.end()
            self.strand.loop = None

    def _goes_on(self) -> GuestRefused:
        return goes_on(self.tasks()[0], "its simulation is over")

    def _let_end(self) -> None:
        """Run what is ready; what blocks the loop ends first."""
        strand = self.strand
        self._steps = 0
        if self.is_blocked:
            self.is_blocked = False
            asked = strand.stop_once()
        else:
            asked = strand.go_on()
        for _ in range(MOST_STEPS):
            if asked is IDLE or strand.is_over:
                return
            asked = strand.stop_once()

    # What runs in the strand.

    def _body(self) -> None:
        ready = self._ready
        ask = self.strand.ask
        while True:
            if self._clock.now_ns != self._step_ns:
                self._begin_instant()
            while ready:
                handle = ready.popleft()
                if handle._cancelled:  # noqa: SLF001  # as in asyncio's own loop
                    continue
                self._steps += 1
                try:
                    if self._steps > self._most_steps:
                        self._look_at_steps(handle)
                    handle._run()  # noqa: SLF001  # as above
                except SystemExit as error:
                    self._leave(mistake_of(error, called=True, errors={}) or error)
                except GuestStopped:
                    continue
                handle = None  # type: ignore[assignment]  # it may hold the last reference to much
            if not self._let_pass():
                ask(IDLE)

    def _let_pass(self) -> bool:
        """Let time pass until something is ready, if the simulation may be run here; returns whether it is."""
        clock, ready = self._clock, self._ready
        if not (clock.is_lent and self.timers.open_requests):
            return False
        host = self.strand.host
        host.turn = 0
        try:
            while not ready:
                if not clock.fire_next():
                    return False
        except BaseException as error:  # noqa: BLE001  # it is the simulation's, and no concern of the guest
            self._leave(error)
        finally:
            host.turn = next(host.turns)
        return bool(ready)

    def _begin_instant(self) -> None:
        self._step_ns, self._steps = self._clock.now_ns, 0
        self._allowed = self._most_steps * max(1, self.timers.open_requests)

    def _look_at_steps(self, handle: asyncio.Handle) -> None:
        """Count from 0 at each instant, and stop if a task goes on for ever: nothing of its process ever happens."""
        if self._clock.now_ns != self._step_ns:  # a task has blocked the loop meanwhile
            self._begin_instant()
        if self._steps <= max(self._allowed, self._most_steps * self.timers.open_requests):
            return
        if self.is_ending and not self.tasks():  # callbacks alone: there is nothing to stop them
            self._ready.clear()
            self.strand.ask(IDLE)
        self._ready.appendleft(handle)
        if self.is_ending:
            self.strand.leave(self._goes_on())
        inside = handle._context.get(INSIDE)  # type: ignore[attr-defined]  # noqa: SLF001  # as above
        if inside is not None and not inside.is_over:
            self.outside(lambda: inside.run_away("sleeps"))
        self.strand.ask(Pending())

    def _leave(self, error: BaseException) -> None:
        """End the simulation by an error; as its code is stopped then, the loop goes on for that."""
        with suppress(GuestStopped):
            self.strand.leave(error)

    def outside(self, function: Callable[[], Any]) -> Any:
        """Let the simulation call a function; what that raises is raised there."""
        return self.strand.ask(Outside(function))

    # What asyncio asks of a loop.

    def time(self) -> float:
        """Return the simulated time in s."""
        inside = INSIDE.get()
        return (self._clock.now_ns if inside is None else inside.now_ns()) / NS_PER_S

    def call_soon(  # type: ignore[override]  # without its type variables
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Let a callback run next."""
        if self._closed:
            self._check_open()
        handle = Handle(callback, args, self, copy_context() if context is None else context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]  # as above

    def call_later(  # type: ignore[override]  # as above
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Timer:
        """Let a callback run after a delay in s; never, if that is infinite."""
        at_ns = self._clock.now_ns + ns_of_seconds(max(delay, 0)) if isfinite(delay) else None
        return self._call_at(at_ns, callback, args, context)

    def call_at(  # type: ignore[override]  # as above
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Timer:
        """Let a callback run at an instant in s; never, if that is infinite."""
        at_ns = max(ns_of_seconds(when), self._clock.now_ns) if isfinite(when) else None
        return self._call_at(at_ns, callback, args, context)

    def _call_at(self, at_ns: int | None, callback: Any, args: Any, context: Context | None) -> Timer:
        self._check_open()
        timer = Timer(at_ns or 0, callback, args, self, context)
        if at_ns is not None and not self.is_ending:
            self.timers.set(timer, context)
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Call a timer off."""
        if handle._scheduled and isinstance(handle, Timer) and not self._closed:  # type: ignore[attr-defined]  # noqa: SLF001  # as above
            self.timers.call_off(handle)


def _most_steps(calls_at_most: int) -> int:
    return min(max(calls_at_most, LEAST_STEPS), MOST_STEPS)


def goes_on(task: asyncio.Task[Any], although: str) -> GuestRefused:
    """Return the error that says of a task that it cannot be stopped."""
    line = ""
    code: Any = task.get_coro()
    while code is not None and hasattr(code, "cr_frame"):
        frame = code.cr_frame
        if frame is not None and (not line or is_own(frame.f_code.co_filename)):
            line = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        code = code.cr_await
    return GuestRefused(
        f"the guest goes on although {although} (task {task.get_name()}): it catches asyncio.CancelledError, which it "
        "should let through",
        line,
    )
