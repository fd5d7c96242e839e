"""What the platform owes of its backoffs and of reports, on histories told by hand."""

from typing import Any

import pytest

from sim.contracts.platform import backoffs

MS = 1_000_000


def put_back(tale: Any, wait_ms: float = 100) -> Any:
    """A system error strikes the start of an action at 0, which is put back."""
    told = tale().submit().commit("submit", jobs=[(0, "action")]).add("system_error", 0, "action", "start")
    return told.add("backoff", 0, "action", ("system_backoff", round(wait_ms * MS)))


def refused(tale: Any, wait_ms: float = 100) -> Any:
    """A look is refused at 0."""
    told = tale().submit().commit("submit", jobs=[(0, "action"), (1, "retry")]).add("conflict", 1, "retry", 1)
    return told.add("backoff", 1, "retry", ("occ_backoff", round(wait_ms * MS)))


@pytest.mark.parametrize("story", [put_back, refused])
def test_what_is_tried_again_backs_off(tale: type, story: Any) -> None:
    told = story(tale)
    assert told.broken(backoffs.backoffs_come, tells_backoffs=True) == []
    del told.raw[-1]
    assert len(told.broken(backoffs.backoffs_come, tells_backoffs=True)) == 1


def test_a_history_that_does_not_tell_backoffs_is_not_asked_for_them(tale: type) -> None:
    told = put_back(tale)
    del told.raw[-1]
    assert told.broken(backoffs.backoffs_come) == []


def test_a_call_that_has_lost_too_often_does_not_back_off(tale: type) -> None:
    told = tale().submit().add("conflict", -1, "report", 5)
    assert told.broken(backoffs.backoffs_come, tells_backoffs=True, occ_reruns=4) == []
    assert len(told.broken(backoffs.backoffs_come, tells_backoffs=True, occ_reruns=5)) == 1


@pytest.mark.parametrize(("at_ms", "expected"), [(100, 0), (150, 0), (99, 1)])
def test_a_job_that_was_put_back_starts_when_its_backoff_is_over_or_later(
    tale: type, at_ms: float, expected: int
) -> None:
    assert len(put_back(tale).at(at_ms).starts(0).broken(backoffs.backoffs_last)) == expected


@pytest.mark.parametrize(("at_ms", "expected"), [(100, 0), (150, 1), (99, 1)])
def test_a_mutation_that_was_refused_runs_again_right_when_its_backoff_is_over(
    tale: type, at_ms: float, expected: int
) -> None:
    assert len(refused(tale).at(at_ms).commit(own=1).broken(backoffs.backoffs_last)) == expected


@pytest.mark.parametrize(("story", "job"), [(put_back, 0), (refused, 1)])
def test_what_is_canceled_meanwhile_is_not_tried_again(tale: type, story: Any, job: int) -> None:
    assert story(tale).at(50).step(job, "pending", "canceled").broken(backoffs.backoffs_last) == []


def test_a_rerun_of_which_only_the_end_is_seen_may_have_begun_in_time(tale: type) -> None:
    assert refused(tale).at(140).add("conflict", 1, "retry", 2).broken(backoffs.backoffs_last) == []


def test_a_rerun_that_died_with_the_server_is_not_seen(tale: type) -> None:
    assert refused(tale).at(110).restart().at(200).commit(own=1).broken(backoffs.backoffs_last) == []


def test_a_rerun_that_the_end_of_the_history_cuts_off_is_not_seen(tale: type) -> None:
    assert refused(tale).at(110).add("callback").broken(backoffs.backoffs_last, drained=False) == []
    assert len(refused(tale).at(110).add("callback").broken(backoffs.backoffs_last)) == 1


# Reports.


def lost(tale: Any) -> Any:
    told = tale().submit().commit("submit", jobs=[(0, "action")]).starts(0).attempt(1, "lost_contact", job=0)
    return told.at(5).lost(1).step(0, "inProgress", "failed")


def test_an_attempt_out_of_sight_goes_on_to_its_end(tale: type) -> None:
    assert lost(tale).at(10).ends(1, "returned").broken(backoffs.reports_come) == []
    assert lost(tale).broken(backoffs.reports_come) == [
        "attempt 1 of request 0 is out of sight from 5ms on, and never ends"
    ]
    assert lost(tale).at(7).ends(1, "died").broken(backoffs.reports_come) == [
        "attempt 1 of request 0 is out of sight from 5ms on, and dies at 7ms"
    ]


def test_a_death_of_the_server_ends_what_is_out_of_sight_too(tale: type) -> None:
    assert lost(tale).at(7).restart().ends(1, "died").broken(backoffs.reports_come) == []


def test_the_end_of_an_attempt_out_of_sight_is_reported(tale: type) -> None:
    told = lost(tale).at(10).ends(1, "returned")
    assert told.broken(backoffs.reports_come, reports_ends=True) == [
        "attempt 1 of request 0 returned at 10ms, but job 0 (action) never reports it"
    ]
    assert told.at(11).commit("report", caller=0).broken(backoffs.reports_come, reports_ends=True) == []


@pytest.mark.parametrize(
    "struck",
    [
        lambda told: told.add("conflict", -1, "report", 5),
        lambda told: told.add("system_error", 0, "action", "mutation report"),
        lambda told: told.restart(),
        lambda told: told.add("rolled_back", -1, "report", "threw"),
    ],
    ids=["conflicts", "system error", "death", "threw"],
)
def test_a_report_that_something_kept_from_being_committed_is_excused(tale: type, struck: Any) -> None:
    told = struck(lost(tale).at(10).ends(1, "returned").at(11))
    assert told.broken(backoffs.reports_come, reports_ends=True) == []
