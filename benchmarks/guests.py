"""What it costs to simulate retry code as it is: `python benchmarks/guests.py [REQUESTS]`.

A guest runs its library for real, so no simulation of it can cost less than the library itself. Compared with what a
run must do anyway, which is two things: Tenacity's own work, in a loop whose waits return at once and whose calls fail
as those of the simulation do; and the simulation of the same policy, written as a `LoopRetrier`.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import tenacity
from timing import cpu_s, interleaved, ratio

from sim import LoopRetrier
from sim.clients.failures import CallFailed
from sim.engine.world import World
from sim.guests import GuestRetrier, guest_of
from sim.scenario.load import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim import Call, ClientContext
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario

REQUESTS: Final = 3000
ROUNDS: Final = 5
TRIES: Final = 5
FAILING: Final = 0.5


def scenario(requests: int, world: str) -> Scenario:
    """Return a world whose action fails half of the time; a shared one has a request every 10 ms."""
    shared = ", arrivals: {poisson: {rate: 100/s}}" if world == "shared" else ""
    return parse(
        f"""
world: {world}
seed: 1
requests: {{count: {requests}{shared}}}
action: {{outcomes: {{fail: {FAILING}}}, latency: 100ms}}
retrier: none
"""
    )


options: Final[dict[str, Any]] = {
    "wait": tenacity.wait_random_exponential(multiplier=1, max=60),
    "stop": tenacity.stop_after_attempt(TRIES),
    "retry": tenacity.retry_if_exception_type(CallFailed),
}


class Loop(LoopRetrier):
    """The policy of the guests, written for the simulation."""

    kind: ClassVar[str] = "loop"
    stateless: ClassVar[bool] = True

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        """Call until done."""
        for number in range(1, TRIES + 1):
            try:
                return await call(1000.0)
            except CallFailed:
                if number == TRIES:
                    raise
                await ctx.sleep(1000 * ctx.uniform("guest", number) * min(60.0, 2.0 ** (number - 1)))
        raise AssertionError


@tenacity.retry(**options)  # type: ignore[untyped-decorator]  # its options are a dictionary
def decorated(call: Callable[..., int]) -> int:
    """Call until done: what most code looks like."""
    return call(timeout=1.0)


@tenacity.retry(**options)  # type: ignore[untyped-decorator]  # as above
async def decorated_async(call: Callable[..., Any]) -> int:
    """Call until done, asynchronously."""
    return await call(timeout=1.0)  # type: ignore[no-any-return]  # the number of the attempt


class Guest(GuestRetrier):
    """A guest that makes its library's object itself."""

    kind: ClassVar[str] = "guest"

    def __init__(self, options_: Any = None) -> None:
        super().__init__(options_)
        self.again = tenacity.Retrying(**options)

    def retry(self, call: Callable[..., int]) -> int:
        """Call until done."""
        return self.again(call, timeout=1.0)


class Outcomes:
    """Calls that fail as those of a simulated run did."""

    def __init__(self, attempts: list[tuple[int, bool]]) -> None:
        self.attempts = attempts

    def calls(self) -> list[Callable[..., int]]:
        """Return the call of each request."""
        return [_call(tries, succeeded=succeeded) for tries, succeeded in self.attempts]


def _call(tries: int, *, succeeded: bool) -> Callable[..., int]:
    made = 0

    def call(timeout: float) -> int:
        nonlocal made
        del timeout
        made += 1
        if succeeded and made == tries:
            return made
        raise CallFailed("the call failed")

    return call


def _no_wait(seconds: float) -> None:
    del seconds


async def _no_wait_async(seconds: float) -> None:
    del seconds


def tenacity_alone(outcomes: Outcomes) -> None:
    """Let Tenacity work without waiting."""
    again = tenacity.Retrying(**options, sleep=_no_wait)

    @again.wraps
    def fetch(call: Callable[..., int]) -> int:
        return call(timeout=1.0)

    for call in outcomes.calls():
        try:
            fetch(call)
        except tenacity.RetryError:
            continue


def tenacity_alone_async(outcomes: Outcomes) -> None:
    """Let Tenacity work without waiting, in asyncio's own loop."""
    again = tenacity.AsyncRetrying(**options, sleep=_no_wait_async)

    @again.wraps
    async def fetch(call: Callable[..., int]) -> int:
        return call(timeout=1.0)

    async def work() -> None:
        for call in outcomes.calls():
            try:
                await fetch(call)
            except tenacity.RetryError:
                continue

    asyncio.run(work())


def simulated(cell: Scenario, retrier: Callable[[], Retrier]) -> list[Any]:
    """Simulate a cell with a retrier."""
    world = World(cell, retrier=retrier)
    return list(world.isolated(range(cell.requests.count))) if cell.world == "isolated" else list(world.shared())


def main(requests: int) -> None:
    """Print the table."""
    print(f"{requests:,} requests, {TRIES} tries, of which {FAILING:.0%} fail")
    print("CPU time of the guest against that of Tenacity alone and of the same policy as a loop, together")
    for world in ("isolated", "shared"):
        cell = scenario(requests, world)
        kinds: dict[str, tuple[Callable[[], Retrier], Callable[[Outcomes], None]]] = {
            "a class": (Guest, tenacity_alone),
            "a decorated function": (guest_of(decorated, path=f"{__name__}:decorated"), tenacity_alone),
            "an async function": (
                guest_of(decorated_async, path=f"{__name__}:decorated_async"),
                tenacity_alone_async,
            ),
        }
        for name, (retrier, alone) in kinds.items():
            made = simulated(cell, retrier)
            outcomes = Outcomes([(one.attempts, one.outcome.name == "success") for one in made])
            sides = {
                "guest": partial(_measured, retrier, cell),
                "loop": partial(_measured, Loop, cell),
                "library": partial(_alone_s, alone, outcomes),
            }
            times = interleaved(sides, ROUNDS)
            both = [a + b for a, b in zip(times["loop"], times["library"], strict=True)]
            us = {side: 1e6 * statistics.median(found) / requests for side, found in times.items()}
            print(
                f"{world:>9}  {name:<21} {ratio(times['guest'], both):.2f}   us a request: guest {us['guest']:.0f}, "
                f"loop {us['loop']:.0f}, library {us['library']:.0f}"
            )


def _measured(retrier: Callable[[], Retrier], cell: Scenario) -> float:
    return cpu_s(lambda: simulated(cell, retrier))[0]


def _alone_s(alone: Callable[[Outcomes], None], outcomes: Outcomes) -> float:
    return cpu_s(lambda: alone(outcomes))[0]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS)
