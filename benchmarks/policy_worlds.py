"""Worlds with policies in two hands, for `benchmarks/world.py`: as scenarios, and as one would write them with SimPy.

    collapse   a server that is slower the more calls it has; callers give up after 3 s and try at once, 3 tries
    jitter     the same with full jitter of 20 s and 40 s
    retries    one server, 10 calls a second, room for 100; callers give up after 4 s, 4 tries; 9.3 requests a second
    mm1k       the same queue at the same load, without timeouts and retries

The first two are the world of M. Brooker's simulator of metastable failures. Both hands keep of each call when it was
sent, began and ended and whether it was given up, and of each request when it came and was over, its tries and its
success.
"""

from __future__ import annotations

import random
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import simpy

from sim.engine import event, tables
from sim.scenario.load import parse

if TYPE_CHECKING:
    from collections.abc import Generator

    from sim.scenario.schema import Scenario

COLLAPSE = """
world: shared
seed: {seed}
until: 80s
requests:
  arrivals: {{schedule: [{{from: 0s, rate: 40/s}}, {{from: 20s, rate: 80/s}}, {{from: 25s, rate: 40/s}}]}}
action: {{service: server}}
services:
  server:
    latency: {{constant: 1s}}
    slowdown: {{per_call: 10ms}}
    network: {{request: {{exponential: {{mean: 100ms}}}}, reply: {{exponential: {{mean: 100ms}}}}}}
retrier: {{kind: policy, attempts: 3, timeout: 3s{delay}}}
"""
QUEUE = """
world: shared
seed: {seed}
requests: {{count: 10000, arrivals: {{poisson: {{rate: 9.3/s}}}}}}
action: {{service: server}}
services: {{server: {{servers: 1, queue: {{limit: 99}}, latency: {{exponential: {{mean: 100ms}}}}}}}}
retrier: {{kind: policy{policy}}}
"""


class Model(NamedTuple):
    """One world for SimPy."""

    tries: int
    timeout_s: float | None
    delays_s: tuple[float, ...]
    """The longest delay before each retry; it is spread from 0."""


MODELS = {
    "collapse": Model(3, 3.0, (0.0, 0.0)),
    "jitter": Model(3, 3.0, (20.0, 40.0)),
    "retries": Model(4, 4.0, (0.0, 0.0, 0.0)),
    "mm1k": Model(1, None, ()),
}
LOADS = ((0.0, 40.0), (20.0, 80.0), (25.0, 40.0), (80.0, 0.0))
REQUESTS = 10_000


@cache
def scenario(name: str, seed: int) -> Scenario:
    """Return a world as a scenario; it is read once."""
    match name:
        case "collapse":
            return parse(COLLAPSE.format(seed=seed, delay=""))
        case "jitter":
            return parse(COLLAPSE.format(seed=seed, delay=", delay: {exponential: {initial: 20s, jitter: full}}"))
        case "retries":
            return parse(QUEUE.format(seed=seed, policy=", attempts: 4, timeout: 4s"))
        case _:
            return parse(QUEUE.format(seed=seed, policy=""))


def by_events(name: str, seed: int) -> int:
    """Simulate with the event engine; return the number of calls."""
    return len(event.simulate_replication(scenario(name, seed))[1].calls)


def by_tables(name: str, seed: int) -> int:
    """Simulate with the tables engine; return the number of calls."""
    return len(tables.simulate_replication(scenario(name, seed))[1].calls)


def simpys(name: str, seed: int) -> int:  # noqa: C901  # one model, as one would write it
    """Simulate with SimPy; return the number of calls."""
    rng = random.Random(seed)  # noqa: S311  # no secrets here
    env, model = simpy.Environment(), MODELS[name]
    calls: list[list[Any]] = []
    done: list[tuple[float, float, int, bool]] = []
    serve = _slowing(env, rng) if name in {"collapse", "jitter"} else _queueing(env, rng)

    def client() -> Generator[Any, Any, None]:
        came = env.now
        for tries in range(1, model.tries + 1):
            call = [env.now, None, None, False]
            calls.append(call)
            answer = env.event()
            env.process(serve(answer, call))
            if model.timeout_s is None:
                yield answer
            else:
                yield answer | env.timeout(model.timeout_s)
            if answer.triggered and answer.value:
                done.append((came, env.now, tries, True))
                return
            call[3] = not answer.triggered
            if tries < model.tries and model.delays_s[tries - 1]:
                yield env.timeout(rng.random() * model.delays_s[tries - 1])
        done.append((came, env.now, tries, False))

    def source() -> Generator[Any, Any, None]:
        if name in {"collapse", "jitter"}:
            for (_, rate), (until, _) in pairwise(LOADS):
                while True:
                    gap = rng.expovariate(rate)
                    if env.now + gap > until:
                        yield env.timeout(until - env.now)
                        break
                    yield env.timeout(gap)
                    env.process(client())
        else:
            for _ in range(REQUESTS):
                yield env.timeout(rng.expovariate(9.3))
                env.process(client())

    env.process(source())
    env.run(until=80.0 if name in {"collapse", "jitter"} else None)
    return len(calls)


def _slowing(env: simpy.Environment, rng: random.Random) -> Any:
    inside = 0

    def serve(answer: simpy.Event, call: list[Any]) -> Generator[Any, Any, None]:
        nonlocal inside
        yield env.timeout(rng.expovariate(10.0))
        call[1] = env.now
        held = 1.0 + 0.01 * inside
        inside += 1
        yield env.timeout(held)
        inside -= 1
        call[2] = env.now
        yield env.timeout(rng.expovariate(10.0))
        answer.succeed(value=True)

    return serve


def _queueing(env: simpy.Environment, rng: random.Random) -> Any:
    server = simpy.Resource(env, 1)

    def serve(answer: simpy.Event, call: list[Any]) -> Generator[Any, Any, None]:
        if len(server.queue) >= 99:
            answer.succeed(value=False)
            return
        with server.request() as turn:
            yield turn
            call[1] = env.now
            yield env.timeout(rng.expovariate(10.0))
        call[2] = env.now
        answer.succeed(value=True)

    return serve
