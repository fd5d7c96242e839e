"""What cannot run in simulated time is refused with its name, and says what to do."""

import asyncio
from typing import Any

import library_guests as guests
import pytest
from library_guests import library
from side_by_side import always, course_of

from sim.guests import GuestRefused, GuestRetrier

SUCCEEDS = [{"outcome": "success", "latency": "10ms"}]
URL = "http://127.0.0.1:9/"


def _run(retry: Any) -> None:
    class Guest(GuestRetrier):
        kind = "refused"

    Guest.retry = retry
    course_of(Guest, SUCCEEDS, always(0.5))


def test_requests_without_a_transport_is_refused_with_the_line_that_asks() -> None:
    lib = library("requests")

    def retry(self: GuestRetrier, call: Any) -> None:
        del self, call
        lib.get(URL, timeout=1)

    with pytest.raises(GuestRefused, match=r"the address of .*sim\.guests\.transports") as raised:
        _run(retry)
    assert "test_refusals.py" in str(raised.value)


def test_aiohttp_without_a_transport_is_refused() -> None:
    lib = library("aiohttp")

    async def retry(self: GuestRetrier, call: Any) -> None:
        del self, call
        async with lib.ClientSession() as session:
            await session.get(URL)

    with pytest.raises(GuestRefused, match=r"transports"):
        _run(retry)


def test_a_synchronous_timeout_of_pyresilience_starts_a_thread() -> None:
    lib = library("pyresilience")

    def retry(self: GuestRetrier, call: Any) -> Any:
        del self

        @lib.resilient(timeout=lib.TimeoutConfig(seconds=1))
        def asked() -> Any:
            return call()

        return asked()

    with pytest.raises(GuestRefused, match="thread"):
        _run(retry)


def test_an_asynchronous_timeout_of_pyresilience_runs() -> None:
    lib = library("pyresilience")

    class Guest(GuestRetrier):
        kind = "pyresilience-timeout"

        async def retry(self, call: Any) -> Any:
            @lib.resilient(timeout=lib.TimeoutConfig(seconds=1), retry=lib.RetryConfig(max_attempts=2, jitter=False))
            async def asked() -> Any:
                return await call()

            return await asked()

    script = [{"outcome": "success", "latency": "1h"}, *SUCCEEDS]
    (course,) = course_of(Guest, script, always(0.5))
    second_ns = 10**9
    assert (course.outcome, course.attempts) == (
        "success",
        ((0, second_ns), (2 * second_ns, 2 * second_ns + 10_000_000)),
    )


def test_the_retries_of_grpc_are_refused_since_they_are_in_its_core() -> None:
    """Skipped unless grpcio is installed: its channel starts threads of its own, which know no simulated time."""
    grpc = library("grpc")

    def retry(self: GuestRetrier, call: Any) -> None:
        del self, call
        channel = grpc.insecure_channel("127.0.0.1:9")
        channel.unary_unary("/service/Method")(b"", timeout=1)

    with pytest.raises(GuestRefused):
        _run(retry)


def test_a_synchronous_client_in_an_asynchronous_guest_is_told_so() -> None:
    lib = library("requests")
    adapters = pytest.importorskip("sim.guests.transports.requests")

    async def retry(self: GuestRetrier, call: Any) -> None:
        del self
        await asyncio.sleep(0)
        with lib.Session() as session:
            session.mount("https://", adapters.adapter(call))
            session.get("https://api.example/")

    with pytest.raises(GuestRefused, match="a synchronous client, which would block the event loop"):
        _run(retry)


def test_clients_on_transports_leave_the_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a configuration of the user's own reaches a guest."""
    for name, value in {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "AWS_RETRY_MODE": "legacy",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    fails = [{"outcome": "fail", "latency": "10ms"}, *SUCCEEDS]
    for guest in (
        guests.requests(lambda retry: retry(status_forcelist=[500])),
        guests.httpx(),
        guests.aiohttp(),
        guests.botocore("standard"),
    ):
        (course,) = course_of(guest, fails, always(0.5))
        assert (course.outcome, len(course.attempts)) == ("success", 2)
