"""The same retry code in real time and in the simulation: 20 requests each make the same attempts with the same waits.

In real time a wait is never shorter than asked for, and longer by what the machine takes to wake up; how much that is
may not matter. Delays are scaled to some ms, so that a request takes about a tenth of a second.
"""

import asyncio
import inspect
import random
import time
from collections.abc import Callable
from typing import Any

import library_guests as guests
import pytest
from library_guests import Kind, library
from side_by_side import course_of
from told_calls import failure

pytestmark = pytest.mark.slow
REQUESTS = 20
FAILURES = 6
TRIALS = 20
QUIET_S = 0.02
"""A wait that takes so much longer than it is to could change what a library decides by its clock."""
CLOCK_S = 1e-6
"""How much shorter a wait may look: clocks and sleeps are rounded differently."""


class RealCall:
    """A `call` in real time, which fails so often at once and then succeeds; it notes when it was made."""

    def __init__(self, failures: int, errors: Any) -> None:
        self.at_s: list[tuple[float, float]] = []
        self._failures = failures
        self._errors = errors

    def __call__(self, timeout: float | None = None) -> int:
        del timeout
        start_s = time.perf_counter()
        self.at_s.append((start_s, start_s))
        if len(self.at_s) <= self._failures:
            failed = failure()
            error = self._errors.get("failed")
            raise failed if error is None else error("failed") from failed
        return len(self.at_s)

    @property
    def waits_s(self) -> list[float]:
        return [start - end for (_, end), (start, _) in zip(self.at_s, self.at_s[1:], strict=False)]


class RealLater(RealCall):
    """The same for asynchronous code."""

    def __call__(self, timeout: float | None = None) -> Any:
        async def called() -> int:
            return RealCall.__call__(self, timeout)

        return called()


def _in_real_time(guest: Kind, failures: int) -> tuple[str, list[float]]:
    """Run a guest with nothing around it; return how it ended, and what it waited in seconds."""
    retry = guest.retry
    own = object.__new__(guest)
    if "__init__" in vars(guest):
        guest.__init__(own)
    if inspect.iscoroutinefunction(retry):
        call: RealCall = RealLater(failures, guest.errors)
        ended = _ended(lambda: asyncio.run(retry(own, call)))  # type: ignore[arg-type]  # of a guest
    else:
        call = RealCall(failures, guest.errors)
        ended = _ended(lambda: retry(own, call))  # type: ignore[arg-type]  # of a guest
    return ended, call.waits_s


def _ended(run: Callable[[], Any]) -> str:
    try:
        run()
    except Exception:  # noqa: BLE001  # of any library
        return "gave_up"
    return "success"


def _tenacity(kind: Callable[..., Kind]) -> Kind:
    lib = library("tenacity")
    return kind(wait=lib.wait_random_exponential(multiplier=0.004, max=0.03), stop=lib.stop_after_attempt(5))


def _backoff(kind: Callable[..., Kind]) -> Kind:
    return kind(factor=0.004, max_value=0.03, max_tries=5)


def _stamina(kind: Callable[..., Kind]) -> Kind:
    return kind(attempts=5, wait_initial=0.002, wait_max=0.03, wait_jitter=0.01)


def _google(kind: Callable[..., Kind]) -> Kind:
    return kind(initial=0.004, maximum=0.03)


def _httpx(kind: Callable[..., Kind]) -> Kind:
    return kind(lambda retry: retry(total=4, backoff_factor=0.004))


def _retry(retry: Any) -> Any:
    return retry(total=4, backoff_factor=0.004, backoff_jitter=0.01, status_forcelist=[500])


CASES: dict[str, Callable[[], Kind]] = {
    "tenacity": lambda: _tenacity(guests.tenacity),
    "tenacity, async": lambda: _tenacity(guests.tenacity_async),
    "stamina": lambda: _stamina(guests.stamina),
    "stamina, async": lambda: _stamina(guests.stamina_async),
    "backoff": lambda: _backoff(guests.backoff),
    "backoff, async": lambda: _backoff(guests.backoff_async),
    "google-api-core": lambda: _google(guests.google),
    "google-api-core, async": lambda: _google(guests.google_async),
    "urllib3": lambda: guests.urllib3(_retry),
    "requests": lambda: guests.requests(_retry),
    "httpx-retries": lambda: _httpx(guests.httpx),
    "httpx-retries, async": lambda: _httpx(guests.httpx_async),
    "aiohttp-retry": lambda: guests.aiohttp("JitterRetry", start_timeout=0.002, random_interval_size=0.1, attempts=5),
    "opnieuw": lambda: guests.opnieuw(max_calls_total=5, retry_window_after_first_call_in_seconds=0.3),
    "opnieuw, async": lambda: guests.opnieuw_async(max_calls_total=5, retry_window_after_first_call_in_seconds=0.3),
    "pyresilience": lambda: guests.pyresilience(max_attempts=5, delay=0.004),
    "pyresilience, async": lambda: guests.pyresilience_async(max_attempts=5, delay=0.004),
    "retrying": lambda: guests.retrying(wait_exponential_multiplier=2, wait_jitter_max=4, stop_max_attempt_number=5),
    "circuitbreaker": lambda: guests.circuitbreaker(6, 0.1, failure_threshold=2, recovery_timeout=0.25),
    "pybreaker": lambda: guests.pybreaker(6, 0.1, fail_max=2, reset_timeout=0.25),
    "celery": lambda: guests.celery(max_retries=4, default_retry_delay=0.004),
    "botocore, legacy": lambda: guests.botocore_alone("legacy", total_max_attempts=2),
    "botocore, standard": lambda: guests.botocore_alone("standard", total_max_attempts=3),
    "botocore, adaptive": lambda: guests.botocore_alone("adaptive", total_max_attempts=3),
}


def _drawn(request: int) -> Callable[[int, int], float]:
    """Serve what `random.seed(request)` gives."""
    generator = random.Random(request)  # the one that the libraries draw from
    numbers = [generator.random() for _ in range(50)]
    return lambda _, index: numbers[index]


def _compare(guest: Kind, request: int) -> tuple[str, int]:
    """Compare one request, until it is as simulated; if it never is, the machine was too busy, or the guest differs."""
    failures = request % (FAILURES + 1)
    script = [{"outcome": "fail", "latency": "0s"}] * failures + [{"outcome": "success", "latency": "0s"}]
    (course,) = course_of(guest, script, _drawn(request))
    delays_s = [delay_ns / 1e9 for delay_ns in course.delays_ns]
    busy = True
    for _ in range(TRIALS):
        random.seed(request)
        ended, waits_s = _in_real_time(guest, failures)
        late = [wait_s >= delay_s + QUIET_S for wait_s, delay_s in zip(waits_s, delays_s, strict=False)]
        early = [wait_s < delay_s - CLOCK_S for wait_s, delay_s in zip(waits_s, delays_s, strict=False)]
        same = (ended, len(waits_s)) == (course.outcome, len(delays_s)) and not any(early)
        if same and not any(late):
            return ended, len(waits_s)
        # A breaker's next call may also be early, if the sleeps before it were late.
        busy = busy and any(late)
    if busy:
        pytest.skip("the machine is too busy for waits of some ms")
    pytest.fail(f"request {request}: {ended} after {waits_s}, simulated: {course.outcome} after {delays_s}")


@pytest.mark.parametrize("name", CASES)
def test_attempts_and_waits_are_those_of_real_time(name: str) -> None:
    state = random.getstate()
    try:
        seen = {_compare(CASES[name](), request) for request in range(REQUESTS)}
    finally:
        random.setstate(state)
    assert len(seen) >= 2
