"""What queries, mutations and actions can do, and what goes when they throw."""

from collections.abc import Callable
from typing import Any

import pytest

from sim.convex.contexts import MutationContext
from sim.convex.functions import FunctionError, action, mutation
from sim.history.vocabulary import NEVER, Outcome
from sim.laws.distributions import Constant

MS = 1_000_000
MakeBench = Callable[..., Any]


def throw(_ctx: Any, _args: Any) -> None:
    raise FunctionError("no")


# Sub-transactions: a mutation called inside a mutation.


def writing_then_throwing(ctx: MutationContext, note: Any) -> None:
    ctx.insert("items", {"n": 2})
    ctx.run_after(0, note)
    ctx.cancel(0)
    ctx.uniform("some", 1)
    ctx.settle(Outcome.gave_up)
    raise FunctionError("no")


def test_only_the_writes_of_a_sub_transaction_that_throws_are_rolled_back(bench: MakeBench) -> None:
    b, ran = bench(), []
    b.store.define("items")
    note = mutation("note", lambda _ctx, _args: ran.append("ran"))

    def handler(ctx: MutationContext) -> None:
        ctx.insert("items", {"n": 1})
        ctx.run_after(5, note)
        with pytest.raises(FunctionError):
            ctx.run_mutation(mutation("part", writing_then_throwing), note)
        ctx.insert("items", {"n": 3})

    b.call(handler)
    b.run()
    numbers = [version.document["n"] for version in b.store.documents.values()]
    assert (numbers, ran, b.states()) == ([1, 3], ["ran"], ["success"])


def test_a_conclusion_of_a_sub_transaction_that_throws_is_rolled_back_too(bench: MakeBench) -> None:
    b = bench()
    b.store.define("items")

    def handler(ctx: MutationContext) -> None:
        with pytest.raises(FunctionError):
            ctx.run_mutation(mutation("part", writing_then_throwing), mutation("note", throw))

    b.call(handler)
    assert b.request.settled_ns == NEVER


def test_draws_of_a_sub_transaction_that_throws_stay_drawn(bench: MakeBench) -> None:
    b = bench()
    b.store.define("items")

    def handler(ctx: MutationContext) -> None:
        ctx.uniform("before", 0)
        with pytest.raises(FunctionError):
            ctx.run_mutation(mutation("part", writing_then_throwing), mutation("note", throw))
        ctx.uniform("after", 0)

    b.call(handler)
    assert [event.stream for event in b.events("draw")] == ["before", "some", "after"]


def test_a_sub_transaction_sees_the_callers_writes_and_its_own_stay(bench: MakeBench) -> None:
    b = bench()
    b.store.define("items")
    add = mutation("add", lambda ctx, item: ctx.patch(item, {"n": ctx.get(item)["n"] + 1}))

    def handler(ctx: MutationContext) -> int:
        item = ctx.insert("items", {"n": 1})
        ctx.run_mutation(add, item)
        return ctx.get(item)["n"]

    assert b.call(handler) == [2]


def test_what_a_sub_transaction_throws_and_nobody_catches_rolls_everything_back(bench: MakeBench) -> None:
    b = bench()
    b.store.define("items")

    def handler(ctx: MutationContext) -> None:
        ctx.insert("items", {"n": 1})
        ctx.run_mutation(mutation("part", throw))

    answers = b.call(handler)
    assert (isinstance(answers[0], FunctionError), b.store.documents) == (True, {})


def test_a_client_gets_what_its_mutation_returns(bench: MakeBench) -> None:
    assert bench().call(lambda _: "answer") == ["answer"]


# Actions.


def run_action(b: Any, handler: Callable[[Any], Any]) -> Any:
    async def run(ctx: Any, _: Any) -> None:
        await handler(ctx)

    b.call(lambda ctx: ctx.run_after(0, action("run", run)))
    return b.run()


def test_each_mutation_of_an_action_is_a_transaction_of_its_own(bench: MakeBench) -> None:
    b = bench()
    b.store.define("items")

    async def handler(ctx: Any) -> None:
        await ctx.run_mutation(mutation("first", lambda ctx, _: ctx.insert("items", {"n": 1})))
        with pytest.raises(FunctionError):
            await ctx.run_mutation(mutation("second", throw))
        await ctx.run_mutation(mutation("third", lambda ctx, _: ctx.insert("items", {"n": 3})))
        raise FunctionError("no")

    run_action(b, handler)
    numbers = [version.document["n"] for version in b.store.documents.values()]
    assert (numbers, b.states()) == ([1, 3], ["failed"])


