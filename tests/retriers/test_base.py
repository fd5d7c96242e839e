"""The two shapes of a retrier."""

import pytest

from sim.promises.promises import Promises
from sim.retriers.base import LoopRetrier, ScheduledRetrier, promises_of
from sim.retriers.ports.article import Article


def test_the_two_shapes_leave_their_work_to_others() -> None:
    retrier = ScheduledRetrier()
    with pytest.raises(NotImplementedError):
        retrier.bind(None)
    with pytest.raises(NotImplementedError):
        retrier.submit(None)


class Watcher(ScheduledRetrier):
    """States a budget, and nothing else."""

    action_jobs = ("work",)
    poll_jobs = ("watch",)

    def promises(self) -> Promises:
        return Promises(attempts_at_most=3)


def test_names_of_jobs_that_a_statement_leaves_out_are_those_of_the_class() -> None:
    assert promises_of(Watcher()) == Promises(attempts_at_most=3, action_jobs=("work",), poll_jobs=("watch",))


def test_a_loop_has_no_jobs() -> None:
    assert promises_of(LoopRetrier()) == Promises()


class Derived(Article):
    """A port and more, which may keep something between requests."""


class Careful(Article):
    """A port and more, which keeps nothing and says so."""

    stateless = True


@pytest.mark.parametrize("retrier", [LoopRetrier, ScheduledRetrier, Watcher, Derived])
def test_a_class_that_does_not_say_so_is_not_taken_for_stateless(retrier: type[LoopRetrier | ScheduledRetrier]) -> None:
    assert not retrier.stateless


def test_a_class_can_say_that_it_is_stateless() -> None:
    assert Careful.stateless
