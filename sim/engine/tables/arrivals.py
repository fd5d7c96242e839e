"""When the requests of a world arrive, and what each is given before anything happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.engine.world import REPORT_EVERY
from sim.world.workload import arrival_times_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.kernel.choices import Choices
    from sim.scenario.schema import Scenario


class Arrivals:
    """The requests of one replication of a cell, as they are planned."""

    def __init__(
        self,
        cell: Scenario,
        choices: Choices,
        at_most: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Take the requests of a cell with open arrivals, or its first `at_most`.

        `progress` is called now and then with the number of a request.
        """
        until_ns = cell.until if isinstance(cell.until, int) else None
        self.times_ns = arrival_times_ns(cell.requests, choices, until_ns)[:at_most]
        """Of each request, ascending."""
        self.permanent = cell.action.permanent_failure
        """The share of the requests that never succeed."""
        self.calls_at_most = cell.limits.polls_per_request
        """Calls of a request after which it counts as running for ever."""
        self.told: Callable[[int], None] | None = None
        """Called with the number of each request that has been taken; None: no need."""
        if progress is not None:
            self.told = lambda number: None if number % REPORT_EVERY else progress(number)
        self._choices = choices
        self._clients = 1 if cell.clients is None else cell.clients.count
        self._at_random = cell.clients is not None and cell.clients.deal == "random" and self._clients > 1

    def client_of(self, number: int) -> int:
        """Return which client has a request, as `sim.engine.asking` deals them."""
        if self._at_random:
            return int(self._choices.uniform("client", number) * self._clients)
        return number % self._clients
