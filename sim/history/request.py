"""The live record of one request while it is simulated; `sim.history.records` holds the finished columns.

The deployment counts what it does for a request here, the world what the request did to the outside.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.history.records import COLUMNS, Requests
from sim.history.traffic import NO_SERVICE
from sim.history.vocabulary import NEVER, Cause, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

CAUSES = len(Cause)
OPEN = Outcome.open
"""Looked up once: an enumeration is slow to ask, and every simulated world makes a request."""

RERUNS = 1 << 32
"""Reruns of one submission are fewer."""


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
        "canceled",
        "concluded",
        "executions",
        "handle",
        "jobs",
        "key",
        "last_attempt",
        "namespace",
        "permanent",
        "root",
        "retrier",
        "runaway",
        "told",
        "weather",
    )
    submission = 1
    """Which submission of the request this is; see `Resubmission`."""
    first_rerun = 0
    """The rerun at which the draws of its retrier begin: each submission draws numbers of its own."""

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
        self._at: dict[str, AtReceiver] | None = None
        self.runaway = ""
        """The limit that the request ran into."""
        self.namespace = ""
        """Stands before the names of its retrier's tables: retriers of one deployment do not share tables."""
        self.retrier: Any = None
        """The retrier that serves it."""
        self.canceled = False
        """Whether its caller has canceled it."""
        self.concluded: set[int] | None = None
        """The submissions that have concluded; None if there is only one."""
        self.told: Callable[[Request, Outcome], None] | None = None
        """Called with each conclusion that counts."""

    def at(self, receiver: str) -> AtReceiver:
        """Return what is remembered of this request at a receiver that it reaches through a layer."""
        if self._at is None:
            self._at = {}
        found = self._at.get(receiver)
        if found is None:
            found = self._at[receiver] = AtReceiver()
        return found

    def let_go(self) -> None:
        """Forget attempts and jobs once the world is over: they refer to this, which would be cycles."""
        self.jobs = self.key = self.last_attempt = self.told = self._at = None

    def settle(self, outcome: Outcome, now_ns: int, attempt_end_ns: int | None = None) -> bool:
        """Note the retrier's conclusion; the first one stands, and none after a limit. Returns whether it counts.

        `attempt_end_ns` is the end of the last attempt that had ended by `now_ns`, if that is not the present.
        """
        return self.conclude(1, outcome, now_ns, attempt_end_ns)

    def conclude(self, submission: int, outcome: Outcome, now_ns: int, attempt_end_ns: int | None = None) -> bool:
        """Note what one submission has come to; `sim.history.records.Requests` says which conclusion counts."""
        if self.runaway:
            return False
        if self.concluded is not None:
            if submission in self.concluded:
                return False
            self.concluded.add(submission)
            if submission == self.submissions:
                counts = self.settled_ns == NEVER
            else:
                counts = outcome == Outcome.success and self.outcome in (OPEN, Outcome.gave_up)
            if not counts:
                return False
        elif self.settled_ns != NEVER:
            return False
        self.outcome = outcome
        self.settled_ns = now_ns
        self.known_attempt_end_ns = self.last_attempt_end_ns if attempt_end_ns is None else attempt_end_ns
        if self.told is not None:
            self.told(self, outcome)
        return True

    def submit_again(self) -> Resubmission:
        """Begin a further submission: the request is open again."""
        if self.concluded is None:
            self.concluded = set() if self.settled_ns == NEVER else {1}
        self.submissions += 1
        self.outcome = OPEN
        self.settled_ns = self.known_attempt_end_ns = NEVER
        return Resubmission(self, self.submissions)


class Resubmission(Request):
    """A further submission of a request: all that it does counts for the request, and only its conclusion is its own.

    Deployment, clients and world take it for a request. Its handle, its last attempt and its submission are its own;
    everything else is read from the request, and written to it.
    """

    __slots__ = ("first_rerun", "of", "submission")
    _OWN = frozenset({"first_rerun", "of", "submission", "handle", "last_attempt"})

    def __init__(self, of: Request, submission: int) -> None:  # the request has the other attributes
        self.of = of
        self.submission = submission
        self.first_rerun = (submission - 1) * RERUNS
        self.handle = None
        self.last_attempt = None

    def __getattr__(self, name: str) -> Any:
        """Read an attribute that it does not have itself."""
        return getattr(self.of, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Write an attribute of its own, or one of the request."""
        if name in self._OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self.of, name, value)

    def settle(self, outcome: Outcome, now_ns: int, attempt_end_ns: int | None = None) -> bool:
        """Note what this submission has come to."""
        return self.of.conclude(self.submission, outcome, now_ns, attempt_end_ns)


def table(requests: list[Request], replication: int = 0) -> Requests:
    """Turn finished requests into columns, in the given order."""
    arrays: dict[str, Any] = {name: np.zeros((len(requests), *of.width), of.dtype) for name, of in COLUMNS.items()}
    arrays["replication"][:] = replication
    for first in range(0, len(requests), _AT_ONCE):
        part = requests[first : first + _AT_ONCE]
        rows = slice(first, first + len(part))
        for name, get in _ATTRIBUTES.items():
            arrays[name][rows] = np.array(list(map(get, part)), arrays[name].dtype)  # which refuses what does not fit
        for row, request in enumerate(part, first):
            if request.duplicates is not None:
                arrays["duplicates"][row] = request.duplicates
    return Requests(**arrays)


_ATTRIBUTES = {name: attrgetter(name) for name in COLUMNS if name not in {"replication", "duplicates"}}
"""Columns whose values are attributes of the same name."""
_AT_ONCE = 1 << 10
"""Requests whose columns are filled together: so many stay in a processor's cache."""
