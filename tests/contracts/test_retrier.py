"""What a retrier owes: each invariant on histories told by hand, good ones and bad ones."""

from collections.abc import Callable
from typing import Any

import pytest

from sim.contracts import stricter
from sim.contracts.catalogue import RETRIER, STRICTER, Terms, View, check
from sim.contracts.retrier import attempts, leaks, limits, results
from sim.history.failure import Failure
from sim.history.recorder import History
from sim.promises.promises import Promises

Story = Callable[[Any], Any]

FINAL = Failure(final=True, retry_after_ns=-1)
WAIT_2S = Failure(final=False, retry_after_ns=2_000_000_000)


# Stories that keep every promise.


def failed_call(tale: Any) -> Any:
    """A client whose first call has failed."""
    return tale.submit().attempt(1, "fail").at(10).ends(1, "threw")


def retried_call(tale: Any) -> Any:
    """A client that tried twice, 100 ms apart, and has succeeded at 120 ms."""
    failed_call(tale).sleep(100).at(110).attempt(2, effect=120)
    return tale.at(120).effect(2).ends(2, "returned").settles("success")


def called_action(tale: Any) -> Any:
    """A deployment in which an action runs, looked at by polls: job 0 the action, job 1 the poll."""
    tale.submit().commit("submit", jobs=[(0, "action"), (1, "retry")])
    return tale.starts(0).attempt(1, "fail", job=0)


def failed_action(tale: Any) -> Any:
    """The same, and it has failed at 50 ms."""
    return called_action(tale).at(50).ends(1, "threw").step(0, "inProgress", "failed")


def retried_action(tale: Any) -> Any:
    """A poll at 60 ms has seen the failure, and the second attempt succeeds at 210 ms, seen at 300 ms."""
    failed_action(tale).at(60)
    tale.commit(own=1, reads=[(0, "failed")], jobs=[(2, "action", 160), (3, "retry", 300)])
    tale.at(160).starts(2).attempt(2, job=2, effect=210)
    tale.at(210).effect(2).ends(2, "returned").step(2, "inProgress", "success")
    return tale.at(300).commit(own=3, reads=[(2, "success")]).settles("success")


def canceled_action(tale: Any) -> Any:
    """The request is canceled while its first attempt runs, and a poll sees it."""
    called_action(tale).at(20).add("cancel", name="request")
    tale.commit("cancel", reads=[(0, "inProgress")], cancels=[(0, "inProgress")]).add("cancel_answer")
    tale.at(50).ends(1, "threw")
    return tale.at(60).commit(own=1, reads=[(0, "canceled")]).settles("canceled")


PROMISES: dict[str, Any] = {
    "attempts_at_most": 3,
    "backoff_ms": lambda failure: (50.0 * failure, 100.0 * failure),
    "deadline_ns": 1_000_000_000,
}


@pytest.mark.parametrize("story", [retried_call, retried_action, canceled_action])
def test_a_good_story_breaks_nothing(tale: type, story: Story) -> None:
    assert story(tale()).broken(**PROMISES) == []


@pytest.mark.parametrize("story", [retried_call, retried_action, canceled_action])
def test_a_good_story_breaks_nothing_wherever_it_is_cut(tale: type, story: Story) -> None:
    whole = story(tale()).raw
    promises = Promises(**PROMISES, callback=True, action_jobs=("action",))
    for length in range(len(whole) + 1):
        assert check(History(whole[:length]), Terms(promises, drained=False), RETRIER) == []


# Attempts and delays.


def test_a_third_attempt_of_two(tale: type) -> None:
    story = retried_call(tale())
    assert story.broken(attempts.attempts_within_budget, attempts_at_most=2) == []
    assert story.broken(attempts.attempts_within_budget, attempts_at_most=1) == [
        "request 0 has 2 attempts, but at most 1 are promised: attempt 2 starts at 110ms"
    ]


def test_an_attempt_after_the_end(tale: type) -> None:
    story = retried_call(tale()).at(200).attempt(3)
    assert story.broken(attempts.no_attempt_after_settled) == [
        "request 0 settled as success at 120ms, but attempt 3 starts at 200ms"
    ]


def test_a_retry_after_a_success(tale: type) -> None:
    story = tale().submit().attempt(1).at(10).ends(1, "returned").at(20).attempt(2)
    assert story.broken(attempts.no_retry_after_success) == [
        "request 0 is tried again at 20ms (attempt 2) although attempt 1 succeeded at 10ms"
    ]


