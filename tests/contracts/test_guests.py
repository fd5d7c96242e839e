"""What is owed to guests and by them, told by hand: each law on a history that keeps it and on ones that do not."""

from __future__ import annotations

import pytest

from sim.contracts.platform import guests, numbers, records
from sim.contracts.retrier import attempts, results
from sim.history.failure import Failure
from sim.history.recorder import History, Start
from sim.promises.observed_waits import retries
from sim.promises.promises import Promises
from sim.promises.terms import Terms
from sim.promises.view import View
from tests.support.handmade import MS, Tale


class Guest(Tale):
    """A history of a guest; times are ms."""

    def cut(self, left_ms: float, request: int = 0) -> Guest:
        self.add("woken", name="cut", detail=round(left_ms * MS), request=request)
        return self

    def woken(self, reason: str = "timer", request: int = 0) -> Guest:
        self.add("woken", name=reason, request=request)
        return self

    def waits(self, for_ms: float) -> Guest:
        self.add("sleep", name="lock", detail=round(for_ms * MS))
        return self

    def fails(self, number: int, failure: Failure | None = None) -> Guest:
        self.ends(number, "threw", failure)
        return self

    def says(self, *invariants: object, **terms: object) -> list[str]:
        return self.broken(*invariants, concurrent=True, action_jobs=(), poll_jobs=(), **terms)  # type: ignore[arg-type]


def guest() -> Guest:
    told = Guest()
    told.at(0).submit()
    return told


def one_after_the_other() -> Guest:
    told = guest()
    told.attempt(1, "fail").at(10)
    told.fails(1).sleep(20)
    told.at(30).attempt(2).at(40).ends(2, "returned")
    return told


# When a guest goes on.


def test_a_guest_that_calls_and_sleeps_keeps_to_all_laws() -> None:
    told = one_after_the_other()
    told.settles("success")
    assert told.says(guests.guests_go_on, numbers.clients_wait, results.settles_at_its_commit) == []


@pytest.mark.parametrize("at_ms", [29, 31])
def test_a_guest_must_not_wake_before_or_after_the_end_of_its_sleep(at_ms: float) -> None:
    told = guest()
    told.attempt(1, "fail").at(10)
    told.fails(1).sleep(20)
    told.at(at_ms).attempt(2)
    text = f"request 0 goes on at {at_ms}ms ('attempt'), when nothing of it is over"
    assert told.says(guests.guests_go_on) == [text]


def test_a_guest_goes_on_when_a_timer_cuts_its_sleep() -> None:
    told = guest()
    told.attempt(1, "fail").at(10)
    told.fails(1).sleep(20)
    told.at(25).woken().cut(5)
    told.settles("gave_up")
    assert told.says(guests.guests_go_on) == []


def test_a_sleep_is_not_cut_for_no_reason() -> None:
    told = guest()
    told.attempt(1, "fail").at(10)
    told.fails(1).sleep(20)
    told.at(25).cut(5)
    told.settles("gave_up")
    assert told.says(guests.guests_go_on) == ["request 0 goes on at 25ms ('woken'), when nothing of it is over"]


def test_a_cut_must_be_of_a_sleep_that_goes_on() -> None:
    told = one_after_the_other()
    told.cut(5).settles("success")
    text = "a sleep of request 0 is cut at 40ms with 5ms left, but it has none"
    assert told.says(guests.guests_go_on) == [text]


def test_a_sleep_that_was_cut_lets_nothing_go_on_at_the_time_it_had() -> None:
    told = guest()
    told.attempt(1, "fail").at(10)
    told.fails(1).sleep(20)
    told.at(25).woken().cut(5)
    told.at(30).settles("gave_up")
    assert told.says(guests.guests_go_on) == ["request 0 goes on at 30ms ('settled'), when nothing of it is over"]


def test_calls_side_by_side_let_a_guest_go_on_each_as_it_ends() -> None:
    told = guest()
    told.attempt(1, "fail").attempt(2).at(10)
    told.fails(1).attempt(3).at(20).ends(2, "returned").timed_out(3).settles("success")
    assert told.says(guests.guests_go_on, attempts.no_overlapping_attempts, results.newest_attempt_decides) == []


def test_a_call_that_code_leaves_says_when_but_not_why() -> None:
    told = guest()
    told.attempt(1).at(10).timed_out(1).settles("gave_up")
    assert told.says(guests.guests_go_on) == ["request 0 goes on at 10ms ('timed_out'), when nothing of it is over"]


def test_the_timeout_of_a_call_lets_a_guest_go_on() -> None:
    told = guest()
    told.attempt(1).at(10).add("timed_out", 1, detail=10 * MS).settles("gave_up")
    assert told.says(guests.guests_go_on) == []


def test_requests_of_one_client_wake_each_other() -> None:
    told = guest()
    told.submit(1).attempt(1).at(10).ends(1, "returned")
    told.woken("lock", request=1)
    told.settles("success").attempt(1, request=1)
    assert told.says(guests.guests_go_on) == []


