"""The search of pools of works: exact counts, recounted without pruning, and what it finds in pools that are wrong."""

import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from small_worlds import SLOW_WRITES, Recount, Small, recount, search

from sim.contracts.catalogue import INVARIANTS, View
from sim.explorer.explore import Explored, explore
from sim.explorer.files import save
from sim.explorer.play import play
from sim.explorer.shrink import minimize
from sim.promises.invariant import Invariant, Violation, breach, invariant
from sim.retriers.ports.workpool import complete as completing
from sim.retriers.ports.workpool import loop as looping
from sim.retriers.ports.workpool.batch_worker import kick
from sim.scenario.load import load
from sim.scenario.parts.course import Bounds

SHIPPED = Path("scenarios/search/pool-of-two.yaml")
TWO: dict[str, Any] = {"requests": 2, "attempts": 1, "orders": False}
SLOW = {"platform": {**SLOW_WRITES, "occ_reruns": 1}}
NO_TIME = {"action": {"outcomes": {"fail": 0.1}}}
CANCEL = {"cancel": {"share": 1, "after": {"constant": "1s"}}}


def pool(slots: int = 2, attempts: int = 2, **options: Any) -> dict[str, Any]:
    return {"kind": "workpool", "max_parallelism": slots, "attempts": attempts, **options}


WORLDS = {
    "deaths": Small(pool(), {"crash_before_effect": 0.1}, TWO),
    "a restart": Small(pool(attempts=1), {}, {**TWO, "crashes": 1}),
    "one slot, any order": Small(pool(1, 1), {}, {**TWO, "orders": True}),
    "slow writes": Small(pool(on_complete="throws"), {"fail": 0.1}, TWO, SLOW),
    "slow writes, any order": Small(pool(attempts=1, on_complete="counts"), {}, {**TWO, "orders": True}, SLOW),
    "a mutation, slow writes": Small(
        {"kind": "workpool", "function": "mutation"}, {}, {**TWO, "requests": 1, "crashes": 1}, {**SLOW, **NO_TIME}
    ),
    "queries": Small({"kind": "workpool", "function": "query"}, {}, {**TWO, "crashes": 1}, NO_TIME),
    "canceled": Small(pool(1), {"fail": 0.1}, {**TWO, "requests": 1}, CANCEL),
}
COUNTS: dict[str, tuple[int, int, int, int]] = {
    "deaths": (588, 4, 348, 2),
    "a restart": (1515, 16, 340, 1),
    "one slot, any order": (121, 18, 33, 3),
    "slow writes": (377, 4, 119, 2),
    "slow writes, any order": (323, 16, 80, 3),
    "a mutation, slow writes": (1641, 111, 62, 2),
    "queries": (1295, 24, 98, 3),
    "canceled": (485, 27, 34, 2),
}
"""States, executions, steps of the longest course, answers of the farthest: to be changed only with a reason."""


@cache
def recounted(name: str) -> Recount:
    """Recount one of the worlds."""
    return recount(WORLDS[name], INVARIANTS)


@cache
def searched(name: str) -> Explored:
    """Search one of the worlds."""
    return search(WORLDS[name])


@pytest.mark.parametrize("name", WORLDS)
def test_what_a_search_counts_is_pinned(name: str) -> None:
    found = searched(name)
    assert (found.states, found.executions, found.depth, found.level) == COUNTS[name]
    assert found.complete


@pytest.mark.parametrize("name", WORLDS)
def test_running_every_course_to_its_end_finds_the_same_states(name: str) -> None:
    assert len(recounted(name).states) == COUNTS[name][0]


@pytest.mark.parametrize("name", WORLDS)
def test_equal_states_have_equal_futures(name: str) -> None:
    futures = recounted(name).futures
    assert [ways for ways in futures.values() if any(len(follow) > 1 for follow in ways.values())] == []


@pytest.mark.parametrize("name", WORLDS)
def test_running_every_course_to_its_end_breaks_the_same_invariants(name: str) -> None:
    assert recounted(name).broken == set(searched(name).broken)


def test_processes_together_see_the_states_of_one() -> None:
    together = search(WORLDS["a mutation, slow writes"], workers=2)
    assert together.states == COUNTS["a mutation, slow writes"][0]


# Pools that are wrong.


@invariant()
def no_end_before_the_last_attempt(view: View) -> Iterator[Violation]:
    """A work does not end while the platform runs an attempt of it."""
    for request in view.requests.values():
        for attempt in request.attempts:
            over = min(attempt.end_at, attempt.lost_at)
            if request.settled is not None and attempt.at < request.settled_at < over:
                yield breach(
                    request.number,
                    f"{request} settles while attempt {attempt.number} runs",
                    attempt.start,
                    request.settled,
                )


