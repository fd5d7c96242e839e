"""The index of a history: who created what, what an attempt came to, and what belongs to nothing."""

from sim.history.entities import NOT_YET
from sim.history.index import Index
from sim.history.recorder import History


def index(told) -> Index:  # noqa: ANN001  # a `Tale`, which fixtures bring
    return Index(History(told.raw))


def test_a_job_knows_the_commit_that_created_it(tale: type) -> None:
    found = index(tale().submit().commit("submit", jobs=[(0, "action")]).at(5).commit("retry", jobs=[(1, "action")]))
    first, second = found.commits
    assert (found.jobs[0].by, found.jobs[1].by) == (first, second)
    assert [job.id for job in second.created] == [1]


def test_no_job_creates_itself_if_the_commit_that_did_is_of_another_request(tale: type) -> None:
    told = tale().submit().commit("submit").at(5)
    found = index(told.job(0, "onComplete").at(6).commit("onComplete", own=0))
    assert found.commits[1].created == []
    assert found.jobs[0].by is None


def test_a_step_knows_the_mutation_that_made_it_and_others_are_the_platforms_own(tale: type) -> None:
    told = tale().submit().commit("submit", jobs=[(0, "action"), (1, "retry")]).starts(0)
    found = index(told.at(5).commit("cancel", cancels=[(1, "pending")]))
    assert found.jobs[0].steps[0].by is None
    assert found.jobs[1].steps[0].by is found.commits[1]


def test_a_job_that_is_born_canceled_ends_as_it_is_created(tale: type) -> None:
    found = index(tale().at(7).submit().commit("submit", jobs=[(0, "action", 0, "canceled")]))
    assert found.jobs[0].ended_ns == 7_000_000


def test_an_action_began_when_it_started_and_a_mutation_at_its_snapshot(tale: type) -> None:
    told = tale().submit().commit("submit", jobs=[(0, "action"), (1, "retry")]).at(3).starts(0)
    found = index(told.at(9).commit("retry", own=1, begin=8))
    assert [found.jobs[number].began_ns for number in (0, 1)] == [3_000_000, 8_000_000]


def test_an_attempt_is_over_once_it_ended_was_lost_or_was_given_up(tale: type) -> None:
    told = tale().submit().attempt(1).ends(1, "threw").attempt(2).lost(2).attempt(3).timed_out(3).attempt(4)
    attempts = index(told).requests[0].attempts
    assert [attempt.over_by(len(told.raw)) for attempt in attempts] == [True, True, True, False]


def test_an_effect_belongs_to_its_attempt_and_its_request(tale: type) -> None:
    request = index(tale().submit().attempt(1, effect=5).at(5).effect(1)).requests[0]
    assert [effect for _, effect in request.attempts[0].effects] == [effect for _, effect, _ in request.effects]


def test_what_belongs_to_no_attempt_and_no_job_is_set_apart(tale: type) -> None:
    found = index(tale().submit().ends(1, "threw").step(7, "pending", "failed"))
    assert [event.attempt for _, event in found.strays] == [1]
    assert [event.job for _, event in found.strangers] == [7]


def test_a_request_is_open_again_once_it_is_submitted_again(tale: type) -> None:
    told = tale().submit().settles("gave_up").at(5).submit_again(2)
    request = index(told).requests[0]
    assert (request.settled, request.outcome, request.settled_at) == (None, "", NOT_YET)
    assert [event.submission for _, event in request.resubmits] == [2]


def test_of_a_request_that_is_submitted_again_the_last_conclusion_counts(tale: type) -> None:
    told = tale().submit().settles("gave_up").at(5).submit_again(2).at(6).settles("gave_up").at(7).settles("success")
    request = index(told).requests[0]
    assert (request.outcome, request.settled_at, request.resettled) == ("success", 4, [])
