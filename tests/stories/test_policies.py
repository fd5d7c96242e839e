"""Stories of policies: why there is a retry or none, what gates do, copies."""

import pytest

from sim.engine.event import simulate
from sim.history.recorder import Recorder
from sim.history.vocabulary import Outcome
from sim.scenario.load import parse
from sim.stories.ending import ending
from sim.stories.reader import read

FAILS = "requests: {count: 1}\naction: {script: [{outcome: fail, latency: 10ms}]}\n"
ASKS = "requests: {count: 1}\naction: {script: [{outcome: fail, latency: 10ms, retry_after: 2s}]}\n"
SLOW = "requests: {count: 1}\naction: {script: [{outcome: success, latency: 60ms}]}\n"
TWO = "world: shared\nrequests: {count: 2, arrivals: {constant: {rate: 50/s}}}\n"


def told(text: str, request: int = 0) -> list[str]:
    """Return what the client does in the story of a request."""
    recorder = Recorder()
    simulate(parse(text), recorder=recorder)
    return [entry.text for entry in read(recorder.history(), request).entries if entry.who == "client"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("attempts: 2, delay: 20ms", ["retry 1 in 20 ms", "no retry: all 2 tries are used"]),
        ("attempts: 2", ["retry 1 at once", "no retry: all 2 tries are used"]),
        ("attempts: 1", ["no retry: its only try is used"]),
        ("attempts: 9, retry_on: [timed_out]", ["no retry: failed is no answer that is retried"]),
        (
            "attempts: 9, delay: {table: {delays: [5ms], then: stop}}",
            ["retry 1 in 5 ms", "no retry: the table of delays is at its end"],
        ),
        (
            "attempts: 9, delay: 20ms, deadline: {after: 25ms, kind: before_sleep}",
            ["no retry: the deadline would be over before a sleep of 20 ms"],
        ),
        ("attempts: 9, delay: 20ms, deadline: 25ms", ["retry 1 in 20 ms", "gives up: the deadline is over"]),
        (
            "attempts: 9, delay: 20ms, deadline: {after: 25ms, kind: soft}",
            ["retry 1 in 20 ms", "gives up: the deadline is over as the next try would start"],
        ),
        (
            "attempts: 9, budget: {tokens: {capacity: 5, start: 1.5, cost: 1}}",
            ["retry 1 at once (budget 1.5 of 5 tokens)", "no retry: budget empty (0.5 of 5 tokens)"],
        ),
        (
            "attempts: 2, delay: 5ms, sleeps_after_last: true",
            [
                "retry 1 in 5 ms",
                "no retry: all 2 tries are used",
                "sleeps 5 ms",
                "gives up: all tries were used, and the last sleep is over",
            ],
        ),
    ],
)
def test_a_story_says_why_there_is_a_retry_or_none(policy: str, expected: list[str]) -> None:
    assert told(f"{FAILS}retrier: {{kind: policy, {policy}}}")[: len(expected)] == expected


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (
            "{at_most: 300ms}",
            "retry 1 in 300 ms (own delay 340 ms; Retry-After asks for 2 s, cut to this)",
        ),
        ("{obey: true}", "retry 1 in 2 s (own delay 340 ms; Retry-After asks for 2 s)"),
        (
            "{at_most: 1s, above: ignore}",
            "retry 1 in 340 ms (own delay 340 ms; Retry-After asks for 2 s, which does not count)",
        ),
        ("{at_most: 1s, above: give_up}", "no retry: Retry-After asks for 2 s, which is too long"),
        ("{as: hint + d}", "retry 1 in 2.34 s (own delay 340 ms; Retry-After asks for 2 s, made to this)"),
    ],
)
def test_a_story_says_what_becomes_of_a_retry_after(hint: str, expected: str) -> None:
    assert told(f"{ASKS}retrier: {{kind: policy, attempts: 2, delay: 340ms, retry_after: {hint}}}")[0] == expected


def test_a_story_tells_of_copies() -> None:
    texts = told(f"{SLOW}retrier: {{kind: policy, hedge: {{after: 25ms, at_most: 2}}}}")
    assert texts[:2] == ["copy 2 of try 1 is sent after 25 ms", "copy 3 of try 1 is sent after 25 ms"]


def test_a_story_tells_of_a_copy_that_the_budget_does_not_allow() -> None:
    budget = "budget: {tokens: {capacity: 5, start: 0.2, on_success: 1}}"
    assert told(f"{SLOW}retrier: {{kind: policy, hedge: {{after: 25ms}}, {budget}}}")[0] == (
        "no further copy: budget empty (0.2 of 5 tokens)"
    )


def test_a_story_tells_of_a_try_that_is_delivered_again() -> None:
    assert told(f"{SLOW}retrier: {{kind: policy, attempts: 2, redeliver: {{after: 30ms}}}}")[0] == (
        "try 2 is delivered beside the one before, which has not ended"
    )


def test_a_story_says_since_when_the_breaker_that_refuses_is_open() -> None:
    breaker = "breaker: {window: {consecutive: 1}, open: 1s}"
    text = TWO + FAILS.replace("requests: {count: 1}\n", "")
    assert told(f"{text}retrier: {{kind: policy, {breaker}}}", 1) == [
        "breaker open for 10 ms: refused, no call made",
        "no retry: refused is no answer that is retried",
        "gives up (settled: gave up)",
    ]


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ("bulkhead: {at_most: 1, queue: 1}", "waits for a place in the bulkhead"),
        ("bulkhead: {at_most: 1, queue: 1, max_wait: 1s}", "waits for a place in the bulkhead, 1 s at most"),
        ("bulkhead: {at_most: 1}", "bulkhead full: refused, no call made"),
        ("rate_limit: {rate: 20/s}", "waits 30 ms for a token of the rate limit"),
        ("rate_limit: {rate: 20/s, empty: refuse}", "no token at the rate limit: refused, no call made"),
    ],
)
def test_a_story_tells_what_gates_do(gate: str, expected: str) -> None:
    text = TWO + SLOW.replace("requests: {count: 1}\n", "")
    assert told(f"{text}retrier: {{kind: policy, {gate}}}", 1)[0] == expected


def test_a_wait_at_a_bulkhead_that_is_too_long_is_told_as_such() -> None:
    text = TWO + SLOW.replace("requests: {count: 1}\n", "")
    bulkhead = "bulkhead: {at_most: 1, queue: 1, max_wait: 5ms}"
    assert told(f"{text}retrier: {{kind: policy, {bulkhead}}}", 1)[1] == (
        "waited too long at the bulkhead: refused, no call made"
    )


def test_the_ending_names_the_reason() -> None:
    recorder = Recorder()
    simulate(parse(f"{FAILS}retrier: {{kind: policy, attempts: 2}}"), recorder=recorder)
    assert ending(read(recorder.history(), 0), Outcome.gave_up)[1] == (
        "settled: gave up: all 2 tries are used, known 20 ms after the submission; there was no effect"
    )
