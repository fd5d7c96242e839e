"""Code run inside a guest: what it sees there. Workers import this module by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.engine.world import World
from sim.guests import guest_of
from sim.history.recorder import Recorder
from sim.scenario.load import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SCENARIO = """
seed: 3
requests: {count: 4}
action: {outcomes: {fail: 0}, latency: 100ms}
retrier: none
"""
START_S = 1_767_225_600
"""2026-01-01T00:00:00Z: the time of day at the start."""


def seen_in_guests(body: Callable[[], Any], requests: Sequence[int] = (0, 1, 2, 3)) -> list[Any]:
    """Return what a function returns inside a guest, for each request of an isolated world; it may await."""
    seen: list[Any] = []

    def fetch(call: Any) -> None:
        seen.append(body())
        call()

    _run(fetch, requests)
    return seen


def seen_in_async_guests(body: Callable[[], Any], requests: Sequence[int] = (0, 1, 2, 3)) -> list[Any]:
    """As `seen_in_guests`, for a coroutine function."""
    seen: list[Any] = []

    async def fetch(call: Any) -> None:
        seen.append(await body())
        await call()

    _run(fetch, requests)
    return seen


def seen_in_guest(body: Callable[[], Any]) -> Any:
    """Return what a function returns inside a guest."""
    return seen_in_guests(body, [0])[0]


def draws_of(body: Callable[[], Any], request: int = 0) -> list[float]:
    """Return the numbers that a function draws inside a guest, as the history has them."""
    return [event[5] for event in _run(_calling(body), [request]) if event[1] == "draw" and event[4] == "guest"]


def _calling(body: Callable[[], Any]) -> Callable[[Any], None]:
    def fetch(call: Any) -> None:
        body()
        call()

    return fetch


def _run(fetch: Any, requests: Sequence[int]) -> list[Any]:
    fetch.stateless = True  # what it sees goes into a list of the host, of which no request is to have a copy
    recorder = Recorder()
    World(parse(SCENARIO), retrier=guest_of(fetch), recorder=recorder).isolated(requests)
    return recorder.raw
