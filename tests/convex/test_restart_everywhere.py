"""A restart at every commit and around every effect of a small shared world: what the platform owes, it keeps.

Mutations commit exactly once, actions start at most once, and no job is left in progress. The instants are those of
the undisturbed run; +-1 ns of each are tried too, so that a restart falls just before and just after it.
"""

from collections import Counter
from typing import Any

import pytest

from sim.engine.event import World
from sim.kernel.history import Event, Recorder
from sim.kernel.records import Outcome
from sim.scenario.schema import Scenario

SCENARIO = """
world: shared
seed: {seed}
retrier: component
requests: {{count: 3, arrivals: {{constant: {{rate: 5/s}}}}}}
action:
  latency: {{uniform: {{low: 20ms, high: 400ms}}}}
  outcomes: {{fail: 0.35, crash_after_effect: 0.1}}
  effect_at: 0.7
platform:
  parallelism: 2
  mutation_latency: {{uniform: {{low: 1ms, high: 9ms}}}}
  commit_window: {{uniform: {{low: 1ms, high: 9ms}}}}
  dispatch_latency: {{uniform: {{low: 1ms, high: 9ms}}}}
{faults}
"""
FAULTS = "faults: [{{restart: {{at: [{at_ns}ns], down: {down}, inflight: {inflight}}}}}]"
SEEDS = (1, 2)


def run(seed: int, faults: str = "") -> tuple[World, list[Event]]:
    recorder = Recorder()
    world = World(Scenario.parse(SCENARIO.format(seed=seed, faults=faults)), recorder=recorder)
    world.requests = world.shared()
    return world, recorder.history().events


def instants(events: list[Event]) -> list[int]:
    """Return every instant at which something is committed or takes effect, and its neighbors."""
    points = {event.t_ns for event in events if event.kind in {"commit", "state", "effect", "attempt_end"}}
    return sorted({instant + shift for instant in points for shift in (-1, 0, 1) if instant + shift > 0})


def broken_promises(world: Any, events: list[Event]) -> list[str]:
    """Say which of the platform's promises a run has broken."""
    broken = []
    commits = Counter(event.subject for event in events if event.kind == "commit" and event.subject >= 0)
    broken += [f"job {job} committed {count} times" for job, count in commits.items() if count > 1]
    starts = Counter(event.subject for event in events if event.kind == "state" and event.detail[1] == "inProgress")
    broken += [f"action {job} started {count} times" for job, count in starts.items() if count > 1]
    ends = Counter(event.subject for event in events if event.kind == "state" and event.detail[1] != "inProgress")
    for job in world.deployment.store.jobs.values():
        if job.state in {"pending", "inProgress"} or ends[job.id] != 1:
            broken.append(f"job {job.id} ({job.function.name}) is {job.state} and ended {ends[job.id]} times")
        if job.function.kind == "mutation" and (job.state == "success") != (commits[job.id] == 1):
            broken.append(f"job {job.id} is {job.state} with {commits[job.id]} commits")
    attempts = Counter((event.request, event.subject) for event in events if event.kind == "effect")
    broken += [f"attempt {who} had {count} effects" for who, count in attempts.items() if count > 1]
    for request in world.requests:
        if request.outcome not in {Outcome.success, Outcome.gave_up, Outcome.stuck}:
            broken.append(f"request {request.number} is {request.outcome.name}")
        if request.attempts > request.actions:
            broken.append(f"request {request.number} has {request.attempts} attempts in {request.actions} executions")
    if world.deployment.executor.free != 2:
        broken.append(f"{world.deployment.executor.free} slots of 2 are free at the end")
    return broken


@pytest.mark.parametrize("seed", SEEDS)
def test_the_undisturbed_world_has_something_to_disturb(seed: int) -> None:
    world, events = run(seed)
    kinds = Counter(event.kind for event in events)
    retried = sum(request.attempts > 1 for request in world.requests)
    assert (broken_promises(world, events), kinds["commit"] >= 9, kinds["effect"] >= 3, retried > 0) == (
        [],
        True,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("down", "inflight"), [("0s", "continues"), ("30ms", "continues"), ("30ms", "lost"), ("20s", "continues")]
)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_restart_anywhere_breaks_no_promise(seed: int, down: str, inflight: str) -> None:
    _, undisturbed = run(seed)
    broken = {}
    for at_ns in instants(undisturbed):
        world, events = run(seed, FAULTS.format(at_ns=at_ns, down=down, inflight=inflight))
        if found := broken_promises(world, events):
            broken[at_ns] = found
    assert broken == {}


def test_every_instant_is_really_hit() -> None:
    _, undisturbed = run(SEEDS[0])
    hit = []
    for at_ns in instants(undisturbed):
        _, events = run(SEEDS[0], FAULTS.format(at_ns=at_ns, down="0s", inflight="continues"))
        hit.append([event.t_ns for event in events if event.kind == "restart"] == [at_ns])
    # The last one lies behind the end of the undisturbed world, which no restart keeps going.
    assert hit == [True] * (len(hit) - 1) + [False]


def test_restarts_cost_executions_and_leave_zombies() -> None:
    died, late = 0, 0
    for at_ns in instants(run(SEEDS[0])[1]):
        _, events = run(SEEDS[0], FAULTS.format(at_ns=at_ns, down="30ms", inflight="continues"))
        dead = {(event.request, event.subject): event.t_ns for event in events if event.name == "died"}
        died += len(dead) > 0
        late += any(
            event.kind == "effect" and event.t_ns > dead.get((event.request, event.subject), event.t_ns)
            for event in events
        )
    assert (died > 0, late > 0) == (True, True)
