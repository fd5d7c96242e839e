"""What cannot run in simulated time is refused with its name, and says what to do."""

import asyncio
import importlib
import sys
from pathlib import Path
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


def test_a_module_may_look_by_a_socket_what_the_host_can_do_as_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """urllib3 looks so whether there is IPv6, and a guest may import it where it is used."""
    (tmp_path / "looks_for_sockets.py").write_text("import socket\nwith socket.socket() as s: s.bind(('', 0))\n")
    monkeypatch.syspath_prepend(tmp_path)

    def retry(self: GuestRetrier, call: Any) -> Any:
        del self
        importlib.import_module("looks_for_sockets")
        return call()

    try:
        _run(retry)
        assert "looks_for_sockets" in sys.modules
    finally:
        sys.modules.pop("looks_for_sockets", None)


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


# Libraries with a core of their own: gRPC (skipped unless grpcio is installed) and Temporal.


def _call_by_grpc(channel: Any) -> None:
    channel.unary_unary("/service/Method")(b"", timeout=1)


def test_a_channel_of_grpc_is_refused() -> None:
    grpc = library("grpc")

    def retry(self: GuestRetrier, call: Any) -> None:
        del self, call
        _call_by_grpc(grpc.insecure_channel("127.0.0.1:9"))

    with pytest.raises(GuestRefused, match="calls by gRPC, whose retries, timers and sockets are in its core"):
        _run(retry)


def test_a_call_by_a_channel_of_grpc_that_the_host_has_made_is_refused() -> None:
    channel = library("grpc").insecure_channel("127.0.0.1:9")

    def retry(self: GuestRetrier, call: Any) -> None:
        del self, call
        _call_by_grpc(channel)

    with channel, pytest.raises(GuestRefused, match="calls by gRPC"):
        _run(retry)


def test_an_asynchronous_channel_of_grpc_is_refused() -> None:
    aio = library("grpc.aio")

    async def retry(self: GuestRetrier, call: Any) -> None:
        del self, call
        await aio.insecure_channel("127.0.0.1:9").unary_unary("/service/Method")(b"")

    with pytest.raises(GuestRefused, match="calls by gRPC"):
        _run(retry)


def test_grpc_is_the_hosts_as_before_after_a_run() -> None:
    channels = library("grpc._channel")
    before = channels.Channel.__init__, channels._RPCState.__init__  # noqa: SLF001  # what is replaced
    course_of(guests.retrying(), SUCCEEDS, always(0.5))
    assert (channels.Channel.__init__, channels._RPCState.__init__) == before  # noqa: SLF001  # as above


@pytest.mark.slow
def test_a_client_of_temporal_is_refused() -> None:
    client = library("temporalio.client").Client

    async def retry(self: GuestRetrier, call: Any) -> None:
        del self, call
        await client.connect("127.0.0.1:9")

    with pytest.raises(GuestRefused, match="calls by Temporal"):
        _run(retry)


@pytest.mark.slow
def test_a_library_with_a_core_is_refused_if_it_is_imported_during_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package of this test stands for grpcio, and is imported by the guest."""
    package = tmp_path / "grpc"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "_channel.py").write_text("class Channel:\n    def __init__(self): self.made = True\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "grpc"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)

    def retry(self: GuestRetrier, call: Any) -> None:
        del self, call
        importlib.import_module("grpc._channel").Channel()

    try:
        with pytest.raises(GuestRefused, match="calls by gRPC"):
            _run(retry)
        assert importlib.import_module("grpc._channel").Channel().made
    finally:
        for name in ("grpc", "grpc._channel"):
            sys.modules.pop(name, None)


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


@pytest.mark.slow
def test_clients_on_transports_leave_the_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the environment reaches a guest; tests of the transport have the names of AWS."""
    for name in ("HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fails = [{"outcome": "fail", "latency": "10ms"}, *SUCCEEDS]
    for guest in (
        guests.requests(lambda retry: retry(status_forcelist=[500])),
        guests.httpx(),
        guests.aiohttp(),
    ):
        (course,) = course_of(guest, fails, always(0.5))
        assert (course.outcome, len(course.attempts)) == ("success", 2)
