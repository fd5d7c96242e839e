"""What a world leaves to the garbage collector: nothing of a request, whatever happened to it.

Each request that is over would otherwise wait for the collector, which then has to pass over the whole world to find
it. The worlds here run with the collector off; then it looks, and keeps all that it finds.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CoroutineType, FrameType, FunctionType, MethodType, TracebackType
from typing import Any

import pytest
from loops import Full, Pool

from sim.clients.client import Call, CallFailed, CallTimedOut, ClientContext
from sim.engine import collector
from sim.engine.event import simulate
from sim.engine.world import World
from sim.history.recorder import Recorder
from sim.retriers.base import LoopRetrier
from sim.scenario.load import parse

PARTS = (CoroutineType, FrameType, FunctionType, MethodType, TracebackType, BaseException)
"""What errors and handlers are made of."""


@pytest.fixture(autouse=True)
def _nothing_before() -> None:
    """Set aside what there is before a test: to look through all that pytest has collected takes most of its time."""
    gc.freeze()


@contextmanager
def garbage() -> Iterator[list[Any]]:
    """Collect nothing inside; at the end the list has all that only the collector can free."""
    found: list[Any] = []
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        if enabled:
            gc.enable()


def ours(found: list[Any]) -> Counter[str]:
    """Count what is of a simulation, by class."""
    return Counter(
        type(one).__qualname__ for one in found if isinstance(one, PARTS) or type(one).__module__.startswith("sim.")
    )


class Hasty(LoopRetrier):
    """Times out, fails, sleeps, tidies up, and passes the last error on."""

    kind = "hasty"

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        for failure in range(1, 4):
            try:
                return await call(timeout_ms=200)
            except CallTimedOut:
                await ctx.sleep(10)
            except CallFailed:
                await ctx.sleep(100 * failure * ctx.uniform("jitter", failure))
        return await call(timeout_ms=200)


TROUBLE = "{fail: 0.3, ack_lost: 0.1, crash_after_effect: 0.1, lost_contact: 0.1, hang: 0.05}"
FAULTS = "faults: [restart: {at: [1s, 2s, 4s], down: 300ms}, system_error: {share: 0.05}]"
CRON = "{kind: component, daily_cleanup: true, on_complete_fails: true}"
ENDS = {
    "": "",
    "canceled": "cancel: {after: {exponential: {mean: 2s}}, share: 0.5}",
    "cut off": "until: 3s",
}
WORLDS = [(world, end) for world in ("shared", "isolated") for end in ENDS]


def scenario(world: str, end: str, retrier: str, requests: int = 40) -> Any:
    deployed, shared = retrier != "none", world == "shared"
    arrivals = ", arrivals: {poisson: {rate: 10/s}}" if shared else ""
    profile = "profile: convex, " if shared else ""
    return parse(
        f"""
        world: {world}
        seed: 5
        requests: {{count: {requests}{arrivals}}}
        action: {{latency: {{exponential: {{mean: 150ms}}}}, effect_at: 0.5, outcomes: {TROUBLE}}}
        retrier: {retrier}
        {f"platform: {{{profile}action_time_limit: 8s}}" if deployed else ""}
        {FAULTS if deployed and shared else ""}
        {ENDS[end]}
        """
    )


def play(world: World) -> Any:
    return world.shared() if world.cell.world == "shared" else world.isolated(range(world.cell.requests.count))


@pytest.mark.parametrize("retrier", ["article", "helpers", "component", "component-repaired", "none", CRON])
@pytest.mark.parametrize(("world", "end"), WORLDS)
def test_requests_of_ports_leave_no_cycles(world: str, end: str, retrier: str) -> None:
    made = World(scenario(world, end, retrier), recorder=Recorder())
    with garbage() as found:
        play(made)
    assert ours(found) == {}


@pytest.mark.parametrize("retrier", [Hasty, Full, Pool])
@pytest.mark.parametrize(("world", "end"), WORLDS)
def test_requests_of_users_retriers_leave_no_cycles(world: str, end: str, retrier: Any) -> None:
    if world == "isolated" and retrier is Pool:
        pytest.skip("each request has such a retrier of its own, which is a cycle: it has functions of its methods")
    made = World(scenario(world, end, "none" if issubclass(retrier, LoopRetrier) else "helpers"), retrier=retrier)
    with garbage() as found:
        play(made)
    assert ours(found) == {}


@pytest.mark.parametrize("retrier", [None, Hasty])
@pytest.mark.parametrize("world", ["shared", "isolated"])
def test_a_simulation_leaves_as_little_of_many_requests_as_of_few(world: str, retrier: Any) -> None:
    def left(requests: int) -> Counter[str]:
        cell = scenario(world, "canceled", "none" if retrier else "component", requests)
        with garbage() as found:
            simulate(cell, retrier=retrier)
        return ours(found)

    assert left(10) == left(60)


class Keeper(LoopRetrier):
    """Keeps its last error in a variable: a cycle of its own making, as many written loops leave one."""

    kind = "keeper"

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        last: Exception = CallFailed()
        for _ in range(2):
            try:
                return await call()
            except CallFailed as error:
                last = error
                await ctx.sleep(1)
        raise last


def test_a_cycle_is_found_if_there_is_one() -> None:
    made = World(scenario("shared", "", "none"), retrier=Keeper)
    with garbage() as found:
        play(made)
    assert ours(found)["CallFailed"] > 5


# The threshold.


@pytest.fixture
def threshold() -> Iterator[tuple[int, int, int]]:
    before = gc.get_threshold()
    gc.set_threshold(700, 11, 12)
    yield (700, 11, 12)
    gc.set_threshold(*before)


def seen_inside(retrier: Callable[[], LoopRetrier] | None, kind: str = "none") -> list[int]:
    seen: list[int] = []
    simulate(scenario("shared", "", kind), retrier=retrier, progress=lambda _: seen.append(gc.get_threshold()[0]))
    return seen


def test_the_collector_never_looks_while_a_port_runs(threshold: tuple[int, int, int]) -> None:
    assert seen_inside(None, "component") == [collector.OF_PORTS]
    assert gc.get_threshold() == threshold


def test_the_collector_looks_less_often_while_a_users_retrier_runs(threshold: tuple[int, int, int]) -> None:
    assert seen_inside(Hasty) == [collector.OF_USERS]
    assert gc.get_threshold() == threshold


def test_the_threshold_comes_back_after_an_error(threshold: tuple[int, int, int]) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(scenario("shared", "", "component"), progress=stop)
    assert gc.get_threshold() == threshold


@pytest.mark.parametrize("before", [0, 1 << 30])
def test_a_threshold_that_is_rarer_already_stays(threshold: tuple[int, int, int], before: int) -> None:
    del threshold
    gc.set_threshold(before, 11, 12)
    assert seen_inside(Hasty) == [before]
    assert gc.get_threshold() == (before, 11, 12)


def test_contexts_that_overlap_bring_back_the_threshold_with_the_last_one(threshold: tuple[int, int, int]) -> None:
    one, other = collector.rare_collections(5000), collector.rare_collections(1000)
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert gc.get_threshold()[0] == 5000
    other.__exit__(None, None, None)
    assert gc.get_threshold() == threshold
