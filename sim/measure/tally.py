"""All measurements of a cell of an isolated world, without its requests: `Tally.of(requests)`, and `merge`.

A tally takes some hundred kilobytes for any number of requests. Merging the tallies of a cell's parts, in any order,
gives exactly the tally of the cell. Counts, rates, means with their intervals, least and greatest values are those of
the requests themselves, quantiles are within `WITHIN`. Shared worlds need their requests: their intervals come from the
replications.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from sim.history.vocabulary import NEVER, Cause, Outcome
from sim.measure.histograms import WIDTH, Histogram, Ints
from sim.measure.quantities import METRICS, MONEY, QUANTITIES, RATED_OUTCOMES, Columns, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from sim.history.records import Requests
    from sim.measure.prices import Prices

WITHIN = 0.001
"""Quantiles differ from those of the requests by less than this share of them."""
assert WIDTH < WITHIN  # noqa: S101  # what the documentation promises

BINNED = frozenset(metric.quantity for metric in METRICS.values() if metric.unit in {Unit.duration, Unit.money})
"""The quantities that are binned; all others are counted value by value."""

LATER = ("suppressed", "is_suppressed")
"""Quantities that tallies did not have from the beginning; older ones are read without them."""
_TALLIED = MappingProxyType(
    {
        len(names): names
        for names in (
            tuple(name for name in QUANTITIES if name not in LATER),
            tuple(QUANTITIES),
            (*QUANTITIES, MONEY),
        )
    }
)
"""The quantities that a tally may have, by how many they are."""

_SUM_LIMBS, _SQUARES_LIMBS = 4, 6
"""Of 32 bits: sums of 2^62 ns and of their squares over 2^31 requests take 93 and 155 bits."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Requests worth a replay, by number; the first if several qualify. -1 if there is none."""

    stuck: int = NEVER
    duplicated: int = NEVER
    """The one with the most duplicates."""
    duplicates: int = 0
    """How many it has."""
    slowest: int = NEVER
    """The one whose end became known the longest time after its submission."""
    slowest_ns: int = NEVER

    @classmethod
    def of(cls, requests: Requests, numbers: Ints | None = None) -> Examples:
        """Choose among requests, in the order of their `numbers` (those in the records unless given)."""
        if not len(requests):
            return cls()
        numbers = requests.number if numbers is None else numbers
        stuck = np.flatnonzero(requests.outcome == Outcome.stuck)
        duplicates, _ = QUANTITIES["duplicates"](requests)
        most = int(duplicates.argmax())
        known_ns = np.where(requests.settled_ns == NEVER, NEVER, requests.settled_ns - requests.submitted_ns)
        slowest = int(known_ns.argmax())
        return cls(
            stuck=int(numbers[stuck[0]]) if len(stuck) else NEVER,
            duplicated=int(numbers[most]) if duplicates[most] else NEVER,
            duplicates=int(duplicates[most]),
            slowest=int(numbers[slowest]) if known_ns[slowest] >= 0 else NEVER,
            slowest_ns=int(known_ns[slowest]),
        )

    def merge(self, other: Examples) -> Examples:
        """Return the examples among the requests of both."""
        both = (self, other)
        duplicated = min(both, key=lambda one: (-one.duplicates, one.duplicated))
        slowest = min(both, key=lambda one: (-one.slowest_ns, one.slowest))
        return Examples(
            stuck=min((one.stuck for one in both if one.stuck != NEVER), default=NEVER),
            duplicated=duplicated.duplicated,
            duplicates=duplicated.duplicates,
            slowest=slowest.slowest,
            slowest_ns=slowest.slowest_ns,
        )

    def named(self) -> dict[str, int]:
        """Return the numbers by kind, without kinds that no request is of."""
        found = {"stuck": self.stuck, "duplicated": self.duplicated, "slowest": self.slowest}
        return {kind: number for kind, number in found.items() if number != NEVER}


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Histograms and counts of the requests of one cell of an isolated world."""

    histograms: Mapping[str, Histogram]
    """One for each of `sim.measure.quantities.QUANTITIES`, in that order, and one of money if there are prices."""
    causes: Ints
    """Shape (causes,): duplicates by `Cause`."""
    suppressed: int
    conflicts: int
    examples: Examples

    @classmethod
    def of(cls, requests: Requests, prices: Prices | None = None) -> Tally:
        """Tally requests, which are in order of their number, and what they cost if there are prices."""
        ended = np.bincount(requests.outcome, minlength=len(Outcome)).tolist()
        known: dict[str, Histogram] = {
            outcome.name: Histogram.of_counts([0, 1], [len(requests) - ended[outcome], ended[outcome]])
            for outcome in RATED_OUTCOMES
        }
        columns = {name: quantity(requests) for name, quantity in QUANTITIES.items() if name not in known}
        histograms = {name: known[name] if name in known else _histogram(name, columns[name]) for name in QUANTITIES}
        if prices is not None:
            histograms[MONEY] = Histogram.of(prices.of(requests))
        return cls(
            MappingProxyType(histograms),
            _ints(column.sum(dtype=np.int64) for column in requests.duplicates.T),
            int(requests.suppressed.sum(dtype=np.int64)),
            int(requests.conflicts.sum(dtype=np.int64)),
            Examples.of(requests),
        )

    @classmethod
    def merged(cls, parts: Iterable[Tally]) -> Tally:
        """Return the tally of the requests of all parts; at least one is needed."""
        return reduce(cls.merge, parts)

    def merge(self, other: Tally) -> Tally:
        """Return the tally of the requests of both."""
        return Tally(
            # Of a part of an older version not all is known, so of the whole it is not, either.
            MappingProxyType(
                {
                    name: mine.merge(other.histograms[name])
                    for name, mine in self.histograms.items()
                    if name in other.histograms
                }
            ),
            self.causes + other.causes,
            self.suppressed + other.suppressed,
            self.conflicts + other.conflicts,
            self.examples.merge(other.examples),
        )

    def __len__(self) -> int:
        """Return the number of requests."""
        return len(self.histograms["attempts"])

    def to_arrays(self) -> dict[str, NDArray[np.int64]]:
        """Return everything as arrays of int64 by name; equal tallies give equal arrays.

        `sizes`, shape (quantities,): the number of bins of each quantity, in the order of `QUANTITIES`; `bins` and
        `counts`: those of all quantities, one after another; `ends`, shape (quantities, 3): how many are infinite, the
        least and the greatest; `sums`, shape (quantities, 10): sum and sum of squares in limbs of 32 bits, the lowest
        first; `causes`; `events`: suppressed effects and conflicts; `examples`: the fields of `Examples`.
        """
        found = list(self.histograms.values())
        examples = self.examples
        return {
            "sizes": _ints(len(one.keys) for one in found),
            "bins": np.concatenate([one.keys for one in found]),
            "counts": np.concatenate([one.counts for one in found]),
            "ends": np.array([(one.infinite, one.least, one.greatest) for one in found], dtype=np.int64),
            "sums": np.stack([_limbs(one.total, one.squares) for one in found]),
            "causes": self.causes,
            "events": _ints((self.suppressed, self.conflicts)),
            "examples": _ints(getattr(examples, name) for name in Examples.__slots__),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.int64]]) -> Tally:
        """Return the tally that gave these arrays; raises ValueError if no tally of this version did."""
        count = len(arrays["sizes"])
        names = _TALLIED.get(count)
        if names is None:
            raise ValueError(f"a tally of {count} quantities, but there are {len(QUANTITIES)}")
        bins_in_all = (int(arrays["sizes"].sum()),)
        shapes = {
            "sizes": (count,),
            "bins": bins_in_all,
            "counts": bins_in_all,
            "ends": (count, 3),
            "sums": (count, _SUM_LIMBS + _SQUARES_LIMBS),
            "causes": (len(Cause),),
            "events": (2,),
            "examples": (len(Examples.__slots__),),
        }
        found = {name: array.shape for name, array in arrays.items()}
        if found != shapes or any(array.dtype != np.int64 for array in arrays.values()):
            raise ValueError("these are not the arrays of a tally")
        ends = np.cumsum(arrays["sizes"])[:-1]
        bins, counts = np.split(arrays["bins"], ends), np.split(arrays["counts"], ends)
        histograms = {}
        for at, name in enumerate(names):
            infinite, least, greatest = arrays["ends"][at].tolist()
            total, squares = _from_limbs(arrays["sums"][at])
            exact = name not in BINNED
            histograms[name] = Histogram(
                bins[at], counts[at], infinite, least, greatest, total, squares, is_exact=exact
            )
        suppressed, conflicts = arrays["events"].tolist()
        examples = Examples(*arrays["examples"].tolist())
        return cls(MappingProxyType(histograms), arrays["causes"], suppressed, conflicts, examples)


def _histogram(name: str, columns: Columns) -> Histogram:
    values, counted = columns
    if counted is not None and not counted.all():
        values = values[counted]
    return Histogram.of(values, exact=name not in BINNED)


def _ints(numbers: Iterable[int]) -> Ints:
    return np.array(list(numbers), dtype=np.int64)


def _limbs(total: int, squares: int) -> Ints:
    raw = total.to_bytes(4 * _SUM_LIMBS, "little") + squares.to_bytes(4 * _SQUARES_LIMBS, "little")
    return np.frombuffer(raw, dtype="<u4").astype(np.int64)


def _from_limbs(limbs: Ints) -> tuple[int, int]:
    raw = limbs.astype("<u4").tobytes()
    return int.from_bytes(raw[: 4 * _SUM_LIMBS], "little"), int.from_bytes(raw[4 * _SUM_LIMBS :], "little")
