"""A promised budget of retries, a soft deadline and Retry-After on histories told by hand."""

import pytest

from sim.contracts.retrier import attempts, budgets, limits
from sim.history.failure import Failure
from sim.promises.promises import RetryAfter
from sim.promises.retry_budget import RetryBudget

WAIT_2S = Failure(final=False, retry_after_ns=2_000_000_000)


def three_retries(tale: type) -> object:
    """Return two requests of one client: the first fails at 10 ms, and is tried again at 20, 40 and 60 ms."""
    story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw")
    for number in (2, 3, 4):
        story.at(20 * number - 20).attempt(number, "fail").at(20 * number - 10).ends(number, "threw")
    return story.settles("gave_up")


@pytest.mark.parametrize(
    ("budget", "least"),
    [
        (RetryBudget(burst=3), True),
        (RetryBudget(burst=2), False),
        (RetryBudget(burst=2, per_second=1000), True),
        (RetryBudget(burst=2, per_second=1), False),
        (RetryBudget(burst=1, over_ms=21), True),
        (RetryBudget(burst=1, over_ms=60), False),
    ],
)
def test_retries_beyond_the_budget_are_found(tale: type, budget: RetryBudget, *, least: bool) -> None:
    found = three_retries(tale).broken(budgets.retries_within_budget, retry_budget=budget)  # type: ignore[attr-defined]
    assert (found == []) is least


def test_the_retry_that_is_one_too_many_is_named(tale: type) -> None:
    found = three_retries(tale).broken(budgets.retries_within_budget, retry_budget=RetryBudget(burst=2))  # type: ignore[attr-defined]
    assert found == ["attempt 4 of request 0 at 60ms is retry 3 from 20ms on, but the budget allows 2"]


@pytest.mark.parametrize(("per_success", "holds"), [(1.0, True), (0.5, False)])
def test_successes_of_others_pay_for_retries(tale: type, per_success: float, *, holds: bool) -> None:
    story = tale().submit(1).attempt(1, request=1).submit().attempt(1, "fail").at(10).ends(1, "threw")
    story.ends(1, "returned", request=1).settles("success", request=1)
    story.at(20).attempt(2, "fail").at(30).ends(2, "threw").at(40).attempt(3).at(50).ends(3, "returned")
    budget = RetryBudget(burst=1, per_success=per_success)
    assert (story.broken(budgets.retries_within_budget, retry_budget=budget) == []) is holds


def test_what_was_saved_before_a_stretch_is_lost_beyond_the_burst(tale: type) -> None:
    """Ten successes bring ten retries, but the budget holds one: three at once are too many."""
    story = tale()
    for number in range(1, 11):
        story.submit(number).attempt(1, request=number).ends(1, "returned", request=number)
        story.settles("success", request=number)
    story.at(100).submit().attempt(1, "fail").at(110).ends(1, "threw")
    story.at(120).attempt(2, "fail").at(121).ends(2, "threw").at(130).attempt(3).at(140).ends(3, "returned")
    found = story.broken(budgets.retries_within_budget, retry_budget=RetryBudget(burst=1, per_success=1))
    assert found == ["attempt 3 of request 0 at 130ms is retry 2 from 120ms on, but the budget allows 1"]


@pytest.mark.parametrize(("scope", "holds"), [("request", True), ("client", False), ("world", False)])
def test_a_scope_says_whose_retries_count(tale: type, scope: str, *, holds: bool) -> None:
    story = tale()
    for number in (0, 1):
        story.at(100 * number).submit(number).attempt(1, "fail", request=number)
        story.at(100 * number + 10).ends(1, "threw", request=number)
        story.at(100 * number + 20).attempt(2, request=number)
    budget = RetryBudget(burst=1, scope=scope)  # type: ignore[arg-type]  # one of the three
    assert (story.broken(budgets.retries_within_budget, retry_budget=budget, drained=False) == []) is holds


def test_a_try_after_the_soft_deadline_is_found_and_a_copy_is_not(tale: type) -> None:
    story = tale().submit().attempt(1).at(60).add("copy", 2, detail=2).attempt(2, "fail").at(100).ends(1, "threw")
    assert story.broken(limits.soft_deadline_holds, soft_deadline_ns=50_000_000, drained=False) == []
    story.attempt(3)
    assert story.broken(limits.soft_deadline_holds, soft_deadline_ns=50_000_000, drained=False) == [
        "attempt 3 of request 0 starts at 100ms, after its soft deadline of 50ms, at 50ms"
    ]


@pytest.mark.parametrize(
    ("promise", "at_most_ms", "waits_ms", "holds"),
    [
        (None, None, 2000, True),
        (None, None, 1999, False),
        ("obeyed", None, 2000, True),
        ("obeyed", None, 1999, False),
        ("capped", 500.0, 500, True),
        ("capped", 500.0, 499, False),
        ("capped", 5000.0, 1999, False),
        ("ignored", None, 0, True),
    ],
)
def test_errors_that_ask_to_wait_are_heeded_as_promised(
    tale: type, promise: RetryAfter | None, at_most_ms: float | None, waits_ms: float, *, holds: bool
) -> None:
    story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw", WAIT_2S).at(10 + waits_ms).attempt(2)
    words = {"retry_after": promise, "retry_after_at_most_ms": at_most_ms}
    assert (story.broken(attempts.retry_after_honored, drained=False, **words) == []) is holds


def test_a_wait_for_an_error_that_is_to_be_ignored_is_out_of_law(tale: type) -> None:
    story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw", WAIT_2S).sleep(2000).at(2010).attempt(2)
    law = {"backoff_ms": lambda _: (1.0, 100.0)}
    assert story.broken(attempts.delays_in_law, **law) == []
    assert len(story.broken(attempts.delays_in_law, **law, retry_after="ignored")) == 1


@pytest.mark.parametrize(
    "wrong", [{"burst": -1}, {"burst": 1, "per_success": float("inf")}, {"burst": 1, "over_ms": 0}]
)
def test_a_budget_of_impossible_amounts_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="budget of retries must be"):
        RetryBudget(**wrong)  # type: ignore[arg-type]  # the mistake of this test
