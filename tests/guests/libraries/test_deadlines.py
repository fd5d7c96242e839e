"""Limits of time: a library as a guest stops at the same nanosecond as its preset, or as a policy with its rule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import library_guests as guests
import pytest
from library_guests import Kind, library
from side_by_side import Course, always, course_of

from sim.guests import GuestRetrier
from sim.retriers.presets import find

pytestmark = pytest.mark.usefixtures("one_simulation")
SECOND_NS = 10**9
HALF = 0.5
"""With this draw all delays are exact."""


@dataclass(frozen=True)
class Edge:
    """An attempt that, if it takes a nanosecond less, is followed by another one."""

    guest: Callable[[], Kind]
    policy: Mapping[str, Any]
    attempt_ns: int
    """How long it takes, so that it is the last one."""
    before: tuple[int, ...] = ()
    """How long those before it take."""
    then: int = 45 * SECOND_NS
    """How long those after it take."""


def _courses(edge: Edge, attempt_ns: int) -> tuple[Course, Course]:
    script = [
        {"outcome": "fail", "latency": f"{ns // SECOND_NS}.{ns % SECOND_NS:09}s"}
        for ns in (*edge.before, attempt_ns, edge.then)
    ]
    (own,) = course_of(edge.guest(), script, always(HALF))
    (other,) = course_of(edge.policy, script, always(HALF))
    return own, other


def _tenacity(kind: Callable[..., Kind], stop: str) -> Kind:
    lib = library("tenacity")
    return kind(stop=getattr(lib, stop)(10), wait=lib.wait_fixed(3))


THREE = {"attempts": "unlimited", "delay": {"constant": "3s"}}
AFTER_ATTEMPT = {**THREE, "deadline": {"after": "10s", "kind": "after_attempt"}}
BEFORE_SLEEP = {**THREE, "deadline": {"after": "9.999999999s", "kind": "before_sleep"}}
"""tenacity does not sleep until the limit itself either."""
FIFTH = {"attempt_ns": 8_300_000_000, "before": (8_300_000_000,) * 4}
"""The delays between them are 0.6 + 0.7 + 0.9 + 1.3 s."""

EDGES = {
    "stamina": Edge(guests.stamina, find("stamina").policy, 45 * SECOND_NS),
    "stamina, fifth attempt": Edge(guests.stamina, find("stamina").policy, **FIFTH),
    "stamina, async": Edge(guests.stamina_async, find("stamina").policy, 45 * SECOND_NS),
    "stamina, async, fifth attempt": Edge(guests.stamina_async, find("stamina").policy, **FIFTH),
    "google-api-core": Edge(guests.google, find("google-api-core").policy, 119_500_000_001),
    "google-api-core, async": Edge(guests.google_async, find("google-api-core").policy, 119_500_000_001),
    "opnieuw": Edge(guests.opnieuw, find("opnieuw").policy, 50_000_000_001),
    "opnieuw, async": Edge(guests.opnieuw_async, find("opnieuw").policy, 50_000_000_001),
    "tenacity, stop_after_delay": Edge(
        lambda: _tenacity(guests.tenacity, "stop_after_delay"), AFTER_ATTEMPT, 3 * SECOND_NS, (4 * SECOND_NS,)
    ),
    "tenacity, stop_after_delay, async": Edge(
        lambda: _tenacity(guests.tenacity_async, "stop_after_delay"), AFTER_ATTEMPT, 3 * SECOND_NS, (4 * SECOND_NS,)
    ),
    "tenacity, stop_before_delay": Edge(
        lambda: _tenacity(guests.tenacity, "stop_before_delay"), BEFORE_SLEEP, 7 * SECOND_NS
    ),
    "tenacity, stop_before_delay, async": Edge(
        lambda: _tenacity(guests.tenacity_async, "stop_before_delay"), BEFORE_SLEEP, 7 * SECOND_NS
    ),
}


@pytest.mark.parametrize("name", EDGES)
def test_a_library_stops_at_the_nanosecond_of_its_policy(name: str) -> None:
    edge = EDGES[name]
    seen = []
    for attempt_ns in (edge.attempt_ns - 1, edge.attempt_ns, edge.attempt_ns + 1):
        own, other = _courses(edge, attempt_ns)
        assert own == other
        seen.append(len(own.attempts))
    last = len(edge.before) + 1
    assert seen == [last + 1, last, last]


def test_tenacity_makes_5_calls_in_12_s_where_loops_with_another_clock_make_50() -> None:
    guest = _tenacity(guests.tenacity, "stop_after_delay")
    (course,) = course_of(guest, [{"outcome": "fail", "latency": "0s"}], always(HALF))
    assert (len(course.attempts), course.settled_ns) == (5, 12 * SECOND_NS)


# Sleeps that are cut, and libraries with a clock or a rule that is not that of a policy.


def _backoff_course(latency: str) -> Course:
    guest = guests.backoff(max_time=10, jitter=None)
    (course,) = course_of(guest, [{"outcome": "fail", "latency": latency}], always(HALF))
    return course


def test_backoff_cuts_its_last_sleep() -> None:
    policy = {
        "attempts": "unlimited",
        "delay": {"exponential": {"initial": "1s", "factor": 2}},
        "deadline": {"after": "10s", "kind": "cut_sleep"},
    }
    (other,) = course_of(policy, [{"outcome": "fail", "latency": "0s"}], always(HALF))
    own = _backoff_course("0s")
    assert own == other
    assert own.delays_ns == [SECOND_NS, 2 * SECOND_NS, 4 * SECOND_NS, 3 * SECOND_NS]


def test_backoff_looks_at_the_time_before_a_call_so_that_calls_which_take_long_pass_its_max_time() -> None:
    course = _backoff_course("3s")
    assert course.delays_ns == [SECOND_NS, 2 * SECOND_NS, SECOND_NS]
    assert course.settled_ns == 16 * SECOND_NS


@pytest.mark.parametrize(("latency", "attempts"), [("2.9994s", 3), ("2.9996s", 2)])
def test_retrying_rounds_the_time_to_ms_so_that_it_stops_up_to_half_a_ms_early(latency: str, attempts: int) -> None:
    guest = guests.retrying(stop_max_delay=10_000, wait_fixed=3000)
    script = [{"outcome": "fail", "latency": each} for each in ("4s", latency, "0s")]
    (course,) = course_of(guest, script, always(HALF))
    (policy,) = course_of(AFTER_ATTEMPT, script, always(HALF))
    assert len(course.attempts) == attempts
    assert len(policy.attempts) == 3


def test_httpx_retries_cuts_the_sum_of_its_sleeps() -> None:
    guest = guests.httpx(lambda retry: retry(backoff_factor=0.5, total_timeout=2))
    policy = {
        **find("httpx-retries-backoff").policy,
        "deadline": {"after": "2s", "kind": "cut_sleep", "counts": "sleeps"},
    }
    script = [{"outcome": "fail", "latency": "1s"}]
    (own,) = course_of(guest, script, always(HALF))
    (other,) = course_of(policy, script, always(HALF))
    assert own == other
    assert own.delays_ns == [SECOND_NS // 2, SECOND_NS, SECOND_NS // 2]


@pytest.mark.parametrize(
    ("latency", "starts_s", "settled_s"),
    [
        # It sleeps without a look at its limit, and ends as the attempt after that is to begin.
        ("1s", (0, 4, 8), 12),
        ("2s", (0, 5), 10),
        ("2.000000001s", (0, 5.000000001), 10.000000002),
        ("1h", (0,), 10),
    ],
)
def test_a_total_timeout_of_pyresilience_cuts_the_attempt_at_its_nanosecond_but_not_the_sleep(
    latency: str, starts_s: tuple[float, ...], settled_s: float
) -> None:
    lib = library("pyresilience")

    class Guest(GuestRetrier):
        kind = "pyresilience-total"
        errors = guests.ERRORS

        async def retry(self, call: Any) -> Any:
            retry = lib.RetryConfig(max_attempts=9, delay=3, backoff_factor=1, jitter=False, retry_on=[ConnectionError])

            @lib.resilient(retry=retry, timeout=lib.TimeoutConfig(seconds=10, per_attempt=False))
            async def asked() -> Any:
                return await call()

            return await asked()

    (course,) = course_of(Guest, [{"outcome": "fail", "latency": latency}], always(HALF))
    assert [start for start, _ in course.attempts] == [round(start * SECOND_NS) for start in starts_s]
    assert course.settled_ns == round(settled_s * SECOND_NS)
