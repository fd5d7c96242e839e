"""A request and a call while they are under way; what they leave behind are rows of the two tables of a run.

Fields whose value most never change are attributes of the class until they do, so that making one is cheap.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from sim.clients.policy.shared import NOTHING_SHARED
from sim.history.traffic import CALL_COLUMNS, NO_SERVICE, UNLIMITED, CallEnd, Calls, Capacities
from sim.history.vocabulary import NEVER, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.clients.around import Around
    from sim.clients.place import Place
    from sim.clients.policy.rules import Rules
    from sim.clients.policy.spent import Spent
    from sim.engine.tables.clients import Clients
    from sim.engine.tables.timeline import Timeline
    from sim.history.events import Failure

OPEN: Final = int(CallEnd.open)


class Asked:
    """One request: its record (see `sim.history.records.Requests`), and where its policy is.

    It is also what `sim.clients.policy.judging` takes for a policy's machine.
    """

    caller_class = polls = conflicts = mutations = suppressed = effects = action_ns = attempts = 0
    submissions = 1
    first_effect_ns = settled_ns = known_attempt_end_ns = last_attempt_end_ns = NEVER
    outcome: Outcome = Outcome.open
    duplicates: list[int] | None = None
    slept_ns = NEVER
    """How long it slept since its last call; `NEVER` before the first."""
    call: Call | None = None
    """Its last call."""
    applied: Call | None = None
    """The call whose effect was applied last."""
    applied_ns = NEVER
    begins = again = False
    """Whether it is in the middle of beginning a try, and whether it is to begin another one after that."""
    is_over = is_asleep = permanent = False
    # Of policies by whose rules more than the number of tries decides.
    retries = shift = deliveries = last_cost = tried_ns = 0
    counters: list[int] = []  # noqa: RUF012  # such a policy gives each request its own
    states: list[list[float]] = []  # noqa: RUF012  # as above
    shared = NOTHING_SHARED
    spent: Spent | None = None
    said = ""
    """The kind of its last answer."""
    is_counted = is_owed = False
    """Whether its budget counts its call as a retry in flight, and a retry of it as asleep."""

    def __init__(self, clients: Clients, number: int, client: int, now_ns: int) -> None:
        self.clients = clients
        self.number = number
        self.client = client
        self.submitted_ns = now_ns

    @property
    def actions(self) -> int:
        """How many calls it has made: each try makes one, and none is refused."""
        return self.attempts

    @property
    def tries(self) -> int:
        """How many tries it has begun."""
        return self.attempts

    @property
    def started_ns(self) -> int:
        """When its policy began."""
        return self.submitted_ns

    @property
    def rules(self) -> Rules:
        """Its policy."""
        return self.clients.rules

    @property
    def clock(self) -> Timeline:
        """What tells the present instant."""
        return self.clients.timeline

    @property
    def around(self) -> Around:
        """What all clients have in common."""
        return self.clients.around

    @property
    def place(self) -> Place:
        """Where its client stands."""
        return self.clients.place_of(self.client)

    @property
    def request(self) -> Self:
        """Itself: the machine of a policy and its request are one here."""
        return self

    def draw(self, stream: str, index: int) -> float:
        """Draw the number on [0, 1) of this address for this request."""
        return self.clients.choices.uniform(stream, self.number, index)


class Call:
    """One call: its record (see `sim.history.traffic.Calls`), and how it is going to go."""

    began_ns = ended_ns = over_ns = given_up_ns = effect_ns = NEVER
    end = OPEN
    awaited = True
    """Whether its request waits for its answer."""
    goes = OPEN
    """How it will have gone once its answer is there."""
    says: Failure | None = None
    """What the error says that it is answered with."""
    has_effect = False
    """Whether its effect comes as its work ends."""
    hangs = False

    def __init__(self, asked: Asked, number: int, now_ns: int, slept_ns: int) -> None:
        self.asked = asked
        self.number = number
        self.sent_ns = self.arrived_ns = now_ns
        self.slept_ns = slept_ns


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


def capacities_of(servers: Sequence[int | None], replication: int) -> Capacities:
    """Return the table of services, in their order, that have so many servers all the time (None: no limit)."""
    count = len(servers)
    levels = [UNLIMITED if there is None else there for there in servers]
    return Capacities(
        np.full(count, replication, np.int32),
        np.arange(count, dtype=np.int16),
        np.zeros(count, np.int64),
        np.array(levels, np.int64),
    )
