"""A restart at every commit and around every effect of a small shared world: what the platform owes, it keeps.

Mutations commit exactly once, actions start at most once, and no job is left in progress. The instants are those of
the undisturbed run; +-1 ns of each are tried too, so that a restart falls just before and just after it.
"""

from collections.abc import Callable
from typing import Any

import pytest

from sim.history.events import Event
from sim.scenario.load import parse
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
limits: {{events: 100000}}
{faults}
"""
FAULTS = "faults: [{{restart: {{at: [{at_ns}ns], down: {down}, inflight: {inflight}}}}}]"
SEEDS = (1, 2)
Run = Callable[..., Any]


@pytest.fixture(name="run")
def run_seed(shared_world: Callable[[Scenario], Any]) -> Run:
    """Return the way to simulate the world of a seed, with faults or without."""

    def run(seed: int, faults: str = "") -> Any:
        return shared_world(parse(SCENARIO.format(seed=seed, faults=faults)))

    return run


def instants(events: list[Event]) -> list[int]:
    """Return every instant at which something is committed or takes effect, and its neighbors."""
    points = {event.t_ns for event in events if event.kind in {"commit", "state", "effect", "attempt_end"}}
    return sorted({instant + shift for instant in points for shift in (-1, 0, 1) if instant + shift > 0})


@pytest.mark.parametrize("seed", SEEDS)
def test_the_undisturbed_world_has_something_to_disturb(run: Run, seed: int) -> None:
    world = run(seed)
    retried = any(request.attempts > 1 for request in world.requests)
    enough = world.count("commit") >= 9, world.count("effect") >= 3, retried
    assert (world.broken_promises(), enough) == ([], (True, True, True))


@pytest.mark.parametrize(
    ("down", "inflight"), [("0s", "continues"), ("30ms", "continues"), ("30ms", "lost"), ("20s", "continues")]
)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_restart_anywhere_breaks_no_promise(run: Run, seed: int, down: str, inflight: str) -> None:
    broken = {}
    for at_ns in instants(run(seed).events):
        world = run(seed, FAULTS.format(at_ns=at_ns, down=down, inflight=inflight))
        if found := world.broken_promises():
            broken[at_ns] = found
    assert broken == {}


def test_every_instant_is_really_hit(run: Run) -> None:
    hit = []
    for at_ns in instants(run(SEEDS[0]).events):
        events = run(SEEDS[0], FAULTS.format(at_ns=at_ns, down="0s", inflight="continues")).events
        hit.append([event.t_ns for event in events if event.kind == "restart"] == [at_ns])
    # The last one lies behind the end of the undisturbed world, which no restart keeps going.
    assert hit == [True] * (len(hit) - 1) + [False]


def test_restarts_cost_executions_and_leave_zombies(run: Run) -> None:
    died, late = 0, 0
    for at_ns in instants(run(SEEDS[0]).events):
        events = run(SEEDS[0], FAULTS.format(at_ns=at_ns, down="30ms", inflight="continues")).events
        dead = {
            (event.request, event.attempt): event.t_ns
            for event in events
            if event.kind == "attempt_end" and event.end == "died"
        }
        died += len(dead) > 0
        late += any(
            event.kind == "effect" and event.t_ns > dead.get((event.request, event.attempt), event.t_ns)
            for event in events
        )
    assert (died > 0, late > 0) == (True, True)
