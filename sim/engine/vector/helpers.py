"""`helpers` for arrays: `sim.retriers.ports.helpers`, poll by poll."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.engine.vector.arrays import FOREVER, jittered_ns
from sim.engine.vector.attempts import Attempts
from sim.engine.vector.dense import Answered
from sim.engine.vector.polled import Polled
from sim.history.vocabulary import Outcome
from sim.kernel.durations import RUNAWAY_NS

if TYPE_CHECKING:
    from sim.engine.vector.arrays import Bools, Floats, Ints, Rows
    from sim.engine.vector.block import Block
    from sim.retriers.ports.helpers import Helpers
    from sim.scenario.schema import Scenario


def simulate(cell: Scenario, block: Block, retrier: Helpers) -> None:
    """Poll the job of each attempt with jitter, and schedule another when it has failed."""
    _AnsweredPolls(cell, block, retrier).settle()
    polls = _Polls(cell, block, retrier)
    number = 1
    while polls.rows.size:
        number += 1
        polls.look(number)
    polls.polled.finish()


class _AnsweredPolls:
    """The next polls of requests whose attempts all answer; shape (requests going on,) each.

    Whatever else can come about makes them drop a request, which then goes the long way.
    """

    def __init__(self, cell: Scenario, block: Block, retrier: Helpers) -> None:
        options = retrier.defaults
        self._block = block
        self._at_most = cell.limits.polls_per_request
        self._retention_ns = cell.platform.retention
        self._max_failures: float = options["maxFailures"]
        self._waits = _Grown(options["waitBackoff"], options["base"])
        self._retries = _Grown(options["retryBackoff"], options["base"])
        apart = None if block.cancel_ns is None else block.cancel_ns < FOREVER
        self._going = Answered(block, Attempts(cell, block, hosted=True), apart)
        self._at_ns = np.zeros(self._going.size, dtype=np.int64)
        """When each is due."""
        self._failure = np.ones(self._going.size, dtype=np.int64)
        """The number of the failure that is looked for."""

    def settle(self) -> None:
        """Poll until all requests are settled or dropped."""
        going = self._going
        if not going.size:
            return
        self._keep(going.start(1, self._at_ns))
        self._at_ns = jittered_ns(self._waits.first_ms, going.draws.uniforms("poll_jitter", 1))
        for number in range(2, self._at_most + 1):
            self._drop_unusual()
            again = self._conclude(number)
            if not going.size:
                break
            self._go_on(number, again)
        going.finish()

    def _drop_unusual(self) -> None:
        """Drop requests with a poll at the very end of their job, after its row is collected, or beyond the clock."""
        ago_ns = self._at_ns - self._going.end_ns
        usual = ago_ns != 0
        usual &= self._at_ns <= RUNAWAY_NS
        if self._retention_ns is not None:
            usual &= ago_ns < self._retention_ns
        if not usual.all():
            self._keep(self._going.keep(np.flatnonzero(usual)))

    def _conclude(self, number: int) -> Bools:
        """Settle what poll `number` sees the end of; returns which of those that go on are to be tried again."""
        going, at_ns, failure = self._going, self._at_ns, self._failure
        seen = at_ns > going.end_ns
        again = seen & going.failed
        over = seen & ~going.failed
        outcomes = [(Outcome.success, np.flatnonzero(over))]
        if (spent := again & (failure > self._max_failures)).any():
            outcomes.append((Outcome.gave_up, np.flatnonzero(spent)))
            over |= spent
        for outcome, places in outcomes:
            going.settle(places, outcome, failure.take(places), at_ns.take(places))
            self._block.polls[going.rows(places)] = number
        places = np.flatnonzero(~over)
        self._keep(going.keep(places))
        return again.take(places)

    def _go_on(self, number: int, again: Bools) -> None:
        """Schedule the poll after poll `number` of each, and another attempt of some."""
        going, failure = self._going, self._failure
        delays_ms = self._waits.at(number - failure)
        uniforms = going.draws.uniforms("poll_jitter", number)
        those = np.flatnonzero(again)
        backoff_ms = self._retries.at(failure.take(those) - 1)
        delays_ms[those] += backoff_ms
        polled_ns = self._at_ns
        self._at_ns = polled_ns + jittered_ns(delays_ms, uniforms)
        if those.size:
            numbers = failure.take(those)
            failure[those] += 1
            due_ns = jittered_ns(backoff_ms, going.draws.take(those).uniforms("action_jitter", numbers))
            due_ns += polled_ns.take(those)
            self._keep(going.start_some(those, numbers + 1, due_ns))

    def _keep(self, places: Rows | None) -> None:
        """Go on with some only, as `Answered` does."""
        if places is not None:
            self._at_ns, self._failure = self._at_ns.take(places), self._failure.take(places)


class _Polls:
    """The next polls of the requests that are not settled, with what each of them looks at; shape (rows,) each."""

    def __init__(self, cell: Scenario, block: Block, retrier: Helpers) -> None:
        options = retrier.defaults
        self.polled = polled = Polled(cell, block)
        self._block = block
        self._at_most = cell.limits.polls_per_request
        self._max_failures: float = options["maxFailures"]
        self._waits = _Grown(options["waitBackoff"], options["base"])
        self._retries = _Grown(options["retryBackoff"], options["base"])
        cuts_ns = polled.poll_cancels_ns
        rows = block.unsettled()
        # A first poll that is canceled never starts anything.
        self.rows = rows = rows if cuts_ns is None else rows[cuts_ns[rows] > 0]
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
