"""What each function reads and writes: read sets as conflicts see them, and the order of its writes."""

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pooled import Pooled, S

from sim.convex.contexts import MutationContext
from sim.retriers.ports import workpool

GLOBALS, STATE = "globals t", "internalState t"
WORKERS, WORKER_STATE = "workers i(name)", "workerState p"
MONITOR = ["monitor I", "workerState P"]


def reads(p: Pooled, handler: Callable[[MutationContext], Any] | str) -> set[str]:
    """Return the read set of a mutation of now, without its own job, and without what it has written."""
    context = p.open(handler)
    p.store.release(context)
    own = {} if context.writes is None else context.writes
    created = {document_id for document_id in own if p.store.document_at(document_id, p.store.last_ts) is None}
    context.reads = [one for one in context.reads if one not in created]
    if context.job is not None:
        context.reads.remove(context.job.id)
    return set(p.reads(context))


def at_next(p: Pooled, name: str = "loop") -> set[str]:
    """Return the read set of the next run of a scheduled mutation."""
    found: list[set[str]] = []
    at_ms = p.pending(name).due_ns / 1_000_000
    p.at(at_ms, lambda: found.append(reads(p, name)))
    p.run(at_ms)
    return found[0]


def idle() -> Pooled:
    p = Pooled()
    p.enqueue(0)
    return p.run()


def busy(latency: str = "success 30s", **options: Any) -> tuple[Pooled, str]:
    p = Pooled(latency, **options)
    work_id = p.enqueue(0)
    return p.run(300), work_id


def adding(p: Pooled) -> Callable[[MutationContext], Any]:
    return lambda ctx: p.pool.enqueue(ctx, p.request(9))


# enqueue


def test_an_enqueue_beside_a_running_loop_reads_settings_and_worker() -> None:
    p, _ = busy()
    assert reads(p, adding(p)) == {GLOBALS, WORKERS}
    p.enqueue(1)
    assert p.writes("app") == ["work I", "pendingStart I", "work P"]


def test_an_enqueue_that_wakes_an_idle_worker() -> None:
    p = idle()
    assert reads(p, adding(p)) == {GLOBALS, WORKERS, WORKER_STATE, "workers p"}
    p.enqueue(1)
    woken = ["workers P", "loop I", "workerState P", *MONITOR]
    assert p.writes("app") == [*woken, "work I", "pendingStart I", "work P"]


def test_an_enqueue_that_wakes_a_sleeping_worker_cancels_its_runner() -> None:
    p = Pooled()
    p.enqueue(0, runAfter=60 * S)
    p.run(10 * S)
    assert reads(p, adding(p)) == {GLOBALS, WORKERS, WORKER_STATE, "workers p", "job loop"}
    p.enqueue(1)
    assert p.writes("app")[:4] == ["workers P", "loop canceled", "loop I", "workerState P"]


def test_an_enqueue_that_keeps_a_runner_makes_no_job() -> None:
    p = Pooled()
    p.enqueue(0, runAfter=60 * S)
    p.run(59.5 * S)
    p.enqueue(1)
    assert p.writes("app") == ["workers P", "workerState P", "work I", "pendingStart I", "work P"]


def test_the_first_enqueue_ever_makes_settings_worker_loop_and_monitor() -> None:
    p = Pooled()
    p.enqueue(0)
    made = ["workerState I", "workers I", "loop I", "workerState P", *MONITOR]
    assert p.writes("app") == ["globals I", *made, "work I", "pendingStart I", "work P"]


def test_a_batch_inserts_all_works_then_all_starts_then_patches_all_works() -> None:
    p, _ = busy()
    p.enqueue_batch(3)
    assert p.writes("app") == ["work I"] * 3 + ["pendingStart I"] * 3 + ["work P"] * 3


# cancel, cancelAll, config.update, status


def test_a_cancel_reads_the_work_and_its_cancelations() -> None:
    p, work_id = busy()
    assert reads(p, lambda ctx: p.pool.cancel(ctx, work_id)) == {
        GLOBALS,
        WORKERS,
        "work p",
        "pendingCancelation i(workId)",
    }
    p.cancel(work_id)
    assert p.writes("app") == ["pendingCancelation I"]


def test_a_cancel_of_all_reads_its_page() -> None:
    p, _ = busy()
    found = reads(p, p.pool.cancel_all)
    assert found == {
        "work i(by_creation_time)",
        GLOBALS,
        WORKERS,
        "work p",
        "pendingCancelation i(workId)",
    }


def test_a_change_of_settings_reads_the_worker_only_to_ping() -> None:
    p, _ = busy()
    update = p.pool.update_config
    assert reads(p, lambda ctx: update(ctx, maxParallelism=5)) == {GLOBALS, "globals p"}
    assert reads(p, lambda ctx: update(ctx, maxParallelism=15)) == {GLOBALS, "globals p", WORKERS}


