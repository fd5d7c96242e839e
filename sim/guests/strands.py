"""Guest code that stops where it waits: a greenlet, with the thread-local values of a thread of its own.

The simulation is the greenlet's parent. Guest code *asks*: it switches to the simulation with a coroutine that is to be
awaited for it, and goes on when the simulation switches back with the result. So blocking code needs no thread, and
exactly one piece of code runs at any time.

Guest code expects a thread to have values of its own (`threading.local`), and a library such as Tenacity keeps what it
counts there. All strands share one thread of the host, so the thread's dictionary is exchanged with each switch.
"""

from __future__ import annotations

import ctypes
from asyncio import _get_running_loop, _set_running_loop
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, NoReturn

from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from contextvars import Context

_place_of_values: Final = ctypes.pythonapi.PyThreadState_GetDict
"""Returns where the dictionary of the present thread is, which holds what its `threading.local` objects have."""
_place_of_values.restype = ctypes.c_void_p
_values_at: Final[dict[int, dict[Any, Any]]] = {}
"""The dictionaries seen so far: as they are held here, no other can take their place."""


def _thread_values() -> dict[Any, Any]:
    place = _place_of_values()
    found = _values_at.get(place)
    if found is None:
        found = _values_at[place] = ctypes.cast(place, ctypes.py_object).value
    return found


TURNS: Final[dict[int, int]] = {}
"""Which turn of guest code runs in each thread of the host; negative if none does, counted on from turn to turn."""
_abandoned: Final[list[greenlet]] = []
"""Greenlets that can never be stopped: freeing them would let them go on."""


class GuestStopped(BaseException):
    """Raised where guest code waits if its request is canceled, or the simulation is over."""


class Raises:
    """An answer that is raised where the code waits."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Strand:
    """A thread of guest code."""

    __slots__ = ("_at", "_values", "is_running", "is_abandoned", "left", "loop", "main")

    def __init__(self, body: Callable[[], Any], context: Context, loop: AbstractEventLoop | None = None) -> None:
        """Prepare to run `body` in a context; `loop` is the event loop that runs in it."""
        self.main = greenlet(body)
        self.main.gr_context = context
        self._at: greenlet = self.main
        """Where to go on: guest code may have greenlets of its own."""
        self.left: BaseException | None = None
        """What it has raised in the simulation, and not in its own code."""
        self._values: dict[Any, Any] = {}
        self.loop = loop
        self.is_running = False
        self.is_abandoned = False

    @property
    def is_over(self) -> bool:
        """Whether its body has returned or raised, or never goes on."""
        return self.main.dead or self.is_abandoned

    # What the simulation does.

    def go_on(self, value: Any = None) -> Any:
        """Let the code go on with a value; returns what it asks for next, or what its body returns.

        Raises what the body raises.
        """
        if type(value) is Raises:
            return self._enter(self._at.throw, value.error)
        return self._enter(self._at.switch, value)

    def throw(self, error: BaseException) -> Any:
        """As `go_on`, but raise an error where the code waits."""
        return self._enter(self._at.throw, error)

    def _enter(self, switch: Callable[[Any], Any], value: Any) -> Any:
        known = _thread_values()
        hosts = known.copy() if known else None
        running = _get_running_loop()
        if hosts:
            known.clear()
        if self._values:
            known.update(self._values)
        _set_running_loop(self.loop)
        self.is_running = True
        thread = get_ident()
        turn = TURNS[thread] = abs(TURNS.get(thread, 0)) + 1
        try:
            return switch(value)
        finally:
            TURNS[thread] = -turn
            self.is_running = False
            _set_running_loop(running)
            self._values = known.copy()
            known.clear()
            if hosts:
                known.update(hosts)

    def stop(self) -> None:
        """Raise GuestStopped where the code waits, and again where it then asks for more. Raises what it leaves with."""
        while not (self.is_over or self.is_running):
            try:
                asked = self.throw(GuestStopped())
            except GuestStopped:
                return
            except Exception as error:
                if error is self.left:
                    raise
                return  # what else it raises while it is stopped is of no concern
            if not self.is_over and hasattr(asked, "close"):
                asked.close()

    # What guest code does.

    def ask(self, what: Any) -> Any:
        """Wait until the simulation goes on, and return its answer."""
        self._at = getcurrent()
        parent = self.main.parent
        assert parent is not None  # noqa: S101  # the greenlet of the simulation
        return parent.switch(what)

    def leave(self, error: BaseException) -> NoReturn:
        """Raise an error in the simulation; the code stays where it is until it is stopped."""
        self._at = getcurrent()
        self.left = error
        parent = self.main.parent
        assert parent is not None  # noqa: S101  # as above
        parent.throw(error)
        raise GuestStopped

    def abandon(self, error: BaseException) -> NoReturn:
        """Raise an error in the simulation; the code hangs, so it never goes on, not even to be stopped."""
        self.is_abandoned = True
        here = getcurrent()
        _abandoned.append(here)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(here))  # not even as the interpreter ends
        self.leave(error)
