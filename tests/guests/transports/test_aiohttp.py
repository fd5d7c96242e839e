"""aiohttp on a played connector: the session, its parser, its timeouts and its errors are the library's."""

import asyncio
from typing import Any

import pytest
from told_calls import ToldLater, failure

aiohttp: Any = pytest.importorskip("aiohttp")
retry: Any = pytest.importorskip("aiohttp_retry")
transport: Any = pytest.importorskip("sim.guests.transports.aiohttp")
URL = "https://api.example/"


def ask(call: ToldLater, method: str = "GET", options: Any = None, of_session: Any = None, **more: Any) -> Any:
    """Return (status, headers, body), with the retries of aiohttp-retry if it has options."""
    data = more.pop("data", None)

    async def asked() -> Any:
        async with aiohttp.ClientSession(connector=transport.connector(call, **more), **(of_session or {})) as session:
            client = session if options is None else retry.RetryClient(session, retry_options=options)
            async with client.request(method, URL, data=data) as response:
                answer = response.status, dict(response.headers), await response.read()
            await client.close()
            return answer

    return asyncio.run(asked())


def test_a_request_is_one_call() -> None:
    call = ToldLater(None)
    assert ask(call, body=b"yes") == (200, {"Content-Length": "3"}, b"yes")
    assert call.timeouts == [None]


def test_the_timeout_of_reading_is_that_of_the_call() -> None:
    call = ToldLater(None)
    ask(call, of_session={"timeout": aiohttp.ClientTimeout(sock_read=4)})
    assert call.timeouts == [4]


def test_a_call_that_times_out_is_a_timeout_of_the_socket() -> None:
    with pytest.raises(aiohttp.SocketTimeoutError):
        ask(ToldLater("timed_out"))


def test_the_total_timeout_cancels_the_call() -> None:
    seen: list[str] = []

    async def never(timeout: float | None = None) -> int:  # as calls of guests have it
        del timeout
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("canceled")
            raise
        return 1

    with pytest.raises(asyncio.TimeoutError):
        ask(never, of_session={"timeout": aiohttp.ClientTimeout(total=0.01)})  # type: ignore[arg-type]  # a call too
    assert seen == ["canceled"]


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        ("ClientConnectionError", "ClientConnectionError"),
        ("ClientConnectorError", "ClientConnectorError"),
        ("ClientPayloadError", "ClientPayloadError"),
        ("ClientResponseError", "ClientResponseError"),
        ("ServerTimeoutError", "ServerTimeoutError"),
        ("ConnectionTimeoutError", "ConnectionTimeoutError"),
    ],
)
def test_errors_are_those_of_the_library(error: str, seen: str) -> None:
    call = ToldLater("failed", "failed")
    with pytest.raises(getattr(aiohttp, seen)):
        ask(call, answers={"failed": getattr(aiohttp, error)})
    assert call.calls == 1


def test_an_error_of_the_system_is_one_of_the_client() -> None:
    with pytest.raises(aiohttp.ClientOSError):
        ask(ToldLater("failed", "failed"), answers={"failed": ConnectionResetError})


def test_the_session_asks_once_more_if_the_server_hangs_up_as_it_does_on_its_own() -> None:
    call = ToldLater("failed", None)
    assert ask(call, answers={"failed": aiohttp.ServerDisconnectedError})[0] == 200
    assert call.calls == 2


def test_statuses_are_retried_by_aiohttp_retry() -> None:
    call = ToldLater("failed", "rejected", None)
    options = retry.ExponentialRetry(start_timeout=0, statuses={429})
    assert (ask(call, options=options)[0], call.calls) == (200, 3)


def test_raise_for_status_of_the_session_raises() -> None:
    with pytest.raises(aiohttp.ClientResponseError) as raised:
        ask(ToldLater("rejected"), of_session={"raise_for_status": True})
    assert raised.value.status == 429


def test_retry_after_reaches_the_library() -> None:
    assert ask(ToldLater(failure("rejected", 1.0)))[1]["Retry-After"] == "1"


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_a_body_is_sent_and_one_is_read(size: int) -> None:
    assert len(ask(ToldLater(None), "POST", data=b"x" * size, body=b"y" * size)[2]) == size


def test_a_response_to_head_has_no_body() -> None:
    assert ask(ToldLater(None), "HEAD", body=b"yes") == (200, {"Content-Length": "3"}, b"")


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (ConnectionRefusedError, "ClientConnectorError"),
        (ConnectionResetError, "ClientOSError"),
        (TimeoutError, "SocketTimeoutError"),
    ],
)
def test_an_error_of_a_socket_is_the_librarys_own(error: type[Exception], seen: str) -> None:
    for answer in (error, lambda _: error("as an object")):
        with pytest.raises(aiohttp.ClientError) as raised:
            ask(ToldLater("failed", "failed"), answers={"failed": answer})
        assert type(raised.value) is getattr(aiohttp, seen)


@pytest.mark.parametrize("kept", [{"keepalive_timeout": 30}, {"force_close": False}])
def test_a_connection_that_is_kept_serves_requests_of_all_methods(kept: dict[str, Any]) -> None:
    async def asked() -> list[bytes]:
        connector = transport.connector(ToldLater(), body=b"yes", **kept)
        async with aiohttp.ClientSession(connector=connector) as session:
            made = []
            for method in ("GET", "HEAD", "POST", "HEAD", "GET"):
                async with session.request(method, URL) as response:
                    made.append(await response.read())
            return made

    assert asyncio.run(asked()) == [b"yes", b"", b"yes", b"", b"yes"]


@pytest.mark.parametrize("kept", [{}, {"force_close": False}])
def test_a_body_can_be_chosen_by_the_request(kept: dict[str, Any]) -> None:
    async def asked() -> list[str]:
        connector = transport.connector(ToldLater(), body=lambda method, url: f"{method} {url}".encode(), **kept)
        async with aiohttp.ClientSession(connector=connector) as session:
            responses = [await session.get(f"{URL}a?b=c"), await session.post(f"{URL}d", data=b"e")]
            return [await response.text() for response in responses]

    assert asyncio.run(asked()) == [f"GET {URL}a?b=c", f"POST {URL}d"]
