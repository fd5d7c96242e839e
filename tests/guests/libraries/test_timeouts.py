"""Timeouts of HTTP libraries in simulated time: the caller gives up at their nanosecond, and the call goes on."""

from collections.abc import Callable
from typing import Any

import pytest
from library_guests import library
from side_by_side import always, course_of

from sim.guests import GuestRetrier, transports

pytestmark = pytest.mark.usefixtures("one_simulation")
SECOND_NS = 10**9
URL = "https://api.example/"
LATE = [{"outcome": "success", "latency": "1h"}]


def _urllib3(call: Any) -> None:
    lib = library("urllib3")
    transports.urllib3.manager(call, retries=False).request("GET", URL, timeout=lib.Timeout(connect=9, read=2.5))


def _urllib3_total(call: Any) -> None:
    lib = library("urllib3")
    transports.urllib3.manager(call, retries=False).request("GET", URL, timeout=lib.Timeout(total=2.5))


def _requests(call: Any) -> None:
    with library("requests").Session() as session:
        session.mount("https://", transports.requests.adapter(call))
        session.get(URL, timeout=(9, 2.5))


def _httpx(call: Any) -> None:
    with library("httpx").Client(transport=transports.httpx.transport(call), timeout=2.5) as client:
        client.get(URL)


async def _httpx_async(call: Any) -> None:
    async with library("httpx").AsyncClient(transport=transports.httpx.transport(call), timeout=2.5) as client:
        await client.get(URL)


async def _aiohttp(call: Any, **timeout: float) -> None:
    lib = library("aiohttp")
    limits = lib.ClientTimeout(**(timeout or {"sock_read": 2.5}))
    async with lib.ClientSession(connector=transports.aiohttp.connector(call), timeout=limits) as session:
        await session.get(URL)


async def _aiohttp_total(call: Any) -> None:
    await _aiohttp(call, total=2.5)


def _botocore(call: Any) -> None:
    config = library("botocore.config").Config(read_timeout=2.5, retries={"total_max_attempts": 1})
    transports.botocore.client("s3", call, config=config).list_buckets()


def _guest(function: Callable[[Any], Any]) -> type[GuestRetrier]:
    class Guest(GuestRetrier):
        kind = "timed"
        retry = staticmethod(function)

    return Guest


CLIENTS = [_urllib3, _urllib3_total, _requests, _httpx, _httpx_async, _aiohttp, _aiohttp_total, _botocore]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__.strip("_"))
def test_a_client_gives_up_on_a_call_at_its_timeout(client: Callable[[Any], Any]) -> None:
    (course,) = course_of(_guest(client), LATE, always(0.5))
    assert (course.outcome, course.settled_ns, course.attempts) == (
        "gave_up",
        5 * SECOND_NS // 2,
        ((0, 5 * SECOND_NS // 2),),
    )


def test_aiohttp_rounds_the_instant_of_a_total_timeout_of_5_s_or_more_up_to_whole_seconds() -> None:
    """So its own code has it: `TimeoutHandle.start` in aiohttp/helpers.py."""

    async def client(call: Any) -> None:
        await _aiohttp(call, total=5.25)

    (course,) = course_of(_guest(client), LATE, always(0.5))
    assert course.settled_ns == 6 * SECOND_NS


def test_httpx_has_a_timeout_of_5_s_unless_told_otherwise() -> None:
    def client(call: Any) -> None:
        with library("httpx").Client(transport=transports.httpx.transport(call)) as used:
            used.get(URL)

    (course,) = course_of(_guest(client), LATE, always(0.5))
    assert course.settled_ns == 5 * SECOND_NS
