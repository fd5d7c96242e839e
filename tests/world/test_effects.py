"""The ledger of effects: what is applied, what is recognized, and what a duplicate is charged to."""

import pytest

from sim.history.request import Request
from sim.history.vocabulary import NEVER, Cause
from sim.world.attempt import Attempt
from sim.world.effects import Key, apply_effect

WINDOW = 100


def attempt(request: Request, outcome: str = "success", *, given_up: bool = False) -> Attempt:
    made = Attempt(request, 1, None, outcome)
    made.given_up = given_up
    return made


def arrive(request: Request, made: Attempt, now_ns: int, window_ns: int | None) -> str:
    """Let the effect of an attempt reach the receiver, which remembers the key of its request."""
    request.key = request.key or Key()
    return apply_effect(request.key, made, now_ns, window_ns)


def arrivals(window_ns: int | None, *instants: int) -> tuple[list[str], Request]:
    request = Request(0)
    names = [arrive(request, attempt(request), now_ns, window_ns) for now_ns in instants]
    return names, request


def charged(request: Request) -> dict[str, int]:
    return {Cause(cause).name: count for cause, count in enumerate(request.duplicates or ()) if count}


def test_the_first_effect_is_applied() -> None:
    names, request = arrivals(None, 30)
    assert (names, request.effects, request.first_effect_ns, request.duplicates) == (["applied"], 1, 30, None)


def test_the_first_effect_keeps_its_instant() -> None:
    assert arrivals(None, 30, 70)[1].first_effect_ns == 30


def test_without_a_window_every_further_effect_is_a_duplicate() -> None:
    names, request = arrivals(None, 30, 30, 31)
    assert (names, request.effects, request.suppressed) == (["applied", "report_lost", "report_lost"], 3, 0)


def test_an_effect_within_the_window_is_suppressed() -> None:
    names, request = arrivals(WINDOW, 30, 129)
    assert (names, request.effects, request.suppressed, charged(request)) == (["applied", "suppressed"], 1, 1, {})


def test_the_window_ends_before_its_length_is_over() -> None:
    assert arrivals(WINDOW, 30, 130)[0] == ["applied", "report_lost"]


def test_a_suppressed_effect_does_not_renew_the_window() -> None:
    assert arrivals(WINDOW, 0, 60, 120)[0] == ["applied", "suppressed", "report_lost"]


def test_an_applied_duplicate_opens_a_window_of_its_own() -> None:
    assert arrivals(WINDOW, 0, 120, 219, 220)[0] == ["applied", "report_lost", "suppressed", "report_lost"]


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        ("success", "report_lost"),
        ("ack_lost", "ack_lost"),
        ("crash_after_effect", "crash_after_effect"),
        ("lost_contact", "timeout"),
    ],
)
def test_a_duplicate_is_charged_to_the_attempt_that_made_the_effect_before_it(outcome: str, cause: str) -> None:
    request = Request(0)
    arrive(request, attempt(request, outcome), 10, None)
    arrive(request, attempt(request, "success"), 20, None)
    assert charged(request) == {cause: 1}


def test_each_duplicate_is_charged_to_the_effect_just_before_it() -> None:
    request = Request(0)
    for outcome in ("ack_lost", "crash_after_effect", "success"):
        arrive(request, attempt(request, outcome), 10, None)
    assert charged(request) == {"ack_lost": 1, "crash_after_effect": 1}


def test_an_effect_of_an_attempt_that_was_given_up_is_charged_to_timeout() -> None:
    request = Request(0)
    arrive(request, attempt(request, "ack_lost"), 10, None)
    arrive(request, attempt(request, "success", given_up=True), 20, None)
    assert charged(request) == {"timeout": 1}


def test_a_suppressed_effect_is_nothing_that_a_duplicate_could_be_charged_to() -> None:
    request = Request(0)
    arrive(request, attempt(request, "ack_lost"), 0, WINDOW)
    arrive(request, attempt(request, "crash_after_effect"), 50, WINDOW)
    arrive(request, attempt(request, "success"), 150, WINDOW)
    assert charged(request) == {"ack_lost": 1}


def test_the_key_of_an_effect_is_its_request() -> None:
    one, other = Request(0), Request(1)
    names = [arrive(request, attempt(request), 10, WINDOW) for request in (one, other)]
    assert (names, one.effects, other.effects) == (["applied", "applied"], 1, 1)


def test_a_request_without_an_effect_never_had_one() -> None:
    assert Request(0).first_effect_ns == NEVER
