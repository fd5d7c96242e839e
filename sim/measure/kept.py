"""What is kept of the requests of a cell, as metrics need it: the requests themselves (`Records`) or their tally."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from sim.history.records import counts_of
from sim.history.vocabulary import Outcome
from sim.measure.estimates import Sample, Unsorted
from sim.measure.histograms import Histogram
from sim.measure.paths import rows_of
from sim.measure.quantities import (
    COUNTED,
    METRICS,
    MONEY,
    QUANTITIES,
    RATED_OUTCOMES,
    SETTLED_OUTCOMES,
    Statistic,
    columns_of,
)
from sim.measure.tally import BINNED, WITHIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.history.records import Requests
    from sim.measure.estimates import AnySample
    from sim.measure.paths import Named
    from sim.measure.quantities import Columns, Scope
    from sim.measure.tally import Tally


NOT_COUNTED: Final = "by a version that did not count it yet: run it again with --fresh"
WITH_QUANTILES: Final = frozenset(
    metric.quantity for metric in METRICS.values() if metric.statistic is Statistic.quantile
)
"""Quantities that are asked for values of any rank; of others only the ends are asked for, as a rule."""
RATED: Final = {outcome.name: outcome for outcome in RATED_OUTCOMES}
"""Quantities that tell whether a request ended in one way."""
OUTCOMES_OF_TIMES: Final = {f"time_to_known.{outcome.name}": outcome for outcome in SETTLED_OUTCOMES}
"""Times of the requests of one outcome, which may be all that `time_to_known` counts."""


class Kept(Protocol):
    """The requests of a cell or their tally, as far as metrics need them."""

    @property
    def within(self) -> float:
        """The share of themselves by which quantiles of times may be off."""

    @property
    def replications(self) -> int:
        """How many replications have requests."""

    @property
    def span_ns(self) -> int:
        """How long all replications together went on, in ns."""

    def __len__(self) -> int: ...

    def outcomes(self) -> dict[str, int]:
        """Return how many requests ended in each way."""

    def attempts(self) -> dict[int, int]:
        """Return how many requests had each number of attempts, ascending."""

    def causes(self) -> NDArray[np.int64]:
        """Return duplicates by `Cause`."""

    def events(self) -> tuple[int, int]:
        """Return suppressed effects and conflicts."""

    def samples(self, quantity: str) -> list[AnySample]:
        """Return the values of a quantity over all replications and, of a shared world, then those of each."""

    def part(self, scope: Scope, /) -> Kept:
        """Return the requests of one class or one client."""


class NotTallied(LookupError):
    """Something was asked for that a tally does not tell."""

    def __init__(self, why: str = "which do not tell it: write `keep: requests`") -> None:
        super().__init__(f"only histograms of all requests are kept, {why}")


class Records:
    """All requests of a cell."""

    within = 0.0

    def __init__(self, requests: Requests, named: Named, *, shared: bool) -> None:
        self._requests = requests
        self._named = named
        self._shared = shared
        self._times: dict[str, Sample | Unsorted] = {}
        """Of an isolated world, by quantity."""

    def __len__(self) -> int:
        return len(self._requests)

    @cached_property
    def replications(self) -> int:
        """How many replications have requests."""
        return len(self._requests.counts("replication"))

    @cached_property
    def span_ns(self) -> int:
        """How long all replications together went on, in ns."""
        requests = self._requests
        if not len(requests):
            return 0
        last_ns = np.maximum(requests.submitted_ns, np.maximum(requests.settled_ns, requests.last_attempt_end_ns))
        starts = np.flatnonzero(np.diff(requests.replication, prepend=requests.replication[0] - 1))
        return int(np.maximum.reduceat(last_ns, starts).sum())

    def outcomes(self) -> dict[str, int]:
        """Return how many requests ended in each way."""
        return {outcome.name: self._ended.get(outcome, 0) for outcome in RATED_OUTCOMES}

    def attempts(self) -> dict[int, int]:
        """Return how many requests had each number of attempts, ascending."""
        return self._requests.counts("attempts")

    def causes(self) -> NDArray[np.int64]:
        """Return duplicates by `Cause`."""
        return self._requests.duplicates_by_cause()

    def events(self) -> tuple[int, int]:
        """Return suppressed effects and conflicts."""
        suppressed, conflicts = (
            sum(number * count for number, count in self._requests.counts(name).items())
            for name in ("suppressed", "conflicts")
        )
        return suppressed, conflicts

    def samples(self, quantity: str) -> list[AnySample]:
        """Return the values of a quantity over all replications and, of a shared world, then those of each."""
        if self._shared:
            values, counted = self._columns(quantity, self._requests)
            replication = self._requests.replication
            if counted is not None:
                values, replication = values[counted], replication[counted]
            starts = np.flatnonzero(np.diff(replication)) + 1
            return [Sample.of(values), *(Sample.of(part) for part in np.split(values, starts))]
        if quantity not in BINNED:
            return [self._histogram(quantity)]
        outcome = OUTCOMES_OF_TIMES.get(quantity, Outcome.canceled)
        if outcome != Outcome.canceled and self._ended.get(outcome, 0) + self._ended.get(Outcome.canceled, 0) == len(
            self
        ):
            quantity = "time_to_known"  # all requests that count ended in this way
        if quantity not in self._times:
            self._times[quantity] = self._values(quantity)
        return [self._times[quantity]]

    def _columns(self, quantity: str, requests: Requests) -> Columns:
        return columns_of(quantity, requests, self._named.deadlines_ns, self._named.prices)

    @cached_property
    def _ended(self) -> dict[int, int]:
        """How many requests ended in each way, by the number of the outcome; only those that occur."""
        return self._requests.counts("outcome")

    def _values(self, quantity: str) -> Sample | Unsorted:
        """Return the values of a time, or of money, which few requests have in common."""
        outcome = OUTCOMES_OF_TIMES.get(quantity)
        values_ns = np.empty(len(self) if outcome is None else self._ended.get(outcome, 0), dtype=np.int64)
        if not len(values_ns):
            return Sample.of_ascending(values_ns)
        at = 0
        for piece in self._requests.pieces():
            found_ns, counted = self._columns(quantity, piece)
            if counted is not None and not counted.all():
                found_ns = found_ns[counted]
            values_ns[at : at + len(found_ns)] = found_ns
            at += len(found_ns)
        values_ns = values_ns[:at]
        if quantity not in WITH_QUANTILES:
            return Unsorted(values_ns)
        values_ns.sort()
        return Sample.of_ascending(values_ns)

    def _histogram(self, quantity: str) -> Histogram:
        """Count the values of a quantity that is no time: there are few different ones."""
        count = len(self)
        if quantity in COUNTED:
            counts = self._requests.counts(quantity)
        elif quantity in RATED:
            ended = self._ended.get(RATED[quantity], 0)
            counts = {0: count - ended, 1: ended}
        elif quantity == "is_duplicated":
            never = self._duplicates.get(0, 0)
            counts = {0: never, 1: count - never}
        elif quantity == "duplicates":
            counts = self._duplicates
        else:
            counts = self._counts(quantity)
        return Histogram.of_counts(list(counts), list(counts.values()))

    @cached_property
    def _duplicates(self) -> dict[int, int]:
        """How many requests have each number of duplicates, ascending."""
        return self._counts("duplicates") if self._requests.duplicates_by_cause().any() else {0: len(self)}

    def _counts(self, quantity: str) -> dict[int, int]:
        """Return how many requests have each value of a quantity, ascending."""
        found: Counter[int] = Counter()
        for piece in self._requests.pieces():
            values, counted = self._columns(quantity, piece)
            found.update(counts_of(values if counted is None else values[counted]))
        return dict(sorted(found.items()))

    def part(self, scope: Scope, /) -> Records:
        """Return the requests of one class or one client."""
        rows = rows_of(self._requests, scope, self._named)
        ours = self._requests if rows is None else self._requests.select(rows)
        return Records(ours, self._named, shared=self._shared)


class Tallied:
    """A tally of requests of an isolated world."""

    within = WITHIN

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def __len__(self) -> int:
        return len(self._tally)

    @property
    def replications(self) -> int:
        """How many replications have requests."""
        return min(1, len(self))

    @property
    def span_ns(self) -> int:
        """How long all replications together went on, in ns."""
        return 0

    def outcomes(self) -> dict[str, int]:
        """Return how many requests ended in each way."""
        return {outcome.name: self._tally.histograms[outcome.name].total for outcome in RATED_OUTCOMES}

    def attempts(self) -> dict[int, int]:
        """Return how many requests had each number of attempts, ascending."""
        found = self._tally.histograms["attempts"]
        return dict(zip(found.keys.tolist(), found.counts.tolist(), strict=True))

    def causes(self) -> NDArray[np.int64]:
        """Return duplicates by `Cause`."""
        return self._tally.causes

    def events(self) -> tuple[int, int]:
        """Return suppressed effects and conflicts."""
        return self._tally.suppressed, self._tally.conflicts

    def samples(self, quantity: str) -> list[AnySample]:
        """Return the values of a quantity over all replications and, of a shared world, then those of each."""
        if quantity not in self._tally.histograms:
            raise NotTallied(NOT_COUNTED) if quantity in QUANTITIES or quantity == MONEY else NotTallied
        return [self._tally.histograms[quantity]]

    def part(self, _: Scope, /) -> Tallied:
        """Return the requests of one class or one client."""
        raise NotTallied
