"""What falls on one instant comes in the same order in both engines: worlds made for one tie each.

Each says which order it is, so that a world in which nothing ties, or an order that both engines change, is noticed.
"""

from __future__ import annotations

import pytest
from equal_tables import assert_same

from sim.history.traffic import CallEnd
from sim.history.vocabulary import NEVER, Outcome
from sim.scenario.load import parse

TEN = 10_000_000
"""10 ms in ns."""
HEAD = "world: shared\n"
ONE = "requests: {count: 1}\n"


def policy(options: str) -> str:
    return f"retrier: {{kind: policy, {options}}}\n"


def server(options: str) -> str:
    return f"action: {{service: db}}\nservices: {{db: {{{options}}}}}\n"


def test_of_a_timeout_and_an_answer_of_one_instant_the_timeout_counts() -> None:
    text = HEAD + ONE + policy("timeout: 10ms") + server("latency: {constant: 10ms}")
    requests, traffic = assert_same(parse(text))
    assert requests.outcome.tolist() == [Outcome.gave_up]
    assert (traffic.calls.given_up_ns.tolist(), traffic.calls.over_ns.tolist()) == ([TEN], [TEN])


def test_of_a_sleep_and_a_late_effect_of_one_instant_the_one_created_first_comes_first() -> None:
    text = HEAD + ONE + policy("attempts: 2, timeout: 10ms, delay: 20ms") + server("latency: {constant: 30ms}")
    _, traffic = assert_same(parse(text))
    assert traffic.calls.sent_ns.tolist() == [0, 3 * TEN]
    assert traffic.calls.effect_ns.tolist() == [3 * TEN, 6 * TEN]


def test_an_arrival_comes_after_the_end_of_a_call_that_began_before_it_was_planned() -> None:
    text = (
        HEAD
        + "requests: {count: 5, arrivals: {constant: {rate: 100/s}}}\n"
        + policy("attempts: 1")
        + server("servers: 1, queue: {limit: 0}, latency: {constant: 10ms}")
    )
    _, traffic = assert_same(parse(text))
    assert traffic.calls.end.tolist() == [CallEnd.success] * 5


def test_a_retry_after_no_delay_goes_before_the_next_arrival_of_its_instant() -> None:
    text = (
        HEAD
        + "requests: {count: 3}\n"
        + policy("attempts: 2")
        + server("servers: 1, queue: {limit: 0}, latency: {constant: 10ms}")
    )
    _, traffic = assert_same(parse(text))
    assert traffic.calls.request.tolist() == [0, 1, 1, 2, 2]


def test_a_retry_that_arrives_while_the_queue_is_let_in_waits_at_its_end() -> None:
    # First tries fail at once, second ones take 10 ms: at 10 ms the first tries of 1 and 2 are let in and fail.
    text = (
        HEAD
        + "requests: {count: 3}\n"
        + policy("attempts: 2")
        + server("servers: 1, script: [{outcome: fail, latency: 0s}, {outcome: success, latency: 10ms}]")
    )
    _, traffic = assert_same(parse(text))
    calls = traffic.calls
    assert list(zip(calls.request.tolist(), calls.number.tolist(), calls.began_ns.tolist(), strict=True)) == [
        (0, 1, 0),
        (0, 2, 0),
        (1, 1, TEN),
        (2, 1, TEN),
        (1, 2, TEN),
        (2, 2, 2 * TEN),
    ]


def test_an_effect_comes_before_an_end_of_its_instant_that_was_planned_after_it() -> None:
    text = (
        HEAD
        + "requests: {count: 2, arrivals: {constant: {rate: 100/s}}}\n"
        + policy("attempts: 1")
        + server("latency: {constant: 20ms}, effect_at: 0.5, idempotency: {window: 1h}")
    )
    _, traffic = assert_same(parse(text))
    assert traffic.calls.effect_ns.tolist() == [TEN, 2 * TEN]


@pytest.mark.parametrize("until", ["10ms", "20ms", "25ms"])
def test_what_is_due_at_the_end_itself_still_comes(until: str) -> None:
    text = (
        HEAD
        + f"until: {until}\n"
        + "requests: {count: 3, arrivals: {constant: {rate: 100/s}}}\n"
        + policy("attempts: 3, timeout: 30ms, delay: 10ms")
        + server("servers: 1, latency: {constant: 20ms}, network: {request: {constant: 0s}}")
    )
    requests, traffic = assert_same(parse(text))
    assert Outcome.open in requests.outcome.tolist()
    if until == "20ms":
        assert traffic.calls.over_ns[0] == 2 * TEN


def test_a_hang_holds_its_server_and_counts_until_its_caller_gives_up() -> None:
    text = (
        HEAD
        + "requests: {count: 3}\n"
        + policy("attempts: 2, timeout: 10ms")
        + server("servers: 1, queue: {limit: 1}, script: [{outcome: hang}]")
    )
    requests, traffic = assert_same(parse(text))
    assert traffic.calls.began_ns.tolist().count(0) == 1
    assert requests.action_ns[0] == TEN
    assert requests.outcome.tolist() == [Outcome.gave_up] * 3


def test_a_request_that_hangs_without_a_timeout_is_stuck() -> None:
    text = HEAD + "requests: {count: 2}\n" + policy("attempts: 2") + server("servers: 1, script: [{outcome: hang}]")
    requests, traffic = assert_same(parse(text))
    assert requests.outcome.tolist() == [Outcome.stuck] * 2
    assert traffic.calls.began_ns.tolist() == [0, NEVER]


def test_all_tries_of_a_full_queue_end_at_one_instant() -> None:
    text = (
        HEAD
        + "requests: {count: 2}\n"
        + policy("attempts: 5000")
        + server("servers: 1, queue: {limit: 0}, latency: {constant: 10ms}")
    )
    requests, traffic = assert_same(parse(text))
    assert requests.attempts.tolist() == [1, 5000]
    assert set(traffic.calls.sent_ns.tolist()) == {0}


def test_a_world_without_time_ends_at_its_start() -> None:
    text = (
        HEAD
        + "requests: {count: 20}\n"
        + policy("attempts: 4")
        + "action: {latency: {constant: 0s}, outcomes: {fail: 0.5}}\n"
    )
    requests, traffic = assert_same(parse(text))
    assert traffic.observed_ns.tolist() == [0]
    assert requests.attempts.max() > 1


def test_of_a_hard_deadline_and_an_answer_of_one_instant_the_deadline_counts() -> None:
    text = (
        HEAD
        + ONE
        + policy("attempts: 2, deadline: 20ms, delay: 10ms")
        + server("script: [{outcome: fail, latency: 10ms}]")
    )
    requests, _ = assert_same(parse(text))
    assert (requests.attempts.tolist(), requests.settled_ns.tolist()) == ([1], [2 * TEN])


def test_an_alarm_that_was_called_off_keeps_no_world_going() -> None:
    text = HEAD + ONE + policy("deadline: 1h") + server("latency: {constant: 10ms}")
    assert assert_same(parse(text))[1].observed_ns.tolist() == [TEN]


def test_a_timeout_that_found_its_call_answered_keeps_the_world_going() -> None:
    text = HEAD + ONE + policy("timeout: 50ms") + server("latency: {constant: 10ms}")
    assert assert_same(parse(text))[1].observed_ns.tolist() == [5 * TEN]
