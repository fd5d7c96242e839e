"""Pools that the requests of a world share: whose slots, whose tables, who is charged, and what cancels do."""

from collections.abc import Sequence

import pytest

from sim.api.run import run
from sim.engine.world import World
from sim.history.deployment_events import DocumentWritten, JobStepped
from sim.history.events import AttemptEnded, AttemptStarted, CancelAsked, Submitted
from sim.history.recorder import History, Recorder
from sim.history.request import Request
from sim.history.vocabulary import CANCELED, Outcome
from sim.kernel.durations import NS_PER_S
from sim.scenario.cells import cells
from sim.scenario.identity import resolved_yaml
from sim.scenario.load import parse

SHARED = "world: shared\nplatform: {profile: ideal}\naction: {latency: 1s}\n"
AT_ONCE = "requests: {count: 40, arrivals: at_once}\n"


def played(text: str) -> tuple[list[Request], History]:
    recorder = Recorder()
    requests = World(parse(SHARED + text), recorder=recorder).shared()
    return requests, recorder.history()


def most_at_once(history: History, requests: set[int]) -> int:
    """Return the most attempts of these requests that ran at the same time."""
    steps = [
        (event.t_ns, 1 if isinstance(event, AttemptStarted) else -1)
        for event in history
        if isinstance(event, AttemptStarted | AttemptEnded) and event.request in requests
    ]
    running = most = 0
    for _, step in sorted(steps):
        running += step
        most = max(most, running)
    return most


def of_classes(history: History) -> dict[str | None, set[int]]:
    found: dict[str | None, set[int]] = {}
    for event in history:
        if isinstance(event, Submitted):
            found.setdefault(event.caller_class, set()).add(event.request)
    return found


def outcomes(requests: Sequence[Request]) -> set[Outcome]:
    return {request.outcome for request in requests}


def test_classes_that_name_one_pool_share_its_slots() -> None:
    requests, history = played(
        f"{AT_ONCE}retrier: {{kind: workpool, max_parallelism: 4}}\n"
        "classes: {a: {share: 0.5}, b: {share: 0.5, retrier: {attempts: 2}}}"
    )
    assert outcomes(requests) == {Outcome.success}
    classes = of_classes(history)
    assert most_at_once(history, classes["a"] | classes["b"]) == 4


def test_pools_of_different_names_have_slots_of_their_own() -> None:
    _, history = played(
        f"{AT_ONCE}retrier: {{kind: workpool, max_parallelism: 4}}\n"
        "classes: {a: {share: 0.5}, b: {share: 0.5, retrier: {pool: mail, max_parallelism: 3}}}"
    )
    classes = of_classes(history)
    assert (most_at_once(history, classes["a"]), most_at_once(history, classes["b"])) == (4, 3)


def test_a_pool_of_two_classes_alone_shares_slots_apart_from_the_scenarios() -> None:
    _, history = played(
        f"{AT_ONCE}retrier: none\nclasses:\n"
        "  a: {share: 0.5, retrier: {kind: workpool, pool: mail, max_parallelism: 3}}\n"
        "  b: {share: 0.5, retrier: {kind: workpool, pool: mail, max_parallelism: 3, attempts: 1}}"
    )
    classes = of_classes(history)
    assert most_at_once(history, classes["a"] | classes["b"]) == 3
    tables = {event.document_id.partition("/")[0] for event in history if isinstance(event, DocumentWritten)}
    assert len(tables) == 1


def test_each_class_has_attempts_of_its_own_in_the_pool_that_they_share() -> None:
    requests, history = played(
        f"{AT_ONCE}retrier: workpool\n"
        "classes:\n"
        "  a: {share: 0.5, action: {outcomes: {fail: 1}}, retrier: {attempts: 1}}\n"
        "  b: {share: 0.5, action: {outcomes: {fail: 1}}, retrier: {attempts: 3, initial_backoff: 10ms}}"
    )
    classes = of_classes(history)
    assert {request.attempts for request in requests if request.number in classes["a"]} == {1}
    assert {request.attempts for request in requests if request.number in classes["b"]} == {3}
    assert outcomes(requests) == {Outcome.gave_up}


def test_what_a_pool_does_for_all_is_dealt_out_to_its_own_requests_alone() -> None:
    requests, history = played(
        f"{AT_ONCE}retrier: none\nclasses: {{a: {{share: 0.5}}, b: {{share: 0.5, retrier: workpool}}}}"
    )
    classes = of_classes(history)
    polls = {request.number: request.polls for request in requests}
    assert {polls[number] for number in classes["a"]} == {0}
    of_pool = [polls[number] for number in sorted(classes["b"])]
    assert sum(of_pool) > 0
    assert max(of_pool) - min(of_pool) <= 1