@invariant()
def twice_at_most(view: View) -> Iterator[Violation]:
    """A work has two attempts at most."""
    for request in view.requests.values():
        if len(request.attempts) > 2:
            yield breach(request.number, f"{request} is attempted a third time", request.attempts[2].start)


def changed(module: Any, name: str, was: str, now: str) -> Any:
    """Return a function of a module with one passage of its source changed."""
    source = inspect.getsource(getattr(module, name))
    assert source.count(was) == 1
    names = dict(vars(module))
    exec(f"from __future__ import annotations\n{source.replace(was, now)}", names)  # noqa: S102  # a planted bug
    return names[name]


def sleeps_on(ctx: Any, worker: Any) -> None:
    """Do nothing in place of waking the loop."""


LATER = {"world": "shared", "requests": {"count": 2, "arrivals": {"constant": {"rate": "0.1/s"}}}}
LONG = {"action": {"latency": {"constant": "7min"}, "outcomes": {"lost_contact": 0.1}}}
SETTLES = next(one for one in INVARIANTS if one.name == "settles")
BUGS: dict[str, tuple[Any, str, Any, Small, Invariant, int]] = {
    "a ping does not wake an idle loop": (kick, "wake", sleeps_on, Small(pool(1), {}, TWO, LATER), SETTLES, 0),
    "a completion keeps its slot": (
        looping,
        "_handle_completions",
        changed(looping, "_handle_completions", 'if entry["workId"] not in over', "if True"),
        Small(pool(1), {}, {**TWO, "steps": 2000}),
        SETTLES,
        0,
    ),
    "one attempt too many": (
        completing,
        "_complete_one",
        changed(completing, "_complete_one", "attempts < max_attempts", "attempts <= max_attempts"),
        Small(pool(1), {"fail": 0.1}, {**TWO, "attempts": 3}),
        twice_at_most,
        2,
    ),
    "the completion of an attempt that was given up counts": (
        completing,
        "complete",
        changed(completing, "complete", ' and work["attempts"] == job["attempt"]', ""),
        Small(pool(), {}, {**TWO, "requests": 1}, LONG),
        no_end_before_the_last_attempt,
        1,
    ),
}
"""Where it is planted, the world that is searched, what breaks, and in how many answers of a shortest course."""


@pytest.mark.parametrize("bug", BUGS)
def test_a_pool_without_the_bug_holds(bug: str) -> None:
    *_, world, held, _ = BUGS[bug]
    assert search(world, invariants=[held]).broken == {}


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found_in_a_shortest_course_and_replays(
    bug: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place, name, wrong, world, held, answers = BUGS[bug]
    monkeypatch.setattr(place, name, wrong)
    found = search(world, invariants=[held]).broken[held.name]
    bounds = Bounds(**world.bounds)
    assert len(found.answers) == answers
    assert minimize(world.scenario, bounds, found.answers, held) == found.answers
    played = play(world.scenario, answers=found.answers, bounds=bounds, invariants=[held])
    save(played, played.violations[0], tmp_path, "bug")
    again = play(tmp_path / "bug.yaml", invariants=[held])
    assert (again.history.digest(), again.violations) == (played.history.digest(), played.violations)


# In words.


def test_a_death_at_a_job_of_the_pool_names_the_pool() -> None:
    world = WORLDS["a restart"]
    lines = [
        line
        for question in range(8)
        for line in play(world.scenario, answers=((question, 1),), bounds=Bounds(**world.bounds)).course_lines(160)
    ]
    assert any("of the pool" in line for line in lines)
    assert not any("request -" in line for line in lines)


# What ships.

BOTH = (17_023, 212, 662, 3)
"""Of the scenario that ships, as above."""


def test_a_pool_of_two_with_deaths_alone_has_so_many_states() -> None:
    found = explore(load(SHIPPED), Bounds(requests=2, attempts=1, orders=False))
    assert (found.states, found.executions, found.complete) == (920, 9, True)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_pool_of_two_with_deaths_and_a_restart_holds_in_every_state(workers: int) -> None:
    found = explore(load(SHIPPED), workers=workers)
    assert (found.states, found.depth, found.level) == (BOTH[0], BOTH[2], BOTH[3])
    assert found.complete
    assert found.broken == {}
    if workers == 1:
        assert found.executions == BOTH[1]
