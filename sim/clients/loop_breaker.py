"""A breaker as a loop has it: it asks before a call, and says afterwards how the call went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.clients.loop_cells import cell_of
from sim.clients.policy.breaker_options import BreakerOptions
from sim.clients.policy.breakers import REFUSED
from sim.clients.policy.sharing import breaker_at
from sim.history.vocabulary import SUCCESS

if TYPE_CHECKING:
    from sim.clients.cells import Address, Scope
    from sim.clients.owner import Owner
    from sim.clients.policy.breakers import Breaker


class Ticket:
    """A call that the breaker let pass; it waits to hear how that went."""

    __slots__ = ("_breaker", "_number", "_since_ns")

    def __init__(self, breaker: LoopBreaker, number: int, since_ns: int) -> None:
        self._breaker = breaker
        self._number = number
        self._since_ns = since_ns

    def answered(self, kind: str = SUCCESS) -> None:
        """Say how the call went: `success`, or the kind of its failure. What is said after the first time is lost."""
        self._breaker.answered(self, self._number, self._since_ns, kind)


class LoopBreaker:
    """A breaker: `ticket = breaker.ask()` before a call, None if it refuses; `ticket.answered(kind)` after it.

    Tickets that are not answered when the loop ends count as calls without an answer.
    """

    __slots__ = ("_cell", "_client", "_open")

    def __init__(self, client: Owner, cell: Breaker) -> None:
        self._client = client
        self._cell = cell
        self._open: dict[Ticket, int] = {}
        """Tickets without an answer, with their numbers."""

    def ask(self) -> Ticket | None:
        """Ask for a call; None if the breaker lets none pass. A refusal is noted in history and traffic."""
        client = self._client
        if client.stopped:
            return None
        now_ns = client.clock.now_ns
        number = self._cell.ask(now_ns)
        client.hear("breaker", number != REFUSED)
        if number == REFUSED:
            client.refused("breaker")
            return None
        ticket = Ticket(self, number, now_ns)
        self._open[ticket] = number
        return ticket

    def answered(self, ticket: Ticket, number: int, since_ns: int, kind: str) -> None:
        """Take the answer to a ticket."""
        if self._open.pop(ticket, None) is None:
            return
        now_ns = self._client.clock.now_ns
        failed = self._cell.failed(kind)
        if failed is None:
            self._cell.uncounted(now_ns, number)
        else:
            self._cell.answered(now_ns, number, failed=failed, took_ns=now_ns - since_ns)

    @property
    def state(self) -> str:
        """Return `closed`, `open` or `half_open`; an open one becomes half-open only when it is asked in time."""
        self._client.hear("breaker_state", self._cell.state)
        return self._cell.state

    def begin_sleep(self) -> None:
        """Do nothing: a breaker does not care."""

    def let_go(self) -> None:
        """Let the breaker know that no more answers come."""
        tickets, self._open = self._open, {}
        for number in tickets.values():
            self._cell.uncounted(self._client.clock.now_ns, number)


def breaker_of(client: Owner, written: Any, name: str, scope: Scope | None) -> LoopBreaker:
    """Return a loop's breaker. Raises ValueError."""

    def make(options: BreakerOptions, address: Address) -> Breaker:
        return breaker_at(address, options, client.around, client.request.number, "own.open")

    address, cell = cell_of(client, "own.breaker", BreakerOptions, written, name, scope, make)
    found = client.held.get(address)
    if found is None:
        found = LoopBreaker(client, cell)
        client.hold(address, found)
    assert isinstance(found, LoopBreaker)  # noqa: S101  # the address says so
    return found
