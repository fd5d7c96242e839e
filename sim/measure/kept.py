"""What is kept of the requests of a cell, as metrics need it: the requests themselves (`Records`) or their tally."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from sim.history.vocabulary import Outcome
from sim.measure.estimates import Sample
from sim.measure.paths import rows_of
from sim.measure.quantities import MONEY, QUANTITIES, RATED_OUTCOMES, columns_of
from sim.measure.tally import WITHIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.history.records import Requests
    from sim.measure.estimates import AnySample
    from sim.measure.paths import Named
    from sim.measure.quantities import Scope
    from sim.measure.tally import Tally


NOT_COUNTED: Final = "by a version that did not count it yet: run it again with --fresh"


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

    def __len__(self) -> int:
        return len(self._requests)

    @cached_property
    def replications(self) -> int:
        """How many replications have requests."""
        return len(np.unique(self._requests.replication))

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
        counts = np.bincount(self._requests.outcome, minlength=len(Outcome))
        return {outcome.name: int(counts[outcome]) for outcome in RATED_OUTCOMES}

    def attempts(self) -> dict[int, int]:
        """Return how many requests had each number of attempts, ascending."""
        numbers, counts = np.unique(self._requests.attempts, return_counts=True)
        return {int(number): int(count) for number, count in zip(numbers, counts, strict=True)}

    def causes(self) -> NDArray[np.int64]:
        """Return duplicates by `Cause`."""
        totals: NDArray[np.int64] = self._requests.duplicates.sum(axis=0, dtype=np.int64)
        return totals

    def events(self) -> tuple[int, int]:
        """Return suppressed effects and conflicts."""
        requests = self._requests
        return int(requests.suppressed.sum(dtype=np.int64)), int(requests.conflicts.sum(dtype=np.int64))

    def samples(self, quantity: str) -> list[AnySample]:
        """Return the values of a quantity over all replications and, of a shared world, then those of each."""
        values, counted = columns_of(quantity, self._requests, self._named.deadlines_ns, self._named.prices)
        replication = self._requests.replication
        if counted is not None:
            values, replication = values[counted], replication[counted]
        samples: list[AnySample] = [Sample.of(values)]
        if self._shared:
            starts = np.flatnonzero(np.diff(replication)) + 1
            samples += [Sample.of(part) for part in np.split(values, starts)]
        return samples

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
