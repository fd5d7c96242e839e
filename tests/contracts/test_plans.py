"""What a scenario plans for certain instants, and what comes at others."""

from typing import Any

import pytest

from sim.contracts.platform import plans
from sim.history.failure import Failure
from sim.history.recorder import Start
from sim.promises.terms import Said

MS = 1_000_000


def test_requests_arrive_as_planned(tale: type) -> None:
    story = tale().submit().at(5).submit(1)
    assert story.broken(plans.requests_arrive_as_planned, arrivals_ns=(0, 5 * MS)) == []
    assert story.broken(plans.requests_arrive_as_planned) == []
    assert story.broken(plans.requests_arrive_as_planned, arrivals_ns=(0, 6 * MS)) == [
        "request 1 is submitted at 5ms, but is planned for 6ms"
    ]


def test_cancels_come_once_and_in_law(tale: type) -> None:
    story = tale().submit().at(5).add("cancel", name="request")
    assert story.broken(plans.cancels_come_as_planned, cancel_after_ns=(5 * MS, 9 * MS)) == []
    assert story.broken(plans.cancels_come_as_planned, cancel_after_ns=(6 * MS, 9 * MS)) == [
        "request 0 is canceled at 5ms, 5ms after its submission; the law says 6ms to 9ms, once"
    ]
    assert story.at(6).add("cancel", name="request").broken(
        plans.cancels_come_as_planned, cancel_after_ns=(5 * MS, 9 * MS)
    ) == ["request 0 is canceled at 6ms, 6ms after its submission and once more; the law says 5ms to 9ms, once"]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, []),
        ({"restarts_ns": frozenset({5 * MS})}, []),
        ({"restarts_ns": frozenset({5 * MS, 20 * MS})}, []),
        ({"restarts_ns": frozenset()}, ["the server dies at 5ms, which nothing plans"]),
        ({"restarts_ns": frozenset({5 * MS}), "heals_at_ns": 5 * MS}, ["the server dies at 5ms, which nothing plans"]),
        ({"restarts_ns": frozenset({5 * MS, 7 * MS})}, ["the server does not die at 7ms, as is planned"]),
    ],
)
def test_deaths_come_as_planned(tale: type, terms: Any, expected: list[str]) -> None:
    assert tale().submit().at(5).restart().at(9).submit(1).broken(plans.deaths_come_as_planned, **terms) == expected


def test_a_healed_world_stays_well(tale: type) -> None:
    story = tale().submit().attempt(1, "fail").at(5).attempt(2).attempt(3, "fail")
    assert story.broken(plans.healed_worlds_stay_well) == []
    assert story.broken(plans.healed_worlds_stay_well, heals_at_ns=5 * MS) == [
        "attempt 3 of request 0 has 'fail' in store at 5ms, but the world heals at 5ms"
    ]
    permanent = tale().submit().at(5).attempt(1, "fail")
    assert permanent.broken(plans.healed_worlds_stay_well, heals_at_ns=0, some_fail_permanently=True) == []
    struck = tale().submit().commit("submit", jobs=[(0, "retry")]).at(5).add("system_error", 0, "retry", "start")
    assert struck.broken(plans.healed_worlds_stay_well, heals_at_ns=5 * MS) == [
        "a system error strikes job 0 (retry) at 5ms, but the world heals at 5ms"
    ]


def planned(tale: Any, *outcomes: str) -> Any:
    story = tale.submit()
    for number, outcome in enumerate(outcomes, 1):
        story.add("attempt", number, outcome, Start(-1, -1, -1 if outcome == "hang" else 5))
    return story


@pytest.mark.parametrize(
    ("outcomes", "broken"),
    [(("fail", "success"), 0), (("fail", "success", "success"), 0), (("success",), 1), (("fail", "fail"), 1)],
)
def test_a_script_is_followed(tale: type, outcomes: tuple[str, ...], broken: int) -> None:
    found = planned(tale(), *outcomes).broken(plans.attempts_do_what_is_planned, script=("fail", "success"))
    assert len(found) == broken


def test_an_outcome_without_a_share_never_comes(tale: type) -> None:
    possible = ({"fail": (0, 9), "success": (0, 9), "hang": (0, 9)},)
    assert planned(tale(), "fail", "hang").broken(plans.attempts_do_what_is_planned, latencies_ns=possible) == []
    assert planned(tale(), "ack_lost").broken(plans.attempts_do_what_is_planned, latencies_ns=possible) == [
        "attempt 1 of request 0 has 'ack_lost' in store at 0s; its world has fail or success or hang"
    ]


def answered(tale: Any, *says: Failure | None) -> Any:
    story = planned(tale, *(["fail"] * len(says)))
    for number, failure in enumerate(says, 1):
        story.ends(number, "threw", failure)
    return story


