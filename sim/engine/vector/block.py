"""A block of requests on their way to records, and which of them arrays leave to the event engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.engine.vector.arrays import FOREVER
from sim.engine.vector.effects import Effects
from sim.engine.world import STEPS_PER_POLL
from sim.history.vocabulary import NEVER, Outcome
from sim.kernel.draws import Draws
from sim.kernel.durations import RUNAWAY_NS

if TYPE_CHECKING:
    from sim.engine.vector.arrays import Bools, Ints, Rows, SomeRows
    from sim.history.records import Requests
    from sim.scenario.schema import Scenario

STEPS_PER_ACTION = 6
"""Timers of one execution of an action, at most."""
STEPS_BESIDES = 4
"""Timers of a submission and of a cancel, at most."""


class Block:
    """The columns of consecutive requests of an isolated world, and the instants of their cancels."""

    def __init__(self, cell: Scenario, records: Requests) -> None:
        """Take blank records to write into."""
        self.records = records
        self.count = count = len(records)
        self.everybody = np.arange(count)
        self.draws = Draws(cell.seed).of(records.number)
        self.effects = Effects(count)
        self.attempts = records.attempts
        self.actions = records.actions
        """Executions without an attempt, until the end."""
        self.action_ns = records.action_ns
        self.polls = records.polls
        self.mutations = records.mutations
        self.outcome = records.outcome
        self.outcome[:] = Outcome.stuck
        self.settled_ns = records.settled_ns
        self.known_attempt_end_ns = records.known_attempt_end_ns
        self.last_attempt_end_ns = records.last_attempt_end_ns
        self.left = np.zeros(count, dtype=np.bool_)
        """Requests that are left to the event engine."""
        self.cancel_ns = _cancels(cell, self)
        """The instant at which each request is canceled, FOREVER if it is not; None if no request is."""
        self._endless: list[tuple[Rows, Ints, Ints]] = []
        """Attempts that nothing ends: their requests, starts, and when they were given up (FOREVER: never)."""

    def settle(self, rows: SomeRows, outcome: Outcome, at_ns: Ints, known_end_ns: Ints | int) -> None:
        """Note the outcome of requests, when it was known, and the ends of their last attempts (NEVER: unknown)."""
        self.outcome[rows] = outcome
        self.settled_ns[rows] = at_ns
        self.known_attempt_end_ns[rows] = known_end_ns

    def note_endless(self, rows: Rows, started_ns: Ints, given_up_ns: Ints) -> None:
        """Note attempts that nothing ends, each of another request; they count until given up (FOREVER: never).

        They also count no longer than until their request settles.
        """
        self._endless.append((rows, started_ns, given_up_ns))

    def note_lost(self, rows: Rows, ends_ns: Ints) -> None:
        """Note the ends of attempts that had been lost sight of, if they came before their requests settled.

        The event engine gets requests that settle at the very end of such an attempt: there the order decides.
        """
        settled_ns = self.settled_ns[rows]
        self.leave(rows, ends_ns == settled_ns)
        known = ends_ns < settled_ns
        those = rows[known]
        self.known_attempt_end_ns[those] = np.maximum(self.known_attempt_end_ns[those], ends_ns[known])

    def leave(self, rows: SomeRows, those: Bools) -> None:
        """Leave some of the requests at `rows` to the event engine; `those` has shape (rows,)."""
        self.left[rows] |= those

    def unsettled(self) -> Rows:
        """Return the rows of requests without an outcome that are not left to the event engine."""
        return np.flatnonzero((self.outcome == Outcome.stuck) & ~self.left)

    def due(self, rows: SomeRows, at_ns: Ints) -> Bools | None:
        """Return a mask of instants that the clock can reach, None for all; the event engine gets other requests."""
        if at_ns.max(initial=0) <= RUNAWAY_NS:
            return None
        due: Bools = at_ns <= RUNAWAY_NS
        self.leave(rows, ~due)
        return due

    def finish(self, polls_at_most: int, window_ns: int | None) -> None:
        """Fill in what sums up attempts, effects and hangs, and leave two more kinds of requests to the event engine.

        In the world of one kind more timers may fire than are allowed; in the other two effects come at one instant.
        """
        for rows, started_ns, given_up_ns in self._endless:
            settled_ns = self.settled_ns[rows]
            until_ns = np.minimum(np.where(settled_ns == NEVER, FOREVER, settled_ns), given_up_ns)
            ran_ns = np.maximum(np.where(until_ns == FOREVER, 0, until_ns - started_ns), 0)
            self.action_ns[rows] += ran_ns
        self.actions += self.attempts
        steps = polls_at_most * STEPS_PER_POLL
        if int(self.polls.max(initial=0)) + STEPS_PER_ACTION * int(self.actions.max(initial=0)) + STEPS_BESIDES > steps:
            timers = self.polls.astype(np.int64) + STEPS_PER_ACTION * self.actions.astype(np.int64)
            self.left |= timers + STEPS_BESIDES > steps
        self.left[self.effects.judge(self.records, window_ns)] = True


def _cancels(cell: Scenario, block: Block) -> Ints | None:
    cancel = cell.cancel
    if cancel is None or not cancel.share:
        return None
    instants_ns = np.full(block.count, FOREVER)
    (canceled,) = np.nonzero(block.draws.uniforms("cancel_share") < cancel.share)
    if canceled.size:
        instants_ns[canceled] = cancel.after.sample_ns(block.draws.uniforms("cancel_after", 0, canceled))
    return instants_ns
