"""Generated worlds with services: every option of a service, with retriers inside and outside the deployment."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from sim.clients.client import CallFailed
from sim.retriers.base import LoopRetrier
from sim.scenario.load import from_dict
from sim.scenario.schema import Scenario


class Insistent(LoopRetrier):
    """Calls up to three times, each for 60 ms, with 20 ms between."""

    kind = "insistent"
    stateless = True

    async def retry(self, call: Any, ctx: Any) -> Any:
        """Call until one succeeds; let the last failure through."""
        for _ in range(2):
            try:
                return await call(timeout_ms=60)
            except CallFailed:
                await ctx.sleep(20)
        return await call(timeout_ms=60)


def ms(low: int, high: int) -> st.SearchStrategy[str]:
    """Durations of whole steps of 10 ms, so that several things come at one instant."""
    return st.integers(low // 10, high // 10).map(lambda tens: f"{10 * tens}ms")


LAWS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    ms(0, 60).map(lambda value: {"constant": value}),
    ms(10, 50).map(lambda value: {"exponential": {"mean": value}}),
    ms(10, 50).map(lambda value: {"uniform": {"low": "0ms", "high": value}}),
)
LENGTHS = st.one_of(
    ms(20, 200).map(lambda value: {"constant": value}), ms(50, 200).map(lambda value: {"exponential": {"mean": value}})
)
SHARES = st.sampled_from([0.0, 0.1, 0.3])
OUTCOMES = st.fixed_dictionaries(
    {},
    optional={
        "fail": SHARES,
        "ack_lost": SHARES,
        "crash_before_effect": st.just(0.1),
        "crash_after_effect": st.just(0.1),
        "lost_contact": st.just(0.1),
        "hang": st.just(0.02),
    },
)
SLOWDOWNS = st.one_of(
    ms(0, 20).map(lambda value: {"per_call": value}), st.just({"curve": [[0, 1.0], [2, 1.7], [5, 4.0]]})
)
CAPACITY = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"from": ms(0, 200), "to": ms(210, 600), "servers": st.integers(0, 3)}, optional={"slowdown": SLOWDOWNS}
        ),
        st.fixed_dictionaries({"from": ms(0, 200), "to": ms(210, 600), "slowdown": SLOWDOWNS}),
        st.fixed_dictionaries(
            {"up": LENGTHS, "down": LENGTHS, "servers": st.integers(0, 2)}, optional={"slowdown": SLOWDOWNS}
        ).map(lambda turns: {"on_off": turns}),
    ),
    min_size=1,
    max_size=3,
)
QUEUES = st.fixed_dictionaries(
    {},
    optional={
        "limit": st.integers(0, 4),
        "order": st.sampled_from(["fifo", "lifo", "priority"]),
        "max_wait": ms(10, 120),
        "abandoned": st.sampled_from(["served", "dropped"]),
    },
)
RATES = st.fixed_dictionaries(
    {"rate": st.sampled_from(["20/s", "50/s", "7/s"]), "burst": st.integers(1, 3)},
    optional={"retry_after": st.sampled_from(["next", "none", {"uniform": {"low": "5ms", "high": "50ms"}}])},
)
SHEDS = st.fixed_dictionaries(
    {"when": st.sampled_from(["inside >= 3", "in_queue > 0", "in_progress >= 2"]), "share": st.sampled_from([0.5, 1.0])}
)
NETWORKS = st.fixed_dictionaries({}, optional={"request": LAWS, "reply": LAWS})
SERVICES = st.fixed_dictionaries(
    {"servers": st.integers(1, 3), "latency": LAWS},
    optional={
        "queue": QUEUES,
        "outcomes": OUTCOMES,
        "effect_at": st.sampled_from([0, 0.5, 1]),
        "slowdown": SLOWDOWNS,
        "network": NETWORKS,
        "rate_limit": RATES,
        "shed": SHEDS,
        "capacity": CAPACITY,
        "idempotency": st.sampled_from(["none", {"window": "80ms"}]),
        "weather": st.just([{"outage": {"from": "100ms", "to": "200ms", "fail": 1.0}}]),
    },
)
RETRIERS = st.sampled_from(["none", "none", {"kind": "article", "max_failures": 2}, {"kind": "component-repaired"}])
WORLDS = st.fixed_dictionaries(
    {},
    optional={
        "platform": st.just({"profile": "convex", "action_time_limit": "150ms", "crash_detection": "20ms"}),
        "faults": st.just([{"restart": {"at": ["150ms", "400ms"], "down": "30ms", "inflight": "lost"}}]),
        "until": st.just("500ms"),
        "heals_at": st.just("300ms"),
        "cancel": st.just({"share": 0.5, "after": {"uniform": {"low": "10ms", "high": "300ms"}}}),
    },
)


def maker(scenario: Scenario) -> Callable[[], LoopRetrier] | None:
    """Return what makes the retrier of a scenario without one: every other one insists."""
    return Insistent if scenario.retrier.kind == "none" and scenario.seed % 2 else None


@st.composite
def served_worlds(draw: st.DrawFn, *, count: int = 25, retriers: st.SearchStrategy[Any] = RETRIERS) -> Scenario:
    """A shared world with a service, which may call others, and a retrier."""
    front = dict(draw(SERVICES))
    services: dict[str, Any] = {"front": front}
    if draw(st.booleans()):
        services["ledger"] = draw(SERVICES)
        services["row"] = {"kind": "versioned_row", "network": draw(NETWORKS)}
        calls = draw(st.lists(st.sampled_from(["ledger", "row"]), min_size=1, max_size=2, unique=True))
        front["calls"] = [{"service": name, **draw(st.sampled_from([{}, {"timeout": "60ms"}]))} for name in calls]
    world = dict(draw(WORLDS))
    retrier = draw(retriers)
    if not isinstance(retrier, dict):
        for key in ("platform", "faults"):
            world.pop(key, None)
    if "faults" in world or "heals_at" not in world:
        world.pop("heals_at", None)
    arrivals = draw(st.sampled_from([{"poisson": {"rate": "60/s"}}, {"constant": {"rate": "50/s"}}]))
    called = "row" if "row" in services and draw(st.integers(0, 4)) == 0 else "front"
    return from_dict(
        {
            "name": "served",
            "world": "shared",
            "seed": draw(st.integers(0, 1000)),
            "requests": {"count": count, "arrivals": arrivals},
            "action": {"service": called},
            "services": services,
            "retrier": retrier,
            **world,
        }
    )
