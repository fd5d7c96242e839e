"""The requests of a log: which rows belong together, when each request began, and what became of it.

Without a key every row is a request of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.fitting.log import NOT_KNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.fitting.log import Log


@dataclass(frozen=True, slots=True)
class Courses:
    """Requests in order of their first starts; arrays have the shape (requests,) unless stated."""

    order: NDArray[np.int32]
    """The rows of the log, request by request, each in order of its attempts. Shape: (rows,)."""
    begins: NDArray[np.int32]
    """Where each request begins in `order`."""
    attempts: NDArray[np.int32]
    started_ns: NDArray[np.int64] | None
    """None if the log has no times."""
    known_ns: NDArray[np.int64]
    """From the first start to the end of the first success, else of the last attempt; or `NOT_KNOWN`."""
    succeeded: NDArray[np.bool_]
    is_open: NDArray[np.bool_]
    """Whether the log may end before the request: its last attempt failed, and others came as late and were retried."""

    def __len__(self) -> int:
        return len(self.begins)


def courses_of(log: Log) -> Courses:
    """Put the rows of a log together by request."""
    failed = log.failed[log.status]
    if log.request is None:
        return Courses(
            order=(rows := np.arange(log.count, dtype=np.int32)),
            begins=rows,
            attempts=np.broadcast_to(np.int32(1), (log.count,)),
            started_ns=log.started_ns,
            known_ns=log.latency_ns,
            succeeded=~failed,
            is_open=np.zeros(log.count, np.bool_),
        )
    order = _order(log)
    request = log.request[order]
    begins = np.flatnonzero(np.append(True, request[1:] != request[:-1])).astype(np.int32)
    del request
    attempts = np.diff(begins, append=np.int32(log.count))
    lasts = begins + attempts - 1
    succeeded = np.logical_or.reduceat(~failed[order], begins)
    known_ns = _known_ns(log, order, begins, lasts, failed)
    started_ns = None if log.started_ns is None else log.started_ns[order[begins]]
    is_open = np.zeros(len(begins), np.bool_)
    if log.started_ns is not None and len(order) > len(begins):
        # A retry may come as late as the longest wait that was seen, which is nearly all of them.
        is_next = np.ones(log.count, np.bool_)
        is_next[begins] = False
        places = np.flatnonzero(is_next)
        waits_ns = log.started_ns[order[places]] - log.started_ns[order[places - 1]]
        late_ns = int(log.started_ns[-1]) - int(
            np.partition(waits_ns, -1 - len(waits_ns) // 1000)[-1 - len(waits_ns) // 1000]
        )
        is_open = ~succeeded & (log.started_ns[order[lasts]] >= late_ns)
    return Courses(order, begins, attempts, started_ns, known_ns, succeeded, is_open)


def _order(log: Log) -> NDArray[np.int32]:
    """Return the rows by the start of their request, its number, and the attempt."""
    if log.request is None or log.attempt is None:
        return np.arange(log.count, dtype=np.int32)
    # Numbers of requests are in order of their first rows, and rows are in order of their starts.
    key = log.request.astype(np.int64)
    key *= int(log.attempt.max()) + 1
    key += log.attempt
    return np.argsort(key, kind="stable").astype(np.int32)


def _known_ns(
    log: Log,
    order: NDArray[np.int32],
    begins: NDArray[np.int32],
    lasts: NDArray[np.int32],
    failed: NDArray[np.bool_],
) -> NDArray[np.int64]:
    latency_ns = log.latency_ns[order]
    if log.started_ns is None:
        return np.where(begins == lasts, latency_ns[begins], NOT_KNOWN)
    is_known = latency_ns >= 0
    ends_ns = latency_ns
    ends_ns += log.started_ns[order]
    ends_ns[~is_known] = NOT_KNOWN
    # The first success in the order of attempts is the end of a request; copies that overlap are rare in logs.
    good = ~failed[order]
    where = np.arange(len(order), dtype=np.int32)
    where[~good] = len(order)
    first_good = np.minimum.reduceat(where, begins)
    del where, good
    end_ns = ends_ns[np.minimum(first_good, lasts)]
    del ends_ns
    is_told = end_ns >= 0
    end_ns -= log.started_ns[order[begins]]
    end_ns[~is_told] = NOT_KNOWN
    return end_ns
