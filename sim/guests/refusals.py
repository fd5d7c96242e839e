"""What guest code must not do: sockets, files written, threads, processes, signals, questions to the terminal.

Python tells *audit hooks* of most of it, however it is asked for, so nothing has to be replaced. A hook stays for the
life of the process, but it looks at nothing unless guest code runs. The rest is in `unheard`.

Files may be read, modules imported (and what Python compiles kept, as always), and `os.devnull` written.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, NoReturn

from sim.guests.inside import INSIDE
from sim.guests.refused import is_own, runs_a_module

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.guests.inside import Inside

_NETWORK: Final = (
    "a simulation has no network. Let its library send by a transport of `sim.guests.transports`, or make a `call`"
)
PROCESSES: Final = "a simulation is one process. Replace that part of the guest, or leave it out"
_THREADS: Final = (
    "a simulated request has one thread. Write the guest as `async def`, to do several things at once, or leave it out"
)
FILES: Final = "it would stay when the simulation is over. A guest may read files; keep what it writes in memory"
HOST: Final = "that belongs to the process of the simulation, not to the guest. Leave it out"

_REFUSED: Final[dict[str, tuple[str, str]]] = {
    "socket.__new__": ("opens a socket", _NETWORK),
    "socket.connect": ("connects a socket", _NETWORK),
    "socket.bind": ("binds a socket", _NETWORK),
    "socket.sendto": ("sends by a socket", _NETWORK),
    "socket.sendmsg": ("sends by a socket", _NETWORK),
    "socket.getaddrinfo": ("asks for the address of {0!r}", _NETWORK),
    "socket.gethostbyname": ("asks for the address of {0!r}", _NETWORK),
    "socket.gethostbyaddr": ("asks for the name of {0!r}", _NETWORK),
    "socket.getnameinfo": ("asks for the name of {0!r}", _NETWORK),
    "subprocess.Popen": ("starts the process {0!r}", PROCESSES),
    "os.system": ("runs the command {0!r}", PROCESSES),
    "os.exec": ("replaces the process by {0!r}", PROCESSES),
    "os.posix_spawn": ("starts the process {0!r}", PROCESSES),
    "os.spawn": ("starts the process {1!r}", PROCESSES),
    "os.startfile": ("opens {0!r}", PROCESSES),
    "os.fork": ("forks the process", PROCESSES),
    "os.forkpty": ("forks the process", PROCESSES),
    "pty.spawn": ("starts the process {0!r}", PROCESSES),
    "webbrowser.open": ("opens {0!r} in a browser", PROCESSES),
    "os.kill": ("sends a signal", PROCESSES),
    "os.killpg": ("sends a signal", PROCESSES),
    "signal.pthread_kill": ("sends a signal", PROCESSES),
    "os.remove": ("removes the file {0!r}", FILES),
    "os.rename": ("renames the file {0!r}", FILES),
    "os.truncate": ("cuts the file {0!r}", FILES),
    "os.link": ("makes the file {1!r}", FILES),
    "os.symlink": ("makes the file {1!r}", FILES),
    "os.mkdir": ("makes the folder {0!r}", FILES),
    "os.rmdir": ("removes the folder {0!r}", FILES),
    "os.chmod": ("changes the file {0!r}", FILES),
    "os.chown": ("changes the file {0!r}", FILES),
    "os.utime": ("changes the file {0!r}", FILES),
    "os.setxattr": ("changes the file {0!r}", FILES),
    "os.removexattr": ("changes the file {0!r}", FILES),
    "os.chdir": ("changes the folder of the process", HOST),
    "os.putenv": ("sets the environment variable {0!r}", HOST),
    "os.unsetenv": ("removes the environment variable {0!r}", HOST),
    "resource.setrlimit": ("changes a limit of the process", HOST),
    "resource.prlimit": ("changes a limit of the process", HOST),
    "sys.addaudithook": ("adds an audit hook, which would stay", HOST),
}
"""By the event that Python tells: what the guest does, with the event's arguments, and why it is refused.

Source: the table of audit events in Python's library reference.
"""
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_ONCE: Final = frozenset(
    {"time", "random", "datetime", "_datetime", "secrets", "uuid", "threading", "queue", "os", "posix"}
)
"""Modules that are simulated: a second copy of one would ask the host."""
_COMPILED: Final = "__pycache__"
DEBUGGER: Final = frozenset({"bdb", "cmd", "pdb"})
"""The modules of Python's debugger, which asks at the terminal also if it stops in guest code."""


def _look_at_socket(inside: Inside, event: str, args: tuple[Any, ...]) -> None:
    """Refuse a socket, except to a module that looks, as it is imported, what the host can do: urllib3 does so."""
    if not is_import():
        _refuse(inside, event, args)


def is_import() -> bool:
    """Tell whether a module is being imported."""
    frame = sys._getframe(1)  # noqa: SLF001  # as `line_of_guest` looks
    while frame.f_back is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _end(inside: Inside, what: str) -> NoReturn:
    """End the run; say so if the top level of a module does it, which runs anew for each request."""
    late = ". Its module does so as it is imported, anew for each request: do it in a function that no guest calls"
    inside.refuse(f"{what}{late if runs_a_module() else ''}")


