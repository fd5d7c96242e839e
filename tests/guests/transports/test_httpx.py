"""httpx on a played transport, for both kinds of clients."""

import asyncio
from typing import Any

import pytest
from told_calls import ToldCall, ToldLater, failure

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
