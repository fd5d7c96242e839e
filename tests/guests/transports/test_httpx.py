"""httpx on a played transport, for both kinds of clients."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from told_calls import ToldCall, ToldLater, failure

from sim.guests.transports import Reply

httpx: Any = pytest.importorskip("httpx")
retries: Any = pytest.importorskip("httpx_retries")
transport: Any = pytest.importorskip("sim.guests.transports.httpx")
URL = "https://api.example/"


def get(call: ToldCall, retry: Any = None, **options: Any) -> Any:
    played = transport.transport(call, **options)
    if retry is not None:
        played = retries.RetryTransport(played, retry)
    with httpx.Client(transport=played, timeout=httpx.Timeout(9, read=2)) as client:
        return client.get(URL)


def get_later(call: ToldLater, retry: Any = None, **options: Any) -> Any:
    async def got() -> Any:
        played = transport.transport(call, **options)
        if retry is not None:
            played = retries.RetryTransport(played, retry)
        async with httpx.AsyncClient(transport=played, timeout=httpx.Timeout(9, read=2)) as client:
            return await client.get(URL)

    return asyncio.run(got())


WAYS = pytest.mark.parametrize(("call", "ask"), [(ToldCall, get), (ToldLater, get_later)], ids=["sync", "async"])


@WAYS
def test_a_request_is_one_call_with_its_read_timeout(call: type[ToldCall], ask: Any) -> None:
    told = call(None)
    response = ask(told, body=b"yes")
    assert (response.status_code, response.content, told.timeouts) == (200, b"yes", [2])


@WAYS
def test_a_call_that_times_out_is_a_read_timeout_of_the_request(call: type[ToldCall], ask: Any) -> None:
    with pytest.raises(httpx.ReadTimeout) as raised:
        ask(call("timed_out"))
    assert raised.value.request.url == URL


@WAYS
def test_errors_of_the_library_know_their_request(call: type[ToldCall], ask: Any) -> None:
    with pytest.raises(httpx.ConnectError) as raised:
        ask(call("failed"), answers={"failed": httpx.ConnectError})
    assert raised.value.request.url == URL


@WAYS
def test_the_retries_of_httpx_retries_are_its_own(call: type[ToldCall], ask: Any) -> None:
    told = call("failed", "timed_out", "failed.reset", "rejected", None)
    answers = {"failed": 503, "failed.reset": httpx.RemoteProtocolError}
    response = ask(told, retries.Retry(), answers=answers)
    assert (response.status_code, told.calls, response.extensions["retry"].attempts_made) == (200, 5, 4)


@WAYS
def test_retry_after_reaches_the_library(call: type[ToldCall], ask: Any) -> None:
    assert ask(call(failure("rejected", 2001.0))).headers["Retry-After"] == "3"


def test_a_body_that_can_be_sent_once_is_used_up_by_the_first_attempt() -> None:
    told = ToldCall("failed", None)
    sent: list[bytes] = []

    def parts() -> Iterator[bytes]:
        for part in (b"a", b"b"):
            sent.append(part)
            yield part

    played = transport.transport(told, answers={"failed": 503})
    retrying = retries.RetryTransport(played, retries.Retry(allowed_methods=["POST"]))
    with httpx.Client(transport=retrying) as client, pytest.raises(httpx.StreamConsumed):
        client.post(URL, content=parts())
    assert (sent, told.calls) == ([b"a", b"b"], 1)


def test_an_asynchronous_body_is_sent() -> None:
    sent: list[bytes] = []

    async def parts() -> AsyncIterator[bytes]:
        sent.append(b"a")
        yield b"a"

    async def posted() -> Any:
        async with httpx.AsyncClient(transport=transport.transport(ToldLater(None))) as client:
            return await client.post(URL, content=parts())

    assert (asyncio.run(posted()).status_code, sent) == (200, [b"a"])


def test_a_streamed_response_is_read_where_the_guest_reads_it() -> None:
    with (
        httpx.Client(transport=transport.transport(ToldCall(None), body=b"x" * 100)) as client,
        client.stream("GET", URL) as response,
    ):
        with pytest.raises(httpx.ResponseNotRead):
            _ = response.content
        assert [len(part) for part in response.iter_bytes(40)] == [40, 40, 20]


def test_a_response_to_head_has_no_body() -> None:
    with httpx.Client(transport=transport.transport(ToldCall(None), body=b"yes")) as client:
        response = client.head(URL)
    assert (response.content, response.headers["Content-Length"]) == (b"", "3")


def test_a_redirect_is_followed_and_is_a_call_of_its_own() -> None:
    told = ToldCall("failed", None)
    moved = Reply(302, headers={"Location": "/elsewhere"})
    played = transport.transport(told, answers={"failed": moved})
    with httpx.Client(transport=played, follow_redirects=True) as client:
        response = client.get(URL)
    assert (response.url.path, told.calls) == ("/elsewhere", 2)


@WAYS
@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (ConnectionRefusedError, httpx.ConnectError),
        (socket.gaierror, httpx.ConnectError),
        (ConnectionResetError, httpx.ReadError),
        (BrokenPipeError, httpx.ReadError),
        (TimeoutError, httpx.ReadTimeout),
        (httpx.WriteError, httpx.WriteError),
    ],
)
def test_an_error_of_a_socket_is_the_librarys_own(
    error: type[Exception], seen: type[Exception], call: type[ToldCall], ask: Any
) -> None:
    for answer in (error, lambda _: error("as an object")):
        with pytest.raises(httpx.HTTPError) as raised:
            ask(call("failed"), answers={"failed": answer})
        assert type(raised.value) is seen


@WAYS
def test_a_body_can_be_chosen_by_the_request(call: type[ToldCall], ask: Any) -> None:
    assert ask(call(None), body=lambda method, url: f"{method} {url}".encode()).text == f"GET {URL}"