def succeeded_in_a_job(tale: Any) -> Any:
    return tale.submit().commit(jobs=[(0, "action")]).starts(0).attempt(1, job=0).at(10)


def test_a_retry_after_a_success_that_was_recorded(tale: type) -> None:
    story = succeeded_in_a_job(tale()).ends(1, "returned").step(0, "inProgress", "success").at(20).attempt(2)
    assert len(story.broken(attempts.no_retry_after_success)) == 1


def test_a_retry_after_a_success_that_conflicts_kept_from_being_recorded(tale: type) -> None:
    story = succeeded_in_a_job(tale()).ends(1, "returned").add("conflict", name="finishExecution", detail=5)
    story.step(0, "inProgress", "failed").at(20).attempt(2)
    assert len(story.broken(attempts.no_retry_after_success)) == 1


@pytest.mark.parametrize(
    "unheard",
    [
        lambda tale: tale.lost(1).step(0, "inProgress", "failed").ends(1, "returned"),
        lambda tale: tale.timed_out(1).ends(1, "returned").step(0, "inProgress", "success"),
        lambda tale: tale.ends(1, "returned").restart().step(0, "inProgress", "failed"),
        lambda tale: (
            tale.ends(1, "returned").add("system_error", 0, detail="mutation report").step(0, "inProgress", "failed")
        ),
        lambda tale: tale.step(0, "inProgress", "canceled").ends(1, "returned"),
        lambda tale: (
            tale.ends(1, "returned").step(0, "inProgress", "failed").add("system_error", 0, detail="mutation report")
        ),
    ],
    ids=["lost", "timed out", "server died", "report lost", "canceled", "cut off and its report lost"],
)
def test_a_success_that_nobody_heard_of_may_be_retried(tale: type, unheard: Story) -> None:
    story = unheard(succeeded_in_a_job(tale())).at(20).attempt(2)
    assert story.broken(attempts.no_retry_after_success) == []


def test_a_retry_of_a_final_error(tale: type) -> None:
    story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw", FINAL).at(20).attempt(2)
    assert story.broken(attempts.no_retry_of_final_error) == [
        "request 0 is tried again at 20ms (attempt 2) although attempt 1 threw an error marked as final at 10ms"
    ]


def test_a_final_error_behind_a_timeout_was_not_heard(tale: type) -> None:
    story = tale().submit().attempt(1, "fail").at(5).timed_out(1).at(10).ends(1, "threw", FINAL).attempt(2)
    assert story.broken(attempts.no_retry_of_final_error) == []


def test_a_failure_that_is_not_final_may_be_retried(tale: type) -> None:
    assert retried_call(tale()).broken(attempts.no_retry_of_final_error) == []


def test_two_attempts_at_once(tale: type) -> None:
    story = tale().submit().attempt(1).at(5).attempt(2).at(10).ends(1, "returned").ends(2, "returned")
    assert story.broken(attempts.no_overlapping_attempts) == [
        "attempt 2 of request 0 starts at 5ms while attempt 1, started at 0s, still runs"
    ]
    assert story.broken(attempts.no_overlapping_attempts, hedges=True) == []


@pytest.mark.parametrize("over", [lambda t: t.lost(1), lambda t: t.timed_out(1), lambda t: t.ends(1, "died")])
def test_an_attempt_that_was_given_up_may_run_beside_the_next(tale: type, over: Story) -> None:
    story = over(tale().submit().attempt(1).at(5)).attempt(2)
    assert story.broken(attempts.no_overlapping_attempts) == []


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (100, 100, []),
        (50, 100, []),
        (100, 150, []),
        (101, 150, ["request 0 waits 100ms after failure 1, but the law says 101ms to 150ms"]),
        (50, 99.9, ["request 0 waits 100ms after failure 1, but the law says 50ms to 99.9ms"]),
        (200, 200, ["request 0 waits 100ms after failure 1, but the law says 200ms"]),
        (200, float("inf"), ["request 0 waits 100ms after failure 1, but the law says 200ms or more"]),
    ],
)
@pytest.mark.parametrize("story", [retried_call, retried_action])
def test_delays_in_and_out_of_law(tale: type, story: Story, low: float, high: float, expected: list[str]) -> None:
    assert story(tale()).broken(attempts.delays_in_law, backoff_ms=lambda _: (low, high)) == expected


