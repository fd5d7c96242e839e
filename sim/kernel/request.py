"""The live record of one request while it is simulated; `sim.kernel.records` holds the finished columns.

The deployment counts what it does for a request here, the world what the request did to the outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.kernel.records import NEVER, Cause, Outcome

if TYPE_CHECKING:
    from sim.kernel.records import Requests

CAUSES = len(Cause)


class Request:
    """Counters and moments of one request; see `sim.kernel.records.Requests` for their meaning.

    What most requests never change are class attributes until first set: one is made for every simulated world.
    """

    first_effect_ns = NEVER
    settled_ns = NEVER
    known_attempt_end_ns = NEVER
    last_attempt_end_ns = NEVER
    attempts = 0
    effects = 0
    suppressed = 0
    polls = 0
    conflicts = 0
    mutations = 0
    actions = 0
    action_ns = 0
    outcome = Outcome.open
    duplicates: list[int] | None = None
    executions = 0
    """Transactions and executions begun for this request so far: the index of the platform's draws."""
    permanent = False
    """Whether every attempt of this request fails."""
    weather: Any = None
    handle: Any = None
    """What `submit` returned: the retrier's own name for the request."""
    jobs: list[Any] | None = None
    """The request's jobs in order of creation, kept only where somebody may want to cancel one."""
    last_applied: Any = None
    """The attempt that made the last applied effect."""
    last_applied_ns = NEVER
    runaway = ""
    """The limit that the request ran into."""

    def __init__(self, number: int, submitted_ns: int = 0) -> None:
        self.number = number
        self.submitted_ns = submitted_ns

    def settle(self, outcome: Outcome, now_ns: int) -> bool:
        """Note the retrier's conclusion; the first one stands. Returns whether this was the first."""
        if self.settled_ns != NEVER:
            return False
        self.outcome = outcome
        self.settled_ns = now_ns
        self.known_attempt_end_ns = self.last_attempt_end_ns
        return True


def table(requests: list[Request], replication: int = 0) -> Requests:
    """Turn finished requests into columns, in the given order."""
    import numpy as np

    from sim.kernel.records import Requests

    def column(name: str, dtype: type) -> Any:
        return np.array([getattr(request, name) for request in requests], dtype=dtype)

    none = [0] * CAUSES
    duplicates = [none if request.duplicates is None else request.duplicates for request in requests]
    return Requests(
        replication=np.full(len(requests), replication, dtype=np.int32),
        number=column("number", np.int64),
        submitted_ns=column("submitted_ns", np.int64),
        first_effect_ns=column("first_effect_ns", np.int64),
        settled_ns=column("settled_ns", np.int64),
        known_attempt_end_ns=column("known_attempt_end_ns", np.int64),
        last_attempt_end_ns=column("last_attempt_end_ns", np.int64),
        attempts=column("attempts", np.int32),
        effects=column("effects", np.int32),
        suppressed=column("suppressed", np.int32),
        polls=column("polls", np.int32),
        conflicts=column("conflicts", np.int32),
        mutations=column("mutations", np.int32),
        actions=column("actions", np.int32),
        action_ns=column("action_ns", np.int64),
        outcome=column("outcome", np.uint8),
        duplicates=np.array(duplicates, dtype=np.int32).reshape(len(requests), CAUSES),
    )
