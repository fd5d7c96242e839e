"""Bugs in what a loop makes of Retry-After, a soft deadline and a budget of retries: each breaks the promise meant."""

from typing import Any, ClassVar

import pytest

from sim.api.check import check
from sim.clients import CallFailed
from sim.promises.promises import Promises
from sim.promises.retry_budget import RetryBudget
from sim.promises.waits import Quantiles
from sim.retriers.base import LoopRetrier
from sim.scenario.load import from_dict

CAP_MS = 500
SOFT_MS = 2000


def scenario(**more: Any) -> Any:
    """Return a shared world of calls that fail often, one in three of them asking to wait."""
    values: dict[str, Any] = {
        "world": "shared",
        "seed": 11,
        "retrier": "none",
        "requests": {"count": 150, "arrivals": {"poisson": {"rate": "20/s"}}},
        "replications": 3,
        "clients": {"count": 2},
        "action": {
            "latency": {"exponential": {"mean": "50ms"}},
            "outcomes": {
                "fail": [
                    {"kind": "plain", "share": 0.4},
                    {"kind": "asks", "share": 0.2, "retry_after": {"uniform": {"low": "100ms", "high": "1s"}}},
                ]
            },
        },
    }
    return from_dict({**values, **more})


class Heeding(LoopRetrier):
    """Tries six times; between two tries it waits as it promises of errors that ask for it."""

    kind = "heeding"
    promise: ClassVar[Any] = "obeyed"

    def promises(self) -> Promises:
        at_most_ms = CAP_MS if self.promise == "capped" else None
        return Promises(
            attempts_at_most=6,
            backoff_ms=lambda _: (100, 200),
            retry_after=self.promise,
            retry_after_at_most_ms=at_most_ms,
        )

    async def retry(self, call: Any, ctx: Any) -> Any:
        for tries in range(1, 7):
            try:
                return await call()
            except CallFailed as error:
                if tries == 6:
                    raise
                await ctx.sleep(self.wait_ms(error.retry_after_ms, 100 * (1 + ctx.uniform("delay", tries))))
        return None

    def wait_ms(self, asked_ms: float | None, own_ms: float) -> float:
        return own_ms if asked_ms is None else asked_ms


class Capped(Heeding):
    promise = "capped"

    def wait_ms(self, asked_ms: float | None, own_ms: float) -> float:
        return own_ms if asked_ms is None else min(asked_ms, CAP_MS)


class Ignoring(Heeding):
    promise = "ignored"

    def wait_ms(self, asked_ms: float | None, own_ms: float) -> float:
        del asked_ms
        return own_ms


class ObeysHalf(Heeding):
    def wait_ms(self, asked_ms: float | None, own_ms: float) -> float:
        return own_ms if asked_ms is None else asked_ms / 2


class CapsTooSoon(Capped):
    def wait_ms(self, asked_ms: float | None, own_ms: float) -> float:
        return own_ms if asked_ms is None else min(asked_ms, CAP_MS / 2)


class CapsNothing(Capped):
    def wait_ms(self, asked_ms: float | None, own_ms: float) -> float:
        return own_ms if asked_ms is None else asked_ms


class IgnoresNothing(Ignoring):
    def wait_ms(self, asked_ms: float | None, own_ms: float) -> float:
        return own_ms if asked_ms is None else asked_ms


class ObeysNothing(Ignoring):
    promise = "obeyed"


class Soft(Heeding):
    """Starts no try after two seconds."""

    tries_late: ClassVar[bool] = False

    def promises(self) -> Promises:
        return Promises(
            attempts_at_most=20,
            backoff_ms=lambda _: (300, 300),
            soft_deadline_ns=SOFT_MS * 1_000_000,
            retry_after="obeyed",
        )

    async def retry(self, call: Any, ctx: Any) -> Any:
        by_ms = ctx.now_ms + SOFT_MS
        for tries in range(1, 21):
            try:
                return await call()
            except CallFailed as error:
                if tries == 20:
                    raise
                wait_ms = self.wait_ms(error.retry_after_ms, 300)
                if not self.tries_late and ctx.now_ms + wait_ms >= by_ms:
                    raise
                await ctx.sleep(wait_ms)
        return None


