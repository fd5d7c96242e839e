"""Live pages without a network: a scenario opened, and requests to its application."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sim.report.live.guard import Guard
from sim.report.live.opened import Opened
from sim.scenario.load import load

PORT = 4711
TOKEN = "a-token"  # noqa: S105  # of no server
SMALL = """
why: Is it <b>worth</b> it?
seed: 3
requests: {count: 300}
action:
  latency: {constant: 80ms}
  outcomes: {fail: 0.2, ack_lost: 0.05}
retrier: {kind: helpers, max_failures: 3}
"""
TWO = """
seed: 3
requests: {count: 200}
action: {outcomes: {fail: 0.3}}
variants:
  short: {retrier: {kind: helpers, max_failures: 1}}
  article, long: {retrier: article}
"""


class Answer(NamedTuple):
    """An answer of an application."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON of each line."""
        return [json.loads(line) for line in self.body.splitlines()]


def opened(folder: Path, text: str = SMALL, name: str = "small.yaml") -> Opened:
    """Write a scenario and open it, as the command line does without options."""
    path = folder / name
    path.write_text(text, encoding="utf-8")

    def words(changes: Sequence[tuple[str, str]]) -> str:
        return " ".join([name, *(f"{key}={text}" for key, text in changes)])

    return Opened(path, lambda changes: load(path, changes), words)


def asked(
    app: Callable[..., Any],
    address: str = "/",
    body: object = None,
    *,
    method: str = "",
    headers: Mapping[str, str | None] | None = None,
    raw: bytes | None = None,
    leaves: bool = False,
    timeout_s: float = 60,
) -> Answer:
    """Ask an application, by default with all that the guard wants; headers that are None are left out.

    With `leaves` the client goes away as soon as its request is sent.
    """
    path, _, query = address.partition("?")
    method = method or ("GET" if body is None and raw is None else "POST")
    data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    given: dict[str, str | None] = {
        "host": f"127.0.0.1:{PORT}",
        "x-retrysim-token": TOKEN,
        "content-type": "application/json",
        "content-length": str(len(data)),
        **(headers or {}),
    }
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items() if value is not None],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", PORT),
    }
    sent: list[Any] = []

    async def talk() -> None:
        received = 0

        async def receive() -> dict[str, Any]:
            nonlocal received
            received += 1
            if received == 1:
                return {"type": "http.request", "body": data, "more_body": False}
            if not leaves:
                await asyncio.sleep(3600)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await asyncio.wait_for(app(scope, receive, send), timeout_s)

    asyncio.run(talk())
    start = sent[0]
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], found, b"".join(one.get("body", b"") for one in sent[1:]))


def guarded(app: Callable[..., Any]) -> Guard:
    """Put the guard before an application."""
    return Guard(app, PORT, TOKEN)