def test_a_query_of_an_action_sees_a_snapshot_of_its_moment(bench: MakeBench) -> None:
    b, seen = bench(), []
    b.store.define("items")
    count = mutation("count", lambda ctx, _: len(ctx.query("items")))

    async def handler(ctx: Any) -> None:
        seen.append(await ctx.run_query(count))
        await ctx.sleep(10)
        seen.append(await ctx.run_query(count))

    b.at(5, lambda: b.call(lambda ctx: ctx.insert("items", {})))
    run_action(b, handler)
    assert seen == [0, 1]


def test_a_query_inside_a_mutation_sees_what_it_has_written(bench: MakeBench) -> None:
    b = bench()
    b.store.define("items")
    count = mutation("count", lambda ctx, _: len(ctx.query("items")))

    def handler(ctx: MutationContext) -> Any:
        ctx.insert("items", {})
        return ctx.run_query(count)

    assert b.call(handler) == [1]


def test_an_action_that_calls_the_users_action_learns_how_it_ended(bench: MakeBench) -> None:
    b, told = bench(script=[("fail", 10), ("success", 20)]), []

    async def handler(ctx: Any) -> None:
        with pytest.raises(FunctionError, match="the action failed"):
            await ctx.run_action(b.action)
        told.append(("failed", ctx.now_ns / MS))
        await ctx.run_action(b.action)
        told.append(("returned", ctx.now_ns / MS))

    run_action(b, handler)
    assert (told, b.request.attempts, b.request.actions) == ([("failed", 10), ("returned", 30)], 2, 1)


def test_time_of_actions_is_counted_while_they_run(bench: MakeBench) -> None:
    b = bench(script=[("fail", 10), ("success", 20)])

    async def handler(ctx: Any) -> None:
        await ctx.sleep(5)
        await ctx.run_action(b.action)

    run_action(b, handler)
    assert (b.request.action_ns, b.states()) == (15 * MS, ["failed"])


def test_committed_mutations_are_counted_and_those_that_throw_are_not(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(0, mutation("throw", throw)))
    b.run()
    assert b.request.mutations == 1


# Draws.


def test_a_draw_has_the_address_of_its_request(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.uniform("some", 3), b.new_request(7))
    assert b.numbers.asked == [("some", 7, 3, 0)]


def test_an_action_draws_by_the_same_addresses(bench: MakeBench) -> None:
    b = bench()

    async def handler(ctx: Any) -> None:
        ctx.uniform("some", 3)

    run_action(b, handler)
    assert (b.numbers.asked, len(b.events("draw"))) == ([("some", 0, 3, 0)], 1)


# Settling.


def test_the_first_conclusion_stands(bench: MakeBench) -> None:
    b = bench()
    b.at(3, lambda: b.call(lambda ctx: ctx.settle(Outcome.success)))
    b.at(5, lambda: b.call(lambda ctx: ctx.settle(Outcome.canceled)))
    b.run()
    assert (b.request.outcome, b.request.settled_ns, len(b.events("settled"))) == (Outcome.success, 3 * MS, 1)


def test_a_conclusion_counts_from_the_instant_that_its_mutation_wrote_down(bench: MakeBench) -> None:
    b = bench()
    b.at(3, lambda: b.call(lambda ctx: ctx.settle(Outcome.success, 2 * MS)))
    b.run()
    assert b.request.settled_ns == 2 * MS


def test_a_mutation_that_throws_concludes_nothing(bench: MakeBench) -> None:
    b = bench()

    def handler(ctx: MutationContext) -> None:
        ctx.settle(Outcome.success)
        raise FunctionError("no")

    b.call(handler)
    assert b.request.settled_ns == NEVER


def test_an_attempt_that_ends_between_the_snapshot_and_the_commit_had_not_ended_when_the_request_settled(
    bench: MakeBench,
) -> None:
    b = bench(commit_window=Constant(value_ns=4 * MS))
    b.call(lambda ctx: ctx.run_after(0, b.action))  # it runs from 4 to 54
    b.at(52, lambda: b.call(lambda ctx: ctx.settle(Outcome.canceled, ctx.now_ns)))
    b.run()
    request = b.request
    assert (request.settled_ns, request.known_attempt_end_ns, request.last_attempt_end_ns) == (52 * MS, NEVER, 54 * MS)
