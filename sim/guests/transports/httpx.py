"""httpx: a transport, for clients of both kinds, that is played by `call`.

Read: httpx 0.28.1, and httpx-retries 0.6.0, whose `RetryTransport` wraps a transport. The seam is
`BaseTransport.handle_request` and `AsyncBaseTransport.handle_async_request` (httpx/_transports/base.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sim.guests.transports.missing import NoLibrary
from sim.guests.transports.server import Server, Sockets

try:
    import httpx
except ImportError as error:
    raise NoLibrary("httpx", error) from None

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.guests.transports.replies import Answers, Body, Reply
    from sim.guests.transports.server import Make


class PlayedTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport that asks a played server, for clients of both kinds."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Make one call."""
        for _ in cast("httpx.SyncByteStream", request.stream):
            """Sent: a body that cannot be sent twice is used up."""
        reply = self._server.ask(_timeout(request), _made_for(request), request.method, str(request.url))
        return _response(request, reply)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one call."""
        async for _ in cast("httpx.AsyncByteStream", request.stream):
            """As above."""
        reply = await self._server.ask_later(_timeout(request), _made_for(request), request.method, str(request.url))
        return _response(request, reply)


def transport(
    call: Callable[..., Any] | None = None,
    *,
    answers: Answers | None = None,
    body: Body = b"",
) -> PlayedTransport:
    """Return a transport: `httpx.Client(transport=RetryTransport(transport(call), Retry(...)))`, or an AsyncClient.

    The timeout of a call is the read timeout of the request, in seconds; httpx has 5 unless told otherwise. `answers`
    and `body` as in `sim.guests.transports`.
    """
    sockets = Sockets(httpx.HTTPError, httpx.ConnectError, httpx.ReadTimeout, httpx.ReadError)
    return PlayedTransport(Server(call, answers, body, timed_out=httpx.ReadTimeout, sockets=sockets))


def _timeout(request: httpx.Request) -> float | None:
    timeout: float | None = request.extensions.get("timeout", {}).get("read")
    return timeout


def _made_for(request: httpx.Request) -> Make:
    def made(error: type[BaseException], message: str) -> BaseException:
        if issubclass(error, httpx.RequestError):
            return error(message, request=request)
        return error(message)

    return made


def _response(request: httpx.Request, reply: Reply) -> httpx.Response:
    """Return a response whose body is still to be read, as those of a connection are."""
    body = httpx.ByteStream(b"" if request.method == "HEAD" else reply.body)
    return httpx.Response(reply.status, headers=reply.all_headers, stream=body)
