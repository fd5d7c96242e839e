"""Who asks, and when: the requests of a shared world, as its clients submit them.

Open arrivals come at times that are known before; requests are dealt to the clients in turn or at random. Closed
arrivals are the clients' own: each waits, asks, and waits again after the final end of its request. A client whose
request never ends never asks again. Numbers are in the order of submission.
"""

from __future__ import annotations

from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

from sim.history.request import Request
from sim.world.arrivals import Closed
from sim.world.workload import arrival_times_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.kernel.choices import Choices, DelayOf
    from sim.kernel.clock import Clock
    from sim.scenario.schema import Scenario


class Asking:
    """Makes the requests of a shared world, and lets each be submitted at its instant."""

    def __init__(
        self,
        cell: Scenario,
        clock: Clock,
        choices: Choices,
        submit: Callable[[Request], None],
        *,
        at_most: int | None = None,
    ) -> None:
        """Take the requests of a cell, or its first `at_most`; `submit` is called with each at its instant."""
        self.requests: list[Request] = []
        """Those submitted so far."""
        self._clock = clock
        self._choices = choices
        self._submit = submit
        arrivals, count = cell.requests.arrivals, cell.requests.count
        self._most = count if at_most is None else min(count, at_most)
        until_ns = cell.until if isinstance(cell.until, int) else None
        self._times_ns = arrival_times_ns(cell.requests, choices, until_ns)[:at_most]
        self.closed = isinstance(arrivals, Closed)
        """Whether each client waits for the end of its request before it asks again."""
        self.planned: int | None = None if self.closed else len(self._times_ns)
        """How many requests are to come; None if that depends on how long they take."""
        self._clients = 1 if cell.clients is None else cell.clients.count
        self._at_random = cell.clients is not None and cell.clients.deal == "random"
        asked_for = [place for place, one in enumerate(cell.callers) if one.share > 0]
        self._classes = asked_for or [0]
        """The classes that have requests."""
        self._shares = list(accumulate(cell.callers[place].share for place in asked_for[:-1]))
        self._pause: DelayOf | None = None
        if isinstance(arrivals, Closed):
            law, stream = (arrivals.think, "think") if arrivals.think is not None else (arrivals.pace, "pace")
            assert law is not None  # noqa: S101  # one of the two is given
            self._pause = choices.delays(law, stream)
        self._paced = isinstance(arrivals, Closed) and arrivals.pace is not None
        self._asked: list[int] = []
        """How often each client has asked."""
        self._waiting: dict[int, Request] = {}
        """The request whose end a client awaits."""

    def start(self) -> None:
        """Plan the first submissions."""
        if self._pause is not None:
            self._asked = [0] * self._clients
            for client in range(self._clients):
                self._clock.call_after(self._pause(client, 0, 0), partial(self._ask, client))
        elif self._times_ns:
            self._clock.call_after(self._times_ns[0], self._arrive)

    def over(self, request: Request) -> None:
        """Note the final end of a request: a client that waited for it pauses, and asks again."""
        client = request.client
        if self._waiting.get(client) is not request or self._pause is None:
            return
        del self._waiting[client]
        if len(self.requests) >= self._most:
            return
        pause_ns = self._pause(client, self._asked[client], 0)
        if self._paced:
            pause_ns = max(0, request.submitted_ns + pause_ns - self._clock.now_ns)
        self._clock.call_after(pause_ns, partial(self._ask, client))

    def _arrive(self) -> None:
        number, times_ns = len(self.requests), self._times_ns
        self._make(number, self._dealt_to(number))
        if number + 1 < len(times_ns):
            self._clock.call_after(times_ns[number + 1] - self._clock.now_ns, self._arrive)

    def _ask(self, client: int) -> None:
        if len(self.requests) < self._most:
            self._asked[client] += 1
            self._make(len(self.requests), client)

    def _make(self, number: int, client: int) -> None:
        request = Request(number, self._clock.now_ns)
        request.client = client
        request.caller_class = self._class_of(number)
        self.requests.append(request)
        if self.closed:
            self._waiting[client] = request
        self._submit(request)

    def _dealt_to(self, number: int) -> int:
        if self._clients == 1:
            return 0
        if self._at_random:
            return int(self._choices.uniform("client", number) * self._clients)
        return number % self._clients

    def _class_of(self, number: int) -> int:
        place = self._choices.choose(self._shares, "class", number) if self._shares else 0
        return self._classes[place]
