"""What the calls of a shared world met over time: the second table of a run, beside that of its requests.

A request has one row in `Requests`; each call that was made for it has one here, whether by its retrier (an attempt) or
by a service in the course of its work (a layer). Queue lengths, utilization, wasted work and everything over time are
computed from these rows, so no engine keeps such numbers while it runs.
"""

# ruff: noqa: RUF009  # each field carries the description of its column

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from sim.history.pools import Pools
from sim.history.vocabulary import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sim.history.pools import PoolLog

NO_SERVICE: Final = -1
"""In place of a service's position: the action itself, or the retrier of a request as the caller."""
UNLIMITED: Final = -1
"""As many servers as there are calls."""


class CallEnd(IntEnum):
    """How a call went, as its receiver sees it; the caller may have given up before."""

    open = 0
    """It has not ended."""
    success = 1
    failed = 2
    """The work failed, threw, or was lost on the way back; also if it died."""
    rejected_queue = 3
    """The queue was full."""
    rejected_max_wait = 4
    """It had waited in the queue for as long as calls may."""
    rejected_rate_limit = 5
    rejected_shed = 6
    rejected_in_use = 7
    """Its idempotency key was in use."""
    dropped = 8
    """Its turn came after its caller had given up, and the service drops such calls; or it waited and was canceled."""
    conflict = 9
    """A write with an old version."""
    cut = 10
    """It ended with its caller: cut off by the platform's time limit, or no longer in need of it, and it heard so."""
    refused = 11
    """Its caller's own breaker, bulkhead or rate limit let no call be made: a try that is sent, and over, at once."""


REJECTIONS: Final = (
    CallEnd.rejected_queue,
    CallEnd.rejected_max_wait,
    CallEnd.rejected_rate_limit,
    CallEnd.rejected_shed,
    CallEnd.rejected_in_use,
)
"""Calls that the receiver refused to work on, in the order of the words for them (`vocabulary.REJECTIONS`)."""


def _column(dtype: type[np.generic]) -> Any:
    return field(metadata={"dtype": dtype})


@dataclass(frozen=True, slots=True)
class Calls:
    """One row a call, in order of (replication, moment sent, order of sending); each column has shape (calls,).

    Times are ns of simulated time, and `NEVER` (-1) if the thing did not happen.
    """

    replication: NDArray[np.int32] = _column(np.int32)
    request: NDArray[np.int64] = _column(np.int64)
    """The number of the request in its replication."""
    service: NDArray[np.int16] = _column(np.int16)
    """The position of the service that is called among those of the scenario, or `NO_SERVICE`: the action itself."""
    caller: NDArray[np.int16] = _column(np.int16)
    """The position of the service whose work makes the call, or `NO_SERVICE` if the request's retrier does."""
    number: NDArray[np.int32] = _column(np.int32)
    """Counts the calls that one request leads to at one receiver, from 1; of an attempt its number."""
    sent_ns: NDArray[np.int64] = _column(np.int64)
    arrived_ns: NDArray[np.int64] = _column(np.int64)
    """When it reached the receiver: later than `sent_ns` by the network's way there."""
    began_ns: NDArray[np.int64] = _column(np.int64)
    """When the work on it began, and with that its hold on a server; `NEVER` if it was rejected or dropped."""
    ended_ns: NDArray[np.int64] = _column(np.int64)
    """When the receiver was done with it: its work ended and its server was free, or it was rejected or dropped."""
    over_ns: NDArray[np.int64] = _column(np.int64)
    """When the answer reached its caller, or would have reached one that had given up."""
    given_up_ns: NDArray[np.int64] = _column(np.int64)
    """When the caller stopped waiting without an answer; `NEVER` if it heard the answer."""
    effect_ns: NDArray[np.int64] = _column(np.int64)
    """When its effect was applied; `NEVER` also if it was suppressed."""
    slept_ns: NDArray[np.int64] = _column(np.int64)
    """How long the caller slept between its call before and this one; `NEVER` for a first call and for retriers of the
    deployment, which do not sleep."""
    end: NDArray[np.uint8] = _column(np.uint8)
    """`CallEnd`."""

    def __len__(self) -> int:
        return len(self.request)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Self:
        """Return the chosen rows."""
        return type(self)(*(getattr(self, name)[rows] for name in CALL_COLUMNS))


CALL_COLUMNS: Final[dict[str, type[np.generic]]] = {one.name: one.metadata["dtype"] for one in fields(Calls)}
"""The type of every column by its name, in their order."""


@dataclass(frozen=True, slots=True)
class Capacities:
    """How many servers each service had from some instant on; each column has shape (changes,).

    In order of (replication, service, instant); each service has a row at 0 in each replication.
    """

    replication: NDArray[np.int32] = _column(np.int32)
    service: NDArray[np.int16] = _column(np.int16)
    from_ns: NDArray[np.int64] = _column(np.int64)
    servers: NDArray[np.int64] = _column(np.int64)
    """`UNLIMITED` (-1) if there is no limit."""

    def __len__(self) -> int:
        return len(self.servers)


CAPACITY_COLUMNS: Final[dict[str, type[np.generic]]] = {one.name: one.metadata["dtype"] for one in fields(Capacities)}


