"""What stands before every answer of a live server: only this machine, only its own page, only with the token.

A page of another site can reach a server on this machine, by its address or by a name that it lets point here (DNS
rebinding). So three things are asked of a request: that its Host is the address that the server has itself, that its
Origin, if it has one, is the server's own, and that it knows the token. The token is in the address that the terminal
prints, and there are no cookies that a browser would add on its own.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

HOST: Final = "127.0.0.1"
TOKEN_HEADER: Final = "x-retrysim-token"  # noqa: S105  # the name of a header, not a token
MOST_BODY: Final = 64 * 1024
"""Bytes of the body of a request."""
HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Of every answer."""
NOTHING_ALLOWED: Final = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of answers that bring none of their own."""


class Guard:
    """Wraps an ASGI application; refuses foreign requests with 403 and large bodies with 413, in plain words."""

    def __init__(self, app: App, port: int, token: str) -> None:
        self._app = app
        self._token = token.encode()
        names = (HOST, "localhost")
        self._hosts = {f"{name}:{port}".encode() for name in names} | (
            {n.encode() for n in names} if port == 80 else set()
        )
        self._origins = {b"http://" + host for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = [(name, value) for name, value in message["headers"] if name.lower() != b"server"]
                named = {name.lower() for name, _ in given}
                policy = [] if b"content-security-policy" in named else [(b"content-security-policy", NOTHING_ALLOWED)]
                message = {**message, "headers": [*given, *HEADERS, *policy]}
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _say(with_headers, *refusal)
            return
        body = await _body(headers, receive)
        if body is None:
            await _say(with_headers, 413, f"The body of a request has at most {MOST_BODY:,} bytes.")
            return
        await self._app(scope, _replayed(body, receive), with_headers)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        """Return why a request is refused: a status and a sentence; None if it is not."""
        if headers.get(b"host", b"").lower() not in self._hosts:
            return 403, f"This server answers only to its own address on this machine, {HOST}."
        origin = headers.get(b"origin")
        if origin is not None and origin.lower() not in self._origins:
            return 403, "This request comes from another origin; only the server's own page may ask."
        if headers.get(b"sec-fetch-site", b"none") not in {b"none", b"same-origin"} and scope["method"] != "GET":
            return 403, "This request comes from another site; only the server's own page may ask."
        given = headers.get(TOKEN_HEADER.encode())
        if given is None and scope["method"] in {"GET", "HEAD"}:
            tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
            given = tokens[0].encode()
        if not hmac.compare_digest(given or b"", self._token):
            return 403, "The token is missing or wrong: open the address that `retrysim live` has printed."
        return None


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
    """Read the whole body; None if it is too large."""
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MOST_BODY:
        return None
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(parts)
        parts += message.get("body", b"")
        if len(parts) > MOST_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body first, and then whatever comes."""
    given = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _say(send: Send, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
