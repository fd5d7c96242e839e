"""A block of requests on their way to records, and those that arrays leave to the event engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.engine.vector.arrays import FOREVER, Bools, Ints, SomeRows
from sim.engine.vector.effects import Effects, empty_column
from sim.kernel.draws import Draws
from sim.kernel.records import NEVER, Cause, Outcome, Requests

if TYPE_CHECKING:
    from sim.scenario.schema import Scenario

STEPS_PER_ACTION = 6
"""Timers of one execution of an action, at most."""


class Block:
    """The columns of consecutive requests of an isolated world, and what is known of their cancels."""

    def __init__(self, cell: Scenario, numbers: range) -> None:
        self.count = count = len(numbers)
        self.numbers = np.arange(numbers.start, numbers.stop, dtype=np.int64)
        self.everybody = np.arange(count)
        self.draws = Draws(cell.seed).of(self.numbers)
        self.effects = Effects(count)
        self.attempts = np.zeros(count, dtype=np.int32)
        self.actions = np.zeros(count, dtype=np.int32)
        self.action_ns = np.zeros(count, dtype=np.int64)
        self.polls = np.zeros(count, dtype=np.int32)
        self.mutations = np.zeros(count, dtype=np.int32)
        self.outcome = np.full(count, Outcome.stuck, dtype=np.uint8)
        self.settled_ns = empty_column(count)
        self.known_attempt_end_ns = empty_column(count)
        self.last_attempt_end_ns = empty_column(count)
        self.left = np.zeros(count, dtype=np.bool_)
        """Requests that are left to the event engine."""
        self.cancel_ns = _cancels(cell, self)
        """The instant at which each request is canceled, FOREVER where it is not; None where none is."""

    def canceling(self, rows: SomeRows) -> Ints:
        """Return the instants of the cancels of some requests; only where there are cancels."""
        assert self.cancel_ns is not None  # noqa: S101  # the caller has looked
        return self.cancel_ns[rows]

    def settle(self, rows: SomeRows, outcome: Outcome, at_ns: Ints, known_end_ns: Ints) -> None:
        """Note what a retrier concludes about requests, and the ends of their last attempts as far as they had any."""
        self.outcome[rows] = outcome
        self.settled_ns[rows] = at_ns
        self.known_attempt_end_ns[rows] = known_end_ns

    def leave(self, rows: SomeRows, those: Bools) -> None:
        """Leave those of some requests to the event engine."""
        self.left[rows] |= those

    def leave_where_steps_may_run_out(self, steps: int) -> None:
        """Leave the requests whose world may have more timers than a world may fire."""
        timers = self.polls.astype(np.int64) + STEPS_PER_ACTION * self.actions.astype(np.int64) + 4
        self.left |= timers > steps

    def requests(self, window_ns: int | None) -> Requests:
        """Return the records of the block."""
        count = self.count
        first_effect_ns = empty_column(count)
        effects, suppressed = np.zeros(count, dtype=np.int32), np.zeros(count, dtype=np.int32)
        duplicates = np.zeros((count, len(Cause)), dtype=np.int32)
        self.left[self.effects.judge(first_effect_ns, effects, suppressed, duplicates, window_ns)] = True
        return Requests(
            replication=np.zeros(count, dtype=np.int32),
            number=self.numbers,
            submitted_ns=np.zeros(count, dtype=np.int64),
            first_effect_ns=first_effect_ns,
            settled_ns=self.settled_ns,
            known_attempt_end_ns=self.known_attempt_end_ns,
            last_attempt_end_ns=self.last_attempt_end_ns,
            attempts=self.attempts,
            effects=effects,
            suppressed=suppressed,
            polls=self.polls,
            conflicts=np.zeros(count, dtype=np.int32),
            mutations=self.mutations,
            actions=self.actions,
            action_ns=self.action_ns,
            outcome=self.outcome,
            duplicates=duplicates,
        )


def _cancels(cell: Scenario, block: Block) -> Ints | None:
    cancel = cell.cancel
    if cancel is None or not cancel.share:
        return None
    instants_ns = np.full(block.count, FOREVER)
    (canceled,) = np.nonzero(block.draws.uniforms("cancel_share") < cancel.share)
    if canceled.size:
        instants_ns[canceled] = cancel.after.sample_ns(block.draws.uniforms("cancel_after", 0, canceled))
    return instants_ns


def later(first_ns: Ints, second_ns: Ints) -> Ints:
    """Return the later of instants that may be NEVER."""
    return np.maximum(first_ns, second_ns)


__all__ = ["NEVER", "Block", "later"]
