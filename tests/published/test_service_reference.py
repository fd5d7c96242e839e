"""Services against a second simulator, and against themselves written another way: equal to the nanosecond."""

from dataclasses import dataclass
from heapq import heapreplace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queueing import observe
from reference_queue import Customer, Met, Reference, Rules
from served import serve

from sim.clients.client import Call, CallFailed, ClientContext
from sim.history.request import Request
from sim.history.traffic import CallEnd
from sim.kernel.draws import Draws
from sim.laws.distributions import Constant, Exponential, Uniform
from sim.laws.law import Distribution
from sim.retriers.base import LoopRetrier
from sim.world.services.callers import Callers

MS = 1_000_000
SEED = 3


@dataclass
class Plan(LoopRetrier):
    """Sends the call of each request at its own time, and gives up on it after its own patience."""

    customers: list[Customer]
    kind = "plan"

    def __post_init__(self) -> None:
        super().__init__()
        self._next = 0

    async def retry(self, call: Call, ctx: ClientContext) -> Any:
        """Come when it is time."""
        customer = self.customers[self._next]  # all start at 0, in the order of their numbers
        self._next += 1
        await ctx.sleep(customer.comes / MS)
        try:
            return await call(None if customer.patience is None else customer.patience / MS)
        except CallFailed:
            return -1


LAWS: dict[str, tuple[str, Distribution]] = {
    "constant": ("{constant: 3ms}", Constant(value_ns=3 * MS)),
    "nothing": ("{constant: 0s}", Constant(value_ns=0)),
    "exponential": ("{exponential: {mean: 4ms}}", Exponential(mean_ns=4 * MS)),
    "few": ("{uniform: {low: 0ns, high: 5ns}}", Uniform(low_ns=0, high_ns=5)),
}
FINE = {"few": 1}
"""The grid of times in ns if it is not 1 ms: with works of a few ns, calls meet if they come at a distance of some."""


@st.composite
def worlds(draw: st.DrawFn) -> tuple[str, list[Customer], Rules]:
    """Draw a few calls and the rules of a service; on a coarse grid, so that many things happen at one instant."""
    name = draw(st.sampled_from(sorted(LAWS)))
    grid = FINE.get(name, MS)
    instants = st.integers(1, 12).map(lambda steps: steps * grid)  # after all requests have started, at 0
    waits = st.none() | st.integers(1, 8).map(lambda steps: steps * grid)
    count = draw(st.integers(1, 14))
    work_of = Draws(SEED).delays(LAWS[name][1], "latency@db")
    customers = [
        Customer(draw(instants), work_of(number, 1, 0), draw(st.integers(0, 2)), draw(waits)) for number in range(count)
    ]
    servers = draw(st.integers(1, 3))
    start = draw(st.integers(0, 8))
    change = (start * grid, (start + draw(st.integers(1, 8))) * grid, draw(st.integers(0, 4)))
    rules = Rules(
        servers,
        draw(st.sampled_from(["fifo", "lifo", "priority"])),
        draw(st.none() | st.integers(0, 3)),
        draw(waits),
        drops=draw(st.booleans()),
        change=draw(st.sampled_from([None, change])),
    )
    return name, customers, rules


def played(name: str, customers: list[Customer], rules: Rules) -> list[Met]:
    """Play the same with a service of a scenario."""
    queue = {"order": rules.order, "limit": rules.limit, "abandoned": "dropped" if rules.drops else "served"}
    queue |= {} if rules.max_wait is None else {"max_wait": f"{rules.max_wait}ns"}
    written = ", ".join(f"{key}: {'unlimited' if value is None else value}" for key, value in queue.items())
    capacity = ""
    if rules.change is not None:
        from_ns, to_ns, servers = rules.change
        capacity = f", capacity: [{{from: {from_ns}ns, to: {to_ns}ns, servers: {servers}}}]"
    text = f"""
seed: {SEED}
requests: {{count: {len(customers)}, arrivals: at_once}}
action: {{service: db}}
services: {{db: {{servers: {rules.servers}, latency: {LAWS[name][0]}, queue: {{{written}}}{capacity}}}}}
"""

    def priority(self: Callers, request: Request) -> int:
        del self
        return customers[request.number].priority

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Callers, "priority", priority)
        calls = serve(text, Plan(customers)).traffic.calls
    by_request = np.argsort(calls.request)
    columns = (calls.began_ns[by_request], calls.ended_ns[by_request], calls.end[by_request])
    return [Met(int(began), int(left), CallEnd(end).name) for began, left, end in zip(*columns, strict=True)]


@settings(max_examples=100)
@given(worlds())
def test_calls_begin_and_leave_as_in_a_simulator_written_apart(world: tuple[str, list[Customer], Rules]) -> None:
    name, customers, rules = world
    assert played(name, customers, rules) == Reference(customers, rules).play()


