"""Why a second effect came about, for retriers that start another attempt without need; the history agrees."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sim.contracts.catalogue import check_view
from sim.contracts.platform.effects import duplicates_have_causes
from sim.convex.contexts import MutationContext
from sim.convex.functions import Function, FunctionError, action, mutation
from sim.engine.world import World
from sim.experiment.terms import terms_of
from sim.history.recorder import Recorder
from sim.history.vocabulary import Cause, Outcome
from sim.promises.view import View
from sim.retriers.base import ScheduledRetrier
from sim.scenario.load import from_dict

Handler = Callable[["Jobs", Any], Awaitable[Any]]


class Again(ScheduledRetrier):
    """Starts a second attempt after a fixed time, whatever has become of the first."""

    kind = "again"

    def __init__(self, after_ms: float) -> None:
        super().__init__()
        self.after_ms = after_ms

    def bind(self, action: Function) -> None:
        self.action = action
        self.retry = mutation("retry", self.look, poll=True)

    def submit(self, ctx: MutationContext) -> None:
        ctx.run_after(0, self.action)
        ctx.run_after(self.after_ms, self.retry)

    def look(self, ctx: MutationContext, _: Any) -> None:
        ctx.run_after(0, self.action)
        ctx.settle(Outcome.success)


class Jobs(ScheduledRetrier):
    """Runs the user's action in a handler of its own, by a job; a second job follows after a second."""

    kind = "jobs"
    action_jobs = ("work",)

    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self.handler = handler

    def bind(self, action_of_user: Function) -> None:
        self.action = action_of_user
        self.work = action("work", lambda ctx, _: self.handler(self, ctx))
        self.report = mutation("report", self.refuse)
        self.retry = mutation("retry", self.look, poll=True)

    def refuse(self, _ctx: MutationContext, args: dict[str, bool]) -> None:
        if args["refused"]:
            raise FunctionError("no")

    def submit(self, ctx: MutationContext) -> None:
        ctx.run_after(0, self.work)
        ctx.run_after(1000, self.retry)

    def look(self, ctx: MutationContext, _: Any) -> None:
        ctx.run_after(0, self.work)
        ctx.settle(Outcome.success)


def causes(retrier: ScheduledRetrier, *, more: dict[str, Any] | None = None) -> dict[str, int]:
    """Return the duplicates of one request by cause, once the history has been found to agree with them."""
    cell = from_dict({"action": {"latency": {"constant": "100ms"}}, "retrier": "helpers", **(more or {})})
    recorder = Recorder()
    world = World(cell, retrier=retrier, recorder=recorder)
    (request,) = world.isolated([0])
    view = View(recorder.history(), terms_of(world))
    assert [found.text for found in check_view(view, [duplicates_have_causes])] == []
    return {Cause(cause).name: count for cause, count in enumerate(request.duplicates or ()) if count}


async def once(retrier: Jobs, ctx: Any) -> None:
    await ctx.run_action(retrier.action)


async def twice(retrier: Jobs, ctx: Any) -> None:
    await ctx.run_action(retrier.action)
    await ctx.run_action(retrier.action)


async def report_refused(retrier: Jobs, ctx: Any) -> None:
    await ctx.run_action(retrier.action)
    await ctx.run_mutation(retrier.report, {"refused": True})


async def refusal_swallowed(retrier: Jobs, ctx: Any) -> None:
    await ctx.run_action(retrier.action)
    try:
        await ctx.run_mutation(retrier.report, {"refused": True})
    except FunctionError:
        return


async def reported_at_last(retrier: Jobs, ctx: Any) -> None:
    await refusal_swallowed(retrier, ctx)
    await ctx.run_mutation(retrier.report, {"refused": False})


async def reports_late(retrier: Jobs, ctx: Any) -> None:
    await ctx.run_action(retrier.action)
    await ctx.sleep(2000)


@pytest.mark.parametrize(
    ("after_ms", "cause"),
    [
        pytest.param(50, "timeout", id="before its effect"),
        pytest.param(95, "timeout", id="after its effect, before its end"),
        pytest.param(150, "repeated", id="after its end"),
    ],
)
def test_an_attempt_that_another_one_overtakes_was_given_up(after_ms: float, cause: str) -> None:
    latency = {"action": {"latency": {"constant": "100ms"}, "effect_at": 0.9}}
    assert causes(Again(after_ms), more=latency) == {cause: 1}


@pytest.mark.parametrize("outcome", ["ack_lost", "crash_after_effect"])
def test_what_an_overtaken_attempt_becomes_later_is_not_to_blame(outcome: str) -> None:
    script = {"action": {"script": [{"outcome": outcome, "latency": "100ms"}, {"outcome": "success"}]}}
    assert causes(Again(50), more=script) == {"timeout": 1}
    assert causes(Again(150), more=script) == {outcome: 1}


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (once, {"repeated": 1}),
        (twice, {"repeated": 3}),
        (report_refused, {"report_lost": 1}),
        (refusal_swallowed, {"report_lost": 1}),
        (reported_at_last, {"repeated": 1}),
        (reports_late, {"timeout": 1}),
    ],
)
def test_a_report_is_lost_only_if_it_is_refused(handler: Handler, expected: dict[str, int]) -> None:
    assert causes(Jobs(handler)) == expected


def test_a_success_that_an_operators_cancel_keeps_out_of_its_job_is_a_lost_report() -> None:
    cancel = {"cancel": {"share": 1, "after": {"constant": "50ms"}, "target": "action"}}
    assert causes(Again(150), more=cancel) == {"report_lost": 1}
