"""The search of small worlds: its counts are pinned, recounted without pruning, and the same for several processes."""

from functools import cache
from typing import Any

import pytest
from small_worlds import ONE_SECOND, SLOW_WRITES, Recount, Small, recount, search

from sim.clients import CallFailed, CallRefused
from sim.contracts.catalogue import INVARIANTS, RETRIER, STRICTER
from sim.explorer.course import Course
from sim.explorer.explore import Explored
from sim.explorer.guided import WrittenGuide
from sim.promises.promises import Promises
from sim.retriers.base import LoopRetrier
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.parts.course import Bounds
from sim.world.services.visit import Visit
from sim.world.services.waiting import Waiting


class Impatient(LoopRetrier):
    """Calls twice at most, the first time for one second."""

    kind = "impatient"
    stateless = True

    async def retry(self, call: Any, ctx: Any) -> Any:
        """Call again at once if the first call is late or fails."""
        del ctx
        try:
            return await call(timeout_ms=1000)
        except CallFailed:
            return await call()


class Sharing(LoopRetrier):
    """Takes a second copy, and a retry, of a budget that all share, if the last request to end did not fail."""

    kind = "sharing"
    stateless = True

    def promises(self) -> Promises:
        """State that it hedges."""
        return Promises(hedges=True)

    async def retry(self, call: Any, ctx: Any) -> Any:
        """Hedge the first try; call again if the budget and what is shared allow it."""
        budget = ctx.budget({"tokens": {"capacity": 2, "cost": 1}}, scope="world")
        last = ctx.shared(scope="world")
        try:
            number = await call.hedged(after_ms=1000, budget=budget)
        except CallFailed as error:
            if last.get("failed") or not budget.take(error.kind):
                last["failed"] = True
                raise
            await ctx.sleep(1000)
            return await call()
        last["failed"] = False
        return number


class Gated(LoopRetrier):
    """Calls behind a bulkhead for one and a breaker that a failure opens for a second."""

    kind = "gated"
    stateless = True

    async def retry(self, call: Any, ctx: Any) -> Any:
        """Try twice; what is refused counts as a failure."""
        bulkhead = ctx.bulkhead({"at_most": 1, "queue": 1, "max_wait": "2s"}, scope="world")
        breaker = ctx.breaker({"window": {"consecutive": 1}, "open": "1s", "half_open": {"calls": 1}}, scope="world")
        for tries in range(2):
            if not await bulkhead.enter():
                raise CallRefused("full")
            try:
                ticket = breaker.ask()
                if ticket is None:
                    raise CallRefused("open")
                try:
                    return await call()
                except CallFailed as error:
                    ticket.answered(error.kind)
                    raise
            except CallFailed:
                if tries:
                    raise
            finally:
                if not ctx.canceled:
                    bulkhead.leave()
            await ctx.sleep(1000)
        return None


LEGS = {"request": {"constant": "1s"}}


def served(**options: Any) -> dict[str, Any]:
    """A service with one server, one second away; requests come at once."""
    db = {"servers": 1, "latency": {"constant": "1s"}, "network": LEGS, **options}
    return {"world": "shared", "action": {"service": "db"}, "services": {"db": db}}


ROW = {
    "world": "shared",
    "action": {"service": "row"},
    "services": {"row": {"kind": "versioned_row", "network": {**LEGS, "reply": {"constant": "1s"}}}},
}


def port(kind: str, max_failures: int = 1, **options: Any) -> dict[str, Any]:
    return {"kind": kind, "max_failures": max_failures, **options}


