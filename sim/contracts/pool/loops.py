"""What a pool owes of its loop: one chain of runs, asleep only when nothing is due, and nothing left in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.contracts.pool.ledger import pools, row, rows, running, table_of
from sim.contracts.pool.works import DEFAULT_PARALLELISM
from sim.history.entities import when
from sim.history.vocabulary import ALIVE, CANCELED, FAILED
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.contracts.pool.ledger import Pool, Turn
    from sim.history.entities import Job
    from sim.promises.view import View

PENDING_TABLES: Final = ("pendingStart", "pendingCompletion", "pendingCancelation")
STAY: Final = frozenset({"globals", "internalState", "workers", "workerState"})
"""Tables whose rows stay."""


@invariant()
def pool_loop_runs_alone(view: View) -> Iterator[Violation]:
    """A pool has one run of its loop scheduled at most, and each that is scheduled has the next generation."""
    for pool in pools(view):
        ours: list[Job] = []
        for turn in pool.turns:
            made = [job for job in turn.commit.created if job.name == pool.promises.loop]
            ours = [job for job in (*ours, *made) if job.end_at > turn.commit.at]
            before, after = row(turn.before, "workerState"), row(turn.after, "workerState")
            steps = after.get("generation", 0) - before.get("generation", 0)
            if len(ours) > 1 or steps < len(made):
                text = f"{len(ours)} runs of the loop are scheduled {when(turn.event)}, and its generation is"
                text += f" {after.get('generation')} after {before.get('generation')}"
                yield breach(turn.event.request, text, turn.event, *(job.created for job in ours))


@invariant()
def pool_sleeps_only_if_nothing_is_due(view: View) -> Iterator[Violation]:
    """The loop goes to sleep only if no completion, cancel or start is due, and for no longer than until one is.

    Starts wait for a slot, so a full pool need not see them; a pool without slots takes no completions either.
    """
    for pool in pools(view):
        for turn in pool.turns:
            own = view.jobs.get(turn.event.job)
            if (
                own is not None
                and own.name == pool.promises.loop
                and row(turn.after, "workers").get("status") == "idle"
            ):
                why = _why_awake(view, pool, turn)
                if why:
                    yield breach(
                        turn.event.request, f"the loop goes to sleep {when(turn.event)}, but {why}", turn.event
                    )


def _why_awake(view: View, pool: Pool, turn: Turn) -> str:
    after = turn.after
    most = row(after, "globals").get("maxParallelism", DEFAULT_PARALLELISM)
    runner = view.jobs.get(row(after, "workerState").get("runnerId", -1))
    if rows(after, "pendingCompletion") and most > 0:
        return "a completion waits"
    if rows(after, "pendingCancelation"):
        return "a cancel waits"
    if running(after) and runner is None:
        return "works run, and nothing is to look for dead ones"
    if len(running(after)) >= most or not rows(after, "pendingStart"):
        return ""
    due_ns = min(waits["segment"] for waits in rows(after, "pendingStart")) * pool.promises.segment_ns - pool.epoch_ns
    if due_ns > turn.event.begin_ns and runner is not None and runner.asked_ns <= due_ns:
        return ""
    until = "for ever" if runner is None else f"until {format_duration(runner.asked_ns)}"
    return f"sleeps {until} and a start is due at {format_duration(due_ns)}"


@invariant("eventually")
def pool_tables_are_empty(view: View) -> Iterator[Violation]:
    """In the end no work, no slot and nothing that waits is left, only settings and states.

    Not asked of a pool that cannot go on: an operator canceled its loop or a `complete`, or one of them failed; it is
    stopped or without slots; or a hang that no time limit ends holds a slot. `settles` tells what is stuck.
    """
    lost = any(_lost(job) for job in view.jobs.values() if job.name in {"complete", "loop"})
    alive = any(job.state in ALIVE for job in view.jobs.values())
    for pool in pools(view):
        stuck = row(pool.documents, "workers").get("status") != "idle"
        slots = row(pool.documents, "globals").get("maxParallelism", DEFAULT_PARALLELISM)
        left = [name for name in pool.documents if table_of(name) not in STAY]
        slots_held = running(pool.documents)
        if (left or slots_held) and not (lost or alive or stuck or slots < 1):
            text = f"in the end {len(slots_held)} slots are held, and {', '.join(left[:8]) or 'nothing else'} is left"
            yield breach(-1, text, pool.turns[-1].event)


def _lost(job: Job) -> bool:
    """Tell whether a job failed, or an operator canceled it: the pool cancels its own in a mutation."""
    last = job.steps[-1] if job.steps else None
    return job.state == FAILED or (last is not None and last.after == CANCELED and last.by is None)
