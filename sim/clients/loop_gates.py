"""A bulkhead and a rate limit as a loop has them: it waits until they let it through, or is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.clients.loop_cells import cell_of
from sim.clients.policy.gates import (
    NO_LIMIT,
    Bulkhead,
    BulkheadOptions,
    CallerRateLimit,
    CallerRateLimitOptions,
)
from sim.kernel.alarm import Alarm
from sim.kernel.clock import Pending, Sleep

if TYPE_CHECKING:
    from sim.clients.cells import Scope
    from sim.clients.owner import Owner


class Waiter:
    """A loop that waits for a place in a bulkhead."""

    __slots__ = ("_alarm", "_bulkhead", "_client", "answer")

    def __init__(self, bulkhead: LoopBulkhead, client: Owner) -> None:
        self._bulkhead = bulkhead
        self._client = client
        self._alarm: Alarm | None = None
        self.answer = Pending()

    @property
    def name(self) -> tuple[int, int]:
        """Return the request and the submission that wait, which tell waiters apart."""
        return self._client.request.number, self._client.request.submission

    def wait(self, max_wait_ns: int) -> None:
        """Wait, for so long at most."""
        if max_wait_ns != NO_LIMIT:
            self._alarm = Alarm(self._client.clock, max_wait_ns, self._waited_too_long)

    def let_in(self) -> None:
        """Have the place; `go_on` comes after that."""
        self.call_off()
        self._bulkhead.has_place()

    def go_on(self) -> None:
        """Let the loop go on with its place."""
        self.answer.succeed(True)  # noqa: FBT003  # what `enter` returns

    def _waited_too_long(self) -> None:
        self._alarm = None
        self._bulkhead.waits_no_more(self)
        self._client.refused("bulkhead")
        self.answer.succeed(False)  # noqa: FBT003  # what `enter` returns

    def call_off(self) -> None:
        """Let nothing end the wait."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


class LoopBulkhead:
    """At most so many at the same time: `if not await bulkhead.enter()` it is full; `bulkhead.leave()` afterwards."""

    __slots__ = ("_cell", "_client", "_places", "_waiter")

    def __init__(self, client: Owner, cell: Bulkhead) -> None:
        self._client = client
        self._cell = cell
        self._places = 0
        """How many this loop has."""
        self._waiter: Waiter | None = None

    async def enter(self) -> bool:
        """Take a place, or wait for one; False if there is no room to wait, or the wait gets too long."""
        client = self._client
        if client.stopped:
            await client.end_await()
        waiter = Waiter(self, client)
        found = self._cell.enter(waiter)
        entered = found == "in"
        if entered:
            self._places += 1
        elif found == "full":
            client.refused("bulkhead")
        else:
            self._waiter = waiter
            client.record("gate_wait", "bulkhead", (self._cell.max_wait_ns, 0), subject=1)
            waiter.wait(self._cell.max_wait_ns)
            entered = await client.at_gate(waiter.answer)
        client.hear("bulkhead", entered)
        return entered

    def leave(self) -> None:
        """Give a place back. Raises ValueError if this loop has none."""
        if self._client.is_over:
            return
        if not self._places:
            raise ValueError("this loop has no place in the bulkhead to give back")
        self._places -= 1
        self._give_back()

    @property
    def in_use(self) -> int:
        """How many places are taken, by all who share it."""
        self._client.hear("in_use", self._cell.in_use)
        return self._cell.in_use

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        self._client.hear("waiting", self._cell.waiting)
        return self._cell.waiting

    def has_place(self) -> None:
        """Note that its wait has got it a place."""
        self._waiter = None
        self._places += 1

    def waits_no_more(self, waiter: Waiter) -> None:
        """Take its waiter out of the queue."""
        self._waiter = None
        self._cell.withdraw(waiter)

    def begin_sleep(self) -> None:
        """Do nothing: a bulkhead does not care."""

    def let_go(self) -> None:
        """Give back all places, and wait no more."""
        waiter = self._waiter
        if waiter is not None:
            waiter.call_off()
            self.waits_no_more(waiter)
        places, self._places = self._places, 0
        for _ in range(places):
            self._give_back()

    def _give_back(self) -> None:
        following = self._cell.leave()
        if isinstance(following, Waiter):
            self._client.around.let_in(following)


class LoopRateLimit:
    """At most so many calls a second: `await limit.take()` before each; False if it refuses."""

    __slots__ = ("_cell", "_client")

    def __init__(self, client: Owner, cell: CallerRateLimit) -> None:
        self._client = client
        self._cell = cell

    async def take(self) -> bool:
        """Take a token, or wait for the next that is free (`empty: wait`)."""
        client = self._client
        if client.stopped:
            await client.end_await()
        wait_ns = self._cell.take(client.clock.now_ns)
        passes = not (wait_ns and self._cell.refuses)
        if not passes:
            client.refused("rate_limit")
        elif wait_ns:
            client.record("gate_wait", "rate_limit", (wait_ns, 0), subject=1)
            has_token = Sleep()
            client.clock.set_timer(has_token, wait_ns)
            await client.at_gate(has_token)
        client.hear("rate_limit", passes)
        return passes


def bulkhead_of(client: Owner, written: Any, name: str, scope: Scope | None) -> LoopBulkhead:
    """Return a loop's bulkhead. Raises ValueError."""
    address, cell = cell_of(
        client, "own.bulkhead", BulkheadOptions, written, name, scope, lambda one, _: Bulkhead(one.encoded())
    )
    found = client.held.get(address)
    if found is None:
        found = LoopBulkhead(client, cell)
        client.hold(address, found)
    assert isinstance(found, LoopBulkhead)  # noqa: S101  # the address says so
    return found


def rate_limit_of(client: Owner, written: Any, name: str, scope: Scope | None) -> LoopRateLimit:
    """Return a loop's rate limit. Raises ValueError."""
    _, cell = cell_of(
        client,
        "own.rate_limit",
        CallerRateLimitOptions,
        written,
        name,
        scope,
        lambda one, _: CallerRateLimit(one.encoded()),
    )
    return LoopRateLimit(client, cell)
