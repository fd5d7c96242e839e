"""Retry loops for as long as attempts answer: the short way, which most requests go to their end.

Where each attempt succeeds or fails at the end of its latency and nobody interferes, a request is its number of
attempts and the instant at which the last one ends; all else follows from that. So columns are written once, when a
request settles, and what goes on is kept dense. Requests that meet anything else are handed over as they were before.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.engine.vector.arrays import BEFORE
from sim.engine.vector.attempts import share_of
from sim.kernel.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.engine.vector.arrays import Bools, Ints, Rows, SomeRows
    from sim.engine.vector.attempts import Attempts, Codes
    from sim.engine.vector.block import Block
    from sim.kernel.draws import DrawsOf

    Backoff = Callable[[int, DrawsOf], Ints]


class Pending(NamedTuple):
    """Attempts to come, one of each of some requests; shape (rows,) each."""

    rows: Rows
    created_ns: Ints
    """When they were scheduled: when the attempt before ended, BEFORE where there was none."""
    at_ns: Ints
    """When they are due."""

    def of(self, those: Bools) -> Pending:
        """Return those of some of the requests."""
        return Pending(self.rows[those], self.created_ns[those], self.at_ns[those])


def settle_answered(  # noqa: PLR0913  # what a loop is
    block: Block,
    attempts: Attempts,
    *,
    start_ns: int,
    attempts_at_most: int,
    backoff_ns: Backoff,
    apart: Bools | None = None,
) -> dict[int, Pending]:
    """Settle the requests of a block whose attempts all answer; returns the other ones by the attempt they are at.

    `backoff_ns` draws the delays after a failure of that number. `apart`, shape (requests,): those handed over at once.
    """
    handed: dict[int, Pending] = {}
    going = _Going(block, attempts, start_ns)
    for number in count(1):
        handed[number] = going.hand_over(number, apart if number == 1 else None)
        going.end(number, last=number == attempts_at_most)
        if not going.size:
            break
        going.wait(backoff_ns(number, going.draws))
    _fill_in(block, attempts)
    return {number: pending for number, pending in handed.items() if pending.rows.size}


class _Going:
    """The requests that are not settled yet; columns of shape (requests going on,)."""

    def __init__(self, block: Block, attempts: Attempts, start_ns: int) -> None:
        self._block = block
        self._attempts = attempts
        self._rows: SomeRows = slice(None)
        self.size = block.count
        self.draws = block.draws
        self._at_ns = np.full(block.count, start_ns, dtype=np.int64)
        self._created_ns = np.full(block.count, BEFORE)
        self._ran_ns: Ints | np.int64 = np.int64(0)
        """How long the attempts so far have run; one number where they are all the same."""
        self._codes: Codes | None = None
        self._latency_ns: Ints | np.int64 = np.int64(0)

    def hand_over(self, number: int, apart: Bools | None) -> Pending:
        """Draw attempt `number` of each; returns those that it takes more to make, in the state before it."""
        self._codes, self._latency_ns = self._attempts.drawn(self._rows, self.draws, number, self._at_ns)
        others = self._attempts.needs_more(self._codes, self._latency_ns, self._at_ns)
        if apart is not None:
            others = apart if others is None else others | apart
        if others is None or not others.any():
            return Pending(self._block.everybody[:0], self._at_ns[:0], self._at_ns[:0])
        places = np.flatnonzero(others)
        rows = self._rows_at(places)
        block, created_ns = self._block, self._created_ns.take(places)
        block.attempts[rows] = number - 1
        block.action_ns[rows] = _taken(self._ran_ns, places)
        block.last_attempt_end_ns[rows] = created_ns
        pending = Pending(rows, created_ns, self._at_ns.take(places))
        rest = np.flatnonzero(~others)
        self._latency_ns = _taken(self._latency_ns, rest)
        self._codes = None if self._codes is None else self._codes.take(rest)
        self._keep(rest)
        return pending

    def end(self, number: int, *, last: bool) -> None:
        """Settle those whose attempt succeeds, and all of them at the `last` one."""
        end_ns = self._at_ns + self._latency_ns
        self._ran_ns = self._ran_ns + self._latency_ns
        failed = np.zeros(self.size, dtype=np.bool_) if self._codes is None else self._codes.view(np.bool_)
        again = np.flatnonzero(failed)
        success = np.flatnonzero(~failed)
        self._settle(success, Outcome.success, number, end_ns)
        if last:
            self._settle(again, Outcome.gave_up, number, end_ns)
            again = again[:0]
        self._at_ns = self._created_ns = end_ns
        self._keep(again)

    def _settle(self, places: Rows, outcome: Outcome, number: int, end_ns: Ints) -> None:
        block, rows = self._block, self._rows_at(places)
        block.settled_ns[rows] = end_ns.take(places)
        block.outcome[rows] = outcome
        block.attempts[rows] = number
        block.action_ns[rows] = _taken(self._ran_ns, places)
        effect_at = self._attempts.effect_at
        if effect_at != 1.0 and outcome == Outcome.success:
            effect_ns = self._at_ns + share_of(self._latency_ns, effect_at)
            block.records.first_effect_ns[rows] = effect_ns.take(places)

    def wait(self, backoff_ns: Ints) -> None:
        """Let the next attempts be due some time after the failures."""
        self._at_ns = self._created_ns + backoff_ns
        if (due := self._block.due(self._rows_at(slice(None)), self._at_ns)) is not None:
            self._keep(np.flatnonzero(due))

    def _keep(self, places: Rows) -> None:
        self._rows = self._rows_at(places)
        self.size = len(places)
        self.draws = self.draws.take(places)
        created_ns = self._created_ns.take(places)
        self._at_ns = created_ns if self._at_ns is self._created_ns else self._at_ns.take(places)
        self._created_ns = created_ns
        self._ran_ns = _taken(self._ran_ns, places)

    def _rows_at(self, places: Rows | slice) -> Rows:
        if isinstance(self._rows, slice):
            return self._block.everybody if isinstance(places, slice) else places
        return self._rows if isinstance(places, slice) else self._rows.take(places)


def _fill_in(block: Block, attempts: Attempts) -> None:
    """Fill in what follows from the ends of settled requests."""
    settled = block.outcome != Outcome.stuck
    success = block.outcome == Outcome.success
    np.copyto(block.known_attempt_end_ns, block.settled_ns, where=settled)
    np.copyto(block.last_attempt_end_ns, block.settled_ns, where=settled)
    if attempts.effect_at == 1.0:
        np.copyto(block.records.first_effect_ns, block.settled_ns, where=success)
    block.effects.note_only_ones(success)


def _taken(numbers: Ints | np.int64, places: Rows) -> Ints | np.int64:
    return numbers.take(places) if isinstance(numbers, np.ndarray) else numbers
