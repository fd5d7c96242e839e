"""How many things are going on at once: time integrals, peaks and bins of spans [from, to), replication by replication.

Nothing here steps through time: the integral of a number of spans is the sum of their lengths, and the number at an
instant is how many have begun less how many have ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spans:
    """Spans of time in ns of some replications, by replication."""

    replication: NDArray[np.intp]
    """Shape (spans,): the position of each one's replication, ascending."""
    from_ns: Ints
    to_ns: Ints
    """Shape (spans,): the first instant after each; none is before `from_ns`."""

    def within(self, low_ns: Ints, high_ns: Ints) -> Self:
        """Cut the spans to a window of each replication, shape (replications,); what lies outside is left out."""
        from_ns = np.maximum(self.from_ns, low_ns[self.replication])
        to_ns = np.minimum(self.to_ns, high_ns[self.replication])
        inside = to_ns > from_ns
        return type(self)(self.replication[inside], from_ns[inside], to_ns[inside])

    def integrals(self, replications: int) -> Floats:
        """Return the total length of each replication's spans in ns, shape (replications,)."""
        return sums_of(self.replication, self.to_ns - self.from_ns, replications)

    def peaks(self, replications: int) -> Floats:
        """Return how many spans of each replication go on at once at most, shape (replications,).

        One that ends at the instant at which another begins does not meet it.
        """
        found = np.zeros(replications)
        for at, from_ns, to_ns in self._by_replication(replications):
            starts, ends = np.sort(from_ns), np.sort(to_ns)
            begun = np.arange(1, len(starts) + 1)
            found[at] = (begun - np.searchsorted(ends, starts, side="right")).max()
        return found

    def with_room(self, levels: Levels, low_ns: Ints, high_ns: Ints) -> Floats:
        """Return the integral over each replication's window of the level or the number of spans, whichever is larger.

        The spans are cut to the window already; shape (replications,).
        """
        found = levels.integrals(low_ns, high_ns)
        falls = levels.falls(len(low_ns))
        for at, from_ns, to_ns in self._by_replication(len(low_ns)):
            if falls[at]:
                found[at] = _larger(from_ns, to_ns, *levels.of(at), (int(low_ns[at]), int(high_ns[at])))
        return found

    def in_bins(self, edges_ns: Ints, replications: range) -> Floats:
        """Return the mean number of spans in each bin of some replications, shape (replications, bins).

        `edges_ns`, shape (bins + 1,), ascending, begins at 0. What lies beyond the last edge is left out.
        """
        return _in_bins(self, edges_ns, replications)

    def _by_replication(self, replications: int) -> Iterator[tuple[int, Ints, Ints]]:
        """Yield the position of each replication that has spans, with these."""
        starts = np.searchsorted(self.replication, np.arange(replications + 1))
        for at in np.flatnonzero(np.diff(starts)).tolist():
            rows = slice(starts[at], starts[at + 1])
            yield at, self.from_ns[rows], self.to_ns[rows]


@dataclass(frozen=True, slots=True)
class Levels:
    """A number of each replication that changes now and then; it holds from its instant to that of the next."""

    replication: NDArray[np.intp]
    """Shape (changes,): ascending."""
    from_ns: Ints
    """Shape (changes,): ascending within a replication."""
    level: Ints

    def integrals(self, low_ns: Ints, high_ns: Ints) -> Floats:
        """Return the integral of the level over each replication's window in ns, shape (replications,)."""
        return sums_of(self.replication, self.level * self._lengths_ns(low_ns, high_ns), len(low_ns))

    def has(self, level: int, low_ns: Ints, high_ns: Ints) -> NDArray[np.bool_]:
        """Tell whether each replication has this level at any time in its window, shape (replications,)."""
        there = (self.level == level) & (self._lengths_ns(low_ns, high_ns) > 0)
        return np.bincount(self.replication[there], minlength=len(low_ns)) > 0

    def falls(self, replications: int) -> NDArray[np.bool_]:
        """Tell whether the level of each replication ever falls, shape (replications,)."""
        down = (np.diff(self.level) < 0) & (np.diff(self.replication) == 0)
        return np.bincount(self.replication[1:][down], minlength=replications) > 0

    def of(self, at: int) -> tuple[Ints, Ints]:
        """Return the instants and the levels of one replication."""
        rows = slice(*np.searchsorted(self.replication, [at, at + 1]))
        return self.from_ns[rows], self.level[rows]

    def in_bins(self, edges_ns: Ints, replications: range) -> Floats:
        """Return the mean level in each bin of some replications, shape (replications, bins)."""
        spans = Spans(self.replication, self.from_ns, self._until_ns())
        weights = self.level[rows_of_replications(self.replication, replications)].astype(np.float64)
        return _in_bins(spans, edges_ns, replications, weights)

    def _lengths_ns(self, low_ns: Ints, high_ns: Ints) -> Floats:
        until_ns = self._until_ns()
        from_ns = np.maximum(self.from_ns, low_ns[self.replication])
        lengths_ns: Ints = np.minimum(until_ns, high_ns[self.replication]) - from_ns
        return np.maximum(lengths_ns, 0).astype(np.float64)

    def _until_ns(self) -> Ints:
        """Return up to when each level holds."""
        until_ns = np.full(len(self.from_ns), np.iinfo(np.int64).max)
        follows = np.diff(self.replication) == 0
        until_ns[:-1][follows] = self.from_ns[1:][follows]
        return until_ns


