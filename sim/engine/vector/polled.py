"""What `article` and `helpers` share, since both poll the job of an action: the job as a poll sees it, conclusions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.engine.vector.arrays import BEFORE, FOREVER, Bools, Ints, Rows, SomeRows
from sim.engine.vector.attempts import DIED_CODE, RETURNED_CODE, Attempts
from sim.history.vocabulary import NEVER, OF_THE_ACTION, OF_THE_POLL, OF_THE_REQUEST, Outcome

if TYPE_CHECKING:
    from sim.engine.vector.block import Block
    from sim.scenario.schema import Scenario


@dataclass(frozen=True, slots=True)
class Jobs:
    """One job of the action for each of some requests, shape (rows,) each, with the attempt that it runs."""

    visible_ns: Ints
    """The instant at which its row says success or failed; FOREVER if it never does."""
    since_ns: Ints
    """When the timer of that end was set; BEFORE if a poll at the same instant always runs after it."""
    success: Bools
    end_ns: Ints
    """The real end of its attempt; FOREVER if that never comes or there is no attempt."""
    apart: Bools | None
    """Whether the attempt ends apart from its job (lost contact, a death that is noticed later); None if none does."""
    lost: Bools | None
    canceled_ns: Ints | None
    """The instant at which it is canceled, FOREVER if it is not; None if no job is ever canceled."""

    def take(self, those: Bools | Rows) -> Jobs:
        """Return the jobs of some of the requests."""
        chosen: list[Any] = [None if column is None else column[those] for column in self._columns()]
        return Jobs(*chosen)

    def put(self, those: Bools | SomeRows, others: Jobs) -> Jobs:
        """Return these jobs with others in the places of some; these are overwritten."""
        merged: list[Any] = []
        for mine, theirs, blank in zip(self._columns(), others._columns(), _BLANKS, strict=True):
            if mine is None and theirs is None:
                merged.append(None)
                continue
            column: Any = np.full(len(self.visible_ns), blank) if mine is None else mine
            column[those] = blank if theirs is None else theirs
            merged.append(column)
        return Jobs(*merged)

    def _columns(self) -> tuple[Ints | Bools | None, ...]:
        return (
            self.visible_ns,
            self.since_ns,
            self.success,
            self.end_ns,
            self.apart,
            self.lost,
            self.canceled_ns,
        )

    @staticmethod
    def none_of(count: int) -> Jobs:
        """Return jobs that never run."""
        never_ns, before_ns = np.full(count, FOREVER), np.full(count, BEFORE)
        return Jobs(never_ns, before_ns, np.zeros(count, dtype=np.bool_), never_ns.copy(), None, None, None)


_BLANKS = (FOREVER, BEFORE, False, FOREVER, False, False, FOREVER)


class Polled:
    """Starts jobs of the action, and concludes about the requests of a block."""

    def __init__(self, cell: Scenario, block: Block) -> None:
        self._block = block
        self._attempts = Attempts(cell, block, hosted=True)
        self.retention_ns = cell.platform.retention
        target = None if cell.cancel is None else cell.cancel.target
        cancels = block.cancel_ns
        self._job_cancels_ns = cancels if target in {OF_THE_REQUEST, OF_THE_ACTION} else None
        self.poll_cancels_ns = cancels if target == OF_THE_POLL else None
        self._ended_ns = np.full(block.count, NEVER, dtype=np.int64)
        self._lost: list[tuple[Rows, Ints]] = []

    def start(self, rows: SomeRows, number: int | Ints, created_ns: Ints, at_ns: Ints) -> Jobs:
        """Schedule jobs at `created_ns`, due `at_ns`, that run attempt `number` of each request."""
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
            jobs = Jobs.none_of(len(at_ns)).put(runs, started)
        canceled_ns = np.where(after & (cancel_ns <= jobs.visible_ns), cancel_ns, FOREVER)
        return replace(jobs, canceled_ns=canceled_ns)

    def _run(self, rows: SomeRows, number: int | Ints, at_ns: Ints) -> Jobs:
        ends = self._attempts.start(rows, number, at_ns)
        # Columns of their own, which `put` may write into.
        since_ns = at_ns.copy() if ends.instant is None else np.where(ends.instant, BEFORE, at_ns)
        visible_ns = ends.visible_ns.copy() if ends.visible_ns is ends.end_ns else ends.visible_ns
        success = ends.how == RETURNED_CODE
        apart = lost = None
        if ends.lost is not None:
            lost = ends.lost
            success &= ~lost
            apart = lost | ((ends.how == DIED_CODE) & (ends.visible_ns != ends.end_ns))
            if lost.any():
                self._lost.append((self._block.everybody[rows][lost], ends.end_ns[lost]))
        return Jobs(visible_ns, since_ns, success, ends.end_ns, apart, lost, None)

    def judge(
        self, rows: Rows, jobs: Jobs, poll_ns: Ints, ended: Bools, spent: Bools | np.bool_
    ) -> tuple[Bools, Bools]:
        """Conclude, by polls at instants, about the requests whose jobs are canceled or have ended.

        `ended`: the job has ended, if it was not canceled; `spent`: the request has no retry left. Returns which
        requests are over and which are to be retried.
        """
        over = np.zeros(len(rows), dtype=np.bool_)
        if jobs.canceled_ns is not None:
            over = jobs.canceled_ns <= poll_ns
            if over.any():
                self._conclude_canceled(rows[over], jobs.take(over), poll_ns[over])
                ended = ended & ~over
        self._note_ends(rows[ended], jobs.take(ended))
        success = ended & jobs.success
        failed = ended & ~jobs.success
        gave_up = failed & spent
        for outcome, those in ((Outcome.success, success), (Outcome.gave_up, gave_up)):
            self._block.settle(rows[those], outcome, poll_ns[those], self._ended_ns[rows[those]])
        return over | success | gave_up, failed & ~spent

    def _note_ends(self, rows: Rows, jobs: Jobs) -> None:
        """Note the ends of the attempts of jobs that polls have seen ended."""
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
        """Fill in the ends of lost attempts, once all requests are settled, stuck or at a limit."""
        for rows, ends_ns in self._lost:
            self._block.note_lost(rows, ends_ns)


def count_mutations(cell: Scenario, block: Block) -> None:
    """Fill in the mutations of requests: one for the submission, one for each poll, one for a cancel of the request."""
    block.mutations[:] = 1 + block.polls
    if cell.cancel is not None and cell.cancel.target == OF_THE_REQUEST and block.cancel_ns is not None:
        block.mutations[block.cancel_ns < FOREVER] += 1
