"""The simplest SimPy model of the polling of `helpers`: no store, no records, all requests in one environment."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import simpy

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

FAIL = 0.3


def polling(requests: int, latency_s: Callable[[], float]) -> float:
    """Simulate requests whose attempts take `latency_s()` and fail three times in ten; return polls a request."""
    draw = random.random
    polls = 0

    def attempt(job: list[str], after: float) -> Generator[simpy.Event, object, None]:
        yield env.timeout(after + latency_s())
        job[0] = "failed" if draw() < FAIL else "success"

    def request() -> Generator[simpy.Event, object, None]:
        nonlocal polls
        wait = retry = 0.1
        left, job = 16, ["pending"]
        env.process(attempt(job, 0.0))
        while True:
            polls += 1
            match job[0]:
                case "pending":
                    yield env.timeout(wait * (0.5 + draw()))
                    wait *= 2
                case "failed" if left > 0:
                    job = ["pending"]
                    env.process(attempt(job, retry * (0.5 + draw())))
                    yield env.timeout((retry + wait) * (0.5 + draw()))
                    retry *= 2
                    left -= 1
                case _:
                    return

    env = simpy.Environment()
    for _ in range(requests):
        env.process(request())
    env.run()
    return polls / requests