THROTTLED = Said("failed.throttled", frozenset({False}), (5 * MS, 9 * MS))
UNSTATED = ", which its world does not state; its answers are:"
INVALID = Said("failed.invalid", frozenset({True}))


@pytest.mark.parametrize(
    ("failure", "broken"),
    [
        (Failure(False, 5 * MS, "failed.throttled"), 0),  # noqa: FBT003  # as histories have them
        (Failure(True, -1, "failed.invalid"), 0),  # noqa: FBT003
        (Failure(True, 5 * MS, "failed.throttled"), 1),  # noqa: FBT003
        (Failure(False, 4 * MS, "failed.throttled"), 1),  # noqa: FBT003
        (Failure(False, -1, "failed.throttled"), 1),  # noqa: FBT003
        (Failure(True, 5 * MS, "failed.invalid"), 1),  # noqa: FBT003
        (Failure(False, 5 * MS, "failed.odd"), 1),  # noqa: FBT003
        (None, 1),
    ],
)
def test_an_error_says_what_is_stated_for_its_kind(tale: type, failure: Failure | None, broken: int) -> None:
    found = answered(tale(), failure).broken(plans.errors_say_what_is_stated, errors=((THROTTLED, INVALID),))
    assert len(found) == broken


def test_the_errors_of_a_script_are_stated_one_by_one(tale: type) -> None:
    terms = {"errors": ((Said(),), (INVALID,))}
    invalid = Failure(final=True, retry_after_ns=-1, kind="failed.invalid")
    assert answered(tale(), None, invalid, invalid).broken(plans.errors_say_what_is_stated, **terms) == []
    assert answered(tale(), invalid, None).broken(plans.errors_say_what_is_stated, **terms) == [
        f"attempt 1 of request 0 is answered 'failed.invalid', marked as final at 0s{UNSTATED} failed",
        f"attempt 2 of request 0 is answered 'failed' at 0s{UNSTATED} failed.invalid",
    ]


def over(tale: Any, jobs: int) -> Any:
    story = tale.submit().commit("submit", jobs=[(number, "retry") for number in range(jobs)])
    for number in range(jobs):
        story.commit(own=number)
    return story


def collect(story: Any, at: float, count: int) -> Any:
    return story.at(at).add("collected", detail=count, request=-1)


def test_rows_are_collected_in_batches_with_pauses(tale: type) -> None:
    terms = {"collection_batch": 2, "collection_pause_ns": 10 * MS}
    assert collect(collect(over(tale(), 3), 5, 2), 15, 1).broken(plans.batches_pause, **terms) == []
    assert collect(over(tale(), 3), 5, 3).broken(plans.batches_pause, **terms) == [
        "3 rows are collected at 5ms; a batch has 2 at most"
    ]
    assert collect(collect(over(tale(), 3), 5, 2), 14, 1).broken(plans.batches_pause, **terms) == [
        "rows are collected at 14ms, without the pause of 10ms after the full batch at 5ms"
    ]


def test_without_more_rows_there_is_no_pause(tale: type) -> None:
    terms = {"collection_batch": 2, "collection_pause_ns": 10 * MS}
    story = collect(over(tale(), 2), 5, 2).commit("later", jobs=[(9, "retry")]).commit(own=9)
    assert collect(story, 6, 1).broken(plans.batches_pause, **terms) == []


def test_what_clients_ask_is_done(tale: type) -> None:
    story = tale().submit()
    assert story.broken(plans.calls_are_served) == [
        "request 0 is submitted at 0s, but no mutation of its submission commits"
    ]
    story.commit("submit", jobs=[(0, "retry")]).at(5).add("cancel", name="request")
    assert story.broken(plans.calls_are_served) == ["the cancel of request 0 at 5ms is never carried out"]
    assert story.commit("cancel").broken(plans.calls_are_served) == []


def test_a_submission_that_throws_was_served(tale: type) -> None:
    assert tale().submit().add("rolled_back", name="submit", detail="no").broken(plans.calls_are_served) == []


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"requests": 1}, []),
        ({"requests": 2}, ["1 requests are submitted, but 2 are planned"]),
        ({"requests": 2, "drained": False}, []),
        ({"requests": 2, "arrivals_ns": (0, 5 * MS)}, ["request 1, planned for 5ms, is never submitted"]),
        ({"requests": 2, "arrivals_ns": (0, 5 * MS), "drained": False}, []),
        ({"requests": 1, "arrivals_ns": (0, 5 * MS)}, []),
    ],
)
def test_all_that_is_planned_arrives(tale: type, terms: Any, expected: list[str]) -> None:
    assert tale().submit().broken(plans.requests_arrive_as_planned, **terms) == expected
