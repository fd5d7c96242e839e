"""`helpers` for arrays: `sim.retriers.ports.helpers`, poll by poll.

One recurrence (`_Polls`) says when polls and attempts are due. It goes first over the requests of the dense way, then
over those that left it: the two ways differ in what they keep of attempts and in how they conclude.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sim.engine.vector.arrays import FOREVER, jittered_ns
from sim.engine.vector.dense import Dense
from sim.engine.vector.polled import Jobs, Polled, count_mutations
from sim.history.vocabulary import Outcome
from sim.kernel.durations import RUNAWAY_NS

if TYPE_CHECKING:
    from sim.engine.vector.arrays import Bools, Floats, Ints, Rows, SomeRows
    from sim.engine.vector.block import Block
    from sim.kernel.draws import DrawsOf
    from sim.retriers.ports.helpers import Helpers
    from sim.scenario.schema import Scenario


def simulate(cell: Scenario, block: Block, retrier: Helpers) -> None:
    """Poll the job of each attempt with jitter, and schedule another if it has failed."""
    _Polls(_DenseWay(cell, block), retrier).settle()
    if block.unsettled().size:
        _Polls(_LongWay(cell, block), retrier).settle()
    count_mutations(cell, block)


class _Way(Protocol):
    """A way to keep the requests that go on; columns of shape (requests going on,), places are positions in them.

    A method that may end requests returns the places of those that go on, None for all.
    """

    size: int
    draws: DrawsOf

    def start(self, places: SomeRows, number: int | Ints, at_ns: Ints) -> Rows | None:
        """Schedule attempt `number` of requests at some places, due `at_ns`, in their latest poll."""

    def skip(self, number: int, at_ns: Ints) -> Rows | None:
        """End the requests whose poll `number` does not take place."""

    def conclude(self, number: int, at_ns: Ints, failure: Ints, spent: Bools) -> tuple[Bools, Rows | None]:
        """Settle requests by poll `number`; returns first, for every request, whether it is to be tried again.

        `failure` is the number of the failure that each poll looks for; `spent`: it is not retried.
        """

    def finish(self) -> None:
        """Fill in what follows about the requests that have been settled."""


class _Polls:
    """The next polls of the requests that go on; columns of shape (requests going on,)."""

    def __init__(self, way: _Way, retrier: Helpers) -> None:
        options = retrier.defaults
        self._way = way
        self._attempts_at_most: float = options["maxFailures"] + 1
        self._waits = _Delays(options["waitBackoff"], options["base"])
        self._retries = _Delays(options["retryBackoff"], options["base"])
        self._at_ns = np.zeros(way.size, dtype=np.int64)
        """When each is due."""
        self._failure = np.ones(way.size, dtype=np.int64)
        """The number of the failure that each looks for."""

    def settle(self) -> None:
        """Poll until no request goes on."""
        way = self._way
        if way.size:
            self._keep(way.start(slice(None), 1, self._at_ns))
            self._at_ns = jittered_ns(self._waits.first_ms, way.draws.uniforms("poll_jitter", 1))
        for number in count(2):
            self._keep(way.skip(number, self._at_ns))
            if not way.size:
                break
            again, places = way.conclude(number, self._at_ns, self._failure, self._failure >= self._attempts_at_most)
            if places is not None:
                self._keep(places)
                again = again.take(places)
            if way.size:
                self._schedule(number, again)
        way.finish()

    def _schedule(self, number: int, again: Bools) -> None:
        """Schedule the poll after poll `number` of each request, and another attempt of some."""
        way, failure, polled_ns = self._way, self._failure, self._at_ns
        # Each poll so far has let either the wait grow or the number of the failure.
        delays_ms = self._waits.at(number - failure)
        uniforms = way.draws.uniforms("poll_jitter", number)
        places = np.flatnonzero(again)
        backoff_ms = self._retries.at(failure.take(places) - 1)
        delays_ms[places] += backoff_ms
        self._at_ns = polled_ns + jittered_ns(delays_ms, uniforms)
        if places.size:
            numbers = failure.take(places)
            failure[places] += 1
            due_ns = jittered_ns(backoff_ms, way.draws.take(places).uniforms("action_jitter", numbers))
            due_ns += polled_ns.take(places)
            self._keep(way.start(places, numbers + 1, due_ns))

    def _keep(self, places: Rows | None) -> None:
        """Go on with the requests at some places only, as the way does."""
        if places is not None:
            self._at_ns, self._failure = self._at_ns.take(places), self._failure.take(places)


class _DenseWay(Dense):
    """The dense way, for requests without a cancel: a poll sees that the attempt runs, or how it has ended."""

    def __init__(self, cell: Scenario, block: Block) -> None:
        super().__init__(cell, block, None if block.cancel_ns is None else block.cancel_ns < FOREVER)
        self._polls = block.polls
        self._polls_at_most = cell.limits.polls_per_request
        self._retention_ns = cell.platform.retention

    def skip(self, number: int, at_ns: Ints) -> Rows | None:
        """Drop requests with a poll at the end of their job, after its row is collected, or beyond a limit."""
        if number > self._polls_at_most:
            return self.keep(np.zeros(0, dtype=np.intp))
        ago_ns = at_ns - self.end_ns
        usual = ago_ns != 0
        usual &= at_ns <= RUNAWAY_NS
        if self._retention_ns is not None:
            usual &= ago_ns < self._retention_ns
        return None if usual.all() else self.keep(np.flatnonzero(usual))

    def conclude(self, number: int, at_ns: Ints, failure: Ints, spent: Bools) -> tuple[Bools, Rows | None]:
        """Settle the requests whose attempt has succeeded, or has failed as often as is allowed."""
        seen = at_ns > self.end_ns
        failed = seen & self.failed
        over = seen & ~self.failed
        outcomes = [(Outcome.success, np.flatnonzero(over))]
        if (gave_up := failed & spent).any():
            outcomes.append((Outcome.gave_up, np.flatnonzero(gave_up)))
            over |= gave_up
        for outcome, places in outcomes:
            self.settle(places, outcome, failure.take(places), at_ns.take(places))
            self._polls[self.rows(places)] = number
        return failed, self.keep(np.flatnonzero(~over))


class _LongWay:
    """The long way of all other requests, with the job that each poll looks at."""

    def __init__(self, cell: Scenario, block: Block) -> None:
        self._block = block
        self._polled = polled = Polled(cell, block)
        self._polls_at_most = cell.limits.polls_per_request
        rows = block.unsettled()
        # A first poll that is canceled never starts anything.
        self._rows = rows if polled.poll_cancels_ns is None else rows[polled.poll_cancels_ns[rows] > 0]
        block.polls[self._rows] = 1
        self.size = len(self._rows)
        self.draws = block.draws.take(self._rows)
        self._jobs = Jobs.none_of(self.size)
        self._polled_ns = np.zeros(self.size, dtype=np.int64)
        """When the latest poll took place, and scheduled the next."""

    def start(self, places: SomeRows, number: int | Ints, at_ns: Ints) -> Rows | None:
        """Schedule a job for each attempt; the event engine takes over the requests of those beyond the clock."""
        rows, created_ns = self._rows[places], self._polled_ns[places]
        due = self._block.due(rows, at_ns)
        if due is not None:
            at_ns = np.where(due, at_ns, created_ns)
        self._jobs = self._jobs.put(places, self._polled.start(rows, number, created_ns, at_ns))
        return None if due is None else self._keep(~self._block.left[self._rows])

    def skip(self, number: int, at_ns: Ints) -> Rows | None:
        """Leave polls beyond the clock to the event engine; a cancel or the limit of polls ends the looking."""
        due = self._block.due(self._rows, at_ns)
        takes_place = np.ones(self.size, dtype=np.bool_) if due is None else due
        if self._polled.poll_cancels_ns is not None:
            takes_place &= at_ns < self._polled.poll_cancels_ns[self._rows]
        if number > self._polls_at_most:
            self._polled.run_away(self._rows[takes_place])
            takes_place[:] = False
        return self._keep(takes_place)

    def conclude(self, number: int, at_ns: Ints, failure: Ints, spent: Bools) -> tuple[Bools, Rows | None]:
        """Conclude from the job as its row says it is."""
        del failure  # attempts are counted as they start
        block, rows, jobs = self._block, self._rows, self._jobs
        block.polls[rows] = number
        seen = jobs.visible_ns <= at_ns
        # A timer that was set before the poll's own goes first.
        seen &= (jobs.visible_ns < at_ns) | (jobs.since_ns <= self._polled_ns)
        self._leave_what_arrays_cannot_tell(seen, at_ns)
        over, again = self._polled.judge(rows, jobs, at_ns, seen, spent)
        self._polled_ns = at_ns
        return again, self._keep(~(over | block.left[rows]))

    def _leave_what_arrays_cannot_tell(self, seen: Bools, at_ns: Ints) -> None:
        block, rows, jobs = self._block, self._rows, self._jobs
        if jobs.apart is not None:
            block.leave(rows, jobs.apart & (jobs.visible_ns == at_ns))
        retention_ns = self._polled.retention_ns
        if retention_ns is not None:
            block.leave(rows, seen & (at_ns - jobs.visible_ns >= retention_ns))
            if jobs.canceled_ns is not None:
                canceled = jobs.canceled_ns <= at_ns
                block.leave(rows, canceled & (at_ns - jobs.canceled_ns >= retention_ns))

    def _keep(self, those: Bools) -> Rows | None:
        """Go on with some of the requests only."""
        if those.all():
            return None
        places = np.flatnonzero(those)
        self.size = len(places)
        self._rows, self.draws = self._rows.take(places), self.draws.take(places)
        self._jobs, self._polled_ns = self._jobs.take(places), self._polled_ns.take(places)
        return places

    def finish(self) -> None:
        """Fill in the ends of lost attempts."""
        self._polled.finish()


class _Delays:
    """A delay in ms by how often it has been multiplied: repeated products, as the retrier passes it on."""

    def __init__(self, first_ms: float, base: float) -> None:
        self._base = base
        self.first_ms = float(first_ms)
        self._table = np.array([self.first_ms])

    def at(self, times: Ints) -> Floats:
        """Return the delays after so many multiplications each, shape (n,)."""
        most = int(times.max(initial=0))
        if most >= len(self._table):
            table = self._table.tolist()
            while len(table) <= 2 * most:
                table.append(table[-1] * self._base)
            self._table = np.array(table)
        delays_ms: Floats = self._table[times]
        return delays_ms
