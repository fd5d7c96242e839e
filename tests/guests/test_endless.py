"""A guest whose calls succeed and that goes on calling ends soon, with its line; one that means it may say so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from guests_support import run

from sim.guests import GuestRefused, GuestRetrier


def swallows(call: Any) -> None:
    while True:
        try:
            call()
        except BaseException:  # noqa: BLE001, S110  # of its kind
            pass


async def swallows_in_a_loop(call: Any) -> None:
    while True:
        try:
            await call()
        except BaseException:  # noqa: BLE001, S110  # of its kind
            pass


async def several_at_once(call: Any) -> None:
    while True:
        await asyncio.gather(*(call() for _ in range(10)), return_exceptions=True)


class Swallows(GuestRetrier):
    """As the function."""

    kind = "swallows"

    def retry(self, call: Any) -> None:
        """Never end."""
        swallows(call)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("guest", [swallows, swallows_in_a_loop, several_at_once, Swallows])
def test_a_guest_that_never_returns_is_told_with_its_line(guest: Any, *, shared: bool) -> None:
    with pytest.raises(
        GuestRefused, match=r"calls on although 1,0\d\d calls of request 0 have .*test_endless.py:\d+\)"
    ):
        run(guest, shared=shared, outcomes={"fail": 0.2})


def calls(count: int) -> Any:
    def guest(call: Any) -> None:
        for _ in range(count):
            call()

    return guest


def test_a_thousand_successes_are_allowed_and_one_more_is_not() -> None:
    assert run(calls(1000)).requests.attempts.tolist() == [1000]
    with pytest.raises(GuestRefused, match="1,000 calls of request 0 have succeeded"):
        run(calls(1001))


def test_a_guest_may_say_how_many_may_succeed() -> None:
    guest = calls(1200)
    guest.most_successes = 1200
    assert run(guest).outcomes == ["success"]
    few = calls(1201)
    few.most_successes = 1200
    with pytest.raises(GuestRefused, match="1,200 calls of request 0"):
        run(few)


def test_a_class_may_say_it_too() -> None:
    class Works(GuestRetrier):
        kind = "works"
        most_successes = 1100

        def retry(self, call: Any) -> None:
            for _ in range(1100):
                call()

    assert run(Works).outcomes == ["success"]


def test_what_is_no_number_is_refused() -> None:
    guest = calls(1001)
    guest.most_successes = "many"
    with pytest.raises(GuestRefused, match="says most_successes = 'many': it is how many calls"):
        run(guest)


def test_calls_that_fail_do_not_count() -> None:
    def patient(call: Any) -> Any:
        while True:
            try:
                return call()
            except Exception:  # noqa: BLE001, S110  # of any kind
                pass

    (outcome,) = run(patient, outcomes={"fail": 1}, limits={"polls_per_request": 2000}).outcomes
    assert outcome == "runaway"


def test_each_request_counts_its_own() -> None:
    assert run(calls(600), count=3, shared=True).outcomes == ["success"] * 3
