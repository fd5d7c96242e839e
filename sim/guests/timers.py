"""Timers of asyncio, which are timers of the simulation.

A timer belongs to the request whose code sets it, as long as that is open: its sleeps stand in the history, and the
simulation goes on until it fires. Code that outlives its request, such as a heartbeat, may go on with it for ever. So
*its* timers keep the simulation going only while its process has an open request, which might wait for that code.
"""

from __future__ import annotations

import asyncio
from asyncio import futures
from typing import TYPE_CHECKING, Any, Final, Protocol

from sim.guests.inside import INSIDE
from sim.guests.waits import NS_PER_S, begin_sleep, cut_sleep, wake_up

if TYPE_CHECKING:
    from contextvars import Context

    from sim.guests.inside import Inside
    from sim.kernel.clock import Clock

_ENDS_SLEEP: Final = futures._set_result_unless_cancelled  # type: ignore[attr-defined]  # noqa: SLF001  # what asyncio.sleep lets a timer call


class RunsTimers(Protocol):
    """What a timer needs of its event loop."""

    timers: Timers

    def run_soon(self, handle: asyncio.Handle) -> None:
        """Run what is due."""
        ...


class Timer(asyncio.TimerHandle):
    """A timer of asyncio that is one of the simulation."""

    __slots__ = ("_ok", "asleep", "callbacks", "inside", "number", "of", "until_ns")

    def __init__(self, at_ns: int, callback: Any, args: Any, loop: RunsTimers, context: Context | None) -> None:
        super().__init__(at_ns / NS_PER_S, callback, args, loop, context)  # type: ignore[arg-type]  # it is an event loop too
        self._ok = True
        self.callbacks: Any = _FIRE
        self.inside: Inside | None = None
        """The request that it belongs to; None if that is over, or there is none."""
        self.of: Inside | None = None
        """The request whose code has set it, over or not."""
        self.asleep = False
        """Whether it ends a sleep."""
        self.until_ns = at_ns
        self.number = 0
        """Counts the timers of its process: a search tells its code's states apart by which of them have fired."""

    def fire(self) -> None:
        """Let the loop run it."""
        loop: RunsTimers = self._loop  # type: ignore[attr-defined]  # of the base class
        self._scheduled = False
        loop.timers.fired(self)
        loop.run_soon(self)


_FIRE: Final = (Timer.fire,)


class Timers:
    """The timers of one event loop."""

    __slots__ = ("_clock", "_orphans", "_set", "open_requests", "pending")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.open_requests = 0
        """How many requests of the process are open."""
        self.pending = 0
        """How many timers are set."""
        self._set = 0
        """How many have been set."""
        self._orphans = 0
        """How many of them belong to no open request."""

    def open_request(self) -> None:
        """Note that the process serves one request more."""
        if not self.open_requests:
            self._clock.background -= self._orphans
        self.open_requests += 1

    def close_request(self) -> None:
        """Note that a request of the process is over."""
        self.open_requests -= 1
        if not self.open_requests:
            self._clock.background += self._orphans

    def set(self, timer: Timer, context: Context | None) -> None:
        """Set a timer; one that makes its request run away is never set."""
        delay_ns = timer.until_ns - self._clock.now_ns
        inside = INSIDE.get() if context is None else context.get(INSIDE)
        if inside is not None:
            if inside.request.runaway:
                return
            timer.of = inside
            if not (inside.is_over or inside.is_stopped):
                timer.asleep = timer._callback is _ENDS_SLEEP  # type: ignore[attr-defined]  # noqa: SLF001  # of a base class
                if not begin_sleep(inside, delay_ns, is_sleep=timer.asleep):
                    return
                timer.inside = inside
        if timer.inside is None:
            self._orphans += 1
            if not self.open_requests:
                self._clock.background += 1
        self.pending += 1
        self._set += 1
        timer.number = self._set
        timer._scheduled = True  # noqa: SLF001  # as asyncio's own loop does
        self._clock.set_timer(timer, delay_ns)

    def fired(self, timer: Timer) -> None:
        """Note that a timer has fired."""
        self.pending -= 1
        inside = timer.inside
        if inside is None:
            self._leave_orphan()
        else:
            timer.inside = None
            wake_up(inside, asleep=timer.asleep)
        if timer.of is not None:
            client, timer.of = timer.of, None
            if client.listens:
                client.hear("fired", timer.number)
            if self.open_requests and client.is_over:
                client.record("woken", "timer")  # it may wake another request of the process

    def call_off(self, timer: Timer) -> None:
        """Let a timer do nothing at its instant."""
        timer._scheduled = False  # noqa: SLF001  # as above
        self.pending -= 1
        inside, timer.of = timer.inside, None
        if inside is None:
            self._leave_orphan()
        else:
            timer.inside = None
            cut_sleep(inside, timer.until_ns, asleep=timer.asleep)
        self._clock.call_off(timer)

    def _leave_orphan(self) -> None:
        self._orphans -= 1
        if not self.open_requests:
            self._clock.background -= 1
