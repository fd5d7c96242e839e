"""The machine, one rule at a time: what happens when, in worlds in which all of it can be worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from sim.clients.policy.machine import TRANSITIONS, On, State
from sim.engine.event import simulate
from sim.history.recorder import Recorder
from sim.history.vocabulary import Outcome
from sim.scenario.load import parse

MS = 1_000_000
FAILS = "{script: [{outcome: fail, latency: 10ms}]}"
SLOW = "{script: [{outcome: success, latency: 1s}]}"
HANGS = "{script: [{outcome: hang}]}"
KINDS = {
    "attempt",
    "decided",
    "refused",
    "gate_wait",
    "copy",
    "redelivered",
    "timed_out",
    "sleep",
    "settled",
    "breaker",
}


def told(policy: str, action: str = FAILS, more: str = "requests: {count: 1}") -> list[tuple[Any, ...]]:
    """Simulate a policy; return (instant in ms, kind, name or number) of what it does."""
    recorder = Recorder()
    simulate(parse(f"retrier: {{kind: policy, {policy}}}\naction: {action}\n{more}\n"), recorder=recorder)
    return [
        (t_ns / MS, kind, subject if kind in {"attempt", "timed_out"} else detail / MS if kind == "sleep" else name)
        for t_ns, kind, _, subject, name, detail in recorder.raw
        if kind in KINDS
    ]


def starts_ms(policy: str, action: str = FAILS, more: str = "requests: {count: 1}") -> list[float]:
    return [t_ms for t_ms, kind, _ in told(policy, action, more) if kind == "attempt"]


def end(policy: str, action: str = FAILS, more: str = "requests: {count: 1}") -> tuple[float, str]:
    """Return when a policy gives up, and why."""
    events = told(policy, action, more)
    reason = [name for _, kind, name in events if kind == "decided"][-1]
    return next(t_ms for t_ms, kind, _ in events if kind == "settled"), reason


def steps(*answers: str) -> str:
    return "{script: [" + ", ".join(answers) + "]}"


# The table.


def test_every_state_but_the_last_can_be_left() -> None:
    assert {state for state, _ in TRANSITIONS} == {state for state in State if state != State.over}


def test_every_event_moves_something() -> None:
    assert {on for _, on in TRANSITIONS} == set(On)


def test_a_request_can_be_stopped_in_every_state_but_over() -> None:
    assert [state for state in State if (state, On.stop) not in TRANSITIONS] == [State.over]


# Tries and sleeps.


def test_a_wait_of_0_takes_no_event() -> None:
    assert [kind for _, kind, _ in told("attempts: 2")] == ["attempt", "decided", "attempt", "decided", "settled"]


def test_a_hundred_thousand_tries_without_time_are_a_loop_and_no_recursion() -> None:
    action = "action: {script: [{outcome: fail, latency: 0s}]}"
    text = f"retrier: {{kind: policy, attempts: 100000}}\n{action}\nrequests: {{count: 1}}"
    assert simulate(parse(text)).attempts.tolist() == [100_000]


def test_unlimited_tries_end_as_a_runaway_where_nothing_else_ends_them() -> None:
    text = """
