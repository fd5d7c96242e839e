"""Callers who submit a request again: after a failure, or when they have heard nothing."""

from typing import Any

import numpy as np
import pytest

from sim.contracts.catalogue import View, check_view
from sim.engine.event import simulate
from sim.engine.vector.engine import refusal
from sim.engine.world import World
from sim.experiment.terms import terms_of
from sim.history.events import NumberDrawn, Resubmitted
from sim.history.recorder import History, Recorder
from sim.history.records import COLUMNS, Requests
from sim.history.request import Request, Resubmission, table
from sim.history.vocabulary import NEVER, Cause, Outcome
from sim.scenario.load import parse

S, MS = 1_000_000_000, 1_000_000
ALWAYS = "resubmit: {after: {constant: 1s}, at_most: 2}"
RETRIERS = pytest.mark.parametrize("retrier", ["none", "{kind: component, max_failures: 1}", "helpers"])


def simulated(text: str) -> tuple[Requests, History]:
    recorder = Recorder()
    world = World(parse(text), recorder=recorder)
    return table(world.isolated(range(world.cell.requests.count))), recorder.history()


def one(script: str, more: str = ALWAYS, retrier: str = "none") -> Requests:
    """Simulate one request whose attempts take 100 ms and go by a script."""
    outcomes = ", ".join(f"{{outcome: {outcome}}}" for outcome in script.split())
    text = f"retrier: {retrier}\nrequests: {{count: 1}}\naction: {{script: [{outcomes}]}}\n{more}"
    return simulated(text)[0]


def test_a_request_that_succeeds_when_asked_again_counts_as_success() -> None:
    records = one("fail success")
    assert (records.outcome[0], records.submissions[0], records.attempts[0]) == (Outcome.success, 2, 2)
    assert (records.submitted_ns[0], records.settled_ns[0]) == (0, 1200 * MS)
    assert records.known_attempt_end_ns[0] == 1200 * MS


def test_no_caller_asks_more_often_than_at_most() -> None:
    records = one("fail")
    assert (records.outcome[0], records.submissions[0], records.attempts[0]) == (Outcome.gave_up, 3, 3)
    assert records.settled_ns[0] == (3 * 100 + 2 * 1000) * MS


def test_a_success_is_not_asked_for_again() -> None:
    assert one("success").submissions.tolist() == [1]


def test_an_effect_of_another_submission_is_charged_to_the_caller() -> None:
    records = one("ack_lost success")
    assert {Cause(place).name: count for place, count in enumerate(records.duplicates[0]) if count} == {"resubmit": 1}


def test_effects_within_one_submission_keep_their_cause() -> None:
    records = one("ack_lost ack_lost success", retrier="{kind: component, max_failures: 1}")
    found = {Cause(place).name: count for place, count in enumerate(records.duplicates[0]) if count}
    assert found == {"ack_lost": 1, "resubmit": 1}


def test_the_receiver_recognizes_the_same_key_in_a_later_submission() -> None:
    text = "retrier: none\nrequests: {count: 1}\naction: {idempotency: {window: 1h}, script: [{outcome: ack_lost}]}\n"
    records = simulated(text + ALWAYS)[0]
    assert (records.effects[0], records.suppressed[0], records.duplicates.sum()) == (1, 2, 0)


def test_who_has_heard_nothing_asks_again_while_the_first_goes_on() -> None:
    records = one("hang success", "resubmit: {after: {constant: 1s}, silent_after: 10s}")
    assert (records.outcome[0], records.submissions[0], records.settled_ns[0]) == (Outcome.success, 2, 11_100 * MS)


def test_without_patience_a_request_that_hangs_is_stuck() -> None:
    records = one("hang success")
    assert (records.outcome[0], records.submissions[0]) == (Outcome.stuck, 1)


def test_patience_that_is_still_to_run_out_keeps_a_request_from_being_stuck() -> None:
    silent = "resubmit: {after: {constant: 1s}, silent_after: 10s}\nuntil: "
    assert [one("hang", silent + until).outcome[0] for until in ("9s", "10500ms", "12s")] == [
        Outcome.open,
        Outcome.open,
        Outcome.stuck,
    ]


