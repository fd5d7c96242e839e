"""The adaptive mode of botocore has a rate of sending, which is a client's: what it does is computed here by hand.

A throttled answer turns it on. Then the rate is 0.7 of the one that was measured, but at least one request in 2 s;
tokens come at that rate, at most one is kept, and a request takes one. Before, one came each second, from the making of
the client on (botocore/retries/{adaptive,bucket,throttling}.py). So few requests are measured here that the least rate
counts throughout.
"""

from typing import Any

import library_guests as guests
import pytest
from side_by_side import Course, always, course_of

pytestmark = pytest.mark.usefixtures("one_simulation")
NS = 1000
"""`time.time()`, which it asks, has steps of 0.24 us since 2026, as seconds in binary64."""
THROTTLED = {"outcome": "fail", "kind": "throttled", "latency": "10ms"}
FIRST_TOKEN_S = 0.01 + (1 - 0.01) / 0.5
"""There is a hundredth of a token when the first throttled answer comes, at 10 ms."""


def _starts(courses: list[Course]) -> list[float]:
    return sorted(start for course in courses for start, _ in course.attempts)


def _seconds(*instants: float) -> Any:
    return pytest.approx([instant * 1e9 for instant in instants], rel=0, abs=NS)


def test_a_throttled_request_waits_for_its_backoff_and_then_for_the_rate_of_its_client() -> None:
    """The backoff alone, as in the standard mode, is 0.5 and 1 s."""
    standard = course_of(guests.botocore("standard"), [THROTTLED], always(0.5))
    adaptive = course_of(guests.botocore("adaptive"), [THROTTLED], always(0.5))
    assert _starts(standard) == _seconds(0, 0.51, 1.52)
    assert _starts(adaptive) == _seconds(0, FIRST_TOKEN_S, FIRST_TOKEN_S + 2)


def test_a_backoff_that_takes_longer_than_the_rate_asks_for_is_all_that_is_waited_for() -> None:
    """With U just below 1 it is 1 and 2 s, so that the third attempt finds its token."""
    (course,) = course_of(guests.botocore("adaptive"), [THROTTLED], always(1 - 2**-53))
    assert _starts([course]) == _seconds(0, FIRST_TOKEN_S, FIRST_TOKEN_S + 0.01 + 2)


def test_the_rate_is_that_of_a_client_for_all_its_requests() -> None:
    """One request a second comes: while all are throttled, one in 2 s is sent."""
    more = {
        "world": "shared",
        "requests": {"count": 10, "arrivals": {"constant": {"rate": "1/s"}}},
        "clients": {"count": 1},
        "until": "5m",
    }
    guest = guests.botocore("adaptive", total_max_attempts=1)
    courses = course_of(guest, [THROTTLED], always(0.5), requests=10, more=more)
    assert [len(course.attempts) for course in courses] == [1] * 10
    assert _starts(courses) == _seconds(0, *(FIRST_TOKEN_S + 2 * number for number in range(9)))
