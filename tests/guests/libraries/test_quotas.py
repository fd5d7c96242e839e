"""The quota of botocore is a client's: in a shared world it runs out as the token budget of its preset does."""

from typing import Any

import library_guests as guests
import pytest
from side_by_side import always, course_of

from sim.retriers.presets import find

pytestmark = pytest.mark.usefixtures("one_simulation")
FAILS = {"outcome": "fail", "latency": "10ms"}
SUCCEEDS = {"outcome": "success", "latency": "10ms"}
POLICY = find("botocore-standard-1.44").policy


def _both(script: list[dict[str, Any]], requests: int, gap: str, clients: int = 1) -> tuple[list[int], list[int]]:
    """Return the attempts of each request, of the guest and of the preset."""
    more = {
        "world": "shared",
        "requests": {"count": requests, "arrivals": {"constant": {"rate": gap}}},
        "clients": {"count": clients},
    }
    own = course_of(guests.botocore("standard"), script, always(0.5), requests=requests, more=more)
    other = course_of(POLICY, script, always(0.5), requests=requests, more=more)
    assert [course.outcome for course in own] == [course.outcome for course in other]
    return [len(course.attempts) for course in own], [len(course.attempts) for course in other]


@pytest.mark.parametrize("gap", ["1/s", "1000/s"])
@pytest.mark.parametrize("clients", [1, 2])
def test_retries_end_when_500_tokens_at_14_each_are_spent(gap: str, clients: int) -> None:
    own, other = _both([FAILS], 50, gap, clients)
    assert own == other
    assert sum(own) == 50 + min(clients * (500 // 14), 2 * 50)


@pytest.mark.parametrize("script", [[FAILS, SUCCEEDS], [FAILS, FAILS, SUCCEEDS], [SUCCEEDS], [FAILS] * 3 + [SUCCEEDS]])
def test_successes_give_back_as_the_preset_says(script: list[dict[str, Any]]) -> None:
    own, other = _both(script, 60, "200/s")
    assert own == other


@pytest.mark.slow
def test_an_isolated_request_has_a_fresh_quota() -> None:
    courses = course_of(guests.botocore("standard"), [FAILS], always(0.5), requests=19)
    assert 19 * 2 > 500 // 14
    assert [len(course.attempts) for course in courses] == [3] * 19
