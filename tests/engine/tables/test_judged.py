"""What policies ask for beside their tries is told at the same moments as by the machine of the event engine."""

from __future__ import annotations

from equal_tables import assert_same

from sim.history.traffic import CallEnd
from sim.history.vocabulary import NEVER, Outcome
from sim.scenario.load import parse

MS = 1_000_000
"""In ns."""
FAILS = "action: {script: [{outcome: fail, latency: 10ms}]}\n"


def shared(count: int, policy: str, rest: str = FAILS) -> str:
    return f"world: shared\nrequests: {{count: {count}}}\nretrier: {{kind: policy, {policy}}}\n{rest}"


def test_a_deadline_of_sleeps_counts_sleeps_alone() -> None:
    text = shared(1, "attempts: 9, delay: 15ms, deadline: {after: 40ms, kind: before_sleep, counts: sleeps}")
    requests, traffic = assert_same(parse(text))
    assert requests.attempts.tolist() == [3]
    assert traffic.calls.slept_ns.tolist() == [NEVER, 15 * MS, 15 * MS]


def test_a_deadline_of_calls_counts_calls_alone() -> None:
    text = shared(1, "attempts: 9, delay: 50ms, deadline: {after: 25ms, counts: calls}")
    requests, _ = assert_same(parse(text))
    assert (requests.attempts.tolist(), requests.settled_ns.tolist()) == ([3], [125 * MS])


def test_a_deadline_from_the_first_failure_begins_with_it() -> None:
    text = shared(1, "attempts: 9, delay: 10ms, deadline: {after: 35ms, from: first_failure}")
    requests, _ = assert_same(parse(text))
    assert requests.settled_ns.tolist() == [45 * MS]


def test_requests_that_are_over_leave_the_share_of_a_budget() -> None:
    # Of one request in flight the share is no whole retry, of two it is one; each is over before the next comes.
    text = shared(3, "attempts: 3, budget: {active: {share: 0.6, at_least: 0, round: down}}")
    apart = "requests: {count: 3, arrivals: {constant: {rate: 25/s}}}\n"
    assert assert_same(parse(text.replace("requests: {count: 3}\n", apart)))[0].attempts.tolist() == [1, 1, 1]
    assert assert_same(parse(text))[0].attempts.max() > 1


def test_a_retry_that_sleeps_counts_if_the_budget_says_so() -> None:
    text = shared(4, "attempts: 2, delay: 20ms, budget: {active: {share: 0, at_least: 2, sleeping: true}}")
    requests, _ = assert_same(parse(text))
    assert sorted(requests.attempts.tolist()) == [1, 1, 2, 2]
    at_start = text.replace(", sleeping: true", "")
    assert assert_same(parse(at_start))[0].attempts.tolist() == [2] * 4


def test_a_retry_pays_as_it_starts_if_the_budget_says_so() -> None:
    text = shared(4, "attempts: 3, delay: 20ms, budget: {tokens: {capacity: 2, takes: at_start}}")
    requests, _ = assert_same(parse(text))
    assert requests.attempts.sum() == 6
    assert (requests.settled_ns[requests.attempts == 1] == 30 * MS).all()


def test_a_failure_is_told_after_the_last_sleep_if_the_policy_sleeps_it() -> None:
    text = shared(1, "attempts: 2, delay: 20ms, sleeps_after_last: true")
    requests, _ = assert_same(parse(text))
    assert (requests.attempts.tolist(), requests.settled_ns.tolist()) == ([2], [60 * MS])


def test_a_request_that_hangs_after_a_sleep_is_stuck_also_if_the_world_is_cut() -> None:
    script = "action: {script: [{outcome: fail, latency: 10ms}, {outcome: hang}]}\nuntil: 100ms\n"
    arrivals = "requests: {count: 10, arrivals: {constant: {rate: 100/s}}}\n"
    text = shared(1, "attempts: 2, delay: 5ms", script).replace("requests: {count: 1}\n", arrivals)
    requests, _ = assert_same(parse(text))
    assert requests.outcome[0] == Outcome.stuck
    assert requests.outcome[-1] == Outcome.open


def test_a_call_whose_caller_has_given_up_is_dropped_at_its_turn() -> None:
    service = (
        "action: {service: db}\nservices: {db: {servers: 1, latency: {constant: 30ms}, queue: {abandoned: dropped}}}"
    )
    requests, traffic = assert_same(parse(shared(2, "attempts: 1, timeout: 10ms", service)))
    assert traffic.calls.end.tolist() == [CallEnd.success, CallEnd.dropped]
    assert requests.outcome.tolist() == [Outcome.gave_up] * 2


def test_servers_that_come_back_let_calls_begin_before_all_else_of_the_instant() -> None:
    service = (
        "action: {service: db}\nservices: {other: {capacity: [{from: 1ms, to: 2ms, servers: 0}]}, db: {servers: 1,"
        " queue: {max_wait: 50ms}, latency: {constant: 5ms}, capacity: [{from: 0s, to: 50ms, servers: 0}]}}"
    )
    _, traffic = assert_same(parse(shared(2, "attempts: 1", service)))
    # The second call's wait ends at 50 ms too, but the change of servers is urgent: the first has begun by then.
    assert traffic.calls.end.tolist() == [CallEnd.success, CallEnd.rejected_max_wait]
    assert traffic.capacities.service.tolist() == [0, 0, 0, 1, 1]


def test_clients_in_turn_ask_again_after_the_end_of_their_request() -> None:
    text = shared(5, "attempts: 2").replace("{count: 5}", "{count: 5, arrivals: {closed: {think: {constant: 20ms}}}}")
    requests, _ = assert_same(parse(text + "clients: {count: 2}\n"))
    assert requests.submitted_ns.tolist() == [20 * MS, 20 * MS, 60 * MS, 60 * MS, 100 * MS]
    assert requests.client.tolist() == [0, 1, 0, 1, 0]