def test_a_cancel_of_the_request_ends_what_waits_and_leaves_what_runs() -> None:
    requests, _ = played(f"{AT_ONCE}cancel: {{share: 1, after: 500ms}}\nretrier: workpool")
    ended = [request.outcome for request in requests]
    assert ended[:10] == [Outcome.success] * 10  # the slots that there are
    assert set(ended[10:]) == {Outcome.canceled}


def test_a_cancel_of_the_request_keeps_a_running_work_from_a_retry() -> None:
    requests, _ = played(
        "requests: {count: 5, arrivals: at_once}\n"
        "cancel: {share: 1, after: 500ms}\nretrier: workpool\nclasses: {a: {share: 1, action: {outcomes: {fail: 1}}}}"
    )
    assert {(request.outcome, request.attempts) for request in requests} == {(Outcome.canceled, 1)}


def test_a_cancel_of_the_action_ends_the_job_that_neighbors_share_but_not_their_work() -> None:
    requests, history = played(
        "requests: {count: 8, arrivals: at_once}\ncancel: {share: 1, after: 1500ms, target: action}\n"
        "retrier: {kind: workpool, run_after: 1s}"
    )
    asked = [event for event in history if isinstance(event, CancelAsked)]
    ended = [event.function for event in history if isinstance(event, JobStepped) and event.after == CANCELED]
    assert len(asked) == 8
    assert ended.count("runBatch") == 1  # the others find nothing left to cancel
    assert {(request.outcome, request.attempts) for request in requests} == {(Outcome.success, 1)}


def test_a_cancel_of_the_poll_ends_the_loop_of_the_requests_pool_and_no_other() -> None:
    requests, history = played(
        "requests: {count: 80, arrivals: at_once}\ncancel: {share: 1, after: 1500ms, target: poll}\nretrier: none\n"
        "classes:\n"
        "  a: {share: 0.5}\n"
        "  b: {share: 0.5, retrier: {kind: workpool, pool: mail}}"
    )
    ended = [event for event in history if isinstance(event, JobStepped) and event.after == CANCELED]
    assert ended[0].function == "loop"
    last_ns = max(request.settled_ns for request in requests)
    assert last_ns > 100 * NS_PER_S  # the monitor has found out
    assert outcomes(requests) == {Outcome.success}


def test_requests_that_are_submitted_again_are_further_works_of_the_pool() -> None:
    requests, history = played(
        "requests: {count: 5, arrivals: at_once}\nresubmit: {after: 1s, at_most: 2}\n"
        "retrier: {kind: workpool, attempts: 1}\nclasses: {a: {share: 1, action: {outcomes: {fail: 1}}}}"
    )
    assert {request.attempts for request in requests} == {3}
    works = {
        event.document_id
        for event in history
        if isinstance(event, DocumentWritten) and event.document_id.startswith("workpool/work:")
    }
    assert len(works) == 15


def test_slots_that_a_sweep_sets_are_those_of_its_cells() -> None:
    scenario = parse(f"{SHARED}{AT_ONCE}retrier: workpool\nsweep: {{retrier.max_parallelism: [1, 5]}}")
    found = []
    for cell in cells(scenario):
        recorder = Recorder()
        World(cell.scenario, recorder=recorder).shared()
        found.append(most_at_once(recorder.history(), set(range(40))))
    assert found == [1, 5]


@pytest.mark.parametrize("slots", ["", ", max_parallelism: 10"])
def test_the_resolved_form_of_a_pool_does_the_same(slots: str) -> None:
    text = (
        f"{SHARED}{AT_ONCE}faults: [{{set_parallelism: {{at: [1s], slots: 20}}}}]\nretrier: {{kind: workpool{slots}}}"
    )
    digests = []
    for one in (text, resolved_yaml(parse(text))):
        recorder = Recorder()
        World(parse(one), recorder=recorder).shared()
        digests.append(recorder.history().digest())
    assert digests[0] == digests[1]


@pytest.mark.parametrize(("retrier", "slots"), [("workpool", 10), ("{kind: workpool, max_parallelism: 3}", 3)])
def test_results_of_a_run_know_the_slots_that_a_pool_has_if_its_client_names_none(retrier: str, slots: int) -> None:
    result = run(parse(f"{SHARED}{AT_ONCE}retrier: {retrier}"))
    (cell,) = result.cells
    assert cell.metrics.value("pool.slots.max").value == slots
