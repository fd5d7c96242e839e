"""`article` for arrays: `sim.retriers.ports.article`, attempt by attempt.

Polls have no jitter: from the start of an attempt on they follow the table of growing waits. So a search finds the poll
that sees the end of a job, and there is no dense way beside this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.engine.vector.arrays import BEFORE
from sim.engine.vector.polled import Polled, count_mutations
from sim.kernel.durations import RUNAWAY_NS, ns_of_ms

if TYPE_CHECKING:
    from sim.engine.vector.arrays import Bools, Ints
    from sim.engine.vector.block import Block
    from sim.engine.vector.polled import Jobs
    from sim.retriers.ports.article import Article
    from sim.scenario.schema import Scenario

BEYOND_NS = RUNAWAY_NS + 1


def simulate(cell: Scenario, block: Block, retrier: Article) -> None:
    """Poll the job of each attempt, and schedule another if it has failed."""
    attempts = _Attempts(cell, block, retrier)
    number = 0
    while attempts.rows.size:
        number += 1
        attempts.follow(number)
    attempts.polled.finish()
    count_mutations(cell, block)


class _Attempts:
    """The attempts to come of the requests of a block, at most one each; shape (rows,) each."""

    def __init__(self, cell: Scenario, block: Block, retrier: Article) -> None:
        options = retrier.defaults
        self.polled = Polled(cell, block)
        self._block = block
        self._waits = _Waits(options["waitBackoff"], options["base"])
        self._retry_ms: float = options["retryBackoff"]
        self._base: float = options["base"]
        self._max_failures: float = options["maxFailures"]
        self._polls_at_most = cell.limits.polls_per_request
        self.rows = block.everybody
        self._created_ns = np.full(block.count, BEFORE)
        """When their jobs are scheduled."""
        self._at_ns = np.zeros(block.count, dtype=np.int64)
        """When they are due, as is the first poll after each."""
        self._waited = np.zeros(block.count, dtype=np.int64)
        """How often a poll of each request has found its job running."""

    def follow(self, number: int) -> None:
        """Make attempt `number` of each request, and schedule the next of those that failed."""
        block = self._block
        jobs = self.polled.start(
            slice(None) if len(self.rows) == block.count else self.rows, number, self._created_ns, self._at_ns
        )
        poll_ns, looks = self._poll(jobs)
        rows, waited = self.rows, self._waited
        if not looks.all():
            rows, poll_ns, waited, jobs = rows[looks], poll_ns[looks], waited[looks], jobs.take(looks)
        spent = np.bool_(self._max_failures - (number - 1) <= 0)
        _, again = self.polled.judge(rows, jobs, poll_ns, np.ones(len(rows), dtype=np.bool_), spent)
        retry_ns = min(ns_of_ms(self._retry_ms), BEYOND_NS) if again.any() else 0
        self._retry_ms *= self._base
        beyond = again & (poll_ns > RUNAWAY_NS - retry_ns)
        block.leave(rows, beyond)
        again &= ~beyond
        self.rows, self._created_ns, self._waited = rows[again], poll_ns[again], waited[again]
        self._at_ns = self._created_ns + retry_ns

    def _poll(self, jobs: Jobs) -> tuple[Ints, Bools]:
        """Poll until the end of each job is seen; returns the instants of the last polls, and which took place."""
        block, rows, at_ns, before = self._block, self.rows, self._at_ns, self._waited
        # A job that ends at the very instant of its start, but not in its first step, has its end after the first poll.
        sees_ns = np.where(jobs.since_ns == BEFORE, jobs.visible_ns, np.maximum(jobs.visible_ns, at_ns + 1))
        over_ns = jobs.visible_ns
        if jobs.canceled_ns is not None:
            sees_ns = np.minimum(sees_ns, np.maximum(jobs.canceled_ns, at_ns))
            over_ns = np.minimum(over_ns, jobs.canceled_ns)
        self._waited, poll_ns = self._waits.first_poll(at_ns, before, sees_ns)
        polls = block.polls[rows] + (self._waited - before + 1)
        looks = np.ones(len(rows), dtype=np.bool_)
        cuts_ns = self.polled.poll_cancels_ns
        if cuts_ns is not None and (cut := cuts_ns[rows] <= poll_ns).any():
            cut_ns = np.minimum(np.maximum(cuts_ns[rows], at_ns), poll_ns)
            reached = self._waits.first_poll(at_ns, before, cut_ns)[0] - before
            polls = np.where(cut, block.polls[rows] + np.where(cuts_ns[rows] <= at_ns, 0, reached), polls)
            looks &= ~cut
            block.leave(rows, cut & (poll_ns > RUNAWAY_NS))
        too_many = polls > self._polls_at_most
        polls[too_many] = self._polls_at_most
        self.polled.run_away(rows[too_many])
        looks &= ~too_many
        block.polls[rows] = polls
        block.leave(rows, looks & (poll_ns > RUNAWAY_NS))
        looks &= poll_ns <= RUNAWAY_NS
        if self.polled.retention_ns is not None:
            block.leave(rows, looks & (poll_ns - over_ns >= self.polled.retention_ns))
        if jobs.apart is not None:
            block.leave(rows, looks & jobs.apart & (poll_ns == jobs.visible_ns) & (poll_ns > at_ns))
        return poll_ns, looks


class _Waits:
    """The instants of polls after the start of an attempt: sums of waits that grow with every one."""

    def __init__(self, wait_ms: float, base: float) -> None:
        self._wait_ms = float(wait_ms)
        self._base = base
        self._sums = [0]
        self._table = np.zeros(1, dtype=np.int64)
        self._steady_ns = ns_of_ms(wait_ms) if base == 1 else None
        """The wait, if it never grows."""

    def first_poll(self, at_ns: Ints, waited: Ints, sees_ns: Ints) -> tuple[Ints, Ints]:
        """Return, for polls from `at_ns` on, the waits by then and the instant of the first one not before `sees_ns`.

        `waited`: how many waits there were before. A poll beyond the clock comes at some instant beyond it.
        """
        after_ns = np.minimum(sees_ns, BEYOND_NS) - at_ns
        if self._steady_ns is not None:
            more = -(-after_ns // self._steady_ns)
            return waited + more, at_ns + more * self._steady_ns
        self._extend(int(waited.max(initial=0)), int(after_ns.max(initial=0)))
        before_ns = self._table[waited]
        found = np.searchsorted(self._table, before_ns + after_ns, side="left").astype(np.int64)
        return found, at_ns + np.minimum(self._table[found] - before_ns, BEYOND_NS - at_ns)

    def _extend(self, waited: int, after_ns: int) -> None:
        """Let the table reach at least `after_ns` past its entry `waited`, or past the end of the clock."""
        sums = self._sums
        while len(sums) <= waited + 1 or sums[-1] < sums[waited] + after_ns:
            sums.append(min(sums[-1] + min(ns_of_ms(self._wait_ms), BEYOND_NS), 2**63 - 1))
            self._wait_ms *= self._base
        if len(sums) != len(self._table):
            self._table = np.array(sums, dtype=np.int64)
