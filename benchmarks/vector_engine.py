"""How fast the vector engine is, as ratios measured in one interleaved run.

    python benchmarks/vector_engine.py [--rounds N] [--requests N] [--events N]

Four questions. Each round times every side once, as CPU time of this process and a request; medians are printed.

A plain retry loop: call; if the call failed, wait with jitter and a growing delay and call again, ten attempts at most;
seven calls of ten fail. One side is the simplest SimPy model of it: a process a request, Python's own random numbers.
The other is the vector engine with the component, which does no more than that if nothing crashes. The limit is the
time to draw the same numbers and to transform them into outcomes, latencies and backoffs. The loop runs once with
lognormal latencies, whose transform is most of the work, and once with constant ones.

Polling: the helpers retrier, with records in a results file and percentiles, against the simplest SimPy model of the
same polling, which stores nothing.

Policies: the same retry loop as `policy`, with full jitter and lognormal latencies, as it is and with a deadline and a
timeout that one call in twenty reaches. One side is the event engine. The limit is of the same kind: the numbers that
the loop draws, and their transforms.

Pools: a work alone in its pool of `workpool`, as it is and with deaths, which hold its slot for minutes. One side is
the event engine, with a tenth of its requests, since each makes a dozen runs of the pool's loop.

The whole: the time of the event engine for the same requests as the vector engine.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import simpy
from simpy_polling import polling
from timing import cpu_s, interleaved, ratio

from sim.api.run import run
from sim.engine import event, vector
from sim.engine.vector.engine import BLOCK
from sim.kernel.draws import Draws
from sim.scenario.load import from_dict, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sim.history.records import Requests
    from sim.scenario.schema import Scenario

FAIL, MEDIAN_S = 0.7, 0.12
ATTEMPTS, INITIAL_MS, BASE = 10, 20, 1.5
SIGMA = 0.8662
"""Of the logarithm of the latencies, as ln(P99 / median) / 2.3263."""
LOOPS = {
    law: parse(f"""
retrier: {{kind: component, initial_backoff: {INITIAL_MS}ms, base: {BASE}, max_failures: {ATTEMPTS - 1}}}
action: {{latency: {{{latency}}}, outcomes: {{fail: {FAIL}}}}}
""")
    for law, latency in (("lognormal", "lognormal: {median: 120ms, p99: 900ms}"), ("constant", "constant: 120ms"))
}
POLICIES = {
    name: parse(f"""
retrier: {{kind: policy, attempts: {ATTEMPTS}, {limits}
  delay: {{exponential: {{initial: {INITIAL_MS}ms, factor: {BASE}, jitter: full}}}}}}
action: {{latency: {{lognormal: {{median: 120ms, p99: 900ms}}}}, outcomes: {{fail: {FAIL}}}}}
""")
    for name, limits in (("plain", ""), ("limited", "timeout: 500ms, deadline: 30s, "))
}
POOLS = {
    name: parse(f"""
