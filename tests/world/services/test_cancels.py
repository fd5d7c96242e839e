"""Calls of services that are canceled: what waits is dropped, work stops, and no effect comes behind the cancel."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.contracts.catalogue import INVARIANTS, check_view
from sim.engine.world import World
from sim.experiment.terms import terms_of
from sim.explorer.explore import explore
from sim.history.recorder import History, Recorder
from sim.history.request import table
from sim.history.traffic import CallEnd, CallLog, Calls
from sim.promises.view import View
from sim.scenario.load import from_dict, parse
from sim.scenario.parts.course import Bounds
from sim.world.services.own import OwnQueueingService

MS = 1_000_000


@dataclass
class Seen:
    """One replication, and all that is known of it."""

    requests: list[Any]
    history: History
    calls: Calls
    broken: list[str]
    end_ns: int

    def at_service(self, kind: str) -> list[tuple[int, float]]:
        """Return the numbers of calls, and the instants in ms, of events of one kind."""
        return [(event.call, event.t_ns / MS) for event in self.history if event.kind == kind]  # type: ignore[attr-defined]


def scenario(services: Any, *, cancels: bool = True, at_most: int = 1, after: str = "50ms", **more: Any) -> Any:
    """Return a shared world in which requests call `db`, with a copy more after some time."""
    values: dict[str, Any] = {
        "world": "shared",
        "seed": 1,
        "replications": 1,
        "retrier": {"kind": "policy", "hedge": {"after": after, "at_most": at_most, "cancels": cancels}},
        "requests": {"count": 1, "arrivals": {"constant": {"rate": "1/s"}}},
        "action": {"service": "db"},
        "services": services,
    }
    return from_dict({**values, **more})


def seen(cell: Any) -> Seen:
    recorder, calls = Recorder(), CallLog()
    world = World(cell, recorder=recorder, calls=calls)
    requests = world.shared()
    history = recorder.history()
    end_ns = world.clock.now_ns
    view = View(history, terms_of(world, records=table(requests)))
    return Seen(
        list(requests),
        history,
        world.traffic().calls,
        [f"{one.invariant}: {one.text}" for one in check_view(view, INVARIANTS)],
        end_ns,
    )


def db(*latencies: str, **more: Any) -> dict[str, Any]:
    """Return a service whose calls take these times, one after the other."""
    script = [{"outcome": "success", "latency": latency} for latency in latencies]
    return {"db": {"script": script, **more}}


LEGS = {"request": {"constant": "5ms"}, "reply": {"constant": "5ms"}}


def test_work_in_progress_stops_and_frees_its_server() -> None:
    """The copy of 50 ms succeeds at 70 ms: the work of the first call, of 200 ms, ends then."""
    found = seen(scenario(db("200ms", "20ms")))
    assert found.at_service("work_end") == [(1, 70), (0, 70)]
    assert [CallEnd(end).name for end in found.calls.end] == ["cut", "success"]
    assert (found.calls.ended_ns[0], found.broken) == (70 * MS, [])


def test_an_effect_still_ahead_does_not_come() -> None:
    found = seen(scenario(db("200ms", "20ms", effect_at=0.9)))
    assert [event.attempt for event in found.history if event.kind == "effect"] == [2]
    assert found.broken == []


def test_an_effect_that_has_come_stays() -> None:
    found = seen(scenario(db("200ms", "20ms", effect_at=0.1)))
    assert [(event.attempt, event.t_ns // MS) for event in found.history if event.kind == "effect"] == [
        (1, 20),
        (2, 52),
    ]
    assert found.broken == []


def test_no_timer_of_stopped_work_keeps_the_world_going() -> None:
    assert seen(scenario(db("1h", "20ms", effect_at=0.5))).end_ns == 70 * MS


def test_the_word_takes_the_time_of_the_network() -> None:
    """The copy arrives at 55 ms and is worked on until 75 ms; its answer is there at 80 ms, the word of it at 85 ms."""
    found = seen(scenario(db("200ms", "20ms", network=LEGS)))
    assert (found.at_service("cancel_sent"), found.at_service("cancel_heard")) == ([(0, 80)], [(0, 85)])
    assert found.at_service("work_end") == [(1, 75), (0, 85)]
    assert found.broken == []


def test_word_that_comes_too_late_changes_nothing() -> None:
    """The first call ends its work at 83 ms, two before the word of 80 ms arrives."""
    found = seen(scenario(db("78ms", "20ms", network=LEGS)))
    assert found.at_service("cancel_heard") == [(0, 85)]
    assert [CallEnd(end).name for end in found.calls.end] == ["success", "success"]
    assert found.broken == []


def test_a_call_that_waits_is_dropped() -> None:
    """With one server the copy waits behind the first call, and has nothing to wait for when that succeeds."""
    found = seen(scenario(db("200ms", "20ms", servers=1, queue={"order": "fifo"}), requests={"count": 1}))
    # The server is free before the caller hears, so the copy begins at 200 ms and stops at once.
    assert found.at_service("work_end") == [(0, 200), (1, 200)]
    assert found.broken == []


def test_a_call_that_waits_behind_others_leaves_the_queue() -> None:
    """Requests 0 and 1 hold both servers; the copy of request 1 waits behind that of request 0, which begins first."""
    service = db("60ms", "1s", servers=1, queue={})
    cell = scenario(service, requests={"count": 2, "arrivals": {"constant": {"rate": "100/s"}}}, after="15ms")
    found = seen(cell)
    # 0 works until 60 ms; 1 (of 10 ms), its copy (25 ms) and the copy of 0 (15 ms) wait: the copy of 0 leaves at 60 ms.
    assert found.at_service("dropped")
    assert found.broken == []
    assert CallEnd.dropped in found.calls.end


def test_a_call_that_hangs_stops() -> None:
    hangs = {"db": {"script": [{"outcome": "hang"}, {"outcome": "success", "latency": "20ms"}], "servers": 2}}
    found = seen(scenario(hangs))
    assert found.at_service("work_end") == [(1, 70), (0, 70)]
    assert found.broken == []


def test_contact_is_not_lost_with_work_that_was_stopped() -> None:
    lost = {"db": {"script": [{"outcome": "lost_contact", "latency": "1h"}, {"outcome": "success", "latency": "1ms"}]}}
    found = seen(scenario(lost))
    assert ([event for event in found.history if event.kind == "lost"], found.end_ns) == ([], 51 * MS)


def test_calls_of_other_services_are_given_up() -> None:
    """The gateway's first call of `db` takes 1 s; that of its copy takes 10 ms. What `db` works on goes on."""
    gateway = {"latency": {"constant": "10ms"}, "calls": [{"service": "db", "retrier": "none", "timeout": "2s"}]}
    services = {"gateway": gateway, **db("1s", "10ms")}
    found = seen(scenario(services, action={"service": "gateway"}))
    assert found.calls.given_up_ns.tolist().count(70 * MS) == 2  # the first attempt, and its call of `db`
    assert [CallEnd(end).name for end in found.calls.end] == ["cut", "success", "success", "success"]
    assert found.broken == []


