"""Restarts: nothing in memory survives, everything that was committed does."""

from collections.abc import Callable
from typing import Any

import pytest
from started import started

from sim.convex.contexts import MutationContext
from sim.convex.functions import action, mutation
from sim.history.vocabulary import Cause
from sim.laws.distributions import Constant
from sim.retriers.ports.component import Component
from sim.scenario.load import from_dict

MS = 1_000_000
MakeBench = Callable[..., Any]


def latencies(latency_ms: float = 0, window_ms: float = 0, dispatch_ms: float = 0) -> dict[str, Any]:
    lasting = {"mutation_latency": latency_ms, "commit_window": window_ms, "dispatch_latency": dispatch_ms}
    return {name: Constant(value_ns=round(ms * MS)) for name, ms in lasting.items() if ms}


def noting(ran: list[Any]) -> Any:
    return mutation("note", lambda ctx, args: ran.append((args, ctx.now_ms)))


def duplicates(b: Any) -> dict[str, int]:
    return {Cause(cause).name: n for cause, n in enumerate(b.request.duplicates or ()) if n}


# Actions: at most once.


def test_an_action_that_was_running_is_failed_after_the_boot_and_not_started_again(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(0, b.action))
    b.restart_at(20, down_ms=100)
    b.run()
    assert (b.steps(0), b.request.attempts) == ([(0, "inProgress"), (120, "failed")], 1)


def test_a_dead_execution_runs_no_further(bench: MakeBench) -> None:
    b, passed = bench(), []

    async def run(ctx: Any, _: Any) -> None:
        for step in range(5):
            passed.append(step)
            await ctx.sleep(10)
        await ctx.run_after(0, noting(passed))

    b.call(lambda ctx: ctx.run_after(0, action("run", run)))
    b.restart_at(15)
    b.run()
    assert (passed, b.states()) == ([0, 1], ["failed"])


@pytest.mark.parametrize(("inflight", "expected"), [("continues", [45]), ("lost", [])])
def test_an_effect_in_flight_comes_or_is_lost_as_the_plan_says(
    bench: MakeBench, inflight: str, expected: list[float]
) -> None:
    b = bench(effect_at=0.9)

    b.call(lambda ctx: ctx.run_after(0, b.action))
    b.at(20, lambda: b.deployment.restart(0, inflight))
    b.run()
    assert b.when("effect") == expected


def test_an_effect_that_was_done_stays_done(bench: MakeBench) -> None:
    b = bench(effect_at=0.2)
    b.call(lambda ctx: ctx.run_after(0, b.action))
    b.restart_at(20)
    b.run()
    assert b.when("effect") == [10]


def test_a_dead_execution_has_its_end_in_the_history(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(0, b.action))
    b.restart_at(20, down_ms=5)
    b.run()
    assert [(event.t_ns / MS, event.end) for event in b.events("attempt_end")] == [(20, "died")]


def test_an_unseen_execution_dies_with_the_others(bench: MakeBench) -> None:
    b = bench(script=[("lost_contact", 100)], numbers={"death": 0.1})
    b.call(lambda ctx: ctx.run_after(0, b.action))
    b.restart_at(50)
    b.run()
    assert (b.when("attempt_end"), b.deployment.executor.unseen, b.when("effect")) == ([50], [], [100])


def test_an_execution_that_died_before_the_restart_is_failed_at_the_boot(bench: MakeBench) -> None:
    b = bench(script=[("crash_after_effect", 10)], crash_detection="1s")
    b.call(lambda ctx: ctx.run_after(0, b.action))
    b.restart_at(50, down_ms=7)
    b.run()
    assert b.steps(0) == [(0, "inProgress"), (57, "failed")]


def test_a_job_canceled_before_the_restart_stays_canceled(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(0, b.action))
    b.at(10, lambda: b.deployment.cancel_from_dashboard(b.request, ["action"]))
    b.restart_at(20)
    b.run()
    assert b.steps(0) == [(0, "inProgress"), (10, "canceled")]


# Mutations: exactly once.


@pytest.mark.parametrize("at_ms", [0.5, 1, 4, 6, 6.5, 7, 9.999999, 10, 10.000001, 14])
def test_a_scheduled_mutation_commits_once_wherever_the_restart_hits_it(bench: MakeBench, at_ms: float) -> None:
    # The client's snapshot is at 2 and its commit at 6; the job is dispatched until 9 and commits at 15.
    b = bench(**latencies(latency_ms=2, window_ms=4, dispatch_ms=3))
    b.call(lambda ctx: ctx.run_after(0, mutation("note", lambda _ctx, _args: None)))
    b.restart_at(at_ms, down_ms=1)
    b.run()
    commits = [event.job for event in b.events("commit") if event.function == "note"]
    assert (len(commits), b.states()) == (1, ["success"])


