"""A policy written as a loop, with the parts of its context: the same records as the policy on the same worlds."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.clients import Call, CallFailed, CallRefused, ClientContext
from sim.engine.world import World
from sim.history.traffic import CALL_COLUMNS, CallLog
from sim.retriers.base import LoopRetrier
from sim.scenario.load import from_dict

BUDGET = {
    "tokens": {"capacity": 4, "cost": {"timed_out": 2, "else": 1}, "on_success": {"clean": 0.5, "retried": "last_cost"}}
}
BREAKER = {"window": {"calls": 8}, "opens_at": "50%", "at_least": 4, "open": "300ms", "half_open": {"calls": 2}}
POLICY = {
    "kind": "policy",
    "attempts": 4,
    "delay": {"exponential": {"initial": "20ms", "factor": 2, "jitter": "full"}},
    "timeout": "120ms",
    "budget": BUDGET,
    "breaker": BREAKER,
    "hedge": {"after": "40ms", "at_most": 1},
}


class Written(LoopRetrier):
    """The same as a loop."""

    kind = "policy"

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        budget, breaker = ctx.budget(BUDGET), ctx.breaker(BREAKER)
        for tries in range(1, 5):
            ticket = breaker.ask()
            try:
                if ticket is None:
                    raise CallRefused("the breaker is open")
                number = await call.hedged(after_ms=40, timeout_ms=120, budget=budget)
            except CallFailed as error:
                if ticket is not None:
                    ticket.answered(error.kind)
                # A refused try is not retried: `retry_on` of a policy does not have it unless stated.
                if error.final or error.kind == "refused" or tries == 4:
                    raise
                delay_ms = 20 * 2 ** (tries - 1) * ctx.uniform("delay", tries)
                if not budget.take(error.kind):
                    raise
                await ctx.sleep(delay_ms)
            else:
                ticket.answered()
                budget.succeeded()
                return number
        raise AssertionError


def rows(scenario: Any, retrier: Any = None) -> list[Any]:
    """Return the requests of a world, and all its calls."""
    calls = CallLog()
    world = World(scenario, retrier=retrier, calls=calls)
    requests = [
        (
            one.outcome,
            one.settled_ns,
            one.attempts,
            one.actions,
            one.action_ns,
            one.effects,
            tuple(one.duplicates or ()),
        )
        for one in world.shared()
    ]
    traffic = world.traffic().calls
    return [requests, *(np.asarray(getattr(traffic, name)).tolist() for name in CALL_COLUMNS)]


def world_of(seed: int, fail: float, rate: int, servers: int | None, policy: Any = POLICY) -> Any:
    work = {"latency": {"exponential": {"mean": "50ms"}}, "outcomes": {"fail": fail, "lost_contact": 0.02}}
    service = {"action": {"service": "bank"}, "services": {"bank": {**work, "servers": servers, "queue": {"limit": 5}}}}
    return from_dict(
        {
            "world": "shared",
            "seed": seed,
            "replications": 1,
            "requests": {"count": 40, "arrivals": {"poisson": {"rate": f"{rate}/s"}}},
            "clients": {"count": 2},
            "retrier": policy,
            **({"action": work} if servers is None else service),
        }
    )


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    fail=st.sampled_from([0.0, 0.2, 0.6]),
    rate=st.sampled_from([5, 50, 400]),
    servers=st.sampled_from([None, 1, 4]),
)
def test_a_policy_as_a_loop_gives_the_same_records(seed: int, fail: float, rate: int, servers: int | None) -> None:
    scenario = world_of(seed, fail, rate, servers)
    assert rows(scenario, Written) == rows(scenario)


@pytest.mark.parametrize("part", ["budget", "breaker", "hedge"])
def test_each_part_makes_a_difference_there(part: str) -> None:
    """Else the law above would hold without it."""
    without = {key: value for key, value in POLICY.items() if key != part}
    changed, scenario = world_of(3, 0.6, 50, 4, without), world_of(3, 0.6, 50, 4)
    assert rows(changed) != rows(scenario)