def test_a_failure_is_the_last_word_until_the_caller_asks_again() -> None:
    found = [one("fail hang", f"{ALWAYS}\nuntil: {until}") for until in ("500ms", "1150ms")]
    assert [records.outcome[0] for records in found] == [Outcome.gave_up, Outcome.stuck]
    assert [records.settled_ns[0] for records in found] == [100 * MS, NEVER]


def test_a_success_of_the_first_submission_counts_while_the_second_goes_on() -> None:
    text = (
        "retrier: none\nrequests: {count: 1}\nresubmit: {after: {constant: 0s}, silent_after: 1s}\n"
        "action: {script: [{outcome: success, latency: 3s}, {outcome: fail, latency: 5s}]}"
    )
    records = simulated(text)[0]
    assert (records.outcome[0], records.settled_ns[0], records.submissions[0]) == (Outcome.success, 3 * S, 2)


def test_a_failure_of_the_first_submission_does_not_count_while_the_second_goes_on() -> None:
    text = (
        "retrier: none\nrequests: {count: 1}\nresubmit: {after: {constant: 0s}, silent_after: 1s}\n"
        "action: {script: [{outcome: fail, latency: 3s}, {outcome: success, latency: 5s}]}"
    )
    records = simulated(text)[0]
    assert (records.outcome[0], records.settled_ns[0]) == (Outcome.success, 6 * S)


def test_a_late_success_of_an_older_submission_takes_back_a_failure() -> None:
    text = (
        "retrier: none\nrequests: {count: 1}\nresubmit: {after: {constant: 0s}, silent_after: 1s}\n"
        "action: {script: [{outcome: success, latency: 9s}, {outcome: fail, latency: 1s}]}"
    )
    records = simulated(text)[0]
    assert (records.outcome[0], records.settled_ns[0]) == (Outcome.success, 9 * S)


@RETRIERS
def test_a_canceled_request_is_not_asked_for_again(retrier: str) -> None:
    cancel = "cancel: {share: 1.0, after: {constant: 500ms}}"
    records = one("fail", f"{ALWAYS}\n{cancel}", retrier=retrier)
    assert records.submissions.tolist() == [1]


def test_a_cancel_ends_every_submission() -> None:
    text = (
        "retrier: component\nrequests: {count: 1}\nresubmit: {after: {constant: 0s}, silent_after: 1s}\n"
        "action: {script: [{outcome: fail}]}\ncancel: {share: 1.0, after: {constant: 1500ms}}"
    )
    records, history = simulated(text)
    assert (records.outcome[0], records.submissions[0]) == (Outcome.canceled, 2)
    assert max(event.t_ns for event in history if event.kind == "attempt") <= 1500 * MS


@RETRIERS
def test_callers_ask_again_with_their_share(retrier: str) -> None:
    text = (
        f"retrier: {retrier}\nrequests: {{count: 2000}}\naction: {{permanent_failure: 1.0}}\n"
        "resubmit: {after: {constant: 1s}, share: 0.5, at_most: 3}"
    )
    counts = np.bincount(simulate(parse(text)).submissions, minlength=5)[1:] / 2000
    assert np.abs(counts - [0.5, 0.25, 0.125, 0.125]).max() < 5 * 0.5 / np.sqrt(2000)


@pytest.mark.parametrize("retrier", ["{kind: component, max_failures: 1}", "helpers"])
def test_each_submission_draws_numbers_of_its_own(retrier: str) -> None:
    text = f"retrier: {retrier}\nrequests: {{count: 1}}\naction: {{permanent_failure: 1.0}}\n{ALWAYS}"
    drawn = [event.value for event in simulated(text)[1] if isinstance(event, NumberDrawn)]
    assert len(drawn) > 5
    assert len(set(drawn)) == len(drawn)


def test_the_history_says_why_the_caller_asks_again() -> None:
    text = "retrier: none\nrequests: {count: 1}\naction: {script: [{outcome: fail}, {outcome: hang}]}\n"
    history = simulated(text + "resubmit: {after: {constant: 1s}, at_most: 2, silent_after: 5s}")[1]
    assert [event for event in history if isinstance(event, Resubmitted)] == [
        Resubmitted(1100 * MS, 0, 2, "failed"),
        Resubmitted(7100 * MS, 0, 3, "silent"),
    ]