SHARED = {"world": "shared", "requests": {"count": 2, "arrivals": {"constant": {"rate": "2/s"}}}}
CANCEL = {"cancel": {"share": 1, "after": {"constant": "1s"}}}
WORLDS = {
    "component, crashes": Small(
        port("component"), {"fail": 0.1, "crash_after_effect": 0.1}, {"attempts": 2, "crashes": 1}
    ),
    "component, lost contact": Small(
        port("component"), {"fail": 0.1, "lost_contact": 0.1}, {"attempts": 2, "crashes": 1}
    ),
    "component, two requests": Small(port("component"), {}, {"requests": 2, "attempts": 1}),
    "component, canceled": Small(port("component", 0), {"fail": 0.1}, {"attempts": 1, "crashes": 1}, CANCEL),
    "component, slow writes": Small(
        port("component", 0), {}, {"attempts": 1}, {**CANCEL, "platform": {**SLOW_WRITES, "occ_reruns": 1}}
    ),
    "helpers, a hang": Small(
        port("helpers"),
        {"fail": 0.1, "hang": 0.1},
        {"attempts": 1, "crashes": 1},
        {"platform": {"action_time_limit": "3s"}},
    ),
    "article, lost answers": Small(
        port("article", wait_backoff="500ms"), {"fail": 0.1, "ack_lost": 0.1}, {"attempts": 2, "crashes": 1}
    ),
    "none, two requests": Small({"kind": "none"}, {"fail": 0.1, "ack_lost": 0.1}, {"requests": 2, "attempts": 2}),
    "one server, two calls at once": Small({"kind": "none"}, {}, {"requests": 2}, served()),
    "one server, two requests, a timeout": Small(
        {"kind": "none"}, {}, {"requests": 2}, served(queue={"abandoned": "dropped"}), Impatient
    ),
    "one server, a queue of one, a wait": Small(
        {"kind": "none"},
        {},
        {"requests": 3, "attempts": 1},
        served(queue={"limit": 1, "max_wait": "1s"}, outcomes={"fail": 0.1}, idempotency={"window": "9s"}),
    ),
    "a rate limit and servers that change": Small(
        {"kind": "none"},
        {},
        {"requests": 2},
        served(
            rate_limit={"rate": "1/s", "retry_after": "next"},
            capacity=[{"from": "1s", "to": "2s", "servers": 0}],
            slowdown={"per_call": "1s"},
        ),
        Impatient,
    ),
    "a budget and a value that loops share": Small(
        {"kind": "none"}, {"fail": 0.1}, {"requests": 2, "attempts": 2}, SHARED, Sharing
    ),
    "a bulkhead and a breaker that loops share": Small(
        {"kind": "none"}, {"fail": 0.1}, {"requests": 2, "attempts": 1}, {**SHARED, **CANCEL}, Gated
    ),
    "a row, two writers": Small({"kind": "none"}, {}, {"requests": 2}, ROW),
}


def policy(**options: Any) -> dict[str, Any]:
    return {"kind": "policy", "attempts": 2, **options}


ONCE = {"requests": {"count": 1}}
TOKENS = {"tokens": {"capacity": 2, "start": 1, "cost": 1, "on_success": 1}}
POLICIES = {
    "a plain policy": Small(policy(delay="1s"), {"fail": 0.1}, {"requests": 2, "attempts": 2}),
    "a policy with jitter and a timeout": Small(
        policy(delay={"constant": {"delay": "1s", "jitter": "equal"}}, timeout="2s"),
        {"fail": 0.1, "hang": 0.1},
        {"attempts": 2},
    ),
    "a budget": Small(
        policy(delay="1s", budget=TOKENS, scope="world"), {"fail": 0.1}, {"requests": 2, "attempts": 2}, SHARED
    ),
    "a budget of each request": Small(
        policy(attempts=3, delay="1s", budget={"tokens": {"capacity": 2, "per_second": 1}}, scope="request"),
        {"fail": 0.1, "hang": 0.1},
        {"attempts": 3},
    ),
    "a breaker": Small(
        policy(delay="1s", breaker={"window": {"consecutive": 1}, "open": "1s"}, scope="world"),
        {"fail": 0.1},
        {"requests": 2, "attempts": 2},
        SHARED,
    ),
    "a hedge": Small(policy(hedge={"after": "500ms"}), {"fail": 0.1, "hang": 0.1}, {"attempts": 2}),
    "a hedge after a delay": Small(
        policy(delay="1s", hedge={"after": "500ms", "at_failure": "delay"}, attempts=1), {"fail": 0.1}, {"attempts": 2}
    ),
    "a deadline": Small(policy(attempts=3, delay="1s", deadline="2500ms"), {"fail": 0.1, "hang": 0.1}, {"attempts": 2}),
    "a deadline of calls": Small(
        policy(attempts=3, delay="1s", deadline={"after": "2s", "kind": "soft", "counts": "calls"}),
        {"fail": 0.1},
        {"attempts": 3},
    ),
    "a delivery again": Small(
        policy(attempts=3, redeliver={"after": "500ms", "from": "end"}), {"fail": 0.1, "hang": 0.1}, {"attempts": 3}
    ),
    "a bulkhead": Small(
        policy(bulkhead={"at_most": 1, "queue": 1, "max_wait": "1s"}, scope="world"),
        {"fail": 0.1},
        {"requests": 2, "attempts": 2},
        SHARED,
    ),
    "copies behind a rate limit": Small(
        policy(
            hedge={"after": "200ms", "at_most": 1},
            rate_limit={"rate": "1/s"},
            order=["deadline", "retry", "hedge", "rate_limit", "bulkhead", "breaker", "timeout"],
        ),
        {"fail": 0.1},
        {"attempts": 2},
        {"world": "shared", **ONCE},
    ),
    "delays on a grid": Small(
        policy(attempts=3, delay="700ms", due_floor="500ms", delay_from="start"), {"fail": 0.1}, {"attempts": 3}
    ),
}
"""Worlds of policies: what their parts know of time must tell states apart."""
WORLDS |= POLICIES
HELD = (*INVARIANTS, *STRICTER)
COUNTS: dict[str, tuple[int, int, int, int]] = {
    "component, crashes": (112, 45, 7, 3),
    "component, lost contact": (123, 39, 9, 3),
    "component, two requests": (14, 6, 8, 3),
    "component, canceled": (55, 22, 6, 3),
    "component, slow writes": (110, 17, 15, 3),
    "helpers, a hang": (146, 28, 13, 3),
    "article, lost answers": (344, 138, 11, 5),
    "none, two requests": (40, 18, 4, 3),
    "one server, two calls at once": (10, 2, 6, 1),
    "one server, two requests, a timeout": (81, 60, 11, 3),
    "one server, a queue of one, a wait": (127, 36, 9, 4),
    "a rate limit and servers that change": (76, 28, 12, 4),
    "a budget and a value that loops share": (224, 49, 9, 6),
    "a bulkhead and a breaker that loops share": (329, 155, 10, 6),
    "a row, two writers": (21, 8, 10, 2),
}
"""States, executions, steps of the longest course, answers of the farthest: to be changed only with a reason."""


