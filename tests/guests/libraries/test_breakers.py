"""Breakers around a loop: the tries that a library lets through, and the instants of its states, are a policy's."""

from typing import Any

import library_guests as guests
import pytest
from library_guests import Kind
from side_by_side import STRANGER, always, course_of

pytestmark = pytest.mark.usefixtures("one_simulation")
FAILS = {"outcome": "fail", "latency": "10ms"}
SUCCEEDS = {"outcome": "success", "latency": "10ms"}
TRIES = 30
BREAKERS = {
    # What it opens for: the default of the library.
    "circuitbreaker": (guests.circuitbreaker, "30s"),
    "pybreaker": (guests.pybreaker, "60s"),
}
EACH = pytest.mark.parametrize("name", BREAKERS)


def _policy(opened: str, gap: str, tries: int = TRIES) -> dict[str, Any]:
    return {
        "attempts": tries,
        "delay": {"constant": gap},
        "retry_on": ["failed", "refused"],
        "breaker": {"window": {"consecutive": 5}, "open": opened},
    }


def _guest(name: str, gap_s: float, tries: int = TRIES, **options: Any) -> Kind:
    make: Any = BREAKERS[name][0]
    kind: Kind = make(tries, gap_s, **options)
    return kind


@EACH
@pytest.mark.parametrize("gap", ["10s", *(pytest.param(gap, marks=pytest.mark.slow) for gap in ("7s", "29.99s", "1s"))])
@pytest.mark.parametrize("failures", [4, 5, 7, 40])
def test_the_tries_that_pass_are_those_of_a_policy(name: str, gap: str, failures: int) -> None:
    script = [FAILS] * failures + [SUCCEEDS]
    (own,) = course_of(_guest(name, float(gap[:-1])), script, always(STRANGER))
    (other,) = course_of(_policy(BREAKERS[name][1], gap), script, always(STRANGER))
    assert own == other


@EACH
def test_it_lets_a_try_through_at_the_end_of_its_open_time_and_not_before(name: str) -> None:
    """After five tries within 50 ms it is open; the sixth is refused, and the next comes at or just before the end."""
    opened_s = 4
    option = {"circuitbreaker": "recovery_timeout", "pybreaker": "reset_timeout"}[name]
    for gap, calls in (("2s", 7), ("1.999s", 6)):
        guest = _guest(name, float(gap[:-1]), tries=7, **{option: opened_s})
        (own,) = course_of(guest, [FAILS], always(STRANGER))
        (other,) = course_of(_policy(f"{opened_s}s", gap, tries=7), [FAILS], always(STRANGER))
        assert own == other
        assert len(own.attempts) == calls - 1


# State is a client's.


def test_a_breaker_in_self_is_that_of_a_client_in_a_shared_world() -> None:
    """Each of two clients, which take turns, opens its own after five failures, and no call of it passes any more."""
    more = {
        "world": "shared",
        "requests": {"count": 20, "arrivals": {"constant": {"rate": "1/s"}}},
        "clients": {"count": 2},
        "until": "1m",
    }
    for name, (_, opened) in BREAKERS.items():
        own = course_of(_guest(name, 0.0, tries=1), [FAILS], always(STRANGER), requests=20, more=more)
        other = course_of(_policy(opened, "0s", tries=1), [FAILS], always(STRANGER), requests=20, more=more)
        assert own == other
        assert [len(course.attempts) for course in own] == [1] * 10 + [0] * 10


def test_a_breaker_is_forgotten_with_an_isolated_request() -> None:
    courses = course_of(_guest("pybreaker", 0.0, tries=6), [FAILS], always(STRANGER), requests=5)
    assert [len(course.attempts) for course in courses] == [5] * 5