@pytest.mark.parametrize(
    ("first_ms", "expected"),
    [
        (None, []),
        ((0, 0), []),
        ((5, 10), ["the first attempt of request 0 is asked for after 0s, but the law says 5ms to 10ms"]),
    ],
)
@pytest.mark.parametrize("story", [retried_call, retried_action])
def test_a_first_attempt_in_and_out_of_law(tale: type, story: Story, first_ms: Any, expected: list[str]) -> None:
    assert story(tale()).broken(attempts.first_attempt_in_law, first_ms=first_ms) == expected


@pytest.mark.parametrize(
    ("low", "high", "sights"),
    [(100, 200, (1, 0)), (0, 100, (0, 1)), (50, 150, (0, 0)), (100, 100, (1, 1))],
)
@pytest.mark.parametrize("story", [retried_call, retried_action])
def test_jitter_that_reaches_an_end_of_its_law_is_sighted(
    tale: type, story: Story, low: float, high: float, sights: tuple[int, int]
) -> None:
    terms = Terms(Promises(backoff_ms=lambda _: (low, high), action_jobs=("action",)))
    view = View(History(story(tale()).raw), terms)
    near = [len(list(one.search(view))) for one in (stricter.delays_reach_low, stricter.delays_reach_high)]
    assert tuple(near) == sights


@pytest.mark.parametrize(
    ("low", "high", "sights"),
    [(240, 400, (1, 0)), (0, 240, (0, 1)), (0, 480, (0, 0)), (240, 240, (1, 1))],
)
def test_jitter_of_polls_that_reaches_an_end_of_its_law_is_sighted(
    tale: type, low: float, high: float, sights: tuple[int, int]
) -> None:
    story = called_action(tale()).at(60).commit(own=1, jobs=[(2, "retry", 300)])
    terms = Terms(Promises(polls_ms=lambda *_: (low, high), action_jobs=("action",), poll_jobs=("retry",)))
    view = View(History(story.raw), terms)
    near = [len(list(one.search(view))) for one in (stricter.polls_reach_low, stricter.polls_reach_high)]
    assert tuple(near) == sights


def test_a_wait_at_the_cap_of_a_law_shows_nothing_of_its_jitter(tale: type) -> None:
    def law(failure: int) -> tuple[float, float]:
        return min(50.0 * failure, 100.0), min(150.0 * failure, 100.0)

    view = View(History(retried_call(tale()).raw), Terms(Promises(backoff_ms=law)))
    assert list(stricter.delays_reach_high.search(view)) == []


def test_a_delay_counts_from_the_snapshot_of_its_mutation(tale: type) -> None:
    story = failed_action(tale()).at(80).commit(own=1, begin=60, jobs=[(2, "action", 160)])
    assert story.broken(attempts.delays_in_law, backoff_ms=lambda _: (100.0, 100.0)) == []


def test_the_law_knows_the_number_of_the_failure(tale: type) -> None:
    story = failed_call(tale()).sleep(100).at(110).attempt(2).at(120).ends(2, "threw").sleep(100).at(220).attempt(3)
    assert story.broken(attempts.delays_in_law, backoff_ms=lambda failure: (100.0, 100.0 * failure)) == []
    assert story.broken(attempts.delays_in_law, backoff_ms=lambda failure: (100.0 * failure, 500.0)) == [
        "request 0 waits 100ms after failure 2, but the law says 200ms to 500ms"
    ]


def test_bounds_of_the_law_are_rounded_as_delays_are(tale: type) -> None:
    story = failed_call(tale()).sleep(1 / 3).at(11).attempt(2)
    assert story.broken(attempts.delays_in_law, backoff_ms=lambda _: (1 / 3, 1 / 3)) == []


def test_sleeps_between_two_attempts_add_up(tale: type) -> None:
    story = failed_call(tale()).sleep(60).at(70).sleep(40).at(110).attempt(2)
    assert story.broken(attempts.delays_in_law, backoff_ms=lambda _: (100.0, 100.0)) == []


def test_a_retry_without_any_sleep_is_out_of_law(tale: type) -> None:
    story = failed_call(tale()).attempt(2)
    assert story.broken(attempts.delays_in_law, backoff_ms=lambda _: (1.0, 2.0)) == [
        "request 0 waits 0s after failure 1, but the law says 1ms to 2ms"
    ]


def test_a_sleep_without_a_retry_yet_is_only_held_against_the_longest(tale: type) -> None:
    story = failed_call(tale()).sleep(40)
    assert story.broken(attempts.delays_in_law, backoff_ms=lambda _: (100.0, 150.0), drained=False) == []
    assert len(story.broken(attempts.delays_in_law, backoff_ms=lambda _: (10.0, 39.0), drained=False)) == 1


