"""`article` for arrays: `sim.retriers.article`, attempt by attempt.

Polls have no jitter: from the start of an attempt on they follow the table of growing waits, so the poll that sees the
end of a job is found by a search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.engine.vector.arrays import BEFORE, FOREVER, Ints
from sim.engine.vector.polled import Polled
from sim.kernel.durations import RUNAWAY_NS
from sim.kernel.records import Outcome

if TYPE_CHECKING:
    from sim.engine.vector.block import Block
    from sim.retriers.article import Article
    from sim.scenario.schema import Scenario

BEYOND = RUNAWAY_NS + 1


def simulate(cell: Scenario, block: Block, retrier: Article) -> None:  # noqa: PLR0914, PLR0915  # one recurrence
    """Poll the job of each attempt, and schedule another when it has failed."""
    options = retrier.defaults
    polled = Polled(cell, block)
    waits = _Waits(options["waitBackoff"], options["base"])
    retry_ms = options["retryBackoff"]
    polls_at_most = cell.limits.polls_per_request
    rows = block.everybody
    created_ns = np.full(block.count, BEFORE)
    at_ns = np.zeros(block.count, dtype=np.int64)
    waited = np.zeros(block.count, dtype=np.int64)
    """How often a poll of each request has found its job running."""
    number = 0
    while rows.size:
        number += 1
        jobs = polled.start(rows if number > 1 else slice(None), number, created_ns, at_ns)
        # A job that ends at the very instant of its start, but not in its first step, has its end after the first poll.
        sees_ns = np.where(jobs.since_ns == BEFORE, jobs.visible_ns, np.maximum(jobs.visible_ns, at_ns + 1))
        if jobs.canceled_ns is not None:
            sees_ns = np.minimum(sees_ns, np.maximum(jobs.canceled_ns, at_ns))
        before = waited
        waited, poll_ns = waits.first_poll(at_ns, waited, sees_ns)
        polls = block.polls[rows] + (waited - before + 1)
        looks = np.ones(len(rows), dtype=np.bool_)
        if polled.poll_cancels_ns is not None:
            cut_ns = polled.poll_cancels_ns[rows]
            cut = cut_ns <= poll_ns
            if cut.any():
                reached = waits.first_poll(at_ns, before, np.minimum(np.maximum(cut_ns, at_ns), poll_ns))[0] - before
                polls = np.where(cut, block.polls[rows] + np.where(cut_ns <= at_ns, 0, reached), polls)
                looks &= ~cut
                block.leave(rows, cut & (poll_ns > RUNAWAY_NS))
        too_many = polls > polls_at_most
        polls[too_many] = polls_at_most
        polled.run_away(rows[too_many])
        looks &= ~too_many
        block.polls[rows] = polls
        block.leave(rows, looks & (poll_ns > RUNAWAY_NS))
        looks &= poll_ns <= RUNAWAY_NS
        if polled.retention_ns is not None:
            over_ns = jobs.visible_ns if jobs.canceled_ns is None else np.minimum(jobs.visible_ns, jobs.canceled_ns)
            block.leave(rows, looks & (poll_ns - over_ns >= polled.retention_ns))
        if jobs.apart is not None:
            block.leave(rows, looks & jobs.apart & (poll_ns == jobs.visible_ns) & (jobs.visible_ns > at_ns))
        if not looks.all():
            rows, poll_ns, waited, jobs = rows[looks], poll_ns[looks], waited[looks], jobs.take(looks)
        if jobs.canceled_ns is not None:
            canceled = jobs.canceled_ns <= poll_ns
            if canceled.any():
                polled.conclude_canceled(rows[canceled], jobs.take(canceled), poll_ns[canceled])
                rows, poll_ns, waited, jobs = rows[~canceled], poll_ns[~canceled], waited[~canceled], jobs.take(~canceled)
        polled.ended(rows, jobs)
        polled.conclude(rows[jobs.success], Outcome.success, poll_ns[jobs.success])
        failed = ~jobs.success
        rows, created_ns, waited = rows[failed], poll_ns[failed], waited[failed]
        if options["maxFailures"] - (number - 1) <= 0:
            polled.conclude(rows, Outcome.gave_up, created_ns)
            break
        retry_ns = min(round(retry_ms * 1e6), BEYOND)
        retry_ms *= options["base"]
        beyond = created_ns > RUNAWAY_NS - retry_ns
        block.leave(rows, beyond)
        if beyond.any():
            rows, created_ns, waited = rows[~beyond], created_ns[~beyond], waited[~beyond]
        at_ns = created_ns + retry_ns
    polled.finish()
    block.leave_where_steps_may_run_out(cell.limits.polls_per_request)


class _Waits:
    """The instants of polls after the start of an attempt: sums of waits that grow with every one."""

    def __init__(self, wait_ms: float, base: float) -> None:
        self._wait_ms = float(wait_ms)
        self._base = base
        self._sums = [0]
        self._table = np.zeros(1, dtype=np.int64)
        self.steady_ns = round(wait_ms * 1e6) if base == 1 else None
        """The wait, where it never grows."""

    def first_poll(self, at_ns: Ints, waited: Ints, sees_ns: Ints) -> tuple[Ints, Ints]:
        """Return, for polls from `at_ns` on, the waits by then and the instant of the first one not before `sees_ns`.

        `waited`: how many waits there were before. Polls that would come past what the clock can hold come after it.
        """
        after_ns = np.minimum(sees_ns, BEYOND) - at_ns
        if self.steady_ns is not None:
            more = -(-after_ns // self.steady_ns)
            return waited + more, at_ns + more * self.steady_ns
        self._extend(int(waited.max(initial=0)), int(after_ns.max(initial=0)))
        table = self._table
        before_ns = table[waited]
        found = np.searchsorted(table, np.minimum(before_ns + after_ns, table[-1]), side="left").astype(np.int64)
        return found, at_ns + np.minimum(table[found] - before_ns, BEYOND - at_ns)

    def _extend(self, waited: int, after_ns: int) -> None:
        sums = self._sums
        while len(sums) <= waited + 1 or (sums[-1] < sums[waited] + after_ns and sums[-1] < BEYOND + sums[waited]):
            sums.append(sums[-1] + min(round(self._wait_ms * 1e6), BEYOND))
            self._wait_ms *= self._base
        if len(sums) != len(self._table):
            self._table = np.array([min(total, 2**63 - 1) for total in sums], dtype=np.int64)
