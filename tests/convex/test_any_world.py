"""Whatever befalls a shared world, the platform keeps its promises: random worlds with everything in them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.scenario.load import from_dict, parse
from sim.scenario.schema import Scenario

Make = Callable[[Scenario], Any]
LATENCIES = st.sampled_from(
    ["none", {"constant": "300ms"}, {"uniform": {"low": "0s", "high": "1s"}}, {"exponential": {"mean": "10ms"}}]
)


def restarts(instants_ms: list[int], down: str, inflight: str) -> list[Any]:
    at = [f"{instant}ms" for instant in sorted(set(instants_ms))]
    return [{"restart": {"at": at, "down": down, "inflight": inflight}}] if at else []


worlds = st.fixed_dictionaries(
    {
        "world": st.just("shared"),
        "seed": st.integers(0, 2**32),
        "retrier": st.sampled_from(["article", "helpers", "component"]),
        "requests": st.fixed_dictionaries(
            {
                "count": st.sampled_from([20, 10, 3]),
                "arrivals": st.sampled_from(["at_once", {"poisson": {"rate": "10/s"}}]),
            }
        ),
        "action": st.fixed_dictionaries(
            {
                "latency": st.sampled_from(
                    [{"constant": "0s"}, {"constant": "100ms"}, {"lognormal": {"median": "200ms", "p99": "15s"}}]
                ),
                "outcomes": st.just(
                    {
                        "fail": 0.2,
                        "ack_lost": 0.05,
                        "crash_before_effect": 0.05,
                        "crash_after_effect": 0.05,
                        "lost_contact": 0.05,
                        "hang": 0.02,
                    }
                ),
                "effect_at": st.sampled_from([0.0, 0.5, 1.0]),
            }
        ),
        "platform": st.fixed_dictionaries(
            {
                "parallelism": st.sampled_from([1, 2, 8]),
                "mutation_latency": LATENCIES,
                "commit_window": LATENCIES,
                "dispatch_latency": LATENCIES,
                "action_time_limit": st.sampled_from(["2s", "600s"]),
                "crash_detection": st.sampled_from(["0s", "500ms"]),
                "retention": st.sampled_from(["none", "1s"]),
            }
        ),
        "faults": st.builds(
            lambda planned, share: planned + ([{"system_error": {"share": share}}] if share else []),
            st.builds(
                restarts,
                st.lists(st.integers(1, 20_000), max_size=5),
                st.sampled_from(["0s", "10ms", "2s"]),
                st.sampled_from(["continues", "lost"]),
            ),
            st.sampled_from([0.0, 0.01, 0.2]),
        ),
        # A world that did not come to an end would be a broken promise too.
        "limits": st.just({"events": 300_000, "polls_per_request": 10_000}),
        "cancel": st.fixed_dictionaries(
            {
                "share": st.sampled_from([0.0, 0.5]),
                "after": st.sampled_from([{"exponential": {"mean": "1s"}}, {"uniform": {"low": "0s", "high": "2s"}}]),
                "target": st.sampled_from(["request", "action", "poll"]),
            }
        ),
    }
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=worlds)
def test_no_world_breaks_a_promise(shared_world: Make, values: dict[str, Any]) -> None:
    assert shared_world(from_dict(values)).broken_promises() == []


# The checks themselves: each is shown a broken world.


WORLD = "world: shared\nrequests: {count: 3}\nretrier: component\naction: {script: [{outcome: success}]}\n"


def doubled(world: Any, kind: str, state: str = "") -> None:
    """Let something of a kind have happened twice to a job or an attempt."""
    those = [event for event in world.events if event.kind == kind and getattr(event, "job", 0) >= 0]
    again = [event for event in those if not state or event.after == state]
    world.events.append(again[0])


@pytest.mark.parametrize(
    ("breaking", "expected"),
    [
        (lambda world: doubled(world, "commit"), "committed 2 times"),
        (lambda world: doubled(world, "state", "inProgress"), "started 2 times"),
        (lambda world: doubled(world, "state", "success"), "ended 2 times"),
        (lambda world: doubled(world, "effect"), "had 2 effects"),
        (lambda world: setattr(world.jobs[0], "state", "inProgress"), "is still inProgress"),
        (lambda world: setattr(world.jobs[1], "state", "failed"), "is failed with 1 commits"),
        (lambda world: setattr(world.jobs[1], "state", "failed"), "failed, but did not throw"),
        (lambda world: setattr(world, "slots", 1), "jobs run in 1 slots"),
        (lambda world: setattr(world.executor, "free", 7), "7 of 8 slots are free"),
        (lambda world: setattr(world.requests[0], "actions", 0), "1 attempts in 0 executions"),
        (lambda world: setattr(world.requests[0], "settled_ns", -1), "is success, settled at -1"),
        (lambda world: setattr(world.requests[0], "known_attempt_end_ns", 10**18), "that had not ended"),
    ],
)
def test_a_broken_promise_is_seen(shared_world: Make, breaking: Callable[[Any], Any], expected: str) -> None:
    world = shared_world(parse(WORLD))
    before = world.broken_promises()
    breaking(world)
    found = Counter(expected in promise for promise in world.broken_promises())
    assert (before, found[True] > 0) == ([], True)


def test_a_stale_read_is_seen(shared_world: Make) -> None:
    world = shared_world(parse(WORLD))
    number, event = next(
        (number, event)
        for number, event in enumerate(world.events)
        if event.kind == "commit" and event.function == "finishExecution"
    )
    world.events[number] = replace(event, begin_ts=0)
    assert [promise for promise in world.broken_promises() if "as of 0, and commit" in promise] != []
