"""Histograms that can be merged: they stand for a quantity's values if the values themselves are not kept.

Times go into log-linear bins, 1024 an octave (as in G. Tene's HdrHistogram, 2012): below 2^11 each whole number has a
bin of its own, above that a bin is at most 1/1024 of its values wide. Small numbers (attempts, polls) are counted
value by value. The number of values, the number of infinite ones, the sum, the sum of squares, the least and the
greatest are exact, so that neither the order of values nor their split into parts leaves a trace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim.history.vocabulary import NEVER
from sim.measure.sums import exact_sums

BITS = 10
"""An octave has 2^BITS bins."""

WIDTH = 1 / 2**BITS
"""The greatest width of a bin, as a share of the least value in it."""

_SHIFT = 52 - BITS
_FIRST = 1023 << BITS
"""The leading bits of 1.0: sign and exponent, and the first `BITS` of the fraction."""
_EXACT_FLOAT = 2**53
_MOST_DENSE = 2**16
"""Up to so many keys, which is more than there are bins, are counted in an array with a place for each."""

Ints = NDArray[np.int64]


def bins_of(values: Ints) -> Ints:
    """Return the numbers of the log-linear bins of values, shape (n,), from 0 up to 2^62; 0 has bin 0.

    The bin of a value is given by the leading bits of a double: its exponent and the first ten bits of its fraction.
    """
    if len(values) and values.max() >= _EXACT_FLOAT:
        # A double has 53 bits: without the lowest nine, which no bin depends on, a longer number is not rounded up.
        values = np.where(values >= _EXACT_FLOAT, values & -512, values)
    bins: Ints = values.astype(np.float64).view(np.int64) >> _SHIFT
    bins -= _FIRST - 1
    return np.maximum(bins, 0, out=bins)


def ends_of(bins: Ints) -> tuple[Ints, Ints]:
    """Return the least and the greatest whole number of each bin."""
    starts = _starts(bins)
    lowest = np.ceil(starts).astype(np.int64)
    return lowest, np.maximum(lowest, np.ceil(_starts(bins + 1)).astype(np.int64) - 1)


def _starts(bins: Ints) -> NDArray[np.float64]:
    starts = ((bins + (_FIRST - 1)) << _SHIFT).view(np.float64)
    return np.where(bins <= 0, 0.0, starts)


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often values of each bin occur; a sample, as `sim.measure.estimates` takes it."""

    keys: Ints
    """Shape (bins,), ascending: the bins in which values lie."""
    counts: Ints
    """Shape (bins,): how many values, at least one."""
    infinite: int
    least: int
    """The least finite value; -1 if there is none."""
    greatest: int
    """The greatest finite value; -1 if there is none."""
    total: int
    squares: int
    """The sums of the finite values and of their squares."""
    is_exact: bool = field(kw_only=True)
    """Whether `keys` are the values themselves, not log-linear bins."""

    @classmethod
    def of(cls, values: Ints, *, exact: bool = False) -> Histogram:
        """Count values, shape (n,); `NEVER` (-1) stands for an infinite one."""
        is_finite = values >= 0
        finite = values if is_finite.all() else values[is_finite]
        infinite = len(values) - len(finite)
        if not len(finite):
            return cls._empty(infinite, exact=exact)
        ends = int(finite.min()), int(finite.max())
        if not exact:
            return cls(*_counted(bins_of(finite)), infinite, *ends, *exact_sums(finite), is_exact=False)
        keys, counts = _counted(finite)
        return cls(keys, counts, infinite, *ends, *_sums_of_counted(keys, counts), is_exact=True)

    @classmethod
    def of_counts(cls, values: list[int], counts: list[int]) -> Histogram:
        """Make an exact histogram of ascending values and how often each occurs; it leaves out those that never do."""
        kept = [(value, count) for value, count in zip(values, counts, strict=True) if count]
        if not kept:
            return cls._empty(0, exact=True)
        keys, numbers = (np.array(column, dtype=np.int64) for column in zip(*kept, strict=True))
        return cls(keys, numbers, 0, kept[0][0], kept[-1][0], *_sums_of_counted(keys, numbers), is_exact=True)

    @classmethod
    def _empty(cls, infinite: int, *, exact: bool) -> Histogram:
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, infinite, NEVER, NEVER, 0, 0, is_exact=exact)

    def merge(self, other: Histogram) -> Histogram:
        """Return the histogram of the values of both, which are binned alike."""
        keys, counts = _added(self, other)
        ends = [end for part in (self, other) if len(part.keys) for end in (part.least, part.greatest)]
        return Histogram(
            keys,
            counts,
            self.infinite + other.infinite,
            min(ends, default=NEVER),
            max(ends, default=NEVER),
            self.total + other.total,
            self.squares + other.squares,
            is_exact=self.is_exact,
        )

    def __len__(self) -> int:
        return self._finite + self.infinite

    def sums(self) -> tuple[int, int]:
        """Return the sum of the finite values and the sum of their squares, exactly."""
        return self.total, self.squares

    def ordered(self, rank: int) -> float:
        """Return the value of a rank, counted from 1, to half a bin; the least and the greatest are exact."""
        if rank > self._finite:
            return math.inf
        return float(self.at(np.array([rank]))[0])

    def between(self, rank: int) -> tuple[float, float]:
        """Return the bounds between which the value of a rank, counted from 1, certainly lies."""
        if rank > self._finite:
            return math.inf, math.inf
        if rank in (1, self._finite):
            return self.ordered(rank), self.ordered(rank)
        place = np.searchsorted(self._up_to, rank)
        lowest, highest = self.ends
        return float(lowest[place]), float(highest[place])

    def share_up_to(self, bound: float, *, inclusive: bool) -> float:
        """Return the share of values <= bound (inclusive) or < bound, a bin counting whole by its middle."""
        place = int(np.searchsorted(self.middles, bound, side="right" if inclusive else "left"))
        return (int(self._up_to[place - 1]) if place else 0) / len(self)

    def at(self, ranks: Ints) -> Ints:
        """Return the values of ranks, counted from 1, all of finite values, to half a bin."""
        values = self.middles[np.searchsorted(self._up_to, ranks)]
        values[ranks == 1] = self.least
        values[ranks == self._finite] = self.greatest
        return values

    def counts_up_to(self, values: Ints) -> Ints:
        """Return how many values are <= each of `values`, a bin counting whole by its middle."""
        before = np.concatenate([np.zeros(1, dtype=np.int64), self._up_to])
        return before[np.searchsorted(self.middles, values, side="right")]

    @cached_property
    def ends(self) -> tuple[Ints, Ints]:
        """The least and the greatest value that can lie in each bin, shapes (bins,)."""
        if self.is_exact or not len(self.keys):
            return self.keys, self.keys
        lowest, highest = ends_of(self.keys)
        return np.maximum(lowest, self.least), np.minimum(highest, self.greatest)

    @cached_property
    def middles(self) -> Ints:
        """The middle of each bin, shape (bins,), which stands for all its values."""
        lowest, highest = self.ends
        return lowest + (highest - lowest) // 2

    @cached_property
    def _up_to(self) -> Ints:
        """How many values lie in each bin and in those before it."""
        return np.cumsum(self.counts)

    @property
    def _finite(self) -> int:
        return int(self._up_to[-1]) if len(self.keys) else 0


