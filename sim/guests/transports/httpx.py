"""httpx: a transport, for clients of both kinds, that is played by `call`.

Read: httpx 0.28.1, and httpx-retries 0.6.0, whose `RetryTransport` wraps a transport. The seam is
`BaseTransport.handle_request` and `AsyncBaseTransport.handle_async_request` (httpx/_transports/base.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.guests.transports.missing import NoLibrary
from sim.guests.transports.server import Server

try:
    import httpx
except ImportError:
    raise NoLibrary("httpx") from None

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.guests.transports.replies import Answers, Reply
    from sim.guests.transports.server import Make


class PlayedTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport that asks a played server, for clients of both kinds."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Make one call."""
        return _response(self._server.ask(_timeout(request), _made_for(request)))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one call."""
        return _response(await self._server.ask_later(_timeout(request), _made_for(request)))


def transport(
    call: Callable[..., Any] | None = None,
    *,
    answers: Answers | None = None,
    body: bytes = b"",
) -> PlayedTransport:
    """Return a transport: `httpx.Client(transport=RetryTransport(transport(call), Retry(...)))`, or an AsyncClient.

    The timeout of a call is the read timeout of the request, in seconds; httpx has 5 unless told otherwise. `answers`
    and `body` as in `sim.guests.transports`.
    """
    return PlayedTransport(Server(call, answers, body, timed_out=httpx.ReadTimeout))


def _timeout(request: httpx.Request) -> float | None:
    timeout: float | None = request.extensions.get("timeout", {}).get("read")
    return timeout


def _made_for(request: httpx.Request) -> Make:
    def made(error: type[BaseException], message: str) -> BaseException:
        if issubclass(error, httpx.RequestError):
            return error(message, request=request)
        return error(message)

    return made


def _response(reply: Reply) -> httpx.Response:
    return httpx.Response(reply.status, headers=reply.all_headers, content=reply.body)
