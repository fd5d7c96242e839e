"""What guest code must not do, and no audit hook is told of: functions that are refused by their names."""

from __future__ import annotations

import _thread
import importlib
import locale
import sys
from typing import TYPE_CHECKING, Any, Final

from sim.guests.inside import INSIDE
from sim.guests.refusals import audit
from sim.guests.stand_ins import instead_of

if TYPE_CHECKING:
    from sim.guests.stand_ins import Home

_ENDS: Final = "which would end the simulation. Raise an exception to give up"
_SIGNALS: Final = "signals come from the host, and a simulated request has none. Leave it out"
_HOST: Final = "that belongs to the process of the simulation, not to the guest. Leave it out"
_LOOP: Final = "a guest runs in an event loop already. Write it as `async def`, and await in place of running a loop"
_READY: Final = "files and sockets are outside of the simulation. To wait for a time, sleep"

_REFUSED: Final[tuple[tuple[str, str, str], ...]] = (
    *(("os", name, _ENDS) for name in ("_exit", "abort")),
    *(("os", name, _HOST) for name in ("umask", "nice", "setpriority", "setsid", "dup2", "mkfifo", "mknod", "chroot")),
    *(
        ("signal", name, _SIGNALS)
        for name in (
            *("signal", "alarm", "setitimer", "pause", "raise_signal", "siginterrupt", "set_wakeup_fd"),
            *("sigwait", "sigwaitinfo", "sigtimedwait", "pthread_sigmask"),
        )
    ),
    ("_signal", "signal", _SIGNALS),
    ("_thread", "interrupt_main", _ENDS),
    ("_posixsubprocess", "fork_exec", "a simulation is one process. Replace that part of the guest, or leave it out"),
    *(("time", name, _HOST) for name in ("clock_settime", "clock_settime_ns", "tzset")),
    *(("sys", name, _HOST) for name in ("setrecursionlimit", "setswitchinterval")),
    *(("asyncio", name, _LOOP) for name in ("run", "new_event_loop", "set_event_loop")),
    *(("select", name, _READY) for name in ("poll",)),
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
    for name in ("start_new_thread", "start_new", "start_joinable_thread"):  # the hook hears of them from Python 3.12 on
        real = getattr(_thread, name, None)
        if real is not None:
            found[real] = instead_of(real, _starting(real))
    found[importlib.reload] = instead_of(importlib.reload, _reload(importlib.reload))
    found[locale.setlocale] = instead_of(locale.setlocale, _setlocale(locale.setlocale))
    return found


def _refusing(real: Any, what: str) -> Any:
    def refused(_: Home, *args: Any, **more: Any) -> Any:
        inside = INSIDE.get()
        return real(*args, **more) if inside is None else inside.refuse(what)

    return refused


def _starting(real: Any) -> Any:
    def start(_: Home, *args: Any, **more: Any) -> Any:
        audit("_thread.start_new_thread", args)
        return real(*args, **more)

    return start


def _reload(real: Any) -> Any:
    def reload(_: Home, module: Any) -> Any:
        inside = INSIDE.get()
        name = getattr(module, "__name__", "")
        if inside is not None and name.partition(".")[0] in _SIMULATED:
            inside.refuse(f"reloads the module {name}: {_HOST}")
        return real(module)

    return reload


def _setlocale(real: Any) -> Any:
    def setlocale(_: Home, category: int, locale: Any = None) -> Any:
        inside = INSIDE.get()
        if inside is not None and locale is not None:
            inside.refuse(f"calls locale.setlocale: {_HOST}")
        return real(category, locale)

    return setlocale