def test_an_error_that_asks_to_wait_extends_the_law(tale: type) -> None:
    story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw", WAIT_2S).sleep(2000).at(2010).attempt(2)
    assert story.broken(attempts.delays_in_law, backoff_ms=lambda _: (1.0, 100.0)) == []


def test_an_error_that_asks_for_less_does_not_shorten_the_law_unless_the_retrier_obeys(tale: type) -> None:
    story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw", WAIT_2S).sleep(2000).at(2010).attempt(2)
    law = {"backoff_ms": lambda _: (3000.0, 4000.0)}
    assert len(story.broken(attempts.delays_in_law, **law)) == 1
    assert story.broken(attempts.delays_in_law, **law, retry_after="obeyed") == []


def test_a_law_is_not_asked_about_the_last_attempt_of_a_budget(tale: type) -> None:
    story = failed_call(tale()).sleep(100).at(110).attempt(2)
    assert story.broken(attempts.delays_in_law, attempts_at_most=1, backoff_ms=lambda _: (1.0, 1.0)) == []


@pytest.mark.parametrize("law", [lambda _: (0, 10**400), lambda _: (0.0, 10.0**400)])
def test_a_law_beyond_all_numbers_has_no_end(tale: type, law: Any) -> None:
    assert retried_call(tale()).broken(attempts.delays_in_law, backoff_ms=law) == []


@pytest.mark.parametrize(
    ("first_ms", "expected"),
    [
        (None, []),
        ((0, 0), []),
        ((5, 10), ["request 0 first looks after 0s (job 1 (retry)), but the law says 5ms to 10ms"]),
    ],
)
def test_a_first_poll_in_and_out_of_law(tale: type, first_ms: Any, expected: list[str]) -> None:
    assert retried_action(tale()).broken(attempts.polls_in_law, first_poll_ms=first_ms) == expected


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        (lambda _waits, failure: (240.0, 240.0) if failure else (10.0, 10.0), []),
        (lambda waits, _failure: (100.0, 100.0 + waits), ["request 0 looks again after 240ms (job 3 (retry)), but "]),
    ],
)
def test_polls_in_and_out_of_law(tale: type, law: Any, expected: list[str]) -> None:
    found = retried_action(tale()).broken(attempts.polls_in_law, polls_ms=law)
    assert [text[: len(start)] for text, start in zip(found, expected, strict=True)] == expected


def test_the_law_of_polls_counts_the_waits_before(tale: type) -> None:
    story = called_action(tale()).at(10).commit(own=1, jobs=[(2, "retry", 20)])
    story.at(20).commit(own=2, jobs=[(3, "retry", 40)])
    seen = []

    def law(waits: int, failure: int) -> tuple[float, float]:
        seen.append((waits, failure))
        return 0.0, 100.0

    assert story.broken(attempts.polls_in_law, polls_ms=law) == []
    assert seen == [(0, 0), (1, 0)]


def test_a_sleep_after_the_last_attempt(tale: type) -> None:
    story = failed_call(tale()).sleep(100).at(110).settles("gave_up")
    assert story.broken(attempts.no_sleep_after_last_attempt) == [
        "request 0 sleeps 100ms after its last attempt and then settles as gave_up without another"
    ]


@pytest.mark.parametrize("end", [lambda t: t.settles("canceled"), lambda t: t, lambda t: t.attempt(2)])
def test_a_sleep_that_was_cut_short_or_followed_is_no_waste(tale: type, end: Story) -> None:
    assert end(failed_call(tale()).sleep(100).at(60)).broken(attempts.no_sleep_after_last_attempt) == []


def test_a_retry_sooner_than_the_error_asked(tale: type) -> None:
    story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw", WAIT_2S).at(2000).attempt(2)
    assert story.broken(attempts.retry_after_honored) == [
        "attempt 2 of request 0 starts 1.99s after an error that asked to wait 2s"
    ]


def test_a_retry_as_late_as_the_error_asked(tale: type) -> None:
    story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw", WAIT_2S).at(2010).attempt(2)
    assert story.broken(attempts.retry_after_honored) == []


# Limits.


def test_a_request_that_settles_after_its_deadline(tale: type) -> None:
    story = retried_call(tale())
    assert story.broken(limits.deadline_holds, deadline_ns=120_000_000) == []
    assert story.broken(limits.deadline_holds, deadline_ns=119_000_000) == [
        "request 0 settles at 120ms, after its deadline of 119ms, at 119ms"
    ]