@cache
def recounted(name: str) -> Recount:
    """Recount one of the worlds."""
    return recount(WORLDS[name], HELD)


@cache
def searched(name: str) -> Explored:
    """Search one of the worlds."""
    return search(WORLDS[name])


@pytest.mark.parametrize("name", COUNTS)
def test_what_a_search_counts_is_pinned(name: str) -> None:
    found = searched(name)
    assert (found.states, found.executions, found.depth, found.level) == COUNTS[name]


@pytest.mark.parametrize("name", WORLDS)
def test_running_every_course_to_its_end_finds_the_same_states(name: str) -> None:
    assert len(recounted(name).states) == searched(name).states


@pytest.mark.parametrize("name", WORLDS)
def test_equal_states_have_equal_futures(name: str) -> None:
    futures = recounted(name).futures
    assert [ways for ways in futures.values() if any(len(follow) > 1 for follow in ways.values())] == []


@pytest.mark.parametrize("name", WORLDS)
def test_running_every_course_to_its_end_breaks_the_same_invariants(name: str) -> None:
    assert recounted(name).broken == set(search(WORLDS[name], invariants=HELD).broken)


def test_some_of_these_worlds_break_something() -> None:
    assert {one for name in WORLDS for one in recounted(name).broken} == {
        *("effect-once", "settles", "callback-comes", "retry-after-honored")
    }


@pytest.mark.parametrize("name", ["component, two requests", "article, lost answers", "a plain policy"])
def test_a_search_runs_fewer_courses_than_there_are(name: str) -> None:
    assert searched(name).executions < recounted(name).courses


def test_processes_together_see_the_states_of_one() -> None:
    alone, together = searched("article, lost answers"), search(WORLDS["article, lost answers"], workers=2)
    assert together.states == alone.states
    assert together.level == alone.level
    assert together.complete


def test_processes_find_the_same_counterexamples() -> None:
    world, held = WORLDS["component, lost contact"], (*INVARIANTS, *STRICTER)
    alone, together = search(world, invariants=held), search(world, invariants=held, workers=2)
    assert (together.broken, set(together.broken)) == (alone.broken, {"effect-once"})


