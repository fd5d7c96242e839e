"""A budget of retries as a loop has it: the cell of `sim.clients.policy.budgets`, and what this request does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.clients.loop_cells import cell_of
from sim.clients.policy.budgets import BudgetOptions, budget_cell

if TYPE_CHECKING:
    from sim.clients.cells import Scope
    from sim.clients.connection import Connection
    from sim.clients.owner import Owner
    from sim.clients.policy.budget_cell import Budget, Level


class LoopBudget:
    """A budget of retries: `take` before each retry, `failed` for each failed call, `succeeded` at the end.

    The budget counts the request until its loop ends, and a retry that was taken as in flight during the next call.
    A loop says itself when a retry pays and what an empty budget means: there `takes` and `empty` say nothing.
    """

    __slots__ = ("_asleep", "_cell", "_client", "_is_over", "_last_cost", "_running", "_takes", "_to_start")

    def __init__(self, client: Owner, cell: Budget) -> None:
        self._client = client
        self._cell = cell
        self._takes = 0
        self._to_start = 0
        """Retries taken whose call has not begun."""
        self._asleep = False
        self._running = 0
        self._last_cost = 0
        self._is_over = False
        cell.request_started(client.clock.now_ns)

    def allows(self, kind: str = "") -> bool:
        """Whether a retry after an answer of this kind may go now."""
        found = not self._is_over and self._cell.allows(self._client.clock.now_ns, kind)
        self._client.hear("budget", found)
        return found

    def take(self, kind: str = "") -> bool:
        """Pay for a retry if it may go; returns whether it may."""
        if not self.allows(kind):
            return False
        self._last_cost = self._cell.take(self._client.clock.now_ns, kind)
        self._takes += 1
        self._to_start += 1
        return True

    def failed(self, kind: str = "failed", *, retryable: bool = True) -> None:
        """Note that a call failed; `retryable` if this loop retries such an answer. Before `take`."""
        if not self._is_over:
            self._cell.failed(self._client.clock.now_ns, kind, retryable=retryable)

    def succeeded(self, *, retried: bool | None = None) -> None:
        """Note that the request succeeded; `retried` unless stated if it has taken anything."""
        if not self._is_over:
            after_retry = bool(self._takes) if retried is None else retried
            self._cell.succeeded(self._client.clock.now_ns, retried=after_retry, last_cost=self._last_cost)

    @property
    def level(self) -> Level:
        """How it stands: what it has, of how much, in which unit."""
        level = self._cell.level(self._client.clock.now_ns)
        self._client.hear("level", tuple(level))
        return level

    # What its client tells it.

    def begin_sleep(self) -> None:
        """Note that the loop sleeps: a retry that was taken sleeps before its call."""
        if self._to_start and not self._asleep:
            self._asleep = True
            self._cell.retry_asleep(self._client.clock.now_ns)

    def begin_call(self, connection: Connection) -> None:
        """Note that a call begins: it is a retry if one was taken."""
        if self._to_start and not self._is_over:
            self._to_start -= 1
            self._running += 1
            self._cell.retry_started(self._client.clock.now_ns, asleep=self._asleep)
            self._asleep = False
            connection.retry_of += (self,)

    def retry_is_over(self) -> None:
        """Note that the call of a retry is over."""
        if not self._is_over:
            self._running -= 1
            self._cell.retry_ended(self._client.clock.now_ns)

    def let_go(self) -> None:
        """Count the request no more, nor its retries."""
        now_ns, cell = self._client.clock.now_ns, self._cell
        self._is_over = True
        for _ in range(self._running):
            cell.retry_ended(now_ns)
        if self._asleep:
            cell.retry_canceled(now_ns)
        cell.request_ended(now_ns)


def budget_of(client: Owner, written: Any, name: str, scope: Scope | None) -> LoopBudget:
    """Return a loop's budget. Raises ValueError."""
    address, cell = cell_of(client, "own.budget", BudgetOptions, written, name, scope, lambda one, _: budget_cell(one))
    found = client.held.get(address)
    if found is None:
        found = LoopBudget(client, cell.for_request())
        client.hold(address, found)
        client.budgets += (found,)
    assert isinstance(found, LoopBudget)  # noqa: S101  # the address says so
    return found