def _refuse(inside: Inside, event: str, args: tuple[Any, ...]) -> None:
    what, why = _REFUSED[event]
    _end(inside, f"{what.format(*args)}: {why}")


def _look_at_change(inside: Inside, event: str, args: tuple[Any, ...]) -> None:
    """Refuse that a file is changed, unless Python keeps what it compiles."""
    if not (_is_compiled(args[0]) or _is_by_import_system()):
        _refuse(inside, event, tuple(os.fspath(arg) if isinstance(arg, os.PathLike) else arg for arg in args))


def _look_at_open(inside: Inside, event: str, args: tuple[Any, ...]) -> None:
    del event
    path, mode, flags = args
    if not _is_written(mode, flags) or path == os.devnull or _is_compiled(path) or _is_by_import_system():
        return
    shown = f"the file descriptor {path}" if isinstance(path, int) else f"the file {os.fspath(path)!r}"
    _end(inside, f"writes {shown}: {FILES}")


def _is_written(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(isinstance(flags, int) and flags & _WRITES)


def _is_compiled(path: object) -> bool:
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    return os.fsdecode(path).find(_COMPILED) >= 0 if isinstance(path, (str, bytes)) else False


def _is_by_import_system() -> bool:
    """Tell whether the import system itself acts: the folder of what it compiles may have any name."""
    frame = sys._getframe(1)  # noqa: SLF001  # the documented way to look at one's callers without building a traceback
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename.startswith("<frozen importlib")


def _look_at_database(inside: Inside, event: str, args: tuple[Any, ...]) -> None:
    del event
    name = args[0]
    if name != ":memory:":
        _end(inside, f"opens the database {name!r}: {FILES}. SQLite does so in a database named ':memory:'")


def _look_at_thread(inside: Inside, event: str, args: tuple[Any, ...]) -> None:
    del event
    refuse_thread(inside, *args[:1])


def refuse_thread(inside: Inside, run: Any = None) -> NoReturn:
    """Refuse that a thread is started, which is to run a function."""
    thread = getattr(run, "__self__", None)
    threading._limbo.pop(thread, None)  # type: ignore[attr-defined]  # noqa: SLF001  # where a thread waits that is about to start: this one never does
    name = getattr(thread, "name", "")
    _end(inside, f"starts a thread{f' ({name})' if name else ''}: {_THREADS}")


def _look_at_import(inside: Inside, event: str, args: tuple[Any, ...]) -> None:
    del event
    if args[0] in _ONCE:
        inside.refuse(f"loads a second copy of the module {args[0]}, which would ask the host: import it as usual")


def _look_at_question(inside: Inside, event: str, args: tuple[Any, ...]) -> None:
    del event, args
    if sys._getframe(2).f_globals.get("__name__") not in DEBUGGER:  # noqa: SLF001  # as above
        inside.refuse(
            "waits for input from the terminal: a simulated request has none. Give it the answer as an argument"
        )


def _look_at_breakpoint(inside: Inside, event: str, args: tuple[Any, ...]) -> None:
    """Let the debugger stop if there is a terminal, or if a tool has set a debugger of its own."""
    del event, args
    if sys.breakpointhook is sys.__breakpointhook__ and not _has_terminal():
        inside.refuse("stops in the debugger, but standard input is no terminal: remove breakpoint(), or run it in one")


def _look_at_trace(inside: Inside, event: str, args: tuple[Any, ...]) -> None:
    """Refuse that the guest's own code traces; debuggers may."""
    del args
    if is_own(sys._getframe(2).f_code.co_filename):  # noqa: SLF001  # as above
        _end(inside, f"calls {event}: {HOST}")


def _has_terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False


_LOOKS: Final[dict[str, Callable[[Inside, str, tuple[Any, ...]], None]]] = {
    **dict.fromkeys(_REFUSED, _refuse),
    **dict.fromkeys(("socket.__new__", "socket.bind"), _look_at_socket),
    **dict.fromkeys(("os.remove", "os.rename", "os.mkdir", "os.chmod", "os.utime", "os.link"), _look_at_change),
    **dict.fromkeys(("_thread.start_new_thread", "_thread.start_joinable_thread"), _look_at_thread),
    **dict.fromkeys(("sys.settrace", "sys.setprofile"), _look_at_trace),
    "open": _look_at_open,
    "sqlite3.connect": _look_at_database,
    "import": _look_at_import,
    "builtins.input": _look_at_question,
    "builtins.breakpoint": _look_at_breakpoint,
}


def audit(event: str, args: tuple[Any, ...], looks: Any = _LOOKS.get, inside_of: Any = INSIDE.get) -> None:
    """Refuse what guest code must not do.

    What it needs is bound here: the hook is asked until the process has ended, when globals are there no more.
    """
    look = looks(event)
    if look is not None:
        inside = inside_of()
        if inside is not None:
            look(inside, event, args)


_added: list[bool] = []


def add_hook() -> None:
    """Let the hook look from now on; further calls do nothing."""
    if not _added:
        _added.append(True)
        sys.addaudithook(audit)
