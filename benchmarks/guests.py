"""What it costs to simulate retry code as it is: `python benchmarks/guests.py [REQUESTS]`.

A guest runs its library for real, so no simulation of it can cost less than the library itself. Compared with what a
run must do anyway, which is two things: Tenacity's own work, in a loop whose waits return at once and whose calls fail
as those of the simulation do; and the simulation of the same policy, written as a `LoopRetrier`.

An isolated request stands for a client process of its own, which makes its library's objects anew: it decorates its
function, or makes its `Retrying`. So Tenacity alone is measured twice: with one object for all requests (`reused`), and
with one for each (`anew`). The first ratio is the stricter one. In a shared world there is one client process, so only
the first applies.

Both are measured apart, each with all of the processor's caches for itself. A run must do a bit of one and a bit of the
other, and that alone takes longer. So the third ratio is to the two `in turn`: for each request first the one, then the
other, without any guest.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Callable
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


def _fetch() -> Callable[[Callable[..., int]], int]:
    """Return a decorated function."""

    def fetch(call: Callable[..., int]) -> int:
        return call(timeout=1.0)

    return tenacity.Retrying(**options, sleep=_no_wait).wraps(fetch)


def _fetch_by_object() -> Callable[[Callable[..., int]], int]:
    """Return a function that a `Retrying` calls, as a class has one."""
    return partial(tenacity.Retrying(**options, sleep=_no_wait), timeout=1.0)


def _fetch_async() -> Callable[[Callable[..., int]], Any]:
    """Return a decorated function, asynchronous."""

    async def fetch(call: Callable[..., int]) -> int:
        return call(timeout=1.0)

    return tenacity.AsyncRetrying(**options, sleep=_no_wait_async).wraps(fetch)


def _nothing(number: int) -> None:
    del number


Before = Callable[[int], object]
"""What is done before Tenacity works for a request, of which it gets the number."""


def tenacity_alone(
    make: Callable[[], Any], outcomes: Outcomes, *, anew: bool = False, before: Before = _nothing
) -> None:
    """Let Tenacity work without waiting; `anew`: what calls is made for each request."""
    fetch = make()
    for number, call in enumerate(outcomes.calls()):
        before(number)
        if anew:
            fetch = make()
        try:
            fetch(call)
        except tenacity.RetryError:
            continue


def tenacity_alone_async(
    make: Callable[[], Any], outcomes: Outcomes, *, anew: bool = False, before: Before = _nothing
) -> None:
    """Let Tenacity work without waiting, in asyncio's own loop."""

    async def work() -> None:
        fetch = make()
        for number, call in enumerate(outcomes.calls()):
            before(number)
            if anew:
                fetch = make()
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
        kinds: dict[str, tuple[Callable[[], Retrier], Callable[..., None]]] = {
            "a class": (Guest, partial(tenacity_alone, _fetch_by_object)),
            "a decorated function": (
                guest_of(decorated, path=f"{__name__}:decorated"),
                partial(tenacity_alone, _fetch),
            ),
            "an async function": (
                guest_of(decorated_async, path=f"{__name__}:decorated_async"),
                partial(tenacity_alone_async, _fetch_async),
            ),
        }
        for name, (retrier, alone) in kinds.items():
            made = simulated(cell, retrier)
            outcomes = Outcomes([(one.attempts, one.outcome.name == "success") for one in made])
            sides = {
                "guest": partial(_measured, retrier, cell),
                "loop": partial(_measured, Loop, cell),
                "reused": partial(_alone_s, alone, outcomes),
                "anew": partial(_alone_s, alone, outcomes, anew=True),
            }
            if world == "isolated":
                sides["in turn"] = partial(_in_turn_s, alone, outcomes, cell)
            times = interleaved(sides, ROUNDS)
            libraries = ("reused", "anew") if world == "isolated" else ("reused",)
            ratios = [f"{library} {_ratio(times, library):.2f}" for library in libraries]
            if world == "isolated":
                ratios.append(f"in turn {ratio(times['guest'], times['in turn']):.2f}")
            us = {side: 1e6 * statistics.median(found) / requests for side, found in times.items()}
            print(
                f"{world:>9}  {name:<21} {', '.join(ratios):<37}  us a request: guest {us['guest']:.0f}, "
                f"loop {us['loop']:.0f}, library reused {us['reused']:.0f}, anew {us['anew']:.0f}"
            )


def _ratio(times: dict[str, list[float]], library: str) -> float:
    """Return the ratio of the guest to the loop and a library's side together."""
    return ratio(times["guest"], [a + b for a, b in zip(times["loop"], times[library], strict=True)])


def _measured(retrier: Callable[[], Retrier], cell: Scenario) -> float:
    return cpu_s(lambda: simulated(cell, retrier))[0]


def _alone_s(alone: Callable[..., None], outcomes: Outcomes, *, anew: bool = False) -> float:
    return cpu_s(lambda: alone(outcomes, anew=anew))[0]


def _in_turn_s(alone: Callable[..., None], outcomes: Outcomes, cell: Scenario) -> float:
    world = World(cell, retrier=Loop)
    return cpu_s(lambda: alone(outcomes, before=lambda number: world.isolated([number])))[0]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS)
