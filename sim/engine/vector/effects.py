"""Counts the effects of many requests: first ones, suppressed ones, duplicates and their causes.

`sim.world.effects` for arrays. Effects are noted as attempts are made, but judged at the end in the order of their
instants, since an effect of an attempt that was given up can come after those of later attempts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.history.vocabulary import Cause

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.engine.vector.arrays import Bools, Ints, SomeRows
    from sim.history.records import Requests


class _Batch(NamedTuple):
    """Effects of one attempt each of different requests."""

    rows: Ints
    at_ns: Ints
    given_up: Bools
    """Whether the attempt had been given up by then."""
    blame: NDArray[np.uint8]
    """The cause of a duplicate that comes after this effect."""

    def take(self, those: Bools) -> _Batch:
        """Return some of them."""
        return _Batch(self.rows[those], self.at_ns[those], self.given_up[those], self.blame[those])


class Effects:
    """The effects of the requests of a block."""

    def __init__(self, count: int) -> None:
        self._everybody = np.arange(count)
        self._counts = np.zeros(count, dtype=np.int32)
        self._batches: list[_Batch] = []

    def note(self, rows: SomeRows, at_ns: Ints, given_up: Bools | bool, blame: NDArray[np.uint8] | Cause) -> None:  # noqa: FBT001  # one for all
        """Note effects, each of one attempt of another request; all arrays have shape (rows,)."""
        count = len(at_ns)
        if count == 0:
            return
        self._counts[rows] += 1
        numbers = self._everybody[rows] if isinstance(rows, slice) else rows
        given = np.broadcast_to(np.asarray(given_up), count)
        blames = np.broadcast_to(np.asarray(blame, dtype=np.uint8), count)
        self._batches.append(_Batch(numbers, at_ns, given, blames))

    def note_only_ones(self, those: Bools) -> None:
        """Note the single effects of some requests, whose instants the records have; shape (requests,)."""
        self._counts += those

    def judge(self, records: Requests, window_ns: int | None) -> Ints:
        """Fill columns of blank records; returns the rows of requests with two effects at one instant."""
        first_effect_ns, effects = records.first_effect_ns, records.effects
        np.minimum(self._counts, 1, out=effects)
        several = self._counts > 1
        if not several.any():
            for batch in self._batches:
                first_effect_ns[batch.rows] = batch.at_ns
            return np.zeros(0, dtype=np.int64)
        parts: list[_Batch] = []
        for batch in self._batches:
            many = several[batch.rows]
            alone = ~many
            first_effect_ns[batch.rows[alone]] = batch.at_ns[alone]
            parts.append(batch.take(many))
        rows, at_ns, given_up, blame = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.lexsort((at_ns, rows))
        rows, at_ns, given_up, blame = rows[order], at_ns[order], given_up[order], blame[order]
        starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
        lengths = np.diff(np.r_[starts, len(rows)])
        tied: Ints = rows[1:][(rows[1:] == rows[:-1]) & (at_ns[1:] == at_ns[:-1])]
        first_effect_ns[rows[starts]] = at_ns[starts]
        last_ns, last_blame = at_ns[starts].copy(), blame[starts].copy()
        for rank in range(1, int(lengths.max())):
            (having,) = np.nonzero(lengths > rank)
            places = starts[having] + rank
            if window_ns is not None:
                recognized = at_ns[places] - last_ns[having] < window_ns
                records.suppressed[rows[places[recognized]]] += 1
                having, places = having[~recognized], places[~recognized]
            causes = np.where(given_up[places], np.uint8(Cause.timeout), last_blame[having])
            records.duplicates[rows[places], causes] += 1
            effects[rows[places]] += 1
            last_ns[having], last_blame[having] = at_ns[places], blame[places]
        return tied