def test_a_mutation_waiting_between_reruns_starts_anew_after_the_boot(bench: MakeBench) -> None:
    b, ran = bench(**latencies(window_ms=4), numbers={"occ_backoff": 1 - 2**-53}), []
    b.store.define("items")

    def handler(ctx: MutationContext, _: Any) -> None:
        ran.append(ctx.now_ms)
        ctx.get("items:1")

    def disturb() -> None:
        b.commit_now(lambda ctx: ctx.insert("items", {}), b.new_request(9))

    b.call(lambda ctx: ctx.run_after(10, mutation("look", handler)))
    b.at(12, disturb)  # refused at 14, so it would look again at 114
    b.restart_at(20, down_ms=5)
    b.run()
    assert (ran, b.states()) == ([10, 25], ["success"])


def test_a_job_that_was_being_dispatched_starts_anew_after_the_boot(bench: MakeBench) -> None:
    b, ran = bench(**latencies(dispatch_ms=50)), []
    b.call(lambda ctx: ctx.run_after(0, noting(ran)))
    b.restart_at(20, down_ms=5)
    b.run()
    assert ran == [(None, 75)]


def test_pending_jobs_run_after_the_boot_in_their_order(bench: MakeBench) -> None:
    b, ran = bench(), []

    def handler(ctx: MutationContext) -> None:
        for delay_ms in (40, 30, 200, 10):
            ctx.run_after(delay_ms, noting(ran), delay_ms)

    b.call(handler)
    b.restart_at(20, down_ms=100)
    b.run()
    assert ran == [(10, 10), (30, 120), (40, 120), (200, 200)]


def test_a_mutation_canceled_while_the_server_is_down_does_not_run(bench: MakeBench) -> None:
    b, ran = bench(), []
    b.call(lambda ctx: ctx.run_after(30, noting(ran)))
    b.restart_at(20, down_ms=100)
    b.at(50, lambda: b.deployment.cancel_from_dashboard(b.request, ["note"]))
    b.run()
    assert (ran, b.states()) == ([], ["canceled"])


def test_what_an_action_had_scheduled_stays_scheduled(bench: MakeBench) -> None:
    b, ran = bench(), []

    async def run(ctx: Any, _: Any) -> None:
        await ctx.run_after(100, noting(ran))
        await ctx.sleep(50)

    b.call(lambda ctx: ctx.run_after(0, action("run", run)))
    b.restart_at(20)
    b.run()
    assert (ran, b.states()) == ([(None, 100)], ["failed", "success"])


def test_a_mutation_an_action_had_called_dies_with_it(bench: MakeBench) -> None:
    b = bench(**latencies(window_ms=4))
    b.store.define("items")

    async def run(ctx: Any, _: Any) -> None:
        await ctx.run_mutation(mutation("insert", lambda ctx, _: ctx.insert("items", {})))

    # The action starts at 4 and its mutation would commit at 8.
    b.call(lambda ctx: ctx.run_after(0, action("run", run)))
    b.restart_at(6)
    b.run()
    assert (b.store.documents, b.states(), b.store.tables["items"].created) == ({}, ["failed"], 1)


# Clients.


def test_a_clients_call_waits_for_the_boot(bench: MakeBench) -> None:
    b, ran = bench(), []
    b.restart_at(20, down_ms=100)
    b.at(50, lambda: b.call(lambda ctx: ran.append(ctx.now_ms)))
    b.run()
    assert ran == [120]


def test_a_clients_call_that_meets_a_restart_is_made_again(bench: MakeBench) -> None:
    b, ran = bench(**latencies(window_ms=10)), []
    b.at(15, lambda: b.call(lambda ctx: ran.append(ctx.now_ms)))
    b.restart_at(20, down_ms=100)
    b.run()
    assert (ran, len(b.events("commit"))) == ([15, 120], 1)


def test_the_snapshot_of_a_mutation_that_was_lost_is_let_go(bench: MakeBench) -> None:
    b = bench(**latencies(window_ms=10))
    b.store.define("items")
    b.call(lambda ctx: ctx.insert("items", {"n": 0}))
    b.run()
    b.call(lambda ctx: ctx.run_after(0, mutation("look", lambda ctx, _: ctx.get("items:1"))))
    b.restart_at(25)
    b.run()
    b.call(lambda ctx: ctx.patch("items:1", {"n": 1}))
    b.run()
    assert b.store.documents["items:1"].previous is None


# Slots.


@pytest.mark.parametrize("down_ms", [0, 7])
@pytest.mark.parametrize("at_ms", [0, 3, 5, 6, 10, 20, 33])
def test_a_restart_leaves_as_many_slots_as_there_were(bench: MakeBench, at_ms: float, down_ms: float) -> None:
    b = bench(parallelism=2, **latencies(latency_ms=1, window_ms=2, dispatch_ms=3))

    def handler(ctx: MutationContext) -> None:
        for number in range(6):
            ctx.run_after(number, noting([]))
            ctx.run_after(number, b.action)

    b.call(handler)
    b.restart_at(at_ms, down_ms)
    b.run()
    executor = b.deployment.executor
    assert (executor.free, executor.starting, executor.running, executor.waiting) == (2, {}, {}, [])


