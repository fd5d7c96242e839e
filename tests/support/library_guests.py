"""Guests made of retry libraries, written as the documentation of each shows it, by names.

Each function returns the class of a guest, and imports its library first: a test skips what is not installed. What a
library is to do stands in `sim.retriers.presets`, or beside the test.
"""

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from sim.guests import GuestRetrier

Kind = type[GuestRetrier]


class Overloaded(Exception):
    """What the client of a guest raises if its call was rejected."""


ERRORS = {"failed": ConnectionError, "rejected": Overloaded, "timed_out": TimeoutError}


def library(name: str) -> Any:
    """Import a library, or skip the test. The extra has all but grpcio, which `found_bugs/test_grpcio.py` installs."""
    package = name.partition(".")[0]
    how = "-m library_versions installs it" if package == "grpc" else "pip install -e '.[libraries]'"
    pytest.importorskip(package, reason=f"{package} is not installed: {how}")
    return import_module(name)


# tenacity, stamina, backoff, google-api-core, opnieuw, retrying: decorators.


def tenacity(wait: Any = "wait_none", **options: Any) -> Kind:
    """`wait` is a strategy, or the name of one with its defaults."""
    lib = library("tenacity")
    strategy = getattr(lib, wait)() if isinstance(wait, str) else wait

    class Guest(GuestRetrier):
        kind = "tenacity"
        errors = ERRORS

        @lib.retry(wait=strategy, **options)
        def retry(self, call: Any) -> Any:
            return call()

    return Guest


def tenacity_async(wait: Any = "wait_none", **options: Any) -> Kind:
    lib = library("tenacity")
    strategy = getattr(lib, wait)() if isinstance(wait, str) else wait

    class Guest(GuestRetrier):
        kind = "tenacity-async"
        errors = ERRORS

        @lib.retry(wait=strategy, **options)
        async def retry(self, call: Any) -> Any:
            return await call()

    return Guest


def stamina(**options: Any) -> Kind:
    lib = library("stamina")

    class Guest(GuestRetrier):
        kind = "stamina"
        errors = ERRORS

        @lib.retry(on=ConnectionError, **options)
        def retry(self, call: Any) -> Any:
            return call()

    return Guest


def stamina_async(**options: Any) -> Kind:
    lib = library("stamina")

    class Guest(GuestRetrier):
        kind = "stamina-async"
        errors = ERRORS

        @lib.retry(on=ConnectionError, **options)
        async def retry(self, call: Any) -> Any:
            return await call()

    return Guest


def backoff(**options: Any) -> Kind:
    lib = library("backoff")

    class Guest(GuestRetrier):
        kind = "backoff"
        errors = ERRORS

        @lib.on_exception(lib.expo, ConnectionError, **options)
        def retry(self, call: Any) -> Any:
            return call()

    return Guest


def backoff_async(**options: Any) -> Kind:
    lib = library("backoff")

    class Guest(GuestRetrier):
        kind = "backoff-async"
        errors = ERRORS

        @lib.on_exception(lib.expo, ConnectionError, **options)
        async def retry(self, call: Any) -> Any:
            return await call()

    return Guest


def google(**options: Any) -> Kind:
    lib = library("google.api_core.retry")
    unavailable = library("google.api_core.exceptions").ServiceUnavailable

    class Guest(GuestRetrier):
        kind = "google-api-core"
        errors = {"failed": unavailable}  # noqa: RUF012  # as users write it

        @lib.Retry(**options)
        def retry(self, call: Any) -> Any:
            return call()

    return Guest


def google_async(**options: Any) -> Kind:
    lib = library("google.api_core.retry")
    unavailable = library("google.api_core.exceptions").ServiceUnavailable

    class Guest(GuestRetrier):
        kind = "google-api-core-async"
        errors = {"failed": unavailable}  # noqa: RUF012  # as users write it

        @lib.AsyncRetry(**options)
        async def retry(self, call: Any) -> Any:
            return await call()

    return Guest


