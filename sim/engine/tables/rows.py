"""A request and a call while they are under way; what they leave behind are rows of the two tables of a run."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.history.traffic import CALL_COLUMNS, NO_SERVICE, UNLIMITED, CallEnd, Calls, Capacities
from sim.history.vocabulary import NEVER, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.failure import Failure
    from sim.kernel.alarm import Alarm

OPEN: Final = int(CallEnd.open)
OPEN_REQUEST: Final = Outcome.open
"""Looked up once: an enumeration is slow to ask."""


class Asked:
    """One request: its record (see `sim.history.records.Requests`), and where its policy is."""

    __slots__ = (
        "action_ns",
        "again",
        "applied",
        "applied_ns",
        "attempts",
        "begins",
        "call",
        "client",
        "duplicates",
        "effects",
        "first_effect_ns",
        "is_asleep",
        "is_over",
        "known_attempt_end_ns",
        "last_attempt_end_ns",
        "number",
        "outcome",
        "permanent",
        "settled_ns",
        "slept_ns",
        "submitted_ns",
        "suppressed",
    )
    caller_class = polls = conflicts = mutations = 0
    submissions = 1

    def __init__(self, number: int, client: int, now_ns: int) -> None:
        self.number = number
        self.client = client
        self.submitted_ns = now_ns
        self.first_effect_ns = self.settled_ns = self.known_attempt_end_ns = self.last_attempt_end_ns = NEVER
        self.suppressed = self.effects = self.action_ns = self.attempts = 0
        self.outcome = OPEN_REQUEST
        self.duplicates: list[int] | None = None
        self.slept_ns = NEVER
        """How long it slept since its last call; `NEVER` before the first."""
        self.call: Call | None = None
        """Its last call."""
        self.applied: Call | None = None
        """The call whose effect was applied last."""
        self.applied_ns = NEVER
        self.begins = self.again = False
        """Whether it is in the middle of beginning a try, and whether it is to begin another one after that."""
        self.is_over = self.is_asleep = self.permanent = False

    @property
    def actions(self) -> int:
        """How many calls it has made: each try makes one, and none is refused."""
        return self.attempts


class Call:
    """One call: its record (see `sim.history.traffic.Calls`), and how it is going to go."""

    __slots__ = (
        "alarm",
        "arrived_ns",
        "asked",
        "awaited",
        "began_ns",
        "effect_ns",
        "end",
        "ended_ns",
        "given_up_ns",
        "goes",
        "hangs",
        "has_effect",
        "number",
        "over_ns",
        "says",
        "sent_ns",
        "slept_ns",
    )

    def __init__(self, asked: Asked, number: int, now_ns: int, slept_ns: int) -> None:
        self.asked = asked
        self.number = number
        self.sent_ns = self.arrived_ns = now_ns
        self.slept_ns = slept_ns
        self.began_ns = self.ended_ns = self.over_ns = self.given_up_ns = self.effect_ns = NEVER
        self.end = self.goes = OPEN
        """How it went, and how it will have gone once its answer is there."""
        self.awaited = True
        """Whether its request waits for its answer."""
        self.says: Failure | None = None
        """What the error says that it is answered with."""
        self.alarm: Alarm | None = None
        """What ends its wait in the queue."""
        self.has_effect = self.hangs = False
        """Whether its effect comes as its work ends; whether that never ends."""


def calls_of(calls: Sequence[Call], service: int, replication: int) -> Calls:
    """Turn calls, in the order in which they were sent, into columns."""
    columns: dict[str, Any] = {
        "replication": np.full(len(calls), replication),
        "request": [call.asked.number for call in calls],
        "service": np.full(len(calls), service),
        "caller": np.full(len(calls), NO_SERVICE),
    }
    for name in CALL_COLUMNS:
        if name not in columns:
            columns[name] = list(map(attrgetter(name), calls))
    return Calls(**{name: np.array(column, CALL_COLUMNS[name]) for name, column in columns.items()})


def capacities_of(levels: Sequence[tuple[int, int, int | None]], replication: int) -> Capacities:
    """Turn (position of a service, instant, servers from then on; None: no limit) into columns."""
    count = len(levels)
    ordered = sorted(levels, key=lambda level: level[:2])
    return Capacities(
        np.full(count, replication, np.int32),
        np.array([position for position, _, _ in ordered], np.int16),
        np.array([from_ns for _, from_ns, _ in ordered], np.int64),
        np.array([UNLIMITED if servers is None else servers for _, _, servers in ordered], np.int64),
    )
