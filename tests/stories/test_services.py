"""What a story, a trace and a picture tell of the services that a request met."""

import pytest
from served import MS, Patient, Served, serve

from sim.history.vocabulary import Outcome
from sim.pictures.data.story import AttemptRow, timeline_data
from sim.stories.lines import timeline_lines
from sim.stories.trace import trace_events

WORLD = """
requests: {count: 4, arrivals: {constant: {rate: 100/s}}}
action: {service: payments}
services:
  payments: {servers: 1, latency: {constant: 100ms}, OPTIONS}
  ledger: {latency: {constant: 30ms}}
"""


def world(options: str, *timeouts_ms: float | None, sleep_ms: float = 0) -> Served:
    return serve(WORLD.replace("OPTIONS", options), Patient(*(timeouts_ms or (None,)), sleep_ms=sleep_ms))


def story(options: str, request: int, *timeouts_ms: float | None, width: int = 160) -> list[str]:
    lines = timeline_lines(world(options, *timeouts_ms).history, request, Outcome.success, width=width)
    return [" ".join(line.split()) for line in lines]


def told(lines: list[str], words: str) -> bool:
    return any(words in line for line in lines)


@pytest.mark.parametrize(
    ("options", "request_number", "words"),
    [
        ("queue: {}", 3, "payments attempt 1 is queued, behind 2 (1 in progress)"),
        ("queue: {}", 1, "payments attempt 1 is queued, first in line (1 in progress)"),
        ("queue: {}", 1, "+90 ms payments attempt 1 waited 90 ms, work begins (0 others in progress)"),
        ("queue: {}", 0, "payments gave attempt 1 100 ms"),
        ("queue: {limit: 1}", 2, "payments rejects attempt 1: its queue is full (1 wait)"),
        ("queue: {max_wait: 20ms}", 1, "+20 ms payments rejects attempt 1: it has waited 20 ms"),
        ("rate_limit: {rate: 1/s, retry_after: next}", 1, "no token is left; asks to retry after 990 ms"),
        ("shed: {when: inside >= 1}", 1, "payments rejects attempt 1: it sheds load"),
        ("calls: [{service: ledger}]", 0, "payments calls ledger"),
        ("calls: [{service: ledger}]", 0, "ledger gave the call of payments 30 ms"),
        ("calls: [{service: ledger}]", 0, "ledger answers to payments"),
        ("capacity: [{from: 50ms, to: 90ms, servers: 2}]", 3, "+20 ms payments has 2 servers from now on"),
        ("capacity: [{from: 5ms, to: 90ms, servers: 2}], slowdown: {per_call: 10ms}", 1, "slowed down from 100 ms"),
    ],
)
def test_a_story_tells_what_a_call_met(options: str, request_number: int, words: str) -> None:
    lines = story(options, request_number)
    assert told(lines, words), lines


def test_a_story_tells_that_work_was_wasted() -> None:
    lines = story("queue: {}", 0, 40, 500)
    assert told(lines, "payments gave attempt 1 100 ms; its caller had gone at +40 ms: the work was wasted"), lines


def test_a_story_tells_that_an_abandoned_call_was_dropped() -> None:
    lines = story("queue: {abandoned: dropped}", 1, 40, 500)
    assert told(lines, "payments drops attempt 1 at its turn, after 90 ms: its caller had gone"), lines


def test_a_change_of_servers_before_and_after_its_calls_is_no_part_of_a_story() -> None:
    lines = story("capacity: [{from: 500ms, to: 600ms, servers: 2}]", 0)
    assert not told(lines, "from now on")


def test_a_story_of_a_row_tells_versions_and_conflicts() -> None:
    row = "{kind: versioned_row, network: {request: {constant: 5ms}}}"
    text = f"requests: {{count: 2}}\naction: {{service: row}}\nservices: {{row: {row}}}"
    history = serve(text).history
    lines = [" ".join(line.split()) for line in timeline_lines(history, 1, Outcome.gave_up)]
    assert told(lines, "row attempt 1 reads version 0")
    assert told(lines, "row attempt 1 writes with version 0: conflict, 1 is there")


def test_a_story_fits_80_columns() -> None:
    history = world("queue: {limit: 1}, calls: [{service: ledger}]", 40, 500).history
    assert max(map(len, timeline_lines(history, 2, Outcome.gave_up, width=80))) <= 80


def test_a_trace_has_the_wait_and_the_work_of_each_call() -> None:
    slices = [
        (one["name"], one["ts"], one["dur"])
        for one in trace_events(world("queue: {}").history, 1, "r")["traceEvents"]
        if one.get("cat") == "call"
    ]
    assert slices == [("payments: waits behind 0", 10_000, 90_000), ("payments: works", 100_000, 100_000)]


def test_a_picture_has_the_wait_and_the_work_of_an_attempt() -> None:
    data = timeline_data(world("queue: {}").history, 1, Outcome.success)
    (row,) = (row for row in data.rows if isinstance(row, AttemptRow))
    assert (row.queued_ns, row.work_ns) == ((0, 90 * MS), (90 * MS, 190 * MS))


def test_a_picture_says_once_that_a_call_was_rejected() -> None:
    data = timeline_data(world("queue: {limit: 1}").history, 2, Outcome.gave_up)
    assert [row.label for row in data.rows if isinstance(row, AttemptRow)] == ["0 s, rejected.queue"]