def test_a_deadline_counts_from_the_submission(tale: type) -> None:
    story = tale().at(1000).submit().attempt(1).at(1100).ends(1, "returned").settles("success")
    assert story.broken(limits.deadline_holds, deadline_ns=100_000_000) == []


def test_an_attempt_that_starts_after_the_deadline(tale: type) -> None:
    assert retried_call(tale()).broken(limits.deadline_holds, deadline_ns=50_000_000) == [
        "attempt 2 of request 0 starts at 110ms, after its deadline of 50ms, at 50ms"
    ]


def test_a_call_in_flight_does_not_extend_the_deadline(tale: type) -> None:
    story = tale().submit().attempt(1).at(100).submit(1)
    assert story.broken(limits.deadline_holds, deadline_ns=50_000_000, drained=False) == [
        "request 0 has not settled by its deadline of 50ms, at 50ms"
    ]


def test_a_client_that_goes_on_after_its_cancel(tale: type) -> None:
    story = failed_call(tale()).at(20).add("cancel", name="request").at(30).attempt(2)
    assert story.broken(limits.cancel_obeyed, action_jobs=()) == [
        "request 0 is canceled at 20ms, but attempt 2 starts at 30ms"
    ]


def test_a_client_that_sleeps_after_its_cancel(tale: type) -> None:
    story = failed_call(tale()).at(20).add("cancel", name="request").sleep(10)
    assert story.broken(limits.cancel_obeyed, action_jobs=()) == ["request 0 is canceled at 20ms, but sleeps at 20ms"]


def test_a_client_that_succeeds_after_its_cancel(tale: type) -> None:
    story = tale().submit().attempt(1).at(20).add("cancel", name="request").at(30).ends(1, "returned")
    assert story.settles("success").broken(limits.cancel_obeyed, action_jobs=()) == [
        "request 0 is canceled at 20ms, but settles as success at 30ms"
    ]


def test_a_cancel_after_the_end_is_nobody_s_concern(tale: type) -> None:
    story = retried_call(tale()).at(200).add("cancel", name="request").at(210).attempt(3)
    assert story.broken(limits.cancel_obeyed, action_jobs=()) == []


def ignored_cancel(tale: Any) -> Any:
    """A cancel between a failure and the next poll, which then retries."""
    failed_action(tale).at(55).add("cancel", name="request").commit("cancel", reads=[(0, "failed")])
    tale.add("cancel_answer").at(60).commit(own=1, reads=[(0, "failed")], jobs=[(2, "action", 160), (3, "retry", 300)])
    return tale.at(160).starts(2)


def test_a_cancel_between_two_attempts_that_is_ignored(tale: type) -> None:
    story = ignored_cancel(tale())
    assert story.broken(limits.cancel_obeyed) == ["request 0 is canceled at 55ms, but job 2 (action) starts at 160ms"]
    assert story.attempt(2, job=2).broken(limits.cancel_obeyed) == [
        "request 0 is canceled at 55ms, but attempt 2 starts at 160ms"
    ]


def test_a_cancel_of_a_running_action_that_succeeds_all_the_same(tale: type) -> None:
    story = called_action(tale()).at(20).add("cancel", name="request").commit("cancel", reads=[(0, "inProgress")])
    story.at(50).ends(1, "returned").step(0, "inProgress", "success").at(60).commit(own=1).settles("success")
    assert story.broken(limits.cancel_obeyed) == ["request 0 is canceled at 20ms, but settles as success at 60ms"]


def test_a_cancel_that_comes_too_late_for_a_success(tale: type) -> None:
    story = succeeded_in_a_job(tale()).ends(1, "returned").step(0, "inProgress", "success")
    story.add("cancel", name="request").commit("cancel").at(60).settles("success")
    assert story.broken(limits.cancel_obeyed) == []


@pytest.mark.parametrize(("answer", "count"), [(True, 1), (False, 0), (None, 0)])
def test_an_answer_to_a_cancel_is_kept(tale: type, answer: object, count: int) -> None:
    story = (
        failed_action(tale()).at(55).add("cancel", name="request").commit("cancel").add("cancel_answer", detail=answer)
    )
    assert len(story.broken(limits.cancel_obeyed)) == count


