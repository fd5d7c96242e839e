"""requests: an adapter whose connections are played by `call`.

Read: requests 2.34.2. The seam is `HTTPAdapter.init_poolmanager` (requests/adapters.py), where the adapter makes its
pools of urllib3; these have played sockets, see `sim.guests.transports.urllib3`. Sessions, the adapter, its translation
of errors and `max_retries=Retry(...)` are the libraries'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.guests.transports.missing import NoLibrary

try:
    from requests.adapters import HTTPAdapter

    from sim.guests.transports.urllib3 import pool_classes, server_of
except ImportError as error:
    raise NoLibrary("requests", error) from None

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest, Response, Session

    from sim.guests.transports.replies import Answers, Body
    from sim.guests.transports.server import Server


class PlayedAdapter(HTTPAdapter):
    """An adapter whose pools reach a played server; proxies of the environment do not count."""

    def __init__(self, server: Server, **options: Any) -> None:
        self._server = server
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make pools with played sockets."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = pool_classes(self._server)

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        """Send a request, past all proxies."""
        return super().send(request, *args[:4], **{**options, "proxies": None})


def adapter(
    call: Callable[..., Any] | None = None,
    *,
    answers: Answers | None = None,
    body: Body = b"",
    **options: Any,
) -> HTTPAdapter:
    """Return an adapter to mount on a session.

    `requests.Session().mount("https://", adapter(call, max_retries=Retry(...)))`. Further options are those of
    `requests.adapters.HTTPAdapter`. The timeout of a call is the read timeout of the request, in seconds. `answers` and
    `body` as in `sim.guests.transports`; an OSError is the socket's, so that requests makes its own ConnectionError of
    it.
    """
    return PlayedAdapter(server_of(call, answers, body), **options)


def play(
    session: Session,
    call: Callable[..., Any] | None = None,
    *,
    answers: Answers | None = None,
    body: Body = b"",
) -> None:
    """Let the adapters of a session, which your own code has made and mounted, reach a played server.

    Their `max_retries` and their pools' options stay. Proxies do not count any more, nor does the environment, where
    requests looks for them and for passwords. Adapters that are no `requests.adapters.HTTPAdapter` are left alone.
    """
    session.trust_env = False
    session.proxies = {}
    for mounted in session.adapters.values():
        if isinstance(mounted, HTTPAdapter):
            mounted.poolmanager.clear()
            mounted.poolmanager.pool_classes_by_scheme = pool_classes(server_of(call, answers, body))