class SoftLate(Soft):
    """Looks at the time before it sleeps, and not as the try starts."""

    tries_late = True

    async def retry(self, call: Any, ctx: Any) -> Any:
        by_ms = ctx.now_ms + SOFT_MS
        for tries in range(1, 21):
            try:
                return await call()
            except CallFailed as error:
                if tries == 20 or ctx.now_ms >= by_ms:
                    raise
                await ctx.sleep(self.wait_ms(error.retry_after_ms, 300))
        return None


class Frugal(LoopRetrier):
    """Retries as long as its client has tokens: five at first, and a half for each success."""

    kind = "frugal"
    tokens: ClassVar[Any] = {"capacity": 5, "cost": 1, "on_success": 0.5}
    scope: ClassVar[Any] = "client"

    def promises(self) -> Promises:
        return Promises(attempts_at_most=6, retry_budget=RetryBudget(burst=5, per_success=0.5))

    async def retry(self, call: Any, ctx: Any) -> Any:
        budget = ctx.budget({"tokens": self.tokens}, scope=self.scope)
        for tries in range(1, 7):
            try:
                number = await call()
            except CallFailed as error:
                if tries == 6 or not self.may(budget, error.kind):
                    raise
                await ctx.sleep(max(error.retry_after_ms or 0, 50))
            else:
                budget.succeeded()
                return number
        return None

    def may(self, budget: Any, kind: str) -> bool:
        found: bool = budget.take(kind)
        return found


class Spendthrift(Frugal):
    tokens: ClassVar[Any] = {"capacity": 10, "cost": 1, "on_success": 0.5}


class Generous(Frugal):
    tokens: ClassVar[Any] = {"capacity": 5, "cost": 1, "on_success": 1.0}


class Scattered(Frugal):
    scope = "request"


class Asks(Frugal):
    """Asks whether a retry may go and does not pay."""

    def may(self, budget: Any, kind: str) -> bool:
        found: bool = budget.allows(kind)
        return found


class Windowed(Frugal):
    """Retries are a fifth of the requests of the last two seconds, and one a second besides."""

    options: ClassVar[Any] = {"window": {"share": 0.2, "of": "2s", "at_least": "1/s"}}

    def promises(self) -> Promises:
        budget = RetryBudget(burst=3, per_request=0.2, over_ms=2000)
        return Promises(attempts_at_most=6, retry_budget=budget)

    async def retry(self, call: Any, ctx: Any) -> Any:
        budget = ctx.budget(type(self).options)
        for tries in range(1, 7):
            try:
                return await call()
            except CallFailed as error:
                if tries == 6 or not budget.take(error.kind):
                    raise
                await ctx.sleep(error.retry_after_ms or 0)
        return None


class WiderWindow(Windowed):
    options: ClassVar[Any] = {"window": {"share": 0.8, "of": "2s", "at_least": "1/s"}}


GOOD = [Heeding, Capped, Ignoring, Soft, Frugal, Windowed]
BUGS: dict[type[LoopRetrier], str] = {
    ObeysHalf: "retry-after-honored",
    ObeysNothing: "retry-after-honored",
    CapsTooSoon: "retry-after-honored",
    CapsNothing: "delays-in-law",
    IgnoresNothing: "delays-in-law",
    SoftLate: "soft-deadline-holds",
    Spendthrift: "retries-within-budget",
    Generous: "retries-within-budget",
    Scattered: "retries-within-budget",
    Asks: "retries-within-budget",
    WiderWindow: "retries-within-budget",
}


@pytest.mark.parametrize("good", GOOD, ids=lambda one: one.__name__)
def test_a_loop_that_keeps_its_promises_breaks_nothing(good: Any) -> None:
    [cell] = check(scenario(), retrier=good).cells
    assert cell.broken == {}