def test_a_cancel_that_failed_or_came_before_the_submission_is_not_owed(tale: type) -> None:
    failed = failed_action(tale()).at(55).add("cancel", name="request").at(60).attempt(2)
    early = tale().submit().add("cancel", name="request").at(20).commit(begin=0, jobs=[(0, "action")])
    early.commit("cancel", begin=0, begin_ts=0, ts=0).starts(0).attempt(1, job=0)
    assert failed.broken(limits.cancel_obeyed) == early.broken(limits.cancel_obeyed) == []


def test_an_operator_s_cancel_of_the_action_leaves_nothing_to_retry(tale: type) -> None:
    story = called_action(tale()).at(20).add("cancel", name="action").step(0, "inProgress", "canceled")
    assert story.broken(limits.cancel_obeyed) == []
    story.at(60).commit(own=1, reads=[(0, "canceled")], jobs=[(2, "action", 60)]).starts(2).attempt(2, job=2)
    assert story.broken(limits.cancel_obeyed) == ["request 0 is canceled at 20ms, but attempt 2 starts at 60ms"]


def test_a_canceled_row_that_was_collected_can_be_missed(tale: type) -> None:
    story = called_action(tale()).at(20).add("cancel", name="action").step(0, "inProgress", "canceled")
    story.at(50).add("collected", detail=1, request=-1)
    story.at(60).commit(own=1, reads=[(0, None)], jobs=[(2, "action", 60)]).starts(2).attempt(2, job=2)
    assert story.broken(limits.cancel_obeyed) == []


def test_a_budget_that_is_not_used(tale: type) -> None:
    story = failed_call(tale()).settles("gave_up")
    assert story.broken(limits.budget_used, attempts_at_most=1) == []
    assert story.broken(limits.budget_used, attempts_at_most=3) == ["request 0 gives up at 10ms after 1 of 3 attempts"]


@pytest.mark.parametrize(
    "excuse",
    [
        lambda tale: tale.ends(1, "threw", FINAL),
        lambda tale: tale.ends(1, "threw").add("cancel", name="request"),
    ],
    ids=["final", "canceled"],
)
def test_a_budget_need_not_be_used_up(tale: type, excuse: Story) -> None:
    story = excuse(tale().submit().attempt(1, "fail").at(10)).settles("gave_up")
    assert story.broken(limits.budget_used, attempts_at_most=3) == []


@pytest.mark.parametrize(
    ("deadline_ms", "wait_ms", "detail", "count"),
    [(1000, 500, None, 1), (1000, 990, None, 0), (1000, 500, WAIT_2S, 0), (15, 4, None, 1), (15, 5, None, 0)],
)
def test_a_budget_need_not_be_used_beyond_the_deadline(
    tale: type, deadline_ms: int, wait_ms: float, detail: Failure | None, count: int
) -> None:
    story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw", detail).settles("gave_up")
    promises = {"attempts_at_most": 3, "backoff_ms": lambda _: (1.0, wait_ms), "deadline_ns": deadline_ms * 1_000_000}
    assert len(story.broken(limits.budget_used, **promises)) == count


# Results.


def test_a_request_that_never_settles(tale: type) -> None:
    story = failed_call(tale())
    assert story.broken(results.settles) == [
        "request 0, submitted at 0s, never settles; the last thing that happens to it is 'attempt_end' at 10ms"
    ]
    assert story.broken(results.settles, drained=False) == []


def test_a_request_to_which_nothing_happens_has_its_submission_as_the_one_evidence(tale: type) -> None:
    (found,) = check(History(tale().submit().raw), Terms(Promises()), (results.settles,))
    assert [event.kind for event in found.events] == ["submit"]


def test_a_request_at_a_limit_or_without_a_slot_need_not_settle(tale: type) -> None:
    runaway = failed_call(tale()).add("runaway", name="polls")
    starved = tale().submit().commit(jobs=[(0, "action")])
    assert runaway.broken(results.settles) == starved.broken(results.settles) == []


def test_a_result_that_changes(tale: type) -> None:
    story = retried_call(tale()).at(130).add("resettled", name="gave_up")
    assert story.broken(results.result_never_changes, results.settles_once) == [
        "request 0 settled as success at 120ms and as gave_up at 130ms"
    ]


def test_a_result_that_comes_twice(tale: type) -> None:
    story = retried_call(tale()).at(130).add("resettled", name="success")
    assert story.broken(results.result_never_changes, results.settles_once) == [
        "request 0 settled as success at 120ms and once more at 130ms"
    ]


def test_a_success_of_which_nothing_is_true(tale: type) -> None:
    assert failed_call(tale()).settles("success").broken(results.result_is_true) == [
        "request 0 settles as success at 10ms, but no attempt has succeeded"
    ]