def test_a_status_reads_work_start_and_completion() -> None:
    p, work_id = busy()
    assert reads(p, lambda ctx: p.pool.status(ctx, work_id)) == {
        "work p",
        "pendingStart i(workId)",
        "pendingCompletion i(workId)",
    }


# The loop.


def test_a_loop_that_polls_reads_worker_and_state_alone() -> None:
    p = Pooled()
    p.enqueue(0)
    p.run(900)
    assert at_next(p) == {WORKERS, WORKER_STATE}
    assert p.writes("loop") == ["loop I", "workerState P"]


def test_a_loop_that_starts_a_work() -> None:
    p = Pooled()
    p.enqueue(0)
    found = reads(p, "loop")
    first_report = "pendingStart i(segment)"
    assert found == {WORKERS, WORKER_STATE, STATE, GLOBALS, "pendingStart p", "work p", first_report}
    p.run(10)
    assert p.writes("loop", 0)[:4] == ["internalState I", "pendingStart D", "runBatch I", "internalState P"]


def test_a_loop_that_frees_a_slot_reads_no_work() -> None:
    p, _ = busy("success 310ms")
    p.run(390)
    assert at_next(p) == {WORKERS, WORKER_STATE, STATE, "internalState p", GLOBALS, "pendingCompletion p"}
    assert p.writes("loop", -2)[:2] == ["pendingCompletion D", "internalState P"]


def test_a_loop_that_plans_a_retry() -> None:
    p, _ = busy("fail 310ms", retry=True)
    p.run(390)
    assert at_next(p) == {
        *(WORKERS, WORKER_STATE, STATE, "internalState p", GLOBALS, "pendingCompletion p", "work p"),
        *("pendingCancelation i(workId)", "pendingStart i(workId)"),
    }
    assert ["pendingCompletion D", "pendingStart I", "work P", "internalState P", "loop I", "workerState P"] in [
        *p.all_writes("loop")
    ]


def test_a_loop_that_cancels_a_waiting_work() -> None:
    p, _ = busy()
    p.cancel(p.enqueue(1, runAfter=60 * S))
    assert at_next(p) == {
        *(WORKERS, WORKER_STATE, STATE, "internalState p", GLOBALS, "pendingCancelation p", "work p"),
        *("pendingStart i(workId)", "pendingStart p"),
    }
    assert [*("pendingCancelation D", "work P", "pendingStart D", "complete I", "internalState P")] in [
        writes[:5] for writes in p.all_writes("loop")
    ]


def test_cancelations_are_deleted_before_any_work_is_marked() -> None:
    p, _ = busy()
    ids = [p.enqueue(number, runAfter=60 * S) for number in (1, 2)]
    for work_id in ids:
        p.cancel(work_id)
    p.run(500)
    canceling = [writes for writes in p.all_writes("loop") if "complete I" in writes]
    assert canceling[0][:7] == [
        *["pendingCancelation D"] * 2,
        *["work P"] * 2,
        *["pendingStart D"] * 2,
        "complete I",
    ]


def test_all_retries_of_a_run_are_planned_before_a_work_is_patched() -> None:
    p = Pooled("fail 310ms", retry=True)
    p.enqueue(0, 1)
    p.run(500)
    retrying = [writes for writes in p.all_writes("loop") if "pendingCompletion D" in writes]
    assert retrying[0][:6] == [*["pendingCompletion D"] * 2, *["pendingStart I"] * 2, *["work P"] * 2]


IDLE_READS = {WORKERS, WORKER_STATE, STATE, GLOBALS, "pendingCompletion i(segment)", "pendingCancelation i(segment)"}


def past_the_cool_down(p: Pooled, before_ms: float) -> set[str]:
    p.run(before_ms)
    return at_next(p)


def test_a_loop_that_goes_idle_reads_all_ranges() -> None:
    p = Pooled()
    p.enqueue(0)
    last_ms = idle().ran("loop")[-1]
    found = past_the_cool_down(p, last_ms - 1)
    assert found == {*IDLE_READS, "pendingStart i(segment)", "job monitor", "workers p"}
    assert p.writes("loop") == ["workerState P", "monitor canceled", "workerState P", "workers P"]


def test_a_loop_that_falls_asleep_writes_the_worker_last() -> None:
    p, _ = busy()
    p.run(25 * S)
    assert p.writes("loop") == ["loop I", "workerState P", "workers P"]


def test_a_saturated_loop_that_falls_asleep_reads_no_starts() -> None:
    p, _ = busy(maxParallelism=1)
    twin, _other = busy(maxParallelism=1)
    twin.run(25 * S)
    assert past_the_cool_down(p, twin.ran("loop")[-1] - 1) == {*IDLE_READS, "workers p"}


def test_a_loop_renews_a_monitor_that_is_due_within_ten_seconds() -> None:
    p, _ = busy("success 200s")
    p.run(108 * S)
    p.enqueue(1)  # the loop runs again, for two seconds; its monitor is due at 120 s
    assert past_the_cool_down(p, 109_900) == {*IDLE_READS, "pendingStart i(segment)", "job monitor", "workers p"}
    assert p.writes("loop") == ["loop I", "workerState P", "monitor canceled", *MONITOR, "workers P"]
    assert p.pending("monitor").due_ns == 240 * 10**9


