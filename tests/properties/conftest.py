"""The worlds in which the ports are compared with their contracts: simulated once for all questions."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sim.contracts.catalogue import INVARIANTS, View, Violation, check_view
from sim.retriers.ports import PORTS
from sim.scenario.load import from_dict
from sim.scenario.schema import Scenario
from sim.testing import features
from sim.testing.histories import simulated
from sim.testing.strategies import scenario_values, scenarios

COUNT = 120
"""Examples with all features; of each of the narrower strategies there are a quarter as many."""

MANY = 5000

NARROWER = {
    "races of steps": ("commit_window", "mutation_latency", "script", "latency", "options", *features.OUTCOMES),
    "restarts": ("restart", "lost_effects", "script", "latency", "effect_at", "commit_window"),
    "cancels": (*features.CANCELS, "script", "latency", "dispatch_latency", "commit_window", *features.OUTCOMES),
    "slots": ("parallelism", "latency", "script", "arrivals", "hang", "action_time_limit"),
    "system errors": ("system_error", "script", "effect_at", "commit_window", "latency"),
}
"""Features that are drawn together, so that they meet more often than among all the others."""


def rare(kind: str) -> list[st.SearchStrategy[Scenario]]:
    """Return the worlds that a port's rarest branches need."""
    errors = scenarios(kind, "isolated", ("script", "latency"), always=("fail", *features.ERRORS))
    if not kind.startswith("component"):
        return [errors]
    counting = {"kind": kind, "on_complete_counts": True}
    impatient = {"kind": kind, "max_failures": 0}
    return [
        errors,
        # An attempt that goes on unseen while another is on its way.
        scenarios(kind, "shared", ("own_latencies", "dispatch_latency", "options"), always=("lost_contact", "latency")),
        scenarios(kind, "shared", ("effect_at", "options"), always=("cancel_action", "retention", "latency")),
        # Reports of many requests that write the same document.
        scenarios(counting, "shared", ("latency",), always=("commit_window", "occ_reruns"), requests=5),
        scenarios(counting | impatient, "shared", ("latency",), always=("commit_window", "occ_reruns"), requests=5),
        # Requests ten days apart, which keep the world going until the cron deletes the run of the first.
        scenarios({"kind": kind, "daily_cleanup": True}, "shared", ("options", "fail", "script"), requests=2).map(
            days_apart
        ),
        scenarios({"kind": kind, "clean_up_after": "0s"}, "shared", (), always=("latency", "cancel_request")),
        # An attempt that ends long after its job was canceled and its row collected.
        *(
            scenario_values(retrier, "isolated", (), always=("ack_lost", "cancel_action", "retention")).map(
                lambda values: from_dict(
                    {**values, "action": {"latency": {"constant": "12s"}, "outcomes": {"ack_lost": 0.5}}}
                )
            )
            for retrier in (kind, impatient)
        ),
        # A report of success that is under way when its execution is cut off, and when a heartbeat comes.
        st.sampled_from([late_reports({"kind": kind}), late_reports(impatient)]),
        # A report that takes longer than its execution may.
        scenario_values(kind, "isolated", (), always=("fail", "retention")).map(
            lambda values: from_dict(
                {
                    **values,
                    "action": {"outcomes": {"fail": 1.0}},
                    "platform": {
                        "commit_window": {"weibull": {"shape": 0.7, "scale": "1s"}},
                        "action_time_limit": "1s",
                        "retention": "1s",
                    },
                }
            )
        ),
    ]


def late_reports(retrier: dict[str, Any]) -> Scenario:
    """Let mutations take up to several heartbeats."""
    return from_dict(
        {
            "retrier": retrier,
            "requests": {"count": 20},
            "action": {"latency": {"constant": "900ms"}},
            "platform": {"mutation_latency": {"uniform": {"low": "0s", "high": "30s"}}, "action_time_limit": "1s"},
        }
    )


def days_apart(scenario: Scenario) -> Scenario:
    """Let the requests of a scenario arrive ten days after each other."""
    return from_dict({**scenario.written, "requests": {"count": 2, "arrivals": {"constant": {"rate": "0.004/h"}}}})


class Seen(NamedTuple):
    """One history, the scenario that it comes from, and what it breaks."""

    scenario: Scenario
    view: View
    violations: list[Violation]


def look(strategy: st.SearchStrategy[Scenario], count: int, see: Callable[[Seen], None]) -> None:
    """Simulate some examples, the same ones every time."""

    @settings(max_examples=count, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategy)
    def simulate(scenario: Scenario) -> None:
        for one in simulated(scenario):
            see(Seen(scenario, one.view, check_view(one.view, INVARIANTS)))

    simulate()


class Port(NamedTuple):
    """A port and its histories."""

    kind: str
    histories: list[Seen]


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Leave out collections: histories stay in memory, and each collection would visit them all again."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # the first one to come would visit them too
        gc.enable()


@pytest.fixture(scope="session", params=PORTS)
def port(request: pytest.FixtureRequest) -> Port:
    """Simulate the worlds of a port. All tests of one port run one after the other, so that one search serves them."""
    kind: str = request.param
    seen: list[Seen] = []
    with no_garbage_collection():
        look(scenarios(kind), COUNT, seen.append)
        for narrower in NARROWER.values():
            look(scenarios(kind, "shared", narrower), COUNT // 4, seen.append)
        for strategy in rare(kind):
            look(strategy, COUNT // 4, seen.append)
    return Port(kind, seen)


@pytest.fixture(scope="session")
def see_many() -> Callable[[str, Callable[[Seen], None]], None]:
    """Return a function that calls another one with each of far more histories of a port."""
    return lambda kind, see: look(scenarios(kind), MANY, see)
