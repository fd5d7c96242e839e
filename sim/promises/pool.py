"""What a pool promises: a retrier that keeps works in documents, and a loop that starts them in slots."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPromises:
    """Where a pool keeps what it owes by, and the grain of its time; the invariants of `sim.contracts.pool` ask it.

    Tables are named without the namespace of the retrier.
    """

    tables: str = "workpool/"
    """Stands before the tables of works: `globals`, `internalState`, `work`, `pendingStart`, `pendingCompletion`,
    `pendingCancelation`, `payload`."""
    loop_tables: str = "batchWorker/"
    """Stands before the tables of the loop: `workers`, `workerState`."""
    segment_ns: int
    """The grain of the time at which a work is due."""
    loop: str = "loop"
    """The function that looks for work."""
    on_complete: str = "onComplete"
    """The caller's function that is told how a work ended."""