retrier: {kind: policy, attempts: unlimited, delay: 1ms}
action: {script: [{outcome: fail, latency: 0s}]}
requests: {count: 1}
until: 1h
limits: {polls_per_request: 50}
"""
    assert simulate(parse(text)).outcome.tolist() == [Outcome.runaway]


def test_a_table_that_stops_is_the_end() -> None:
    assert end("attempts: 10, delay: {table: {delays: [20ms, 30ms], then: stop}}") == (80.0, "table")


# Answers by kind.

THROTTLED = "{outcome: fail, latency: 10ms, kind: throttled}"
FAILURE = "{outcome: fail, latency: 10ms}"


def test_a_kind_that_is_not_retried_ends_the_request() -> None:
    assert end("attempts: 5, retry_on: [timed_out]") == (10.0, "retry_on")


def test_a_final_error_ends_the_request() -> None:
    assert end("attempts: 5", steps("{outcome: fail, latency: 10ms, final: true}")) == (10.0, "final")


def test_a_final_error_is_retried_if_the_policy_says_so() -> None:
    assert end("attempts: 2, final: retried", steps("{outcome: fail, latency: 10ms, final: true}"))[1] == "attempts"


# Timeouts.


def test_a_timed_out_try_is_tried_again_while_its_call_goes_on() -> None:
    assert told("attempts: 2, timeout: 300ms", SLOW)[:3] == [
        (0.0, "attempt", 1),
        (300.0, "timed_out", 1),
        (300.0, "decided", "retry"),
    ]


def test_a_timeout_can_grow_with_the_try() -> None:
    found = told("attempts: 3, timeout: {linear: {initial: 100ms, step: 50ms}}", HANGS)
    assert [t_ms for t_ms, kind, _ in found if kind == "timed_out"] == [100.0, 250.0, 450.0]


def test_of_a_timeout_and_an_answer_of_one_instant_the_timeout_counts() -> None:
    assert told("timeout: 1s", SLOW)[1] == (1000.0, "timed_out", 1)


def test_a_timeout_left_of_retry_is_that_of_all_tries() -> None:
    order = "order: [deadline, timeout, retry, bulkhead, rate_limit, breaker, hedge]"
    assert end(
        f"attempts: unlimited, timeout: 95ms, delay: 10ms, {order}", more="until: 10s\nrequests: {count: 1}"
    ) == (
        95.0,
        "timeout",
    )


# Deadlines.


@pytest.mark.parametrize(
    ("deadline", "ends"),
    [
        # Tries of 10 ms and sleeps of 30 ms: answers at 10, 50, 90, 130 and 170 ms.
        ("100ms", (100.0, "deadline")),
        ("{after: 85ms, kind: hard}", (85.0, "deadline")),
        ("{after: 100ms, kind: soft}", (120.0, "deadline")),
        ("{after: 120ms, kind: soft}", (120.0, "deadline")),
        ("{after: 121ms, kind: soft}", (160.0, "deadline")),
        ("{after: 100ms, kind: before_sleep}", (90.0, "deadline")),
        ("{after: 120ms, kind: before_sleep}", (130.0, "deadline")),
        ("{after: 100ms, kind: cut_sleep}", (110.0, "deadline")),
        ("{after: 100ms, kind: after_attempt}", (130.0, "deadline")),
        ("{after: 130ms, kind: after_attempt}", (130.0, "deadline")),
        ("{after: 131ms, kind: after_attempt}", (170.0, "deadline")),
        ("{after: 100ms, kind: [before_sleep, hard]}", (90.0, "deadline")),
        ("{after: 100ms, kind: hard, from: first_failure}", (110.0, "deadline")),
        ("{after: 25ms, kind: hard, counts: calls}", (85.0, "deadline")),
        ("{after: 70ms, kind: hard, counts: sleeps}", (100.0, "deadline")),
        ("{after: 20ms, kind: after_attempt, counts: calls}", (50.0, "deadline")),
        ("{after: 70ms, kind: before_sleep, counts: sleeps}", (90.0, "deadline")),
    ],
)
def test_each_kind_of_deadline_ends_a_request_at_its_moment(deadline: str, ends: tuple[float, str]) -> None:
    assert end(f"attempts: unlimited, delay: 30ms, deadline: {deadline}") == ends


def test_a_hard_deadline_ends_a_call_in_flight() -> None:
    assert end("deadline: 300ms", SLOW) == (300.0, "deadline")


def test_a_sleep_is_cut_to_what_is_left() -> None:
    assert starts_ms("attempts: unlimited, delay: 30ms, deadline: {after: 100ms, kind: cut_sleep}")[-1] == 100.0


def test_all_limits_stop_only_together() -> None:
    policy = "attempts: 3, limits: all, delay: 30ms, deadline: "
    assert (len(starts_ms(f"{policy}100ms")), len(starts_ms(f"{policy}1ms"))) == (4, 3)


# Retry-After.


def hinted(more: str, hint: str = "200ms") -> list[float]:
    action = steps(f"{{outcome: fail, latency: 10ms, retry_after: {hint}}}")
    return [name for _, kind, name in told(f"attempts: 3, delay: 50ms, {more}", action) if kind == "sleep"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("retry_after: {obey: false}", [50.0, 50.0]),
        ("retry_after: {}", [200.0, 200.0]),
        ("retry_after: {at_most: 150ms}", [150.0, 150.0]),
        ("retry_after: {at_most: 150ms, above: ignore}", [50.0, 50.0]),
        ("retry_after: {at_most: 150ms, above: give_up}", []),
        ("retry_after: {as: lower_bound}", [200.0, 200.0]),
        ('retry_after: {as: "max(d, min(hint, d + 20ms))"}', [70.0, 70.0]),
    ],
)
def test_each_rule_makes_its_wait_of_a_hint(rule: str, expected: list[float]) -> None:
    assert hinted(rule) == expected


def test_a_lower_bound_leaves_a_longer_delay() -> None:
    assert hinted("retry_after: {as: lower_bound}", "20ms") == [50.0, 50.0]


def test_a_hint_can_reset_the_growth_of_delays() -> None:
    action = steps(FAILURE, FAILURE, "{outcome: fail, latency: 10ms, retry_after: 5ms}", FAILURE, FAILURE)
    policy = "attempts: 5, delay: {exponential: {initial: 100ms}}, retry_after: {resets: true}"
    assert [name for _, kind, name in told(policy, action) if kind == "sleep"] == [100.0, 200.0, 5.0, 100.0]


def test_a_hint_can_decide_that_an_answer_is_retried() -> None:
    action = steps("{outcome: fail, latency: 10ms, retry_after: 5ms}")
    policy = "attempts: 2, retry_on: [timed_out], retry_after: {decides: true}"
    assert end(policy, action)[1] == "attempts"


def test_a_hint_can_ask_for_no_retry_at_all() -> None:
    action = steps("{outcome: fail, latency: 10ms, retry_after: stop}")
    assert end("attempts: 5, retry_after: {}", action) == (10.0, "hint")


# Cases.


def test_the_first_case_that_matches_replaces_its_keys() -> None:
    policy = "attempts: 4, delay: 50ms, cases: [{on: [failed.throttled], delay: 1s}]"
    found = told(policy, steps(THROTTLED, FAILURE, THROTTLED, FAILURE))
    assert [name for _, kind, name in found if kind == "sleep"] == [1000.0, 50.0, 1000.0]


def test_a_counter_of_its_own_counts_only_the_failures_of_its_case() -> None:
    policy = (
        "attempts: 10, delay: 50ms, cases: [{on: [failed.throttled], attempts: 3, counter: own, "
        "delay: {exponential: {initial: 1s}}}]"
    )
    found = told(policy, steps(FAILURE, THROTTLED, FAILURE, THROTTLED, FAILURE, THROTTLED))
    assert [name for _, kind, name in found if kind == "sleep"] == [50.0, 1000.0, 50.0, 2000.0, 50.0]


def test_a_case_can_ask_for_a_hint() -> None:
    policy = "attempts: 5, retry_after: {}, cases: [{on: [failed.throttled], hint: required}]"
    hint = "{outcome: fail, latency: 10ms, kind: throttled, retry_after: 5ms}"
    assert end(policy, steps(hint, hint, THROTTLED)) == (40.0, "no_hint")


# Keys of single libraries.


def test_a_delay_can_count_from_the_start_of_the_try() -> None:
    assert starts_ms("attempts: 3, delay: 30ms, delay_from: start") == [0.0, 30.0, 60.0]


def test_the_instant_of_a_retry_can_be_cut_to_a_grid() -> None:
    assert starts_ms("attempts: 3, delay: 30ms, due_floor: 25ms") == [0.0, 25.0, 50.0]


def test_the_delay_can_be_slept_after_the_last_try_too() -> None:
    assert end("attempts: 2, delay: 30ms, sleeps_after_last: true") == (80.0, "attempts")


def test_a_retry_that_is_due_waits_for_the_next_look_of_its_worker() -> None:
    assert starts_ms("attempts: 3, delay: 30ms, pickup: {every: {constant: 100ms}, phase: 0s}") == [0.0, 100.0, 200.0]


def test_a_try_that_has_not_ended_is_tried_again_beside_it() -> None:
    assert starts_ms("attempts: 3, redeliver: {after: 300ms}", SLOW) == [0.0, 300.0, 600.0]


def test_a_redelivery_from_the_end_counts_the_sleep_too() -> None:
    action = steps(FAILURE, "{outcome: success, latency: 1s}")
    policy = "attempts: 4, delay: 250ms, redeliver: {after: 300ms, from: end}"
    assert starts_ms(policy, action) == [0.0, 260.0, 310.0, 610.0]


def test_a_redelivery_need_not_count_as_a_try() -> None:
    assert starts_ms("attempts: 1, redeliver: {after: 300ms, counts: false, at_most: 2}", SLOW) == [0.0, 300.0, 600.0]


# Hedges.


def test_a_copy_goes_each_time_so_long_after_the_last() -> None:
    assert starts_ms("hedge: {after: 300ms, at_most: 2}", SLOW) == [0.0, 300.0, 600.0]


def test_all_copies_go_at_once_if_there_is_no_time_between_them() -> None:
    assert starts_ms("hedge: {after: 0s, at_most: 2}", SLOW) == [0.0, 0.0, 0.0]


def test_the_first_success_counts_and_no_copy_follows_it() -> None:
    action = steps("{outcome: success, latency: 1s}", "{outcome: success, latency: 100ms}")
    found = told("hedge: {after: 300ms, at_most: 3}", action)
    assert (found[-1], len([1 for _, kind, _ in found if kind == "attempt"])) == ((400.0, "settled", "success"), 2)


@pytest.mark.parametrize(
    ("at_failure", "expected"), [("next", [0.0, 10.0]), ("delay", [0.0, 60.0]), ("wait", [0.0, 300.0])]
)
def test_a_failure_of_a_copy_brings_the_next_by_its_rule(at_failure: str, expected: list[float]) -> None:
    assert starts_ms(f"delay: 50ms, hedge: {{after: 300ms, at_most: 1, at_failure: {at_failure}}}") == expected


def test_a_failure_that_is_not_retried_ends_the_try_of_all_copies() -> None:
    action = steps("{outcome: success, latency: 1s}", "{outcome: fail, latency: 10ms, final: true}")
    assert end("hedge: {after: 300ms}", action) == (310.0, "final")


def test_copies_do_not_count_as_tries() -> None:
    assert len(starts_ms("attempts: 2, hedge: {after: 0s, at_most: 2}")) == 6


# What requests share.

SHARED = """
world: shared
requests: {count: 6, arrivals: {constant: {rate: 10/s}}}
"""


def test_a_breaker_that_is_open_refuses_a_call_without_making_it() -> None:
    found = told("attempts: 2, breaker: {window: {consecutive: 2}, open: 250ms}", more=SHARED)
    assert [(t_ms, name) for t_ms, kind, name in found if kind == "refused"] == [
        (100.0, "breaker"),
        (200.0, "breaker"),
        (310.0, "breaker"),
        (400.0, "breaker"),
        (500.0, "breaker"),
    ]


def test_each_client_has_a_breaker_of_its_own_unless_its_scope_says_otherwise() -> None:
    policy = "attempts: 2, breaker: {window: {consecutive: 2}, open: 10s"
    more = f"{SHARED}clients: {{count: 2}}\n"
    own, one = (
        len([1 for _, kind, _ in told(f"{policy}{scope}}}", more=more) if kind == "refused"])
        for scope in ("", ", scope: world")
    )
    assert (own, one) == (4, 5)


def test_a_bulkhead_lets_in_the_next_that_waits_as_one_leaves() -> None:
    found = told("bulkhead: {at_most: 1, queue: 10}", "{script: [{outcome: success, latency: 150ms}]}", SHARED)
    assert [t_ms for t_ms, kind, _ in found if kind == "attempt"] == [0.0, 150.0, 300.0, 450.0, 600.0, 750.0]


def test_a_full_bulkhead_refuses_at_once() -> None:
    found = told("bulkhead: {at_most: 1}", "{script: [{outcome: success, latency: 150ms}]}", SHARED)
    assert [t_ms for t_ms, kind, _ in found if kind == "refused"] == [100.0, 300.0, 500.0]


def test_a_rate_limit_lets_calls_wait_for_their_token() -> None:
    found = told("rate_limit: {rate: 5/s, burst: 1}", "{script: [{outcome: success, latency: 1ms}]}", SHARED)
    assert [t_ms for t_ms, kind, _ in found if kind == "attempt"] == [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]


def test_an_empty_budget_ends_the_request_with_the_answer_it_had() -> None:
    found = told("attempts: 3, budget: {tokens: {capacity: 3}}", more=SHARED)
    assert [name for _, kind, name in found if kind == "decided"] == [
        *("retry", "retry", "attempts"),
        *("retry", "budget"),
        *("budget", "budget", "budget", "budget"),
    ]


def test_a_budget_can_let_the_request_sleep_before_it_fails() -> None:
    found = told("attempts: 3, delay: 30ms, budget: {tokens: {capacity: 1, empty: sleep}}", more=SHARED)
    assert [t_ms for t_ms, kind, _ in found if kind == "settled"][:3] == [80.0, 140.0, 240.0]


def test_a_copy_pays_as_a_retry_does() -> None:
    found = told("hedge: {after: 20ms, at_most: 5}, budget: {tokens: {capacity: 2}}", SLOW)
    assert [(t_ms, name) for t_ms, kind, name in found if kind == "decided"] == [(60.0, "copy")]


def test_policies_of_one_name_share_their_state() -> None:
    more = """
world: shared
requests: {count: 4, arrivals: {constant: {rate: 10/s}}}
classes:
  a: {share: 0.5}
  b: {share: 0.5, retrier: {kind: policy, attempts: 2, name: common, budget: {tokens: {capacity: 1}}}}
"""
    policy = "attempts: 2, name: common, budget: {tokens: {capacity: 1}}"
    assert len([1 for _, kind, name in told(policy, more=more) if (kind, name) == ("decided", "retry")]) == 1