class TestBounds:
    def test_a_bound_that_is_hit_is_reported(self) -> None:
        found = search(Small(port("component", 2), {"fail": 0.1}, {"attempts": 1, "crashes": 1}))
        assert set(found.bounds_hit) == {"attempts", "crashes"}

    def test_a_bound_of_steps_that_is_hit_is_reported(self) -> None:
        found = search(Small(port("component"), {}, {"steps": 3}))
        assert (found.bounds_hit, found.depth) == ({"steps": 1}, 3)

    def test_a_world_within_all_bounds_hits_none(self) -> None:
        assert search(Small(port("component", 1), {"fail": 0.1}, {"attempts": 2})).bounds_hit == {}

    def test_a_search_that_is_ended_early_is_not_complete(self) -> None:
        found = search(WORLDS["component, crashes"], states_at_most=20)
        assert not found.complete
        assert 20 <= found.states < COUNTS["component, crashes"][0]

    def test_without_orders_what_is_due_at_once_keeps_its_order(self) -> None:
        found = search(Small(port("component"), {}, {"requests": 2, "orders": False}))
        assert found.executions == 1

    def test_a_stream_takes_the_values_it_is_given(self) -> None:
        found = search(Small(port("component"), {}, {"values": {"heartbeat": (0.0, 0.5, 0.9)}}))
        assert found.executions == 3

    def test_states_are_told_apart_by_time_where_the_world_knows_the_time_of_day(self) -> None:
        outage = {"action": {**ONE_SECOND, "weather": [{"outage": {"from": "0s", "to": "5s"}}]}}
        assert search(WORLDS["component, crashes"]).up_to_time
        assert not search(Small(port("component"), {}, {}, outage)).up_to_time


class TestCounterexamples:
    def test_the_first_to_be_found_is_a_shortest_one(self) -> None:
        found = search(Small(port("component", 2), {"fail": 0.1, "ack_lost": 0.1}, {"attempts": 3, "crashes": 2}))
        shortest = found.broken["settles"]
        assert (len(shortest.answers), shortest.answers) == (2, ((0, 1), (1, 1)))

    def test_a_course_breaks_the_same_when_it_is_run_again(self) -> None:
        world = WORLDS["component, crashes"]
        broken = search(world, invariants=(*INVARIANTS, *STRICTER)).broken["effect-once"]
        course = Course(world.scenario, Bounds(**world.bounds), WrittenGuide(broken.answers)).run()
        causes = [event.effect for event in course.history() if event.kind == "effect"]
        assert causes[1:] == ["crash_after_effect"]

    def test_the_search_can_end_with_the_first_level_that_breaks_something(self) -> None:
        world = Small(port("component", 2), {"fail": 0.1}, {"attempts": 3, "crashes": 2})
        found = search(world, first=True, invariants=RETRIER)
        assert set(found.broken) == {"settles", "callback-comes"}
        assert found.level == 2
        assert not found.complete


@pytest.mark.parametrize("kind", ["component", "helpers", "article", "none"])
def test_a_world_without_chance_has_one_course(kind: str) -> None:
    options = {"kind": "none"} if kind == "none" else port(kind)
    assert search(Small(options, {}, {})).executions == (2 if kind == "article" else 1)


class TestServices:
    def test_two_calls_that_reach_one_server_at_once_are_served_in_both_orders(self) -> None:
        # Two submissions, then both calls are on their way. From the first arrival on there are two of each state: one
        # in work; one in work and one waiting; one done and one in work. The end is one and the same.
        found = search(WORLDS["one server, two calls at once"])
        assert (found.states, found.executions, found.complete) == (3 + 2 * 3 + 1, 2, True)

    def test_a_search_finds_a_queue_that_forgets_the_calls_of_callers_that_gave_up(self) -> None:
        broken = Waiting.add

        def forgets(self: Waiting, visit: Visit) -> None:
            if visit.number == 1 or not len(self):
                broken(self, visit)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Waiting, "add", forgets)
            found = search(WORLDS["one server, two requests, a timeout"], first=True)
        assert set(found.broken) & {"no-server-idles", "arrivals-count-calls", "calls-go-one-way"}

    def test_a_service_that_calls_others_is_refused_with_the_reason(self) -> None:
        world = served(calls=[{"service": "ledger"}])
        world["services"]["ledger"] = {}
        with pytest.raises(ScenarioError, match="cannot compare worlds in which a service calls others"):
            search(Small({"kind": "none"}, {}, {"requests": 2}, world))
