"""Who asks, and when: as `sim.engine.asking`, for requests that are played from tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sim.world.arrivals import Closed
from sim.world.workload import arrival_times_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.engine.tables.rows import Asked
    from sim.engine.tables.timeline import Timeline
    from sim.kernel.choices import Choices
    from sim.scenario.schema import Scenario

    Take = Callable[[int, int], None]


class Open:
    """Requests that arrive at instants that are known before; the first `at_most` of a cell."""

    closed = False

    def __init__(self, cell: Scenario, timeline: Timeline, choices: Choices, at_most: int | None = None) -> None:
        until_ns = cell.until if isinstance(cell.until, int) else None
        self._timeline = timeline
        self._choices = choices
        self._times_ns = arrival_times_ns(cell.requests, choices, until_ns)[:at_most]
        self._clients = 1 if cell.clients is None else cell.clients.count
        self._at_random = cell.clients is not None and cell.clients.deal == "random" and self._clients > 1
        self._take: Take

    def start(self, take: Take) -> None:
        """Plan the first one; `take` is called with the number and the client of each."""
        self._take = take
        if self._times_ns:
            self._timeline.after(self._times_ns[0], self._arrive, 0)

    def _arrive(self, number: int) -> None:
        times_ns, following = self._times_ns, number + 1
        self._take(number, self._dealt_to(number))
        if following < len(times_ns):
            self._timeline.after(times_ns[following] - times_ns[number], self._arrive, following)

    def _dealt_to(self, number: int) -> int:
        if self._at_random:
            return int(self._choices.uniform("client", number) * self._clients)
        return number % self._clients

    def over(self, asked: Asked) -> None:
        """Note the end of a request."""


class InTurn:
    """Clients that wait for the end of each request, and then a while before they ask again; `at_most` requests."""

    closed = True

    def __init__(
        self, arrivals: Closed, cell: Scenario, timeline: Timeline, choices: Choices, at_most: int | None = None
    ) -> None:
        count = cell.requests.count
        self._timeline = timeline
        self._left = count if at_most is None else min(count, at_most)
        self._number = 0
        law, stream = (arrivals.think, "think") if arrivals.think is not None else (arrivals.pace, "pace")
        assert law is not None  # noqa: S101  # one of the two is given
        self._pause = choices.delays(law, stream)
        self._is_paced = arrivals.pace is not None
        self._asked = [0] * (1 if cell.clients is None else cell.clients.count)
        """How often each client has asked."""
        self._take: Take

    def start(self, take: Take) -> None:
        """Plan the first one of each client."""
        self._take = take
        for client in range(len(self._asked)):
            self._timeline.after(self._pause(client, 0, 0), self._ask, client)

    def _ask(self, client: int) -> None:
        if self._left:
            self._left -= 1
            self._asked[client] += 1
            number = self._number
            self._number = number + 1
            self._take(number, client)

    def over(self, asked: Asked) -> None:
        """Let the client of a request that is over pause, and ask again."""
        if not self._left:
            return
        client = asked.client
        pause_ns = self._pause(client, self._asked[client], 0)
        if self._is_paced:
            pause_ns = max(0, asked.submitted_ns + pause_ns - self._timeline.now_ns)
        self._timeline.after(pause_ns, self._ask, client)


Arrivals = Open | InTurn


class Asks(NamedTuple):
    """The requests of a cell."""

    arrivals: Arrivals
    permanent: float
    """The share of them that never succeed."""
    calls_at_most: int
    """Calls of a request after which it counts as running for ever."""


def asks_of(cell: Scenario, timeline: Timeline, choices: Choices, at_most: int | None = None) -> Asks:
    """Return the requests of a cell, or its first `at_most`."""
    kind = cell.requests.arrivals
    arrivals = (
        InTurn(kind, cell, timeline, choices, at_most)
        if isinstance(kind, Closed)
        else Open(cell, timeline, choices, at_most)
    )
    return Asks(arrivals, cell.action.permanent_failure, cell.limits.polls_per_request)
