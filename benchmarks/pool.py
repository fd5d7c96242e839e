"""A pool against the component: what one work costs in a shared world, for `benchmarks/event_engine.py`.

Both sides simulate the same requests: Poisson arrivals, an action with exponential latency that fails with probability
0.2, backoffs of 250 ms that double, five attempts at most, so `ATTEMPTS` on average.

The load of a pool is the share of its slots that works hold. A work holds its slot longer than its action takes: the
slot is freed at the loop's next run. While there is work now and then, the loop runs every 200 ms, so a slot waits for
it 100 ms on average. So load 0.8 of 10 slots is a rate of 0.8 * 10 / (`ATTEMPTS` * (mean latency + 100 ms)). A run
whose history is recorded shows the load that this makes.

The shorter the actions, the more works each run of the loop starts and ends. The longer they are, the more often it
looks in vain: with actions of 10 s that is some nine runs a work, each a transaction of its own that the component has
no counterpart of.
"""

from __future__ import annotations

import statistics
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from timing import cpu_s, interleaved, ratio

from sim.engine.event import simulate
from sim.engine.world import World
from sim.history.deployment_events import DocumentWritten
from sim.history.recorder import Recorder
from sim.scenario.load import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.scenario.schema import Scenario

LOAD: Final = 0.8
SLOTS: Final = 10
FAILING: Final = 0.2
ATTEMPTS: Final = (1 - FAILING**5) / (1 - FAILING)
WAIT_S: Final = 0.1
"""From the end of an action to the loop's next run, on average."""
LATENCIES_S: Final = (0.3, 1.0, 10.0)
PROFILES: Final = ("convex", "ideal")
OVERLOAD: Final = 4.0
"""The load at which a backlog grows until the last arrival, to three quarters of all works."""
TRACED: Final = 2_000
"""Works of the run whose history is recorded."""
RETRIERS: Final = {
    "pool": f"{{kind: workpool, max_parallelism: {SLOTS}, attempts: 5, initial_backoff: 250ms, base: 2}}",
    "component": "{kind: component, max_failures: 4, initial_backoff: 250ms, base: 2}",
}


class Kind(NamedTuple):
    """Which world: its platform and the mean latency of its action, in seconds."""

    profile: str
    latency_s: float


def scenario(retrier: str, kind: Kind, works: int, load: float = LOAD) -> Scenario:
    """Return the scenario of one side."""
    rate = load * SLOTS / (ATTEMPTS * (kind.latency_s + WAIT_S))
    return parse(f"""
world: shared
requests: {{count: {works}, arrivals: {{poisson: {{rate: {rate}/s}}}}}}
platform: {{profile: {kind.profile}}}
retrier: {RETRIERS[retrier]}
action: {{outcomes: {{fail: {FAILING}}}, latency: {{exponential: {{mean: {kind.latency_s}s}}}}}}
""")


def load_seen(kind: Kind) -> float:
    """Return the share of the slots that works hold, by the documents of a recorded run, until the last arrival."""
    recorder = Recorder()
    world = World(scenario("pool", kind, TRACED), recorder=recorder)
    end_ns = max(request.submitted_ns for request in world.shared())
    held_ns = before_ns = held = 0
    for event in recorder.history():
        if event.t_ns > end_ns:
            break
        if isinstance(event, DocumentWritten) and "internalState" in event.document_id and event.document is not None:
            held_ns += held * (event.t_ns - before_ns)
            before_ns, held = event.t_ns, len(event.document["running"])
    return held_ns / before_ns / SLOTS


def per_request_us(retrier: str, kind: Kind, works: int, load: float = LOAD) -> float:
    """Simulate; return the CPU time of a request in microseconds."""
    cell = scenario(retrier, kind, works, load)
    return cpu_s(lambda: simulate(cell))[0] / works * 1e6


def lines(works: int, rounds: int) -> Iterator[str]:
    """Return what is printed: times and ratios of both retriers, and those of a pool with a long backlog."""
    yield f"a pool of {SLOTS} at load {LOAD} against the component, {works:,} works in one shared world"
    for profile in PROFILES:
        for latency_s in LATENCIES_S:
            kind = Kind(profile, latency_s)
            for retrier in RETRIERS:
                simulate(scenario(retrier, kind, 100))  # compiles what later runs reuse
            sides = {retrier: partial(per_request_us, retrier, kind, works) for retrier in RETRIERS}
            times = interleaved(sides, rounds)
            ours, theirs = (statistics.median(times[retrier]) for retrier in RETRIERS)
            yield (
                f"  {profile}, action of {latency_s:g} s (seen load {load_seen(kind):.2f}): {ours:.0f} us against "
                f"{theirs:.0f} us, {ratio(times['pool'], times['component']):.2f} times the component's"
            )
    crowd = partial(per_request_us, "pool", Kind("convex", 0.3), load=OVERLOAD)
    times = interleaved({str(count): partial(crowd, count) for count in (works // 10, works)}, rounds)
    growth = ratio(times[str(works)], times[str(works // 10)])
    yield f"  at load {OVERLOAD:g} one of {works:,} works takes {growth:.2f} times as long as one of {works // 10:,}"
