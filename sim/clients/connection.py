"""One call of a loop: it hosts an attempt, and is the timer of its caller's timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from sim.clients.failures import CallFailed, CallTimedOut
from sim.history.vocabulary import CUT, NEVER, RETURNED, THREW, Cause
from sim.kernel.clock import Pending
from sim.kernel.durations import NS_PER_MS, ns_of_ms

if TYPE_CHECKING:
    from sim.clients.owner import Owner
    from sim.history.vocabulary import End
    from sim.world.attempt import Attempt


class HearsEnd(Protocol):
    """A budget that counts the call as a retry."""

    def retry_is_over(self) -> None:
        """Note that the call is over."""
        ...


class Answer(Protocol):
    """What is told how a call ended: a loop that waits for it, or the try of which it is one copy."""

    @property
    def done(self) -> bool:
        """Whether it needs to hear no more."""
        ...

    def succeed(self, value: object = None) -> None:
        """Take the number of the attempt that succeeded."""
        ...

    def fail(self, error: Exception) -> None:
        """Take a failure."""
        ...


class Connection:
    """Hosts one attempt for a client, and is the timer of its caller's timeout."""

    __slots__ = (
        "_client",
        "answer",
        "attempt",
        "callbacks",
        "given_up_ns",
        "is_copy",
        "left",
        "retry_of",
        "slept_ns",
        "started_ns",
        "timeout_ms",
    )
    _ok = True
    job_id = -1
    deadline_ns: int | None = None
    strike: float | None = None

    def __init__(self, client: Owner, answer: Answer | None = None, *, is_copy: bool = False) -> None:
        self._client = client
        self.is_copy = is_copy
        self.started_ns = client.clock.now_ns
        self.slept_ns = client.slept_ns if client.request.attempts else NEVER
        client.slept_ns = 0
        self.attempt: Attempt | None = None
        """None once it is over: they refer to each other, and a cycle would be left to the garbage collector."""
        self.answer: Any = Pending() if answer is None else answer
        self.timeout_ms: float | None = None
        self.given_up_ns: int | None = None
        """When its caller gave up on it."""
        self.left = False
        """Whether another copy of its try has ended the try."""
        self.retry_of: tuple[HearsEnd, ...] = ()
        """Budgets that count it as a retry in flight."""
        self.callbacks: Any = None

    def limit(self, timeout_ms: float) -> None:
        """Let the caller give up after `timeout_ms`."""
        self.timeout_ms = timeout_ms
        self.callbacks = _TIME_OUT
        self._client.clock.set_timer(self, ns_of_ms(timeout_ms))

    def attempt_over(self, how: End) -> None:
        """Take the end of the attempt."""
        client, attempt = self._client, self.attempt
        assert attempt is not None  # noqa: S101  # it is over, so it began
        client.request.action_ns += client.clock.now_ns - self.started_ns
        client.connections.remove(self)
        attempt.over(reported=True)
        self.attempt = None
        self.leave_budgets()
        if how == RETURNED:
            self.answer.succeed(attempt.number)
        else:
            self.answer.fail(_error(how, attempt))

    @property
    def ends(self) -> bool:
        """Whether an answer will come: the end of the call or the caller's timeout is still ahead."""
        attempt = self.attempt
        return (
            attempt is not None
            and not self.answer.done
            and (attempt.callbacks is not None or self.timeout_ms is not None)
        )

    @property
    def place(self) -> tuple[bool, int]:
        """Return whether it was left, and how many budgets count it: more of what tells its states apart."""
        return self.left, len(self.retry_of)

    def attempt_lost(self) -> None:
        """Lose contact with the running attempt."""
        self.leave_budgets()
        self.answer.fail(CallFailed("contact with the call was lost"))

    def give_up(self) -> None:
        """Wait no longer; the call goes on."""
        attempt = self.attempt
        if attempt is not None and not attempt.ended:
            self.given_up_ns = self._client.clock.now_ns
            attempt.give_up(self.given_up_ns)
            attempt.blame = Cause.timeout

    def leave(self) -> None:
        """Wait no longer, since another copy of the try has ended it."""
        self.left = True
        self.leave_budgets()
        self.give_up()

    def time_out(self) -> None:
        """Give up after the timeout."""
        attempt = self.attempt
        if attempt is not None and not self.left:
            client = self._client
            self.given_up_ns = client.clock.now_ns
            attempt.give_up(self.given_up_ns)
            attempt.blame = Cause.timeout
            client.record("timed_out", "", ns_of_ms(self.timeout_ms or 0), subject=attempt.number)
            self.leave_budgets()
            self.answer.fail(CallTimedOut("the call timed out"))

    def leave_budgets(self) -> None:
        """Let budgets know that this retry is not in flight any more: its caller does not wait for it."""
        for budget in self.retry_of:
            budget.retry_is_over()
        self.retry_of = ()


_TIME_OUT: Final = (lambda connection: connection.time_out(),)


def _error(how: End, attempt: Attempt) -> CallFailed:
    """Make the error with which a call ends."""
    error = CallFailed("the call was cut off" if how == CUT else "the call failed")
    failure = attempt.failure
    if failure is not None and how == THREW:
        error.kind = failure.kind
        error.final = failure.final
        error.retry_after_ms = None if failure.retry_after_ns < 0 else failure.retry_after_ns / NS_PER_MS
    return error
