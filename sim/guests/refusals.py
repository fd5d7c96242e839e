"""What guest code must not do: sockets, files written, threads, processes, signals.

Python tells *audit hooks* of all of it, however it is asked for, so nothing has to be replaced. A hook stays for the
life of the process, but it looks at nothing unless guest code runs.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

from sim.guests.inside import INSIDE

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_REFUSED: Final = {
    "socket.__new__": "opens a socket",
    "socket.connect": "connects a socket",
    "socket.bind": "binds a socket",
    "socket.getaddrinfo": "asks for the address of a host",
    "socket.gethostbyname": "asks for the address of a host",
    "socket.gethostbyaddr": "asks for the name of a host",
    "subprocess.Popen": "starts a process",
    "os.system": "starts a process",
    "os.exec": "starts a process",
    "os.fork": "forks the process",
    "os.forkpty": "forks the process",
    "os.posix_spawn": "starts a process",
    "os.spawn": "starts a process",
    "pty.spawn": "starts a process",
    "os.kill": "sends a signal",
    "signal.pthread_kill": "sends a signal",
    "_thread.start_new_thread": "starts a thread",
    "_thread.start_joinable_thread": "starts a thread",
    "os.remove": "removes a file",
    "os.rename": "renames a file",
    "os.truncate": "writes a file",
    "os.link": "makes a file",
    "os.symlink": "makes a file",
    "os.mkdir": "makes a folder",
    "os.rmdir": "removes a folder",
    "os.chmod": "changes a file",
    "os.putenv": "changes the environment of the process",
    "os.unsetenv": "changes the environment of the process",
    "sqlite3.connect": "opens a database",
    "urllib.Request": "makes a request over the network",
    "http.client.connect": "makes a request over the network",
}
_HOW: Final = {
    "thread": "Synchronous requests run as threads of their own already; write `async def` to do several things at once",
    "socket": "Let its library send by a transport of `sim.guests.transports`, or call `call` in its place",
    "network": "Let its library send by a transport of `sim.guests.transports`, or call `call` in its place",
    "address": "Let its library send by a transport of `sim.guests.transports`, or call `call` in its place",
}


def audit(event: str, args: tuple[Any, ...]) -> None:
    """Refuse what guest code must not do."""
    if event == "open":
        inside = INSIDE.get()
        if inside is not None and _is_written(*args):
            inside.refuse(f"writes the file {args[0]}, which would leave the simulation")
        return
    what = _REFUSED.get(event)
    if what is None:
        return
    inside = INSIDE.get()
    if inside is not None:
        how = next((f". {text}" for word, text in _HOW.items() if word in what), "")
        inside.refuse(f"{what}, which would leave the simulation{how}")


def _is_written(path: Any, mode: Any, flags: Any) -> bool:
    """Tell whether a file is opened to be written; what Python compiles and keeps does not count."""
    if isinstance(path, (str, bytes)) and (b"__pycache__" if isinstance(path, bytes) else "__pycache__") in path:  # type: ignore[operator]  # of one kind
        return False
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(isinstance(flags, int) and flags & _WRITES)


_added: list[bool] = []


def add_hook() -> None:
    """Let the hook look from now on; further calls do nothing."""
    if not _added:
        _added.append(True)
        sys.addaudithook(audit)


def replaced_functions() -> dict[Any, Any]:
    """Return the functions that no audit hook is told of, each with the one that takes its place."""
    import _thread
    import signal

    found: dict[Any, Any] = {}
    # Not every Python tells the hook of a thread: 3.11 does not.
    for name in ("start_new_thread", "start_new", "start_joinable_thread"):
        real = getattr(_thread, name, None)
        if real is not None:
            found[real] = _refusing(real, f"starts a thread, which would leave the simulation. {_HOW['thread']}")
    for name in ("alarm", "setitimer", "signal", "sigwait", "pause", "sigtimedwait"):
        real = getattr(signal, name, None)
        if real is not None:
            found[real] = _refusing(real, f"calls signal.{name}: signals come from the host, not from the simulation")
    return found


def _refusing(real: Any, what: str) -> Any:
    def refused(*args: Any, **more: Any) -> Any:
        inside = INSIDE.get()
        return real(*args, **more) if inside is None else inside.refuse(what)

    refused.__name__ = refused.__qualname__ = real.__name__
    return refused
