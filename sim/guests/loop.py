"""An asyncio event loop on the simulation's clock.

It runs in a strand of its own, one for a client process. A timer of asyncio is a timer of the simulation, which fires
at its very instant; between timers the loop does not exist for the clock. A task that blocks, with `time.sleep` or a
lock of threads, blocks the whole loop for simulated time, as it does in production.

Not offered, since they would leave the simulation: sockets, pipes, subprocesses, signals and executors.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import futures
from collections import deque
from contextvars import Context
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NoReturn

from sim.guests.inside import INSIDE
from sim.guests.strands import GuestStopped, Strand
from sim.guests.waits import begin_sleep, cut_sleep, ns_of_seconds, wake_up
from sim.kernel.clock import Pending, Task
from sim.kernel.durations import RUNAWAY_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sim.guests.inside import Inside
    from sim.kernel.clock import Clock

NS_PER_S: Final = 1e9
IDLE: Final = None
"""What the loop asks for if nothing is ready."""
_ENDS_SLEEP: Final = futures._set_result_unless_cancelled  # noqa: SLF001  # type: ignore[attr-defined]  # what asyncio.sleep lets a timer call


class Outside:
    """Something that the simulation is to do for the loop, at once."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function


class Timer(asyncio.TimerHandle):
    """A timer of asyncio that is one of the simulation."""

    __slots__ = ("_ok", "asleep", "callbacks", "inside", "until_ns")

    def __init__(self, when: float, callback: Any, args: Any, loop: SimulatedLoop, context: Context | None) -> None:
        super().__init__(when, callback, args, loop, context)
        self._ok = True
        self.callbacks: Any = _FIRE
        self.inside: Inside | None = None
        self.asleep = False
        self.until_ns = 0

    def fire(self) -> None:
        """Let the loop run it."""
        loop = self._loop  # type: ignore[attr-defined]  # of the base class
        loop.due(self)


_FIRE: Final = (Timer.fire,)


