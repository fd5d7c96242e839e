"""`helpers` for arrays: `sim.retriers.helpers`, poll by poll."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.engine.vector.arrays import jittered_ns
from sim.engine.vector.polled import Polled
from sim.kernel.durations import RUNAWAY_NS

if TYPE_CHECKING:
    from sim.engine.vector.arrays import Bools, Floats, Ints
    from sim.engine.vector.block import Block
    from sim.retriers.helpers import Helpers
    from sim.scenario.schema import Scenario


def simulate(cell: Scenario, block: Block, retrier: Helpers) -> None:
    """Poll the job of each attempt with jitter, and schedule another when it has failed."""
    polls = _Polls(cell, block, retrier)
    number = 1
    while polls.rows.size:
        number += 1
        polls.look(number)
    polls.polled.finish()


class _Polls:
    """The next polls of the requests of a block, with what each of them looks at; shape (rows,) each."""

    def __init__(self, cell: Scenario, block: Block, retrier: Helpers) -> None:
        options = retrier.defaults
        self.polled = polled = Polled(cell, block)
        self._block = block
        self._at_most = cell.limits.polls_per_request
        self._max_failures: float = options["maxFailures"]
        self._waits = _Grown(options["waitBackoff"], options["base"])
        self._retries = _Grown(options["retryBackoff"], options["base"])
        cuts_ns = polled.poll_cancels_ns
        # A first poll that is canceled never starts anything.
        self.rows = rows = block.everybody if cuts_ns is None else block.everybody[cuts_ns > 0]
        self._set_ns = np.zeros(len(rows), dtype=np.int64)
        """When each poll was scheduled."""
        self._jobs = polled.start(rows, 1, self._set_ns, self._set_ns)
        self._at_ns = jittered_ns(self._waits.first_ms, block.draws.uniforms("poll_jitter", 1, rows))
        self._waited = np.ones(len(rows), dtype=np.int64)
        """How often the wait has grown."""
        self._failure = np.ones(len(rows), dtype=np.int64)
        """The number of the failure that is looked for."""
        block.polls[rows] = 1

    def look(self, number: int) -> None:
        """Make poll `number` of each request, and schedule what follows."""
        self._keep(self._due(number))
        block, rows, jobs, at_ns, failure = self._block, self.rows, self._jobs, self._at_ns, self._failure
        block.polls[rows] = number
        seen = jobs.visible_ns <= at_ns
        # A timer that was set before the poll's own goes first.
        seen &= (jobs.visible_ns < at_ns) | (jobs.since_ns <= self._set_ns)
        self._leave_what_arrays_cannot_tell(seen)
        over, again = self.polled.judge(rows, jobs, at_ns, seen, self._max_failures - (failure - 1) <= 0)

        delays_ms = self._waits.at(self._waited)
        self._waited = self._waited + ~again
        self._set_ns = at_ns
        if again.any():
            delays_ms[again] += self._retry(again)
        self._at_ns = at_ns + jittered_ns(delays_ms, block.draws.uniforms("poll_jitter", number, rows))
        if over.any():
            self._keep(~over & ~block.left[rows])

    def _due(self, number: int) -> Bools:
        """Tell which polls take place; those that a limit keeps from it end their requests."""
        block, rows, at_ns = self._block, self.rows, self._at_ns
        due = at_ns <= RUNAWAY_NS
        block.leave(rows, ~due)
        if self.polled.poll_cancels_ns is not None:
            due &= at_ns < self.polled.poll_cancels_ns[rows]
        if number > self._at_most:
            self.polled.run_away(rows[due])
            due[:] = False
        return due

    def _leave_what_arrays_cannot_tell(self, seen: Bools) -> None:
        block, rows, jobs, at_ns = self._block, self.rows, self._jobs, self._at_ns
        if jobs.apart is not None:
            block.leave(rows, jobs.apart & (jobs.visible_ns == at_ns))
        retention_ns = self.polled.retention_ns
        if retention_ns is not None:
            block.leave(rows, seen & (at_ns - jobs.visible_ns >= retention_ns))
            if jobs.canceled_ns is not None:
                canceled = jobs.canceled_ns <= at_ns
                block.leave(rows, canceled & (at_ns - jobs.canceled_ns >= retention_ns))

    def _retry(self, again: Bools) -> Floats:
        """Schedule another attempt of some requests; returns their retry backoffs in ms."""
        block, rows = self._block, self.rows[again]
        failure, at_ns = self._failure[again], self._at_ns[again]
        backoff_ms = self._retries.at(failure - 1)
        due_ns = at_ns + jittered_ns(backoff_ms, block.draws.uniforms("action_jitter", failure, rows))
        beyond = due_ns > RUNAWAY_NS
        block.leave(rows, beyond)
        due_ns[beyond] = 0
        self._failure = self._failure + again
        self._jobs = self._jobs.put(again, self.polled.start(rows, failure + 1, at_ns, due_ns))
        return backoff_ms

    def _keep(self, those: Bools) -> None:
        """Go on with some of the requests only."""
        if those.all():
            return
        self.rows, self._jobs = self.rows[those], self._jobs.take(those)
        self._set_ns, self._at_ns = self._set_ns[those], self._at_ns[those]
        self._waited, self._failure = self._waited[those], self._failure[those]


class _Grown:
    """A delay in ms by how often it has been multiplied: repeated products, as the retrier hands it on."""

    def __init__(self, first_ms: float, base: float) -> None:
        self._base = base
        self.first_ms = float(first_ms)
        self._table = np.array([self.first_ms])

    def at(self, times: Ints) -> Floats:
        """Return the delays after so many multiplications each, shape (n,)."""
        most = int(times.max(initial=0))
        if most >= len(self._table):
            grown = self._table.tolist()
            while len(grown) <= 2 * most:
                grown.append(grown[-1] * self._base)
            self._table = np.array(grown)
        delays_ms: Floats = self._table[times]
        return delays_ms
