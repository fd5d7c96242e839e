"""What the ports promise, in numbers worked out by hand from their sources."""

from typing import Any

import pytest

from sim.guests.named import load
from sim.promises.promises import Promises
from sim.retriers.base import LoopRetrier, ScheduledRetrier
from sim.retriers.ports import PORTS
from sim.retriers.ports.article import Article
from sim.retriers.ports.component import Component
from sim.retriers.ports.helpers import Helpers
from sim.retriers.ports.none import NoRetry


@pytest.mark.parametrize(
    ("retrier", "attempts"),
    [
        (Article(), 17),
        (Helpers(maxFailures=0), 1),
        (Component(), 5),
        (Component(maxFailures=-2), 1),
        (Article(maxFailures=float("inf")), None),
        (NoRetry(), 1),
    ],
)
def test_there_is_one_attempt_more_than_failures_are_allowed(retrier: Any, attempts: int | None) -> None:
    assert retrier.promises().attempts_at_most == attempts


@pytest.mark.parametrize(
    ("retrier", "first", "third"),
    [
        (Article(), (10, 10), (40, 40)),
        (Helpers(), (50, 150), (200, 600)),
        (Helpers(retryBackoff=20, base=3), (10, 30), (90, 270)),
        # The exponent is numFailures + 1, so the first backoff is twice the initial one.
        (Component(), (250, 750), (1000, 3000)),
        (Component(initialBackoffMs=100, base=1), (50, 150), (50, 150)),
    ],
)
def test_the_law_of_the_delays(retrier: Any, first: tuple[float, float], third: tuple[float, float]) -> None:
    law = retrier.promises().backoff_ms
    assert (law(1), law(3)) == (first, third)


@pytest.mark.parametrize(
    ("retrier", "waits", "failure", "expected"),
    [
        (Article(), 0, 0, (10, 10)),
        (Article(), 3, 0, (80, 80)),
        (Article(), 3, 2, (20, 20)),
        (Helpers(), 0, 0, (50, 150)),
        (Helpers(), 2, 0, (200, 600)),
        (Helpers(), 2, 3, (400, 1200)),
        (Component(), 7, 0, (5000, 15_000)),
        (Component(), 0, 1, (5000, 15_750)),
    ],
)
def test_the_law_of_the_polls(retrier: Any, waits: int, failure: int, expected: tuple[float, float]) -> None:
    assert retrier.promises().polls_ms(waits, failure) == expected


@pytest.mark.parametrize(("on_complete", "callback"), [("ok", True), ("throw", True), ("none", False)])
def test_the_component_calls_back_where_it_is_given_a_callback(on_complete: str, *, callback: bool) -> None:
    assert Component(onComplete=on_complete).promises().callback is callback


@pytest.mark.parametrize("kind", PORTS)
def test_a_port_names_its_jobs(kind: str) -> None:
    retrier: Any = load(PORTS[kind])()
    names = (retrier.action_jobs, retrier.poll_jobs) if isinstance(retrier, ScheduledRetrier) else ((), ())
    assert (retrier.promises().action_jobs, retrier.promises().poll_jobs) == names


def test_a_retrier_that_states_nothing_promises_nothing() -> None:
    assert LoopRetrier().promises() == Promises()
    assert ScheduledRetrier().promises() == Promises(action_jobs=("action",), poll_jobs=("retry",))
