"""Corners of policies in which two of their keys meet: what counts, what is let go, what is drawn once."""

from typing import Any

import pytest

from sim.engine.event import simulate
from sim.history.recorder import Recorder
from sim.scenario.load import parse

MS = 1_000_000


def told(text: str) -> list[tuple[Any, ...]]:
    """Return what the history of a scenario tells."""
    recorder = Recorder()
    simulate(parse(text), recorder=recorder)
    return recorder.raw


def at_ms(raw: list[tuple[Any, ...]], kind: str, request: int = 0) -> list[float]:
    """Return the instants of events of a kind."""
    return [one[0] / MS for one in raw if one[1] == kind and one[2] == request]


def reasons(raw: list[tuple[Any, ...]], request: int = 0) -> list[str]:
    """Return what was decided."""
    return [one[4] for one in raw if one[1] == "decided" and one[2] == request]


FAILS = "requests: {count: 1}\naction: {script: [{outcome: fail, latency: 10ms}]}\n"


def test_a_deadline_of_sleeps_counts_the_first_sleep_too() -> None:
    deadline = "{after: 30ms, kind: before_sleep, counts: sleeps}"
    raw = told(f"{FAILS}retrier: {{kind: policy, attempts: 9, delay: 40ms, deadline: {deadline}}}")
    assert (at_ms(raw, "attempt"), reasons(raw)) == ([0], ["deadline"])


def test_calls_count_only_from_the_first_failure_on_if_that_starts_the_deadline() -> None:
    deadline = "{after: 15ms, kind: soft, counts: calls, from: first_failure}"
    raw = told(f"{FAILS}retrier: {{kind: policy, attempts: 9, deadline: {deadline}}}")
    assert at_ms(raw, "attempt") == [0, 10, 20]


def test_a_soft_deadline_does_not_keep_another_kind_from_ending_before_the_sleep() -> None:
    deadline = "{after: 10ms, kind: [soft, before_sleep]}"
    raw = told(f"{FAILS}retrier: {{kind: policy, attempts: 9, delay: 40ms, deadline: {deadline}}}")
    assert (at_ms(raw, "sleep"), reasons(raw)) == ([], ["deadline"])


def test_other_answers_are_successes_of_a_breaker_that_says_so() -> None:
    breaker = "{window: {calls: 2}, opens_at: 50%, counts: [timed_out], others: success, open: 1s}"
    raw = told(f"{FAILS}retrier: {{kind: policy, attempts: 3, timeout: 20ms, breaker: {breaker}}}")
    assert (at_ms(raw, "attempt"), at_ms(raw, "breaker", -1)) == ([0, 10, 20], [])


SLOW = "requests: {count: 1}\naction: {script: [{outcome: success, latency: 65ms}]}\n"


def test_a_try_that_is_delivered_again_has_one_next_copy_and_none_after_its_success() -> None:
    hedge = "hedge: {after: 50ms, at_most: 2}, redeliver: {after: 20ms}"
    raw = told(f"{SLOW}retrier: {{kind: policy, attempts: 2, {hedge}}}")
    assert at_ms(raw, "attempt") == [0, 20]


def test_a_copy_that_waits_for_a_place_does_not_get_that_of_the_copy_that_succeeds() -> None:
    order = "[deadline, retry, hedge, bulkhead, rate_limit, breaker, timeout]"
    raw = told(
        f"{SLOW}retrier: {{kind: policy, order: {order}, hedge: {{after: 10ms}}, bulkhead: {{at_most: 1, queue: 5}}}}"
    )
    assert at_ms(raw, "attempt") == [0]


def test_a_try_fails_if_the_budget_has_nothing_for_the_only_copy_that_is_left() -> None:
    hedge = "hedge: {after: 50ms, at_failure: delay}, delay: 5ms"
    budget = "budget: {tokens: {capacity: 5, start: empty, on_success: 1}}"
    raw = told(f"{FAILS}retrier: {{kind: policy, attempts: 1, {hedge}, {budget}}}")
    assert (reasons(raw), at_ms(raw, "settled")) == (["copy", "attempts"], [15])


