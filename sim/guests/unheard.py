"""What guest code must not do, and no audit hook is told of: functions refused by name, and the terminal's input."""

from __future__ import annotations

import _thread
import asyncio
import atexit
import importlib
import locale
import socket
import sys
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, Final

from sim.guests.inside import INSIDE
from sim.guests.refusals import DEBUGGER, FILES, HOST, PROCESSES, is_import, refuse_thread
from sim.guests.stand_ins import instead_of

if TYPE_CHECKING:
    from sim.guests.stand_ins import Home

_ENDS: Final = "which would end the simulation. Raise an exception to give up"
_SIGNALS: Final = "signals come from the host, and a simulated request has none. Leave it out"
_LOOP: Final = (
    "the simulation has the event loop of a guest. Write it as `async def`, and await in place of running a loop"
)
_PRINTS: Final = "files, pipes and the terminal are outside of the simulation. To say something, print it"
_READY: Final = "files and sockets are outside of the simulation. To wait for a time, sleep"

_REFUSED: Final[tuple[tuple[str, str, str], ...]] = (
    *(("os", name, _ENDS) for name in ("_exit", "abort")),
    *(("os", name, HOST) for name in ("nice", "setpriority", "setsid", "chroot")),
    *(("os", name, FILES) for name in ("mkfifo", "mknod")),
    *(("os", name, _PRINTS) for name in ("write", "writev")),
    *(("os", name, PROCESSES) for name in ("wait", "wait3", "wait4", "waitid", "waitpid")),
    *(
        ("signal", name, _SIGNALS)
        for name in (
            *("signal", "alarm", "setitimer", "pause", "raise_signal", "siginterrupt", "set_wakeup_fd"),
            *("sigwait", "sigwaitinfo", "sigtimedwait"),
        )
    ),
    ("_thread", "interrupt_main", _ENDS),
    *(("time", name, HOST) for name in ("clock_settime", "clock_settime_ns", "tzset")),
    *(("sys", name, HOST) for name in ("setrecursionlimit", "setswitchinterval")),
    *(("asyncio", name, _LOOP) for name in ("run", "new_event_loop", "set_event_loop")),
    *(("select", name, _READY) for name in ("poll", "epoll", "devpoll", "kqueue")),
)
"""Modules, names of functions in them, and why they are refused."""
_SIMULATED: Final = frozenset(sys.stdlib_module_names | {"numpy"})


def replaced_functions() -> dict[Any, Any]:
    """Return the functions that are refused, each with the one that takes its place."""
    found: dict[Any, Any] = {}
    for module, name, why in _REFUSED:
        try:
            real = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):  # not on this system
            continue
        found[real] = instead_of(real, _refusing(real, f"calls {module.strip('_')}.{name}: {why}"))
    found[socket.socketpair] = instead_of(socket.socketpair, _socketpair(socket.socketpair))
    found[asyncio.get_event_loop] = instead_of(asyncio.get_event_loop, _get_event_loop(asyncio.get_event_loop))
    for real in _starting_processes():
        found[real] = instead_of(real, _refusing(real, f"starts a process: {PROCESSES}"))
    for name in ("start_new_thread", "start_new"):  # of which audit hooks are told from Python 3.12 on
        real = getattr(_thread, name, None)
        if real is not None:
            found[real] = instead_of(real, _start_thread(real))
    found[atexit.register] = instead_of(atexit.register, _at_exit(atexit.register))
    found[importlib.reload] = instead_of(importlib.reload, _reload(importlib.reload))
    found[locale.setlocale] = instead_of(locale.setlocale, _setlocale(locale.setlocale))
    return found


def _starting_processes() -> list[Any]:
    try:
        import _posixsubprocess
    except ImportError:  # Windows, which has an audit event for it
        return []
    return [_posixsubprocess.fork_exec]


def _refusing(real: Any, what: str) -> Any:
    def refused(_: Home, *args: Any, **more: Any) -> Any:
        inside = INSIDE.get()
        if inside is None or sys._getframe(1).f_globals.get("__name__") in DEBUGGER:  # noqa: SLF001  # the documented way to look at one's caller
            return real(*args, **more)
        for coroutine in filter(iscoroutine, args):
            coroutine.close()  # it is never awaited
        return inside.refuse(what)

    return refused


def _get_event_loop(real: Any) -> Any:
    def get_event_loop(_: Home) -> Any:
        inside = INSIDE.get()
        if inside is None or asyncio._get_running_loop() is not None:  # noqa: SLF001  # as asyncio's own function asks
            return real()
        return inside.refuse(f"calls asyncio.get_event_loop: {_LOOP}")

    return get_event_loop


def _socketpair(real: Any) -> Any:
    def socketpair(_: Home, *args: Any, **more: Any) -> Any:
        inside = INSIDE.get()
        if inside is None:
            return real(*args, **more)
        if sys._getframe(1).f_globals.get("__name__") == "asyncio.selector_events":  # noqa: SLF001  # as above
            inside.refuse(f"makes an event loop: {_LOOP}")  # as `asyncio.Future()` does
        return inside.refuse("calls socket.socketpair: a simulation has no network. Leave it out")

    return socketpair


def _start_thread(real: Any) -> Any:
    def start_new_thread(_: Home, *args: Any, **more: Any) -> Any:
        inside = INSIDE.get()
        if inside is None:
            return real(*args, **more)
        return refuse_thread(inside, *args[:1])

    return start_new_thread


def _at_exit(real: Any) -> Any:
    def register(_: Home, function: Any, /, *args: Any, **more: Any) -> Any:
        """Register nothing for guest code: its process never exits. A library that is imported may tidy up."""
        if INSIDE.get() is None or is_import():
            return real(function, *args, **more)
        return function

    return register


def _reload(real: Any) -> Any:
    def reload(_: Home, module: Any) -> Any:
        inside = INSIDE.get()
        name = getattr(module, "__name__", "")
        if inside is not None and name.partition(".")[0] in _SIMULATED:
            inside.refuse(f"reloads the module {name}: {HOST}")
        return real(module)

    return reload


def _setlocale(real: Any) -> Any:
    def setlocale(_: Home, category: int, locale: Any = None) -> Any:
        inside = INSIDE.get()
        if inside is not None and locale is not None:
            inside.refuse(f"calls locale.setlocale: {HOST}")
        return real(category, locale)

    return setlocale


class Input:
    """Stands for `sys.stdin`: guest code may look at it, but not read from it."""

    _READS: Final = frozenset({"read", "readline", "readlines", "readinto", "buffer", "__next__"})

    def __init__(self) -> None:
        self._real: Any = None

    def install(self) -> None:
        """Stand there, unless the process has no input, as a program without a terminal."""
        if sys.stdin is not None:
            self._real, sys.stdin = sys.stdin, self

    def restore(self) -> None:
        """Step aside, unless another has taken the place meanwhile."""
        if sys.stdin is self:
            sys.stdin = self._real

    def __getattr__(self, name: str) -> Any:
        inside = INSIDE.get()
        if inside is not None and name in self._READS:
            inside.refuse(f"reads from the terminal (sys.stdin.{name}): a simulated request has none")
        if inside is not None and name == "close":
            return lambda: None  # as `exit()` does first
        return getattr(self._real, name)

    def __iter__(self) -> Any:
        return iter(self.__getattr__("readline"), "")
