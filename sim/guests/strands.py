"""Guest code that stops where it waits: a greenlet, with the thread-local values of a thread of its own.

The simulation is the greenlet's parent. Guest code *asks*: it switches to the simulation with what it waits for, and
goes on when the simulation switches back. So blocking code needs no thread, and exactly one piece of code runs at any
time.

Guest code expects a thread to have values of its own (`threading.local`), and a library such as Tenacity keeps what it
counts there. All strands share one thread of the host, so these values are exchanged with each switch.

To start a greenlet costs ten times as much as to switch to it, since Python maps memory for it. So a greenlet whose
code is over waits for other code to run.
"""

from __future__ import annotations

import ctypes
import threading
from asyncio import _get_running_loop, _set_running_loop
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NoReturn

from greenlet import GreenletExit, getcurrent, greenlet

from sim.guests.refused import GuestRefused, line_of_stack
from sim.guests.thread_values import thread_structure, values_of_thread
from sim.kernel.clock import Pending

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from contextvars import Context
    from types import FrameType

MOST_IDLE: Final = 64
"""How many greenlets wait for code to run."""
MOST_STOPS: Final = 100
"""How often code is stopped that goes on although it is stopped."""


class Host:
    """A thread of the host in which guest code takes its turns."""

    __slots__ = ("idle", "turn", "turns", "values")

    def __init__(self) -> None:
        self.values: Any = values_of_thread()
        """What `threading.local` objects have in it."""
        self.turn = 0
        """Which turn of guest code runs; 0 if none does."""
        self.turns = count(1)
        """Counts them."""
        self.idle: list[greenlet] = []
        """Greenlets that wait for code to run."""

    def greenlet(self) -> greenlet:
        """Return a greenlet that waits for code to run, under the present one."""
        idle, parent = self.idle, getcurrent()
        while idle:
            found = idle.pop()
            if found.parent is parent and not found.dead:
                return found
        return greenlet(_work)

    def end_idle(self) -> None:
        """End the greenlets that wait for code."""
        here, idle = getcurrent(), self.idle
        while idle:
            found = idle.pop()
            if found.parent is here and not found.dead:
                found.throw()


_hosts_at: Final[dict[int, Host]] = {}
"""By the places of their structures."""
_known: Final = threading.local()
"""Has the host of a thread as its attribute `host`: looked up in guest code, it is found once for each strand."""
_kept: Final[list[Any]] = []
"""Code that can never be stopped."""


def this_host() -> Host:
    """Return the present thread."""
    try:
        return _known.host  # type: ignore[no-any-return]  # set below
    except AttributeError:
        place = thread_structure()
        found = _hosts_at.get(place)
        if found is None or not found.values.is_here:  # the one of a thread that is over
            found = _hosts_at[place] = Host()
        _known.host = found
        return found


class GuestStopped(BaseException):
    """Raised where guest code waits if its request is canceled, or the simulation is over."""


class Raised:
    """What the body of a strand has raised."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Outside:
    """Something that the simulation is to do for guest code at once, without ending its turn."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function


class ToBegin(Pending):
    """Something to wait for that begins outside of guest code, since it may let other code go on."""

    __slots__ = ()

    def begin(self) -> None:
        """Let it begin, unless it has."""
        raise NotImplementedError


