"""Transports: libraries of HTTP on the `call` of a guest, which plays the server, since no guest may open a socket.

    transports.urllib3.manager(call)     a PoolManager
    transports.requests.adapter(call)    an adapter to mount on a session
    transports.requests.play(session, call), transports.urllib3.play(manager, call)
                                         a session or a manager that your own code has made
    transports.httpx.transport(call)     a transport, for clients of both kinds and for the one of httpx-retries
    transports.aiohttp.connector(call)   a connector of a session, also of the one of aiohttp-retry
    transports.botocore.client(service, call), transports.botocore.play(client, call)

Above that place everything is the library's: its retries, its timeouts, its errors. A call that succeeds is a status
200 with the given `body`; code that asks several things gives a function, `body=lambda method, url: b"{}"`, which
returns the body, or a `Reply`. What else a call can end as is a status or an error, by `answers`:

    answers={"failed": 503, "failed.connection": ConnectionResetError, "timed_out": 504}

The more special name counts. A value is a status, a `Reply`, an exception class, or a function of the `CallFailed` that
returns one of these or an error. An error of a socket becomes what the library makes of it: ConnectionRefusedError and
`socket.gaierror` its error of connecting, TimeoutError that of reading, another OSError that of a connection which
ends. Left out: 500 for `failed`, 429 for `rejected`, 409 for `conflict`, and the library's
own error of reading for `timed_out`. A failure that asks to wait becomes the header Retry-After, in whole seconds
rounded up, and for AWS `x-amz-retry-after`, in ms.

A client that several requests share, since its quota or its pool is a client's, is made without a `call`: then each
request that uses it makes calls of its own.

Each module is imported when it is first used, and raises `NoLibrary`, an ImportError, if its library is missing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from sim.guests.transports.missing import NoLibrary
from sim.guests.transports.replies import Answer, Answers, Body, Reply

if TYPE_CHECKING:
    from sim.guests.transports import aiohttp, botocore, httpx, requests, urllib3

__all__ = [
    "Answer",
    "Answers",
    "Body",
    "NoLibrary",
    "Reply",
    "aiohttp",
    "botocore",
    "httpx",
    "requests",
    "urllib3",
]

_MODULES: Final = frozenset({"aiohttp", "botocore", "httpx", "requests", "urllib3"})


def __getattr__(name: str) -> Any:
    """Import a transport when it is first used."""
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