# The monitor.


def test_a_monitor_of_a_loop_that_sleeps_removes_itself() -> None:
    p, _ = busy("success 200s")
    p.run(119 * S)
    assert at_next(p, "monitor") == {WORKERS, WORKER_STATE, "job loop", "job monitor"}
    assert p.writes("monitor") == ["workerState P"]


def test_a_monitor_of_a_loop_that_runs_makes_the_next_one() -> None:
    p, _ = busy("success 200s")
    p.run(119.5 * S)
    p.enqueue(1)  # it keeps the run of the loop at 120 s, and so the monitor of that instant
    assert at_next(p, "monitor") == {WORKERS, WORKER_STATE, "job loop", "job monitor"}
    assert p.writes("monitor") == MONITOR


# complete, recover, the report


def completing(p: Pooled, work_id: str, kind: str = "success") -> Callable[[MutationContext], Any]:
    job = {"workId": work_id, "attempt": 0, "runResult": {"kind": kind}, "runOnCompleteInline": kind == "success"}
    return lambda ctx: ctx.run_mutation(p.pool.complete, {"jobs": [job]})


def test_a_completion_reads_settings_work_completions_and_worker() -> None:
    p, work_id = busy()
    found = reads(p, completing(p, work_id))
    assert found == {GLOBALS, "work p", "pendingCompletion i(workId)", WORKERS}


def test_a_completion_with_an_inline_callback_deletes_the_work_before_it_tells_the_loop() -> None:
    p, work_id = busy(onComplete="counts")
    p.mutate(completing(p, work_id))
    assert p.writes("app") == ["work P", "counters I", "work D", "pendingCompletion I"]


def test_a_completion_with_a_callback_of_its_own_schedules_it_first() -> None:
    p, work_id = busy()
    p.mutate(completing(p, work_id, "failed"))
    assert p.writes("app") == ["work P", "onComplete I", "work D", "pendingCompletion I"]


def test_a_completion_that_wakes_the_loop_pings_between_the_work_and_its_completion() -> None:
    p, work_id = busy(onComplete="none")
    p.run(20 * S)
    p.mutate(completing(p, work_id))
    woken = ["workers P", "loop canceled", "loop I", "workerState P"]
    assert p.writes("app") == ["work P", "work D", *woken, "pendingCompletion I"]


def test_a_canceled_completion_neither_pings_nor_tells_the_loop() -> None:
    p, work_id = busy(onComplete="none")
    assert WORKERS not in reads(p, completing(p, work_id, "canceled"))


def test_reads_of_a_callback_that_threw_are_kept() -> None:
    p, work_id = busy(onComplete="throw")
    real = p.pool.on_complete.handler

    def peeking(ctx: MutationContext, args: Any) -> None:
        ctx.query("counters")
        real(ctx, args)

    object.__setattr__(p.pool.on_complete, "handler", peeking)
    assert "counters t" in reads(p, completing(p, work_id))


def test_a_recovery_reads_completions_work_and_job_of_its_suspect() -> None:
    p, work_id = busy()
    job = {"workId": work_id, "scheduledId": p.jobs("runBatch")[0].id, "started": 0, "attempt": 0}
    assert reads(p, lambda ctx: ctx.run_mutation(p.pool.recover, {"jobs": [job]})) == {
        *(GLOBALS, "pendingCompletion i(workId)", "work p", "job runBatch"),
    }


def test_the_count_of_the_backlog_reads_all_starts_and_writes_nothing() -> None:
    p, _ = busy()
    count = p.pool.calculate_backlog_and_report
    assert reads(p, lambda ctx: ctx.run_mutation(count, {})) == {"pendingStart t"}


def test_a_mutation_with_large_arguments_reads_its_payload() -> None:
    p = Pooled(fnType="mutation")
    p.enqueue(0, fnArgsSize=9000)
    assert p.commit(p.open("loop"))
    assert reads(p, "runMutationWrapper") == {"payload p"}
    p.run()
    assert p.writes("runMutationWrapper") == ["complete I"]


# The source.


def test_no_function_of_the_port_is_longer_than_a_screen() -> None:
    folder = Path(inspect.getfile(workpool)).parent
    long = [
        f"{path.name}:{node.name}"
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 50
    ]
    assert long == []


@pytest.mark.parametrize(
    "module", ["client", "lib", "config", "kick", "loop", "worker", "complete", "recovery", "stats"]
)
def test_each_module_names_the_file_that_it_ports(module: str) -> None:
    folder = Path(inspect.getfile(workpool)).parent
    source = "src/client/index.ts" if module == "client" else f"src/component/{module}.ts"
    assert source in (folder / f"{module}.py").read_text()
