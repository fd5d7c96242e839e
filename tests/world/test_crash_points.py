from collections.abc import Iterator

import pytest

from sim.world.crash_points import CrashPoints
from sim.world.witness import ServerDied


def crash_points(*, dies: bool) -> tuple[CrashPoints, Iterator[bool]]:
    left = iter([dies])
    return CrashPoints(lambda: next(left)), left


def test_before_the_first_durable_event_of_a_step_nobody_dies() -> None:
    asked, left = crash_points(dies=True)
    asked.before_durable()
    assert list(left) == [True]


def test_between_two_durable_events_the_server_can_die() -> None:
    asked, _ = crash_points(dies=True)
    asked.durable()
    with pytest.raises(ServerDied):
        asked.before_durable()


def test_it_can_live_on() -> None:
    asked, left = crash_points(dies=False)
    asked.durable()
    asked.before_durable()
    assert list(left) == []


def test_a_new_step_begins_with_nothing_durable() -> None:
    asked, left = crash_points(dies=True)
    asked.durable()
    asked.new_step()
    asked.before_durable()
    assert list(left) == [True]


def test_a_death_is_no_error_that_a_handler_could_catch() -> None:
    assert not issubclass(ServerDied, Exception)
