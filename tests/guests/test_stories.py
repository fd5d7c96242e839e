"""The story and the time line of a guest's request: its sleeps, what cuts them, and by what else it goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from sim.guests import GuestRetrier
from sim.history.recorder import History
from sim.history.vocabulary import Outcome
from sim.stories.lines import timeline_lines
from sim.stories.trace import trace_events
from tests.support.guests_support import Ran, run

FAILS = {"fail": 1.0}


async def limited(call: Any) -> Any:
    async with asyncio.timeout(1):
        try:
            await call()
        except Exception:  # noqa: BLE001  # it has no client's errors
            await asyncio.sleep(30)


async def beside(call: Any) -> Any:
    sleeps = [asyncio.create_task(asyncio.sleep(delay)) for delay in (2, 3)]
    try:
        return await call()
    finally:
        for sleep in sleeps:
            sleep.cancel()


class OneAtATime(GuestRetrier):
    """Requests of one client wait for each other."""

    kind = "one_at_a_time"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.place = threading.Lock()

    def retry(self, call: Any) -> Any:
        """Call within the one place."""
        if not self.place.acquire(timeout=5):
            raise ConnectionError("no place")
        try:
            return call()
        finally:
            self.place.release()
            time.sleep(0)


class WithoutLimit(OneAtATime):
    """They wait as long as it takes."""

    kind = "without_limit"

    def retry(self, call: Any) -> Any:
        """Call within the one place."""
        with self.place:
            return call()


def story(ran: Ran, request: int = 0) -> list[str]:
    lines = timeline_lines(History(ran.raw), request, Outcome[ran.outcomes[request]])
    return [" ".join(line.split()) for line in lines]


def bars(ran: Ran, request: int = 0) -> dict[str, tuple[float, float, int]]:
    """Return start, duration in ms, and the thread of each bar of the time line, by its name."""
    events = trace_events(History(ran.raw), request, "x")["traceEvents"]
    return {one["name"]: (one["ts"] / 1000, one["dur"] / 1000, one["tid"]) for one in events if one["ph"] == "X"}


def test_a_story_tells_which_timer_cuts_a_sleep_and_what_is_left_of_it() -> None:
    told = story(run(limited, outcomes=FAILS))
    assert told[3:7] == [
        "client sleeps 30 s",
        "+1 s client a timer of its own fires",
        "client its sleep is cut, 29.1 s of 30 s left",
        "client gives up (settled: gave up)",
    ]


def test_a_bar_ends_where_its_sleep_is_cut() -> None:
    assert bars(run(limited, outcomes=FAILS))["sleeps"][:2] == (100.0, 900.0)


def test_sleeps_side_by_side_have_threads_of_their_own() -> None:
    events = trace_events(History(run(beside).raw), 0, "x")["traceEvents"]
    sleeps = [one for one in events if one["name"] == "sleeps"]
    assert [one["dur"] / 1000 for one in sleeps] == [100.0, 100.0]
    assert len({one["tid"] for one in sleeps}) == 2
    assert all(one["args"]["cut"] for one in sleeps)


@pytest.mark.parametrize(
    ("guest", "said"),
    [
        (OneAtATime, ["waits for a lock, at most 5 s", "goes on: a lock is free, 4.9 s of 5 s left"]),
        (WithoutLimit, ["goes on: a lock is free"]),
    ],
    ids=["limit", "no limit"],
)
def test_a_story_tells_of_waits_for_locks(guest: type[GuestRetrier], said: list[str]) -> None:
    told = story(run(guest, shared=True, count=2), request=1)
    assert [line.partition("client ")[2] for line in told if "lock" in line] == said