def test_a_canceled_write_of_a_row_does_not_come() -> None:
    """A read of the row comes back after 10 ms; of two copies 4 ms apart the first writes, the second is stopped."""
    row = {"db": {"kind": "versioned_row", "network": {"request": {"constant": "5ms"}, "reply": {"constant": "5ms"}}}}
    found = seen(scenario(row, after="14ms"))
    assert [event.call for event in found.history if event.kind == "write_back"] == [0]  # type: ignore[attr-defined]
    assert found.broken == []


def test_work_of_a_class_of_the_users_own_is_stopped_where_it_waits() -> None:
    path = Path(__file__).parents[2] / "support"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "path", [str(path), *sys.path])
        text = """
        {world: shared, replications: 1, requests: {count: 1}, action: {service: db}, services: {db: {}},
        retrier: {kind: policy, hedge: {after: 50ms, cancels: true}}}"""
        cell = parse(text, services={"db": "own_services:Tidies"})
        world = World(cell)
        world.shared()
    service = world.services["db"]
    assert isinstance(service, OwnQueueingService)
    assert (service._made.stopped, world.clock.now_ns) == (1, 70 * MS)  # type: ignore[attr-defined]  # noqa: SLF001  # the user's own


# Laws.

LATENCIES = st.sampled_from(["10ms", "40ms", "55ms", "300ms"])