def rows_of_replications(replication: NDArray[np.intp], replications: range) -> slice:
    """Return which rows are of some replications, given the ascending positions of the rows' replications."""
    first, last = np.searchsorted(replication, [replications.start, replications.stop])
    return slice(int(first), int(last))


def sums_of(index: NDArray[np.intp], values: NDArray[Any], count: int) -> Floats:
    """Return the sum of the values of each index below `count`, shape (count,)."""
    sums: Floats = np.bincount(index, values.astype(np.float64), count).astype(np.float64)
    return sums


def bin_of(instants_ns: Ints, edges_ns: Ints) -> NDArray[np.intp]:
    """Return in which bin each instant lies; the last bin has its end too."""
    # All bins but the last have one width.
    return np.minimum(instants_ns // max(1, int(edges_ns[1] - edges_ns[0])), len(edges_ns) - 2).astype(np.intp)


def _in_bins(spans: Spans, edges_ns: Ints, replications: range, weights: Floats | float = 1.0) -> Floats:
    """Return the mean weight of the spans that go on in each bin, shape (replications, bins).

    The weights are those of the spans of these replications alone.
    """
    rows = rows_of_replications(spans.replication, replications)
    at = spans.replication[rows] - replications.start
    from_ns, to_ns = (np.minimum(ends, edges_ns[-1]) for ends in (spans.from_ns[rows], spans.to_ns[rows]))
    bins, widths_ns = len(edges_ns) - 1, np.diff(edges_ns).astype(np.float64)
    shape = (len(replications), bins)
    size, steps_size = shape[0] * bins, shape[0] * (bins + 1)
    # A span takes all bins after that of its start up to that of its end, what is left of the first, and less than all
    # of the last.
    first, last = bin_of(from_ns, edges_ns), bin_of(to_ns, edges_ns)
    parts = sums_of(at * bins + first, (edges_ns[first + 1] - from_ns) * weights, size)
    parts -= sums_of(at * bins + last, (edges_ns[last + 1] - to_ns) * weights, size)
    ones = np.ones(len(at)) * weights
    steps = sums_of(at * (bins + 1) + first + 1, ones, steps_size)
    steps -= sums_of(at * (bins + 1) + last + 1, ones, steps_size)
    going_on = np.cumsum(steps.reshape(shape[0], bins + 1), axis=1)[:, :-1]
    means: Floats = going_on + parts.reshape(shape) / widths_ns
    return means


def _larger(from_ns: Ints, to_ns: Ints, changes_ns: Ints, levels: Ints, window: tuple[int, int]) -> float:
    """Return the integral over a window of the level or the number of spans, whichever is larger."""
    low_ns, high_ns = window
    at_ns = np.concatenate([from_ns, to_ns, np.clip(changes_ns, low_ns, high_ns), [high_ns]])
    spans = np.concatenate([np.ones(len(from_ns)), -np.ones(len(to_ns)), np.zeros(len(levels) + 1)])
    steps = np.concatenate([np.zeros(len(from_ns) + len(to_ns)), np.diff(levels, prepend=0), [0]])
    order = np.argsort(at_ns, kind="stable")
    most = np.maximum(np.cumsum(spans[order]), np.cumsum(steps[order]))
    return float((most[:-1] * np.diff(at_ns[order])).sum())
