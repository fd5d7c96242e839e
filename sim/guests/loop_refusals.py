"""What an event loop of guest code does not do, since it would leave the simulation.

Sockets, pipes, subprocesses, signals, executors, other threads; and to run or end it, which the simulation does.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from sim.guests.inside import INSIDE
from sim.guests.stand_ins import instead_of

if TYPE_CHECKING:
    from sim.guests.stand_ins import Home

_NOT_OFFERED: Final = (
    *("create_connection", "create_server", "create_datagram_endpoint", "create_unix_connection"),
    *("create_unix_server", "connect_accepted_socket", "sendfile", "start_tls", "sock_sendfile"),
    *("getaddrinfo", "getnameinfo", "connect_read_pipe", "connect_write_pipe"),
    *("subprocess_shell", "subprocess_exec", "add_reader", "remove_reader", "add_writer", "remove_writer"),
    *("sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendto"),
    *("sock_connect", "sock_accept", "add_signal_handler", "remove_signal_handler", "set_default_executor"),
)
_OWN_LIFE: Final = ("run_forever", "run_until_complete", "stop", "close")


def _refuse(what: str) -> NoReturn:
    inside = INSIDE.get()
    if inside is None:
        raise RuntimeError(f"outside of the simulation, other code {what}")
    inside.refuse(what)


def _refusing(name: str, why: str) -> Any:
    def refused(loop: asyncio.AbstractEventLoop, *args: Any, **more: Any) -> NoReturn:
        del loop, more
        for coroutine in filter(asyncio.iscoroutine, args):
            coroutine.close()  # else Python warns, beside the error, that it was never awaited
        _refuse(f"asks its event loop for {name}{why}")

    refused.__name__ = refused.__qualname__ = name
    return refused


class RefusingLoop(asyncio.AbstractEventLoop):
    """An event loop that refuses what would leave the simulation."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # untyped
        """Refuse: the function would run in a real thread."""
        del executor, args
        if isinstance(func, partial) and func.args:  # as asyncio.to_thread makes it
            func = func.args[0]
        name = getattr(func, "__name__", func)
        _refuse(
            f"runs {name} in a thread (asyncio.to_thread, loop.run_in_executor), which would leave the simulation. "
            "Write a synchronous guest, whose requests run as threads of their own, or await the call"
        )


_CONNECTS: Final = frozenset(
    {"create_connection", "create_unix_connection", "getaddrinfo", "sock_connect", "start_tls"}
)
_SEND: Final = ". HTTP libraries send by sim.guests.transports"

for _name in _NOT_OFFERED:
    _why = ", which would leave the simulation" + (_SEND if _name in _CONNECTS else "")
    setattr(RefusingLoop, _name, _refusing(_name, _why))
for _name in _OWN_LIFE:
    setattr(RefusingLoop, _name, _refusing(_name, ": the simulation runs and ends it"))


def replaced_functions() -> dict[Any, Any]:
    """Return the function of asyncio that expects another thread, with the one that takes its place."""
    real = asyncio.run_coroutine_threadsafe

    def refused(_: Home, *args: Any, **more: Any) -> Any:
        inside = INSIDE.get()
        if inside is None:
            return real(*args, **more)
        if args and asyncio.iscoroutine(args[0]):
            args[0].close()  # else Python warns, beside the error, that it was never awaited
        return inside.refuse(f"calls asyncio.{real.__name__}: there is no other thread. Use asyncio.create_task")

    return {real: instead_of(real, refused)}
