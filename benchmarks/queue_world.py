"""One world in two hands, for `benchmarks/world.py`: an M/M/c queue with timeouts and three retries.

Ten servers work 100 ms on average, first come first served; callers give up after 400 ms, wait 50, 100 and 200 ms, and
try again. A call that was given up keeps its place and its work. `ours` writes the retries as a `LoopRetrier`, `simpys`
the whole as one would with SimPy; both keep of each call when it was sent, began and ended and whether it was given up,
and of each request when it came and was over, its tries and its success.
"""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

import simpy

from sim.clients.client import CallFailed
from sim.engine.event import simulate_replication
from sim.retriers.base import LoopRetrier
from sim.scenario.load import parse

if TYPE_CHECKING:
    from collections.abc import Generator

    from sim.clients.client import Call, ClientContext
    from sim.scenario.schema import Scenario

SERVERS = 10
MEAN_S = 0.1
TIMEOUT_S = 0.4
DELAYS_S = (0.05, 0.1, 0.2)

WORLD = """
world: shared
seed: 7
requests: {{count: {requests}, arrivals: {{poisson: {{rate: {rate}/s}}}}}}
retrier: none
action: {{service: db}}
services: {{db: {{servers: {servers}, latency: {{exponential: {{mean: {mean_ms:g}ms}}}}}}}}
"""


class Tries(LoopRetrier):
    """Four tries with a timeout."""

    kind = "tries"

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        """Call until one is answered in time."""
        for delay_s in DELAYS_S:
            try:
                return await call(1e3 * TIMEOUT_S)
            except CallFailed:
                await ctx.sleep(1e3 * delay_s)
        return await call(1e3 * TIMEOUT_S)


def ours(requests: int, rate: float) -> int:
    """Simulate with retrysim; return the number of calls."""
    _, traffic = simulate_replication(_world(requests, rate), retrier=Tries)
    return len(traffic.calls)


@cache
def _world(requests: int, rate: float) -> Scenario:
    """Return the scenario; it is read once, however often it is simulated."""
    return parse(WORLD.format(requests=requests, rate=rate, servers=SERVERS, mean_ms=1e3 * MEAN_S))


def simpys(requests: int, rate: float) -> int:
    """Simulate with SimPy; return the number of calls."""
    rng = random.Random(7)  # noqa: S311  # no secrets here
    env = simpy.Environment()
    db = simpy.Resource(env, SERVERS)
    calls: list[list[Any]] = []
    done: list[tuple[float, float, int, bool]] = []

    def work(answer: simpy.Event, call: list[Any]) -> Generator[Any, Any, None]:
        with db.request() as turn:
            yield turn
            call[1] = env.now
            yield env.timeout(rng.expovariate(1 / MEAN_S))
        call[2] = env.now
        answer.succeed()

    def client() -> Generator[Any, Any, None]:
        came = env.now
        for tries, delay_s in enumerate((*DELAYS_S, None), start=1):
            call = [env.now, None, None, False]
            calls.append(call)
            answer = env.event()
            env.process(work(answer, call))
            yield answer | env.timeout(TIMEOUT_S)
            if answer.triggered:
                done.append((came, env.now, tries, True))
                return
            call[3] = True
            if delay_s is not None:
                yield env.timeout(delay_s)
        done.append((came, env.now, tries, False))

    def source() -> Generator[Any, Any, None]:
        for _ in range(requests):
            yield env.timeout(rng.expovariate(rate))
            env.process(client())

    env.process(source())
    env.run()
    return len(calls)