@pytest.mark.parametrize("silent", ["", ", silent_after: 300ms"])
@pytest.mark.parametrize("retrier", ["none", "{kind: component, max_failures: 1}", "{kind: helpers, max_failures: 1}"])
def test_records_and_histories_of_worlds_with_resubmissions_agree(retrier: str, silent: str) -> None:
    text = (
        f"world: shared\nuntil: 12s\nretrier: {retrier}\n"
        "requests: {count: 80, arrivals: {poisson: {rate: 8/s}}}\n"
        f"resubmit: {{after: {{exponential: {{mean: 1s}}}}, share: 0.7, at_most: 2{silent}}}\n"
        "action: {outcomes: {fail: 0.5, ack_lost: 0.2, lost_contact: 0.1}, idempotency: {window: 200ms}}"
    )
    recorder = Recorder()
    world = World(parse(text), recorder=recorder)
    records = table(world.shared())
    assert records.submissions.max() > 1
    assert check_view(View(recorder.history(), terms_of(world, records=records))) == []


def test_a_request_is_replayed_as_in_the_whole_run() -> None:
    scenario = parse(
        "retrier: {kind: helpers, max_failures: 0}\nrequests: {count: 60}\naction: {outcomes: {fail: 0.6}}\n"
        "resubmit: {after: {exponential: {mean: 1s}}, share: 0.5, at_most: 3, silent_after: 120ms}"
    )
    whole, few = simulate(scenario), simulate(scenario, numbers=[41, 7])
    rows = whole.select(np.array([41, 7]))
    assert all((getattr(rows, name) == getattr(few, name)).all() for name in COLUMNS)


def test_the_vector_engine_says_that_it_cannot_submit_again() -> None:
    assert "resubmit" in (refusal(parse(f"retrier: none\n{ALWAYS}")) or "")


# What counts, conclusion by conclusion.


def concluded(*steps: tuple[int, Outcome] | str) -> tuple[Outcome, int]:
    """Return the outcome and its instant after conclusions of submissions, one a ns, and new submissions."""
    request = Request(0)
    for now_ns, step in enumerate(steps, 1):
        if isinstance(step, str):
            request.submit_again()
        else:
            request.conclude(*step, now_ns)
    return Outcome(request.outcome), request.settled_ns


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(1, Outcome.gave_up)], (Outcome.gave_up, 1)),
        ([(1, Outcome.gave_up), (1, Outcome.success)], (Outcome.gave_up, 1)),
        ([(1, Outcome.gave_up), "again"], (Outcome.open, NEVER)),
        ([(1, Outcome.gave_up), "again", (1, Outcome.success)], (Outcome.open, NEVER)),
        ([(1, Outcome.gave_up), "again", (2, Outcome.success)], (Outcome.success, 3)),
        (["again", (1, Outcome.gave_up)], (Outcome.open, NEVER)),
        (["again", (1, Outcome.success), (2, Outcome.gave_up)], (Outcome.success, 2)),
        (["again", (2, Outcome.gave_up), (1, Outcome.success)], (Outcome.success, 3)),
        (["again", (2, Outcome.canceled), (1, Outcome.success)], (Outcome.canceled, 2)),
        (["again", (1, Outcome.canceled), (2, Outcome.success)], (Outcome.success, 3)),
    ],
)
def test_the_conclusion_that_counts(steps: list[Any], expected: tuple[Outcome, int]) -> None:
    assert concluded(*steps) == expected


def test_a_record_that_keeps_a_failure_the_caller_did_not_accept_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(request: Request) -> Resubmission:
        settled = request.outcome, request.settled_ns
        again = submit_again(request)
        request.outcome, request.settled_ns = settled
        return again

    submit_again = Request.submit_again
    monkeypatch.setattr(Request, "submit_again", forgetful)
    text = (
        f"retrier: none\nrequests: {{count: 1}}\naction: {{script: [{{outcome: fail}}, {{outcome: hang}}]}}\n{ALWAYS}"
    )
    recorder = Recorder()
    world = World(parse(text), recorder=recorder)
    records = table(world.isolated([0]))
    found = check_view(View(recorder.history(), terms_of(world, records=records)))
    assert "records-tell-the-history" in {one.invariant for one in found}