def test_two_restarts_at_one_instant_leave_as_many_slots_as_there_were(bench: MakeBench) -> None:
    b, running, most = bench(parallelism=1), [0], [0]

    async def run(ctx: Any, _: Any) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await ctx.sleep(10)
        running[0] -= 1

    b.call(lambda ctx: [ctx.run_after(delay_ms, action("run", run)) for delay_ms in (0, 1, 2, 3)])
    b.at(5, lambda: (b.deployment.restart(0), running.__setitem__(0, 0)))
    b.at(5, lambda: b.deployment.restart(0))
    b.run()
    assert (most, b.deployment.executor.free) == ([1], 1)


# Healing.


@pytest.mark.parametrize(("heals_at", "downs_ms"), [("30ms", [20]), ("20ms", []), ("40ms", [20]), ("41ms", [20, 40])])
def test_from_the_healing_on_the_server_stays_up(
    shared_world: Callable[..., Any], heals_at: str, downs_ms: list[float]
) -> None:
    scenario = {
        "world": "shared",
        "retrier": "helpers",
        "requests": {"count": 1},
        "platform": {"profile": "ideal"},
        "faults": [{"restart": {"at": ["20ms", "40ms"], "down": "5ms"}}],
        "heals_at": heals_at,
    }
    world = shared_world(from_dict(scenario))
    assert [event.t_ns / MS for event in world.events if event.kind == "restart"] == downs_ms


def test_restarts_at_a_rate_end_with_the_healing_too(shared_world: Callable[..., Any]) -> None:
    scenario = {
        "world": "shared",
        "retrier": "component",
        "requests": {"count": 20, "arrivals": {"constant": {"rate": "1/s"}}},
        "faults": [{"restart": {"rate": "2/s"}}],
        "heals_at": "5s",
    }
    world = shared_world(from_dict(scenario))
    at_ns = [event.t_ns for event in world.events if event.kind == "restart"]
    assert (len(at_ns) > 3, max(at_ns) < 5_000 * MS, world.events[-1].t_ns > 19_000 * MS) == (True, True, True)


def test_a_server_that_is_down_when_the_world_heals_comes_back(shared_world: Callable[..., Any]) -> None:
    scenario = {
        "world": "shared",
        "retrier": "helpers",
        "requests": {"count": 1},
        "platform": {"profile": "ideal"},
        "action": {"outcomes": {"fail": 1.0}},
        "faults": [{"restart": {"at": ["20ms"], "down": "5s"}}],
        "heals_at": "1s",
    }
    world = shared_world(from_dict(scenario))
    assert (world.requests[0].outcome.name, world.broken_promises()) == ("success", [])


# What the component makes of it.


@pytest.mark.parametrize(
    ("at_ms", "causes"),
    [
        pytest.param(20, {"timeout": 1}, id="before the effect, which then comes from a dead execution"),
        pytest.param(50, {"crash_after_effect": 1}, id="after the effect"),
        pytest.param(56, {"crash_after_effect": 1}, id="after the return, before the report"),
        pytest.param(60, {}, id="after the report"),
    ],
)
def test_what_a_duplicate_after_a_restart_is_charged_to(bench: MakeBench, at_ms: float, causes: dict[str, int]) -> None:
    # Submitted at 4, the action has its effect at 49 and returns at 54; its report commits at 58.
    b = bench(effect_at=0.9, **latencies(window_ms=4))
    b.restart_at(at_ms)
    started(b, Component())
    assert (b.request.outcome.name, duplicates(b)) == ("success", causes)


def test_upstream_bug_a_second_restart_during_the_same_request_leaves_it_stuck(bench: MakeBench) -> None:
    b = bench()
    b.restart_at(20)
    b.restart_at(10_520)  # the retry of the repair at the heartbeat runs from 10 500
    started(b, Component())
    assert (b.request.outcome.name, b.states()) == ("open", ["failed", "success", "failed"])


def test_a_mutation_that_runs_again_after_a_death_draws_new_numbers(bench: MakeBench) -> None:
    b = bench(commit_window=Constant(value_ns=10 * MS))
    drawing = mutation("drawing", lambda ctx, _: ctx.uniform("jitter", 3))
    b.call(lambda ctx: ctx.run_after(5, drawing))
    b.restart_at(20)
    b.run()
    assert [address for address in b.numbers.asked if address[0] == "jitter"] == [
        ("jitter", 0, 3, 0),
        ("jitter", 0, 3, 1),
    ]
