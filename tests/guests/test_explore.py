"""Small worlds of guests are searched: every outcome, draw and order, with all that their processes remember."""

# what guest code draws with

from __future__ import annotations

import asyncio
import gc
import pickle
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

import sim
from sim.explorer.files import save
from sim.explorer.repeats import NotRepeatable
from sim.explorer.streams import streams
from sim.guests import GuestRetrier, guest_of
from sim.guests.strands import Strand
from sim.scenario.load import parse
from sim.scenario.parts.course import Bounds
from tests.support.commands import run_command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sim.clients.calling import Call
    from sim.clients.context import ClientContext
    from sim.explorer.explore import Explored
    from sim.scenario.schema import Scenario

ALONE = "requests: {count: 1}"
TWO = "world: shared\nrequests: {count: 2, arrivals: {constant: {rate: 4/s}}}"


def small(requests: str = ALONE, outcomes: str = "fail: 0.4", more: str = "") -> Scenario:
    return parse(
        f"schema: 1\nname: small\nseed: 3\nretrier: none\n{requests}\n"
        f"action: {{latency: 100ms, outcomes: {{{outcomes}}}}}\n{more}"
    )


def search(
    guest: Any, scenario: Scenario | None = None, *, draws: Sequence[float] = (0.0, 0.5), **bounds: Any
) -> Explored:
    made = guest if isinstance(guest, type) else guest_of(guest)
    within = Bounds(**{"requests": 1, "attempts": 3, "values": {"guest": tuple(draws)}, **bounds})
    return sim.explorer.explore(small() if scenario is None else scenario, within, retrier=made)


def tries(call: Any) -> Any:
    for left in (2, 1, 0):
        try:
            return call(timeout=1.0)
        except OSError:
            if not left:
                raise
            time.sleep(random.uniform(0.1, 1.1))
    return None


async def tries_in_a_loop(call: Any) -> Any:
    for left in (2, 1, 0):
        try:
            return await call(timeout=1.0)
        except OSError:
            if not left:
                raise
            await asyncio.sleep(random.uniform(0.1, 1.1))
    return None


def goes_on_after_success(call: Any) -> int:
    for _ in range(2):
        try:
            call(timeout=1.0)
        except OSError:
            time.sleep(0.1)
    call(timeout=1.0)
    return 3


for one in (tries, tries_in_a_loop, goes_on_after_success):
    one.errors = {"failed": ConnectionError, "timed_out": TimeoutError}  # type: ignore[attr-defined]


@pytest.mark.parametrize("guest", [tries, tries_in_a_loop], ids=lambda guest: guest.__name__)
def test_the_states_of_a_small_world_are_counted(guest: Any) -> None:
    found = search(guest)
    assert (found.states, found.complete, found.broken) == (64, True, {})


class AsALoop(sim.LoopRetrier):
    """The same, as a loop of this package."""

    kind = "as_a_loop"

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        """Call up to three times."""
        for number in range(2):
            try:
                return await call(timeout_ms=1000)
            except sim.CallFailed:
                await ctx.sleep(100 + 1000 * ctx.uniform("guest", number))
        return await call(timeout_ms=1000)


def test_a_guest_has_as_many_states_as_the_same_loop() -> None:
    assert search(AsALoop).states == search(tries).states


def test_each_value_of_the_stream_is_drawn() -> None:
    slept: set[float] = set()

    def sleeps(call: Any) -> Any:
        try:
            return call()
        except Exception:  # noqa: BLE001  # it has no client's errors
            delay = random.random()
            slept.add(delay)
            time.sleep(delay)
            return call()

    sleeps.stateless = True  # type: ignore[attr-defined]  # the set is the test's
    search(sleeps, draws=(0.0, 0.25, 0.75))
    assert slept == {0.0, 0.25, 0.75}


def test_the_stream_of_guests_is_one_that_a_search_can_name() -> None:
    assert streams(small(), Bounds(requests=1), guest_of(tries)) == ["guest"]


def test_a_bug_is_found_by_the_shortest_course_that_shows_it() -> None:
    found = search(goes_on_after_success)
    assert found.broken["no-retry-after-success"].answers == ()
    assert found.complete


def test_a_counterexample_is_saved_and_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = guest_of(goes_on_after_success)
    scenario = small(outcomes="fail: 0.4, ack_lost: 0.1")
    within = Bounds(requests=1, attempts=3)
    course = sim.explorer.explore(scenario, within, retrier=made).broken["no-retry-after-success"]
    played = sim.explorer.play(scenario, answers=course.answers, bounds=within, retrier=made)
    save(played, played.violations[0], tmp_path, "again", retrier=made)
    again = sim.explorer.play(tmp_path / "again.yaml", retrier=made)
    assert (again.breaks("no-retry-after-success"), again.history.digest()) == (True, played.history.digest())
    monkeypatch.chdir(tmp_path)
    result = run_command("replay", "again.yaml", "--retrier", f"{__name__}:goes_on_after_success")
    assert played.history.digest() in result.output


class Careless(GuestRetrier):
    """Calls twice, if an earlier request of its process has failed."""

    kind = "careless"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.failures = 0

    def retry(self, call: Any) -> Any:
        """Call, and once more."""
        failures = self.failures
        try:
            number = call()
        except Exception:
            self.failures += 1
            raise
        return call() if failures else number


@pytest.mark.slow
def test_what_a_process_remembers_of_earlier_requests_tells_states_apart() -> None:
    found = search(Careless, small(TWO), requests=2)
    assert [question for question, _ in found.broken["no-retry-after-success"].answers] == [0]
    assert search(Careless).broken == {}


def test_calls_side_by_side_end_in_any_order() -> None:
    firsts: set[int] = set()

    async def both(call: Any) -> Any:
        tasks = [asyncio.create_task(call()) for _ in range(2)]
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for one in rest:
            one.cancel()
        firsts.update(one.result() for one in done)
        return done.pop().result()

    both.stateless = True  # type: ignore[attr-defined]  # the set is the test's
    found = search(both, small(outcomes=""))
    assert (firsts, found.broken) == ({1, 2}, {})


def test_cancels_reach_guests_anywhere() -> None:
    scenario = small(more="cancel: {share: 1.0, after: {constant: 1s}}\n")
    for guest in (tries, tries_in_a_loop):
        found = search(guest, scenario, cancels=1)
        assert (found.broken, found.complete) == ({}, True)


@pytest.mark.slow
def test_a_search_leaves_no_code_of_guests_behind() -> None:
    for guest in (tries, tries_in_a_loop):
        search(guest)
    gc.collect()
    assert [one for one in gc.get_objects() if isinstance(one, Strand) and not one.is_over] == []


KEPT: list[int] = []


def test_a_guest_that_keeps_state_elsewhere_is_not_repeatable() -> None:
    def forgets_nothing(call: Any) -> Any:
        KEPT.append(1)
        for _ in range(len(KEPT) % 3):
            time.sleep(random.random())
        return call()

    forgets_nothing.stateless = True  # type: ignore[attr-defined]  # as it claims
    with pytest.raises(NotRepeatable, match="the same course"):
        search(forgets_nothing)


@pytest.mark.slow
def test_processes_search_guests_together() -> None:
    for guest in (guest_of(tries_in_a_loop), Careless):
        again = pickle.loads(pickle.dumps(guest))  # noqa: S301  # its own bytes
        assert again.kind == guest.kind
        within = Bounds(requests=1, attempts=3)
        alone, together = (sim.explorer.explore(small(), within, retrier=guest, workers=workers) for workers in (1, 2))
        assert (together.states, together.executions >= alone.executions) == (alone.states, True)
