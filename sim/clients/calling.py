"""How a loop calls the action: `await call()`, or `await call.hedged(after_ms=...)`."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from sim.clients.connection import Connection
from sim.clients.failures import CallFailed
from sim.clients.hedged import Hedge
from sim.kernel.clock import Pending

if TYPE_CHECKING:
    from sim.clients.hedged import AtFailure
    from sim.clients.loop_budget import LoopBudget
    from sim.clients.owner import Owner


class Call:
    """One request's way to call the action: `await call()` or `await call(timeout_ms=...)`.

    Returns the number of the attempt, 1 first. Raises `CallFailed`, `CallTimedOut` after `timeout_ms` (None or
    infinity: never), and ValueError if the timeout is negative or not a number.
    """

    __slots__ = ("_client",)

    def __init__(self, client: Owner) -> None:
        self._client = client

    async def __call__(self, timeout_ms: float | None = None) -> int:
        """Make one attempt."""
        _check_ms("timeout", timeout_ms)
        client = self._client
        if client.stopped:
            await client.end_await()
        request = client.request
        if request.attempts >= client.calls_at_most:
            client.run_away("calls")
            await Pending()
        connection = Connection(client)
        client.begin(connection, timeout_ms)
        return await self._heard(connection.answer)

    async def hedged(
        self,
        *,
        after_ms: float | None,
        at_most: int = 1,
        timeout_ms: float | None = None,
        cancels: bool = False,
        at_failure: AtFailure = "next",
        budget: LoopBudget | None = None,
    ) -> int:
        """Make one try of several copies, each `after_ms` after the last; the first success counts.

        At most `at_most` copies follow the first call, each with the timeout. `after_ms` None: only failures send
        them. See `sim.clients.hedged` for `at_failure` and `budget`. Returns the number of the attempt that succeeded;
        raises the last `CallFailed` when all have failed, or at once one that is final. Copies that are left go on, and
        so do their effects; with `cancels` their receivers hear that no answer is needed.
        """
        _check_ms("hedge", after_ms)
        _check_ms("timeout", timeout_ms)
        if at_most < 0:
            raise ValueError(f"a hedge sends no negative number of copies, not {at_most}")
        client = self._client
        if client.stopped:
            await client.end_await()
        client.hedge = hedge = Hedge(client, after_ms, at_most, timeout_ms, at_failure, budget, cancels=cancels)
        hedge.send()
        try:
            return await self._heard(hedge.answer)
        finally:
            hedge.stop()
            client.hedge = None

    async def _heard(self, answer: Pending) -> int:
        """Wait for the end of a try, and let the witness know what the loop hears of it."""
        client = self._client
        try:
            number: int = await answer
        except CallFailed as error:
            client.hear("failed", (type(error).__name__, error.kind, error.final, error.retry_after_ms))
            raise
        except GeneratorExit:
            client.stopped = True
            raise
        client.hear("answered", number)
        return number


def _check_ms(what: str, duration_ms: float | None) -> None:
    if duration_ms is not None and not 0 <= duration_ms <= inf:
        raise ValueError(f"a {what} must not be negative, not {duration_ms} ms")
