"""The states of a small world, taken between two steps: two worlds with the same state have the same future.

A state is what can still matter: the requests and what has been observed of them, the timers that are set, the rows
and documents that a function may still read, the executions and clients that wait, and the bounds that are left. Jobs
are renumbered in order of creation and instants are relative to now, if the retrier says which fields of its arguments
and documents hold jobs and instants (`ScheduledRetrier.fields`). If it does not, or if the world knows the time of day
(weather, an end, a moment from which on it heals), instants and numbers stay as they are; that is sound too, but merges
fewer states. Requests are told apart even if they could be exchanged.

Coroutines cannot be looked into. All that they have learned stands for them, since nothing else decides how they go on.
"""

from __future__ import annotations

import marshal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sim.explorer.distinctions import distinctions
from sim.explorer.snapshot import Snapshot
from sim.history.dealing import FIRST_OWN
from sim.history.recorder import noted

if TYPE_CHECKING:
    from sim.explorer.course import Course
    from sim.history.recorder import Raw

MARSHAL_VERSION = 0
"""The version without references and interning: equal values give equal bytes."""

OBSERVED = frozenset(
    {
        "attempt",
        "attempt_end",
        "lost",
        "by_key",
        "timed_out",
        "effect",
        "decided",
        "refused",
        "copy",
        "redelivered",
        "settled",
        "resettled",
        "resubmit",
        "cancel",
        "cancel_answer",
        "conflict",
        "system_error",
        "runaway",
    }
)
"""Events of a request that invariants may remember; they judge all others at once."""


class States:
    """Takes the states of one course as it goes."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._raw: list[Raw] = course.recorder.raw
        self._read = 0
        self._logs: dict[int, tuple[Any, ...]] = dict.fromkeys(range(course.bounds.requests), ())
        """By request; behind them those of retriers themselves, such as a pool."""
        self._distinct = distinctions(course.world)
        self._settled_ns: dict[int, int] = {}
        """When each request settled: the state remembers whether a mutation's snapshot is later."""

    @property
    def up_to_time(self) -> bool:
        """Whether states count as the same if they differ by a shift in time or in the numbers of jobs only."""
        return self._distinct.up_to_time

    def digest(self) -> bytes:
        """Return the digest of the present state: 16 bytes. Raises NotCanonical."""
        return blake2b(marshal.dumps(self.state(), MARSHAL_VERSION), digest_size=16).digest()

    def state(self) -> Any:
        """Return the present state as nested tuples of plain values. Raises NotCanonical."""
        observed = self._observed()
        return Snapshot(self._course, self._distinct, self._settled_ns).state(observed)

    def _observed(self) -> tuple[Any, ...]:
        """Return what has been observed of each request so far, in order."""
        raw, logs = self._raw, self._logs
        for t_ns, kind, request, _, name, detail in raw[self._read :]:
            if FIRST_OWN < request < 0:
                continue  # restarts and crons: what they did to a request shows there
            if kind == "settled":
                self._settled_ns[request] = t_ns
            if kind in OBSERVED:
                says = tuple(detail) if kind == "attempt_end" and detail is not None else ()
                logs[request] = (*logs.get(request, ()), (kind, name, *says))
            elif kind == "commit" and (notes := noted(detail)):
                logs[request] = (*logs.get(request, ()), *notes)
        self._read = len(raw)
        return tuple(sorted(logs.items()))
