"""`article`: every branch of its poll, its options, and upstream's bugs, which stay."""

from collections.abc import Callable
from typing import Any

import pytest

from sim.retriers.ports.article import Article, ArticleOptions

Play = Callable[..., Any]


def test_options_have_upstreams_defaults() -> None:
    expected = {"waitBackoff": 10.0, "retryBackoff": 10.0, "base": 2.0, "maxFailures": 16}
    assert Article().defaults == expected


def test_options_of_a_scenario_become_upstreams_numbers() -> None:
    options = ArticleOptions.model_validate(
        {"wait_backoff": "25ms", "retry_backoff": "1s", "base": 1.5, "max_failures": 3}
    )
    assert Article(options).defaults == {"waitBackoff": 25.0, "retryBackoff": 1000.0, "base": 1.5, "maxFailures": 3}


def test_the_action_and_the_first_poll_are_due_at_once_the_action_first(play: Play) -> None:
    played = play("article", "success 0ms")
    assert (played.jobs, played.ran("retry")) == ([("action", "success"), ("retry", "success")], [0])


def test_while_the_action_runs_it_looks_again_after_a_wait_that_grows(play: Play) -> None:
    played = play("article", "success 100ms")
    assert (played.ran("retry"), played.end) == ([0, 10, 30, 70, 150], ("success", 150))


def test_an_action_that_has_failed_is_scheduled_again_and_so_is_its_poll(play: Play) -> None:
    played = play("article", "fail 0ms", "success 0ms")
    assert (played.when("attempt"), played.ran("retry"), played.end) == ([0, 10], [0, 10], ("success", 10))


def test_the_retry_backoff_grows_by_the_base(play: Play) -> None:
    played = play("article", *["fail 0ms"] * 4, "success 0ms")
    assert played.when("attempt") == [0, 10, 30, 70, 150]


def test_after_the_last_allowed_failure_it_stops(play: Play) -> None:
    played = play("{kind: article, max_failures: 2}", "fail 0ms")
    assert (played.when("attempt"), played.end) == ([0, 10, 30], ("gave_up", 30))


def test_without_allowed_failures_the_first_one_ends_it(play: Play) -> None:
    assert play("{kind: article, max_failures: 0}", "fail 5ms").end == ("gave_up", 10)


def test_a_canceled_action_ends_it(play: Play) -> None:
    played = play("article", "success 100ms", more="cancel: {share: 1, after: {constant: 20ms}}")
    assert (played.end, played.request.effects) == (("canceled", 30), 1)


def test_a_death_is_a_failure_like_any_other(play: Play) -> None:
    played = play("article", "crash_after_effect 5ms", "success 0ms")
    assert (played.request.attempts, played.end[0], played.causes) == (2, "success", {"crash_after_effect": 1})


def test_it_draws_nothing(play: Play) -> None:
    assert play("article", *["fail 30ms"] * 5, "success 30ms").drawn == []


def test_polls_are_counted_with_the_first(play: Play) -> None:
    assert play("article", "success 100ms").request.polls == 5


def test_upstream_numbers_are_taken_unchecked(play: Play) -> None:
    played = play("article", "fail 0ms", "success 0ms", retrier=Article(maxFailures=0.5, retryBackoff=0))
    assert (played.when("attempt"), played.end[0]) == ([0, 0], "success")


# What is to be measured, not mended.


def test_upstream_bug_max_failures_counts_retries_so_that_one_more_attempt_is_made(play: Play) -> None:
    assert play("{kind: article, max_failures: 4}", "fail 0ms").request.attempts == 5


def test_upstream_bug_the_wait_is_not_set_back_for_a_new_attempt(play: Play) -> None:
    played = play("article", "fail 100ms", "success 1ms")
    # The failure is seen at 150; the retry ends at 161 and is seen only 160 after its first poll, which came at 160.
    assert (played.ran("retry"), played.end) == ([0, 10, 30, 70, 150, 160, 320], ("success", 320))


@pytest.mark.parametrize("waits", ["-1", "nan", "inf"])
def test_upstream_bug_a_poll_that_throws_is_never_followed_by_another(play: Play, waits: str) -> None:
    played = play("article", "success 100ms", retrier=Article(waitBackoff=float(waits)))
    assert (played.end[0], played.jobs) == ("stuck", [("action", "success"), ("retry", "failed")])


def test_upstream_bug_a_canceled_poll_is_never_followed_by_another(play: Play) -> None:
    played = play("article", "fail 100ms", more="cancel: {share: 1, after: {constant: 20ms}, target: poll}")
    assert (played.end[0], played.request.attempts) == ("stuck", 1)
