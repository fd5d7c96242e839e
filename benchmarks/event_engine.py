"""How fast the event engine is, as ratios measured in one interleaved run.

    python benchmarks/event_engine.py [--rounds N] [--requests N] [--works N]

Both sides simulate the same thing: the `article` retrier with its defaults, an action of 50 ms that fails twice and
then succeeds. One is the simplest SimPy model of that polling: a process a request and a process an attempt, all
requests in one environment, no store. The other is the whole deployment: every poll a transaction against the store,
every job a row with its legal steps. Times are CPU time of this process; each round times all sides once; medians over
the rounds are printed. The engine counts the commits of a request, and so does, independently, a traced run.

A pool is held against the component in shared worlds; `benchmarks/pool.py` says how.

The ratio depends on the number of requests: one heap and one garbage collector for all of them cost the model more and
more, while the engine simulates one world at a time.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial
from typing import TYPE_CHECKING

import pool
import simpy
from timing import cpu_s, interleaved, ratio

from sim.engine.world import World
from sim.history.deployment_events import JobStepped
from sim.history.recorder import Recorder
from sim.scenario.load import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

SCENARIO = """
retrier: article
action: {script: [{outcome: fail, latency: 50ms}, {outcome: fail, latency: 50ms}, {outcome: success, latency: 50ms}]}
"""
WAIT_MS, RETRY_MS, BASE, MAX_FAILURES, LATENCY_MS, FAILURES = 10, 10, 2, 16, 50, 2


def simplest_model(requests: int) -> int:
    """Simulate the same polling with SimPy processes and no store; returns the polls made."""
    polls = 0

    def attempt(number: int, job: list[str]) -> Generator[simpy.Event, object, None]:
        yield env.timeout(LATENCY_MS)
        job[0] = "failed" if number <= FAILURES else "success"

    def request() -> Generator[simpy.Event, object, None]:
        nonlocal polls
        wait, retry, left, number = WAIT_MS, RETRY_MS, MAX_FAILURES, 1
        job = ["pending"]
        env.process(attempt(number, job))
        yield env.timeout(0)
        while True:
            polls += 1
            match job[0]:
                case "pending":
                    yield env.timeout(wait)
                    wait *= BASE
                case "failed" if left > 0:
                    yield env.timeout(retry)
                    retry *= BASE
                    left -= 1
                    number += 1
                    job = ["pending"]
                    env.process(attempt(number, job))
                    yield env.timeout(0)
                case _:
                    return

    env = simpy.Environment()
    for _ in range(requests):
        env.process(request())
    env.run()
    return polls


def deployment(requests: int) -> int:
    """Simulate it with the event engine; returns the polls made."""
    finished = World(parse(SCENARIO)).isolated(range(requests))
    return sum(request.polls for request in finished)


def traced(requests: int) -> int:
    """Simulate it with the event engine and a recorder that is emptied after each request; returns the polls made."""
    recorder = Recorder()
    world = World(parse(SCENARIO), recorder=recorder)
    polls = 0
    for number in range(requests):
        (request,) = world.isolated([number])
        polls += request.polls
        recorder.raw.clear()
    return polls


def untraced_one_by_one(requests: int) -> int:
    """Simulate it as `traced` does, without the recorder; returns the polls made."""
    world = World(parse(SCENARIO))
    polls = 0
    for number in range(requests):
        (request,) = world.isolated([number])
        polls += request.polls
    return polls


def commits_per_request() -> tuple[int, int]:
    """Return the commits of one request, first by the store's count, then by a history."""
    world = World(parse(SCENARIO))
    world.isolated([0])
    recorder = Recorder()
    World(parse(SCENARIO), recorder=recorder).isolated([0])
    history = recorder.history()
    steps_of_actions = sum(isinstance(event, JobStepped) and event.function == "action" for event in history)
    return world.deployment.store.last_ts, sum(event.kind == "commit" for event in history) + steps_of_actions


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (at least 7)")
    parser.add_argument("--requests", type=int, default=50_000, help="requests of every side")
    parser.add_argument("--works", type=int, default=20_000, help="works of a shared pool")
    given = parser.parse_args()
    rounds = max(given.rounds, 7)
    sides = {"SimPy": simplest_model, "engine": deployment, "one by one": untraced_one_by_one, "traced": traced}
    polls: dict[str, int] = {}

    def measured(name: str, side: Callable[[int], int]) -> float:
        seconds, polls[name] = cpu_s(lambda: side(given.requests))
        return seconds

    times = interleaved({name: partial(measured, name, side) for name, side in sides.items()}, rounds)
    if len(set(polls.values())) > 1:
        raise SystemExit(f"the sides do not simulate the same: polls {polls}")
    counted, seen = commits_per_request()
    per_request = {name: statistics.median(found) / given.requests * 1e6 for name, found in times.items()}
    print(f"{given.requests:,} requests, {polls['engine'] / given.requests:g} polls each, medians of {rounds} rounds")
    for name in ("SimPy", "engine"):
        print(f"  {name:8s} {per_request[name]:6.1f} us of CPU a request")
    print(f"speed of the engine, the simplest SimPy model being 1: {ratio(times['SimPy'], times['engine']):.2f}")
    print(f"cost of tracing: {100 * (ratio(times['traced'], times['one by one']) - 1):.0f} %")
    print(f"commits a request: {counted}, in a traced run {seen}")
    for line in pool.lines(given.works, rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
