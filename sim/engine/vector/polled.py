"""What the two retriers have in common that poll the job of an action: the job as a poll sees it, and conclusions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.engine.vector.arrays import BEFORE, FOREVER, Bools, Ints, Rows, SomeRows
from sim.engine.vector.attempts import DIED, RETURNED, Attempts
from sim.history.vocabulary import NEVER, Outcome

if TYPE_CHECKING:
    from sim.engine.vector.block import Block
    from sim.scenario.schema import Scenario


@dataclass(frozen=True, slots=True)
class Jobs:
    """One job of the action for each of some requests, shape (rows,) each, with the attempt that it runs."""

    visible_ns: Ints
    """The instant at which its row says success or failed; FOREVER where it never does."""
    since_ns: Ints
    """The instant at which the timer of that was set, BEFORE where a poll of the same instant always comes later."""
    success: Bools
    end_ns: Ints
    """The real end of its attempt; FOREVER where that never comes or was never made."""
    apart: Bools | None
    """Whether the attempt ends apart from its job (contact was lost, or its death was noticed later); None: nowhere."""
    lost: Bools | None
    canceled_ns: Ints | None
    """The instant at which somebody canceled it, FOREVER where nobody did; None where nobody cancels jobs."""

    def take(self, those: Bools) -> Jobs:
        """Return the jobs of some of the requests."""
        chosen: list[Any] = [None if column is None else column[those] for column in self.columns()]
        return Jobs(*chosen)

    def put(self, those: Bools, others: Jobs) -> Jobs:
        """Return these jobs with others in the places of some; they are written over."""
        merged: list[Any] = []
        for mine, theirs, blank in zip(self.columns(), others.columns(), _BLANKS, strict=True):
            if mine is None and theirs is None:
                merged.append(None)
                continue
            column: Any = np.full(len(those), blank) if mine is None else mine
            column[those] = blank if theirs is None else theirs
            merged.append(column)
        return Jobs(*merged)

    def columns(self) -> tuple[Ints | Bools | None, ...]:
        """Return all columns."""
        return (
            self.visible_ns,
            self.since_ns,
            self.success,
            self.end_ns,
            self.apart,
            self.lost,
            self.canceled_ns,
        )


_BLANKS = (FOREVER, BEFORE, False, FOREVER, False, False, FOREVER)


class Polled:
    """Starts jobs of the action, and concludes about the requests of a block."""

    def __init__(self, cell: Scenario, block: Block) -> None:
        self._block = block
        self._attempts = Attempts(cell, block, hosted=True)
        self.retention_ns = cell.platform.retention
        target = None if cell.cancel is None else cell.cancel.target
        cancels = block.cancel_ns
        self._job_cancels_ns = cancels if target in {"request", "action"} else None
        self.poll_cancels_ns = cancels if target == "poll" else None
        self._calls_cancel = target == "request"
        self._ended_ns = np.full(block.count, NEVER, dtype=np.int64)
        self._lost: list[tuple[Rows, Ints]] = []

    def start(self, rows: SomeRows, number: int | Ints, created_ns: Ints, at_ns: Ints) -> Jobs:
        """Schedule jobs `created_ns`, due `at_ns`, that run attempt `number` of each request."""
        if self._job_cancels_ns is None:
            return self._run(rows, number, at_ns)
        cancel_ns = self._job_cancels_ns[rows]
        after = created_ns < cancel_ns
        runs = ~(after & (cancel_ns <= at_ns))
        if runs.all():
            jobs = self._run(rows, number, at_ns)
        else:
            chosen = self._block.everybody[rows][runs]
            started = self._run(chosen, number[runs] if isinstance(number, np.ndarray) else number, at_ns[runs])
            count = len(at_ns)
            never = Jobs(
                np.full(count, FOREVER),
                np.full(count, BEFORE),
                np.zeros(count, dtype=np.bool_),
                np.full(count, FOREVER),
                None,
                None,
                None,
            )
            jobs = never.put(runs, started)
        canceled_ns = np.where(after & (cancel_ns <= jobs.visible_ns), cancel_ns, FOREVER)
        return replace(jobs, canceled_ns=canceled_ns)

    def _run(self, rows: SomeRows, number: int | Ints, at_ns: Ints) -> Jobs:
        started = self._attempts.start(rows, number, at_ns)
        # Columns of their own, which `put` may write into.
        since_ns = at_ns.copy() if started.instant is None else np.where(started.instant, BEFORE, at_ns)
        visible_ns = started.visible_ns.copy() if started.visible_ns is started.end_ns else started.visible_ns
        success = started.how == RETURNED
        apart = lost = None
        if started.lost is not None:
            lost = started.lost
            success &= ~lost
            apart = lost | ((started.how == DIED) & (started.visible_ns != started.end_ns))
            if lost.any():
                self._lost.append((self._block.everybody[rows][lost], started.end_ns[lost]))
        return Jobs(visible_ns, since_ns, success, started.end_ns, apart, lost, None)

    def judge(
        self, rows: Rows, jobs: Jobs, poll_ns: Ints, ended: Bools, spent: Bools | np.bool_
    ) -> tuple[Bools, Bools]:
        """Conclude, by polls at instants, about the requests whose jobs are canceled or have ended.

        `ended`: whose jobs have ended, if they were not canceled; `spent`: who has no retry left. Returns which
        requests are over and which are to be retried.
        """
        over = np.zeros(len(rows), dtype=np.bool_)
        if jobs.canceled_ns is not None:
            over = jobs.canceled_ns <= poll_ns
            if over.any():
                self._conclude_canceled(rows[over], jobs.take(over), poll_ns[over])
                ended = ended & ~over
        self._have_ended(rows[ended], jobs.take(ended))
        success = ended & jobs.success
        failed = ended & ~jobs.success
        gave_up = failed & spent
        for outcome, those in ((Outcome.success, success), (Outcome.gave_up, gave_up)):
            self._block.settle(rows[those], outcome, poll_ns[those], self._ended_ns[rows[those]])
        return over | success | gave_up, failed & ~spent

    def _have_ended(self, rows: Rows, jobs: Jobs) -> None:
        """Take note of jobs that polls have seen ended."""
        ends_ns = jobs.end_ns if jobs.lost is None else np.where(jobs.lost, NEVER, jobs.end_ns)
        self._ended_ns[rows] = np.maximum(self._ended_ns[rows], ends_ns)

    def _conclude_canceled(self, rows: Rows, jobs: Jobs, at_ns: Ints) -> None:
        """Settle requests by a poll that sees their job canceled; its attempt may go on."""
        over = jobs.end_ns < at_ns
        self._block.leave(rows, jobs.end_ns == at_ns)
        if jobs.lost is not None:
            over &= ~jobs.lost
        self._ended_ns[rows[over]] = np.maximum(self._ended_ns[rows[over]], jobs.end_ns[over])
        self._block.settle(rows, Outcome.canceled, at_ns, self._ended_ns[rows])

    def run_away(self, rows: Rows) -> None:
        """Let requests end at the limit of polls."""
        self._block.outcome[rows] = Outcome.runaway

    def finish(self) -> None:
        """Fill in what is left once all requests are settled, stuck or at a limit."""
        block = self._block
        block.mutations[:] = 1 + block.polls
        if self._calls_cancel and block.cancel_ns is not None:
            block.mutations[block.cancel_ns < FOREVER] += 1
        for rows, ends_ns in self._lost:
            settled_ns = block.settled_ns[rows]
            block.leave(rows, ends_ns == settled_ns)
            known = ends_ns < settled_ns
            those = rows[known]
            block.known_attempt_end_ns[those] = np.maximum(block.known_attempt_end_ns[those], ends_ns[known])
