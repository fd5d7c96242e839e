"""The heartbeats of `component` for arrays.

They are drawn only if they can matter: the first comes five seconds after the start at the earliest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.engine.vector.arrays import BEFORE, FOREVER, jittered_ns
from sim.history.vocabulary import NEVER, Outcome
from sim.kernel.durations import ns_of_ms
from sim.retriers.backoff import jitter
from sim.retriers.ports.component import HEARTBEAT_INTERVAL_MS

if TYPE_CHECKING:
    from sim.engine.vector.arrays import Bools, Ints, Rows
    from sim.engine.vector.block import Block
    from sim.scenario.schema import Scenario


class Heartbeats:
    """The heartbeats of the runs of a block: one chain each, until a heartbeat does not schedule the next."""

    def __init__(self, cell: Scenario, block: Block, start_ns: int, cuts_ns: Ints | None) -> None:
        self._block = block
        self._start_ns = start_ns
        self._cuts_ns = cuts_ns
        """When each chain's pending heartbeat is canceled; None if none is."""
        self._polls_at_most = cell.limits.polls_per_request
        self._retention_ns = cell.platform.retention
        self._next_ns = np.full(block.count, BEFORE)
        """The pending heartbeat of each chain: BEFORE if it has not been drawn yet, FOREVER if there is none."""
        self._drawn = False
        """Whether any heartbeat has been drawn."""
        self._earliest_ns = start_ns + ns_of_ms(jitter(HEARTBEAT_INTERVAL_MS, 0.0))

    def alive(self, rows: Rows) -> Bools:
        """Return which chains go on for ever, unless their runs end."""
        going: Bools = self._next_ns[rows] < FOREVER
        return going if self._cuts_ns is None else going & (self._cuts_ns[rows] == FOREVER)

    def first_at(self, rows: Rows, since_ns: Ints) -> Ints:
        """Let the heartbeats before some instants pass; returns the pending ones, FOREVER if there is none."""
        block, next_ns = self._block, self._next_ns
        new = rows[next_ns[rows] == BEFORE]
        if new.size:
            self._drawn = True
            next_ns[new] = self._start_ns + self._gaps(new, 0)
            self._cut(new)
        (behind,) = np.nonzero(next_ns[rows] < since_ns)
        while behind.size:
            those = rows[behind]
            block.polls[those] += 1
            next_ns[those] += self._gaps(those, block.polls[those].astype(np.int64))
            self._cut(those)
            spent = block.polls[those] >= self._polls_at_most
            block.leave(those, spent)
            next_ns[those[spent]] = FOREVER
            behind = behind[next_ns[those] < since_ns[behind]]
        pending_ns: Ints = next_ns[rows]
        if self._retention_ns is not None:
            block.leave(rows, (pending_ns < FOREVER) & (pending_ns - since_ns >= self._retention_ns))
        return pending_ns

    def consume(self, rows: Rows) -> None:
        """Let the pending heartbeats of some requests be their last."""
        self._block.polls[rows] += 1
        self._next_ns[rows] = FOREVER

    def run_away(self, rows: Rows) -> None:
        """Let heartbeats go on until the limit of polls."""
        self._block.polls[rows] = self._polls_at_most
        self._block.outcome[rows] = Outcome.runaway
        self._next_ns[rows] = FOREVER

    def end_at_cut(self, rows: Rows) -> None:
        """Let heartbeats of runs that never end come until one is canceled."""
        if self._cuts_ns is not None:
            going = rows[self._next_ns[rows] < FOREVER]
            self.first_at(going, self._cuts_ns[going])

    def finish(self, settled_ns: Ints) -> None:
        """Let the heartbeats of settled requests come up to the one that finds its run completed."""
        block = self._block
        early = settled_ns < self._earliest_ns
        early &= settled_ns != NEVER
        if self._drawn:
            early &= self._next_ns == BEFORE
        if self._cuts_ns is not None:
            early &= self._cuts_ns == FOREVER
        block.polls += early
        if early.all():
            return
        (rows,) = np.nonzero((self._next_ns < FOREVER) & (settled_ns != NEVER) & ~early)
        pending_ns = self.first_at(rows, settled_ns[rows])
        by_cancel = block.outcome[rows] == Outcome.canceled
        block.leave(rows, (pending_ns == settled_ns[rows]) & ~by_cancel)
        block.polls[rows[pending_ns < FOREVER]] += 1

    def _gaps(self, rows: Rows, index: int | Ints) -> Ints:
        return jittered_ns(HEARTBEAT_INTERVAL_MS, self._block.draws.uniforms("heartbeat", index, rows))

    def _cut(self, rows: Rows) -> None:
        """End the chains whose pending heartbeat is canceled before it comes."""
        if self._cuts_ns is not None:
            canceled = self._cuts_ns[rows] <= self._next_ns[rows]
            self._next_ns[rows[canceled]] = FOREVER