def opnieuw(**options: Any) -> Kind:
    lib = library("opnieuw")

    class Guest(GuestRetrier):
        kind = "opnieuw"
        errors = ERRORS

        @lib.retry(retry_on_exceptions=ConnectionError, **options)
        def retry(self, call: Any) -> Any:
            return call()

    return Guest


def opnieuw_async(**options: Any) -> Kind:
    lib = library("opnieuw")

    class Guest(GuestRetrier):
        kind = "opnieuw-async"
        errors = ERRORS

        @lib.retry(retry_on_exceptions=ConnectionError, **options)
        async def retry(self, call: Any) -> Any:
            return await call()

    return Guest


def retrying(**options: Any) -> Kind:
    lib = library("retrying")

    class Guest(GuestRetrier):
        kind = "retrying"
        errors = ERRORS

        @lib.retry(**options)
        def retry(self, call: Any) -> Any:
            return call()

    return Guest


def pyresilience(**options: Any) -> Kind:
    lib = library("pyresilience")

    class Guest(GuestRetrier):
        kind = "pyresilience"
        errors = ERRORS

        def retry(self, call: Any) -> Any:
            @lib.resilient(retry=lib.RetryConfig(**options))
            def asked() -> Any:
                return call()

            return asked()

    return Guest


def pyresilience_async(**options: Any) -> Kind:
    lib = library("pyresilience")

    class Guest(GuestRetrier):
        kind = "pyresilience-async"
        errors = ERRORS

        async def retry(self, call: Any) -> Any:
            @lib.resilient(retry=lib.RetryConfig(**options))
            async def asked() -> Any:
                return await call()

            return await asked()

    return Guest


# Clients of HTTP: each on its transport.


def urllib3(retries: Callable[[Any], Any] | None = None, **answers: Any) -> Kind:
    """`retries` makes a Retry of the class; None: what a pool does unless told otherwise."""
    lib = library("urllib3")
    transport = import_module("sim.guests.transports.urllib3")
    options = {} if retries is None else {"retries": retries(lib.Retry)}

    class Guest(GuestRetrier):
        kind = "urllib3"

        def retry(self, call: Any) -> Any:
            http = transport.manager(call, answers={"failed": ConnectionResetError, **answers}, **options)
            response = http.request("GET", "https://api.example/")
            if response.status >= 400:
                raise lib.exceptions.HTTPError(response.status)

    return Guest


def requests(retries: Callable[[Any], Any], **answers: Any) -> Kind:
    lib = library("requests")
    retry = library("urllib3").Retry
    transport = import_module("sim.guests.transports.requests")

    class Guest(GuestRetrier):
        kind = "requests"

        def retry(self, call: Any) -> Any:
            with lib.Session() as session:
                adapter = transport.adapter(call, answers=answers, max_retries=retries(retry))
                session.mount("https://", adapter)
                session.get("https://api.example/", timeout=30).raise_for_status()

    return Guest


def httpx(retries: Callable[[Any], Any] = lambda make: make(), **answers: Any) -> Kind:
    lib, retry = library("httpx"), library("httpx_retries")
    transport = import_module("sim.guests.transports.httpx")

    class Guest(GuestRetrier):
        kind = "httpx-retries"

        def retry(self, call: Any) -> Any:
            played = transport.transport(call, answers={"failed": 503, **answers})
            with lib.Client(transport=retry.RetryTransport(played, retries(retry.Retry))) as client:
                client.get("https://api.example/").raise_for_status()

    return Guest


def httpx_async(retries: Callable[[Any], Any] = lambda make: make(), **answers: Any) -> Kind:
    lib, retry = library("httpx"), library("httpx_retries")
    transport = import_module("sim.guests.transports.httpx")

    class Guest(GuestRetrier):
        kind = "httpx-retries-async"

        async def retry(self, call: Any) -> Any:
            played = transport.transport(call, answers={"failed": 503, **answers})
            async with lib.AsyncClient(transport=retry.RetryTransport(played, retries(retry.Retry))) as client:
                (await client.get("https://api.example/")).raise_for_status()

    return Guest