@dataclass(frozen=True, slots=True)
class Traffic:
    """The calls of some replications of a shared world, with what is needed to read them."""

    replications: NDArray[np.int32]
    """Shape (replications,), ascending."""
    observed_ns: NDArray[np.int64]
    """Shape (replications,): the instant up to which each was observed, its `until` or its last event."""
    calls: Calls
    capacities: Capacities
    pools: Pools = field(default_factory=Pools.none)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join the replications of several parts, in the given order; at least one is needed."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.replications for part in parts]),
            np.concatenate([part.observed_ns for part in parts]),
            Calls(*(np.concatenate([getattr(part.calls, name) for part in parts]) for name in CALL_COLUMNS)),
            Capacities(
                *(np.concatenate([getattr(part.capacities, name) for part in parts]) for name in CAPACITY_COLUMNS)
            ),
            Pools.concatenate([part.pools for part in parts]),
        )


class Call:
    """The live record of one call; `CallLog` has its row once it is over."""

    __slots__ = (
        "arrived_ns",
        "began_ns",
        "caller",
        "effect_ns",
        "end",
        "ended_ns",
        "given_up_ns",
        "number",
        "order",
        "request",
        "sent_ns",
        "service",
        "slept_ns",
    )

    def __init__(  # noqa: PLR0917  # one place makes it, for every call
        self, order: int, request: int, service: int, caller: int, number: int, sent_ns: int
    ) -> None:
        self.order = order
        """Counts the calls of a world, from 0."""
        self.request = request
        self.service = service
        self.caller = caller
        self.number = number
        self.sent_ns = sent_ns
        self.arrived_ns = sent_ns
        self.began_ns = NEVER
        self.ended_ns = NEVER
        self.given_up_ns = NEVER
        self.effect_ns = NEVER
        self.slept_ns = NEVER
        self.end = CallEnd.open


_WIDTH: Final = 14


class CallLog:
    """Gathers the calls of one world. A call is kept as an object until it is over, then as numbers in an array."""

    __slots__ = ("_alive", "_capacities", "_pools", "_rows", "_sent")

    def __init__(self) -> None:
        self._sent = 0
        self._alive: dict[int, Call] = {}
        self._rows = array("q")
        self._capacities: list[tuple[int, int, int]] = []
        self._pools: list[PoolLog] = []

    def send(self, request: int, number: int, now_ns: int, service: int = NO_SERVICE, caller: int = NO_SERVICE) -> Call:
        """Begin the record of a call."""
        order = self._sent
        self._sent = order + 1
        self._alive[order] = call = Call(order, request, service, caller, number, now_ns)
        return call

    def over(self, call: Call, end: CallEnd, now_ns: int) -> None:
        """Close the record of a call whose answer has arrived, or would have."""
        if self._alive.pop(call.order, None) is None:
            return
        call.end = end
        if call.ended_ns == NEVER:
            call.ended_ns = now_ns
        self._rows.extend(_row(call, now_ns))

    def capacity(self, service: int, servers: int, now_ns: int) -> None:
        """Note how many servers a service has from now on."""
        self._capacities.append((service, now_ns, servers))

    def pool(self, log: PoolLog) -> PoolLog:
        """Take in the log of a pool, and return it."""
        self._pools.append(log)
        return log

    def clear(self) -> None:
        """Forget everything."""
        for log in self._pools:
            log.clear()
        self._alive.clear()
        del self._rows[:]
        self._capacities.clear()

    def traffic(self, replication: int, observed_ns: int) -> Traffic:
        """Return everything noted so far; calls that are not over are `open`."""
        rows = array("q", self._rows)
        for call in self._alive.values():
            rows.extend(_row(call, NEVER))
        table = np.frombuffer(rows, np.int64).reshape(-1, _WIDTH) if rows else np.zeros((0, _WIDTH), np.int64)
        table = table[np.argsort(table[:, 0], kind="stable")]
        columns = {name: table[:, at].astype(CALL_COLUMNS[name]) for at, name in enumerate(_IN_A_ROW, start=1)}
        columns["replication"] = np.full(len(table), replication, np.int32)
        levels = np.array(sorted(self._capacities, key=lambda level: level[:2]), np.int64).reshape(-1, 3)
        return Traffic(
            np.array([replication], np.int32),
            np.array([observed_ns], np.int64),
            Calls(**columns),
            Capacities(
                np.full(len(levels), replication, np.int32), levels[:, 0].astype(np.int16), levels[:, 1], levels[:, 2]
            ),
            Pools.concatenate([Pools.none(), *(log.pools(replication) for log in self._pools)]),
        )


_IN_A_ROW: Final = tuple(name for name in CALL_COLUMNS if name != "replication")
"""The columns in the order in which `_row` has them, behind the order of sending."""


def _row(call: Call, over_ns: int) -> tuple[int, ...]:
    return (
        call.order,
        call.request,
        call.service,
        call.caller,
        call.number,
        call.sent_ns,
        call.arrived_ns,
        call.began_ns,
        call.ended_ns,
        over_ns,
        call.given_up_ns,
        call.effect_ns,
        call.slept_ns,
        call.end,
    )