def test_requests_of_another_client_do_not() -> None:
    told = Guest()
    told.at(0).add("submit", 0, "told").add("submit", 1, "told", request=1)
    told.attempt(1).at(10).ends(1, "returned")
    told.woken("lock", request=1)
    told.settles("success")
    assert told.says(guests.guests_go_on) == ["request 1 goes on at 10ms ('woken'), when nothing of it is over"]


def test_only_a_guest_is_woken() -> None:
    told = one_after_the_other()
    told.woken("timer").settles("success")
    assert told.broken(guests.guests_go_on, action_jobs=(), poll_jobs=()) == [
        "request 0 is woken at 40ms, but no guest serves it"
    ]


# What a guest owes.


def test_a_guest_must_not_sleep_its_time_and_then_give_up() -> None:
    told = guest()
    told.attempt(1, "fail").at(10)
    told.fails(1).sleep(20)
    told.at(30).settles("gave_up")
    text = "request 0 sleeps 20ms after its last attempt and then settles as gave_up without another"
    assert told.says(attempts.no_sleep_after_last_attempt) == [text]


def test_a_guest_may_have_its_sleep_cut_by_a_limit_of_time() -> None:
    told = guest()
    told.attempt(1, "fail").at(10)
    told.fails(1).sleep(20)
    told.at(25).woken().cut(5)
    told.settles("gave_up")
    assert told.says(attempts.no_sleep_after_last_attempt) == []


def test_a_sleep_that_goes_on_beside_a_call_is_none_after_the_last() -> None:
    told = guest()
    told.attempt(1).sleep(10).at(10).ends(1, "returned").settles("success")
    assert told.says(attempts.no_sleep_after_last_attempt) == []


@pytest.mark.parametrize("gate", ["breaker", "rate_limit"])
def test_a_guest_has_not_slept_in_vain_if_its_own_gate_refuses_the_call(gate: str) -> None:
    told = guest()
    told.attempt(1, "fail").at(10)
    told.fails(1).sleep(20)
    told.at(30).add("refused", name=gate, detail=(1, 0)).settles("gave_up")
    assert told.says(attempts.no_sleep_after_last_attempt) == []


def test_a_wait_for_a_lock_counts_as_a_sleep_if_no_other_request_could_free_it() -> None:
    alone = guest()
    alone.attempt(1, "fail").at(10)
    alone.fails(1).waits(20)
    alone.at(30).settles("gave_up")
    assert len(alone.says(attempts.no_sleep_after_last_attempt)) == 1
    alone.submit(1)
    assert alone.says(attempts.no_sleep_after_last_attempt) == []


def test_an_error_that_asks_to_wait_does_not_bind_a_call_that_was_planned_before() -> None:
    asks = Failure(final=False, retry_after_ns=1000 * MS)
    told = guest()
    told.attempt(1, "fail").sleep(20).at(10)
    told.fails(1, asks)
    told.at(20).attempt(2)
    assert told.says(attempts.retry_after_honored) == []


def test_an_error_that_asks_to_wait_binds_the_retry_of_a_guest() -> None:
    asks = Failure(final=False, retry_after_ns=1000 * MS)
    told = guest()
    told.attempt(1, "fail").at(10)
    told.fails(1, asks).sleep(20)
    told.at(30).attempt(2)
    text = "attempt 2 of request 0 starts 20ms after an error that asked to wait 1s"
    assert told.says(attempts.retry_after_honored) == [text]


def waits_of(told: Guest) -> list[int]:
    view = View(History(told.raw), Terms(Promises(concurrent=True)))
    return [retry.waits_ns[-1] // MS for retry in retries(view)]


def test_a_wait_is_what_a_sleep_lasted_and_not_what_it_was_to_last() -> None:
    told = guest()
    told.attempt(1, "fail").at(10)
    told.fails(1).sleep(100)
    told.at(25).woken().cut(85)
    told.attempt(2)
    assert waits_of(told) == [15]


def test_sleeps_side_by_side_count_once() -> None:
    told = guest()
    told.attempt(1, "fail").at(10)
    told.fails(1).sleep(30).sleep(10)
    told.at(40).attempt(2)
    assert waits_of(told) == [30]


def test_a_wait_for_a_timer_is_the_time_that_passes() -> None:
    told = guest()
    told.attempt(1, "fail").at(10)
    told.fails(1)
    told.at(35).woken().attempt(2)
    assert waits_of(told) == [25]


def test_a_call_beside_another_is_no_retry_of_it() -> None:
    told = guest()
    told.attempt(1, "fail").at(10).attempt(2).at(20)
    told.fails(1)
    assert waits_of(told) == []


# Limits.


def test_timers_that_do_not_show_count_as_sleeps_of_a_guest() -> None:
    told = guest()
    told.sleep(1).at(1).sleep(1).at(2).add("runaway", name="sleeps")
    assert told.says(records.limits_stop_what_runs_away, polls_per_request=5) == []
    assert len(told.broken(records.limits_stop_what_runs_away, polls_per_request=5, action_jobs=())) == 1


def test_a_start_needs_a_moment_however_the_attempt_goes() -> None:
    told = guest()
    told.at(7).add("attempt", 1, "success", Start(-1, -1, -1))
    assert len(told.says(guests.guests_go_on)) == 1