def aiohttp(options: str = "ExponentialRetry", /, **more: Any) -> Kind:
    lib, retry = library("aiohttp"), library("aiohttp_retry")
    transport = import_module("sim.guests.transports.aiohttp")

    class Guest(GuestRetrier):
        kind = "aiohttp-retry"

        async def retry(self, call: Any) -> Any:
            session = lib.ClientSession(connector=transport.connector(call))
            client = retry.RetryClient(session, retry_options=getattr(retry, options)(**more))
            async with client, client.get("https://api.example/") as response:
                response.raise_for_status()

    return Guest


def botocore(mode: str, service: str = "s3", **retries: Any) -> Kind:
    """Ask by the client of a process, which has the quota."""
    made = _botocore(mode, service, retries)

    class Guest(GuestRetrier):
        kind = f"botocore-{mode}"

        def __init__(self, options: Any = None) -> None:
            super().__init__(options)
            self.client = made()

        def retry(self, call: Any) -> Any:
            del call
            getattr(self.client, AWS[service])()

    return Guest


def botocore_alone(mode: str, service: str = "s3", **retries: Any) -> Kind:
    """Ask by a client of the request's own."""
    made = _botocore(mode, service, retries)

    class Guest(GuestRetrier):
        kind = f"botocore-{mode}"

        def retry(self, call: Any) -> Any:
            getattr(made(call), AWS[service])()

    return Guest


AWS = {"s3": "list_buckets", "dynamodb": "list_tables"}
"""An operation of each service."""


def _botocore(mode: str, service: str, retries: dict[str, Any]) -> Callable[..., Any]:
    config = library("botocore.config").Config
    transport = import_module("sim.guests.transports.botocore")

    def made(call: Any = None) -> Any:
        settings = config(retries={"mode": mode, **retries})
        return transport.client(service, call, config=settings, answers={"failed.throttled": 429})

    return made


# Breakers, around a loop that sleeps in between; and a queue of tasks.


def circuitbreaker(tries: int, sleep_s: float, **options: Any) -> Kind:
    lib = library("circuitbreaker")

    class Guest(GuestRetrier):
        kind = "circuitbreaker"
        errors = ERRORS

        def __init__(self, given: Any = None) -> None:
            super().__init__(given)
            self.breaker = lib.CircuitBreaker(expected_exception=ConnectionError, **options)

        def retry(self, call: Any) -> Any:
            @self.breaker
            def asked() -> Any:
                return call()

            return _in_turn(asked, (ConnectionError, lib.CircuitBreakerError), tries, sleep_s)

    return Guest


def pybreaker(tries: int, sleep_s: float, **options: Any) -> Kind:
    lib = library("pybreaker")

    class Guest(GuestRetrier):
        kind = "pybreaker"
        errors = ERRORS

        def __init__(self, given: Any = None) -> None:
            super().__init__(given)
            self.breaker = lib.CircuitBreaker(**options)

        def retry(self, call: Any) -> Any:
            errors = (ConnectionError, lib.CircuitBreakerError)
            return _in_turn(lambda: self.breaker.call(call), errors, tries, sleep_s)

    return Guest


def _in_turn(call: Callable[[], Any], errors: tuple[type[Exception], ...], tries: int, sleep_s: float) -> Any:
    for number in range(1, tries + 1):
        try:
            return call()
        except errors:
            if number == tries:
                raise
            time.sleep(sleep_s)
    return None


def celery(**options: Any) -> Kind:
    """Run a task eagerly. Eager tasks skip their countdowns, so this one sleeps it before it is applied again."""
    lib = library("celery")
    app = lib.Celery("guests", set_as_current=False, broker="memory://")

    class Slept(app.Task):  # type: ignore[name-defined,misc]  # made by the library
        def apply(self, *args: Any, countdown: float | None = None, **more: Any) -> Any:
            if countdown:
                time.sleep(countdown)
            return super().apply(*args, **more)

    @app.task(base=Slept, shared=False, autoretry_for=(ConnectionError,), **options)
    def work(call: Any) -> Any:
        return call()

    class Guest(GuestRetrier):
        kind = "celery"
        errors = ERRORS

        def retry(self, call: Any) -> Any:
            return work.apply(args=(call,)).get()

    return Guest
