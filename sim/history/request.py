"""The live record of one request while it is simulated; `sim.history.records` holds the finished columns.

The deployment counts what it does for a request here, the world what the request did to the outside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.history.records import COLUMNS, Requests
from sim.history.traffic import NO_SERVICE
from sim.history.vocabulary import NEVER, Cause, Outcome

CAUSES = len(Cause)
OPEN = Outcome.open
"""Looked up once: an enumeration is slow to ask, and every simulated world makes a request."""


class AtReceiver:
    """What a receiver and its callers remember of one request: how many calls it got, and its key."""

    __slots__ = ("calls", "key")

    def __init__(self) -> None:
        self.calls = 0
        self.key: Any = None
        """What the receiver remembers of it, as `Request.key`."""

    def count(self) -> int:
        """Count one call more, and return their number."""
        self.calls += 1
        return self.calls


class Request:
    """Counters and moments of one request; see `sim.history.records.Requests` for their meaning."""

    __slots__ = (
        *(name for name in COLUMNS if name != "replication"),
        "_at",
        "caller",
        "executions",
        "handle",
        "jobs",
        "key",
        "last_attempt",
        "permanent",
        "root",
        "runaway",
        "weather",
        "within",
    )

    def __init__(self, number: int, submitted_ns: int = 0) -> None:
        self.number = number
        self.submitted_ns = submitted_ns
        self.client = 0
        self.caller_class = 0
        self.submissions = 1
        self.first_effect_ns = NEVER
        self.settled_ns = NEVER
        self.known_attempt_end_ns = NEVER
        self.last_attempt_end_ns = NEVER
        self.attempts = 0
        self.effects = 0
        self.suppressed = 0
        self.polls = 0
        self.conflicts = 0
        self.mutations = 0
        self.actions = 0
        self.action_ns = 0
        self.outcome = OPEN
        self.duplicates: list[int] | None = None
        self.executions = 0
        """Transactions and executions begun for this request so far: the index of the platform's draws."""
        self.permanent = False
        """Whether every attempt of this request fails."""
        self.weather: Any = None
        self.handle: Any = None
        """What `submit` returned: the retrier's own name for the request."""
        self.jobs: list[Any] | None = None
        """The request's jobs in order of creation, kept only if the scenario may cancel one."""
        self.key: Any = None
        """What the receiver of the action remembers of it (`sim.world.effects.Key`), None before its first effect."""
        self.last_attempt: Any = None
        """The attempt that was begun last."""
        self.caller = NO_SERVICE
        """The position of the service that makes these calls; `NO_SERVICE` for the request's own retrier."""
        self.root: Request | None = None
        """The request in whose service a layer calls: it has a record of its own for that. None for a request."""
        self.within = NEVER
        """The number of the call in whose work a layer calls; -1 for a request."""
        self._at: dict[str, AtReceiver] | None = None
        self.runaway = ""
        """The limit that the request ran into."""

    def at(self, receiver: str) -> AtReceiver:
        """Return what is remembered of this request at a receiver that it reaches through a layer."""
        if self._at is None:
            self._at = {}
        found = self._at.get(receiver)
        if found is None:
            found = self._at[receiver] = AtReceiver()
        return found

    def settle(self, outcome: Outcome, now_ns: int, attempt_end_ns: int | None = None) -> bool:
        """Note the retrier's conclusion; the first one stands, and none after a limit. Returns whether it counts.

        `attempt_end_ns` is the end of the last attempt that had ended by `now_ns`, if that is not the present.
        """
        if self.settled_ns != NEVER or self.runaway:
            return False
        self.outcome = outcome
        self.settled_ns = now_ns
        self.known_attempt_end_ns = self.last_attempt_end_ns if attempt_end_ns is None else attempt_end_ns
        return True


def table(requests: list[Request], replication: int = 0) -> Requests:
    """Turn finished requests into columns, in the given order."""
    columns = {name: [getattr(request, name) for request in requests] for name in COLUMNS if name not in _OF_THEIR_OWN}
    columns["replication"] = [replication] * len(requests)
    none = [0] * CAUSES
    columns["duplicates"] = [none if request.duplicates is None else request.duplicates for request in requests]
    arrays: dict[str, Any] = {
        name: np.array(columns[name], of.dtype).reshape(len(requests), *of.width) for name, of in COLUMNS.items()
    }
    return Requests(**arrays)


_OF_THEIR_OWN = frozenset({"replication", "duplicates"})
"""Columns that `table` fills in itself, not from an attribute of the same name."""
