"""Requests for as long as their attempts answer: the short way, which most of them go to their end.

Where each attempt succeeds or fails at the end of its latency and nobody interferes, a request is the number of its
attempts, the end of the last one and the instant at which it settles; all else follows from that. So columns are
written once, when a request settles, and those of the requests that go on are kept dense. A request that meets anything
else is dropped here as if nothing had been: it goes the long way from its start.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from sim.engine.vector.attempts import RETURNED, share_of
from sim.history.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.engine.vector.arrays import Bools, Ints, Rows, SomeRows
    from sim.engine.vector.attempts import Attempts
    from sim.engine.vector.block import Block
    from sim.kernel.draws import DrawsOf

    Backoff = Callable[[int, DrawsOf], Ints]


class Answered:
    """The requests that go on, each with its present attempt; columns of shape (requests going on,)."""

    def __init__(self, block: Block, attempts: Attempts, apart: Bools | None) -> None:
        """Take the requests of a block but those `apart`, shape (requests,)."""
        self._block = block
        self._attempts = attempts
        self._rows: SomeRows = slice(None)
        self.size = block.count
        self.draws = block.draws
        self.end_ns: Ints = block.everybody  # no attempt yet
        self.failed: Bools = block.left
        """Whether the present attempt fails."""
        self._each_ns = np.int64(0)
        """How long each attempt runs, where that is the same for all."""
        self._ran_ns: Ints | None = None
        """How long the attempts have run so far, where it is not."""
        self._effect_ns: Ints | None = None
        """When the present attempt has its effect, where that is not at its end."""
        if apart is not None and apart.any():
            self.keep(np.flatnonzero(~apart))

    def start(self, number: int, at_ns: Ints) -> Rows | None:
        """Make attempt `number` of each; returns the places that are left, None where all are."""
        latency_ns, self.failed, places = self._made(slice(None), self.draws, number, at_ns)
        self.end_ns = at_ns + latency_ns
        if not isinstance(latency_ns, np.ndarray):
            self._each_ns = latency_ns
        else:
            self._ran_ns = latency_ns if self._ran_ns is None else self._ran_ns + latency_ns
        if self._attempts.effect_at != 1.0:
            self._effect_ns = at_ns + share_of(latency_ns, self._attempts.effect_at)
        return self.keep(places)

    def start_some(self, those: Rows, numbers: Ints, at_ns: Ints) -> Rows | None:
        """Make another attempt of some, with its number each; returns the places that are left, None where all are."""
        latency_ns, failed, places = self._made(those, self.draws.take(those), numbers, at_ns)
        self.end_ns[those] = at_ns + latency_ns
        self.failed[those] = failed
        if self._ran_ns is not None:
            self._ran_ns[those] += latency_ns
        if self._effect_ns is not None:
            self._effect_ns[those] = at_ns + share_of(latency_ns, self._attempts.effect_at)
        return self.keep(places)

    def _made(
        self, those: SomeRows, draws: DrawsOf, number: int | Ints, at_ns: Ints
    ) -> tuple[Ints | np.int64, Bools, Rows | None]:
        """Return latencies, failures, and the places of all but those whose attempt does more than answer."""
        codes, latency_ns = self._attempts.drawn(self.rows(those), draws, number, at_ns)
        more = self._attempts.needs_more(codes, latency_ns, at_ns)
        failed: Bools = np.zeros(len(at_ns), dtype=np.bool_) if codes is None else codes != RETURNED
        if more is None:
            return latency_ns, failed, None
        answers = np.ones(self.size, dtype=np.bool_)
        answers[those] = ~more
        return latency_ns, failed, np.flatnonzero(answers)

    def settle(self, places: Rows, outcome: Outcome, attempts: int | Ints, settled_ns: Ints | None = None) -> None:
        """Settle some, of which so many attempts were made, at instants; by default at the end of the last attempt."""
        block, rows = self._block, self.rows(places)
        end_ns = self.end_ns.take(places)
        block.settled_ns[rows] = end_ns if settled_ns is None else settled_ns
        block.last_attempt_end_ns[rows] = end_ns
        block.outcome[rows] = outcome
        block.attempts[rows] = attempts
        if self._ran_ns is not None:
            block.action_ns[rows] = self._ran_ns.take(places)
        if self._effect_ns is not None and outcome == Outcome.success:
            block.records.first_effect_ns[rows] = self._effect_ns.take(places)

    def keep(self, places: Rows | None) -> Rows | None:
        """Go on with those at some places only, where these are not None; returns them."""
        if places is None:
            return None
        self._rows = self.rows(places)
        self.size = len(places)
        self.draws = self.draws.take(places)
        self.end_ns, self.failed = self.end_ns.take(places), self.failed.take(places)
        if self._ran_ns is not None:
            self._ran_ns = self._ran_ns.take(places)
        if self._effect_ns is not None:
            self._effect_ns = self._effect_ns.take(places)
        return places

    def rows(self, places: SomeRows = slice(None)) -> Rows:
        """Return the positions in the block of those at some places."""
        rows = self._block.everybody if isinstance(self._rows, slice) else self._rows
        return rows[places] if isinstance(places, slice) else rows.take(places)

    def finish(self) -> None:
        """Fill in what follows about all that have been settled."""
        block, attempts = self._block, self._attempts
        settled = block.outcome != Outcome.stuck
        success = block.outcome == Outcome.success
        np.copyto(block.known_attempt_end_ns, block.last_attempt_end_ns, where=settled)
        if attempts.effect_at == 1.0:
            np.copyto(block.records.first_effect_ns, block.last_attempt_end_ns, where=success)
        if self._ran_ns is None:
            np.multiply(block.attempts, self._each_ns, out=block.action_ns)
        block.effects.note_only_ones(success)


def settle_answered(  # noqa: PLR0913  # what a loop is
    block: Block,
    attempts: Attempts,
    *,
    start_ns: int,
    attempts_at_most: int,
    backoff_ns: Backoff,
    apart: Bools | None = None,
) -> None:
    """Settle the requests of a loop that backs off whose attempts all answer; the other ones stay as they are.

    `backoff_ns` draws the delays after a failure of that number. `apart`, shape (requests,): those not to be touched.
    """
    going = Answered(block, attempts, apart)
    if not going.size:
        return
    going.start(1, np.full(going.size, start_ns, dtype=np.int64))
    for number in count(1):
        again = np.flatnonzero(going.failed)
        going.settle(np.flatnonzero(~going.failed), Outcome.success, number)
        if number == attempts_at_most:
            going.settle(again, Outcome.gave_up, number)
            break
        going.keep(again)
        if not going.size:
            break
        at_ns = going.end_ns + backoff_ns(number, going.draws)
        if (due := block.due(going.rows(), at_ns)) is not None:
            going.keep(places := np.flatnonzero(due))
            at_ns = at_ns.take(places)
        going.start(number + 1, at_ns)
    going.finish()
