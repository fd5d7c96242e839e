"""Histories of scenarios for questions of one's own."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from sim.api.check import check
from sim.clients.client import CallFailed
from sim.contracts.catalogue import INVARIANTS, check_view
from sim.convex.functions import mutation
from sim.history.vocabulary import Outcome
from sim.promises.invariant import Invariant, Violation, breach, invariant
from sim.promises.promises import Promises
from sim.promises.view import View
from sim.retriers.base import LoopRetrier, Retrier, ScheduledRetrier
from sim.retriers.ports.component import Component
from sim.scenario.load import from_dict
from sim.scenario.schema import Scenario
from sim.testing.histories import simulated


def scenario(world: str, retrier: str = "helpers", **more: object) -> Scenario:
    action = {"outcomes": {"crash_before_effect": 0.5}}
    return from_dict({"retrier": retrier, "requests": {"count": 3}, "world": world, "action": action, **more})


def violations(
    given: Scenario, retrier: Callable[[], Retrier] | None = None, invariants: Sequence[Invariant] = INVARIANTS
) -> list[Violation]:
    return [found for one in simulated(given, retrier) for found in check_view(one.view, invariants)]


def test_an_isolated_world_has_a_history_for_each_request() -> None:
    assert [list(one.view.requests) for one in simulated(scenario("isolated"))] == [[0], [1], [2]]


def test_a_shared_world_has_one_history() -> None:
    assert [list(one.view.requests) for one in simulated(scenario("shared"))] == [[0, 1, 2]]


def test_what_became_of_the_requests_comes_along() -> None:
    assert [request.outcome for one in simulated(scenario("isolated")) for request in one.requests] == (
        [Outcome.success] * 3
    )


@pytest.mark.parametrize("world", ["isolated", "shared"])
def test_terms_are_those_of_the_world(world: str) -> None:
    limits = {"action_time_limit": "7s", "retention": "3s"}
    (one, *_) = simulated(scenario(world, platform=limits, action={"idempotency": {"window": "1s"}}))
    terms = one.view.terms
    assert terms.action_time_limit_ns == 7 * 10**9
    assert terms.retention_ns == 3 * 10**9
    assert terms.idempotency_ns == 10**9
    assert terms.drained


def test_another_retrier_takes_the_place_of_the_scenarios_own() -> None:
    (one, *_) = simulated(scenario("isolated"), Component)
    assert one.view.events[0].retrier == "component"
    assert one.view.terms.promises.callback


@invariant()
def first_of_all(view: View) -> Iterator[Violation]:
    """Nothing is submitted."""
    for request in view.requests.values():
        yield breach(request.number, "is submitted", request.submit)


@pytest.mark.parametrize("world", ["isolated", "shared"])
def test_every_violation_is_found_in_its_history(world: str) -> None:
    found = violations(scenario(world), invariants=[first_of_all])
    assert [(violation.invariant, violation.request) for violation in found] == [
        ("first-of-all", number) for number in range(3)
    ]


@pytest.mark.parametrize("world", ["isolated", "shared"])
def test_a_check_of_the_whole_scenario_finds_the_same(world: str) -> None:
    stuck = scenario(world, "component", requests={"count": 20})
    (cell,) = check(stuck).cells
    assert {violation.invariant for violation in violations(stuck)} == set(cell.broken)
    assert cell.broken != {}


def never(world: str, retrier: Callable[[], Retrier], **more: Any) -> list[Violation]:
    stand_in = "none" if issubclass(retrier, LoopRetrier) else "helpers"  # type: ignore[arg-type]  # classes here
    return violations(from_dict({"retrier": stand_in, "world": world, "requests": {"count": 1}, **more}), retrier)


class Patient(LoopRetrier):
    """Never gives up, whatever its law says of the hundredth retry."""

    kind = "patient"
    law: Any = staticmethod(lambda failure: (0, 100 * 2**failure))

    def promises(self) -> Promises:
        return Promises(attempts_at_most=4, backoff_ms=self.law)

    async def retry(self, call: Any, ctx: Any) -> Any:
        while True:
            try:
                return await call(timeout_ms=2000)
            except CallFailed:
                await ctx.sleep(1)


class Vague(Patient):
    """Promises no budget."""

    law = staticmethod(lambda failure: (0.0, 100 * 2.0**failure))

    def promises(self) -> Promises:
        return Promises(backoff_ms=self.law)


ALWAYS_FAILS = {"action": {"outcomes": {"fail": 1.0}}, "limits": {"polls_per_request": 1200}}


def test_a_law_is_not_asked_beyond_the_budget() -> None:
    assert {found.invariant for found in never("isolated", Patient, **ALWAYS_FAILS)} == {"attempts-within-budget"}


def test_a_law_beyond_all_numbers_says_nothing() -> None:
    assert never("isolated", Vague, **ALWAYS_FAILS) == []


class Growing(LoopRetrier):
    """Changes what its promises are made of."""

    kind = "growing"
    attempts = 2

    def promises(self) -> Promises:
        return Promises(attempts_at_most=self.attempts)

    async def retry(self, call: Any, ctx: Any) -> Any:
        for _ in range(5):
            self.attempts += 1
            try:
                return await call()
            except CallFailed:
                await ctx.sleep(1)
        raise CallFailed


def test_promises_are_those_made_before_anything_happened() -> None:
    found = never("isolated", Growing, **ALWAYS_FAILS)
    assert found[0].text == "request 0 has 5 attempts, but at most 2 are promised: attempt 3 starts at 202ms"


class Watching(ScheduledRetrier):
    """Looks at its job once a second, and not at whether its row is there; its cancel needs its handle."""

    kind = "watching"

    def bind(self, action: Any) -> None:
        self.action = action
        self.retry = mutation("retry", self.look, poll=True)

    def submit(self, ctx: Any) -> Any:
        job = ctx.run_after(0, self.action)
        ctx.run_after(1000, self.retry, job)
        return {"job": job}

    def look(self, ctx: Any, job: Any) -> None:
        match ctx.get_job(job).state:
            case "pending" | "inProgress":
                ctx.run_after(1000, self.retry, job)
            case state:
                ctx.settle(Outcome.success if state == "success" else Outcome.canceled)

    def cancel(self, ctx: Any, handle: Any) -> None:
        ctx.cancel(handle["job"])


def test_a_row_that_is_gone_is_explained() -> None:
    with pytest.raises(AttributeError) as caught:
        never("isolated", Watching, platform={"retention": "1ms"})
    assert caught.value.__notes__[0] == "raised by 'retry' for request 0 at 1s"
    assert "returns None for a row that is gone" in caught.value.__notes__[1]


EARLY = {"cancel": {"share": 1.0, "after": {"constant": "1ms"}}}


def test_a_cancel_before_the_submission_has_committed_is_not_put_to_the_retrier() -> None:
    late = {"platform": {"mutation_latency": {"uniform": {"low": "0s", "high": "200ms"}}}}
    answers = set()
    for seed in range(8):
        written = {"retrier": "helpers", "requests": {"count": 1}, "seed": seed, **late, **EARLY}
        (one,) = simulated(from_dict(written), Watching)
        answers |= {event.answer for event in one.view.events if event.kind == "cancel_answer"}
    assert answers == {False, None}
