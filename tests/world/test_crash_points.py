from collections.abc import Iterator

import pytest

from sim.world.crash_points import Gaps, ServerDied


def gaps(*, dies: bool) -> tuple[Gaps, Iterator[bool]]:
    left = iter([dies])
    return Gaps(lambda: next(left)), left


def test_before_the_first_durable_event_of_a_step_nobody_dies() -> None:
    asked, left = gaps(dies=True)
    asked.pass_by()
    assert list(left) == [True]


def test_between_two_durable_events_the_server_can_die() -> None:
    asked, _ = gaps(dies=True)
    asked.written()
    with pytest.raises(ServerDied):
        asked.pass_by()


def test_it_can_live_on() -> None:
    asked, left = gaps(dies=False)
    asked.written()
    asked.pass_by()
    assert list(left) == []


def test_a_new_step_begins_without_a_gap() -> None:
    asked, left = gaps(dies=True)
    asked.written()
    asked.new_step()
    asked.pass_by()
    assert list(left) == [True]


def test_a_death_is_no_error_that_a_handler_could_catch() -> None:
    assert not issubclass(ServerDied, Exception)
