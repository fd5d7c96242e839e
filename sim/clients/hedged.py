"""One try of a loop that is several copies of a call: the first success counts.

A copy more goes `after_ms` after the start of the last one, up to `at_most` of them. If one fails, the next goes at
once (`at_failure: "next"`) or at its time (`"wait"`); an error that is marked as final ends the try, and so does the
failure of all. With a budget each copy more has to be allowed and is paid for, as a retry is; a budget that allows none
ends the copies of the try, and it hears of every copy that fails.

Timers are created in the order that `sim.clients.policy.machine` has: the timeout of a copy, its call, the next copy.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Literal

from sim.clients.connection import Connection
from sim.clients.failures import CallFailed
from sim.kernel.alarm import Alarm
from sim.kernel.clock import Pending
from sim.kernel.durations import ns_of_ms

if TYPE_CHECKING:
    from sim.clients.loop_budget import LoopBudget
    from sim.clients.owner import Owner
    from sim.history.request import Request

AtFailure = Literal["next", "wait"]


class _Copy:
    """What hears how one copy ended."""

    __slots__ = ("_hedge", "connection", "done")

    def __init__(self, hedge: Hedge) -> None:
        self._hedge = hedge
        self.done = False
        self.connection: Connection

    def succeed(self, value: object = None) -> None:
        """Take the number of the attempt that succeeded."""
        if not self.done:
            self.done = True
            self._hedge.succeeded(self, value)

    def fail(self, error: Exception) -> None:
        """Take a failure."""
        if not self.done:
            self.done = True
            assert isinstance(error, CallFailed)  # noqa: S101  # calls have no other
            self._hedge.failed(self, error)


class Hedge:
    """The copies of one try."""

    __slots__ = (
        "_after_ms",
        "_alarm",
        "_at_failure",
        "_budget",
        "_cancels",
        "_client",
        "_copies",
        "_more",
        "_running",
        "_said",
        "_timeout_ms",
        "answer",
    )

    def __init__(  # noqa: PLR0917  # `Call.hedged` alone makes it
        self,
        client: Owner,
        after_ms: float | None,
        at_most: int,
        timeout_ms: float | None,
        at_failure: AtFailure,
        budget: LoopBudget | None,
        *,
        cancels: bool,
    ) -> None:
        self._client = client
        self._after_ms = after_ms
        self._more = at_most
        self._timeout_ms = timeout_ms
        self._at_failure = at_failure
        self._budget = budget
        self._cancels = cancels
        self._copies = 0
        self._running: list[_Copy] = []
        self._said: CallFailed | None = None
        self._alarm: Alarm | None = None
        self.answer = Pending()
        """How the try ends."""

    @property
    def request(self) -> Request:
        """The request whose try it is."""
        return self._client.request

    @property
    def state(self) -> tuple[int, int, str, int]:
        """Return what decides how it goes on, besides its calls and its timer: two of a state have the same future."""
        return self._more, self._copies, "" if self._said is None else self._said.kind, len(self._running)

    def send(self) -> None:
        """Send a copy, and plan the next."""
        client = self._client
        if client.request.attempts >= client.calls_at_most:
            self.stop()
            client.run_away("calls")
            return
        self._copies += 1
        copy = _Copy(self)
        copy.connection = Connection(client, copy, is_copy=self._copies > 1)
        if self._copies > 1:
            client.record("copy", "", self._copies, subject=client.request.attempts + 1)
        self._running.append(copy)
        client.begin(copy.connection, self._timeout_ms)
        if self._more and self._running and not self.answer.done:
            self._plan()

    def _plan(self) -> None:
        if self._after_ms is None or self._after_ms == inf:
            return
        after_ns = ns_of_ms(self._after_ms)
        if after_ns:
            self._alarm = Alarm(self._client.clock, after_ns, self._is_due)
        else:
            self._send_next()

    def _is_due(self) -> None:
        self._alarm = None
        self._send_next()

    def _send_next(self) -> bool:
        """Send the next copy if the budget allows it; returns whether it does."""
        self._call_off()
        if self._budget is not None and not self._budget.take("" if self._said is None else self._said.kind):
            self._more = 0
            return False
        self._more -= 1
        self.send()
        return True

    def succeeded(self, copy: _Copy, number: object) -> None:
        """Take the success of a copy: the others do not count any more."""
        self._running.remove(copy)
        self._leave_others()
        self.answer.succeed(number)

    def failed(self, copy: _Copy, error: CallFailed) -> None:
        """Take the failure of a copy."""
        self._running.remove(copy)
        if self._client.stopped:
            return
        if self._budget is not None:
            self._budget.failed(error.kind, retryable=not error.final)
        if not error.final:
            self._said = error
            if self._more and self._at_failure == "next" and self._send_next():
                return
            if self._running or (self._more and self._alarm is not None):
                return
        self._leave_others()
        self.answer.fail(error)

    def _leave_others(self) -> None:
        self._call_off()
        self._more = 0
        running, self._running = self._running, []
        for copy in running:
            copy.done = True
            attempt = copy.connection.attempt
            copy.connection.leave()
            if self._cancels and attempt is not None:
                self._client.action.cancel(attempt)

    def stop(self) -> None:
        """Send no more copies: the loop is stopped. Calls in flight go on."""
        self._call_off()
        self._more = 0

    def _call_off(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
