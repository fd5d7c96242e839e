"""The other ways in which libraries are used: loops over attempts, callers, predicates, waits that are joined."""

from collections.abc import Callable
from typing import Any

import pytest
from library_guests import library
from side_by_side import always, course_of

from sim.guests import GuestRetrier

pytestmark = pytest.mark.usefixtures("one_simulation")
FAILS = [{"outcome": "fail", "latency": "10ms"}]
EVERY_2_S = {"attempts": 4, "delay": {"constant": "2s"}}
STAMINA = {"attempts": 4, "delay": {"constant": "1500ms"}}
"""0.1 s * 2^(n-1) + U s, at most 1.5 s, and at least so much with `wait_initial=2`."""


def _tenacity_loop(call: Any) -> Any:
    lib = library("tenacity")
    for attempt in lib.Retrying(stop=lib.stop_after_attempt(4), wait=lib.wait_fixed(2)):
        with attempt:
            return call()
    return None


async def _tenacity_async_loop(call: Any) -> Any:
    lib = library("tenacity")
    async for attempt in lib.AsyncRetrying(stop=lib.stop_after_attempt(4), wait=lib.wait_fixed(2)):
        with attempt:
            return await call()
    return None


def _tenacity_call(call: Any) -> Any:
    lib = library("tenacity")
    return lib.Retrying(stop=lib.stop_after_attempt(4), wait=lib.wait_fixed(2), reraise=True)(call)


def _tenacity_changed(call: Any) -> Any:
    lib = library("tenacity")

    @lib.retry(stop=lib.stop_after_attempt(9), wait=lib.wait_fixed(9))
    def asked() -> Any:
        return call()

    return asked.retry_with(stop=lib.stop_after_attempt(4), wait=lib.wait_fixed(2))()


def _tenacity_joined(call: Any) -> Any:
    lib = library("tenacity")
    wait = lib.wait_chain(*[lib.wait_fixed(1) + lib.wait_fixed(1)] * 2, lib.wait_combine(lib.wait_fixed(2)))

    @lib.retry(stop=lib.stop_after_attempt(4) | lib.stop_after_delay(60), wait=wait)
    def asked() -> Any:
        return call()

    return asked()


def _tenacity_fallback(call: Any) -> Any:
    """A retry by the result, and a value in place of an error: the guest returns, but no call has succeeded."""
    lib = library("tenacity")

    @lib.retry(
        stop=lib.stop_after_attempt(4),
        wait=lib.wait_fixed(2),
        retry=lib.retry_if_result(lambda result: result is None),
        retry_error_callback=lambda _: None,
    )
    def asked() -> Any:
        try:
            return call()
        except ConnectionError:
            return None

    return asked()


def _stamina_loop(call: Any) -> Any:
    for attempt in library("stamina").retry_context(on=ConnectionError, attempts=4, wait_initial=2, wait_max=1.5):
        with attempt:
            return call()
    return None


def _stamina_caller(call: Any) -> Any:
    caller = library("stamina").RetryingCaller(attempts=4, wait_initial=2, wait_max=1.5).on(ConnectionError)
    return caller(call)


async def _stamina_async_caller(call: Any) -> Any:
    caller = library("stamina").AsyncRetryingCaller(attempts=4, wait_initial=2, wait_max=1.5)
    return await caller(ConnectionError, call)


def _backoff_predicate(call: Any) -> Any:
    lib = library("backoff")

    @lib.on_predicate(lib.constant, interval=2, max_tries=4, jitter=None)
    def asked() -> Any:
        try:
            return call()
        except ConnectionError:
            return None

    return asked()


def _backoff_fibonacci(call: Any) -> Any:
    lib = library("backoff")
    heard: list[Any] = []
    return lib.on_exception(lib.fibo, ConnectionError, max_tries=4, jitter=None, on_backoff=heard.append)(call)()


async def _backoff_async_handlers(call: Any) -> Any:
    lib = library("backoff")

    async def heard(details: Any) -> None:
        del details

    @lib.on_exception(lib.constant, ConnectionError, interval=2, max_tries=4, jitter=None, on_backoff=heard)
    async def asked() -> Any:
        return await call()

    return await asked()


def _google_of_a_service(call: Any) -> Any:
    lib = library("google.api_core.retry")
    retry = lib.Retry(predicate=lib.if_exception_type(ConnectionError)).with_delay(4, 4).with_timeout(5.5)
    return retry(call)()


# `call` itself, decorated.


def _tenacity_decorates(call: Any) -> Any:
    lib = library("tenacity")
    return lib.retry(stop=lib.stop_after_attempt(4), wait=lib.wait_fixed(2))(call)()


async def _tenacity_decorates_async(call: Any) -> Any:
    lib = library("tenacity")
    return await lib.retry(stop=lib.stop_after_attempt(4), wait=lib.wait_fixed(2))(call)()


async def _stamina_decorates_async(call: Any) -> Any:
    return await library("stamina").retry(on=ConnectionError, attempts=4, wait_initial=2, wait_max=1.5)(call)()


async def _backoff_decorates_async(call: Any) -> Any:
    lib = library("backoff")
    return await lib.on_exception(lib.constant, ConnectionError, interval=2, max_tries=4, jitter=None)(call)()


async def _hyx(call: Any) -> Any:
    @library("hyx.retry").retry(on=ConnectionError, attempts=3, backoff=2)
    async def asked() -> Any:
        return await call()

    return await asked()


IDIOMS: list[tuple[Callable[[Any], Any], dict[str, Any]]] = [
    (_tenacity_loop, EVERY_2_S),
    (_tenacity_async_loop, EVERY_2_S),
    (_tenacity_call, EVERY_2_S),
    (_tenacity_changed, EVERY_2_S),
    (_tenacity_joined, EVERY_2_S),
    (_tenacity_fallback, EVERY_2_S),
    (_stamina_loop, STAMINA),
    (_stamina_caller, STAMINA),
    (_stamina_async_caller, STAMINA),
    (_backoff_predicate, EVERY_2_S),
    (_backoff_fibonacci, {"attempts": 4, "delay": {"table": ["1s", "1s", "2s"]}}),
    (_backoff_async_handlers, EVERY_2_S),
    (_google_of_a_service, {**EVERY_2_S, "attempts": 3}),
    (_tenacity_decorates, EVERY_2_S),
    (_tenacity_decorates_async, EVERY_2_S),
    (_stamina_decorates_async, STAMINA),
    (_backoff_decorates_async, EVERY_2_S),
    (_hyx, EVERY_2_S),
]


@pytest.mark.parametrize(("function", "policy"), IDIOMS, ids=[one.__name__.strip("_") for one, _ in IDIOMS])
def test_an_idiom_does_as_a_policy(function: Callable[[Any], Any], policy: dict[str, Any]) -> None:
    class Guest(GuestRetrier):
        kind = "idiom"
        errors = {"failed": ConnectionError}  # noqa: RUF012  # as users write it
        retry = staticmethod(function)

    for script in (FAILS, [*FAILS, {"outcome": "success", "latency": "10ms"}]):
        (own,) = course_of(Guest, script, always(0.5))
        (other,) = course_of(policy, script, always(0.5))
        assert own == other
