"""Budgets of tokens, against the libraries that have them and against a recount with fractions."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.clients.policy.token_budget import EncodedTokens, TokenBudget, TokensOptions
from sim.kernel.durations import NS_PER_S
from sim.kernel.errors import InternalError
from tests.support.recounts import tokens_left


def cell(**options: Any) -> TokenBudget:
    return TokenBudget(TokensOptions.model_validate(options).encoded())


def fail(budget: TokenBudget, kind: str = "failed", *, now_ns: int = 0, retryable: bool = True) -> bool:
    """Fail once; whether a retry may go."""
    budget.failed(now_ns, kind, retryable=retryable)
    return budget.allows(now_ns, kind)


def grpc(**options: Any) -> TokenBudget:
    return cell(**{"capacity": 10, "on_success": 0.1, "charges": "on_failure", "allows": "above_half"} | options)


def botocore(**options: Any) -> TokenBudget:
    cost = {"timed_out": 10, "else": 5}
    return cell(**{"capacity": 500, "cost": cost, "on_success": {"clean": 1, "retried": "last_cost"}} | options)


def brooker(**options: Any) -> TokenBudget:
    return cell(**{"capacity": 10, "start": 0, "on_request": 0.1, "allows": {"above": 1.0}} | options)


def test_grpc_stops_at_exactly_half_of_the_tokens() -> None:
    budget = grpc()
    assert [fail(budget) for _ in range(5)] == [True, True, True, True, False]
    assert budget.thousandths == 5000


def test_in_grpc_a_retry_pays_nothing_more_than_its_failure() -> None:
    budget = grpc()
    fail(budget)
    assert budget.take(0, "failed") == 0
    assert budget.thousandths == 9000


def test_in_grpc_the_last_failure_pays_although_no_retry_follows() -> None:
    budget = grpc()
    budget.failed(0, "failed", retryable=True)
    assert budget.thousandths == 9000


def test_in_grpc_a_failure_that_is_not_retried_pays_nothing() -> None:
    budget = grpc()
    assert fail(budget, retryable=False)
    assert budget.thousandths == 10_000


def test_in_grpc_failures_drain_to_zero_and_not_below() -> None:
    budget = grpc(capacity=2.5)
    for _ in range(5):
        fail(budget)
    assert budget.thousandths == 0


def test_in_grpc_a_success_brings_its_ratio_with_or_without_retries() -> None:
    budget = grpc()
    fail(budget)
    budget.succeeded(0, retried=True, last_cost=0)
    budget.succeeded(0, retried=False, last_cost=0)
    assert budget.thousandths == 9200


def test_grpc_recovers_one_thousandth_above_half() -> None:
    budget = grpc(on_success=0.001)
    for _ in range(5):
        fail(budget)
    budget.succeeded(0, retried=False, last_cost=0)
    assert budget.allows(0, "failed")


def test_botocore_charges_timeouts_twice() -> None:
    budget = botocore()
    assert budget.take(0, "timed_out") == 10_000
    assert budget.take(0, "failed") == 5000
    assert budget.thousandths == 485_000


def test_botocore_lets_a_retry_go_that_takes_the_last_token() -> None:
    budget = botocore(start=5)
    assert budget.allows(0, "failed")
    budget.take(0, "failed")
    assert not budget.allows(0, "failed")


def test_botocore_refuses_the_dear_retry_while_the_cheap_one_may_go() -> None:
    budget = botocore(start=9)
    assert not budget.allows(0, "timed_out")
    assert budget.allows(0, "failed")


def test_botocore_gives_the_last_cost_back_and_no_more() -> None:
    budget = botocore()
    budget.take(0, "timed_out")
    last = budget.take(0, "failed")
    budget.succeeded(0, retried=True, last_cost=last)
    assert budget.thousandths == 490_000


def test_botocore_pays_one_token_for_a_clean_success_up_to_the_capacity() -> None:
    budget = botocore(start=498)
    for _ in range(5):
        budget.succeeded(0, retried=False, last_cost=0)
    assert budget.thousandths == 500_000


def test_a_refund_beyond_the_capacity_is_lost() -> None:
    budget = botocore()
    budget.take(0, "failed")
    for _ in range(3):
        budget.succeeded(0, retried=False, last_cost=0)
    budget.succeeded(0, retried=True, last_cost=5000)
    assert budget.thousandths == 500_000


def test_aws_of_2026_charges_throttling_less_than_other_failures() -> None:
    budget = botocore(cost={"failed.throttled": 5, "rejected": 5, "else": 14})
    kinds = ["failed.throttled", "rejected.queue", "failed", "failed.invalid", "timed_out"]
    assert [budget.take(0, kind) for kind in kinds] == [5000, 5000, 14_000, 14_000, 14_000]


def test_the_more_special_name_has_the_cost_in_whatever_order_they_stand() -> None:
    for cost in (
        {"failed": 1, "failed.throttled": 2, "else": 3},
        {"else": 3, "failed.throttled": 2, "failed": 1},
    ):
        budget = cell(capacity=100, cost=cost)
        assert [budget.cost(kind) for kind in ("failed", "failed.throttled", "failed.other", "conflict")] == [
            1000,
            2000,
            1000,
            3000,
        ]


def test_exactly_one_token_is_not_enough_for_brooker() -> None:
    budget = brooker()
    for _ in range(10):
        budget.request_started(0)
    assert budget.thousandths == 1000
    assert not budget.allows(0, "failed")
    budget.request_started(0)
    assert budget.allows(0, "failed")


def test_for_brooker_a_request_brings_its_share_as_it_starts_and_a_success_nothing() -> None:
    budget = brooker()
    budget.request_started(0)
    budget.succeeded(0, retried=False, last_cost=0)
    assert budget.thousandths == 100


def test_for_brooker_a_retry_costs_one_token() -> None:
    budget = brooker(start=1.1)
    assert budget.take(0, "failed") == 1000
    assert budget.thousandths == 100


def test_a_retry_pays_what_is_there_if_it_costs_more_than_the_bound() -> None:
    budget = cell(capacity=10, start=2, cost=5, allows={"above": 1})
    assert budget.take(0, "failed") == 2000
    assert budget.thousandths == 0


def test_a_cost_of_failures_is_tested_after_they_have_paid() -> None:
    budget = cell(capacity=3, charges="on_failure")
    assert [fail(budget) for _ in range(3)] == [True, True, False]


def test_a_success_after_retries_can_bring_a_number_of_its_own() -> None:
    budget = cell(capacity=10, start=0, on_success={"clean": 0.5, "retried": 2})
    budget.succeeded(0, retried=True, last_cost=1000)
    assert budget.thousandths == 2000
    budget.succeeded(0, retried=False, last_cost=0)
    assert budget.thousandths == 2500


def test_what_costs_nothing_may_go_without_tokens() -> None:
    budget = cell(capacity=5, start=0, cost={"rejected": 0, "else": 1})
    assert budget.take(0, "rejected") == 0
    assert not budget.allows(0, "failed")


def test_last_cost_alone_brings_nothing_without_a_retry() -> None:
    budget = cell(capacity=10, start=1, on_success="last_cost")
    budget.succeeded(0, retried=False, last_cost=0)
    assert budget.thousandths == 1000
    budget.succeeded(0, retried=True, last_cost=700)
    assert budget.thousandths == 1700


@pytest.mark.parametrize(("start", "thousandths"), [("full", 7000), ("empty", 0), (2.5, 2500), (0, 0)])
def test_it_starts_full_empty_or_with_a_number(start: Any, thousandths: int) -> None:
    assert cell(capacity=7, start=start, per_second=1).thousandths == thousandths


def test_a_thousandth_is_there_at_the_first_nanosecond_by_which_it_has_come() -> None:
    budget = cell(capacity=1, start=0.999, per_second=0.003)  # a thousandth in a third of a second
    assert not budget.allows(333_333_333, "failed")
    assert budget.allows(333_333_334, "failed")


def test_looking_often_loses_nothing_of_what_time_brings() -> None:
    budget = cell(capacity=1, start=0, per_second=0.007)
    for now_ns in range(0, NS_PER_S, 999_983):
        budget.allows(now_ns, "failed")
    assert budget.level(NS_PER_S).have == 0.007


def test_what_time_brings_to_a_full_budget_is_lost() -> None:
    budget = cell(capacity=1, per_second=0.001)
    budget.allows(NS_PER_S * 3 // 2, "failed")
    budget.take(NS_PER_S * 3 // 2, "failed")
    assert budget.level(2 * NS_PER_S).have == 0
    assert budget.level(NS_PER_S * 5 // 2).have == 0.001


def test_the_level_is_told_in_tokens() -> None:
    assert cell(capacity=5, start=3.2).level(0) == (3.2, 5.0, "tokens")


@pytest.mark.parametrize(
    ("options", "flags"),
    [({}, (False, False)), ({"takes": "at_start"}, (True, False)), ({"empty": "sleep"}, (False, True))],
)
def test_the_machine_is_told_when_to_take_and_whether_to_sleep(
    options: dict[str, str], flags: tuple[bool, bool]
) -> None:
    budget = cell(capacity=5, **options)
    assert (budget.takes_at_start, budget.sleeps_if_empty) == flags


def test_a_retry_that_is_not_allowed_cannot_go() -> None:
    budget = cell(capacity=5, start=0.999)
    with pytest.raises(InternalError, match="does not allow"):
        budget.take(0, "failed")
    assert budget.thousandths == 999


def test_time_does_not_go_back() -> None:
    budget = cell(capacity=5, start=0, per_second=1)
    budget.request_started(NS_PER_S)
    with pytest.raises(InternalError, match="goes back, from 1000000000 ns to 999999999 ns"):
        budget.allows(NS_PER_S - 1, "failed")
    assert budget.level(NS_PER_S).have == 1


@pytest.mark.parametrize(("retried", "last_cost"), [(False, 1), (True, -1)])
def test_only_a_retry_has_a_cost_to_give_back(*, retried: bool, last_cost: int) -> None:
    budget = cell(capacity=5, start=0, on_success=1)
    with pytest.raises(InternalError, match="gives back"):
        budget.succeeded(0, retried=retried, last_cost=last_cost)
    assert budget.thousandths == 0


# Laws

amounts = st.integers(0, 4000).map(lambda thousandths: thousandths / 1000)
steps = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 333_333_333, NS_PER_S, 7 * NS_PER_S]),
        st.sampled_from(["request", "failed", "timed_out", "retry", "clean", "retried"]),
    ),
    max_size=40,
)


@given(
    capacity=st.integers(4000, 9000).map(lambda thousandths: thousandths / 1000),
    start=st.sampled_from(["full", "empty", 1.5]),
    cost=amounts,
    dear=amounts,
    clean=amounts,
    retried=st.one_of(amounts, st.just("last_cost")),
    on_request=amounts,
    per_second=amounts,
    allows=st.sampled_from(["at_least_cost", "above_half", {"above": 1.0}]),
    charges=st.sampled_from(["on_retry", "on_failure"]),
    steps=steps,
)
def test_the_level_is_that_of_a_recount_with_fractions(
    *,
    capacity: float,
    start: Any,
    cost: float,
    dear: float,
    clean: float,
    retried: Any,
    on_request: float,
    per_second: float,
    allows: Any,
    charges: str,
    steps: list[tuple[int, str]],
) -> None:
    assume(start != "empty" or clean or on_request or per_second)
    if charges == "on_failure" and retried == "last_cost":
        retried = 1.0
    budget = cell(
        capacity=capacity,
        start=start,
        cost={"timed_out": dear, "else": cost},
        on_success={"clean": clean, "retried": retried},
        on_request=on_request,
        per_second=per_second,
        allows=allows,
        charges=charges,
    )
    whole = Fraction(str(capacity))
    first = {"full": whole, "empty": Fraction(0), 1.5: Fraction(3, 2)}[start]
    changes: list[tuple[int, Fraction]] = []
    prices = {"failed": Fraction(str(cost)), "timed_out": Fraction(str(dear)), "retry": Fraction(str(cost))}
    now_ns, last_cost = 0, 0

    def recount() -> Fraction:
        return tokens_left(whole, first, Fraction(str(per_second)), changes, now_ns)

    for gap_ns, what in steps:
        now_ns += gap_ns
        change = Fraction(0)
        if what == "request":
            budget.request_started(now_ns)
            change = Fraction(str(on_request))
        elif what in {"failed", "timed_out"}:
            budget.failed(now_ns, what, retryable=True)
            change = -prices[what] if charges == "on_failure" else change
        elif what == "retry":
            level = recount() * 1000 // 1 / 1000  # decisions look at whole thousandths
            bounds = {"at_least_cost": level >= prices["retry"], "above_half": 2 * level > whole}
            expected = level > 1 if isinstance(allows, dict) else bounds[allows]
            assert budget.allows(now_ns, "failed") == expected
            if expected:
                last_cost = budget.take(now_ns, "failed")
                change = -prices["retry"] if charges == "on_retry" else change
                assert last_cost == (1000 * min(-change, level))
        elif what == "clean":
            budget.succeeded(now_ns, retried=False, last_cost=0)
            change = Fraction(str(clean))
        else:
            budget.succeeded(now_ns, retried=True, last_cost=last_cost)
            change = Fraction(last_cost, 1000) if retried == "last_cost" else Fraction(str(retried))
        changes.append((now_ns, change))
        budget.allows(now_ns, "failed")
        assert budget.thousandths == recount() * 1000 // 1


@given(steps=steps)
def test_a_cell_made_of_plain_numbers_goes_the_same_way(steps: list[tuple[int, str]]) -> None:
    options = TokensOptions.model_validate({"capacity": 6, "per_second": 0.3, "cost": {"timed_out": 2, "else": 1}})
    first = TokenBudget(options.encoded())
    second = TokenBudget(EncodedTokens(*tuple(options.encoded())))
    now_ns = 0
    for gap_ns, what in steps:
        now_ns += gap_ns
        kind = "timed_out" if what == "timed_out" else "failed"
        assert first.allows(now_ns, kind) == second.allows(now_ns, kind)
        if first.allows(now_ns, kind):
            assert first.take(now_ns, kind) == second.take(now_ns, kind)


# What files write


@pytest.mark.parametrize(
    "written",
    [
        {"capacity": 500},
        {"capacity": 500, "start": "empty", "per_second": 1},
        {"capacity": 500, "start": 2.5},
        {"capacity": 500, "cost": 5},
        {"capacity": 500, "cost": {"rejected": 5, "failed.throttled": 0.5, "else": 14}},
        {"capacity": 500, "on_success": 0.125},
        {"capacity": 500, "on_success": "last_cost"},
        {"capacity": 500, "on_success": {"clean": 1, "retried": "last_cost"}},
        {"capacity": 500, "on_success": {"clean": 1, "retried": 0}},
        {"capacity": 500, "allows": {"above": 1}},
        {"capacity": 500, "allows": "above_half", "charges": "on_failure", "empty": "sleep", "scope": "service"},
        {"capacity": 500, "takes": "at_start", "on_request": 0.1},
    ],
)
def test_options_are_written_as_they_were_read(written: dict[str, Any]) -> None:
    options = TokensOptions.model_validate(written)
    assert options.model_dump(mode="json", exclude_unset=True) == written
    assert TokensOptions.model_validate(options.model_dump(mode="json")) == options


NOT_TOKENS = "expected a number of tokens from 0 to 1,000,000,000 with at most three digits after the point"


@pytest.mark.parametrize(
    ("options", "place", "reason"),
    [
        ({}, ("capacity",), "Field required"),
        ({"capacity": 0}, (), "a budget of 0 tokens never allows a retry; leave out the retries instead"),
        (
            {"capacity": -1},
            ("capacity",),
            NOT_TOKENS + ", not -1",
        ),
        (
            {"capacity": 1.0005},
            ("capacity",),
            NOT_TOKENS + ", not 1.0005",
        ),
        (
            {"capacity": True},
            ("capacity",),
            NOT_TOKENS + ", not True",
        ),
        (
            {"capacity": 5, "start": "half"},
            ("start",),
            NOT_TOKENS + ", or 'full' or 'empty', not half",
        ),
        ({"capacity": 5, "start": 6}, (), "start exceeds the capacity of 5 tokens"),
        ({"capacity": 5, "cost": 6}, (), "a retry costs more than the capacity of 5 tokens: never"),
        (
            {"capacity": 5, "cost": {"timed_out": 7, "else": 1}},
            (),
            "a retry after timed_out costs more than the capacity of 5 tokens: never",
        ),
        ({"capacity": 5, "cost": {"failed": 1}}, ("cost",), "a cost by answer says with `else` what all others cost"),
        (
            {"capacity": 5, "cost": {"success": 1, "else": 1}},
            ("cost", "success"),
            "success is no failure; the answers are: failed, rejected, conflict, timed_out, refused",
        ),
        (
            {"capacity": 5, "cost": {"failed": "1", "else": 1}},
            ("cost", "failed"),
            NOT_TOKENS + ", not 1",
        ),
        (
            {"capacity": 5, "cost": "dear"},
            ("cost",),
            NOT_TOKENS + ", or numbers by answer, such as {timed_out: 10, else: 5}, not dear",
        ),
        (
            {"capacity": 5, "on_success": {"clean": 1}},
            ("on_success",),
            "expected the keys clean and retried, not clean",
        ),
        (
            {"capacity": 5, "on_success": {"clean": "last_cost", "retried": 1}},
            ("on_success",),
            NOT_TOKENS + ", not last_cost",
        ),
        (
            {"capacity": 5, "allows": "always"},
            ("allows",),
            "expected at_least_cost, above_half or a number such as {above: 1.0}",
        ),
        (
            {"capacity": 5, "allows": ["above_half"]},
            ("allows",),
            "expected at_least_cost, above_half or a number such as {above: 1.0}",
        ),
        (
            {"capacity": 5, "allows": {"above": 5}},
            (),
            "allows: the level is never above the capacity, so no retry could go",
        ),
        (
            {"capacity": 5, "charges": "on_failure", "takes": "at_start"},
            (),
            "takes: at_start says when a retry pays, but with charges: on_failure failures pay",
        ),
        (
            {"capacity": 5, "charges": "on_failure", "on_success": "last_cost"},
            (),
            "on_success: last_cost is what a retry paid, but with charges: on_failure none pays",
        ),
        (
            {"capacity": 5, "start": "empty", "cost": 0, "allows": {"above": 1}},
            (),
            "it starts empty and nothing brings tokens, so no retry could ever go",
        ),
        (
            {"capacity": 5, "start": "empty"},
            (),
            "it starts empty and nothing brings tokens, so no retry could ever go",
        ),
    ],
)
def test_wrong_options_are_refused_with_place_and_reason(
    options: dict[str, Any], place: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        TokensOptions.model_validate(options)
    (error,) = caught.value.errors()
    assert (error["loc"], error["msg"].removeprefix("Value error, ")) == (place, reason)
