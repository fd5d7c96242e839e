"""The canonical state of a small world between two steps: two worlds with the same state have the same future.

A state is what can still matter: the requests and what has been seen of them, the timers that are set, the rows and
documents that somebody may still read, the executions and clients that wait, and the bounds that are left. Jobs are
renumbered in order of creation and instants are taken relative to now, where the retrier says which fields of its
arguments and documents hold jobs and instants (`ScheduledRetrier.fields`). Where it does not say so, or where the
world knows the time of day (weather, an end, a moment from which on it heals), instants and numbers stay as they are;
that is sound too, and merges less. Requests are told apart even where they could be exchanged.

Coroutines cannot be looked into. What stands for them is all that they have learned: they go on by nothing else.
"""

from __future__ import annotations

import marshal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sim.convex.traced import TracedContext
from sim.explorer.snapshot import _Snapshot
from sim.retriers.base import Fields, ScheduledRetrier

if TYPE_CHECKING:
    from sim.explorer.course import Course
    from sim.history.events import Raw

MARSHAL_VERSION = 0
"""The one without references and interning: equal values, equal bytes."""

SEEN = frozenset(
    {
        "attempt",
        "attempt_end",
        "lost",
        "timed_out",
        "effect",
        "settled",
        "resettled",
        "cancel",
        "cancel_answer",
        "conflict",
        "system_error",
        "runaway",
    }
)
"""What invariants may remember of a request; the rest they judge at once."""


class States:
    """Takes the states of one course as it goes."""

    def __init__(self, course: Course) -> None:
        world = course.world
        self._course = course
        self._raw: list[Raw] = course.recorder.raw
        self._read = 0
        self._logs: list[tuple[Any, ...]] = [()] * course.bounds.requests
        retrier = world.retrier
        fields = retrier.fields if isinstance(retrier, ScheduledRetrier) else Fields()
        cell = world.cell
        self.translates = fields is not None
        """Whether jobs are renumbered and instants relative."""
        if cell.action.weather or cell.until is not None or cell.heals_at is not None:
            self.translates = False
        self._fields = fields if fields is not None and self.translates else Fields()
        self._deadline = world.promises.deadline_ns is not None
        self._timeout = world.promises.timeout_ms is not None
        self._settled_ns: dict[int, int] = {}
        """When each request has settled: whether a mutation could see it is remembered."""

    def digest(self) -> bytes:
        """Return the digest of the present state: 16 bytes; raises NotCanonical."""
        return blake2b(marshal.dumps(self.state(), MARSHAL_VERSION), digest_size=16).digest()

    def state(self) -> Any:
        """Return the present state as nested tuples of plain values; raises NotCanonical."""
        return _Snapshot(self, self._course).state(self._observed())

    def _observed(self) -> tuple[Any, ...]:
        """Return what has been seen of each request so far, in order."""
        raw, logs = self._raw, self._logs
        for t_ns, kind, request, _, name, detail in raw[self._read :]:
            if request < 0:
                continue  # restarts and crons: what they did to a request shows there
            if kind == "settled":
                self._settled_ns[request] = t_ns
            if kind in SEEN:
                says = tuple(detail) if kind == "attempt_end" and detail is not None else ()
                logs[request] += ((kind, name, *says),)
            elif kind == "commit" and isinstance(detail, TracedContext):
                noted = detail.noted()
                if noted:
                    logs[request] += noted
        self._read = len(raw)
        return tuple(logs)