class SimulatedLoop(asyncio.AbstractEventLoop):
    """The event loop of one client process."""

    def __init__(self, clock: Clock, most_steps: int) -> None:
        """Make a loop; at one instant it takes at most so many steps."""
        self._clock = clock
        self._ready: deque[asyncio.Handle] = deque()
        self._most_steps = most_steps
        self._steps = 0
        self._step_ns = -1
        self._debug = False
        self._closed = False
        self._task_factory: Any = None
        self._handler: Any = None
        self.is_blocked = False
        """Whether one of its tasks blocks it."""
        self.strand = Strand(self._body, Context(), self)
        self.current: Inside | None = None
        """Whose step runs."""

    # What the simulation does.

    def wake(self) -> None:
        """Run what is ready, unless the loop runs or is blocked."""
        strand = self.strand
        if not (strand.is_running or self.is_blocked or strand.is_over) and self._ready:
            self._serve(strand.go_on())

    def _serve(self, asked: Any) -> None:
        """Do what the loop asks for, until it is idle or blocked."""
        strand = self.strand
        while asked is not IDLE:
            if type(asked) is Outside:
                asked = strand.go_on(asked.function())
                continue
            self.is_blocked = True
            Task(asked, self._unblocked).go_on()
            return

    def _unblocked(self, value: Any, error: Exception | None) -> None:
        if error is not None:
            raise error
        self.is_blocked = False
        self._serve(self.strand.go_on(value))

    def due(self, timer: Timer) -> None:
        """Run a timer that has fired."""
        inside = timer.inside
        if inside is not None:
            wake_up(inside.client, asleep=timer.asleep)
        timer._scheduled = False  # type: ignore[attr-defined]  # noqa: SLF001  # as asyncio's own loop does
        self._ready.append(timer)
        self.wake()

    def end(self) -> None:
        """Run nothing any more."""
        self._closed = True
        self._ready.clear()
        if not (self.strand.is_over or self.strand.is_running):
            try:
                self.strand.throw(GuestStopped())
            except GuestStopped:
                return

    # What runs in the strand.

    def _body(self, _: Any = None) -> None:
        ready = self._ready
        ask = self.strand.ask
        while True:
            while ready:
                handle = ready.popleft()
                if handle._cancelled:  # type: ignore[attr-defined]  # noqa: SLF001  # as above
                    continue
                if self._clock.now_ns != self._step_ns:
                    self._step_ns, self._steps = self._clock.now_ns, 0
                self._steps += 1
                if self._steps > self._most_steps:
                    self._spins(handle)
                handle._run()  # type: ignore[attr-defined]  # noqa: SLF001  # as above
                handle = None  # type: ignore[assignment]  # it may hold the last reference to much
            ask(IDLE)

    def _spins(self, handle: asyncio.Handle) -> None:
        """Stop: a task goes on for ever at one instant, so nothing else of the process ever happens."""
        inside = handle._context.get(INSIDE)  # type: ignore[attr-defined]  # noqa: SLF001  # as above
        if inside is not None:
            self.outside(lambda: inside.client.run_away("sleeps"))
        self.strand.ask(_never())

    def outside(self, function: Callable[[], Any]) -> Any:
        """Let the simulation call a function; what that raises is raised there."""
        return self.strand.ask(Outside(function))

    # What asyncio asks of a loop.

    def time(self) -> float:
        """Return the simulated time in s."""
        inside = INSIDE.get()
        return (self._clock.now_ns if inside is None else inside.now_ns()) / NS_PER_S

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        """Let a callback run next."""
        self._check_open()
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Timer:
        """Let a callback run after a delay in s."""
        return self._call_at_ns(self._clock.now_ns + ns_of_seconds(max(delay, 0)), callback, args, context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Timer:
        """Let a callback run at an instant in s."""
        at_ns = ns_of_seconds(when) if isfinite(when) else RUNAWAY_NS
        return self._call_at_ns(max(at_ns, self._clock.now_ns), callback, args, context)

    def _call_at_ns(self, at_ns: int, callback: Any, args: Any, context: Context | None) -> Timer:
        self._check_open()
        timer = Timer(at_ns / NS_PER_S, callback, args, self, context)
        timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001  # as above
        delay_ns = at_ns - self._clock.now_ns
        inside = INSIDE.get() if context is None else context.get(INSIDE)
        timer.until_ns = at_ns
        if inside is not None and not inside.client.is_over:
            timer.inside = inside
            timer.asleep = callback is _ENDS_SLEEP
            if not begin_sleep(inside.client, delay_ns, is_sleep=timer.asleep):
                return timer  # the request has run away
        self._clock.set_timer(timer, delay_ns)
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Call a timer off."""
        if isinstance(handle, Timer) and handle._scheduled and handle.callbacks is _FIRE:  # type: ignore[attr-defined]  # noqa: SLF001  # as above
            self._clock.call_off(handle)
            inside = handle.inside
            if inside is not None:
                handle.inside = None
                cut_sleep(inside.client, handle.until_ns, asleep=handle.asleep)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a new future."""
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]  # as in the newest Python
        self, coro: Any, *, name: str | None = None, context: Context | None = None, **more: Any
    ) -> asyncio.Task[Any]:
        """Return a new task."""
        self._check_open()
        if self._task_factory is not None:
            task: asyncio.Task[Any] = self._task_factory(
                self, coro, **({} if context is None else {"context": context})
            )
            if name is not None:
                task.set_name(name)
            return task
        return asyncio.Task(coro, loop=self, name=name, context=context, **more)

    def set_task_factory(self, factory: Any) -> None:
        """Make tasks by a factory."""
        self._task_factory = factory

    def get_task_factory(self) -> Any:
        """Return the factory of tasks, or None."""
        return self._task_factory

    def get_exception_handler(self) -> Any:
        """Return the handler of exceptions, or None."""
        return self._handler

    def set_exception_handler(self, handler: Any) -> None:
        """Set the handler of exceptions."""
        self._handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Print an error that a callback raised, as asyncio logs it."""
        error, inside = context.get("exception"), INSIDE.get()
        if inside is not None and error is not None and "never retrieved" not in str(context.get("message")):
            sys.stderr.write(f"{context.get('message')}: {type(error).__name__}: {error}\n")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Let the handler hear of an exception."""
        if self._handler is None:
            self.default_exception_handler(context)
        else:
            self._handler(self, context)

    def get_debug(self) -> bool:
        """Tell whether the loop is in debug mode."""
        return self._debug

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001  # asyncio's signature
        """Note the mode; nothing depends on it."""
        self._debug = enabled

    def is_running(self) -> bool:
        """Tell whether the loop runs: as seen by its own code, it always does."""
        return not self._closed

    def is_closed(self) -> bool:
        """Tell whether the simulation is over."""
        return self._closed

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the event loop is closed: its simulation is over")

    async def shutdown_asyncgens(self) -> None:
        """Do nothing: generators are closed as they are freed."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Do nothing: there is none."""

    def _refuse(self, what: str) -> NoReturn:
        inside = INSIDE.get()
        text = f"{what}, which would leave the simulation"
        if inside is None:
            raise RuntimeError(f"a guest's event loop is asked for {text}")
        inside.refuse(text)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Refuse: the function would run in a real thread."""
        del executor, args
        self._refuse(f"runs {getattr(func, '__qualname__', func)} in an executor (asyncio.to_thread does)")


def _refusing(name: str) -> Any:
    def refused(self: SimulatedLoop, *args: Any, **more: Any) -> NoReturn:
        del args, more
        self._refuse(f"asks its event loop for {name}")  # noqa: SLF001  # a method made from a table

    return refused


for _name in (
    *("run_forever", "run_until_complete", "stop", "close"),
    *("create_connection", "create_server", "create_datagram_endpoint", "create_unix_connection"),
    *("create_unix_server", "connect_accepted_socket", "sendfile", "start_tls", "sock_sendfile"),
    *("getaddrinfo", "getnameinfo", "connect_read_pipe", "connect_write_pipe"),
    *("subprocess_shell", "subprocess_exec", "add_reader", "remove_reader", "add_writer", "remove_writer"),
    *("sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendto"),
    *("sock_connect", "sock_accept", "add_signal_handler", "remove_signal_handler", "set_default_executor"),
):
    setattr(SimulatedLoop, _name, _refusing(_name))


async def _never() -> None:
    await Pending()
