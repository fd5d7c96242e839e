"""Budgets that are shares of requests: corners by hand, and laws against recounts of all events."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.clients.policy.share_budgets import (
    ActiveBudget,
    ActiveOptions,
    EncodedActive,
    EncodedFailures,
    FailuresBudget,
    FailuresOptions,
)
from sim.clients.policy.window_budget import EncodedWindow, WindowBudget, WindowOptions
from sim.kernel.durations import NS_PER_S
from sim.kernel.errors import InternalError
from tests.support.recounts import failures_allow, window_allows

S = NS_PER_S


def window(**options: Any) -> WindowBudget:
    return WindowBudget(WindowOptions.model_validate(options).encoded())


def active(**options: Any) -> ActiveBudget:
    return ActiveBudget(ActiveOptions.model_validate(options).encoded())


def failures(**options: Any) -> FailuresBudget:
    return FailuresBudget(FailuresOptions.model_validate(options).encoded())


def start(budget: WindowBudget | ActiveBudget | FailuresBudget, count: int, now_ns: int = 0) -> None:
    for _ in range(count):
        budget.request_started(now_ns)


def retries(budget: WindowBudget, now_ns: int = 0) -> int:
    """Let retries go while they may; how many went."""
    count = 0
    while budget.allows(now_ns, "failed"):
        budget.take(now_ns, "failed")
        count += 1
    return count


# window


def test_a_fifth_of_ten_requests_are_two_retries() -> None:
    budget = window(share=0.2)
    start(budget, 10)
    assert retries(budget) == 2


def test_without_requests_there_are_no_retries_of_a_share_alone() -> None:
    assert not window(share=0.2).allows(0, "failed")


def test_a_part_of_a_retry_is_one_unless_it_is_rounded_down() -> None:
    for rounding, expected in (("none", 3), ("down", 2)):
        budget = window(share=0.2, round=rounding)
        start(budget, 11)
        assert retries(budget) == expected


def test_finagle_allows_its_reserve_of_the_window_and_a_fifth_of_the_requests() -> None:
    budget = window(share="20%", of="10s", at_least="10/s", round="down")
    start(budget, 7)
    assert retries(budget) == 101


def test_a_rate_an_hour_is_met_exactly() -> None:
    budget = window(share=0, of="1h", at_least="7/h")
    assert retries(budget) == 7


@pytest.mark.parametrize(("now_ns", "allowed"), [(10 * S - 1, True), (10 * S, False)])
def test_a_request_counts_until_it_is_exactly_as_old_as_the_window(*, now_ns: int, allowed: bool) -> None:
    budget = window(share=1, of="10s")
    start(budget, 1)
    assert budget.allows(now_ns, "failed") is allowed


@pytest.mark.parametrize(("now_ns", "allowed"), [(11 * S - 1, False), (11 * S, True)])
def test_a_retry_counts_until_it_is_exactly_as_old_as_the_window(*, now_ns: int, allowed: bool) -> None:
    budget = window(share=1, of="10s")
    start(budget, 1)
    budget.allows(S, "failed")
    budget.take(S, "failed")
    start(budget, 1, 9 * S)
    budget.allows(9 * S, "failed")
    budget.take(9 * S, "failed")
    start(budget, 1, 10 * S)
    assert budget.allows(10 * S, "failed") is False
    assert budget.allows(now_ns, "failed") is allowed


def test_the_window_tells_its_retries() -> None:
    budget = window(share=0.5)
    start(budget, 3)
    budget.take(0, "failed")
    assert budget.level(0) == (1, 1.5, "retries")


def test_a_retry_costs_no_tokens() -> None:
    budget = window(share=1)
    start(budget, 1)
    assert budget.take(0, "failed") == 0


def test_a_retry_that_the_window_does_not_allow_cannot_go() -> None:
    with pytest.raises(InternalError, match="does not allow"):
        window(share=1).take(0, "failed")


# active


def test_envoy_lets_three_retries_go_however_few_requests_there_are() -> None:
    budget = active(round="down", sleeping=True)
    start(budget, 1)
    assert in_flight(budget) == 3


def in_flight(budget: ActiveBudget) -> int:
    count = 0
    while budget.allows(0, "failed"):
        budget.take(0, "failed")
        budget.retry_started(0, asleep=False)
        count += 1
    return count


def test_envoy_cuts_its_share_to_a_whole_number() -> None:
    for rounding, expected in (("none", 5), ("down", 4)):
        budget = active(round=rounding)
        start(budget, 21)
        assert in_flight(budget) == expected


def test_a_share_of_requests_in_flight_is_met_exactly() -> None:
    budget = active(share=0.2, at_least=0)
    start(budget, 10)
    assert in_flight(budget) == 2


def test_a_retry_that_is_over_makes_room() -> None:
    budget = active(at_least=1)
    budget.retry_started(0, asleep=False)
    assert not budget.allows(0, "failed")
    budget.retry_ended(0)
    assert budget.allows(0, "failed")


def test_a_request_that_is_over_counts_no_longer() -> None:
    budget = active(share=1, at_least=0)
    start(budget, 1)
    assert budget.allows(0, "failed")
    budget.request_ended(0)
    assert not budget.allows(0, "failed")


@pytest.mark.parametrize("sleeping", [True, False])
def test_a_retry_that_sleeps_counts_only_if_stated(*, sleeping: bool) -> None:
    budget = active(at_least=1, sleeping=sleeping)
    budget.retry_asleep(0)
    assert budget.allows(0, "failed") is not sleeping
    budget.retry_started(0, asleep=True)
    assert budget.allows(0, "failed") is False


def test_a_retry_that_slept_is_in_flight_once() -> None:
    budget = active(sleeping=True)
    budget.retry_asleep(0)
    budget.retry_started(0, asleep=True)
    assert budget.level(0).have == 1


def test_a_retry_that_will_not_begin_counts_no_longer() -> None:
    budget = active(at_least=1, sleeping=True)
    budget.retry_asleep(0)
    budget.retry_canceled(0)
    assert budget.allows(0, "failed")


def test_the_level_is_that_of_retries_in_flight() -> None:
    budget = active(share=0.5, at_least=1, sleeping=True)
    start(budget, 5)
    budget.retry_asleep(0)
    assert budget.level(0) == (1, 2.5, "retries in flight")


@pytest.mark.parametrize(
    ("step", "options", "what"),
    [
        ("request_ended", {}, "no request"),
        ("retry_canceled", {}, "no sleeping retry"),
        ("retry_started", {"asleep": True}, "no sleeping retry"),
        ("retry_ended", {}, "no retry"),
    ],
)
def test_what_did_not_begin_cannot_end(step: str, options: dict[str, bool], what: str) -> None:
    budget = active()
    with pytest.raises(InternalError, match=what):
        getattr(budget, step)(S, **options)
    budget.request_started(0)  # the time of the illegal step is not kept either
    assert budget.level(0).have == 0


# failures


def test_the_present_failure_counts() -> None:
    budget = failures(share=0.1)
    start(budget, 9)
    budget.failed(0, "failed", retryable=True)
    assert not budget.allows(0, "failed")
    start(budget, 1)
    assert budget.allows(0, "failed")


def test_a_failure_counts_also_if_its_kind_is_not_retried() -> None:
    budget = failures(share=0.1)
    start(budget, 10)
    budget.failed(0, "failed", retryable=True)
    budget.failed(0, "failed", retryable=False)
    assert not budget.allows(0, "failed")


@pytest.mark.parametrize(("now_ns", "allowed"), [(10 * S - 1, False), (10 * S, True)])
def test_failures_count_until_they_are_exactly_as_old_as_the_window(*, now_ns: int, allowed: bool) -> None:
    budget = failures(share=0.5, of="10s")
    budget.failed(0, "failed", retryable=True)
    start(budget, 1, S)
    assert budget.allows(now_ns, "failed") is allowed


def test_for_life_nothing_is_forgotten() -> None:
    budget = failures(share=0.5, of="life")
    start(budget, 1)
    budget.failed(0, "failed", retryable=True)
    assert not budget.allows(10**9 * S, "failed")


def test_the_level_is_that_of_failed_calls() -> None:
    budget = failures(share=0.5)
    start(budget, 3)
    budget.failed(0, "failed", retryable=True)
    assert budget.level(0) == (1, 1.5, "failed calls")


@pytest.mark.parametrize("budget", [window(), active(), failures()])
def test_time_does_not_go_back(budget: WindowBudget | ActiveBudget | FailuresBudget) -> None:
    budget.request_started(5)
    with pytest.raises(InternalError, match="goes back"):
        budget.allows(4, "failed")


def test_steps_that_a_budget_does_not_count_change_nothing() -> None:
    budget = window(share=0.5)
    start(budget, 1)
    budget.request_ended(0)
    budget.failed(0, "failed", retryable=True)
    budget.retry_asleep(0)
    budget.retry_started(0, asleep=True)
    budget.retry_ended(0)
    budget.retry_canceled(0)
    budget.succeeded(0, retried=True, last_cost=0)
    assert budget.level(0) == (0, 0.5, "retries")


# Laws

gaps = st.sampled_from([0, 1, S // 3, S, 2 * S])
shares = st.sampled_from([0.0, 0.1, 0.2, 1 / 3, 0.5, 1.0])
events = st.lists(st.tuples(gaps, st.sampled_from(["request", "request", "failed", "retry"])), max_size=60)


@given(
    share=shares,
    rate=st.sampled_from(["1/s", "7/m", "0.5/s"]),
    rounding=st.sampled_from(["none", "down"]),
    of_s=st.integers(1, 4),
    events=events,
)
def test_a_window_decides_as_a_recount_of_all_events(
    share: float, rate: str, rounding: str, of_s: int, events: list[tuple[int, str]]
) -> None:
    options = WindowOptions.model_validate({"share": share, "of": f"{of_s}s", "at_least": rate, "round": rounding})
    budget = WindowBudget(EncodedWindow(*tuple(options.encoded())))
    per_second = {"1/s": Fraction(1), "7/m": Fraction(7, 60), "0.5/s": Fraction(1, 2)}[rate]
    requests_ns, retries_ns, now_ns = [], [], 0
    for gap_ns, what in events:
        now_ns += gap_ns
        if what == "request":
            budget.request_started(now_ns)
            requests_ns.append(now_ns)
        allowed = window_allows(
            share=Fraction(repr(share)),
            of_ns=of_s * S,
            per_second=per_second,
            requests_ns=requests_ns,
            retries_ns=retries_ns,
            now_ns=now_ns,
            down=rounding == "down",
        )
        assert budget.allows(now_ns, "failed") == allowed
        if what == "retry" and allowed:
            budget.take(now_ns, "failed")
            retries_ns.append(now_ns)


@given(share=shares.filter(bool), of=st.sampled_from(["life", "1s", "3s"]), events=events)
def test_failures_decide_as_a_recount_of_all_events(share: float, of: str, events: list[tuple[int, str]]) -> None:
    options = FailuresOptions.model_validate({"share": share, "of": of})
    budget = FailuresBudget(EncodedFailures(*tuple(options.encoded())))
    requests_ns, failed_ns, now_ns = [], [], 0
    for gap_ns, what in events:
        now_ns += gap_ns
        if what == "request":
            budget.request_started(now_ns)
            requests_ns.append(now_ns)
        elif what == "failed":
            budget.failed(now_ns, "failed", retryable=True)
            failed_ns.append(now_ns)
        of_ns = {"life": None, "1s": S, "3s": 3 * S}[of]
        assert budget.allows(now_ns, "failed") == failures_allow(
            Fraction(repr(share)), of_ns, requests_ns, failed_ns, now_ns
        )


@given(
    share=shares,
    at_least=st.integers(1, 3),
    sleeping=st.booleans(),
    rounding=st.sampled_from(["none", "down"]),
    steps=st.lists(
        st.sampled_from(["request", "request_over", "asleep", "canceled", "awake", "retry", "over"]), max_size=60
    ),
)
def test_retries_in_flight_are_those_that_a_list_of_them_has(
    *, share: float, at_least: int, sleeping: bool, rounding: str, steps: list[str]
) -> None:
    options = ActiveOptions.model_validate(
        {"share": share, "at_least": at_least, "sleeping": sleeping, "round": rounding}
    )
    budget = ActiveBudget(EncodedActive(*tuple(options.encoded())))
    done: list[str] = []
    for step in steps:
        if step == "request":
            budget.request_started(0)
        elif step == "request_over" and done.count("request") > done.count("request_over"):
            budget.request_ended(0)
        elif step == "asleep":
            budget.retry_asleep(0)
        elif step in {"canceled", "awake"} and done.count("asleep") > done.count("canceled") + done.count("awake"):
            budget.retry_canceled(0) if step == "canceled" else budget.retry_started(0, asleep=True)
        elif step == "retry":
            budget.retry_started(0, asleep=False)
        elif step == "over" and done.count("retry") + done.count("awake") > done.count("over"):
            budget.retry_ended(0)
        else:
            continue
        done.append(step)
        asleep = done.count("asleep") - done.count("canceled") - done.count("awake")
        flying = done.count("retry") + done.count("awake") - done.count("over")
        limit = Fraction(repr(share)) * (done.count("request") - done.count("request_over"))
        limit = limit // 1 if rounding == "down" else limit
        assert budget.allows(0, "failed") == (flying + asleep * sleeping < max(at_least, limit))
        assert budget.level(0).have == flying + asleep * sleeping


# What files write


@pytest.mark.parametrize(
    ("model", "options", "place", "reason"),
    [
        (WindowOptions, {"share": 0}, (), "a share of 0 without at_least never allows a retry"),
        (
            WindowOptions,
            {"share": 1.5},
            ("share",),
            "must be at most 1, got 1.5; did you mean '1.5%'?",
        ),
        (WindowOptions, {"of": "0s"}, ("of",), "Input should be greater than 0"),
        (
            WindowOptions,
            {"at_least": 10},
            ("at_least",),
            "not a rate; write NUMBER/s, NUMBER/min, NUMBER/h or NUMBER/day, such as 50/s",
        ),
        (WindowOptions, {"round": "up"}, ("round",), "Input should be 'none' or 'down'"),
        (ActiveOptions, {"share": 0, "at_least": 0}, (), "a share of 0 and at_least 0 never allow a retry"),
        (ActiveOptions, {"share": 1.1}, ("share",), "must be at most 1, got 1.1; did you mean '1.1%'?"),
        (ActiveOptions, {"at_least": -1}, ("at_least",), "Input should be greater than or equal to 0"),
        (ActiveOptions, {"scope": "host"}, ("scope",), "Input should be 'request', 'client', 'service' or 'world'"),
        (FailuresOptions, {"share": 0}, (), "a share of 0 never allows a retry: the call that failed counts"),
        (FailuresOptions, {"share": "-1%"}, ("share",), "expected a share such as 2% or 0.02, got the text '-1%'"),
        (FailuresOptions, {"of": 1.5}, ("of",), "expected 'life' or a duration such as 10s"),
        (
            FailuresOptions,
            {"of": "ever"},
            ("of",),
            "not a duration; write a number with a unit, such as 250ms, 1.5s or 1m30s",
        ),
    ],
)
def test_wrong_options_are_refused_with_place_and_reason(
    model: Any, options: dict[str, Any], place: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(options)
    (error,) = caught.value.errors()
    assert (error["loc"], error["msg"].removeprefix("Value error, ")) == (place, reason)
