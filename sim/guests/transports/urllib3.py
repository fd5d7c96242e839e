"""urllib3: a pool manager whose connections have a socket that is played by `call`.

Read: urllib3 2.8.0, 1.26.20 and 1.25.8. The seam is `HTTPConnection._new_conn` and `HTTPSConnection.connect`
(urllib3/connection.py), which make the socket; pools, timeouts, the parsing of responses and `urllib3.util.Retry` are
the library's. A timeout of the socket becomes `ReadTimeoutError` there, an OSError becomes `ProtocolError`.
"""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING, Any, Final, cast

from sim.guests.transports.missing import NoLibrary
from sim.guests.transports.replies import Reply
from sim.guests.transports.server import Server, Sockets

try:
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.exceptions import NewConnectionError, ProxyError, RequestError
except ImportError as error:
    raise NoLibrary("urllib3", error) from None

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.guests.transports.replies import Answers, Body


def manager(
    call: Callable[..., Any] | None = None,
    *,
    answers: Answers | None = None,
    body: Body = b"",
    **options: Any,
) -> urllib3.PoolManager:
    """Return a PoolManager that makes its requests by `call`; None: by that of the request for which it is used.

    Further options are those of `urllib3.PoolManager`: `retries=Retry(...)`, `timeout=...`. The timeout of a call is
    the read timeout, in seconds. `answers` and `body` as in `sim.guests.transports`.
    """
    made = urllib3.PoolManager(**options)
    play(made, call, answers=answers, body=body)
    return made


def play(
    manager: urllib3.PoolManager,
    call: Callable[..., Any] | None = None,
    *,
    answers: Answers | None = None,
    body: Body = b"",
) -> None:
    """Let the pools of a manager, which your own code has made, reach a played server; those that it has are closed."""
    manager.clear()
    manager.pool_classes_by_scheme = pool_classes(server_of(call, answers, body))


def server_of(call: Callable[..., Any] | None, answers: Answers | None, body: Body) -> Server:
    """Return the server of such pools, also of those of requests."""
    sockets = Sockets(urllib3.exceptions.HTTPError, NewConnectionError)
    return Server(call, answers, body, timed_out=TimeoutError, sockets=sockets)


def pool_classes(server: Server) -> dict[str, type[HTTPConnectionPool]]:
    """Return pools whose connections reach this server, by schemes."""

    class Plain(HTTPConnection):
        sock: Any

        def _new_conn(self) -> Any:
            return PlayedSocket(self, "http", server)

        @property
        def is_connected(self) -> bool:
            return self.sock is not None

    class Secure(HTTPSConnection):
        sock: Any

        def connect(self) -> None:
            self.sock = PlayedSocket(self, "https", server)
            self.is_verified = True

        @property
        def is_connected(self) -> bool:
            return self.sock is not None

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


_NAME_RESOLUTION_ERROR: Final = getattr(urllib3.exceptions, "NameResolutionError", ())
"""Versions before 2.0 do not have it."""
_HANGS_UP: Final = not hasattr(HTTPConnection, "is_connected")
"""Versions before 2.0 ask the operating system whether a connection that is used again is still there."""


class PlayedSocket:
    """As much of a socket as `http.client` uses; a request is answered where its response is read."""

    def __init__(self, connection: HTTPConnection, scheme: str, server: Server) -> None:
        self._connection = connection
        self._origin = f"{scheme}://{connection.host}"
        if connection.port not in {None, connection.default_port}:
            self._origin += f":{connection.port}"
        self._server = server
        self._timeout: float | None = None
        self._sent = b""

    def settimeout(self, timeout: float | None) -> None:
        """Take how many seconds a read may take."""
        self._timeout = timeout

    def sendall(self, data: bytes) -> None:
        """Take a part of a request; only its first line is kept."""
        if b"\r\n" not in self._sent:
            self._sent += bytes(data)

    def makefile(self, mode: str) -> io.BytesIO:
        """Return what a response is read from."""
        del mode
        return _PlayedFile(self)

    def answer(self) -> bytes:
        """Make the call, and return the bytes of its response."""
        method, path, *_ = self._sent.decode("latin-1").split(" ", 2)
        self._sent = b""
        reply = self._server.ask(self._timeout, self._error, method, f"{self._origin}{path}")
        if _HANGS_UP:
            reply = Reply(reply.status, reply.body, {"Connection": "close", **reply.headers})
        return reply.raw(with_body=method != "HEAD")

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def shutdown(self, how: int) -> None:
        """Do nothing: there is nothing to shut down."""

    def _error(self, error: type[BaseException], message: str) -> BaseException:
        """Make an error of a class of urllib3, which want to know their connection, or of another."""
        if issubclass(error, _NAME_RESOLUTION_ERROR):
            return error(self._connection.host, self._connection, socket.gaierror(message))
        if issubclass(error, NewConnectionError):
            return error(self._connection, message)
        if issubclass(error, RequestError):
            return error(cast("Any", self._connection), "", message)
        if issubclass(error, ProxyError):
            return error(message, OSError(message))
        return error(message)


class _PlayedFile(io.BytesIO):
    """A response that comes when its first line is read."""

    def __init__(self, played: PlayedSocket) -> None:
        super().__init__()
        self._played: PlayedSocket | None = played

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line."""
        if self._played is not None:
            played, self._played = self._played, None
            self.write(played.answer())
            self.seek(0)
        return super().readline(size)
