"""The works of pools over time: what waits, runs and holds slots, made of the turns of `sim.history.pools`.

`PoolPart` has one pool, or all of a world together. A work has one of the statuses that the pool itself tells:

- pending: a start is planned, or a failure was reported that will be retried. backlog: pending and due, so that only a
  slot or a look of the loop is missing.
- running: it has a slot and no result was reported; after a death that goes on until recovery reports one.
- finished: its document is deleted.

slots: held from the start until the loop frees them, which is later than the end of the work. wait: from the instant
at which a start is due until the start. held: from the end of the attempt, as it happened, until the slot is free:
after a death most of it is the time until recovery.
"""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.history.pools import LoopState, TurnEnd
from sim.history.traffic import NO_SERVICE
from sim.history.vocabulary import NEVER
from sim.measure.levels import Levels, Spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from sim.history.traffic import Traffic

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]
    Ratios = tuple[Floats, Floats]
    Times = tuple[Ints, NDArray[np.intp]]


class PoolPart:
    """The turns of one pool of a cell, or of all its pools."""

    def __init__(self, traffic: Traffic, pools: range, low_ns: Ints, high_ns: Ints) -> None:
        """Take the pools of these positions; the window is [low, high] of each replication, shape (replications,)."""
        self._traffic = traffic
        self.pools = pools
        self.low_ns = low_ns
        self.high_ns = high_ns
        self.replications = len(traffic.replications)
        turns = traffic.pools.turns
        self._rows = np.flatnonzero(np.isin(turns.pool, list(pools)))
        self.replication: NDArray[np.intp] = self._position_of(turns.replication[self._rows])

    def _position_of(self, replication: NDArray[np.int32]) -> NDArray[np.intp]:
        return np.searchsorted(self._traffic.replications, replication)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of the turns."""
        found: NDArray[Any] = getattr(self._traffic.pools.turns, name)[self._rows]
        return found

    # Statuses, as spans.

    def pending(self) -> Spans:
        """Return when works were pending."""
        planned = self._spans(self._all, self.column("planned_ns"), self._start_or_end())
        retried = self.column("end") == TurnEnd.retried
        reported = self._spans(retried, self.column("reported_ns"), self.column("freed_ns"))
        return _both(planned, reported)

    def backlog(self) -> Spans:
        """Return when works were pending although due."""
        due_ns = self.column("due_ns")
        until_ns = self._start_or_end()
        waits = (until_ns == NEVER) | (until_ns > due_ns)
        return self._spans(waits, due_ns, until_ns)

    def running(self) -> Spans:
        """Return when works were running, as the pool tells it."""
        return self._spans(self._started, self.column("started_ns"), self.column("reported_ns"))

    def slots(self) -> Spans:
        """Return when slots were held."""
        return self._spans(self._started, self.column("started_ns"), self.column("freed_ns"))

    def finished(self) -> Spans:
        """Return since when works have been finished: for ever, also where other replications are observed longer."""
        over_ns = self.column("over_ns")
        over = over_ns != NEVER
        return Spans(self.replication[over], over_ns[over], np.full(int(over.sum()), np.iinfo(np.int64).max, np.int64))

    @cached_property
    def _all(self) -> Bools:
        return np.ones(len(self._rows), np.bool_)

    @cached_property
    def _started(self) -> Bools:
        started: Bools = self.column("started_ns") != NEVER
        return started

    def _start_or_end(self) -> Ints:
        """Return when each turn stopped waiting: it started, or its work was canceled before."""
        started_ns: Ints = self.column("started_ns")
        return np.where(started_ns == NEVER, self.column("over_ns"), started_ns)

    def _spans(self, chosen: Bools, from_ns: Ints, to_ns: Ints) -> Spans:
        """Return spans; what has not ended goes on to the end of observation."""
        replication, begun, ended = self.replication[chosen], from_ns[chosen], to_ns[chosen]
        last_ns = self._traffic.observed_ns[replication]
        return Spans(replication, begun, np.where(ended == NEVER, np.maximum(last_ns, begun), np.maximum(ended, begun)))

    # Levels.

    def allowed(self) -> Iterator[Levels]:
        """Yield how many slots each pool has."""
        return self._levels("parallelism")

    def awake(self) -> Iterator[Levels]:
        """Yield whether the loop of each pool is awake: 1 or 0."""
        for one in self._levels("loop"):
            yield Levels(one.replication, one.from_ns, (one.level == LoopState.awake).astype(np.int64))

    def _levels(self, name: str) -> Iterator[Levels]:
        table = self._traffic.pools.levels
        for pool in self.pools:
            ours = table.pool == pool
            level = getattr(table, name)[ours].astype(np.int64)
            yield Levels(self._position_of(table.replication[ours]), table.from_ns[ours], level)

    # Times.

    def waits(self) -> Times:
        """Return from due to start, of the starts in the window."""
        started_ns = self.column("started_ns")
        chosen = self._in_window(started_ns)
        return np.maximum(started_ns - self.column("due_ns"), 0)[chosen], self.replication[chosen]

    def held(self) -> Times:
        """Return from the end of an attempt to the freeing of its slot, of the slots freed in the window."""
        freed_ns = self.column("freed_ns")
        chosen = self._in_window(freed_ns)
        return np.maximum(freed_ns - self._work_ends(), 0)[chosen], self.replication[chosen]

    def _in_window(self, instants_ns: Ints) -> Bools:
        low_ns, high_ns = self.low_ns[self.replication], self.high_ns[self.replication]
        inside: Bools = (instants_ns != NEVER) & (instants_ns >= low_ns) & (instants_ns <= high_ns)
        return inside

    def _work_ends(self) -> Ints:
        """Return when the attempt of each turn ended: its start if there was none, `NEVER` if it has not ended.

        An attempt of a turn is the first call that is sent for its request while it holds its slot.
        """
        calls = self._traffic.calls
        mine = np.flatnonzero(calls.caller == NO_SERVICE)
        started_ns = self.column("started_ns")
        if not len(mine):
            return started_ns
        size = int(max(calls.request.max(initial=0), self.column("request").max(initial=0))) + 1
        keys = self._position_of(calls.replication[mine]) * size + calls.request[mine]
        order = np.lexsort((calls.sent_ns[mine], keys))
        keys, mine = keys[order], mine[order]
        sought = self.replication * size + self.column("request")
        # Both are ranked together: a turn comes before the calls of its request that are sent at its start or later.
        at = _first_not_before(keys, calls.sent_ns[mine], sought, started_ns)
        inside = np.minimum(at, len(mine) - 1)
        freed_ns = np.where(self.column("freed_ns") == NEVER, np.iinfo(np.int64).max, self.column("freed_ns"))
        ours = (at < len(mine)) & (keys[inside] == sought) & (calls.sent_ns[mine[inside]] <= freed_ns)
        ended_ns = calls.ended_ns[mine[inside]]
        return np.where(ours, np.where(ended_ns == NEVER, freed_ns, ended_ns), started_ns)


def _first_not_before(keys: Ints, at_ns: Ints, sought: Ints, from_ns: Ints) -> NDArray[np.intp]:
    """Return for each sought (key, instant) the position of the first (key, instant) that is not before it."""
    both_keys, both_ns = np.concatenate([sought, keys]), np.concatenate([from_ns, at_ns])
    is_sought = np.arange(len(both_keys)) < len(sought)
    order = np.lexsort((~is_sought, both_ns, both_keys))
    before = np.cumsum(~is_sought[order])
    found = np.zeros(len(both_keys), np.intp)
    found[order] = before
    return found[: len(sought)]


def _both(one: Spans, other: Spans) -> Spans:
    replication = np.concatenate([one.replication, other.replication])
    order = np.argsort(replication, kind="stable")
    from_ns = np.concatenate([one.from_ns, other.from_ns])
    to_ns = np.concatenate([one.to_ns, other.to_ns])
    return Spans(replication[order], from_ns[order], to_ns[order])


STATUSES: Final[Mapping[str, Callable[[PoolPart], Spans]]] = MappingProxyType(
    {
        "backlog": PoolPart.backlog,
        "pending": PoolPart.pending,
        "running": PoolPart.running,
        "finished": PoolPart.finished,
        "slots": PoolPart.slots,
    }
)
"""Numbers of works, by quantity."""


def _mean(name: str) -> Callable[[PoolPart], Ratios]:
    def quantity(part: PoolPart) -> Ratios:
        inside = STATUSES[name](part).within(part.low_ns, part.high_ns)
        return inside.integrals(part.replications), _lengths_ns(part)

    return quantity


def _peak(name: str) -> Callable[[PoolPart], Ratios]:
    def quantity(part: PoolPart) -> Ratios:
        return _peaks(part, name), (_lengths_ns(part) > 0).astype(np.float64)

    return quantity


def _peaks(part: PoolPart, name: str) -> Floats:
    return STATUSES[name](part).within(part.low_ns, part.high_ns).peaks(part.replications)


def _highest(name: str) -> Callable[[PoolPart], Times]:
    def times(part: PoolPart) -> Times:
        return _peaks(part, name).astype(np.int64), np.arange(part.replications)

    return times


def _utilization(part: PoolPart) -> Ratios:
    held, there = np.zeros(part.replications), np.zeros(part.replications)
    for pool, levels in zip(part.pools, part.allowed(), strict=True):
        of_one = PoolPart(part._traffic, range(pool, pool + 1), part.low_ns, part.high_ns)  # noqa: SLF001  # of the same class
        slots = of_one.slots().within(part.low_ns, part.high_ns)
        held += slots.integrals(part.replications)
        there += slots.with_room(levels, part.low_ns, part.high_ns)
    return held, there


def _awake(part: PoolPart) -> Ratios:
    awake = np.zeros(part.replications)
    for one in part.awake():
        awake += one.integrals(part.low_ns, part.high_ns)
    return awake, _lengths_ns(part) * len(part.pools)


def _lengths_ns(part: PoolPart) -> Floats:
    lengths_ns: Floats = np.maximum(part.high_ns - part.low_ns, 0).astype(np.float64)
    return lengths_ns


POOL_RATIOS: Final[Mapping[str, Callable[[PoolPart], Ratios]]] = MappingProxyType(
    {
        **{f"pool.{name}.mean": _mean(name) for name in STATUSES},
        **{f"pool.{name}.peak": _peak(name) for name in STATUSES},
        "pool.utilization": _utilization,
        "pool.awake": _awake,
    }
)
"""By quantity, what it is and what it is divided by, in every replication."""
POOL_VALUES: Final[Mapping[str, Callable[[PoolPart], Times]]] = MappingProxyType(
    {
        "pool.wait": PoolPart.waits,
        "pool.held": PoolPart.held,
        **{f"pool.{name}": _highest(name) for name in STATUSES},
    }
)
"""By quantity, the values behind its quantiles and its maximum, with the position of each one's replication."""