def times(service: dict[str, Any], seed: int, *, cancels: bool, count: int = 12, at_most: int = 2) -> Seen:
    arrivals = {"count": count, "arrivals": {"poisson": {"rate": "40/s"}}}
    return seen(scenario(service, cancels=cancels, at_most=at_most, requests=arrivals, seed=seed))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    effect_at=st.sampled_from([0.2, 0.8, 1.0]),
    fail=st.sampled_from([0.0, 0.3]),
    legs=st.booleans(),
)
def test_canceled_hedges_need_less_work_and_waste_less(seed: int, effect_at: float, fail: float, *, legs: bool) -> None:
    """With servers for all, what answers and when is the same; only work for callers who are gone is saved."""
    outcomes = {"fail": fail, "lost_contact": 0.05}
    law = {"exponential": {"mean": "60ms"}}
    service = {
        "db": {"latency": law, "outcomes": outcomes, "effect_at": effect_at, **({"network": LEGS} if legs else {})}
    }
    without, with_cancels = (times(service, seed, cancels=cancels) for cancels in (False, True))
    assert [one.settled_ns for one in with_cancels.requests] == [one.settled_ns for one in without.requests]
    before, after = without.calls, with_cancels.calls
    assert np.array_equal(before.sent_ns, after.sent_ns)
    assert (after.ended_ns - after.began_ns <= before.ended_ns - before.began_ns).all()
    canceled = after.end == CallEnd.cut
    assert (after.ended_ns[canceled] < before.ended_ns[canceled]).all()
    assert (without.broken, with_cancels.broken) == ([], [])


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    servers=st.integers(1, 4),
    order=st.sampled_from(["fifo", "lifo"]),
    abandoned=st.sampled_from(["served", "dropped"]),
    legs=st.booleans(),
)
def test_no_effect_and_no_work_comes_behind_a_cancel(
    seed: int, servers: int, order: str, abandoned: str, *, legs: bool
) -> None:
    """In crowded worlds too; the contracts of services say the same in more detail."""
    queue = {"limit": 6, "order": order, "max_wait": "200ms", "abandoned": abandoned}
    law = {"exponential": {"mean": "60ms"}}
    service = {"servers": servers, "queue": queue, "latency": law, "effect_at": 0.7, "outcomes": {"fail": 0.2}}
    found = times({"db": {**service, **({"network": LEGS} if legs else {})}}, seed, cancels=True)
    heard = {event.call: event.t_ns for event in found.history if event.kind == "cancel_heard"}  # type: ignore[attr-defined]
    late = [
        event
        for event in found.history
        if event.kind in {"work", "queued"} and event.t_ns > heard.get(event.call, event.t_ns)  # type: ignore[attr-defined]
    ]
    assert (late, found.broken) == ([], [])


def test_some_of_these_worlds_cancel_what_waits_and_what_is_worked_on() -> None:
    service = {"db": {"servers": 2, "queue": {"limit": 6}, "latency": {"exponential": {"mean": "60ms"}}}}
    ends = {CallEnd(end).name for seed in range(5) for end in times(service, seed, cancels=True).calls.end}
    assert {"cut", "dropped"} <= ends


@pytest.mark.parametrize("network", [{}, LEGS])
def test_a_search_of_a_small_world_knows_canceled_calls(network: Any) -> None:
    service = {"db": {"servers": 1, "latency": {"constant": "1s"}, "network": network, "outcomes": {"fail": 0.1}}}
    cell = scenario(service, after="500ms", requests={"count": 2, "arrivals": {"constant": {"rate": "2/s"}}})
    found = explore(cell, Bounds(requests=2, attempts=4), invariants=INVARIANTS)
    assert (set(found.broken), found.complete) == (set(), True)
