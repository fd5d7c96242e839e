"""The dense way: requests for as long as their attempts are usual, as most are to their end.

If each attempt succeeds or fails at the end of its latency and no cancel interferes, then all about a request follows
from the number of its attempts, the end of the last one and the instant at which it settles. So columns are written
once, when a request settles, and the columns of the requests that go on are kept dense. A request that meets anything
else is dropped here and leaves no trace: it goes the long way from its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.engine.vector.attempts import share_of
from sim.engine.vector.outcomes import SUCCESS_CODE, Outcomes
from sim.history.vocabulary import Outcome

if TYPE_CHECKING:
    from sim.engine.vector.arrays import Bools, Ints, Rows, SomeRows
    from sim.engine.vector.block import Block
    from sim.scenario.schema import Scenario


class Dense:
    """The requests that go on, each with its present attempt; columns of shape (requests going on,).

    A place is a position in these columns; a row is a position in the block.
    """

    def __init__(
        self,
        cell: Scenario,
        block: Block,
        excluded: Bools | None,
        *,
        hosted: bool = True,
        longest_ns: int | None = None,
    ) -> None:
        """Take the requests of a block without the `excluded` ones, shape (requests,).

        `hosted` as `Outcomes` takes it; an attempt of a client outside that takes more than `longest_ns` is not usual.
        """
        self._block = block
        self._outcomes = Outcomes(cell, block, hosted=hosted)
        if longest_ns is not None:
            self._outcomes.limit_ns = longest_ns
        self._rows: SomeRows = slice(None)
        self.size = block.count
        self.draws = block.draws
        self.end_ns: Ints = block.everybody  # no attempt yet
        self.failed: Bools = block.left
        """Whether the present attempt fails."""
        self._each_ns = np.int64(0)
        """How long each attempt runs, if that is the same for all."""
        self._ran_ns: Ints | None = None
        """How long the attempts have run so far, if it is not."""
        self._effect_ns: Ints | None = None
        """When the present attempt has its effect, if that is not at its end."""
        if excluded is not None and excluded.any():
            self.keep(np.flatnonzero(~excluded))

    def start(self, places: SomeRows, number: int | Ints, at_ns: Ints) -> Rows | None:
        """Make attempt `number` of the requests at some places; drop those whose attempt is not usual.

        The first attempts are those of all requests. Returns the places of the requests that go on, None for all.
        """
        draws = self.draws if isinstance(places, slice) else self.draws.take(places)
        codes, latency_ns = self._outcomes.draw(self.rows(places), draws, number, at_ns)
        rare = self._outcomes.rare(codes, latency_ns, at_ns)
        failed: Bools = np.zeros(len(at_ns), dtype=np.bool_) if codes is None else codes != SUCCESS_CODE
        effect_at = self._outcomes.effect_at
        if isinstance(places, slice):
            self.end_ns, self.failed = at_ns + latency_ns, failed
            if isinstance(latency_ns, np.ndarray):
                self._ran_ns = latency_ns if self._ran_ns is None else self._ran_ns + latency_ns
            else:
                self._each_ns = latency_ns
            if effect_at != 1.0:
                self._effect_ns = at_ns + share_of(latency_ns, effect_at)
        else:
            self.end_ns[places], self.failed[places] = at_ns + latency_ns, failed
            if self._ran_ns is not None:
                self._ran_ns[places] += latency_ns
            if self._effect_ns is not None:
                self._effect_ns[places] = at_ns + share_of(latency_ns, effect_at)
        if rare is None:
            return None
        usual = np.ones(self.size, dtype=np.bool_)
        usual[places] = ~rare
        return self.keep(np.flatnonzero(usual))

    def settle(self, places: Rows, outcome: Outcome, attempts: int | Ints, settled_ns: Ints | None = None) -> None:
        """Settle requests with so many attempts each at instants, by default at the ends of their last attempts."""
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

    def keep(self, places: Rows) -> Rows:
        """Go on with the requests at some places only; returns these."""
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
        """Return the rows of the requests at some places."""
        rows = self._block.everybody if isinstance(self._rows, slice) else self._rows
        return rows[places] if isinstance(places, slice) else rows.take(places)

    def finish(self) -> None:
        """Fill in what follows about all settled requests."""
        block = self._block
        settled = block.outcome != Outcome.stuck
        success = block.outcome == Outcome.success
        np.copyto(block.known_attempt_end_ns, block.last_attempt_end_ns, where=settled)
        if self._outcomes.effect_at == 1.0:
            np.copyto(block.records.first_effect_ns, block.last_attempt_end_ns, where=success)
        if self._ran_ns is None:
            np.multiply(block.attempts, self._each_ns, out=block.action_ns)
        block.effects.note_only_ones(success)
