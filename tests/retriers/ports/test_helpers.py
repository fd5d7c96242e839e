"""`helpers`: every branch of its poll, the addresses of its draws, and upstream's bugs, which stay."""

from collections.abc import Callable
from typing import Any

import pytest

from sim.retriers.ports.helpers import Helpers, HelpersOptions

Play = Callable[..., Any]
LEAST, MOST = 0.0, 1 - 2**-53


def test_options_have_upstreams_defaults() -> None:
    expected = {"waitBackoff": 100.0, "retryBackoff": 100.0, "base": 2.0, "maxFailures": 16}
    assert Helpers().defaults == expected


def test_options_of_a_scenario_become_upstreams_numbers() -> None:
    options = HelpersOptions.model_validate(
        {"wait_backoff": "25ms", "retry_backoff": "1s", "base": 1.5, "max_failures": 3}
    )
    assert Helpers(options).defaults == {"waitBackoff": 25.0, "retryBackoff": 1000.0, "base": 1.5, "maxFailures": 3}


# With numbers of 0.5 jitter changes nothing.


def test_the_first_poll_schedules_the_action_and_goes_on_in_the_same_transaction(play: Play) -> None:
    played = play("helpers", "success 0ms")
    assert (played.jobs, played.due("action"), played.due("retry")) == (
        [("retry", "success"), ("action", "success"), ("retry", "success")],
        [0],
        [0, 100],
    )


def test_while_the_action_runs_it_looks_again_after_a_wait_that_grows(play: Play) -> None:
    played = play("helpers", "success 1s")
    assert (played.ran("retry"), played.end) == ([0, 100, 300, 700, 1500], ("success", 1500))


def test_after_a_failure_the_action_comes_after_the_backoff_and_the_poll_after_backoff_and_wait(play: Play) -> None:
    played = play("helpers", "fail 0ms", "success 0ms")
    # The failure is seen at 100; by then the wait is 200.
    assert (played.due("action"), played.due("retry")) == ([0, 200], [0, 100, 400])


def test_the_retry_backoff_grows_by_the_base_and_the_wait_stays(play: Play) -> None:
    played = play("helpers", *["fail 0ms"] * 3, "success 0ms")
    assert (played.due("action"), played.ran("retry")) == ([0, 200, 600, 1200], [0, 100, 400, 800, 1400])


def test_after_the_last_allowed_failure_it_stops(play: Play) -> None:
    played = play("{kind: helpers, max_failures: 1}", "fail 0ms")
    assert (played.request.attempts, played.end) == (2, ("gave_up", 400))


def test_a_canceled_action_ends_it(play: Play) -> None:
    played = play("helpers", "success 1s", more="cancel: {share: 1, after: {constant: 150ms}}")
    assert (played.end, played.request.effects) == (("canceled", 300), 1)


def test_a_death_is_a_failure_like_any_other(play: Play) -> None:
    played = play("helpers", "crash_before_effect 5ms", "success 0ms")
    assert (played.request.attempts, played.end[0], played.causes) == (2, "success", {})


# Draws.


@pytest.mark.parametrize(("uniform", "expected"), [(LEAST, [0, 50]), (0.5, [0, 100]), (MOST, [0, 150])])
def test_the_wait_is_spread_from_half_to_one_and_a_half(play: Play, uniform: float, expected: list[float]) -> None:
    assert play("helpers", "success 0ms", poll_jitter=uniform).ran("retry") == pytest.approx(expected)


def test_after_a_failure_the_two_draws_are_independent_the_actions_first(play: Play) -> None:
    played = play("helpers", "fail 0ms", "success 0ms", action_jitter=LEAST, poll_jitter=[0.5, MOST])
    # 100 * 0.5 after 100; (100 + 200) * 1.5 after 100.
    assert (played.due("action")[1], played.due("retry")[2]) == (150, pytest.approx(550))


def test_draws_have_the_addresses_of_the_failure_and_of_the_poll_that_schedules(play: Play) -> None:
    played = play("helpers", "fail 150ms", "fail 0ms", "success 0ms")
    assert played.drawn == [
        ("poll_jitter", 0, 1, 0),
        ("poll_jitter", 0, 2, 0),
        ("action_jitter", 0, 1, 0),
        ("poll_jitter", 0, 3, 0),
        ("action_jitter", 0, 2, 0),
        ("poll_jitter", 0, 4, 0),
    ]


def test_draws_are_in_the_history_in_their_order(play: Play) -> None:
    played = play("helpers", "fail 0ms", "success 0ms", action_jitter=0.25, poll_jitter=[0.5, 0.75])
    draws = [(event.stream, event.value) for event in played.events("draw")]
    assert draws == [("poll_jitter", 0.5), ("action_jitter", 0.25), ("poll_jitter", 0.75)]


# What is to be measured, not mended.


def test_upstream_bug_the_wait_has_grown_once_before_any_failure_is_handled(play: Play) -> None:
    played = play("helpers", "fail 0ms", "success 0ms")
    asked = played.due("retry")[2] - played.ran("retry")[1]
    assert asked == 100 + 2 * 100


def test_upstream_bug_the_wait_is_never_set_back(play: Play) -> None:
    played = play("helpers", "fail 1s", "success 1ms")
    # Seen at 1500 with a wait of 1600: the retry, done at 1601, is looked at 100 + 1600 after that.
    assert (played.when("attempt"), played.end) == ([0, 1600], ("success", 3200))


def test_upstream_bug_the_wait_has_no_cap(play: Play) -> None:
    played = play("helpers", "success 10m", more="platform: {action_time_limit: none}")
    assert played.end == ("success", 100 * (2**13 - 1))


def test_upstream_bug_a_poll_can_come_before_the_retried_job_has_started(play: Play) -> None:
    played = play(
        "{kind: helpers, wait_backoff: 1ms, retry_backoff: 1s}",
        "fail 0ms",
        "success 0ms",
        action_jitter=MOST,
        poll_jitter=LEAST,
    )
    before_it_starts = [at_ms for at_ms in played.ran("retry") if 1 < at_ms < played.when("attempt")[1]]
    assert before_it_starts[0] == pytest.approx(0.5 + 0.5 * 1002)


def test_upstream_bug_a_canceled_poll_is_never_followed_by_another(play: Play) -> None:
    played = play("helpers", "success 1s", more="cancel: {share: 1, after: {constant: 150ms}, target: poll}")
    assert (played.end[0], played.request.effects) == ("stuck", 1)


@pytest.mark.parametrize("waits", [-1.0, float("nan"), float("inf")])
def test_upstream_bug_a_first_poll_that_throws_leaves_not_even_the_action(play: Play, waits: float) -> None:
    played = play("helpers", "success 0ms", retrier=Helpers(waitBackoff=waits))
    assert (played.jobs, played.end[0], played.request.attempts) == ([("retry", "failed")], "stuck", 0)