def test_giving_up_what_has_succeeded(tale: type) -> None:
    story = tale().submit().attempt(1).at(10).ends(1, "returned").settles("gave_up")
    assert story.broken(results.result_is_true) == ["request 0 gives up at 10ms although attempt 1 succeeded at 10ms"]


def test_giving_up_what_has_succeeded_unheard(tale: type) -> None:
    story = tale().submit().attempt(1).at(5).timed_out(1).at(10).ends(1, "returned").settles("gave_up")
    assert story.broken(results.result_is_true) == []


def test_canceled_by_nobody(tale: type) -> None:
    story = failed_call(tale()).settles("canceled")
    assert story.broken(results.result_is_true) == ["request 0 settles as canceled at 10ms; no caller canceled it"]
    assert canceled_action(tale()).broken(results.result_is_true) == []


def test_an_operator_who_cancels_all_cancels_for_the_callers(tale: type) -> None:
    story = tale().submit().at(5).add("operator", name="cancel_all", detail={}).at(10).settles("canceled")
    assert story.broken(results.result_is_true) == []
    story = tale().submit().at(5).settles("canceled").at(10).add("operator", name="cancel_all", detail={})
    assert story.broken(results.result_is_true) == ["request 0 settles as canceled at 5ms; no caller canceled it"]


def stale(tale: Any) -> Any:
    """Attempt 1 has been lost, attempt 2 runs, and attempt 1 returns."""
    return tale.submit().attempt(1, "lost_contact").at(5).lost(1).at(10).attempt(2).at(20).ends(1, "returned")


def test_a_stale_attempt_that_settles_a_newer_one(tale: type) -> None:
    story = stale(tale()).settles("success")
    assert story.broken(results.newest_attempt_decides) == [
        "request 0 settles as success at 20ms while its newest attempt 2, started at 10ms, still runs"
    ]
    assert story.broken(results.newest_attempt_decides, hedges=True) == []


@pytest.mark.parametrize(
    "end", [lambda t: t.ends(2, "threw"), lambda t: t.lost(2), lambda t: t.timed_out(2)], ids=["end", "loss", "timeout"]
)
def test_a_newest_attempt_that_is_over_decides_nothing_more(tale: type, end: Story) -> None:
    assert end(stale(tale())).settles("success").broken(results.newest_attempt_decides) == []


def test_a_callback_that_names_the_result(tale: type) -> None:
    story = retried_call(tale()).add("callback", name="success")
    assert story.broken(results.callback_once, results.callback_comes, callback=True) == []
    gave_up = failed_call(tale()).add("callback", name="failed").settles("gave_up")
    assert gave_up.broken(results.callback_once, results.callback_comes, callback=True) == []


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        (
            [("callback", "success"), ("callback", "success")],
            ["the callback of request 0 runs at 120ms and again at 120ms"],
        ),
        (
            [("callback", "failed")],
            ["the callback of request 0 is told 'failed' at 120ms, but it settled as success"],
        ),
        (
            [("callback_lost", "success")],
            ["the callback of request 0 threw at 120ms; its caller is not told 'success' again"],
        ),
        ([], ["the callback of request 0, submitted at 0s, never runs"]),
    ],
    ids=["twice", "wrong", "lost", "never"],
)
def test_a_callback_gone_wrong(tale: type, calls: list[tuple[str, str]], expected: list[str]) -> None:
    story = retried_call(tale())
    for kind, name in calls:
        story.add(kind, name=name)
    held = (results.callback_once, results.callback_comes)
    assert story.broken(*held, callback=True) == expected
    assert story.broken(*held, callback=False) == []


def test_a_callback_of_what_never_settles_never_comes(tale: type) -> None:
    story = failed_call(tale())
    assert len(story.broken(results.callback_comes, callback=True)) == 1
    assert story.broken(results.callback_comes, callback=True, drained=False) == []


# Alone and among others.


def among(tale: Any, **change: Any) -> Any:
    """Request 1, whose jobs and documents have other numbers than alone, and which starts 1 s later."""
    tale.submit(0).commit(jobs=[(0, "action"), (1, "retry")], writes={"runs:1": {"job": 0}})
    return one_request(tale.at(1000), 1, 5, "runs:2", **change)


