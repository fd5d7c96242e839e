"""Optimistic concurrency in the deployment: mutations that overlap run again, each kind by its own rule."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from sim.convex.contexts import MutationContext
from sim.convex.functions import ConflictsExhausted, FunctionError, action, mutation
from sim.convex.platform import Backoff
from sim.history.vocabulary import Cause
from sim.laws.distributions import Constant, Uniform
from sim.retriers.ports.component import Component

MS = 1_000_000
MakeBench = Callable[..., Any]
WINDOW = Constant(value_ns=4 * MS)


def add(ctx: MutationContext, _: Any = None) -> int:
    """Add one to a counter; two of these that overlap conflict."""
    n = ctx.get("counters:1")["n"] + 1
    ctx.patch("counters:1", {"n": n})
    return n


def counting(bench: MakeBench, **options: Any) -> Any:
    """Return a bench with a counter at 0 and a window before each commit."""
    b = bench(**{"commit_window": WINDOW, **options})
    b.store.define("counters")
    b.call(lambda ctx: ctx.insert("counters", {"n": 0}))
    b.run()
    return b


def count(b: Any) -> int:
    return b.store.document_at("counters:1", b.store.last_ts)["n"]


def disturb(b: Any, *at_ms: float) -> None:
    """Let the platform itself add to the counter, at once, at these instants."""

    def now() -> None:
        b.commit_now(add, b.new_request(9))

    for instant in at_ms:
        b.at(instant, now)


# Conflicts happen, and none is lost.


def test_mutations_that_overlap_conflict_and_are_rerun(bench: MakeBench) -> None:
    b = counting(bench)
    b.at(10, lambda: (b.call(add), b.call(add)))
    b.run()
    assert (count(b), b.request.conflicts, len(b.events("conflict"))) == (2, 1, 1)


def test_mutations_one_after_the_other_do_not_conflict(bench: MakeBench) -> None:
    b = counting(bench)
    b.at(10, lambda: b.call(add))
    b.at(14.000001, lambda: b.call(add))
    b.run()
    assert (count(b), b.request.conflicts) == (2, 0)


def test_without_a_window_nothing_conflicts(bench: MakeBench) -> None:
    b = counting(bench, commit_window=None)
    b.at(10, lambda: [b.call(add) for _ in range(10)])
    b.run()
    assert (count(b), b.request.conflicts) == (10, 0)


def test_many_that_overlap_are_all_counted_once(bench: MakeBench) -> None:
    b = counting(bench, numbers={"occ_backoff": 0.0}, occ_reruns=9)
    b.at(10, lambda: [b.call(add) for _ in range(10)])
    b.run()
    # One of those left commits in each round, and all others are refused.
    assert (count(b), b.request.conflicts) == (10, sum(range(10)))


def test_a_rerun_takes_a_new_snapshot_and_fresh_numbers(bench: MakeBench) -> None:
    b, seen = counting(bench, numbers={"some": [0.25, 0.75]}), []

    def handler(ctx: MutationContext) -> None:
        seen.append((ctx.uniform("some", 3), ctx.get("counters:1")["n"]))
        add(ctx)

    b.at(10, lambda: b.call(handler))
    disturb(b, 12)
    b.run()
    asked = [address for address in b.numbers.asked if address[0] == "some"]
    assert (seen, asked) == ([(0.25, 0), (0.75, 1)], [("some", 0, 3, 0), ("some", 0, 3, 1)])


def test_draws_of_a_refused_mutation_stay_drawn(bench: MakeBench) -> None:
    b = counting(bench)
    b.at(10, lambda: b.call(lambda ctx: (ctx.uniform("some", 3), add(ctx))))
    disturb(b, 12)
    b.run()
    assert len(b.events("draw")) == 2


def test_jobs_of_a_refused_mutation_do_not_exist(bench: MakeBench) -> None:
    b = counting(bench)
    note = mutation("note", lambda _ctx, _args: None)
    b.at(10, lambda: b.call(lambda ctx: (ctx.run_after(0, note), add(ctx))))
    disturb(b, 12)
    b.run()
    assert (len(b.store.jobs), len(b.events("job"))) == (1, 1)


# Called mutations give up after four reruns.


def test_a_clients_mutation_gives_up_after_four_reruns(bench: MakeBench) -> None:
    b = counting(bench, numbers={"occ_backoff": 0.0})
    answers: list[Any] = []
    b.at(10, lambda: answers.append(b.call(add)))
    disturb(b, 11, 15, 19, 23, 27)
    b.run()
    assert (type(answers[0][0]), b.request.conflicts, count(b)) == (ConflictsExhausted, 5, 5)


def test_a_clients_mutation_may_succeed_at_its_fourth_rerun(bench: MakeBench) -> None:
    b = counting(bench, numbers={"occ_backoff": 0.0})
    answers: list[Any] = []
    b.at(10, lambda: answers.append(b.call(add)))
    disturb(b, 11, 15, 19, 23)
    b.run()
    assert (answers[0], b.request.conflicts) == ([5], 4)


def test_the_error_reaches_the_action_that_called(bench: MakeBench) -> None:
    b, caught = counting(bench, numbers={"occ_backoff": 0.0}), []

    async def run(ctx: Any, _: Any) -> None:
        try:
            await ctx.run_mutation(mutation("add", add))
        except ConflictsExhausted as error:
            caught.append((str(error), ctx.now_ns / MS))
            raise

    b.at(6, lambda: b.call(lambda ctx: ctx.run_after(4, action("run", run))))
    disturb(b, 11, 15, 19, 23, 27)
    b.run()
    assert (caught, b.states()) == ([("add lost 5 times", 30)], ["failed"])


def test_an_error_of_the_function_itself_is_not_rerun(bench: MakeBench) -> None:
    b = counting(bench)

    def throw(ctx: MutationContext) -> None:
        add(ctx)
        raise FunctionError("no")

    answers: list[Any] = []
    b.at(10, lambda: answers.append(b.call(throw)))
    disturb(b, 11)
    b.run()
    assert (str(answers[0][0]), b.request.conflicts) == ("no", 0)


# Scheduled mutations run again until they commit.


def test_a_scheduled_mutation_is_rerun_until_it_commits(bench: MakeBench) -> None:
    b = counting(bench, numbers={"occ_backoff": 0.0})
    b.at(6, lambda: b.call(lambda ctx: ctx.run_after(4, mutation("add", add))))
    disturb(b, *range(11, 211, 4))
    b.run()
    assert (b.request.conflicts, b.states(), b.steps(0)) == (50, ["success"], [(214, "success")])


def test_a_scheduled_mutation_keeps_its_slot_between_reruns(bench: MakeBench) -> None:
    b, ran = counting(bench, numbers={"occ_backoff": 0.5}, parallelism=1), []

    def handler(ctx: MutationContext) -> None:
        ctx.run_after(4, mutation("add", add))
        ctx.run_after(4, mutation("note", lambda ctx, _: ran.append(ctx.now_ms)))

    b.at(6, lambda: b.call(handler))
    disturb(b, 11)
    b.run()
    # 14 refused, 50 of backoff, commit at 68; only then the other one runs.
    assert (ran, b.steps(0)) == ([68], [(68, "success")])


def test_a_scheduled_mutation_canceled_in_its_window_does_not_commit(bench: MakeBench) -> None:
    b = counting(bench)
    b.at(6, lambda: b.call(lambda ctx: ctx.run_after(4, mutation("add", add))))
    b.at(12, lambda: b.deployment.cancel_from_dashboard(b.request, ["add"]))
    b.run()
    assert (count(b), b.states(), b.deployment.executor.starting) == (0, ["canceled"], {})


def test_two_scheduled_mutations_at_the_same_instant_both_count(bench: MakeBench) -> None:
    b = counting(bench, numbers={"occ_backoff": [0.1, 0.9]})

    def handler(ctx: MutationContext) -> None:
        ctx.run_after(10, mutation("add", add))
        ctx.run_after(10, mutation("add", add))

    b.call(handler)
    b.run()
    assert (count(b), b.states(), b.request.conflicts) == (2, ["success", "success"], 1)


# The backend's backoff.


@pytest.mark.parametrize(
    ("failures", "ceiling_ms"), [(0, 100), (1, 200), (2, 400), (3, 800), (4, 1600), (5, 2000), (6, 2000), (1000, 2000)]
)
@pytest.mark.parametrize("uniform", [0.0, 0.25, 1 - 2**-53])
def test_backoff_is_full_jitter(bench: MakeBench, failures: int, ceiling_ms: int, uniform: float) -> None:
    b = bench(numbers={"backoff": uniform})
    backoff = Backoff(initial=100 * MS, max=2000 * MS)
    assert b.server.full_jitter(backoff, "backoff", b.request, failures) == round(uniform * ceiling_ms * MS)


@pytest.mark.parametrize(
    ("caller", "delays_ms"),
    [
        ("client", [50, 100, 200, 400]),
        ("scheduler", [50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]),
    ],
)
def test_reruns_wait_longer_and_longer_up_to_their_own_maximum(
    bench: MakeBench, caller: str, delays_ms: list[float]
) -> None:
    b, snapshots = counting(bench), []

    def handler(ctx: MutationContext, _: Any = None) -> None:
        snapshots.append(ctx.now_ms)
        add(ctx)
        if len(snapshots) <= len(delays_ms):
            disturb(b, ctx.now_ms + 1)

    if caller == "scheduler":
        b.at(6, lambda: b.call(lambda ctx: ctx.run_after(4, mutation("add", handler))))
    else:
        b.at(10, lambda: b.call(handler))
    b.run()
    # Numbers are 0.5, and 4 of each gap are the window.
    gaps = [later - earlier - 4 for earlier, later in pairwise(snapshots)]
    assert gaps == delays_ms


def test_backoffs_draw_by_an_address_of_their_own_each(bench: MakeBench) -> None:
    b = counting(bench, commit_window=Uniform(low_ns=4 * MS, high_ns=4 * MS + 1))
    b.at(10, lambda: (b.call(add), b.call(add)))
    disturb(b, 11, 62)
    b.run()
    backoffs = [address for address in b.numbers.asked if address[0] == "occ_backoff"]
    assert len(backoffs) == len(set(backoffs)) > 2


# The component: what its report costs when it is lost.


def run_component(b: Any) -> Component:
    retrier = Component()
    retrier.bind(b.action)
    for name, indexes in retrier.tables.items():
        b.store.define(name, indexes)
    b.retrier = retrier
    b.call(retrier.submit)
    return retrier


def lose_the_report(b: Any) -> None:
    """Touch the run in each window of its first finishExecution: 50 ms of action from 4 ms on, then 5 snapshots."""

    def touch() -> None:
        b.commit_now(lambda ctx: ctx.patch("runs:1", {"touched": True}), b.new_request(9))

    for at_ms in (55, 59, 63, 67, 71):
        b.at(at_ms, touch)


def test_a_report_that_is_lost_leaves_the_run_untouched_and_the_job_failed(bench: MakeBench) -> None:
    b = bench(commit_window=WINDOW, numbers={"occ_backoff": 0.0})
    run_component(b)
    lose_the_report(b)
    b.run(until_ms=1000)
    run = b.store.document_at("runs:1", b.store.last_ts)
    assert (run["state"]["type"], run["numFailures"], b.states()) == ("inProgress", 0, ["failed", "pending"])


def test_a_heartbeat_repairs_a_lost_report_and_the_second_effect_is_charged_to_it(bench: MakeBench) -> None:
    b = bench(commit_window=WINDOW, numbers={"occ_backoff": 0.0})
    run_component(b)
    lose_the_report(b)
    b.run()
    duplicates = {Cause(cause).name: n for cause, n in enumerate(b.request.duplicates) if n}
    assert (b.request.outcome.name, b.request.attempts, duplicates) == ("success", 2, {"report_lost": 1})