@pytest.mark.slow
@settings(max_examples=5000)
@given(worlds())
def test_calls_begin_and_leave_as_in_a_simulator_written_apart_many_times(
    world: tuple[str, list[Customer], Rules],
) -> None:
    name, customers, rules = world
    assert played(name, customers, rules) == Reference(customers, rules).play()


ENDS = ("success", "rejected_queue", "rejected_max_wait", "dropped")


@pytest.mark.parametrize("how", ENDS)
def test_every_end_of_a_call_happens_in_the_second_simulator(how: str) -> None:
    customers = [Customer(0, 30), Customer(3, 30, patience=2), Customer(25, 30), Customer(26, 30), Customer(31, 10)]
    rules = Rules(1, limit=2, max_wait=28, drops=True)
    assert how in {one.how for one in Reference(customers, rules).play()}


@pytest.mark.parametrize("servers", [1, 3])
@pytest.mark.parametrize("work", ["{gamma: {shape: 0.5, mean: 100ms}}", "{normal: {mean: 100ms, sd: 60ms}}"])
def test_every_call_begins_as_in_a_first_come_first_served_recurrence(servers: int, work: str) -> None:
    # J. Kiefer and J. Wolfowitz, Transactions of the American Mathematical Society 78 (1955): the server that is free
    # soonest takes the next call.
    text = f"""
requests: {{arrivals: {{poisson: {{rate: {9 * servers}/s}}}}}}
action: {{service: db}}
services: {{db: {{servers: {servers}, latency: {work}}}}}
"""
    ((run,),) = observe(text, 1, 1500, (servers,))
    calls = run.calls
    free_ns = [0] * servers
    expected = []
    for arrived_ns, takes_ns in zip(calls.arrived_ns.tolist(), (calls.ended_ns - calls.began_ns).tolist(), strict=True):
        start_ns = max(arrived_ns, free_ns[0])
        heapreplace(free_ns, start_ns + takes_ns)
        expected.append(start_ns)
    assert calls.began_ns.tolist() == expected
    assert (calls.began_ns > calls.arrived_ns).sum() > 300


# With unlimited servers and nothing in front, a service is nothing but the action itself elsewhere.

OPTIONS = """
latency: {lognormal: {median: 100ms, p99: 900ms}},
outcomes:
  {fail: 0.2, ack_lost: 0.1, crash_before_effect: 0.05, crash_after_effect: 0.05, lost_contact: 0.05, hang: 0.02},
effect_at: 0.6, idempotency: {window: 2s}
"""


class ThreeTries(LoopRetrier):
    """Tries three times, with a timeout."""

    kind = "three-tries"

    async def retry(self, call: Call, ctx: ClientContext) -> Any:
        """Call, wait a little, and call again."""
        for failure in (1, 2):
            try:
                return await call(400)
            except CallFailed:
                await ctx.sleep(100 * failure)
        return await call(400)


def columns_of(service: bool) -> dict[str, Any]:  # noqa: FBT001  # the one thing that differs
    options = "{" + OPTIONS.strip().replace("\n", " ") + "}"
    where = f"action: {{service: db}}\nservices: {{db: {options}}}" if service else f"action: {options}"
    requests = serve(f"requests: {{count: 2000}}\n{where}", ThreeTries()).requests
    return {
        "outcome": np.bincount(requests.outcome, minlength=8) / 2000,
        "attempts": requests.attempts,
        "effects": requests.effects,
        "settled": requests.settled_ns[requests.settled_ns >= 0],
        "first effect": requests.first_effect_ns[requests.first_effect_ns >= 0],
    }


def distance(one: Any, other: Any) -> float:
    """The two-sample statistic of Kolmogorov and Smirnov, in the standard units of its limit law."""
    at = np.concatenate([one, other])
    shares = [np.searchsorted(np.sort(sample), at, side="right") / len(sample) for sample in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max()) * float(np.sqrt(len(one) * len(other) / (len(one) + len(other))))


def test_a_service_without_limits_does_what_the_action_itself_does() -> None:
    mine, its = columns_of(service=True), columns_of(service=False)
    # 1.95 is the limit law's 99.9th percentile: N. V. Smirnov (1948).
    far = {name: value for name in mine if name != "outcome" and (value := distance(mine[name], its[name])) > 1.95}
    assert far == {}
    assert np.abs(mine["outcome"] - its["outcome"]).max() < 0.05


def test_the_distance_sees_a_difference_of_a_few_percent() -> None:
    whole = np.arange(4000)
    assert distance(whole, whole * 1.1) > 1.95
    assert distance(whole, whole) == 0