class Strand:
    """A thread of guest code."""

    __slots__ = (
        "_at",
        "_body",
        "_is_freed",
        "_values",
        "host",
        "is_over",
        "is_running",
        "left",
        "loop",
        "main",
    )

    def __init__(self, body: Callable[[], Any], context: Context, loop: AbstractEventLoop | None = None) -> None:
        """Prepare to run `body` in a context; `loop` is the event loop that runs in it."""
        self._body: Callable[[], Any] | None = body
        self.host = this_host()
        self.main = self.host.greenlet()
        self.main.gr_context = context
        self._at: greenlet = self.main
        """Where to go on: guest code may have greenlets of its own."""
        self.left: BaseException | None = None
        """What it has raised in the simulation, and not in its own code."""
        self._values: Any = None
        """What `threading.local` objects have in it; None for nothing."""
        self.loop = loop
        self.is_running = False
        self._is_freed = False
        self.is_over = False
        """Whether its body has returned or raised, or never goes on."""

    # What the simulation does.

    @property
    def can_go_on(self) -> bool:
        """Whether it can go on under the present greenlet."""
        return not (self.is_over or self.main.dead) and self.main.parent is getcurrent()

    @property
    def stands_at(self) -> FrameType | None:
        """Where its code waits; None if it runs, or is over."""
        return self._at.gr_frame

    def forget(self) -> None:
        """Forget the values of `threading.local` objects."""
        self._values = None

    def go_on(self) -> Any:
        """As `enter`, but raise what the body raises."""
        return _answer(self.enter())

    def stop_once(self) -> Any:
        """As `go_on`, but raise GuestStopped where the code waits."""
        if self._body is not None:  # it has not begun
            self._body, self.is_over = None, True
            raise GuestStopped
        return _answer(self._enter(self._at.throw, GuestStopped()))

    def run(self) -> Any:
        """Run the body, in the strand's own greenlet; returns what it returns, or what it raises."""
        body, self._body = self._body, None
        assert body is not None  # noqa: S101  # it runs once
        try:
            return body()
        except GreenletExit:
            raise
        except BaseException as error:  # noqa: BLE001  # it is raised in the simulation
            return Raised(error)  # in no variable: its traceback has this frame, which would be a cycle
        finally:
            self.is_over = True

    def enter(self) -> Any:
        """Let the code go on; returns what it asks for next, what its body returns, or `Raised`."""
        return self._enter(self._at.switch, None if self._body is None else self)

    def _enter(self, switch: Callable[[Any], Any], value: Any) -> Any:
        host, loop = self.host, self.loop
        turn_before = host.turn  # of guest code that runs a simulation itself
        running = _get_running_loop()
        theirs = host.values.exchange(self._values)
        if running is not loop:
            _set_running_loop(loop)
        self.is_running = True
        host.turn = next(host.turns)
        try:
            asked = switch(value)
            while type(asked) is Outside:
                host.turn = 0
                answer = asked.function()
                host.turn = next(host.turns)
                asked = self._at.switch(answer)
        except RecursionError as error:
            if error is not self.left:
                raise
            self.left = _too_deep(error, self.stands_at)
            raise self.left from error
        finally:
            del value  # an error's traceback refers to this frame
            host.turn = turn_before and next(host.turns)
            self.is_running = False
            self._values = host.values.exchange(theirs)
            if running is not loop:
                _set_running_loop(running)  # last: asyncio remembers where in the present values it stands
        if self.is_over:
            self._rest()
        return asked

    def _rest(self) -> None:
        """Leave the greenlet to other code, or end it if enough of them wait."""
        main, idle = self.main, self.host.idle
        if main.dead:
            return
        if len(idle) < MOST_IDLE:
            main.gr_context = None
            idle.append(main)
        else:
            main.throw()

    def end(self) -> None:
        """Raise GuestStopped where the code waits, and again where it asks for more. Raises what it leaves with."""
        for _ in range(MOST_STOPS):
            if self.is_over or self.is_running:
                return
            left = self.left
            try:
                self.stop_once()
            except (GuestStopped, SystemExit):
                return
            except Exception as error:
                if error is self.left and error is not left:
                    self.is_over = True
                    keep_for_ever(self._at)
                    raise
                return  # what else it raises while it is stopped is of no concern
        self.is_over = True
        keep_for_ever(self._at)

    # What guest code does.

    def ask(self, what: Any) -> Any:
        """Wait until the simulation goes on, and return its answer."""
        if self._is_freed:
            raise GreenletExit
        self._at = getcurrent()
        try:
            return self.main.parent.switch(what)  # type: ignore[union-attr]  # its parent is the simulation
        except GreenletExit:
            self._is_freed = True  # with a world that was dropped: nothing answers any more
            raise

    def leave(self, error: BaseException) -> NoReturn:
        """Raise an error in the simulation; the code stays where it is until it is stopped."""
        if self._is_freed:
            raise GreenletExit
        self._at = getcurrent()
        self.left = error
        parent = self.main.parent
        assert parent is not None  # noqa: S101  # as above
        parent.throw(error)
        raise GuestStopped

    def abandon(self, error: BaseException) -> NoReturn:
        """Raise an error in the simulation; the code hangs, so it never goes on, not even to be stopped."""
        self.is_over = True
        keep_for_ever(getcurrent())
        self.leave(error)


def _answer(asked: Any) -> Any:
    """Return what a strand asks for, or returns. Raises what its body raised."""
    if type(asked) is Raised:
        try:
            raise asked.error
        finally:
            del asked  # else its traceback refers to itself
    return asked


def _too_deep(error: RecursionError, frame: FrameType | None) -> GuestRefused:
    """Return what is wrong if the simulation has no room left above guest code, which stands at a frame."""
    return GuestRefused(f"the guest has a mistake: RecursionError: {error}", line_of_stack(frame))


def _work(strand: Strand) -> None:
    """Run the body of one strand after the other."""
    given = [strand]
    del strand  # what waits must hold nothing of the code that is over
    while True:
        parent = getcurrent().parent
        assert parent is not None  # noqa: S101  # the greenlet of the simulation
        given.append(parent.switch(given.pop().run()))


def keep_for_ever(code: Any) -> None:
    """Keep a greenlet or a task for ever: as it is freed, its code would go on."""
    _kept.append(code)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(code))  # not even as the interpreter ends
