"""A work alone in its pool: the vector engine's records are those of the event engine, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.engine import event, vector
from sim.engine.vector import engine
from sim.scenario.load import from_dict, parse
from sim.testing.strategies import scenario_values
from tests.support.equal_records import DEPLOYED, FEATURES, HARM, WORLDS, assert_same

if TYPE_CHECKING:
    from sim.history.records import Requests
    from sim.scenario.schema import Scenario

OPTIONS = st.fixed_dictionaries(
    {"kind": st.just("workpool")},
    optional={
        "max_parallelism": st.sampled_from([1, 2, 10, 200]),
        "attempts": st.integers(1, 7),
        "initial_backoff": st.sampled_from(["1ms", "100ms", "250ms", "1999ms", "2s", "2100ms", "20s", "3m", "2h"]),
        "base": st.sampled_from([1, 1.5, 2, 10]),
        "run_after": st.sampled_from(["0s", "1ms", "99ms", "100ms", "1s", "5s", "110s", "2m", "10m", "3000d"]),
        "function": st.sampled_from(["action", "query"]),
        "on_complete": st.sampled_from(["runs", "throws", "counts", "none"]),
    },
)
ON_THE_GRID = ["0s", "1ms", "100ms", "200ms", "1s", "2s", "2200ms", "10s", "59s", "60s", "2m", "230s", "240s", "8m"]
"""Latencies that let ends of attempts, runs of the loop and of the monitor fall on one instant, or nearly."""
LATENCIES = st.sampled_from(ON_THE_GRID)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(data=st.data())
def test_records_are_equal_in_any_world(data: st.DataObject) -> None:
    values = data.draw(scenario_values({"kind": "workpool"}, "isolated", FEATURES))
    scenario = from_dict({**values, "retrier": data.draw(OPTIONS)})
    assert vector.refusal(scenario) is None
    assert_same(scenario)


OUTCOMES = ["success", "fail", "ack_lost", "crash_before_effect", "crash_after_effect", "lost_contact", "hang"]


def on_the_grid(data: st.DataObject) -> None:
    action: dict[str, Any] = {"effect_at": data.draw(st.sampled_from([1.0, 0.9]))}
    action["script"] = [
        {"outcome": outcome} | ({} if outcome == "hang" else {"latency": data.draw(LATENCIES)})
        for outcome in data.draw(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4))
    ]
    platform: dict[str, Any] = {}
    if data.draw(st.booleans()):
        platform = {"crash_detection": data.draw(st.sampled_from(["0s", "3s", "60s"]))}
    scenario = from_dict({"retrier": data.draw(OPTIONS), "action": action, "platform": platform})
    assert_same(scenario, range(3))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(data=st.data())
def test_records_are_equal_if_ends_and_runs_of_the_loop_fall_on_one_instant(data: st.DataObject) -> None:
    on_the_grid(data)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(data=st.data())
def test_records_are_equal_on_the_grid_in_many_worlds(data: st.DataObject) -> None:
    on_the_grid(data)


CHOSEN = (
    "",
    ", max_parallelism: 1, base: 1, attempts: 3",
    ", attempts: 1",
    ", run_after: 7s, initial_backoff: 20s, base: 3, on_complete: throws",
    ", run_after: 3h, attempts: 12, base: 1.5, on_complete: counts, max_parallelism: 1",
)
IN_TIME = {**WORLDS, "heavy tails": WORLDS["heavy tails"] + "\nlimits: {polls_per_request: 500}", **DEPLOYED}
"""Worlds with runs of the loop that end: 146 years of them are as many as a request may make."""


@pytest.mark.parametrize("name", ["all outcomes", "no latency", "permanent failures, healed", "rows collected early"])
def test_records_are_equal_in_worlds_that_have_much(name: str) -> None:
    for chosen in CHOSEN:
        assert_same(parse(f"seed: 5\nretrier: {{kind: workpool{chosen}}}\n{IN_TIME[name]}\n"), range(12))


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_TIME)
@pytest.mark.parametrize("chosen", CHOSEN)
def test_records_are_equal_in_worlds_that_have_everything(chosen: str, name: str) -> None:
    assert_same(parse(f"seed: 6\nretrier: {{kind: workpool{chosen}}}\n{IN_TIME[name]}\n"), range(40))


def test_errors_that_forbid_a_retry_end_the_work() -> None:
    fail = "[{kind: a, share: 0.5, final: 0.5}, {kind: b, share: 0.2}]"
    scenario = parse(f"retrier: workpool\naction: {{latency: {{constant: 1s}}, outcomes: {{fail: {fail}}}}}")
    assert_same(scenario, range(40))
    assert set(vector.simulate(scenario, range(400)).attempts.tolist()) == {1, 2, 3, 4, 5}


def test_only_canceled_requests_are_left_to_the_event_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    simulate = event.simulate

    def counting(cell: Scenario, **more: Any) -> Requests:
        left.extend(more["numbers"])
        return simulate(cell, **more)

    monkeypatch.setattr(engine.event, "simulate", counting)
    action = f"action: {{latency: {{lognormal: {{median: 2s, p99: 60s}}}}, outcomes: {HARM}}}"
    vector.simulate(parse(f"retrier: workpool\n{action}"), range(20_000))
    assert not left
    vector.simulate(parse(f"retrier: workpool\n{action}\ncancel: {{share: 0.1, after: {{constant: 5s}}}}"), range(300))
    assert 10 < len(left) < 60


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("retrier: {kind: workpool, max_parallelism: 0}", "a pool with `max_parallelism: 0` starts nothing"),
        (
            "retrier: {kind: workpool, function: mutation}",
            "`function: mutation` runs the work within a transaction of the pool",
        ),
        ("retrier: workpool\nworld: shared", "in a shared world requests wait for each other"),
        (
            "retrier: workpool\nplatform: {profile: convex}",
            "platform.mutation_latency lets steps overlap that otherwise share one instant",
        ),
        ("retrier: workpool\nuntil: 5s", "it follows each request to its end, but `until` cuts requests off"),
    ],
)
def test_the_reason_for_a_refusal_is_given(text: str, reason: str) -> None:
    assert vector.refusal(parse(text)) == reason
