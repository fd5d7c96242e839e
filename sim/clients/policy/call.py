"""One call of a policy: it hosts an attempt, and is the timer of its own timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.history.vocabulary import CUT, FAILED, NEVER, RETURNED, THREW, TIMED_OUT, Cause

if TYPE_CHECKING:
    from sim.clients.policy.party import Party
    from sim.clients.policy.passage import Passage
    from sim.history.vocabulary import End
    from sim.world.attempt import Attempt


class Call:
    """A call that its request may still wait for."""

    __slots__ = (
        "attempt",
        "awaited",
        "callbacks",
        "given_up_ns",
        "is_copy",
        "is_retry",
        "passage",
        "run",
        "slept_ns",
        "started_ns",
        "timeout_ns",
    )
    _ok = True
    job_id = -1
    deadline_ns: int | None = None
    strike: float | None = None

    def __init__(self, run: Party, slept_ns: int) -> None:
        self.run = run
        self.started_ns = run.clock.now_ns
        self.slept_ns = slept_ns
        """How long its caller slept since the call before; `NEVER` for a first one."""
        self.attempt: Attempt | None = None
        """None once it is over: they refer to each other, and a cycle would be left to the garbage collector."""
        self.awaited = True
        """Whether its request waits for its answer."""
        self.given_up_ns: int | None = None
        """When its caller gave up on it."""
        self.timeout_ns = NEVER
        self.callbacks: Any = None
        self.is_copy = False
        self.is_retry = False
        """Whether a budget counts it."""
        self.passage: Passage | None = None
        """The gates that it has passed."""

    def limit(self, timeout_ns: int) -> None:
        """Let its caller give up after this time."""
        self.timeout_ns = timeout_ns
        self.callbacks = _TIME_OUT
        self.run.clock.set_timer(self, timeout_ns)

    @property
    def ends(self) -> bool:
        """Whether an answer will come: the end of the call or the caller's timeout is still ahead."""
        attempt = self.attempt
        return self.awaited and attempt is not None and (attempt.callbacks is not None or self.timeout_ns != NEVER)

    def attempt_over(self, how: End) -> None:
        """Take the end of the attempt."""
        run, attempt = self.run, self.attempt
        assert attempt is not None  # noqa: S101  # it is over, so it began
        run.request.action_ns += run.clock.now_ns - self.started_ns
        run.connections.remove(self)
        attempt.over(reported=True)
        self.attempt = None
        if not self.awaited:
            return
        self.awaited = False
        if how == RETURNED:
            run.succeeded(self, attempt.number)
            return
        failure = attempt.failure
        if failure is None or how != THREW:
            run.failed(self, attempt.number, FAILED if how == CUT or failure is None else failure.kind)
        else:
            run.failed(self, attempt.number, failure.kind, final=failure.final, hint_ns=failure.retry_after_ns)

    def attempt_lost(self) -> None:
        """Lose contact with the running attempt: as far as its caller knows it has failed."""
        attempt = self.attempt
        if self.awaited and attempt is not None:
            self.awaited = False
            self.run.failed(self, attempt.number, FAILED)

    def give_up(self) -> None:
        """Wait no longer; the call goes on."""
        self.awaited = False
        attempt = self.attempt
        if attempt is not None and not attempt.ended:
            self.given_up_ns = self.run.clock.now_ns
            attempt.give_up(self.given_up_ns)
            attempt.blame = Cause.timeout

    def time_out(self) -> None:
        """Give up after the timeout."""
        attempt = self.attempt
        if attempt is None:
            return
        run, was_awaited = self.run, self.awaited
        self.give_up()
        if was_awaited:
            run.record("timed_out", "", self.timeout_ns, subject=attempt.number)
            run.failed(self, attempt.number, TIMED_OUT)


_TIME_OUT = (lambda call: call.time_out(),)
