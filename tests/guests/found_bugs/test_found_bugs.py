"""Known bugs of retry libraries: a guest shows each with the version that had it, and not with the one that mended it.

`docs/explanation/library-bugs.md` says where each was reported. Its numbers are the ones that are asserted here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from old_versions import With

pytestmark = pytest.mark.library_versions

OF_ITS_TIME = ("pytz==2025.2", "six==1.17.0", "setuptools==75.8.0")
"""What old versions import besides what the environment has."""

ALWAYS_FAILS = "requests: {{count: {count}}}\naction: {{script: [{{outcome: fail, latency: 0s{says}}}]}}\n"
FAILS_THEN_SUCCEEDS = "requests: {{count: 1}}\naction: {{script: [{fails}, {{outcome: success, latency: 0s}}]}}\n"
FAIL = "{outcome: fail, latency: 0s}"
EVERY_FIVE_SECONDS = (
    "world: shared\nrequests: {count: 20, arrivals: {constant: {rate: 0.2/s}}}\n"
    "action: {latency: {constant: 0s}, outcomes: {fail: 1.0}}\n"
)


def outage(count: int = 1, *, says: str = "") -> str:
    return ALWAYS_FAILS.format(count=count, says=says and f", {says}")


def fails(*failures: str) -> str:
    return FAILS_THEN_SUCCEEDS.format(fails=", ".join(failures))


def at(request: dict[str, Any]) -> list[float]:
    """Return when the attempts of a request began, in seconds to a hundredth."""
    return [round(instant, 2) for instant in request["attempts"]]


# A cap that overflows, and a limit that does not count.


def test_stamina_25_2_0_ends_with_an_overflow_at_call_1025_and_26_1_0_goes_on_at_its_cap(simulated: With) -> None:
    back_after_1100 = fails(*[FAIL] * 1100)
    old = simulated("of_stamina:until_it_is_back", back_after_1100, "stamina==25.2.0").request
    new = simulated("of_stamina:until_it_is_back", back_after_1100, "stamina==26.1.0").request
    assert (old["outcome"], len(old["attempts"]), round(old["settled"])) == ("gave_up", 1025, 5099)
    assert (new["outcome"], len(new["attempts"]), max(new["sleeps"])) == ("success", 1101, 5.0)


def test_stamina_25_1_0_takes_limits_of_zero_for_none_and_25_2_0_calls_once(simulated: With) -> None:
    old = simulated("of_stamina:with_limits_of_zero", outage(), "stamina==25.1.0").request
    new = simulated("of_stamina:with_limits_of_zero", outage(), "stamina==25.2.0").request
    assert (len(old["attempts"]), round(old["settled"])) == (1025, 5099)
    assert (len(new["attempts"]), new["settled"]) == (1, 0)


# A limit of time that is tested before the sleep.


def test_google_api_core_1_14_3_sleeps_44_s_past_a_deadline_of_100_s_and_1_15_0_calls_at_it(simulated: With) -> None:
    guest = "of_google_api_core:with_a_deadline"
    old = simulated(guest, outage(), "google-api-core==1.14.3", *OF_ITS_TIME).request
    new = simulated(guest, outage(), "google-api-core==1.15.0", *OF_ITS_TIME).request
    assert (len(old["attempts"]), old["sleeps"][-1], round(old["settled"], 1)) == (9, 60, 144.7)
    assert (len(new["attempts"]), round(new["sleeps"][-1], 1), round(new["settled"], 3)) == (9, 15.3, 100.0)


# Jitter that is cut off at the cap, so that it piles up there.


def test_google_api_core_2_10_2_waits_exactly_the_cap_in_two_of_three_waits_and_2_11_0_in_none(simulated: With) -> None:
    guest = "of_google_api_core:with_a_cap"
    old = simulated(guest, outage(100), "google-api-core==2.10.2").waits
    new = simulated(guest, outage(100), "google-api-core==2.11.0").waits
    assert (max(old), round(share_of(8.0, old), 2)) == (8.0, 0.68)
    assert (max(new) < 8.0, share_of(8.0, new)) == (True, 0.0)


def test_botocore_1_34_106_waits_exactly_20_s_in_four_of_five_late_waits_and_1_34_107_in_none(simulated: With) -> None:
    old = simulated("of_botocore:Standard", outage(100), "botocore==1.34.106").requests
    new = simulated("of_botocore:Standard", outage(100), "botocore==1.34.107").requests
    old_late, new_late = ([wait for request in found for wait in request["sleeps"][5:]] for found in (old, new))
    assert {len(request["attempts"]) for request in [*old, *new]} == {12}
    assert (max(old_late), round(share_of(20.0, old_late), 2)) == (20.0, 0.79)
    assert (max(new_late) < 20.0, share_of(20.0, new_late)) == (True, 0.0)


def share_of(wait: float, waits: list[float]) -> float:
    return waits.count(wait) / len(waits)


# Retry-After.


def test_urllib3_2_6_2_waits_ten_days_if_it_is_asked_to_and_2_6_3_six_hours(simulated: With) -> None:
    asked = fails("{outcome: fail, latency: 0s, retry_after: 240h}")
    old = simulated("of_urllib3:get", asked, "urllib3==2.6.2").request
    new = simulated("of_urllib3:get", asked, "urllib3==2.6.3").request
    assert (old["sleeps"], old["settled"], old["outcome"]) == ([864_000], 864_000, "success")
    assert (new["sleeps"], new["settled"], new["outcome"]) == ([21_600], 21_600, "success")


def test_httpx_retries_0_3_1_does_not_wait_at_all_if_retry_after_says_now_and_0_3_2_backs_off(simulated: With) -> None:
    old = simulated("of_httpx_retries:get", outage(says="retry_after: 0s"), "httpx-retries==0.3.1").request
    new = simulated("of_httpx_retries:get", outage(says="retry_after: 0s"), "httpx-retries==0.3.2").request
    assert (at(old), at(new)) == ([0, 0, 0, 0, 0], [0, 2, 6, 14, 30])


# Attempts that are counted wrongly.


def test_httpx_retries_0_3_1_is_one_attempt_behind_so_that_its_first_retry_does_not_wait(simulated: With) -> None:
    old = simulated("of_httpx_retries:get", outage(), "httpx-retries==0.3.1").request
    new = simulated("of_httpx_retries:get", outage(), "httpx-retries==0.3.2").request
    assert (old["sleeps"], new["sleeps"]) == ([0, 2, 4, 8], [2, 4, 8, 16])


def test_aiohttp_retry_2_5_0_leaves_out_two_of_three_waits_and_ends_with_an_error_of_its_own(simulated: With) -> None:
    old = simulated("of_aiohttp_retry:waits_of_a_list", outage(), "aiohttp-retry==2.5.0")
    new = simulated("of_aiohttp_retry:waits_of_a_list", outage(), "aiohttp-retry==2.5.1")
    assert (old.request["sleeps"], "IndexError" in (old.refused or "")) == ([9], True)
    assert (new.request["sleeps"], new.refused, new.request["outcome"]) == ([3, 9], None, "gave_up")


def test_aiohttp_retry_2_9_0_never_retries_a_method_that_is_named_in_lower_case(simulated: With) -> None:
    old = simulated("of_aiohttp_retry:a_method_in_lower_case", outage(), "aiohttp-retry==2.9.0").request
    new = simulated("of_aiohttp_retry:a_method_in_lower_case", outage(), "aiohttp-retry==2.9.1").request
    assert (at(old), at(new)) == ([0], [0, 1, 3, 7])


def test_opnieuw_0_0_3_divides_by_zero_before_a_call_that_may_be_made_once(simulated: With) -> None:
    old = simulated("of_opnieuw:once", outage(), "opnieuw==0.0.3")
    new = simulated("of_opnieuw:once", outage(), "opnieuw==1.0.0")
    assert (at(old.request), "ZeroDivisionError" in (old.refused or "")) == ([], True)
    assert (at(new.request), new.refused) == ([0], None)


# Options and limits that get lost or are shared.


def test_google_api_core_1_26_3_loses_the_multiplier_if_it_alone_is_changed(simulated: With) -> None:
    guest = "of_google_api_core:with_another_multiplier"
    old = simulated(guest, outage(), "google-api-core==1.26.3", *OF_ITS_TIME).request
    new = simulated(guest, outage(), "google-api-core==1.27.0", *OF_ITS_TIME).request
    unchanged = simulated("of_google_api_core:with_a_deadline", outage(), "google-api-core==1.26.3", *OF_ITS_TIME)
    assert (len(old["attempts"]), len(new["attempts"])) == (9, 6)
    assert old["sleeps"] == unchanged.request["sleeps"]


def test_celery_5_3_0_waits_three_minutes_if_the_backoff_is_to_begin_with_half_a_second(simulated: With) -> None:
    old = simulated("of_celery:half_a_second", outage(), "celery==5.3.0").request
    new = simulated("of_celery:half_a_second", outage(), "celery==5.3.1").request
    assert (old["sleeps"], new["sleeps"]) == ([180, 180, 180], [1, 2, 4])


def test_backoff_2_1_0_ends_with_a_type_error_if_max_time_is_a_function(simulated: With) -> None:
    old = simulated("of_backoff:for_ten_seconds", outage(), "backoff==2.1.0")
    new = simulated("of_backoff:for_ten_seconds", outage(), "backoff==2.1.1")
    assert (at(old.request), "TypeError" in (old.refused or "")) == ([0], True)
    assert (at(new.request), new.refused) == ([0, 3, 6, 9, 10], None)


def test_backoff_2_1_0_gives_all_calls_the_limit_that_was_read_at_the_first_one(simulated: With) -> None:
    old = simulated("of_backoff:while_an_operator_turns_it_down", outage(), "backoff==2.1.0").request
    new = simulated("of_backoff:while_an_operator_turns_it_down", outage(), "backoff==2.1.1").request
    assert (len(old["attempts"]), len(new["attempts"])) == (5 + 5, 5 + 2)


def test_tenacity_8_4_1_returns_none_after_one_call_if_the_function_calls_itself_meanwhile(simulated: With) -> None:
    old = simulated("of_tenacity:work", outage(), "tenacity==8.4.1").request
    new = simulated("of_tenacity:work", outage(), "tenacity==8.4.2").request
    assert (at(old), old["outcome"]) == ([0], "gave_up")
    assert (at(new), new["outcome"]) == ([0, 1, 2, 3], "gave_up")


def test_tenacity_8_1_0_ends_with_a_type_error_after_the_effect_if_an_async_loop_takes_a_result(
    simulated: With,
) -> None:
    old = simulated("of_tenacity:until_there_is_a_result", fails(FAIL), "tenacity==8.1.0")
    new = simulated("of_tenacity:until_there_is_a_result", fails(FAIL), "tenacity==8.2.0")
    assert (old.request["effects"], old.request["outcome"], "TypeError" in (old.refused or "")) == (1, None, True)
    assert (new.request["effects"], new.request["outcome"], new.refused) == (1, "success", None)


# Breakers.


def test_pybreaker_0_3_0_makes_the_trial_call_twice_so_that_its_effect_is_done_twice(simulated: With) -> None:
    old = simulated("of_pybreaker:until_it_works", fails(FAIL, FAIL), "pybreaker==0.3.0", *OF_ITS_TIME).request
    new = simulated("of_pybreaker:until_it_works", fails(FAIL, FAIL), "pybreaker==0.3.1", *OF_ITS_TIME).request
    assert (at(old), old["effects"]) == ([0, 4, 16, 16], 2)
    assert (at(new), new["effects"]) == ([0, 4, 16], 1)


def test_pybreaker_0_4_4_never_tries_again_if_new_breakers_share_its_storage_and_0_4_5_does(simulated: With) -> None:
    old = simulated("of_pybreaker:a_worker_for_each", EVERY_FIVE_SECONDS, "pybreaker==0.4.4", *OF_ITS_TIME)
    new = simulated("of_pybreaker:a_worker_for_each", EVERY_FIVE_SECONDS, "pybreaker==0.4.5", *OF_ITS_TIME)
    assert (old.called, new.called) == ([0, 5, 10], [0, 5, 10, 40, 70])


def test_circuitbreaker_1_4_0_never_opens_around_an_async_function_and_2_0_0_does(simulated: With) -> None:
    old = simulated("of_circuitbreaker:ask", EVERY_FIVE_SECONDS, "circuitbreaker==1.4.0")
    new = simulated("of_circuitbreaker:ask", EVERY_FIVE_SECONDS, "circuitbreaker==2.0.0")
    assert (len(old.called), new.called) == (20, [0, 5, 10, 40, 70])


def test_pyresilience_0_2_1_goes_on_for_two_minutes_though_its_breaker_is_open_and_0_3_0_stops(simulated: With) -> None:
    old = simulated("of_pyresilience:with_a_breaker", outage(), "pyresilience==0.2.1").request
    new = simulated("of_pyresilience:with_a_breaker", outage(), "pyresilience==0.3.0").request
    assert (len(old["attempts"]), old["settled"]) == (8, 123)
    assert (len(new["attempts"]), new["settled"]) == (3, 7)


def test_pyresilience_0_2_1_holds_its_slot_while_it_waits_so_that_others_do_not_call_at_all(simulated: With) -> None:
    old = simulated("of_pyresilience:with_a_bulkhead", EVERY_FIVE_SECONDS, "pyresilience==0.2.1").requests
    new = simulated("of_pyresilience:with_a_bulkhead", EVERY_FIVE_SECONDS, "pyresilience==0.3.0").requests
    assert [number for number, request in enumerate(old) if request["attempts"]] == [0, 7, 14]
    assert [number for number, request in enumerate(new) if request["attempts"]] == list(range(20))


# What requests share is used up, and is never there again.


def test_tenacity_4_12_0_lists_its_waits_once_for_all_calls_so_that_later_ones_wait_for_the_last(
    simulated: With,
) -> None:
    every_minute = "world: shared\nrequests: {count: 3, arrivals: {constant: {rate: 1/m}}}\n"
    fails_always = "action: {latency: {constant: 0s}, outcomes: {fail: 1.0}}\n"
    guest = "of_tenacity_4:thirty_then_ten_then_one"
    old = simulated(guest, every_minute + fails_always, "tenacity==4.12.0", *OF_ITS_TIME).requests
    new = simulated(guest, every_minute + fails_always, "tenacity==5.0.1", *OF_ITS_TIME).requests
    assert [request["sleeps"] for request in old] == [[30, 10, 1], [1, 1, 1], [1, 1, 1]]
    assert [request["sleeps"] for request in new] == [[30, 10, 1]] * 3


def test_urllib3_1_25_8_keeps_a_connection_that_was_redirected_so_that_all_later_requests_are_stuck(
    simulated: With,
) -> None:
    moves = "action: {script: [{outcome: fail, kind: moved, latency: 0s}, {outcome: success, latency: 0s}]}\n"
    every_minute = "world: shared\nuntil: 1h\nrequests: {count: 3, arrivals: {constant: {rate: 1/m}}}\n"
    old = simulated("of_urllib3:follow", every_minute + moves, "urllib3==1.25.8").requests
    new = simulated("of_urllib3:follow", every_minute + moves, "urllib3==1.25.9").requests
    assert [(request["outcome"], len(request["attempts"])) for request in old] == [
        ("success", 2),
        (None, 0),
        (None, 0),
    ]
    assert [(request["outcome"], len(request["attempts"])) for request in new] == [("success", 2)] * 3


def test_pyresilience_0_4_0_does_not_draw_on_its_budget_for_retries_on_a_result_and_0_4_1_does(simulated: With) -> None:
    old = simulated("of_pyresilience:with_a_budget", EVERY_FIVE_SECONDS, "pyresilience==0.4.0").requests
    new = simulated("of_pyresilience:with_a_budget", EVERY_FIVE_SECONDS, "pyresilience==0.4.1").requests
    assert [len(request["attempts"]) for request in old] == [3] * 20
    assert [len(request["attempts"]) for request in new] == [3] * 5 + [1] * 15