def test_a_copy_that_fails_at_once_is_followed_after_its_delay() -> None:
    text = """
requests: {count: 2}
action: {service: db}
services: {db: {servers: 1, latency: {constant: 50ms}, queue: {limit: 0}}}
retrier: {kind: policy, delay: 7ms, hedge: {after: 10ms, at_most: 3, at_failure: delay}}
"""
    assert at_ms(told(f"world: shared\n{text}"), "attempt")[:4] == [0, 10, 17, 24]


def test_all_copies_of_a_try_have_one_timeout() -> None:
    timeout = "timeout: {constant: {delay: 40ms, jitter: full}}"
    raw = told(f"{SLOW}retrier: {{kind: policy, {timeout}, hedge: {{after: 1ms, at_most: 1}}}}")
    assert len([one for one in raw if one[1] == "draw"]) == 1


def test_each_failure_of_a_copy_draws_a_delay_of_its_own() -> None:
    text = "requests: {count: 1}\naction: {script: [{outcome: fail, latency: 20ms}]}\n"
    delay = "delay: {constant: {delay: 40ms, jitter: {spread: 0.2}}}"
    raw = told(f"{text}retrier: {{kind: policy, {delay}, hedge: {{after: 15ms, at_most: 2, at_failure: delay}}}}")
    drawn = [one[5] for one in raw if one[1] == "draw"]
    assert len(drawn) == len(set(drawn)) >= 2


def test_a_retry_that_a_gate_refuses_sleeps_no_longer() -> None:
    gates = "rate_limit: {rate: 1/s, burst: 1, empty: refuse}, order: ORDER, retry_on: [failed, refused]"
    order = "[deadline, retry, hedge, rate_limit, bulkhead, breaker, timeout]"
    budget = "budget: {active: {share: 0%, at_least: 1, sleeping: true}}"
    raw = told(f"{FAILS}retrier: {{kind: policy, attempts: 4, delay: 10ms, {budget}, {gates.replace('ORDER', order)}}}")
    assert reasons(raw) == ["retry", "retry", "retry", "attempts"]


def test_a_timeout_of_a_whole_try_fails_each_of_its_calls() -> None:
    order = "order: [deadline, retry, bulkhead, rate_limit, breaker, timeout, hedge]"
    budget = "budget: {tokens: {capacity: 5, charges: on_failure}}"
    tries = "attempts: 2, timeout: 30ms, hedge: {after: 10ms}"
    raw = told(f"{SLOW}retrier: {{kind: policy, {tries}, {budget}, {order}}}")
    assert [one[5][4] for one in raw if one[1] == "decided" and one[4] == "retry"] == [3.0]


@pytest.mark.parametrize(("above", "wait_ms"), [("ignore", 20), ("cap", 5)])
def test_a_hint_that_does_not_count_leaves_the_delay_from_the_start_of_the_try(above: str, wait_ms: float) -> None:
    text = "requests: {count: 1}\naction: {script: [{outcome: fail, latency: 10ms, retry_after: 1s}]}\n"
    hint = f"retry_after: {{at_most: 5ms, above: {above}}}, delay_from: start"
    raw = told(f"{text}retrier: {{kind: policy, attempts: 2, delay: 30ms, {hint}}}")
    assert [one[5] / MS for one in raw if one[1] == "sleep"] == [wait_ms]


def test_a_request_that_sleeps_before_it_gives_up_says_why_as_it_wakes() -> None:
    budget = "budget: {tokens: {capacity: 5, start: empty, empty: sleep, on_success: 1}}"
    raw = told(f"{FAILS}retrier: {{kind: policy, attempts: 3, delay: 30ms, {budget}}}")
    assert [(one[0] / MS, one[4], one[5][-1]) for one in raw if one[1] == "decided"] == [
        (10, "budget", "answer"),
        (40, "budget", "start"),
    ]


def test_no_copy_of_a_request_that_is_over_has_the_place_that_another_leaves() -> None:
    order = "[timeout, deadline, retry, hedge, bulkhead, rate_limit, breaker]"
    gates = "bulkhead: {at_most: 1, queue: 5}, rate_limit: {rate: 1/s}"
    text = "requests: {count: 1}\naction: {script: [{outcome: hang}]}\nuntil: 1s\n"
    hedge = "timeout: 50ms, hedge: {after: 10ms, at_most: 2}"
    raw = told(f"{text}retrier: {{kind: policy, {hedge}, {gates}, order: {order}}}")
    assert at_ms(raw, "gate_wait") == [10, 20]