def one_request(tale: Any, request: int, job: int, run: str, *, backoff: float = 100, failures: int = 1) -> Any:
    start_ms = tale.t_ns / 1e6
    tale.submit(request)
    tale.commit(jobs=[(job, "action", start_ms)], writes={run: {"_id": run, "job": job, "n": 0}}, request=request)
    tale.attempt(1, "fail", job=job, effect=start_ms + 4, request=request).at(start_ms + 10)
    tale.ends(1, "threw", request=request)
    document = {"_id": run, "job": job + 1, "n": failures, "at": round((start_ms + backoff) * 1e6)}
    tale.commit(
        begin=start_ms + 10,
        reads=[(run, {"_id": run, "job": job, "n": 0}), (job, "pending")],
        jobs=[(job + 1, "action", start_ms + backoff)],
        writes={run: document},
        caller=job,
        request=request,
    )
    return tale


def leaky(tale: type, *, drained: bool = True, **change: Any) -> list[str]:
    story = among(tale(), **change)
    alone = {0: tale().submit(0).commit(jobs=[(0, "action"), (1, "retry")], writes={"runs:1": {"job": 0}})}
    alone[1] = one_request(tale(), 1, 0, "runs:1")
    return story.broken(leaks.no_leak, alone=lambda number: History(alone[number].raw), drained=drained)  # type: ignore[no-any-return]


def test_numbers_and_instants_may_differ_among_others(tale: type) -> None:
    assert leaky(tale) == []


def test_a_delay_that_depends_on_others(tale: type) -> None:
    assert leaky(tale, backoff=200) == [
        (
            "request 1 differs at 1.01s from what it does alone:"
            " 'job' 6 action 1.2s pending at 1.01s, but alone 'job' 1 action 100ms pending at 10ms"
        )
    ]


def test_a_count_that_depends_on_others(tale: type) -> None:
    assert [text.partition(":")[0] for text in leaky(tale, failures=2)] == [
        "request 1 differs at 1.01s from what it does alone"
    ]


@pytest.mark.parametrize(("drained", "count"), [(True, 1), (False, 0)])
@pytest.mark.parametrize("longer", ["among", "alone"])
def test_one_of_two_that_goes_on(tale: type, longer: str, *, drained: bool, count: int) -> None:
    story, alone = failed_call(tale()), failed_call(tale())
    (story if longer == "among" else alone).at(20).attempt(2)
    found = story.broken(leaks.no_leak, alone=lambda _: History(alone.raw), drained=drained)
    words = "goes on, but alone it ends" if longer == "among" else "ends, but alone it goes on"
    assert [words in text for text in found] == [True] * count


def test_without_a_history_alone_there_is_nothing_to_compare(tale: type) -> None:
    assert among(tale()).broken(leaks.no_leak) == []


# What nobody can always grant.


def test_an_effect_that_happens_twice(tale: type) -> None:
    story = tale().submit().attempt(1, "ack_lost", effect=5).at(5).effect(1).ends(1, "threw").attempt(2, effect=9)
    assert story.broken(stricter.effect_once) == []
    assert story.at(9).effect(2, "ack_lost").broken(stricter.effect_once) == [
        "the effect of request 0 happens at 5ms and again at 9ms, in attempt 2; cause: ack_lost"
    ]


def test_an_effect_that_was_recognized_did_not_happen_again(tale: type) -> None:
    story = (
        tale().submit().attempt(1, "ack_lost", effect=5).at(5).effect(1).attempt(2, effect=5).effect(2, "suppressed")
    )
    assert story.broken(stricter.effect_once) == []


def test_a_request_that_runs_into_a_limit(tale: type) -> None:
    assert failed_call(tale()).broken(stricter.no_runaway) == []
    assert failed_call(tale()).add("runaway", name="polls").broken(stricter.no_runaway) == [
        "request 0 runs into the limit of polls at 10ms"
    ]


def test_what_is_stricter_is_asked_for_by_name(tale: type) -> None:
    story = retried_call(tale()).add("runaway", name="polls")
    assert story.broken(**PROMISES) == []
    assert len(story.broken(*STRICTER)) == 1


def test_what_is_read_by_no_id_is_the_same_alone_and_among_others(tale: type) -> None:
    story, alone = (tale().submit().commit("cancel", reads=[(None, None)]) for _ in range(2))
    assert story.broken(leaks.no_leak, alone=lambda _: History(alone.raw)) == []


def test_what_is_read_by_no_id_is_not_what_is_read_by_one(tale: type) -> None:
    story, alone = (tale().submit().commit("cancel", reads=[(row, None)]) for row in (None, "runs:1"))
    assert len(story.broken(leaks.no_leak, alone=lambda _: History(alone.raw))) == 1
