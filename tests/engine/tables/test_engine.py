"""Which cells the tables engine refuses, what it does at a limit, and what it leaves behind."""

from __future__ import annotations

import gc

import pytest
from equal_tables import assert_equal, assert_same

from sim.engine import event, tables
from sim.engine.tables.engine import simulate_within_limits
from sim.engine.tables.timeline import OutOfBounds
from sim.history.records import COLUMNS
from sim.history.vocabulary import Outcome
from sim.scenario.load import parse

SERVED = "action: {service: db}\nservices: {db: {servers: 1"
POLICY = "retrier: {kind: policy, attempts: 2"
TIMEOUT_OUTSIDE = "[timeout, deadline, retry, bulkhead, rate_limit, breaker, hedge]"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("retrier: {kind: policy, attempts: 2}", "in an isolated world no request meets another"),
        ("world: shared\nretrier: helpers", "retrier helpers is code, not data"),
        ("world: shared\nretrier: none\ncancel: {share: 0.1, after: {constant: 1s}}", "it does not play `cancel`"),
        ("world: shared\nretrier: none\nresubmit: {after: {constant: 1s}}", "it does not play `resubmit`"),
        (
            "world: shared\nretrier: none\nclasses: {a: {share: 1.0}}",
            "it has one class of callers, but the scenario has `classes`",
        ),
        (
            f"world: shared\n{POLICY}, hedge: {{after: 10ms, at_most: 1}}}}",
            "a hedge makes several calls of one try",
        ),
        (f"world: shared\n{POLICY}, redeliver: {{after: 10ms}}}}", "redelivery makes several calls of one try"),
        (
            f"world: shared\n{POLICY}, bulkhead: {{at_most: 2}}}}",
            "it has no gates: no breaker, bulkhead or rate limit of a policy",
        ),
        (
            f"world: shared\n{POLICY}, timeout: 1s, order: {TIMEOUT_OUTSIDE}}}",
            "the timeout is not that of a try",
        ),
        (
            f"world: shared\nretrier: none\n{SERVED}, calls: [{{service: b}}]}}, b: {{}}}}",
            "service db calls others",
        ),
        (
            "world: shared\nretrier: none\naction: {service: row}\nservices: {row: {kind: versioned_row}}",
            "service row is of a kind of its own",
        ),
        (
            f"world: shared\nretrier: none\n{SERVED}, outcomes: {{lost_contact: 0.1}}}}}}",
            "it does not play the outcome lost_contact",
        ),
        (
            f"world: shared\nretrier: none\n{SERVED}, idempotency: {{window: 1s, answers: first}}}}}}",
            "it remembers idempotency keys as by default only, but `from`, `answers` or `in_use` is set",
        ),
    ],
)
def test_the_reason_of_a_refusal_is_given(text: str, reason: str) -> None:
    assert tables.refusal(parse(text)) == reason


def test_a_preset_is_a_policy() -> None:
    assert tables.refusal(parse("world: shared\nretrier: {kind: policy, preset: envoy-retry-budget}")) is None


NEVER_ENDS = f"world: shared\nrequests: {{count: 2}}\n{SERVED}, script: [{{outcome: fail, latency: 10ms}}]}}}}\n"


@pytest.mark.parametrize(
    "limits",
    [
        "retrier: {kind: policy, attempts: 100}\nlimits: {polls_per_request: 5}",
        "retrier: {kind: policy, attempts: 100, delay: 1ms}\nlimits: {events: 50}",
    ],
)
def test_what_comes_to_a_limit_is_left_to_the_event_engine(limits: str) -> None:
    scenario = parse(NEVER_ENDS + limits)
    with pytest.raises(OutOfBounds):
        simulate_within_limits(scenario, 0)
    requests, _ = tables.simulate_replication(scenario)
    assert Outcome.runaway in requests.outcome.tolist()
    assert_equal(requests, event.simulate_replication(scenario)[0], COLUMNS, limits)


def test_a_sleep_beyond_all_instants_is_left_to_the_event_engine() -> None:
    scenario = parse(NEVER_ENDS + "retrier: {kind: policy, attempts: 100, delay: {formula: '1h * 10 ** n'}}")
    with pytest.raises(OutOfBounds):
        simulate_within_limits(scenario, 0)


JITTERED = (
    "world: shared\nrequests: {count: 600, arrivals: {poisson: {rate: 20/s}}}\n"
    f"{POLICY}, timeout: 100ms, delay: {{exponential: {{initial: 50ms, jitter: full}}}}, deadline: 300ms}}\n"
    f"{SERVED}, latency: {{exponential: {{mean: 40ms}}}}}}}}\n"
)


def test_the_first_few_requests_alone_are_the_same_as_with_the_event_engine() -> None:
    scenario = parse(JITTERED)
    few, calls = tables.simulate_replication(scenario, at_most=7)
    theirs, their_calls = event.simulate_replication(scenario, at_most=7)
    assert len(few) == 7
    assert_equal(few, theirs, COLUMNS, "")
    assert calls.calls.over_ns.tolist() == their_calls.calls.over_ns.tolist()


def test_progress_is_told_as_by_the_event_engine() -> None:
    scenario = parse(JITTERED)
    ours: list[int] = []
    theirs: list[int] = []
    tables.simulate_replication(scenario, progress=ours.append)
    event.simulate_replication(scenario, progress=theirs.append)
    assert ours == theirs == [0, 256, 512]


def test_a_world_leaves_nothing_to_the_garbage_collector() -> None:
    scenario = parse(JITTERED + "until: 10s")
    tables.simulate_replication(scenario)  # so that nothing is made for the first time
    gc.collect()
    gc.disable()
    try:
        tables.simulate_replication(scenario)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [type(one).__qualname__ for one in gc.garbage if type(one).__module__.startswith("sim.engine.tables")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not {"Asked", "Judged", "Call"} & set(left)


@pytest.mark.slow
@pytest.mark.parametrize("load", [5, 20, 30, 60])
def test_a_long_world_is_the_same(load: int) -> None:
    text = (
        JITTERED.replace("20/s", f"{load}/s")
        .replace("count: 600", "count: 20000")
        .replace("attempts: 2", "attempts: 6")
    )
    assert_same(parse(text))