def _counted(keys: Ints) -> tuple[Ints, Ints]:
    """Return the keys that occur, ascending, and how often."""
    if keys.max() < min(len(keys), _MOST_DENSE):
        counts = np.bincount(keys)
        found = np.flatnonzero(counts)
        return found, counts[found]
    return np.unique(keys, return_counts=True)


def _added(*parts: Histogram) -> tuple[Ints, Ints]:
    """Return the keys of all parts, ascending, and how often each occurs in all together."""
    apart = [part for part in parts if len(part.keys)]
    first = min((int(part.keys[0]) for part in apart), default=0)
    span = max((int(part.keys[-1]) for part in apart), default=0) - first + 1
    if span > _MOST_DENSE:
        keys = np.unique(np.concatenate([part.keys for part in apart]))
        counts = np.zeros(len(keys), dtype=np.int64)
        for part in apart:
            counts[np.searchsorted(keys, part.keys)] += part.counts
        return keys, counts
    dense = np.zeros(span, dtype=np.int64)
    for part in apart:
        dense[part.keys - first] += part.counts
    found = np.flatnonzero(dense)
    return found + first, dense[found]


def _sums_of_counted(keys: Ints, counts: Ints) -> tuple[int, int]:
    pairs = list(zip(keys.tolist(), counts.tolist(), strict=True))
    return sum(key * count for key, count in pairs), sum(key * key * count for key, count in pairs)
