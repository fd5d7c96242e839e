"""The guard: only the server's own page with the token gets through, and nothing large."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from live_pages import PORT, TOKEN, Answer, asked, guarded

from sim.report.live.guard import MOST_BODY

OWN = f"http://127.0.0.1:{PORT}"


async def echo(_scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Answer with the body of the request."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"through:" + message["body"]})


def through(**options: Any) -> Answer:
    return asked(guarded(echo), **options)


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}"])
@pytest.mark.parametrize("origin", [None, OWN, f"http://localhost:{PORT}"])
def test_the_own_page_gets_through(host: str, origin: str | None) -> None:
    found = through(body={"a": 1}, headers={"host": host, "origin": origin})
    assert (found.status, found.body) == (200, b'through:{"a": 1}')


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1",
        f"127.0.0.1:{PORT + 1}",
        f"127.0.0.1.evil.example:{PORT}",
        None,
        "",
    ],
)
def test_a_foreign_host_is_refused_whatever_it_knows(host: str | None) -> None:
    found = through(body={}, headers={"host": host})
    assert found.status == 403
    assert b"own address" in found.body


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        f"https://127.0.0.1:{PORT}",
        f"http://127.0.0.1:{PORT + 1}",
        "http://127.0.0.1",
        OWN + "x",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused_whatever_it_knows(origin: str, method: str) -> None:
    found = through(address=f"/?token={TOKEN}", method=method, headers={"origin": origin})
    assert found.status == 403
    assert b"another origin" in found.body


def test_a_request_of_another_site_without_an_origin_is_refused() -> None:
    assert through(body={}, headers={"sec-fetch-site": "cross-site"}).status == 403
    assert through(body={}, headers={"sec-fetch-site": "same-site"}).status == 403
    assert through(body={}, headers={"sec-fetch-site": "same-origin"}).status == 200


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "größe"])
def test_a_wrong_token_is_refused(token: str) -> None:
    for found in (
        through(address="/", headers={"x-retrysim-token": token}),
        through(address=f"/?token={token}", headers={"x-retrysim-token": None}),
        through(body={}, headers={"x-retrysim-token": token}),
    ):
        assert found.status == 403
        assert b"token is missing or wrong" in found.body


def test_the_token_of_an_address_opens_the_page_but_posts_nothing() -> None:
    assert through(address=f"/?token={TOKEN}", headers={"x-retrysim-token": None}).status == 200
    assert through(address=f"/?token={TOKEN}", body={}, headers={"x-retrysim-token": None}).status == 403


def test_a_body_is_bounded_by_what_it_says_and_by_what_it_is() -> None:
    large = b" " * (MOST_BODY + 1)
    assert through(raw=large).status == 413
    assert through(raw=large, headers={"content-length": "3"}).status == 413
    assert through(raw=b"", headers={"content-length": str(10**12)}).status == 413
    assert through(raw=b"", headers={"content-length": "-1"}).status == 413
    assert through(raw=b" " * MOST_BODY).status == 200


@pytest.mark.parametrize("headers", [{}, {"host": "evil.example"}, {"x-retrysim-token": "wrong"}])
def test_every_answer_forbids_caching_framing_and_code(headers: dict[str, str | None]) -> None:
    found = through(headers=headers).headers
    assert found["cache-control"] == "no-store"
    assert found["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in found["content-security-policy"]
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in found
    assert not any(name.startswith("access-control") for name in found)