retrier: workpool
action: {{latency: {{lognormal: {{median: 120ms, p99: 900ms}}}}, outcomes: {{fail: 0.3{deaths}}}}}
""")
    for name, deaths in (("plain", ""), ("dying", ", crash_before_effect: 0.05, lost_contact: 0.05"))
}
POLLED = parse("""
retrier: helpers
requests: {count: 200000}
action: {latency: {constant: 50ms}, outcomes: {fail: 0.3}}
""")


def simpy_loop(law: str, requests: int) -> float:
    """Simulate the retry loop with SimPy processes; returns attempts a request."""
    draw, lognormal = random.random, random.lognormvariate
    mu, varies = float(np.log(MEDIAN_S)), law == "lognormal"
    attempts = 0

    def request() -> Generator[simpy.Event, object, None]:
        nonlocal attempts
        delay = INITIAL_MS / 1000
        for _ in range(ATTEMPTS):
            attempts += 1
            yield env.timeout(lognormal(mu, SIGMA) if varies else MEDIAN_S)
            if draw() >= FAIL:
                return
            delay *= BASE
            yield env.timeout(delay * (0.5 + draw()))

    env = simpy.Environment()
    for _ in range(requests):
        env.process(request())
    env.run()
    return attempts / requests


def drawn_alone(law: str, requests: int, *, stream: str = "backoff", least: float = 0.5) -> float:
    """Draw and transform the numbers of the retry loop without using them; returns attempts a request.

    A backoff is the drawn number more than `least` times itself.
    """
    latency, seed = LOOPS[law].action.latency, LOOPS[law].seed
    attempts = 0
    for first in range(0, requests, BLOCK):
        numbers = np.arange(first, min(first + BLOCK, requests), dtype=np.int64)
        draws = Draws(seed).of(numbers)
        rows = np.arange(len(numbers))
        for number in range(1, ATTEMPTS + 1):
            attempts += len(rows)
            failed = draws.uniforms("outcome", number, rows) < FAIL
            if law == "lognormal":
                latency.sample_ns(draws.uniforms("latency", number, rows))
            rows = rows[failed]
            if number < ATTEMPTS:
                backoff_ms = INITIAL_MS * BASE**number * (least + draws.uniforms(stream, number, rows))
                np.rint(backoff_ms * 1e6).astype(np.int64)
    return attempts / requests


def in_blocks(scenario: Scenario, requests: int, of: Callable[[Requests], int]) -> float:
    """Simulate requests with the vector engine, 65,536 at a time; returns the mean of a count over the requests."""
    total = 0
    for first in range(0, requests, 1 << 16):
        total += of(vector.simulate(scenario, range(first, min(first + (1 << 16), requests))))
    return total / requests


def vector_loop(law: str, requests: int) -> float:
    """Simulate the retry loop with the vector engine; returns attempts a request."""
    return in_blocks(LOOPS[law], requests, lambda found: int(found.attempts.sum()))


def stored_polling(requests: int) -> float:
    """Run the polling with a results file and percentiles; returns polls a request."""
    scenario = from_dict({**POLLED.written, "requests": {"count": requests}})
    with tempfile.TemporaryDirectory() as folder:
        result = run(scenario, out=Path(folder) / "out")
        for metric in ("time_to_effect", "time_to_known", "detection_lag"):
            for share in ("p50", "p90", "p99", "p99.9"):
                result.cells[0].metrics.value(f"{metric}.{share}")
        return float(result.cells[0].metrics.value("polls.mean").value or 0)


def vector_polling(requests: int) -> float:
    """Simulate the polling with the vector engine; returns polls a request."""
    return in_blocks(POLLED, requests, lambda found: int(found.polls.sum()))


def vector_policy(name: str, requests: int) -> float:
    """Simulate a policy with the vector engine; returns attempts a request."""
    return in_blocks(POLICIES[name], requests, lambda found: int(found.attempts.sum()))


def event_policy(name: str, requests: int) -> float:
    """Simulate a policy with the event engine; returns attempts a request."""
    return float(event.simulate(POLICIES[name], numbers=range(requests)).attempts.mean())


def vector_pool(name: str, requests: int) -> float:
    """Simulate pools with the vector engine; returns polls a request."""
    return in_blocks(POOLS[name], requests, lambda found: int(found.polls.sum()))


def event_pool(name: str, requests: int) -> float:
    """Simulate pools with the event engine; returns polls a request."""
    return float(event.simulate(POOLS[name], numbers=range(requests)).polls.mean())


def event_polling(requests: int) -> float:
    """Simulate the polling with the event engine; returns polls a request."""
    return float(event.simulate(POLLED, numbers=range(requests)).polls.mean())


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (at least 5)")
    parser.add_argument("--requests", type=int, default=1_000_000, help="requests of the vector engine")
    parser.add_argument("--events", type=int, default=20_000, help="requests of SimPy and of the event engine")
    given = parser.parse_args()
    rounds = max(given.rounds, 5)
    sides: dict[str, tuple[Callable[[int], float], int]] = {}
    for law in LOOPS:
        sides[f"{law} loop, SimPy"] = (partial(simpy_loop, law), given.events)
        sides[f"{law} loop, vector"] = (partial(vector_loop, law), given.requests)
        sides[f"{law} loop, limit"] = (partial(drawn_alone, law), given.requests)
    for name in POLICIES:
        sides[f"{name} policy, event"] = (partial(event_policy, name), given.events)
        sides[f"{name} policy, vector"] = (partial(vector_policy, name), given.requests)
    for name in POOLS:
        sides[f"{name} pool, event"] = (partial(event_pool, name), max(given.events // 10, 1))
        sides[f"{name} pool, vector"] = (partial(vector_pool, name), given.requests)
    sides["plain policy, limit"] = (partial(drawn_alone, "lognormal", stream="delay", least=0.0), given.requests)
    sides |= {
        "polling, SimPy": (lambda requests: polling(requests, lambda: 0.05), given.events),
        "polling, vector": (vector_polling, given.requests),
        "polling, stored": (stored_polling, given.requests),
        "polling, event": (event_polling, given.events),
    }
    counted: dict[str, float] = {}

    def measured(name: str, side: Callable[[int], float], requests: int) -> float:
        seconds, counted[name] = cpu_s(lambda: side(requests))
        return seconds / requests * 1e9

    times = interleaved({name: partial(measured, name, *sides[name]) for name in sides}, rounds)
    for name, found in times.items():
        unit = "polls" if "polling" in name or "pool," in name else "attempts"
        print(f"{name:22s} {statistics.median(found):10,.0f} ns of CPU a request, {counted[name]:.3f} {unit} each")

    def speed(slow: str, fast: str) -> float:
        return ratio(times[slow], times[fast])

    print(f"\nmedians of {rounds} rounds")
    for law in LOOPS:
        print(f"plain retry loop, {law} latencies: {speed(f'{law} loop, SimPy', f'{law} loop, vector'):.0f} x SimPy")
        print(f"    {speed(f'{law} loop, limit', f'{law} loop, vector'):.2f} of the limit")
    for name in POLICIES:
        print(f"{name} policy: {speed(f'{name} policy, event', f'{name} policy, vector'):.0f} x the event engine")
    print(f"    the plain one {speed('plain policy, limit', 'plain policy, vector'):.2f} of the limit")
    for name in POOLS:
        print(f"{name} pool: {speed(f'{name} pool, event', f'{name} pool, vector'):.0f} x the event engine")
    print(f"polling, with results file and percentiles: {speed('polling, SimPy', 'polling, stored'):.0f} x SimPy")
    print(f"polling, the engine alone: {speed('polling, SimPy', 'polling, vector'):.0f} x SimPy")
    print(f"    {speed('polling, event', 'polling, vector'):.0f} x the event engine")


if __name__ == "__main__":
    main()