@pytest.mark.parametrize(("bug", "invariant"), BUGS.items(), ids=lambda one: getattr(one, "__name__", one))
def test_a_broken_promise_is_caught_by_its_invariant(bug: Any, invariant: str) -> None:
    [cell] = check(scenario(), retrier=bug).cells
    assert invariant in cell.broken


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({}, ("ignored", None)),
        ({"retry_after": {"obey": True}}, ("obeyed", None)),
        ({"retry_after": {"obey": True, "at_most": "3s"}}, ("capped", 3000)),
        ({"retry_after": {"obey": True, "at_most": "3s", "above": "give_up"}}, ("obeyed", None)),
        ({"retry_after": {"obey": True, "at_most": "3s", "above": "ignore"}}, ("capped", 0)),
    ],
)
def test_a_policy_states_what_it_makes_of_errors_that_ask_to_wait(words: Any, expected: Any) -> None:
    stated = from_dict({"retrier": {"kind": "policy", "attempts": 3, **words}}).retrier.make().promises()
    assert (stated.retry_after, stated.retry_after_at_most_ms) == expected


def test_a_policy_that_ignores_errors_that_ask_to_wait_breaks_nothing() -> None:
    policy = {"kind": "policy", "attempts": 4, "delay": {"constant": "20ms"}}
    [cell] = check(scenario(retrier=policy)).cells
    assert cell.broken == {}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            {"budget": {"tokens": {"capacity": 10, "cost": 2, "on_success": 1, "per_second": 4}}},
            RetryBudget(burst=5, per_success=0.5, per_second=2),
        ),
        (
            {"budget": {"tokens": {"capacity": 10, "cost": {"timed_out": 5, "else": 2}, "scope": "world"}}},
            RetryBudget(burst=5, scope="world"),
        ),
        ({"budget": {"failures": {"share": 0.1, "of": "life"}}}, None),
    ],
)
def test_a_policy_states_its_budget(words: Any, expected: Any) -> None:
    cell = scenario(retrier={"kind": "policy", "attempts": 3, **words})
    assert cell.retrier.make().promises().retry_budget == expected


@pytest.mark.parametrize(
    ("words", "expected_s"),
    [
        ({"after": "5s", "kind": "soft"}, 5),
        ({"after": "5s"}, None),
        ({"after": "5s", "kind": "soft", "from": "first_call"}, None),
    ],
)
def test_a_policy_states_its_soft_deadline(words: Any, expected_s: int | None) -> None:
    cell = scenario(retrier={"kind": "policy", "attempts": 3, "deadline": words})
    expected = None if expected_s is None else expected_s * 10**9
    assert cell.retrier.make().promises().soft_deadline_ns == expected


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"retry_after": "maybe"}, "retry_after is one of obeyed, capped, ignored"),
        ({"retry_after": "capped"}, "belongs to retry_after 'capped'"),
        ({"retry_after_at_most_ms": 5.0}, "belongs to retry_after 'capped'"),
    ],
)
def test_promises_that_contradict_themselves_are_refused(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Promises(**wrong)


class Recorded(Heeding):
    """Waits as a recorded distribution has it: a third of its waits 10 ms, the others up to 300 ms."""

    law: ClassVar[Any] = Quantiles(lambda share: 10 if share < 1 / 3 else 300 * share)

    def promises(self) -> Promises:
        return Promises(attempts_at_most=6, backoff_ms=lambda _: self.law, retry_after="ignored")

    async def retry(self, call: Any, ctx: Any) -> Any:
        for tries in range(1, 7):
            try:
                return await call()
            except CallFailed:
                if tries == 6:
                    raise
                await ctx.sleep(self.law_ms(ctx.uniform("delay", tries)))
        return None

    def law_ms(self, share: float) -> float:
        return 10 if share < 1 / 3 else 300 * share


class RecordedOtherwise(Recorded):
    """Half of its waits are 10 ms: no single wait shows it."""

    def law_ms(self, share: float) -> float:
        return 10 if share < 1 / 2 else 300 * share


def test_waits_of_a_loop_follow_their_quantiles_over_a_run() -> None:
    found = [check(scenario(), retrier=one).cells[0].broken for one in (Recorded, RecordedOtherwise)]
    assert found[0] == {}
    assert "waits-follow-law" in found[1]
