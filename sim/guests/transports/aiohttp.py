"""aiohttp: a connector whose connections are played by `call`.

Read: aiohttp 3.14.5 and 3.9.5, and aiohttp-retry 2.9.1, whose `RetryClient` takes a session. The seam is
`BaseConnector._create_connection` (aiohttp/connector.py), which makes the transport; the session, the writing of
requests, the parsing of responses, `raise_for_status` and the timeouts are the library's. Its total timeout cancels the
call; that of reading (`sock_read`) is the timeout of the call.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

from sim.guests.transports.missing import NoLibrary
from sim.guests.transports.server import Server, Sockets

try:
    import aiohttp
    from aiohttp.client_proto import ResponseHandler
except ImportError as error:
    raise NoLibrary("aiohttp", error) from None

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.connector import Connection

    from sim.guests.transports.replies import Answers, Body


def connector(
    call: Callable[..., Any] | None = None,
    *,
    answers: Answers | None = None,
    body: Body = b"",
    **options: Any,
) -> aiohttp.BaseConnector:
    """Return a connector: `RetryClient(aiohttp.ClientSession(connector=connector(call)))`.

    Further options are those of `aiohttp.BaseConnector`. Each request has a connection of its own, unless they say that
    connections are kept (`keepalive_timeout`, `force_close=False`). `answers` and `body` as in `sim.guests.transports`.
    Raises RuntimeError if no loop runs.
    """
    sockets = Sockets(aiohttp.ClientError, aiohttp.ClientConnectorError, _TIMED_OUT)
    server = Server(call, answers, body, timed_out=_TIMED_OUT, sockets=sockets)
    options.setdefault("force_close", "keepalive_timeout" not in options)
    return PlayedConnector(server, **options)


_TIMED_OUT: Final = getattr(aiohttp, "SocketTimeoutError", aiohttp.ServerTimeoutError)
"""Versions before 3.10 have only the other."""


class PlayedConnector(aiohttp.BaseConnector):
    """A connector whose connections reach a played server."""

    def __init__(self, server: Server, **options: Any) -> None:
        super().__init__(**options)
        self._server = server

    @property
    def closed(self) -> bool:
        """Whether it is closed; with its loop it is, so that no session of a guest has to be closed at the end."""
        return self._closed or self._loop.is_closed()

    async def connect(self, req: aiohttp.ClientRequest, *args: Any, **options: Any) -> Connection:
        """Return a connection, new or kept, that knows what it is asked."""
        connection = await super().connect(req, *args, **options)
        cast("PlayedHandler", connection.protocol).serve(req)
        return connection

    async def _create_connection(self, req: aiohttp.ClientRequest, *_: Any) -> ResponseHandler:
        handler = PlayedHandler(self._loop, self._server, req)
        handler.connection_made(PlayedTransport(handler, self._loop))
        return handler


class PlayedHandler(ResponseHandler):
    """A connection of aiohttp that makes its call where a response is awaited."""

    def __init__(self, loop: asyncio.AbstractEventLoop, server: Server, request: aiohttp.ClientRequest) -> None:
        super().__init__(loop)
        self._server = server
        self._request = request
        self._seconds: float | None = None
        self._with_body = True

    def serve(self, request: aiohttp.ClientRequest) -> None:
        """Take the request that comes next, on a connection that has served others."""
        self._request = request

    def set_response_params(self, *, read_timeout: float | None = None, **others: Any) -> None:
        """Take the timeout of reading, which the call looks after, and whether the response has a body."""
        self._seconds = read_timeout
        self._with_body = not others.get("skip_payload", False)
        super().set_response_params(**others)

    async def read(self) -> Any:
        """Make the call, and parse what the server says."""
        request = self._request
        reply = await self._server.ask_later(self._seconds, self._error, request.method, str(request.url))
        self.data_received(reply.raw(with_body=self._with_body))
        return await super().read()

    def _error(self, error: type[BaseException], message: str) -> BaseException:
        """Make an error of a class of aiohttp, which want to know the connection or the request, or of another."""
        if issubclass(error, aiohttp.ClientConnectorError):
            return error(self._request.connection_key, OSError(message))
        if issubclass(error, aiohttp.ClientResponseError):
            return error(self._request.request_info, (), message=message)
        return error(message)


class PlayedTransport(asyncio.Transport):
    """A transport that forgets what is written."""

    def __init__(self, protocol: asyncio.Protocol, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._protocol = protocol
        self._loop = loop
        self._closing = False

    def write(self, data: Any) -> None:
        """Take a part of a request."""

    def writelines(self, list_of_data: Any) -> None:
        """Take parts of a request."""

    def is_closing(self) -> bool:
        """Return whether it is closed."""
        return self._closing

    def close(self) -> None:
        """Close it; its protocol hears of that soon."""
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Close it."""
        self.close()

    def pause_reading(self) -> None:
        """Do nothing: a response comes as a whole."""

    def resume_reading(self) -> None:
        """Do nothing: a response comes as a whole."""
