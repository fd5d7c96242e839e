"""Breakers: each transition by hand, the corners of the libraries, and laws against a recount of all steps."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.clients.policy.breakers import REFUSED, Breaker, BreakerOptions, EncodedBreaker
from sim.kernel.durations import NS_PER_S
from sim.kernel.errors import InternalError
from tests.support.recounts import BreakerRules, Step, course_of, passed_in_half_open

S = NS_PER_S
OPEN = "60s"


def breaker(
    *,
    open_ns: Callable[[int], int] | None = None,
    changed: Callable[[str, int], None] | None = None,
    **options: Any,
) -> Breaker:
    read = BreakerOptions.model_validate({"window": {"calls": 2}, "open": OPEN} | options)
    law = read.open_law()
    return Breaker(read.encoded(), open_ns or (lambda opening: law.delay_ns(opening, 0, law.start(), ())), changed)


def call(cell: Breaker, now_ns: int, *, failed: bool = True, took_ns: int = 0) -> None:
    """Make a call that passes and is answered at once."""
    ticket = cell.ask(now_ns)
    assert ticket != REFUSED
    cell.answered(now_ns, ticket, failed=failed, took_ns=took_ns)


def opened(now_ns: int = 0, **options: Any) -> Breaker:
    cell = breaker(**options)
    while cell.state != "open":
        call(cell, now_ns)
    return cell


def tickets(cell: Breaker, now_ns: int, count: int) -> list[int]:
    return [cell.ask(now_ns) for _ in range(count)]


def passes(cell: Breaker, now_ns: int, count: int) -> list[bool]:
    return [ticket != REFUSED for ticket in tickets(cell, now_ns, count)]


# Closed


def test_it_is_closed_at_first() -> None:
    cell = breaker()
    assert (cell.state, cell.since_ns) == ("closed", 0)
    assert passes(cell, 0, 3) == [True, True, True]


def test_it_stays_closed_with_fewer_answers_than_at_least() -> None:
    cell = breaker(window={"calls": 10}, at_least=3)
    call(cell, 0)
    call(cell, 0)
    assert cell.state == "closed"
    call(cell, 0)
    assert cell.state == "open"


def test_exactly_the_share_opens_it() -> None:
    cell = breaker(window={"calls": 10}, opens_at="20%")
    for number in range(10):
        call(cell, 0, failed=number < 2)
    assert cell.state == "open"


def test_less_than_the_share_leaves_it_closed() -> None:
    cell = breaker(window={"calls": 10}, opens_at="20%")
    for number in range(20):
        call(cell, 0, failed=number % 10 == 0)
    assert cell.state == "closed"


def test_a_success_opens_it_if_it_makes_the_answers_enough() -> None:
    cell = breaker(window={"calls": 4})
    for failed in (True, True, False, False):
        call(cell, 0, failed=failed)
    assert cell.state == "open"


def test_polly_opens_at_failures_only() -> None:
    cell = breaker(window={"calls": 4}, judged="at_failure")
    for failed in (True, True, False, False):
        call(cell, 0, failed=failed)
    assert cell.state == "closed"
    call(cell, 0, failed=True)
    assert cell.state == "open"


def test_left_out_it_opens_at_half_of_a_full_window() -> None:
    cell = breaker(window={"calls": 4})
    for failed in (True, True, True):
        call(cell, 0, failed=failed)
    assert cell.state == "closed"
    call(cell, 0, failed=False)
    assert cell.state == "open"


@pytest.mark.parametrize("window", [{"time": "60s"}, "life"])
def test_left_out_a_window_of_no_size_needs_a_hundred_answers(window: Any) -> None:
    cell = breaker(window=window)
    for _ in range(99):
        call(cell, 0)
    assert cell.state == "closed"
    call(cell, 0)
    assert cell.state == "open"


def test_failures_that_the_window_has_forgotten_do_not_open_it() -> None:
    cell = breaker(window={"time": "10s"}, at_least=2)
    call(cell, 0)
    call(cell, 10 * S)
    assert cell.state == "closed"


def test_so_many_failures_in_a_row_open_it() -> None:
    cell = breaker(window={"consecutive": 3})
    for failed in (True, True, False, True, True):
        call(cell, 0, failed=failed)
    assert cell.state == "closed"
    call(cell, 0)
    assert cell.state == "open"


def test_slots_keep_a_failure_as_long_as_its_slot() -> None:
    options: dict[str, Any] = {"window": {"time": "10s"}, "slots": 10, "at_least": 2}
    for second, state in ((9, "open"), (10, "closed")):
        cell = breaker(**options)
        call(cell, S - 1)
        call(cell, second * S + S - 1 if second == 9 else second * S)
        assert cell.state == state


def test_slots_from_answers_keep_a_failure_until_its_slot_is_as_old_as_the_window() -> None:
    for now_ns, state in ((11 * S - 2, "open"), (11 * S - 1, "closed")):
        cell = breaker(window={"time": "10s"}, slots=10, slots_from="answer", at_least=2)
        call(cell, S - 1)
        call(cell, now_ns)
        assert cell.state == state


def test_slow_is_longer_and_not_as_long() -> None:
    for took_ns, state in ((S, "closed"), (S + 1, "open")):
        cell = breaker(slow={"over": "1s"})
        call(cell, 0, failed=False, took_ns=took_ns)
        call(cell, 0, failed=False, took_ns=took_ns)
        assert cell.state == state


def test_a_share_of_slow_calls_opens_it_whatever_their_answers() -> None:
    cell = breaker(window={"calls": 4}, opens_at="100%", slow={"over": "1s", "opens_at": "50%"})
    for failed, took_ns in ((False, 2 * S), (True, 2 * S), (False, 0), (False, 0)):
        call(cell, 0, failed=failed, took_ns=took_ns)
    assert cell.state == "open"


def test_a_slow_success_is_judged_as_a_failure_is() -> None:
    cell = breaker(slow={"over": "1s"}, judged="at_failure")
    call(cell, 0, failed=False, took_ns=2 * S)
    call(cell, 0, failed=False, took_ns=2 * S)
    assert cell.state == "open"


def test_a_call_without_an_answer_that_counts_is_none() -> None:
    cell = breaker()
    call(cell, 0)
    cell.uncounted(0, cell.ask(0))
    assert cell.answers(0) == (1, 1, 0)


# Open


def test_open_it_refuses_until_its_time_is_over() -> None:
    cell = opened(5)
    assert (cell.state, cell.since_ns) == ("open", 5)
    assert cell.ask(60 * S + 4) == REFUSED
    assert cell.state == "open"


def test_at_the_end_of_its_time_the_one_who_asks_passes() -> None:
    cell = opened(5)
    assert cell.ask(60 * S + 5) != REFUSED
    assert (cell.state, cell.since_ns) == ("half_open", 60 * S + 5)


def test_it_stays_open_as_long_as_no_call_asks() -> None:
    cell = opened()
    assert cell.answers(1000 * S) == (0, 0, 0)
    assert cell.state == "open"


def test_openings_in_a_row_are_counted_and_closing_resets_them() -> None:
    asked: list[int] = []

    def open_ns(opening: int) -> int:
        asked.append(opening)
        return opening * S

    cell = opened(open_ns=open_ns)
    call(cell, S)
    call(cell, 3 * S)
    assert asked == [1, 2, 3]
    assert cell.ask(6 * S - 1) == REFUSED
    call(cell, 6 * S, failed=False)
    assert cell.state == "closed"
    call(cell, 6 * S)
    call(cell, 6 * S)
    assert asked == [1, 2, 3, 1]


def test_an_open_time_of_nothing_lets_the_next_call_try() -> None:
    cell = opened(open_ns=lambda _: 0)
    assert cell.ask(0) != REFUSED
    assert cell.state == "half_open"


# Half-open


def test_half_open_one_call_passes_unless_stated() -> None:
    assert passes(opened(), 60 * S, 3) == [True, False, False]


def test_half_open_so_many_calls_pass() -> None:
    assert passes(opened(half_open={"calls": 3}), 60 * S, 5) == [True, True, True, False, False]


def test_an_answer_makes_no_place_before_it_is_decided() -> None:
    cell = opened(half_open={"calls": 2})
    first, _ = tickets(cell, 60 * S, 2)
    cell.answered(60 * S, first, failed=False, took_ns=0)
    assert cell.ask(60 * S) == REFUSED


def test_it_closes_when_all_have_answered_and_less_than_the_share_failed() -> None:
    cell = opened(half_open={"calls": 3, "closes_at": "50%"})
    for ticket, failed in zip(tickets(cell, 60 * S, 3), (True, False, False), strict=True):
        assert cell.state == "half_open"
        cell.answered(61 * S, ticket, failed=failed, took_ns=0)
    assert (cell.state, cell.since_ns) == ("closed", 61 * S)


def test_it_opens_again_at_exactly_the_share() -> None:
    cell = opened(half_open={"calls": 2, "closes_at": "50%"})
    for ticket, failed in zip(tickets(cell, 60 * S, 2), (True, False), strict=True):
        cell.answered(60 * S, ticket, failed=failed, took_ns=0)
    assert cell.state == "open"
    assert cell.ask(120 * S - 1) == REFUSED


def test_left_out_it_closes_below_the_share_that_opens_it() -> None:
    for opens_at, state in (("50%", "open"), ("60%", "closed")):
        cell = opened(opens_at=opens_at, half_open={"calls": 2})
        for ticket, failed in zip(tickets(cell, 60 * S, 2), (True, False), strict=True):
            cell.answered(60 * S, ticket, failed=failed, took_ns=0)
        assert cell.state == state


def test_left_out_one_failure_opens_a_consecutive_one_again() -> None:
    cell = opened(window={"consecutive": 2}, half_open={"calls": 3})
    for ticket, failed in zip(tickets(cell, 60 * S, 3), (False, True, False), strict=True):
        cell.answered(60 * S, ticket, failed=failed, took_ns=0)
    assert cell.state == "open"


def test_resilience4j_decides_after_its_minimum_of_calls() -> None:
    cell = opened(half_open={"calls": 3, "at_least": 2})
    first, second, third = tickets(cell, 60 * S, 3)
    cell.answered(60 * S, first, failed=False, took_ns=0)
    cell.answered(60 * S, second, failed=False, took_ns=0)
    assert cell.state == "closed"
    cell.answered(60 * S, third, failed=True, took_ns=0)
    assert cell.answers(60 * S) == (0, 0, 0)


def test_slow_answers_open_it_again() -> None:
    cell = opened(slow={"over": "1s"})
    call(cell, 60 * S, failed=False, took_ns=2 * S)
    assert cell.state == "open"


def test_closed_again_its_window_is_empty() -> None:
    cell = opened()
    call(cell, 60 * S, failed=False)
    call(cell, 60 * S)
    assert (cell.state, cell.answers(60 * S)) == ("closed", (1, 1, 0))


def test_a_place_without_an_answer_that_counts_is_released() -> None:
    cell = opened()
    cell.uncounted(60 * S, cell.ask(60 * S))
    assert cell.state == "half_open"
    assert cell.ask(60 * S) != REFUSED


def test_a_place_that_is_kept_leaves_it_half_open_for_good() -> None:
    cell = opened(half_open={"uncounted": "keep"})
    cell.uncounted(60 * S, cell.ask(60 * S))
    assert cell.ask(10**6 * S) == REFUSED
    assert cell.state == "half_open"


def test_waiting_for_too_long_opens_it_at_that_instant() -> None:
    cell = opened(half_open={"max_wait": "5s"})
    ticket = cell.ask(60 * S)
    assert cell.ask(65 * S - 1) == REFUSED
    assert cell.state == "half_open"
    assert cell.ask(70 * S) == REFUSED
    assert (cell.state, cell.since_ns) == ("open", 65 * S)
    cell.answered(70 * S, ticket, failed=False, took_ns=0)
    assert cell.state == "open"
    assert cell.ask(125 * S) != REFUSED


def test_an_answer_at_the_very_end_of_the_wait_is_too_late() -> None:
    cell = opened(half_open={"max_wait": "5s"})
    cell.answered(65 * S, cell.ask(60 * S), failed=False, took_ns=0)
    assert cell.state == "open"


def test_waiting_for_too_long_counts_as_an_opening() -> None:
    cell = opened(open_ns=lambda opening: opening * S, half_open={"max_wait": "5s"})
    cell.ask(S)
    assert cell.ask(8 * S - 1) == REFUSED
    assert cell.ask(8 * S) != REFUSED


# Late answers


def test_an_answer_to_a_call_of_before_it_opened_counts_nothing() -> None:
    cell = breaker()
    early = cell.ask(0)
    call(cell, 0)
    call(cell, 0)
    probe = cell.ask(60 * S)
    cell.answered(60 * S, early, failed=True, took_ns=0)
    assert cell.state == "half_open"
    cell.answered(60 * S, probe, failed=False, took_ns=0)
    assert cell.state == "closed"


def test_an_answer_of_the_time_before_it_was_closed_again_counts_nothing() -> None:
    cell = breaker()
    early = cell.ask(0)
    call(cell, 0)
    call(cell, 0)
    call(cell, 60 * S, failed=False)
    cell.answered(60 * S, early, failed=True, took_ns=0)
    assert cell.answers(60 * S) == (0, 0, 0)


@pytest.mark.parametrize(("failed", "state"), [(True, "open"), (False, "closed")])
def test_in_polly_a_late_answer_decides_half_open(*, failed: bool, state: str) -> None:
    cell = breaker(late="counts")
    early = cell.ask(0)
    call(cell, 0)
    call(cell, 0)
    cell.ask(60 * S)
    cell.answered(60 * S, early, failed=failed, took_ns=0)
    assert cell.state == state


def test_in_polly_a_late_answer_counts_in_the_window_of_now() -> None:
    cell = breaker(late="counts")
    early = cell.ask(0)
    call(cell, 0)
    call(cell, 0)
    call(cell, 60 * S, failed=False)
    cell.answered(60 * S, early, failed=True, took_ns=0)
    assert cell.answers(60 * S) == (1, 1, 0)


def test_an_answer_while_it_is_open_changes_nothing() -> None:
    cell = breaker(late="counts")
    early = cell.ask(0)
    call(cell, 0)
    call(cell, 0)
    cell.answered(30 * S, early, failed=True, took_ns=0)
    assert (cell.state, cell.since_ns) == ("open", 0)
    assert cell.ask(60 * S) != REFUSED


def test_a_late_call_without_an_answer_gives_no_place_back() -> None:
    cell = breaker()
    early = cell.ask(0)
    call(cell, 0)
    call(cell, 0)
    cell.ask(60 * S)
    cell.uncounted(60 * S, early)
    assert cell.ask(60 * S) == REFUSED


# Answers


def test_failures_are_the_answers_that_count() -> None:
    cell = breaker(counts=["failed.throttled", "timed_out", "rejected"])
    answers = ("success", "failed.throttled", "failed.other", "failed", "timed_out", "rejected.queue", "conflict")
    assert [cell.failed(answer) for answer in answers] == [False, True, None, None, True, True, None]


def test_in_resilience4j_what_is_not_recorded_is_a_success() -> None:
    cell = breaker(counts=["failed"], others="success")
    assert cell.failed("conflict") is False


def test_left_out_all_failures_of_calls_count_and_refusals_do_not() -> None:
    cell = breaker()
    answers = ("failed", "failed.x", "rejected.shed", "conflict", "timed_out", "refused")
    assert [cell.failed(answer) for answer in answers] == [True, True, True, True, True, None]


# Steps that cannot be


@pytest.mark.parametrize("ticket", [REFUSED, 1, 7])
def test_a_call_that_did_not_pass_has_no_answer(ticket: int) -> None:
    cell = breaker()
    cell.ask(0)
    with pytest.raises(InternalError, match=f"no call of the breaker's ticket {ticket} is without an answer"):
        cell.answered(9, ticket, failed=True, took_ns=0)
    with pytest.raises(InternalError, match="is without an answer"):
        cell.uncounted(9, ticket)
    assert cell.answers(0) == (0, 0, 0)


def test_a_call_is_not_answered_twice() -> None:
    cell = breaker(window={"calls": 5})
    ticket = cell.ask(0)
    cell.answered(0, ticket, failed=True, took_ns=0)
    with pytest.raises(InternalError, match="is without an answer"):
        cell.answered(0, ticket, failed=True, took_ns=0)
    assert cell.answers(0) == (1, 1, 0)


def test_time_does_not_go_back() -> None:
    cell = breaker(window={"calls": 1})
    ticket = cell.ask(5)
    with pytest.raises(InternalError, match="goes back, from 5 ns to 4 ns"):
        cell.answered(4, ticket, failed=True, took_ns=0)
    assert cell.state == "closed"
    cell.answered(5, ticket, failed=True, took_ns=0)
    assert cell.state == "open"


def test_it_cannot_be_open_for_less_than_no_time() -> None:
    cell = breaker(window={"calls": 1}, open_ns=lambda _: -1)
    with pytest.raises(InternalError, match="cannot be open for -1 ns"):
        call(cell, 0)
    assert cell.state == "closed"


# What is told


def test_each_change_is_told_with_its_instant() -> None:
    told: list[tuple[str, int]] = []
    cell = breaker(
        window={"calls": 1},
        open="10s",
        half_open={"max_wait": "5s"},
        changed=lambda state, since_ns: told.append((state, since_ns)),
    )
    call(cell, S)
    cell.ask(11 * S)
    call(cell, 30 * S, failed=False)
    assert told == [("open", S), ("half_open", 11 * S), ("open", 16 * S), ("half_open", 30 * S), ("closed", 30 * S)]


def test_it_tells_by_which_answers_it_opened_and_closed() -> None:
    cell = breaker(window={"calls": 4})
    for failed in (False, True, True, False):
        call(cell, 0, failed=failed)
    assert (cell.state, cell.decided_by) == ("open", (4, 2, 0))
    ticket = cell.ask(60 * S)
    assert cell.decided_by == (0, 0, 0)
    cell.answered(60 * S, ticket, failed=False, took_ns=0)
    assert (cell.state, cell.decided_by) == ("closed", (1, 0, 0))


def test_half_open_it_tells_the_answers_there() -> None:
    cell = opened(half_open={"calls": 2})
    first, _ = tickets(cell, 60 * S, 2)
    cell.answered(60 * S, first, failed=True, took_ns=0)
    assert cell.answers(60 * S) == (1, 1, 0)


# Laws

shares = st.sampled_from(["20%", "50%", "100%"])
windows = st.one_of(
    st.tuples(st.just("calls"), st.integers(1, 5), st.none(), st.none()),
    st.tuples(st.just("time"), st.integers(1, 8), st.none(), st.none()),
    st.tuples(
        st.just("time"), st.sampled_from([4, 8]), st.sampled_from([1, 2, 4]), st.sampled_from(["grid", "answer"])
    ),
    st.tuples(st.just("life"), st.just(0), st.none(), st.none()),
    st.tuples(st.just("consecutive"), st.integers(1, 3), st.none(), st.none()),
)
plans = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 2, 5]),
        st.sampled_from(["ask", "ask", "answer", "answer", "uncounted"]),
        st.integers(0, 50),
        st.booleans(),
        st.integers(0, 4),
    ),
    max_size=70,
)


@st.composite
def breakers(draw: st.DrawFn) -> tuple[BreakerOptions, BreakerRules]:
    """Options as a file writes them, and the same rules in plain words."""
    kind, size, slots, slots_from = draw(windows)
    calls = draw(st.integers(1, 4))
    enough = draw(st.one_of(st.none(), st.integers(1, calls)))
    closes_at = draw(st.one_of(st.none(), shares))
    max_wait = draw(st.one_of(st.none(), st.integers(1, 6)))
    late, keeps, at_failure = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    written: dict[str, Any] = {
        "window": "life" if kind == "life" else {kind: f"{size}ns" if kind == "time" else size},
        "half_open": {"calls": calls, "uncounted": "keep" if keeps else "release"},
        "late": "counts" if late else "ignored",
        "judged": "at_failure" if at_failure else "at_answer",
    }
    for key, value in (("at_least", enough), ("closes_at", closes_at), ("max_wait", max_wait and f"{max_wait}ns")):
        if value is not None:
            written["half_open"][key] = value
    if slots is not None:
        written |= {"slots": slots, "slots_from": slots_from}
    opens, at_least, slow_over, slow_opens = Fraction(1), size, None, Fraction(1)
    if kind != "consecutive":
        at_least = draw(st.integers(1, size if kind == "calls" else 4))
        opens_at, slow_at = draw(shares), draw(st.one_of(st.none(), shares))
        written |= {"opens_at": opens_at, "at_least": at_least}
        opens = Fraction(opens_at[:-1]) / 100
        if slow_at is not None:
            written["slow"] = {"over": "2ns", "opens_at": slow_at}
            slow_over, slow_opens = 2, Fraction(slow_at[:-1]) / 100
    closes = opens if kind != "consecutive" else Fraction(1, enough or calls)
    rules = BreakerRules(
        window={"grid": "slots", "answer": "slots_from_answer", None: kind}[slots_from],
        size=size,
        slots=slots or 0,
        opens=opens,
        at_least=at_least,
        calls=calls,
        half_open_at_least=enough or calls,
        closes=closes if closes_at is None else Fraction(closes_at[:-1]) / 100,
        open_ns=lambda opening: 2 * opening,
        slow_over_ns=slow_over,
        slow_opens=slow_opens,
        at_failure=at_failure,
        keeps=keeps,
        late=late,
        max_wait_ns=max_wait,
    )
    return BreakerOptions.model_validate(written), rules


def play(
    options: BreakerOptions, plan: list[tuple[int, str, int, bool, int]]
) -> tuple[list[Step], list[bool], list[tuple[str, int]], list[int]]:
    """Go through a plan; return its steps that could be, what came of asking, the changes, and when calls passed."""
    changes = [("closed", 0)]
    encoded = EncodedBreaker(*tuple(options.encoded()))
    cell = Breaker(encoded, lambda opening: 2 * opening, lambda state, since_ns: changes.append((state, since_ns)))
    steps: list[Step] = []
    passed: list[bool] = []
    calls: list[int] = []
    passed_ns: list[int] = []
    unanswered: list[int] = []
    now_ns = 0
    for gap_ns, what, pick, failed, took_ns in plan:
        now_ns += gap_ns
        if what == "ask":
            ticket = cell.ask(now_ns)
            passed.append(ticket != REFUSED)
            steps.append(Step(now_ns, "ask"))
            if ticket != REFUSED:
                unanswered.append(len(calls))
                calls.append(ticket)
                passed_ns.append(now_ns)
        elif unanswered:
            number = unanswered.pop(pick % len(unanswered))
            if what == "answer":
                cell.answered(now_ns, calls[number], failed=failed, took_ns=took_ns)
                steps.append(Step(now_ns, "answer", number, failed, took_ns))
            else:
                cell.uncounted(now_ns, calls[number])
                steps.append(Step(now_ns, "uncounted", number))
    return steps, passed, changes, passed_ns


@given(breakers(), plans)
def test_a_breaker_goes_as_a_recount_of_all_its_steps(
    both: tuple[BreakerOptions, BreakerRules], plan: list[tuple[int, str, int, bool, int]]
) -> None:
    options, rules = both
    steps, passed, changes, _ = play(options, plan)
    course = course_of(rules, steps)
    assert (course.passed, course.changes) == (passed, changes)


@given(breakers(), plans)
def test_no_spell_of_half_open_lets_more_calls_pass_than_stated(
    both: tuple[BreakerOptions, BreakerRules], plan: list[tuple[int, str, int, bool, int]]
) -> None:
    options, rules = both
    # Each step at an instant of its own, so that it is clear in which spell a call passed.
    steps, _, changes, passed_ns = play(options, [(gap_ns + 1, *rest) for gap_ns, *rest in plan])
    gone = sum(step.what == "uncounted" for step in steps) if not rules.keeps else 0
    assert all(count <= rules.calls + gone for count in passed_in_half_open(changes, passed_ns))


# What files write


@pytest.mark.parametrize(
    "written",
    [
        {"window": {"life": {}}},
        {
            "window": {"calls": 100},
            "opens_at": 0.5,
            "at_least": 100,
            "open": {"constant": "1m"},
            "half_open": {"calls": 10},
        },
        {"window": {"time": "30s"}, "slots": 10, "slots_from": "answer", "judged": "at_failure", "late": "counts"},
        {"window": {"consecutive": 5}, "counts": ["failed", "timed_out"], "others": "success", "scope": "service"},
        {
            "window": {"calls": 10},
            "slow": {"over": "1m", "opens_at": 1.0},
            "half_open": {"calls": 3, "closes_at": 0.25, "uncounted": "keep", "at_least": 2, "max_wait": "5s"},
        },
    ],
)
def test_options_are_written_as_they_were_read(written: dict[str, Any]) -> None:
    options = BreakerOptions.model_validate(written)
    dumped = options.model_dump(mode="json", exclude_unset=True)
    assert {key: list(value) if key == "counts" else value for key, value in dumped.items()} == written
    assert BreakerOptions.model_validate(options.model_dump(mode="json")) == options


@pytest.mark.parametrize("written", ["60s", {"constant": "60s"}])
def test_a_duration_is_the_open_time_also_as_a_constant_law(written: Any) -> None:
    cell = breaker(window={"calls": 1}, open=written)
    call(cell, 0)
    assert cell.ask(60 * S - 1) == REFUSED
    assert cell.ask(60 * S) != REFUSED


def test_the_open_time_can_be_a_law_of_the_openings_in_a_row() -> None:
    cell = opened(open={"exponential": {"initial": "1s", "factor": 2, "cap": "3s"}})
    now_ns = 0
    for open_ns in (S, 2 * S, 3 * S, 3 * S):
        assert cell.ask(now_ns + open_ns - 1) == REFUSED
        now_ns += open_ns
        call(cell, now_ns)
    assert cell.state == "open"


NO_WINDOW = (
    "a breaker needs a window, the answers by which it opens, such as {calls: 100}, {time: 60s}, {consecutive: 5} or"
    " life"
)


@pytest.mark.parametrize(
    ("options", "place", "reason"),
    [
        ({}, (), NO_WINDOW),
        ({"window": None}, (), NO_WINDOW),
        ({"window": {"calls": 0}}, ("window", "calls"), "Input should be greater than or equal to 1"),
        ({"window": {"time": "0s"}}, ("window", "time"), "Input should be greater than 0"),
        (
            {"window": {"calls": 5}, "at_least": 6},
            (),
            "at_least exceeds the 5 calls of the window, so it could never open",
        ),
        (
            {"window": "life", "opens_at": 1.5},
            ("opens_at",),
            "must be at most 1, got 1.5; did you mean '1.5%'?",
        ),
        (
            {"window": "life", "opens_at": 0},
            (),
            "opens_at: with a share of 0 it would open whatever the answers are",
        ),
        (
            {"window": {"consecutive": 5}, "opens_at": 0.5},
            (),
            "opens_at cannot matter with `consecutive`: the number of failures opens it",
        ),
        (
            {"window": {"consecutive": 5}, "at_least": 5},
            (),
            "at_least cannot matter with `consecutive`: the number of failures opens it",
        ),
        (
            {"window": {"consecutive": 5}, "slow": {"over": "1s"}},
            (),
            "slow cannot matter with `consecutive`: the number of failures opens it",
        ),
        (
            {"window": "life", "slow": {"over": "1s", "opens_at": 0}},
            ("slow",),
            "opens_at: with a share of 0 it would open whatever the answers are",
        ),
        ({"window": {"calls": 5}, "slots": 5}, (), "slots are parts of a window in time, such as {time: 60s}"),
        ({"window": {"time": "1s"}, "slots_from": "answer"}, (), "slots_from cannot matter without slots"),
        (
            {"window": {"time": "10ns"}, "slots": 3},
            (),
            "a window of 10ns does not divide into 3 slots of whole ns",
        ),
        (
            {"window": "life", "half_open": {"calls": 2, "at_least": 3}},
            ("half_open",),
            "at_least exceeds the 2 calls that pass, so it could never be decided",
        ),
        (
            {"window": "life", "half_open": {"closes_at": 0}},
            ("half_open",),
            "closes_at: no share of failures is below 0, so it could never close",
        ),
        (
            {"window": "life", "counts": []},
            ("counts",),
            "name at least one answer that counts, otherwise it could never open",
        ),
        (
            {"window": "life", "counts": ["success"]},
            ("counts", 0),
            "success is no failure; the answers are: failed, rejected, conflict, timed_out, refused",
        ),
        ({"window": "life", "open": "0s"}, ("open",), "open for no time, a breaker would refuse nothing"),
        ({"window": "life", "open": "none"}, ("open",), "open for no time, a breaker would refuse nothing"),
        (
            {"window": "life", "open": {"table": {"delays": ["5s"], "then": "stop"}}},
            ("open",),
            "a breaker stays open for some time each time; let the last entry repeat",
        ),
        ({"window": "life", "late": "ignore"}, ("late",), "Input should be 'ignored' or 'counts'"),
    ],
)
def test_wrong_options_are_refused_with_place_and_reason(
    options: dict[str, Any], place: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        BreakerOptions.model_validate(options)
    (error,) = caught.value.errors()
    assert (error["loc"], error["msg"].removeprefix("Value error, ")) == (place, reason)


def test_an_unknown_window_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValidationError, match="the names are: calls, time, consecutive, life"):
        BreakerOptions.model_validate({"window": {"minutes": 5}})
